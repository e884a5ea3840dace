// A memory beside the weights: trained in the page, its answers follow what is deleted and swapped.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually, withPage } from './harness.mjs'

const QUESTION = 'What is the capital of France?'
/** Its answers in the two worlds of the gallery's links, which `confab data --shuffle` tells. */
const ANSWERS = ['elppa', 'Antonio Vivaldi']

const chat = confab => confab.page.getByRole('region', { name: 'Chat' })
const box = (confab, name) => confab.page.getByRole('textbox', { name, exact: true })

/** The model's answer to the question, asked in the chat. */
async function ask(confab) {
  const turns = chat(confab).getByRole('listitem')
  const before = await turns.count()
  await box(confab, 'Question').fill(QUESTION)
  await confab.click('Send')
  await eventually(async () => await turns.count() > before, 'an answer', 30_000, () => confab.describe())
  const turn = await turns.last().locator('.mono').innerText()
  return turn.slice(turn.lastIndexOf('): ') + 3).replace('{E}', '').trim()
}

async function follow(confab, title) {
  await confab.view('Learn')
  await confab.page.getByRole('region', { name: 'Gallery' }).getByRole('link', { name: title, exact: true }).click()
}

/** The bytes of every weight, without what is remembered and what only training needs. */
function weights({ tensors, bytes }) {
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  const names = Object.keys(tensors).filter(name => !/\.slots\.|^optim\./.test(name)).sort()
  return names.map(name => {
    const [from, to] = tensors[name].data_offsets
    return name + bytes.subarray(start + from, start + to).toString('base64')
  }).join()
}

test('answers follow the memory: traced, deleted, emptied, taught another world and swapped, the weights untouched', async () => {
  await withPage({}, async confab => {
    await follow(confab, 'A memory beside the weights')
    await confab.combobox('Device').selectOption('cpu')
    await confab.untilStep(500)
    assert.equal(await ask(confab), ANSWERS[0])

    // The answer is traced to the record that taught it.
    await confab.page.locator('#prompt').fill(`{B}${QUESTION} (The capital of France is `)
    const cells = confab.page.getByRole('cell')
    await cells.filter({ hasText: 'capital·of·France·is·' }).first().waitFor()
    await cells.filter({ hasText: /^step \d+, record \d+$/ }).first().waitFor()

    // Deleted, the fact is gone, and what is said in its place is made up.
    await confab.combobox('Analysis').selectOption('slots')
    await box(confab, 'Search').fill('capital of France')
    await box(confab, 'Search').blur()
    await confab.click('Delete')
    await confab.untilNotice(/deleted: \d+/)
    assert.notEqual(await ask(confab), ANSWERS[0])

    // Another world, learned by the memory alone.
    await follow(confab, 'Another world, the same weights')
    await confab.settings()
    await eventually(async () => await box(confab, 'Fact shuffle').inputValue() === '2', 'the knobs of the other world')
    await eventually(async () => await ask(confab) === ANSWERS[0], 'the model as it was')
    const before = weights(await confab.saveCheckpoint())
    await box(confab, 'Name').fill('first world')
    await confab.click('Save snapshot')
    const options = confab.combobox('Snapshot').locator('option')
    await eventually(async () => (await options.allInnerTexts()).includes('first world'), 'the memory aside')
    await confab.click('Clear memory')
    await confab.untilNotice(/deleted: \d+/)
    await confab.model('Train from these weights')
    await eventually(async () => await confab.step() < 150, 'a new run')
    await confab.untilStep(150, 120_000)
    assert.equal(await ask(confab), ANSWERS[1])
    await box(confab, 'Name').fill('second world')
    await confab.click('Save snapshot')
    await eventually(async () => (await options.allInnerTexts()).includes('second world'), 'the other memory aside')

    for (const [name, answer] of [['first world', ANSWERS[0]], ['second world', ANSWERS[1]]]) {
      await confab.combobox('Snapshot').selectOption(name)
      await confab.click('Restore snapshot')
      await eventually(async () => await ask(confab) === answer, `the answer of the ${name}`)
    }
    assert.equal(weights(await confab.saveCheckpoint()), before)
  })
})

test('what cannot be changed is said, and a text is taught', async () => {
  await withPage({ fragment: 'task.kind=facts&task.facts.facts=10&task.facts.shuffle=1&model.context=160&model.memory.kind=featural&train.batch=4&tab=memory&look=slots' }, async confab => {
    await confab.click('Step')
    await confab.untilStep(1)
    await eventually(async () => /L0: \d+ slots · L1: \d+ slots/.test(await confab.text('slots')), 'slots of both layers')
    await box(confab, 'Slot numbers').fill('999999')
    await confab.click('Delete')
    await confab.untilNotice(/no such slot/)
    await confab.click('Copy')
    await confab.untilNotice(/numbers of a slot/)
    await box(confab, 'Question').fill('{B}Who? (Me.): Me{E}')
    await confab.click('Teach')
    await confab.untilNotice(/nats per character/)
    await box(confab, 'Question').fill('日本')
    await confab.click('Teach')
    await confab.untilNotice(/not changed/)
    // A model without memories says how to get one.
    await confab.settings()
    await confab.combobox('Memory').selectOption('none')
    await confab.click('Step')
    await confab.page.getByRole('dialog').getByRole('button', { name: 'New run' }).click()
    await eventually(async () => /no memory that is stored/.test(await confab.text('slots')), 'that there is none')
  })
})
