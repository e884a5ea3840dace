// The inspection lab: every analysis from the page, with the keyboard alone too, and live.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TINY, eventually, withPage } from './harness.mjs'

const PROMPT = '{B}\nAda Moss: 212-'
const OTHER = '{B}⏎Mia Ford: 998-'

const GROUPS = {
  'Logit lens': ['Logit lens', 'Direct logit attribution', 'Next tokens'],
  Interventions: ['Before / after', 'Weights', 'Knock out each part', 'Patch the residual stream', 'Patch heads', 'Patch attention', 'Patch MLPs'],
  Circuits: ['Head scores', 'Attention pattern', 'Value-weighted attention', 'Attention, two prompts', 'OV circuit', 'QK circuit', 'Copying scores',
    'Singular values', 'Composition'],
  Unembedding: ['Output vector', 'Sparsity', 'Truncated output', 'One component', 'Unembedding distances', 'PCA', 'Bias-only prediction'],
}

async function openTrained(confab) {
  await confab.page.getByRole('textbox', { name: 'Prompt', exact: true }).fill(PROMPT)
  await confab.click('Train')
  await confab.untilStep(20)
  await confab.click('Pause')
  await eventually(() => confab.button('Train').isEnabled(), 'the run to stop')
}

const figures = confab => confab.page.getByRole('figure')

/** Tells if a second prompt is the prompt with one token changed. */
function isOneChange(other) {
  const prompt = PROMPT.replace('\n', '⏎')
  return other.length === prompt.length && [...other].filter((token, at) => token !== prompt[at]).length === 1
}

/** Waits for an analysis that is done. */
async function untilFound(confab, what) {
  const problem = async () => await confab.text('look-problem')
  const step = async () => await confab.text('look-step')
  await eventually(async () => /^step [\d,]+$/.test(await step()) && await figures(confab).count() > 0, what, 30_000,
    async () => `${await step()}; ${await problem()}`)
}

test('every analysis of every group is shown, of the model on screen', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab)
    for (const [tab, analyses] of Object.entries(GROUPS)) {
      await confab.tab(tab).click()
      for (const analysis of analyses) {
        await confab.combobox('Analysis').selectOption(analysis)
        const other = confab.page.getByRole('textbox', { name: 'Second prompt' })
        if (await other.count()) {
          const own = await other.inputValue()
          await untilFound(confab, `${tab}: ${analysis}, with a second prompt of its own`)
          if (own !== OTHER) await eventually(async () => isOneChange(await other.inputValue()), 'a proposal')
          await other.fill(OTHER)
          await other.press('Enter')
        }
        await untilFound(confab, `${tab}: ${analysis}`)
        const titles = await figures(confab).getByRole('heading').allInnerTexts()
        assert(titles.every(title => title.length > 3), `${analysis}: ${titles}`)
      }
    }
  })
})

test('a cell is read and chosen with the keyboard alone', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab)
    await confab.tab('Attention').focus()
    await confab.page.keyboard.press('ArrowLeft')
    await confab.combobox('Analysis').focus()
    await confab.page.keyboard.press('ArrowDown')
    await untilFound(confab, 'attribution')
    const grid = confab.page.getByRole('application', { name: /What heads and MLPs add/ })
    await grid.focus()
    await grid.press('ArrowDown')
    await grid.press('ArrowRight')
    await confab.page.getByText(/^L1, H1: -?\d/).waitFor()
    await grid.press('Enter')
    await confab.tab('Circuits').click()
    await confab.combobox('Analysis').selectOption('OV circuit')
    await untilFound(confab, 'the OV circuit')
    await confab.page.getByRole('heading', { name: /^L1H1: what reading/ }).waitFor()
  })
})

test('a change is made, seen and taken back; a part that there is not is refused', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab)
    await confab.tab('Interventions').click()
    await untilFound(confab, 'no changes')
    const rows = async () => await confab.page.locator('figure tbody tr').allInnerTexts()
    const unchanged = await rows()
    assert(unchanged.every(row => row.trim().endsWith('+0.00')), unchanged.join('; '))
    await confab.page.getByRole('textbox', { name: 'Part' }).fill('L1H0')
    await confab.page.getByRole('textbox', { name: 'Scale by' }).fill('-50')
    await confab.click('Add ablation')
    await eventually(async () => (await rows()).some(row => !row.trim().endsWith('+0.00')), 'what the change does')
    await confab.page.getByRole('heading', { name: /with 1 intervention$/ }).waitFor()
    await confab.page.getByRole('textbox', { name: 'Part' }).fill('L1X')
    await confab.click('Add ablation')
    await confab.untilNotice(/The ablation was not added/)
    await confab.click('Remove L1H0 × -50')
    await eventually(async () => (await rows()).every(row => row.trim().endsWith('+0.00')), 'the model as it is')
  })
})

