// Starts the page's program, whose files are named by the element that loads this one. A file of its own, because the
// page's Content-Security-Policy allows no inline script.
const { app, wasm } = document.getElementById('start').dataset
const { default: init } = await import(app)
await init({ module_or_path: wasm })
