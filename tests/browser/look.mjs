// Pictures of the page, to look at: node tests/browser/look.mjs <folder>. README's is opened-1440-light.png.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { withPage } from './harness.mjs'

const [folder] = process.argv.slice(2)
if (!folder || folder.startsWith('-')) {
  console.error('usage: node tests/browser/look.mjs <folder>')
  process.exit(2)
}
mkdirSync(folder, { recursive: true })

for (const [width, height] of [[1440, 1000], [1366, 657], [1024, 768], [390, 844]]) {
  for (const colorScheme of ['light', 'dark']) {
    const isPhone = width < 500
    const context = { viewport: { width, height }, colorScheme, hasTouch: isPhone, isMobile: isPhone }
    await withPage({ context, device: null, errors: /./ }, async confab => {
      const picture = async (name, fullPage = true) => {
        await confab.page.waitForTimeout(1500)
        await confab.page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}.png`), fullPage })
      }
      await confab.untilExample()
      await picture('opened', false)
      for (const view of isPhone ? ['Answer', 'Loss', 'Settings', 'Learn', 'Compare'] : ['Train', 'Learn', 'Compare']) {
        await confab.view(view)
        await picture(view.toLowerCase())
      }
      await confab.view(isPhone ? 'Attention' : 'Inspect')
      await confab.page.getByRole('listbox', { name: 'Prompt tokens' }).getByRole('option').nth(40).click()
      for (const tab of await confab.page.getByRole('tab').all()) {
        await tab.click()
        await picture((await tab.innerText()).toLowerCase().replaceAll(' ', '-'))
      }
      confab.errors.forEach(error => console.error(error))
    })
  }
}
