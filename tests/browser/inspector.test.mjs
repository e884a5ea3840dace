// What the model computes, as the page shows it; and whether everyone can reach it.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
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

const pattern = (confab, head) => confab.page.getByRole('application', { name: new RegExp(`^Pattern of ${head}`) })
const view = (confab, name) => confab.combobox('View').selectOption(name)

/** What the text view tells of the chosen token: a weight for each that it reads, or that reads it. */
async function weights(confab) {
  const tokens = confab.page.getByRole('application', { name: /^Tokens/ }).locator('[data-at]')
  const titles = await tokens.evaluateAll(tokens => tokens.map(token => token.title))
  return titles.filter(title => title !== '').map(Number)
}

test('attention rows sum to 1, over the characters so far', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab, PROMPT)
    await view(confab, 'From this token')
    const tokens = confab.page.getByRole('application', { name: /^Tokens/ })
    for (const head of ['L0H0', 'L0H1', 'L1H0', 'L1H1']) {
      await confab.button(head).click()
      await confab.page.getByRole('heading', { name: `Pattern of ${head}` }).waitFor()
      await tokens.locator('[data-at="0"]').click()
      for (let query = 0; query < PROMPT.length; query++) {
        await confab.page.getByText(new RegExp(`at ${query} reads`)).waitFor()
        const read = await weights(confab)
        assert.equal(read.length, query + 1, `${head}, query ${query}`)
        assert(read.every(weight => weight >= 0 && weight <= 1), `${head}, query ${query}: ${read}`)
        assert(Math.abs(sum(read) - 1) < 1e-4 * (query + 1), `${head}, query ${query} sums to ${sum(read)}`)
        await tokens.press('ArrowRight')
      }
      await tokens.locator('[data-at="0"]').click() // lets it go
    }
    await view(confab, 'To this token')
    await tokens.locator('[data-at="3"]').click()
    await confab.page.getByText(/at 3 is read by/).waitFor()
    assert.equal((await weights(confab)).length, PROMPT.length - 3, 'it is read from its own place on')
  })
})

test('hovering a cell shows its query and key by their characters', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab, PROMPT)
    const matrix = pattern(confab, 'L0H0')
    const side = (await matrix.boundingBox()).width / PROMPT.length
    const [query, key] = [PROMPT.indexOf('M'), PROMPT.indexOf('d')]
    await matrix.hover({ position: { x: (key + 0.5) * side, y: (query + 0.5) * side } })
    await confab.page.getByText(new RegExp(`^query ${query} “M”, key ${key} “d”: 0\\.\\d{4}`)).waitFor()
  })
})

test('a pattern is shown as lines, chosen with the keyboard alone, and saved as a picture', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab, PROMPT)
    await confab.combobox('View').focus()
    await confab.page.keyboard.press('ArrowDown')
    const lines = confab.page.getByRole('application', { name: /^Pattern of L0H0, as lines/ })
    await lines.focus()
    for (let row = 0; row < 5; row++) await lines.press('ArrowDown')
    await confab.page.getByText(/^“A” at 4 reads “.” at \d 0\.\d{3},/).waitFor()
    for (const [format, type] of [['SVG', /^<svg/], ['PNG', /^.PNG/]]) {
      const { name, bytes } = await confab.saveFigure(format, confab.page.getByRole('figure'))
      assert.match(name, new RegExp(`^phone-\\d+-attention-l0h0\\.${format.toLowerCase()}$`))
      assert.match(bytes.toString('latin1', 0, 8), type)
    }
  })
})

/** Shape and numbers of an NPY file of 32-bit floats. */
function readNpy(bytes) {
  assert.equal(bytes.toString('latin1', 0, 8), '\x93NUMPY\x01\x00')
  const start = 10 + bytes.readUInt16LE(8)
  const [, rows, columns] = /'descr': '<f4', 'fortran_order': False, 'shape': \((\d+), (\d+)\)/.exec(bytes.toString('latin1', 10, start))
  const numbers = Array.from({ length: (bytes.length - start) / 4 }, (_, index) => bytes.readFloatLE(start + 4 * index))
  return { shape: [Number(rows), Number(columns)], numbers }
}

