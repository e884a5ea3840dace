// Starts the page's program, whose files are named by the element that loads this one. A file of its own, because the
// page's Content-Security-Policy allows no inline script. The program is packed: see worker_loader.js.
const { app, wasm } = document.getElementById('start').dataset
const [{ default: init }, response] = await Promise.all([import(app), fetch(wasm)])
if (!response.ok) throw new Error(`the page's program could not be loaded: ${response.status} ${response.statusText}`)
const program = response.body.pipeThrough(new DecompressionStream('gzip'))
await init({ module_or_path: new Response(program, { headers: { 'content-type': 'application/wasm' } }) })
