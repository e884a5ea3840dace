// The frame of the page: its views, its bars and its notices, on wide and narrow screens.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TINY, eventually, withPage } from './harness.mjs'

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }

const box = locator => locator.boundingBox()
const region = (confab, name) => confab.page.getByRole('region', { name, exact: true })

/** True if all of a thing is on the screen, without scrolling. */
async function inSight(confab, locator) {
  if (!await locator.isVisible()) return false
  const { x, y, width, height } = await box(locator)
  const screen = confab.page.viewportSize()
  return x >= 0 && y >= 0 && x + width <= screen.width && y + height <= screen.height
}

test('on a phone each panel fills the screen, and Train shows the answer as it gets better', async () => {
  await withPage({ context: PHONE }, async confab => {
    const { page } = confab
    const panels = page.getByRole('navigation', { name: 'Panels' })
    const answer = page.getByRole('application', { name: /The model’s answer/ })
    for (const [link, shown] of [['Loss', 'Loss'], ['Attention', 'Inspector'], ['Settings', 'Experiment'], ['Answer', 'Try the model']]) {
      await confab.view(link)
      assert.equal(await panels.locator('[aria-current=page]').innerText(), link)
      for (const name of ['Loss', 'Inspector', 'Experiment', 'Try the model']) {
        assert.equal(await region(confab, name).isVisible(), name === shown, `${name} in ${link}`)
      }
    }
    await confab.view('Settings')
    assert.equal(await answer.isVisible(), false)
    await page.evaluate(() => scrollTo(0, 0))
    await confab.click('Train')
    assert(await inSight(confab, answer), 'the answer is in sight')
    const moving = page.getByText(/^[1-9]\d* of 1,300, \d+ (s|min) left$/).filter({ visible: true })
    await moving.waitFor()
    assert(await inSight(confab, moving), 'how far it is is in sight')
    const first = await moving.innerText()
    await eventually(async () => await moving.innerText() !== first, 'progress')
    await confab.view('Loss')
    await eventually(() => inSight(confab, region(confab, 'Loss').locator('svg').first()), 'the chart')
  })
})

test('at 1024 pixels the run’s buttons stand in one row, and the inspector begins at the top', async () => {
  await withPage({ fragment: TINY, context: { viewport: { width: 1024, height: 768 } } }, async confab => {
    await confab.click('Step')
    await confab.untilStep(1)
    for (const row of [['Train', 'Step', 'New run'], ['Files', 'Share']]) {
      const tops = []
      for (const name of row) tops.push((await box(confab.button(name))).y)
      assert(Math.max(...tops) - Math.min(...tops) < 8, `${row} begin at ${tops}`)
    }
    assert.equal(await region(confab, 'Inspector').isVisible(), false)
    await confab.view('Inspect')
    assert((await box(region(confab, 'Inspector'))).y < 130, 'the inspector begins at the top')
    assert(await inSight(confab, confab.page.getByRole('group', { name: 'Small multiples' })))
    await confab.page.getByRole('textbox', { name: 'Prompt', exact: true }).waitFor()
  })
})

for (const view of ['Train', 'Inspect']) {
  test(`the inspector’s tabs do not wrap at 1440 pixels, in ${view}`, async () => {
    await withPage({ fragment: TINY, context: { viewport: { width: 1440, height: 900 } } }, async confab => {
      await confab.view(view)
      const tabs = confab.page.getByRole('tab')
      const boxes = await tabs.evaluateAll(tabs => tabs.map(tab => tab.getBoundingClientRect().toJSON()))
      const rows = new Set(boxes.map(box => box.y)).size
      assert.equal(rows, view === 'Train' ? 1 : boxes.length, 'one row, or one column')
      // The last is reached by the keyboard, and seen.
      await tabs.first().focus()
      await confab.page.keyboard.press('End')
      await eventually(() => inSight(confab, tabs.last()), 'the last tab')
    })
  })
}

test('a notice covers no control, and only the newest is shown', async () => {
  await withPage({ context: { viewport: { width: 1366, height: 657 } } }, async confab => {
    const { page } = confab
    await confab.untilExample()
    await confab.model('Train from these weights')
    await confab.untilNotice(/cannot go on/)
    await confab.click('Share')
    await confab.untilNotice(/Link copied/)
    assert.equal(await confab.button('Dismiss').count(), 1)
    const covered = await page.evaluate(() => {
      const all = [...document.querySelectorAll('main :is(button, select, input, textarea, summary)')]
      return all.filter(element => element.checkVisibility()).filter(element => {
        element.scrollIntoView({ block: 'nearest' })
        const { left, top, width, height } = element.getBoundingClientRect()
        const over = document.elementFromPoint(left + width / 2, top + height / 2)
        return over?.closest('.status, .top')
      }).map(element => element.outerHTML.slice(0, 90))
    })
    assert.deepEqual(covered, [])
  })
})