test('the numbers of a pattern are saved, the same in each format and in the trace', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab, PROMPT)
    const step = await confab.step()
    await confab.button('L1H1').click()
    const figure = confab.page.getByRole('figure')
    const save = format => confab.saveFigure(format, figure)
    let csv
    await eventually(async () => {
      csv = await save('CSV')
      return csv.name === `phone-${step}-attention-l1h1.csv`
    }, 'the pattern of the last step')
    const lines = csv.bytes.toString().trimEnd().split('\r\n').map(line => line.split(','))
    const cells = lines.slice(1).flatMap(line => line.slice(1)).map(field => field === '' ? null : Math.fround(Number(field)))
    const json = JSON.parse((await save('JSON')).bytes.toString())
    assert.deepEqual(json.values.flat().map(value => value === null ? null : Math.fround(value)), cells)
    assert.deepEqual(json.rows.labels, lines.slice(1).map(line => line[0]))
    const npy = await save('NPY')
    assert.equal(npy.name, `phone-${step}-attention-l1h1.npy`)
    const { shape, numbers: saved } = readNpy(npy.bytes)
    assert.deepEqual(shape, [PROMPT.length, PROMPT.length])
    assert.deepEqual(saved.map(number => Number.isNaN(number) ? null : number), cells)

    await view(confab, 'From this token')
    await confab.page.getByRole('application', { name: /^Tokens/ }).locator('[data-at="5"]').click()
    await confab.page.getByText(/at 5 reads/).waitFor()
    const shown = await weights(confab)
    assert.equal(shown.length, 6)
    shown.forEach((weight, key) => assert(Math.abs(weight - json.values[5][key]) < 1e-3, `${weight} of ${json.values[5]}`))

    const download = confab.page.waitForEvent('download')
    await confab.click('Export trace')
    assert.equal((await download).suggestedFilename(), `phone-${step}-trace.json`)
    const trace = JSON.parse(readFileSync(await (await download).path(), 'utf8'))
    assert.equal(trace.tokens.join(''), PROMPT)
    assert.deepEqual([trace.step, trace.less, trace.temperature, trace.ablations], [step, null, 1, []])
    assert.deepEqual(trace.attention.map(layer => layer.length), [2, 2])
    trace.attention[1][1].flat().forEach((weight, at) => assert.equal(Math.fround(weight), cells[at] ?? 0))
    assert.equal(trace.token_log_probabilities.length, PROMPT.length)
    assert(trace.token_log_probabilities.slice(1).every(number => number <= 0))
    assert.equal(trace.after.length, PROMPT.length)
    for (const { alternatives } of trace.after) {
      assert(sum(alternatives.map(alternative => Math.exp(alternative.log_probability))) < 1 + 1e-4)
      const [first, second] = alternatives
      const difference = first.logit - second.logit
      assert(Math.abs(first.log_probability - second.log_probability - difference) < 1e-3)
    }
  })
})

test('the menu of a figure closes, and copies a link', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab, PROMPT)
    const loss = confab.page.getByRole('region', { name: 'Loss' })
    const opener = loss.getByRole('button', { name: 'Save', exact: true }).first()
    const list = loss.getByRole('group', { name: 'Save' })
    await opener.press('Enter')
    assert.deepEqual(await list.getByRole('button').allInnerTexts(), ['PNG', 'SVG', 'CSV', 'JSON', 'NPY', 'Copy link'])
    await list.getByRole('button', { name: 'CSV' }).press('Escape')
    await list.waitFor({ state: 'detached' })
    assert(await opener.evaluate(button => button === document.activeElement), 'the focus is on the menu')
    await opener.click()
    await confab.page.getByRole('heading', { name: 'Loss', exact: true }).click()
    await list.waitFor({ state: 'detached' })
    await opener.click()
    await list.getByRole('button', { name: 'Copy link' }).click()
    await list.waitFor({ state: 'detached' })
    await confab.untilNotice(/Link copied/)

    const { name, bytes } = await confab.saveFigure('CSV', loss)
    const step = await confab.step()
    assert.equal(name, `phone-${step}-loss.csv`)
    const lines = bytes.toString().split('\r\n')
    assert.equal(lines[0], 'series,x,y,label')
    const last = lines.findLast(line => line.includes(', training"'))
    assert(last.includes(`,${step},`), last)
    assert(Math.abs(Number(last.split(',').at(-2)) - await confab.loss()) < 1e-3, last)
    assert(lines.some(line => line.startsWith('best possible,0,')))
  })
})

test('a long prompt is shown whole, on a few canvases', async () => {
  const text = 'abcdefghijklmnopqrstuvwxyz '.repeat(20).slice(0, 512)
  const fragment = `task.kind=text&task.text.text=${encodeURIComponent(text)}&model.context=512&train.batch=1&train.val_batches=1`
  await withPage({ fragment }, async confab => {
    await confab.page.getByRole('textbox', { name: 'Prompt' }).fill(text)
    await confab.click('Step')
    await confab.untilStep(1, 60_000)
    const matrix = pattern(confab, 'L0H0')
    await eventually(async () => Number(await matrix.getAttribute('width')) === 512, 'a pixel a cell')
    await matrix.focus()
    await matrix.press('End')
    await confab.page.getByText(/^query 511 “/).waitFor()
    const nodes = await confab.page.getByRole('tabpanel', { name: 'Attention' }).locator('*').count()
    assert(nodes < 200, `${nodes} nodes`)
  })
})

