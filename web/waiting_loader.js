// Stands in the place of worker_loader.js while `./dev serve` still builds the worker: waits for it, then loads it.
async function isBuilt() {
  try {
    return (await fetch('worker.packed', { method: 'HEAD', cache: 'no-store' })).ok
  } catch {
    return false // one server has ended, and the other not begun
  }
}
while (!await isBuilt()) await new Promise(resolve => setTimeout(resolve, 1000))
await import(`./worker_loader.js?${Date.now()}`)
