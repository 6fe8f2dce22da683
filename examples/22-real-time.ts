/**
 * Documents that keep coming: a stream brought into the store, versions that
 * arrive late, a follower that hears of each change, and a copy that follows them.
 */
import type { Document } from "causeway-mcp/document/Document"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Ingestion from "causeway-mcp/document/Ingestion"
import * as MirrorDocumentStore from "causeway-mcp/document/MirrorDocumentStore"
import * as SnapshotDocumentStore from "causeway-mcp/document/SnapshotDocumentStore"
import * as SifEmbedder from "causeway-mcp/embedding/SifEmbedder"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { main } from "./program.js"

const folder = mkdtempSync(join(tmpdir(), "causeway-"))

// #region snapshot
const Store = SnapshotDocumentStore.layer({ path: join(folder, "documents.snapshot"), every: "1 minute" }).pipe(
  Layer.provide(SifEmbedder.layerOrHash)
)
// #endregion snapshot

// #region mirror
// Over a store on Postgres, in a program that has one.
const Mirrored = MirrorDocumentStore.layer(Store, { maxBehind: "1 minute" }).pipe(
  Layer.provide(SifEmbedder.layerOrHash)
)
// #endregion mirror

const wire: ReadonlyArray<Document> = [
  { id: "strike", version: 1, text: "Dockers in Bergen may go on strike on Monday." },
  { id: "tariff", version: 1, text: "The tariff on battery cells rises to 12% in January." },
  { id: "strike", version: 3, text: "The strike in Bergen is over; the first ships are unloading." },
  { id: "strike", version: 2, text: "Dockers in Bergen went on strike on Monday." },
  { id: "blank", text: " " }
]

const first = Effect.gen(function*() {
  const store = yield* DocumentStore.DocumentStore

  // #region follow
  const follower = yield* store.changes({ tenant: "default", after: 0 }).pipe(
    Stream.take(3),
    Stream.runCollect,
    Effect.fork
  )
  // #endregion follow

  // #region ingest
  const outcomes = yield* Stream.fromIterable(wire).pipe(
    Ingestion.run("default", { batch: 1, linger: "50 millis" }),
    Stream.runCollect
  )
  const said = [...outcomes].map((outcome) => outcome.status === "refused" ? outcome.reason : outcome.status)
  // #endregion ingest
  assert.deepEqual(said.slice(0, 4), ["indexed", "indexed", "indexed", "outdated"])
  assert.match(said[4] ?? "", /text/)

  // #region heard
  const changes = [...yield* Fiber.join(follower)]
  assert.deepEqual(
    changes.map(({ documentId, kind, revision, version }) => [revision, kind, documentId, version]),
    [[1, "indexed", "strike", 1], [2, "indexed", "tariff", 1], [3, "indexed", "strike", 3]]
  )
  // #endregion heard
})

const second = Effect.gen(function*() {
  const store = yield* DocumentStore.DocumentStore
  const [passage] = yield* store.get("default", "strike")
  assert.match(passage?.text ?? "", /is over/)
  assert.equal((yield* store.size("default")).revision, 3)
})

const third = Effect.gen(function*() {
  const store = yield* DocumentStore.DocumentStore
  const search = Effect.delay(store.search({ tenant: "default", text: "strike", limit: 1 }), "5 millis")
  // The first search has the tenant copied.
  const [hit] = yield* Effect.repeat(search, { until: ([found]) => found?.origin?.region === "memory" })
  assert.match(hit?.passage.text ?? "", /is over/)
})

main(
  Effect.zipRight(Effect.provide(first, Store), Effect.provide(second, Store)).pipe(
    Effect.zipRight(Effect.provide(third, Mirrored)),
    Effect.zipRight(Effect.sync(() => console.log("Five documents came in, three changes were heard, all was kept"))),
    Effect.ensuring(Effect.sync(() => rmSync(folder, { recursive: true, force: true })))
  )
)