test('the inspected prompt is traced anew while training', async () => {
  await withPage({ fragment: TINY + '&train.steps=100000' }, async confab => {
    await confab.page.getByRole('textbox', { name: 'Prompt' }).fill(PROMPT)
    await confab.click('Train')
    await view(confab, 'From this token')
    const read = async () => (await weights(confab)).join()
    await eventually(async () => await read() !== '', 'a first trace')
    const first = await read()
    await eventually(async () => await read() !== first, 'another trace')
    assert(await confab.button('Pause').isEnabled(), 'it is still training')
  })
})

test('earlier steps are looked at, and held against others', async () => {
  await withPage({ fragment: TINY + '&train.steps=128' }, async confab => {
    await confab.page.getByRole('textbox', { name: 'Prompt' }).fill(PROMPT)
    await confab.click('Train')
    await confab.untilStep(128)
    await view(confab, 'From this token')
    const newest = (await weights(confab)).join()
    const slider = confab.page.getByRole('slider', { name: 'Checkpoint' })
    await slider.focus()
    await slider.press('Home')
    await eventually(async () => await confab.text('visited') === 'step 0', 'the first step')
    await eventually(async () => (await weights(confab)).join() !== newest, 'what it read then')
    const first = await weights(confab)
    await slider.press('ArrowRight')
    await eventually(async () => await confab.text('visited') === 'step 2', 'the next that was kept')
    await confab.combobox('Compare with').selectOption('step 0')
    await confab.page.getByText(/less what it reads in step 0/).waitFor()
    assert(Math.abs(sum(await weights(confab))) < 1e-3, 'differences of rows sum to 0')
    await slider.press('End')
    await confab.combobox('Compare with').selectOption('nothing')
    await eventually(async () => (await weights(confab)).join() === newest, 'the newest step again')
    assert.equal(first.length, PROMPT.length)

    // Any analysis too, and another run.
    await confab.tab('Circuits').click()
    await confab.combobox('Compare with').selectOption('step 0')
    await eventually(async () => /^step 128, compared with step 0$/.test(await confab.text('look-step')), 'both steps')
    await confab.page.getByRole('heading', { name: /· less step 0$/ }).waitFor()
    await confab.click('New run')
    await confab.click('Step')
    await confab.untilStep(1)
    await confab.combobox('Compare with').selectOption({ index: 1 })
    await confab.page.getByRole('heading', { name: /· less an earlier run, at step 128/ }).waitFor()
    await confab.tab('Attention').click()
    await view(confab, 'From this token')
    await confab.page.getByText(/less what it reads in an earlier run, at step 128/).waitFor()
    assert(Math.abs(sum(await weights(confab))) < 1e-3, 'differences of rows sum to 0')
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
    assert.equal(await average.locator('tbody td').count(), parts * parts)
  })
})

test('probabilities are ordered, and no more than one', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab, PROMPT)
    await confab.tab('Probabilities').click()
    const table = confab.output('probabilities')
    const given = confab.page.getByRole('listbox', { name: 'Prompt tokens' }).getByRole('option')
    assert.equal(await given.count(), PROMPT.length)
    for (const character of await given.all()) {
      await character.click()
      const shares = await numbers(table.locator('td.bar .number'))
      const logits = await numbers(table.locator('td.logit'))
      assert(shares.length > 1)
      assert.deepEqual(logits, logits.toSorted((a, b) => b - a))
      assert(sum(shares) <= 100.6, `${sum(shares)} % in all`)
    }
  })
})

test('probabilities are at temperature 1, beside those of a sample at its own', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await openTrained(confab, PROMPT)
    await confab.tab('Probabilities').click()
    const table = confab.output('probabilities')
    const shares = () => numbers(table.locator('td.bar .number'))
    const drawn = () => numbers(table.locator('td.drawn-at'))
    const slider = confab.page.getByRole('slider', { name: 'Temperature' })
    await slider.fill('1')
    await table.getByRole('columnheader', { name: 'Drawn at 1', exact: true }).waitFor()
    await table.getByRole('columnheader', { name: 'Probability at temperature 1' }).waitFor()
    const plain = await shares()
    const logits = await numbers(table.locator('td.logit'))
    await eventually(async () => (await drawn()).join() === plain.join(), 'the same at temperature 1')
    await slider.fill('0.2')
    await eventually(async () => (await drawn())[0] > plain[0] + 1, 'a surer sample')
    await table.getByRole('columnheader', { name: 'Drawn at 0.2' }).waitFor()
    // softmax(logits / T)
    const [a, b] = await drawn()
    assert(Math.abs(Math.log(a / b) - (logits[0] - logits[1]) / 0.2) < 0.1, `${a} and ${b} from ${logits}`)
    assert.deepEqual(await shares(), plain)
    await slider.fill('0')
    await eventually(async () => (await drawn()).join() === [100, ...plain.slice(1).map(() => 0)].join(), 'the likeliest alone')
    assert.match(await confab.text('drawing'), /^Entropy \d\.\d{3} nats at temperature 1\. At temperature 0, seed \d+ draws “/)
    const chips = confab.page.getByRole('listbox', { name: 'Prompt tokens' }).getByRole('option')
    const shade = async () => (await chips.evaluateAll(all => all.map(chip => chip.style.getPropertyValue('--doubt')))).join()
    const surprise = await shade()
    await confab.combobox('Colour by').selectOption('entropy')
    await eventually(async () => await shade() !== surprise, 'other shades')

    // A sample keeps the temperature that it was drawn at.
    await slider.fill('0.5')
    await confab.click('Generate')
    await confab.page.getByRole('listbox', { name: 'Output tokens' }).getByRole('option').nth(2).click()
    await slider.fill('2')
    await table.getByRole('columnheader', { name: 'Drawn at 0.5' }).waitFor()
  })
})

