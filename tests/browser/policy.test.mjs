// What runs in the page: its own files alone, whatever a text or a model brings along.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TINY, eventually, withPage } from './harness.mjs'
import { binary, cycle } from './models.mjs'

const MARKUP = '<img src=x onerror=self.ran=1>'

/** Notes what the page's policy forbids, from its first line on. */
async function watchPolicy(confab) {
  await confab.page.addInitScript(() => {
    self.violations = []
    addEventListener('securitypolicyviolation', event => {
      self.violations.push(`${event.effectiveDirective}: ${event.blockedURI || event.sample}`)
    })
  })
}

const violations = confab => confab.page.evaluate(() => self.violations)

/** Fails if markup became a part of the page. */
async function isInert(confab, where) {
  const found = await confab.page.evaluate(() => [document.images.length, self.ran])
  assert.deepEqual(found, [0, undefined], `${where}: markup is text`)
}

test('all that the page does keeps to its policy', async () => {
  await withPage({ open: false }, async confab => {
    await watchPolicy(confab)
    await confab.open('', null)
    await confab.untilExample()
    await confab.open(TINY)
    await confab.click('Train')
    await confab.untilStep(20)
    await confab.click('Pause', 'Generate')
    for (const tab of await confab.page.getByRole('tab').all()) await tab.click()
    await confab.tab('Logit lens').click()
    for (const format of ['PNG', 'SVG', 'CSV']) await confab.saveFigure(format)
    await confab.saveCheckpoint()
    assert.deepEqual(await violations(confab), [])
  })
})

test('scripts and handlers that are written into the page do not run', async () => {
  await withPage({ open: false, errors: /Content Security Policy|404/ }, async confab => {
    await watchPolicy(confab)
    await confab.open(TINY)
    await confab.page.evaluate(markup => {
      const script = document.createElement('script')
      script.textContent = 'self.ran = 1'
      document.body.append(script)
      document.body.insertAdjacentHTML('beforeend', markup)
    }, MARKUP)
    await eventually(async () => (await violations(confab)).length > 1, 'both to be refused')
    assert.deepEqual((await violations(confab)).map(line => line.split(':')[0]).sort(), ['script-src-attr', 'script-src-elem'])
    assert.equal(await confab.page.evaluate(() => self.ran), undefined)
  })
})

// Without the policy, which would hide a handler that is one.
test('markup in a text, a prompt or a token is shown as the text that it is', async () => {
  const small = 'task.kind=text&model.n_layers=1&model.n_heads=2&model.d_model=8&model.context=64&train.batch=4'
  await withPage({ fragment: small, context: { bypassCSP: true } }, async confab => {
    const { page } = confab
    await page.getByLabel('Text file').setInputFiles(binary('mine.txt', `${MARKUP}\n`.repeat(40)))
    await confab.click('Step')
    await confab.untilStep(1)
    await isInert(confab, 'a text')

    await confab.loadCheckpoint(cycle(['a', 'b', MARKUP], {
      added_tokens: [{ id: 2, content: MARKUP, single_word: false, lstrip: false, rstrip: false, normalized: false, special: false }],
    }))
    await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill(`ab${MARKUP}ab`)
    await page.getByRole('heading', { name: 'Pattern of L0H0' }).waitFor()
    await page.getByRole('spinbutton', { name: 'Top-k' }).fill('1')
    await confab.click('Generate')
    await eventually(async () => (await confab.text('sample')).includes(MARKUP), 'a sample with the token')
    await isInert(confab, 'a sample')
    for (const view of ['Matrix', 'Lines', 'From this token', 'To this token']) {
      await confab.combobox('View').selectOption(view)
      await isInert(confab, `attention, ${view}`)
    }
    await confab.tab('Probabilities').click()
    const tokens = page.getByRole('listbox', { name: 'Prompt tokens' }).getByRole('option')
    await eventually(async () => await tokens.count() > 0, 'the tokens')
    for (const token of await tokens.all()) await token.click()
    await isInert(confab, 'probabilities')
    for (const tab of ['Logit lens', 'Interventions', 'Circuits', 'Unembedding']) {
      await confab.tab(tab).click()
      const analyses = await confab.combobox('Analysis').getByRole('option').allInnerTexts()
      for (const analysis of analyses) {
        await confab.combobox('Analysis').selectOption(analysis)
        const done = async () => /^step [\d,]+$/.test(await confab.text('look-step'))
        await eventually(done, analysis, 20_000, () => confab.describe())
        await isInert(confab, analysis)
      }
    }
  })
})
