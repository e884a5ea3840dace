// The lessons: each is done from beginning to end, as it says.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually, withPage } from './harness.mjs'

const lesson = confab => confab.page.getByRole('complementary', { name: 'Lesson' })
const predict = (confab, choice) => lesson(confab).getByRole('radio', { name: choice, exact: true }).check()

/** Goes on once what the step asks for has happened. */
async function next(confab, button = 'Next', timeout = 60_000) {
  const go = lesson(confab).getByRole('button', { name: button, exact: true })
  await eventually(() => go.isEnabled(), `${button} after “${await lesson(confab).locator('p').first().innerText()}”`, timeout,
    async () => `${await lesson(confab).getByRole('application').locator('p').allInnerTexts()} ${await confab.describe()}`)
  await go.click()
}

/** Opens a lesson and does it; at its end the lessons are shown. */
async function take(number, steps) {
  await withPage({ open: false }, async confab => {
    await confab.open(`lesson=${number}`, null)
    await lesson(confab).getByText('1 of ').waitFor()
    // What it points at is there, in every step.
    const isPointed = async () => await confab.page.locator('.pointed-at').count() === 1
    await eventually(isPointed, 'what the first step points at')
    await steps(confab)
    await next(confab, 'Finish')
    await confab.page.getByRole('region', { name: 'Lessons' }).waitFor()
    assert.equal(await confab.page.locator('.pointed-at').count(), 0)
  })
}

test('1 Copying', async () => {
  await take(1, async confab => {
    await confab.page.getByText(/^“.*0 of 12 are right|1 of 12 are right|2 of 12 are right/).waitFor()
    const go = lesson(confab).getByRole('button', { name: 'Next', exact: true })
    assert.equal(await go.isEnabled(), false, 'a prediction comes first')
    await predict(confab, 'About half')
    await lesson(confab).getByText(/^No: next to nothing\./).waitFor()
    await predict(confab, 'Next to nothing')
    await lesson(confab).getByText(/^Yes\./).waitFor()
    await next(confab)
    await confab.click('Train')
    await next(confab)
    await predict(confab, 'The hyphens')
    await next(confab, 'Next', 120_000)
    await next(confab, 'Next', 300_000)
    await lesson(confab).getByRole('application').focus()
    await confab.page.keyboard.press('ArrowRight')
    await lesson(confab).getByText(/Head L\dH\d reads “.”/).waitFor()
    await predict(confab, 'The same digit in the list')
  })
})

test('2 Making things up', async () => {
  await take(2, async confab => {
    await predict(confab, 'Something that looks like an answer')
    await next(confab)
    const probe = confab.combobox('Probe')
    await probe.selectOption({ index: 2 })
    await next(confab)
    await predict(confab, 'In how unsure the model was')
    await next(confab)
    await confab.page.getByRole('slider', { name: 'Temperature' }).fill('0')
    await confab.click('Generate')
  })
})

test('3 What cannot be known', async () => {
  await take(3, async confab => {
    await predict(confab, 'About one')
    await next(confab)
    await next(confab)
    await confab.click('Evaluate')
    await next(confab)
    await predict(confab, 'What could be known at all?')
  })
})

test('4 Induction heads', async () => {
  await take(4, async confab => {
    await predict(confab, 'No')
    await next(confab)
    await confab.page.getByRole('heading', { name: /What heads look for/ }).waitFor()
    await next(confab)
    await predict(confab, 'Most of it becomes wrong')
    await confab.page.getByText('Ablations', { exact: true }).click()
    await confab.page.getByLabel('Part', { exact: true }).fill('L0H0')
    await confab.click('Add ablation')
    await next(confab)
    await next(confab)
    await confab.click('Remove L0H0 × 0')
  })
})

test('5 Grokking', async () => {
  await take(5, async confab => {
    await predict(confab, 'The sums it is shown')
    await next(confab)
    await confab.click('Train')
    await next(confab, 'Next', 200_000)
    await predict(confab, 'The held-out loss falls too')
    await next(confab)
    const go = lesson(confab).getByRole('button', { name: 'Finish', exact: true })
    await eventually(() => go.isEnabled(), 'grokking', 400_000, () => confab.describe())
  })
})

test('6 A memory that is swapped', async () => {
  await take(6, async confab => {
    await predict(confab, 'In the slots')
    await next(confab)
    await confab.click('Save snapshot')
    await next(confab)
    await predict(confab, 'Something that looks like an answer')
    await confab.click('Clear memory')
    await next(confab)
    await confab.model('Train from these weights')
    await next(confab, 'Next', 120_000)
    await confab.combobox('Snapshot').selectOption('memory')
    await confab.click('Restore snapshot')
  })
})

test('a lesson that is not there is said, and one is left', async () => {
  await withPage({ fragment: 'lesson=99', device: null }, async confab => {
    await confab.untilNotice(/no such lesson: they are numbered 1 to 6/)
    await confab.view('Learn')
    await confab.page.getByRole('button', { name: /^3\. What cannot be known/ }).click()
    await lesson(confab).getByText('1 of 4').waitFor()
    await confab.click('Leave')
    await confab.page.getByRole('region', { name: 'Lessons' }).waitFor()
  })
})
