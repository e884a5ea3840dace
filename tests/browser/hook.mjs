// Writes the first look into index.html: what the page draws of the shipped model. Run it after `./dev build`, and
// again after a change of the first look or of that model.
import { readFileSync, writeFileSync } from 'node:fs'
import { withPage } from './harness.mjs'

const PAGE = new URL('../../index.html', import.meta.url)
const [BEGIN, END] = ['<!-- first look: written by `node tests/browser/hook.mjs` -->', '<!-- end of first look -->']

/** The first look as the page draws it, once the shipped model has answered. */
export async function drawnHook(confab) {
  await confab.page.locator('.answer svg').waitFor()
  await confab.page.getByText('An example that is already trained.').waitFor()
  await confab.page.waitForFunction(() => document.querySelector('.hook')?.dataset.answered)
  return confab.page.locator('.hook').evaluate(normalHook)
}

/**
 * A first look as text: without comments, without what only the running page knows, its buttons disabled, attributes
 * by name.
 */
export function normalHook(hook) {
  const copy = hook.cloneNode(true)
  const comments = document.createTreeWalker(copy, NodeFilter.SHOW_COMMENT)
  const found = []
  while (comments.nextNode()) found.push(comments.currentNode)
  found.forEach(comment => comment.remove())
  copy.removeAttribute('data-answered')
  copy.querySelectorAll('button').forEach(button => button.setAttribute('disabled', ''))
  for (const element of [copy, ...copy.querySelectorAll('*')]) {
    const attributes = [...element.attributes].toSorted((a, b) => a.name < b.name ? -1 : 1)
    attributes.forEach(({ name }) => element.removeAttribute(name))
    attributes.forEach(({ name, value }) => element.setAttribute(name, value))
  }
  return copy.outerHTML.replaceAll('disabled=""', 'disabled')
}

if (import.meta.filename === process.argv[1]) {
  let hook
  await withPage({}, async confab => { hook = await drawnHook(confab) })
  const page = readFileSync(PAGE, 'utf8')
  const [before, after] = [page.split(BEGIN)[0], page.split(END)[1]]
  writeFileSync(PAGE, `${before}${BEGIN}\n      ${hook}\n      ${END}${after}`)
}
