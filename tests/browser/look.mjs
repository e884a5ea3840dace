// Pictures of the page, to look at: node tests/browser/look.mjs <folder>

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { withPage } from './harness.mjs'

const [folder] = process.argv.slice(2)
if (!folder) {
  console.error('usage: node tests/browser/look.mjs <folder>')
  process.exit(2)
}
mkdirSync(folder, { recursive: true })

for (const [width, height] of [[1440, 1000], [1366, 657], [1024, 768], [390, 844]]) {
  for (const colorScheme of ['light', 'dark']) {
    const context = { viewport: { width, height }, colorScheme }
    await withPage({ context, errors: /./ }, async confab => {
      const picture = name => confab.page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}.png`), fullPage: true })
      await confab.page.waitForTimeout(3000)
      await picture('opened')
      await confab.view('Learn')
      await picture('gallery')
      await confab.view('Learn')
      await confab.click('Train')
      await confab.untilStep(50)
      await confab.click('Generate')
      await confab.page.waitForTimeout(3000)
      await picture('attention')
      for (const [view, name] of [['Lines', 'lines'], ['From this token', 'tokens']]) {
        await confab.combobox('View').selectOption(view)
        await confab.page.waitForTimeout(500)
        await picture(name)
      }
      await confab.tab('Probabilities').click()
      await confab.page.waitForTimeout(500)
      await picture('probabilities')
      for (const tab of ['Logit lens', 'Interventions', 'Circuits', 'Unembedding']) {
        await confab.tab(tab).click()
        await confab.page.waitForTimeout(1500)
        await picture(tab.toLowerCase())
      }
      await confab.tab('Evaluate').click()
      await confab.click('Evaluate')
      await confab.page.waitForTimeout(3000)
      await picture('retrieval')
      confab.errors.forEach(error => console.error(error))
    })
  }
}
