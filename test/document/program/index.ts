/**
 * Indexes documents for ever, one after the other, and prints the id of each
 * once the store has acknowledged it.
 *
 * @since 0.1.0
 */
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"

const Store = PgDocumentStore.layer.pipe(
  Layer.provide([Pglite.layer({ dataDir: process.argv[2] ?? "" }), Embedder.layerHash])
)

await Effect.gen(function*() {
  const store = yield* DocumentStore.DocumentStore
  for (let n = 0;; n++) {
    const id = `document-${n}`
    yield* store.index("tenant", [{ id, text: `Document number ${n} about herons and storks.` }])
    // Straight to the pipe: what a stream still buffers when the process is killed would count as not acknowledged.
    Fs.writeSync(1, `${id}\n`)
  }
}).pipe(Effect.provide(Store), Effect.runPromise)
