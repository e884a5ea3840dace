// The page without a mouse, with a finger, and in either theme.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { TINY, eventually, withPage } from './harness.mjs'

const AXE = readFileSync(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8')

/** Looks for violations of axe's rules, and names what it looks at. */
async function watch(page) {
  await page.evaluate(AXE)
  const found = []
  const look = async view => {
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
    found.push(...violations.map(({ id, nodes }) => `${view}: ${id} at ${nodes.map(node => node.target).join(', ')}`))
  }
  return { found, look }
}

const answered = page => page.waitForFunction(() => document.querySelector('.hook')?.dataset.answered)

for (const colorScheme of ['light', 'dark']) {
  test(`no view breaks a rule of accessibility, ${colorScheme}`, async () => {
    await withPage({ context: { colorScheme, bypassCSP: true, viewport: { width: 1366, height: 657 } } }, async confab => {
      const { page } = confab
      await answered(page)
      const { found, look } = await watch(page)
      for (const tab of await page.getByRole('tab').all()) {
        await tab.click()
        await page.waitForTimeout(500)
        await look(await tab.innerText())
      }
      await confab.view('Inspect')
      await look('Inspect')
      await confab.view('Learn')
      await confab.click('Files')
      await look('Learn, with the menu of files open')
      await confab.click('Files', 'Keys')
      await look('keys')
      await confab.click('Close')

      await confab.view('Train')
      await confab.click('Step')
      await confab.untilStep(1)
      await page.getByLabel('Learning rate', { exact: true }).fill('0.001')
      await confab.click('Step')
      await page.getByRole('dialog', { name: 'The settings have changed' }).waitFor()
      await look('the question what becomes of weights')
      await confab.click('Cancel')
      await page.getByText('autosaved at step 1').waitFor()
      await confab.view('Compare')
      await look('Compare')
      assert.deepEqual(found, [])
    })
  })

  test(`no panel of a phone breaks a rule of accessibility, ${colorScheme}`, async () => {
    const context = { colorScheme, bypassCSP: true, viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }
    await withPage({ context }, async confab => {
      await answered(confab.page)
      const { found, look } = await watch(confab.page)
      for (const view of ['Answer', 'Loss', 'Attention', 'Settings', 'Learn', 'Compare']) {
        await confab.view(view)
        await look(view)
      }
      assert.deepEqual(found, [])
    })
  })
}

/** Contrast of two colours, as the browser writes them: WCAG 2.2. */
function contrast(...colors) {
  const [dark, light] = colors.map(color => {
    const [r, g, b] = color.match(/[\d.]+/g).slice(0, 3).map(value => value / 255)
      .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }).toSorted((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

for (const colorScheme of ['light', 'dark']) {
  test(`borders of controls and bars stand out, ${colorScheme}`, async () => {
    await withPage({ fragment: TINY + '&tab=probabilities', context: { colorScheme } }, async confab => {
      await confab.click('Step')
      await confab.output('probabilities').locator('i').first().waitFor()
      const style = (locator, name) => locator.evaluate((element, name) => getComputedStyle(element)[name], name)
      const panel = await style(confab.page.locator('.panel').first(), 'backgroundColor')
      const ground = await style(confab.page.locator('html'), 'backgroundColor')
      const border = await style(confab.page.getByRole('textbox', { name: 'Prompt' }), 'borderTopColor')
      for (const around of [panel, ground]) assert(contrast(border, around) >= 3, `${border} on ${around}`)
      const bar = confab.output('probabilities').locator('td.bar').first()
      const [fill, under] = [await style(bar.locator('i'), 'backgroundColor'), await style(bar, 'backgroundColor')]
      assert(contrast(fill, under) >= 3, `${fill} on ${under}`)
    })
  })
}

test('the keyboard reaches every control, past the first look at once, and none lies under a bar', async () => {
  await withPage({ context: { viewport: { width: 1366, height: 657 } } }, async confab => {
    const { page } = confab
    await confab.untilExample()
    await page.getByRole('listbox', { name: 'Prompt tokens' }).waitFor()
    await confab.settings()
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the model')
    await page.keyboard.press('Enter')
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main')
    assert.equal(new URL(page.url()).hash, '')
    const covered = []
    let stops = 0
    for (; stops < 150; stops++) {
      await page.keyboard.press('Tab')
      const stop = await page.evaluate(() => {
        const element = document.activeElement
        if (element === document.body || element.closest('.top, .skip, .status')) return null
        const box = element.getBoundingClientRect()
        const bar = document.querySelector('.status').getBoundingClientRect()
        const isUnder = box.bottom > bar.top + 1 && box.height < 300
        return { name: element.outerHTML.slice(0, 90), isUnder }
      })
      if (!stop) break
      if (stop.isUnder) covered.push(stop.name)
    }
    assert(stops > 40, `${stops} stops`)
    assert.deepEqual(covered, [])
  })
})

test('help opens on focus and on touch, not only on hover', async () => {
  await withPage({ fragment: TINY }, async confab => {
    const { page } = confab
    const tip = page.getByRole('tooltip')
    const steps = page.getByRole('textbox', { name: 'Steps', exact: true })
    await steps.focus()
    await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Tab')
    await eventually(async () => await tip.count() === 1 && (await tip.innerText()).length > 5, 'the help of Steps')
    await page.keyboard.press('Escape')
    assert.equal(await tip.count(), 0)
  })
  await withPage({ context: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true } }, async confab => {
    await confab.view('Settings')
    await confab.page.locator('label').getByText('Steps', { exact: true }).tap()
    await confab.page.getByRole('tooltip').waitFor()
    const { x, y, width, height } = await confab.page.getByRole('tooltip').boundingBox()
    assert(x >= 0 && y >= 0 && x + width <= 390 && y + height <= 844, 'it is on the screen')
  })
})

test('what a finger touches is 44 pixels high', async () => {
  await withPage({ context: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true } }, async confab => {
    const small = await confab.page.evaluate(() => [...document.querySelectorAll('button, select, summary, input:not([hidden], [type=checkbox], [type=radio])')]
      .filter(element => element.checkVisibility() && element.getBoundingClientRect().height < 44)
      .map(element => element.outerHTML.slice(0, 90)))
    assert.deepEqual(small, [])
    const width = await confab.page.evaluate(() => document.documentElement.scrollWidth)
    assert(width <= 390, `the page is ${width} pixels wide`)
  })
})

test('runs of several tasks do not share a chart', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await confab.click('Step')
    await confab.untilStep(1)
    const loss = confab.page.getByRole('region', { name: 'Loss' })
    await loss.getByText(/phone .* #1/).first().waitFor()
    await confab.combobox('Task').selectOption('modular')
    await confab.click('New run', 'Step')
    await loss.getByText(/modular .* #2/).first().waitFor()
    await loss.getByText('for its task or learner is another: 1').waitFor()
    assert.equal(await loss.locator('svg').getByText(/phone/).count(), 0)
  })
})