test('menus are as wide as what they offer, and on the screen', async () => {
  for (const viewport of [{ width: 1440, height: 900 }, { width: 390, height: 844 }, { width: 360, height: 740 }]) {
    await withPage({ context: { viewport } }, async confab => {
      const { page } = confab
      await confab.untilExample()
      for (const opener of [confab.button('Files'), page.locator('.chip-holder button').first()]) {
        await opener.click()
        for (const item of await page.locator('.menu .items button').all()) {
          const { x, width } = await box(item)
          assert(x >= 0 && x + width <= viewport.width, `${await item.innerText()} at ${viewport.width}`)
          assert(await item.evaluate(item => item.scrollWidth <= item.clientWidth), await item.innerText())
        }
        await page.keyboard.press('Escape')
      }
      assert(await page.evaluate(() => document.documentElement.scrollWidth) <= viewport.width)
    })
  }
})

test('at 1024 pixels a lesson leaves room for what it is about', async () => {
  await withPage({ fragment: 'lesson=4', device: null, context: { viewport: { width: 1024, height: 768 } } }, async confab => {
    await confab.page.getByRole('heading', { name: /What heads look for/ }).waitFor()
    assert((await box(confab.page.locator('#panel-circuits'))).width > 400)
    assert(await confab.page.evaluate(() => document.documentElement.scrollWidth) <= 1024)
    // Another link ends the lesson.
    await confab.page.evaluate(() => { location.hash = 'trained=facts&tab=probabilities' })
    await eventually(async () => await confab.page.getByRole('complementary', { name: 'Lesson' }).count() === 0, 'its end')
  })
})

test('a view has an address, and the first look stays', async () => {
  await withPage({ open: false }, async confab => {
    await confab.page.goto(confab.url + '#learn')
    await region(confab, 'Gallery').waitFor()
    assert.equal(await confab.page.getByRole('region', { name: 'First look' }).isVisible(), false)
    await confab.view('Train')
    await confab.page.getByRole('region', { name: 'First look' }).waitFor()
    await confab.untilExample()
    await confab.view('Compare')
    assert.equal(new URL(confab.page.url()).hash, '#compare')
    await confab.page.goBack()
    await confab.page.getByRole('region', { name: 'First look' }).waitFor()
    // An exhibit opens where it is seen.
    await confab.view('Learn')
    await region(confab, 'Gallery').getByRole('link').filter({ hasText: 'Induction heads' }).click()
    await confab.page.getByRole('heading', { name: /What heads look for/ }).waitFor()
  })
})

test('the model’s name tells its step and ablations, and puts them away', async () => {
  await withPage({ fragment: TINY }, async confab => {
    const { page } = confab
    const chip = page.locator('.chip-holder button').first()
    assert.match(await chip.innerText(), /^no model yet/)
    await confab.click('Step')
    await confab.untilStep(1)
    await eventually(async () => /^phone .* #1, step 1\b/.test(await chip.innerText()), 'its name and step')
    await page.getByText('Ablations', { exact: true }).click()
    await page.getByLabel('Part', { exact: true }).fill('L0H0')
    await confab.click('Add ablation')
    await eventually(async () => /, with L0H0 × 0/.test(await chip.innerText()), 'its ablation')
    await confab.model('Remove all ablations')
    await eventually(async () => !/with/.test(await chip.innerText()), 'the whole model')
  })
})

test('the diagram of the model leads to its parts', async () => {
  await withPage({ fragment: TINY + '&model.n_layers=2&model.n_heads=4&model.d_model=16' }, async confab => {
    await confab.click('Step')
    await confab.untilStep(1)
    const model = region(confab, 'Model')
    await model.getByRole('button', { name: 'Head L1H2', exact: true }).click()
    await confab.page.getByRole('heading', { name: 'Pattern of L1H2' }).waitFor()
    await model.getByRole('button', { name: 'L0 MLP' }).click()
    assert.equal(await confab.tab('Interventions').getAttribute('aria-selected'), 'true')
    // Widths are to scale: an MLP is four times as wide as the residual stream.
    const width = async name => (await box(model.getByRole('button', { name, exact: true }))).width
    const ratio = await width('L0 MLP') / await width('Embed')
    assert(Math.abs(ratio - 4) < 0.1, `${ratio}`)
  })
})
