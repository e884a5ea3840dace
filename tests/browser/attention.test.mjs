// The patterns of all heads, one of them large, and what the model is without it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TINY, eventually, withPage } from './harness.mjs'

const PROMPT = '{B}\nAda Moss: 212-555-0147\nBen Ruiz: 313-555-0188\nAda Moss: 212'

async function openTraced(confab, prompt = PROMPT) {
  await confab.page.getByRole('textbox', { name: 'Prompt' }).fill(prompt)
  await confab.click('Step')
  await confab.untilStep(1)
  await confab.page.getByRole('heading', { name: /^Pattern of L0H0/ }).waitFor()
}

const tiles = confab => confab.page.getByRole('group', { name: 'Small multiples' })

test('a token chosen in the prompt is what every view explains, until another prompt comes', async () => {
  await withPage({ fragment: TINY }, async confab => {
    const { page } = confab
    await openTraced(confab)
    const strip = page.getByRole('listbox', { name: 'Prompt tokens' })
    const chosen = strip.getByRole('option', { selected: true })
    assert.equal(await chosen.innerText(), 'next', 'what comes next, at first')
    // The 5 of 555 is predicted after the hyphen before it.
    const at = PROMPT.indexOf('555') - 1
    await strip.getByRole('option').nth(at).click()
    assert.match(await chosen.innerText(), /^5/)
    await page.getByText(`“5” is predicted at position ${at}, after “-”.`).waitFor()
    const matrix = page.getByRole('application', { name: /^Pattern of L0H0/ })
    await page.getByText(new RegExp(`^query ${at} “-”, key`)).waitFor()
    await confab.combobox('View').selectOption('Lines')
    await page.getByText(new RegExp(`^“-” at ${at} reads `)).waitFor()
    await confab.combobox('View').selectOption('From this token')
    await page.getByText(new RegExp(`^“-” at ${at} reads `)).waitFor()
    await confab.combobox('View').selectOption('To this token')
    await page.getByText(new RegExp(`^“-” at ${at} is read by `)).waitFor()
    await confab.tab('Probabilities').click()
    await page.getByRole('heading', { name: `Prompt character ${at + 2}: “5”` }).waitFor()
    await confab.tab('Logit lens').click()
    await confab.combobox('Analysis').selectOption('attribution')
    await page.getByText(`“5” against the mean, after “-” at ${at}`).first().waitFor()
    // The arrow keys move it, and so does a click into a figure of positions.
    await strip.focus()
    await strip.press('ArrowRight')
    await page.getByText(`“5” is predicted at position ${at + 1}, after “5”.`).waitFor()
    await page.getByText(`“5” against the mean, after “5” at ${at + 1}`).first().waitFor()
    await confab.combobox('Analysis').selectOption('lens')
    await page.getByText(new RegExp(`^output, position ${at + 1} “5”: `)).first().waitFor()
    await strip.press('End')
    const lens = page.getByRole('application', { name: /^The likeliest next/ })
    await eventually(() => lens.evaluate(cells => cells.closest('.matrix-frame').scrollLeft > 0), 'the last position')
    await strip.press('Home')
    await eventually(() => lens.evaluate(cells => cells.closest('.matrix-frame').scrollLeft === 0), 'the first position')
    await confab.tab('Attention').click()
    await confab.combobox('View').selectOption('Matrix')
    await matrix.press('Home')
    await matrix.press('Enter')
    await page.getByText('“B” is predicted at position 0, after “{”.').waitFor()
    assert.equal(await chosen.innerText(), 'B')
    await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill('{B}\nAda')
    await page.getByText('What comes next is predicted at position 6, after “a”.').waitFor()
  })
})

test('the link of a figure opens the same head at the same token', async () => {
  await withPage({ fragment: TINY }, async confab => {
    const { page } = confab
    await openTraced(confab)
    await confab.button('L1H1').click()
    await page.getByRole('listbox', { name: 'Prompt tokens' }).getByRole('option').nth(5).click()
    const figure = page.getByRole('figure')
    await figure.getByRole('button', { name: 'Save', exact: true }).click()
    await figure.getByRole('button', { name: 'Copy link' }).click()
    await confab.untilNotice(/Link copied/)
    const link = await page.evaluate(() => navigator.clipboard.readText())
    assert.match(link, /&position=5&layer=1&head=1/)
    await confab.open(link.split('#')[1])
    await confab.click('Step')
    await confab.untilStep(1)
    await page.getByRole('heading', { name: 'Pattern of L1H1' }).waitFor()
    await page.getByText(`“${PROMPT[6]}” is predicted at position 5, after “${PROMPT[5]}”.`).waitFor()
  })
})

test('a prompt that cannot be read has no attention', async () => {
  await withPage({ fragment: TINY }, async confab => {
    const { page } = confab
    await openTraced(confab)
    await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill('{B}\n🫖')
    await confab.untilNotice(/never seen “🫖”/)
    await page.getByText(/^Type a prompt of characters that this model knows/).waitFor()
    assert.equal(await tiles(confab).count(), 0)
    assert.equal(await page.getByRole('listbox', { name: 'Prompt tokens' }).isVisible(), false)
  })
})

