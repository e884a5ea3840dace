// What the model computes, as the page shows it; and whether everyone can reach it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TINY, eventually, withPage } from './harness.mjs'

const PROMPT = '{B}\nAda Moss: 212'

async function openTrained(confab, prompt) {
  await confab.page.getByRole('textbox', { name: 'Prompt' }).fill(prompt)
  await confab.click('Train')
  await confab.untilStep(20)
  await confab.click('Pause')
  await eventually(() => confab.button('Train').isEnabled(), 'the run to stop')
}

const numbers = async locator => (await locator.allInnerTexts()).map(text => Number(text.replace('%', '')))
const sum = values => values.reduce((total, value) => total + value, 0)

test('attention rows sum to 1, over the characters so far', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab, PROMPT)
    const row = confab.output('attention-row')
    for (const head of ['L0H0', 'L0H1', 'L1H0', 'L1H1']) {
      await confab.button(head).click()
      const matrix = confab.page.getByRole('application', { name: `Pattern of ${head}` })
      await matrix.focus()
      await matrix.press('Home')
      for (let query = 0; query < PROMPT.length; query++) {
        await row.getByText(`${head} query ${query} `).waitFor()
        const weights = await numbers(row.locator('.number'))
        assert.equal(weights.length, query + 1, `${head}, query ${query}`)
        assert(weights.every(weight => weight >= 0 && weight <= 1), `${head}, query ${query}: ${weights}`)
        assert(Math.abs(sum(weights) - 1) < 1e-4 * (query + 1), `${head}, query ${query} sums to ${sum(weights)}`)
        await matrix.press('ArrowDown')
      }
    }
  })
})

test('hovering a cell shows its query and key by their characters', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab, PROMPT)
    const matrix = confab.page.getByRole('application', { name: 'Pattern of L0H0' })
    const side = (await matrix.boundingBox()).width / PROMPT.length
    const [query, key] = [PROMPT.indexOf('M'), PROMPT.indexOf('d')]
    await matrix.hover({ position: { x: (key + 0.5) * side, y: (query + 0.5) * side } })
    const row = confab.output('attention-row')
    await row.getByText(`query ${query} “M”`).waitFor()
    await row.getByText(`key ${key} “d”`).waitFor()
  })
})

test('the inspected prompt is traced anew while training', async () => {
  await withPage({ fragment: TINY + '&train.steps=100000' }, async confab => {
    await confab.page.getByRole('textbox', { name: 'Prompt' }).fill(PROMPT)
    await confab.click('Train')
    const weights = async () => (await numbers(confab.output('attention-row').locator('.number'))).join()
    await eventually(async () => await weights() !== '', 'a first trace')
    const first = await weights()
    await eventually(async () => await weights() !== first, 'another trace')
    assert(await confab.button('Pause').isEnabled(), 'it is still training')
  })
})

test('attention is averaged by what is to be written', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab, PROMPT)
    await confab.click('Average over 200 records')
    await eventually(async () => {
      const shown = confab.output('by-type-progress')
      return await shown.count() > 0 && (await shown.innerText()).startsWith('200 ')
    }, 'two hundred records', 60_000, () => confab.describe())
    const heads = confab.page.getByRole('group', { name: 'Heads by divergence' }).getByRole('button')
    assert.equal(await heads.count(), 4)
    const bits = (await heads.locator('.hint').allInnerTexts()).map(Number)
    assert.deepEqual(bits, bits.toSorted((a, b) => b - a))
    await heads.filter({ hasText: 'L1H1' }).click()
    const table = confab.page.getByRole('table', { name: 'What L1H1 reads' })
    for (const row of await table.locator('tbody tr').all()) {
      assert(Math.abs(sum(await numbers(row.locator('td'))) - 100) < 4, await row.innerText())
    }
    const average = confab.page.getByRole('img', { name: 'Average pattern of L1H1' })
    const parts = await average.locator('tbody tr').count()
    assert(parts > 6, `${parts} parts of a record`)
    assert.equal(await average.locator('td').count(), parts * parts)
  })
})

test('probabilities are ordered, and no more than one', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab, PROMPT)
    await confab.tab('Probabilities').click()
    const table = confab.output('probabilities')
    const given = confab.page.getByRole('listbox', { name: 'Characters given' }).getByRole('option')
    assert.equal(await given.count(), PROMPT.length)
    for (const character of await given.all()) {
      await character.click()
      const shares = await numbers(table.locator('td.number'))
      const logits = await numbers(table.locator('td.logit'))
      assert(shares.length > 1)
      assert.deepEqual(logits, logits.toSorted((a, b) => b - a))
      assert(sum(shares) <= 100.6, `${sum(shares)} % in all`)
    }
  })
})

test('a greedy sample is the same each time, a warm one is the seed\'s', async () => {
  await withPage({ fragment: TINY }, async confab => {
    const { page } = confab
    await openTrained(confab, PROMPT)
    const sample = async (temperature, seed) => {
      await page.getByLabel('Temperature').fill(temperature)
      await page.getByLabel('Seed for samples').fill(seed)
      await confab.click('Sample')
      // It has ended when it has not grown for a second.
      let text = '', since = Date.now()
      await eventually(async () => {
        const now = await confab.output('sample').textContent()
        if (now !== text) [text, since] = [now, Date.now()]
        return text !== '' && Date.now() - since > 1000
      }, 'a sample')
      return text
    }
    const greedy = await sample('0', '1')
    assert.equal(await sample('0', '2'), greedy)
    const warm = await sample('1.5', '3')
    assert.notEqual(warm, greedy)
    assert.notEqual(await sample('1.5', '4'), warm)
    assert.equal(await sample('1.5', '3'), warm)
  })
})

test('every control has a name', async () => {
  await withPage({}, async confab => {
    const cdp = await confab.page.context().newCDPSession(confab.page)
    const { nodes } = await cdp.send('Accessibility.getFullAXTree')
    const controls = /^(button|textbox|combobox|slider|checkbox|spinbutton|tab|radio|link)$/
    const nameless = nodes.filter(node => !node.ignored && controls.test(node.role?.value) && !node.name?.value?.trim())
    assert.deepEqual(nameless.map(node => node.role.value), [])
    assert(nodes.filter(node => controls.test(node.role?.value)).length > 20, 'there are hardly any controls')
  })
})

test('fits a screen 360 pixels wide', async () => {
  await withPage({ context: { viewport: { width: 360, height: 740 } } }, async confab => {
    const width = await confab.page.evaluate(() => document.documentElement.scrollWidth)
    assert(width <= 360, `the page is ${width} pixels wide`)
    await confab.button('Train').click()
    await confab.untilStep(1)
  })
})