test('an ablation reaches samples, probabilities and attention, which say so', async () => {
  await withPage({ fragment: TINY }, async confab => {
    const { page } = confab
    await openTrained(confab, PROMPT)
    await confab.tab('Probabilities').click()
    const shares = async () => (await numbers(confab.output('probabilities').locator('td.bar .number'))).join()
    await eventually(async () => await shares() !== '', 'what is expected')
    // The last trace may be of a step before the last. Steps that are kept have their numbers in a list, too.
    const step = new RegExp(`^step ${await confab.step()}$`)
    await page.getByRole('region', { name: 'Inspector' }).locator('.hint').filter({ hasText: step }).waitFor()
    const before = await shares()
    // What the first layer reads does not depend on what it writes.
    const attended = async () => {
      await confab.tab('Attention').click()
      await confab.button('L1H1').click()
      await page.getByRole('heading', { name: 'Pattern of L1H1' }).waitFor()
      await view(confab, 'From this token')
      return (await weights(confab)).join()
    }
    const unchanged = await attended()
    await page.getByText('Ablations', { exact: true }).click()
    await page.getByRole('textbox', { name: 'Part' }).fill('L0H0')
    await page.getByRole('textbox', { name: 'Scale by' }).fill('-50')
    await confab.click('Add ablation')
    await confab.button('Remove L0H0 × -50').waitFor()
    await page.getByText(/^step \d+ · with L0H0 × -50$/).waitFor()
    await eventually(async () => await attended() !== unchanged, 'another attention')
    await confab.tab('Probabilities').click()
    await eventually(async () => await shares() !== before, 'other predictions')
    await confab.click('Generate')
    await page.getByText(/^Written by the newest step, with L0H0 × -50\./).waitFor()
    await confab.click('Remove L0H0 × -50')
    await page.getByRole('listbox', { name: 'Prompt tokens' }).getByRole('option').last().click()
    await eventually(async () => await shares() === before, 'the model as it is')
    await eventually(async () => await attended() === unchanged, 'its attention')
  })
})

test('a greedy sample is the same each time, a warm one is the seed\'s', async () => {
  await withPage({ fragment: TINY }, async confab => {
    const { page } = confab
    await openTrained(confab, PROMPT)
    const sample = async (temperature, seed) => {
      await page.getByLabel('Temperature').fill(temperature)
      await page.getByLabel('Seed for samples').fill(seed)
      await confab.click('Generate')
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

test('every head is in sight, a row a layer, and its picture is not smoothed', async () => {
  const many = TINY + '&model.n_layers=16&model.n_heads=16&model.d_model=32'
  await withPage({ fragment: many, context: { viewport: { width: 1366, height: 657 } } }, async confab => {
    await confab.click('Step')
    const group = confab.page.getByRole('group', { name: 'Small multiples' })
    await group.waitFor()
    const tiles = group.getByRole('button')
    assert.equal(await tiles.count(), 256)
    const boxes = await tiles.evaluateAll(tiles => tiles.map(tile => tile.getBoundingClientRect().toJSON()))
    const { left, right } = await confab.page.getByRole('region', { name: 'Inspector' })
      .evaluate(panel => panel.getBoundingClientRect().toJSON())
    for (const [at, box] of boxes.entries()) {
      assert(box.left >= left && box.right <= right && box.width >= 20, `tile ${at}: ${JSON.stringify(box)}`)
      assert.equal(box.top, boxes[at - at % 16].top, `tile ${at} stands in its layer's row`)
    }
    assert(boxes.at(-1).bottom - boxes[0].top <= 657, 'all fit on one screen')
    assert.equal(await group.evaluate(group => group.scrollWidth - group.clientWidth), 0)
    const rendering = canvas => getComputedStyle(canvas).imageRendering
    assert.equal(await group.locator('canvas').first().evaluate(rendering), 'pixelated')
  })
})
