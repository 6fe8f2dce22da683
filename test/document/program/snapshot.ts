/**
 * Indexes documents for ever into a store that is kept in the file of its first
 * argument, and prints how many the last whole snapshot holds at least, and when
 * the next is being written.
 *
 * @since 0.1.0
 */
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as SnapshotDocumentStore from "causeway-mcp/document/SnapshotDocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"

const path = process.argv[2] ?? ""

const modified = (): number => Fs.statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

const text = "A stork and a heron and a gecko went along the river. ".repeat(10)

const program = Effect.gen(function*() {
  const store = yield* DocumentStore.DocumentStore
  const { documents: before } = yield* store.size("t")
  Fs.writeSync(1, `opened ${before}\n`)
  let seen = modified()
  let safe = before
  for (let n = before;; n++) {
    yield* store.index("t", [{ id: `d${n}`, text: `${text} Number ${n}.`, version: n }])
    const now = modified()
    // begun after the one before was there, and now there itself: it holds what was indexed by then
    if (now !== seen) {
      Fs.writeSync(1, `safe ${safe}\n`)
      seen = now
      safe = n
    } else if (Fs.existsSync(`${path}.new`)) Fs.writeSync(1, `writing ${n}\n`)
  }
})

await Effect.runPromise(Effect.provide(
  program,
  Layer.provide(SnapshotDocumentStore.layer({ path, every: "20 millis" }), Embedder.layerHash)
))
