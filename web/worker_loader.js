// Loads the worker's program and tells the page which share of it has come. The program is compressed in its file, for
// servers that do not compress; under an ending of its own, for servers that would announce it as compressed. A helper
// gets the program from the worker that it helps, compiled already.
import init from './worker.js'

async function load() {
  const response = await fetch('worker.packed')
  if (!response.ok) throw new Error(`the worker's program could not be loaded: ${response.status} ${response.statusText}`)
  const length = Number(response.headers.get('content-length'))
  let loaded = 0
  const count = new TransformStream({
    transform(chunk, controller) {
      loaded += chunk.byteLength
      if (length > 0) postMessage(loaded / length)
      controller.enqueue(chunk)
    },
  })
  const program = response.body.pipeThrough(count).pipeThrough(new DecompressionStream('gzip'))
  return new Response(program, { headers: { 'content-type': 'application/wasm' } })
}

const receive = () => new Promise(come => addEventListener('message', event => come(event.data), { once: true }))
await init({ module_or_path: await (self.name === 'helper' ? receive() : load()) })