test('a matrix is fitted, scrolls at 100 %, and fills the screen until Escape', async () => {
  await withPage({ fragment: TINY }, async confab => {
    const { page } = confab
    await openTraced(confab)
    const matrix = page.getByRole('application', { name: /^Pattern of L0H0/ })
    const frame = matrix.locator('xpath=ancestor::*[contains(@class, "matrix-frame")]').first()
    const hidden = () => frame.evaluate(box => [box.scrollWidth - box.clientWidth, box.scrollHeight - box.clientHeight])
    await page.getByRole('img', { name: 'Colour scale' }).waitFor()
    await eventually(async () => (await matrix.boundingBox()).width > 100, 'the matrix')
    assert.deepEqual(await hidden(), [0, 0], 'all of it is in sight')
    const fitted = (await matrix.boundingBox()).width

    await confab.click('100 %')
    await eventually(async () => Math.abs((await matrix.boundingBox()).width - 18 * PROMPT.length) < 1, 'cells of 18 pixels')
    assert((await hidden())[1] > 0, 'there is more below')
    await matrix.focus()
    await matrix.press('End')
    await eventually(() => frame.evaluate(box => box.scrollTop > 0), 'the last row')
    await confab.click('Fit')
    await eventually(async () => Math.abs((await matrix.boundingBox()).width - fitted) < 1, 'the whole again')

    // With the screen, and where the browser keeps it to itself.
    for (const refuses of [false, true]) {
      if (refuses) await page.evaluate(() => { Element.prototype.requestFullscreen = () => Promise.reject(new Error('no')) })
      const opener = confab.button('Full screen')
      await opener.press('Enter')
      const dialog = page.getByRole('dialog', { name: 'Pattern of L0H0' })
      await eventually(async () => await page.evaluate(() => Boolean(document.fullscreenElement)) !== refuses, 'the screen')
      const large = dialog.getByRole('application')
      await eventually(async () => (await large.boundingBox()).width > fitted + 20, 'a larger matrix')
      await large.press('ArrowDown')
      await dialog.getByText(/^query \d+ “/).waitFor()
      await page.keyboard.press('Escape')
      await dialog.waitFor({ state: 'detached' })
      assert(await opener.evaluate(button => button === document.activeElement), 'the focus is where it was')
      assert(!await page.evaluate(() => document.fullscreenElement))
    }
  })
})

test('a wide model has a canvas a layer, and every head has a name and can be chosen', async () => {
  const wide = '&model.n_layers=12&model.n_heads=64&model.d_model=64&train.batch=1'
  await withPage({ fragment: TINY + wide }, async confab => {
    const { page } = confab
    await openTraced(confab, 'Ada Moss: 212')
    const panel = page.getByRole('tabpanel', { name: 'Attention' })
    assert.equal(await tiles(confab).getByRole('button').count(), 12 * 64)
    assert((await page.locator('canvas').count()) <= 12 + 3, 'a canvas a layer, and those of the matrix')
    await eventually(async () => await tiles(confab).locator('canvas').last().evaluate(canvas => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
      return canvas.width / canvas.height === 64 && data.some(part => part > 0)
    }), 'patterns of the last layer')
    await confab.button('L11H63').click()
    await page.getByRole('heading', { name: 'Pattern of L11H63' }).waitFor()
    await confab.button('L11H63').press('ArrowUp')
    await page.keyboard.press('ArrowLeft')
    await page.getByRole('heading', { name: 'Pattern of L10H62' }).waitFor()
    assert.equal(await page.evaluate(() => document.activeElement.ariaLabel), 'L10H62')
    await page.keyboard.press('Tab')
    assert(!await tiles(confab).evaluate(group => group.contains(document.activeElement)), 'one stop for all heads')

    await confab.click('Average over 200 records')
    const ranking = panel.getByRole('group', { name: 'Heads by divergence' })
    await panel.getByText('The first 64 of 768 heads.').waitFor()
    assert.equal(await ranking.getByRole('button').count(), 64)
    await panel.getByLabel('Most specialised first').uncheck()
    await panel.getByText('Layer by layer: the heads of layer 10.').waitFor()
    assert.equal(await ranking.getByRole('button', { name: /^L10H/ }).count(), 64)
  })
})

test('a head is ablated where it is seen, with the text before and after, and taken back', async () => {
  await withPage({}, async confab => {
    const { page } = confab
    await confab.untilExample()
    await confab.view('Inspect')
    const chip = page.locator('.chip-holder button').first()
    await confab.button('L0H1').click()
    await confab.button('Ablate L0H1').press('Enter')
    const shown = page.getByRole('region', { name: 'Before and after' })
    await shown.getByRole('heading', { name: /with 1 intervention$/ }).waitFor()
    await eventually(async () => /, with L0H1 × 0/.test(await chip.innerText()), 'its name on the model')
    const text = name => shown.getByRole('group', { name, exact: true }).locator('b').allInnerTexts()
    const [before, after] = [await text('Before'), await text('After')]
    assert.equal(before.length, 2)
    before.forEach((said, at) => assert.notEqual(said, after[at]))
    await confab.button('Undo ablating L0H1').press('Enter')
    await shown.waitFor({ state: 'detached' })
    await confab.button('Ablate L0H1').waitFor()
    await eventually(async () => !/with/.test(await chip.innerText()), 'the whole model')
  })
})