test('Enter in a box does what the button beside it does', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab)
    const enter = async (box, typed) => {
      await confab.page.getByRole('textbox', { name: box, exact: true }).fill(typed)
      await confab.page.keyboard.press('Enter')
    }
    await confab.tab('Interventions').click()
    await enter('Part', 'L1H0')
    await confab.button('Remove L1H0 × 0').waitFor()
    await enter('Scale by, or a weight’s value', '0.5')
    await confab.button('Remove L1H0 × 0.5').waitFor()
    await confab.tab('Edit architecture').click()
    await enter('Number', '1')
    await confab.untilNotice(/./)
    await confab.tab('Evaluate').click()
    await confab.page.getByRole('spinbutton', { name: 'Records' }).fill('3')
    await confab.page.keyboard.press('Enter')
    await confab.page.getByText(/^\d of 3 records/).waitFor()
  })
})

test('a weight is picked, set and taken back', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab)
    await confab.tab('Interventions').click()
    await confab.combobox('Analysis').selectOption('Weights')
    await confab.page.getByRole('textbox', { name: 'Parameter' }).fill('ln_final.w')
    await confab.page.getByRole('textbox', { name: 'Parameter' }).press('Enter')
    const grid = confab.page.getByRole('application', { name: /^ln_final.w/ })
    await grid.focus()
    await grid.press('ArrowDown')
    await grid.press('Enter')
    const part = confab.page.getByRole('textbox', { name: 'Part' })
    await eventually(async () => await part.inputValue() === 'ln_final.w[1,0]', 'the weight that was picked')
    await confab.page.getByRole('textbox', { name: 'Scale by' }).fill('-9')
    await confab.click('Add ablation')
    await confab.page.getByText('row 1, column 0: -9.0000').waitFor()
    await confab.combobox('Analysis').selectOption('Before / after')
    const rows = async () => await confab.page.locator('figure tbody tr').allInnerTexts()
    await eventually(async () => (await rows()).some(row => !row.trim().endsWith('+0.00')), 'what the weight does')
    await confab.click('Remove ln_final.w[1,0] = -9')
    await eventually(async () => (await rows()).every(row => row.trim().endsWith('+0.00')), 'the model as it is')
    await part.fill('ln_final.w[99,0]')
    await confab.click('Add ablation')
    await confab.untilNotice(/The ablation was not set: .*count rows and columns from 0/)
  })
})

test('what the model lacks is said in place of the figures', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab)
    await confab.tab('Circuits').click()
    await confab.combobox('Analysis').selectOption('Path expansion')
    await eventually(async () => /norms/.test(await confab.text('look-problem')), 'the reason')
    assert.equal(await figures(confab).count(), 0)
    await confab.combobox('Analysis').selectOption('OV circuit')
    await untilFound(confab, 'the OV circuit')
    await confab.page.getByRole('textbox', { name: 'Head', exact: true }).fill('7')
    await confab.page.getByRole('textbox', { name: 'Head', exact: true }).press('Enter')
    await eventually(async () => /no head L0H7/.test(await confab.text('look-problem')), 'the reason')
  })
})

test('an analysis follows the model while it trains, and is saved', async () => {
  await withPage({ fragment: TINY + '&train.steps=100000&tab=residual' }, async confab => {
    await confab.page.getByRole('textbox', { name: 'Prompt', exact: true }).fill(PROMPT)
    await confab.click('Train')
    const step = async () => await confab.number('look-step')
    await eventually(async () => await step() > 0, 'a first look')
    const first = await step()
    await eventually(async () => await step() > first, 'a later look')
    await confab.click('Pause')
    await untilFound(confab, 'the last look')
    const save = format => confab.saveFigure(format, figures(confab).first())
    assert.match((await save('SVG')).bytes.toString(), /^<svg/)
    assert.deepEqual([...(await save('PNG')).bytes.subarray(1, 4)], [...Buffer.from('PNG')])
    const { name, bytes } = await save('JSON')
    assert.match(name, new RegExp(`^phone-${await step()}-lens-the-likeliest-next-character-at-each-stage\\.json$`))
    const { kind, rows, values, texts } = JSON.parse(bytes.toString())
    assert.equal(kind, 'grid')
    assert.deepEqual([values.length, texts.length], [rows.labels.length, rows.labels.length])
  })
})
