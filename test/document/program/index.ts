/**
 * Indexes documents for ever, one after the other, and prints the id of each
 * once the store has acknowledged it: into a directory of PGlite or the database
 * of a URL, its first argument, from the number on that is its second.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Fs from "node:fs"

const [, , target = "", first = "0"] = process.argv

const Client = target.startsWith("postgres:")
  ? PgClient.layer({ url: Redacted.make(target) })
  : Pglite.layer({ dataDir: target })

const Store = PgDocumentStore.layer().pipe(Layer.provide([Client, Embedder.layerHash]))

await Effect.gen(function*() {
  const store = yield* DocumentStore.DocumentStore
  for (let n = Number(first);; n++) {
    const id = `document-${n}`
    // Every other one replaces its predecessor's text, so that a kill meets erasing, too.
    const documents = [{ id, text: `Document number ${n} about herons and storks.` }]
    if (n % 2 === 1) documents.push({ id: `document-${n - 1}`, text: `Document ${n - 1}, replaced by ${n}: herons.` })
    yield* store.index("tenant", documents)
    // Straight to the pipe: what a stream still buffers when the process is killed would count as not acknowledged.
    Fs.writeSync(1, `${id}\n`)
  }
}).pipe(Effect.provide(Store), Effect.runPromise)
