// A training step of the page on one core and on two, and of the terminal's program on as many, in turn. Run by hand,
// after ./dev build and cargo build --release:
//
//   node tests/browser/cores.mjs
//
// Prints, for each size and shape, the median of the turns, with the least and the most.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { CONFAB, eventually, pause, withPage } from './harness.mjs'

const TURNS = 3
const SIZES = ['1.7k', '30k', '207k']
const SLOW = 600_000
/** Time in which helpers have started. */
const STARTING = 3000

/** Seconds of a step by size and shape, in the page with so many cores. */
async function page(cores) {
  let rows
  await withPage({ open: false }, async confab => {
    const { page } = confab
    await page.goto(confab.url + '?bench')
    await confab.setDevice('cpu')
    await confab.combobox('Cores').selectOption(cores)
    for (const name of SIZES) await page.getByRole('checkbox', { name }).check()
    await pause(STARTING)
    await confab.click('Run benchmark')
    await eventually(async () => await confab.button('Run benchmark').isEnabled(), 'the rows', SLOW, () => confab.text('bench-progress'))
    const [download] = await Promise.all([page.waitForEvent('download'), confab.click('Save as JSON')])
    rows = JSON.parse(readFileSync(await download.path(), 'utf8'))
  })
  return times(rows)
}

function terminal() {
  const options = ['bench', '--preset', SIZES.join(), '--device', 'cpu', '--python', '', '--json']
  return times(JSON.parse(execFileSync(CONFAB, options, { stdio: ['ignore', 'pipe', 'ignore'] })))
}

const times = rows => Object.fromEntries(rows.map(({ size, shape, time }) => [`${size} ${shape.batch} × ${shape.seq}`, time.step]))

const turns = []
for (let turn = 0; turn < TURNS; turn++) turns.push({ one: await page('1'), two: await page('2'), terminal: terminal() })
const spread = ratios => {
  const [least, middle, most] = [0, ratios.length >> 1, ratios.length - 1].map(at => ratios.sort((a, b) => a - b)[at].toFixed(2))
  return `${middle} (${least} to ${most})`
}
console.log('size and shape | two cores against one | one core against the terminal | two cores against the terminal')
for (const shape of Object.keys(turns[0].one)) {
  const ratios = (of, against) => spread(turns.map(turn => turn[against][shape] / turn[of][shape]))
  console.log([shape, ratios('two', 'one'), ratios('one', 'terminal'), ratios('two', 'terminal')].join(' | '))
}
