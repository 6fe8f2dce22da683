import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as PgReindex from "causeway-mcp/document/PgReindex"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Consistency from "../integration/consistency.js"
import * as Directory from "./directory.js"
import * as Embedders from "./embedders.js"

describe("PgReindex.run on PGlite", () => {
  it.scoped("gives what one embedder embedded the vectors of another, a batch at a time", () =>
    Effect.gen(function*() {
      const client = yield* Layer.build(Pglite.layer({ dataDir: yield* Directory.prepared }))
      const hash = yield* Effect.provide(Embedder.Embedder, Embedder.layerHash)
      const shorter: Embedder.Embedding = {
        id: "shorter-96",
        dimensions: 96,
        embed: (texts) => Effect.map(hash.embed(texts), (vectors) => vectors.map((vector) => vector.slice(0, 96)))
      }
      const storeOf = (embedder: Embedder.Embedding) =>
        Layer.build(PgDocumentStore.layer().pipe(Layer.provide(Layer.succeed(Embedder.Embedder, embedder)))).pipe(
          Effect.map((context) => Context.get(context, DocumentStore.DocumentStore)),
          Effect.provide(client)
        )
      const documents = Array.from({ length: 7 }, (_, n) => ({ id: `d${n}`, text: `Number ${n} of the herons.` }))
      yield* (yield* storeOf(hash)).index("t", documents)
      const steps = yield* Stream.runCollect(PgReindex.run({ batch: 3 })).pipe(
        Effect.provide(client),
        Effect.provideService(Embedder.Embedder, shorter)
      )
      assert.deepStrictEqual(Chunk.toReadonlyArray(steps), [
        { done: 0, left: 7 },
        { done: 3, left: 4 },
        { done: 6, left: 1 },
        { done: 7, left: 0 }
      ])
      const store = yield* storeOf(shorter)
      const [vector] = yield* shorter.embed(["Number 4 of the herons."])
      const [hit] = yield* store.search({ tenant: "t", text: "number 4", vector, limit: 1 })
      assert.strictEqual(hit?.passage.documentId, "d4")
      assert.strictEqual((yield* store.index("t", documents)).filter(({ status }) => status === "unchanged").length, 7)
      yield* Consistency.check(Context.get(client, SqlClient.SqlClient))
    }), 60_000)

  it.scoped(
    "says which document the new embedder refuses, and goes on where it was when that is gone",
    () =>
      Effect.gen(function*() {
        const client = yield* Layer.build(Pglite.layer({ dataDir: yield* Directory.prepared }))
        const hash = yield* Effect.provide(Embedder.Embedder, Embedder.layerHash)
        const store = yield* Layer.build(PgDocumentStore.layer().pipe(Layer.provide(Embedder.layerHash))).pipe(
          Effect.map((context) => Context.get(context, DocumentStore.DocumentStore)),
          Effect.provide(client)
        )
        const documents = ["heron", "stork", "poison", "plover"].map((text) => ({ id: text, text }))
        yield* store.index("t", documents)
        const { embedder } = Embedders.make()
        const reindex = Stream.runLast(PgReindex.run({ batch: 2 })).pipe(
          Effect.provide(client),
          Effect.provideService(Embedder.Embedder, { ...embedder, dimensions: hash.dimensions })
        )
        const error = yield* Effect.flip(reindex)
        assert.deepInclude(error.reason, { _tag: "Unembedded", isRetryable: false })
        assert.include(error.message, "\"poison\"")
        assert.include(error.message, "remove or replace that document, and reindex again")
        yield* store.remove("t", ["poison"])
        assert.deepStrictEqual(Option.getOrUndefined(yield* reindex), { done: 3, left: 0 })
        yield* Consistency.check(Context.get(client, SqlClient.SqlClient))
      }),
    60_000
  )
})
