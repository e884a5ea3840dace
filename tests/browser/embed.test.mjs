// Panels in the pages of others.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TINY, withPage } from './harness.mjs'

/** Puts a panel into an empty page, as another site would. */
async function embed(confab, query, fragment = '') {
  const body = `<link rel="icon" href="data:,"><iframe src="/?${query}#${fragment}" width="600" height="700"></iframe>`
  await confab.page.route('**/host.html', route => route.fulfill({ contentType: 'text/html', body }))
  await confab.page.goto(confab.url + 'host.html')
  await confab.page.unroute('**/host.html')
  return confab.page.frameLocator('iframe')
}

test('a panel is embedded without the frame of the page', async () => {
  await withPage({ open: false }, async confab => {
    const attention = await embed(confab, 'embed=attention')
    await attention.getByRole('group', { name: 'Small multiples' }).getByRole('button').first().waitFor()
    assert.equal(await attention.getByRole('heading', { name: 'Confab' }).count(), 0)
    assert.equal(await attention.getByRole('tab').filter({ visible: true }).count(), 0)
    assert.equal(await attention.getByRole('region', { name: 'Experiment' }).count(), 0)

    const answer = await embed(confab, 'embed=answer')
    await answer.getByText(/of 12 are right/).waitFor()

    const probabilities = await embed(confab, 'embed=probabilities', 'trained=facts')
    await probabilities.getByRole('listbox', { name: 'Prompt tokens' }).waitFor()
    const link = probabilities.getByRole('link', { name: 'Open in Confab' })
    assert.equal(await link.getAttribute('href'), '/#trained=facts')
  })
})

test('what is embedded trains; a name that no panel has is told', async () => {
  await withPage({ open: false }, async confab => {
    const loss = await embed(confab, 'embed=loss', `${TINY}&train.steps=20`)
    await loss.getByRole('button', { name: 'Train', exact: true }).click()
    await loss.getByText('20 of 20', { exact: true }).first().waitFor()
    const nothing = await embed(confab, 'embed=%3Cimg%20src%3Dx%3E')
    await nothing.getByText(/There is no panel .* to embed\. Write \?embed= and one of answer, loss, samples, probabilities, /).waitFor()
  })
})
