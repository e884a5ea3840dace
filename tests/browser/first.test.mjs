// The first minute: what is seen before and after the program has come, and what its buttons and cards do.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually, withPage } from './harness.mjs'
import { drawnHook, normalHook } from './hook.mjs'

const SIZES = [{ width: 1366, height: 657 }, { width: 390, height: 844 }]

test('the first look is painted before any program is there, and is what the page draws', async () => {
  await withPage({ open: false }, async confab => {
    // Without its programs the page stays as it was served.
    await confab.page.route('**/app-*.packed', () => {})
    await confab.page.goto(confab.url)
    const first = await confab.page.locator('#shell .hook').evaluate(normalHook)
    await confab.page.unroute('**/app-*.packed')
    await confab.open()
    assert.equal(await drawnHook(confab), first, 'run node tests/browser/hook.mjs after a change of the first look')
  })
})

for (const viewport of SIZES) {
  test(`the first minute at ${viewport.width} × ${viewport.height}`, async () => {
    await withPage({ context: { viewport } }, async confab => {
      const { page } = confab
      const look = page.getByRole('region', { name: 'First look' })
      await look.getByText('Sometimes it makes one up').waitFor()
      const answer = look.getByRole('application', { name: /The model’s answer/ })
      const inSight = async locator => {
        const box = await locator.boundingBox()
        return box.y >= 0 && box.y + box.height <= viewport.height && box.x >= 0 && box.x + box.width <= viewport.width
      }
      for (const part of [answer, look.getByRole('button', { name: 'Train it from scratch' }), look.getByRole('button', { name: /Phone book/ })]) {
        assert(await inSight(part), `${part} is in sight`)
      }
      // Every character tells what it reads.
      await drawnHook(confab)
      const told = () => answer.locator('p').innerText()
      assert.match(await told(), /^“\d” is .*% sure\. Head L\dH\d reads “.*%\. \d+ of 12 are right\.$/)
      await answer.focus()
      const first = await told()
      await answer.press('End')
      await eventually(async () => await told() !== first, 'the last character')
      const question = () => answer.locator('svg').innerHTML()
      const before = await question()
      await look.getByRole('button', { name: 'Ask another question' }).click()
      await eventually(async () => await question() !== before, 'another question')
    })
  })
}

test('trained from scratch on the CPU, it copies the numbers that its card promises', async () => {
  await withPage({ context: { viewport: SIZES[0] } }, async confab => {
    const look = confab.page.getByRole('region', { name: 'First look' })
    await look.getByRole('button', { name: 'Train it from scratch' }).click()
    await look.getByText(/^Training: step \d/).waitFor()
    const told = () => look.getByRole('application').locator('p').innerText()
    await look.getByText(/^Trained: step 1,300 of 1,300\.$/).waitFor({ timeout: 400_000 })
    await eventually(async () => / 12 of 12 are right\.$/.test(await told()), 'a number copied', 10_000, told)
  })
})

test('a card trains its task; a task without settings of its own asks for them', async () => {
  await withPage({}, async confab => {
    const look = confab.page.getByRole('region', { name: 'First look' })
    const { page } = confab
    await page.getByRole('textbox', { name: 'Prompt' }).fill('{B}\nAda')
    await look.getByRole('button', { name: /^Modular addition/ }).click()
    await look.getByText(/begin at 0 again/).waitFor()
    await look.getByText(/^Training: step/).waitFor()
    await confab.click('Pause')
    assert.equal(await confab.combobox('Task').inputValue(), 'modular')
    // The prompt was another task's.
    await eventually(async () => /^\d+\+\d+=$/.test(await page.getByRole('textbox', { name: 'Prompt' }).inputValue()), 'a sum')
    await look.getByRole('button', { name: /^Your text/ }).click()
    await eventually(async () => await page.evaluate(() => document.activeElement?.tagName) === 'TEXTAREA', 'the field for a text')
  })
})

test('pressed before the program is there, Train says that it has been heard', async () => {
  await withPage({ open: false }, async confab => {
    let go
    const gate = new Promise(resolve => { go = resolve })
    await confab.page.context().route('**/worker.packed', async route => { await gate; await route.continue() })
    await confab.page.goto(confab.url + '#train.steps=3')
    await confab.page.getByRole('region', { name: 'Link' }).getByText(/carries no weights.*in 3 steps/).waitFor()
    await confab.click('Train')
    await confab.page.getByText(/your run begins as soon as this is done/).waitFor()
    go()
    await confab.untilStep(3)
  })
})

test('a link brings temperature, top-k and seed, and says that weights do not travel', async () => {
  await withPage({ fragment: 'task.phone.lines=1&task.phone.names=8&model.context=96&train.steps=2' }, async confab => {
    const { page } = confab
    await confab.click('Train')
    await confab.untilStep(2)
    await page.getByRole('slider', { name: 'Temperature' }).fill('0.35')
    await page.getByLabel('Top-k').fill('7')
    await page.getByLabel('Seed for samples').fill('42')
    await confab.click('Share')
    await confab.untilNotice(/Link copied\. It carries the settings, not the weights/)
    const link = await page.evaluate(() => location.hash.slice(1))
    await confab.open(link)
    assert.equal(await page.getByRole('slider', { name: 'Temperature' }).inputValue(), '0.35')
    assert.equal(await page.getByLabel('Top-k').inputValue(), '7')
    assert.equal(await page.getByLabel('Seed for samples').inputValue(), '42')
    await page.getByRole('region', { name: 'Link' }).getByText(/Train makes the model anew, in 2 steps/).waitFor()
  })
})

test('no link of the gallery opens on an error', async () => {
  await withPage({}, async confab => {
    await confab.view('Learn')
    const links = confab.page.getByRole('region', { name: 'Gallery' }).getByRole('link')
    await eventually(async () => await links.count() >= 10, 'the list of the session')
    const fragments = await links.evaluateAll(all => all.map(link => link.getAttribute('href').slice(1)))
    for (const fragment of fragments) {
      assert.match(fragment, /^trained=/, 'every exhibit has a trained model')
      await confab.open(fragment)
      const problem = confab.output('look-problem')
      await confab.page.getByRole('button', { name: /, step [1-9]/ }).waitFor()
      if (await confab.output('look-step').count() === 0) continue
      await eventually(async () => /^step [1-9]/.test(await confab.text('look-step')), `the analysis of ${fragment}`)
      assert.equal(await problem.innerText(), '', fragment)
    }
  })
})
