import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as DocumentStoreLaws from "causeway-mcp/testing/DocumentStoreLaws"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Directory from "./directory.js"

const Client = Layer.unwrapScoped(Effect.map(Directory.prepared, (dataDir) => Pglite.layer({ dataDir })))

const Store = PgDocumentStore.layer.pipe(Layer.provideMerge(Layer.merge(Client, Embedder.layerHash)))

/** The store of a program that uses another embedder on the same database. */
const storeWith = (embedder: Embedder.Embedding) =>
  Effect.map(
    Layer.build(PgDocumentStore.layer.pipe(Layer.provide(Layer.succeed(Embedder.Embedder, embedder)))),
    (context) => Context.get(context, DocumentStore.DocumentStore)
  )

const words = "heron stork plover bond yield rate bank fund share profit loss margin audit forecast climate tariff"
  .split(" ")

/** Texts of a fixed vocabulary in which words are common and rare, and some are the same. */
const corpus = Array.from({ length: 150 }, (_, n) => ({
  id: `d${n}`,
  title: n % 3 === 0 ? `Report on ${words[n % words.length]}` : undefined,
  text: Array.from({ length: 4 + n % 9 }, (_, m) => words[(n * n % 37 * (m + 1)) % (2 + n % 15)]).join(" "),
  metadata: { group: n % 4 }
}))

layer(Store, { timeout: "60 seconds" })("PgDocumentStore.layer on PGlite", (it) => {
  for (const { check, name } of DocumentStoreLaws.laws) it.effect(name, () => check)

  it.scoped("finds what the store in memory finds, with the same figures, in the same order", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const embedder = yield* Embedder.Embedder
      const memory = Context.get(yield* Layer.build(DocumentStore.layerMemory), DocumentStore.DocumentStore)
      for (const each of [store, memory]) {
        yield* each.index("equal", corpus)
        yield* each.index(
          "equal",
          corpus.slice(0, 30).map((document) => ({ ...document, text: `${document.text} anew` }))
        )
        yield* each.remove("equal", ["d40", "d41"])
      }
      for (
        const text of ["heron", "bond yield forecast", "the climate of tariffs and banks", "report anew unicorn", ""]
      ) {
        const [vector] = yield* embedder.embed([text])
        for (const filter of [undefined, { metadata: { group: [1, 3] } }]) {
          for (const query of [{ vector }, {}]) {
            const ask = { tenant: "equal", text, limit: 40, filter, ...query }
            const found = yield* store.search(ask)
            const expected = yield* memory.search(ask)
            assert.deepStrictEqual(
              found.map(({ passage, signals }) => [passage.documentId, signals.bm25, signals.bm25Share]),
              expected.map(({ passage, signals }) => [passage.documentId, signals.bm25, signals.bm25Share])
            )
            for (const [n, hit] of found.entries()) {
              assert.closeTo(hit.score, expected[n]?.score ?? -1, 1e-5)
              assert.closeTo(hit.signals.cosine, expected[n]?.signals.cosine ?? -1, 1e-5)
            }
          }
        }
      }
    }))

  it.effect("takes part in the caller's transaction", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const sql = yield* SqlClient.SqlClient
      yield* Effect.exit(sql.withTransaction(
        Effect.zipRight(store.index("outer", corpus), Effect.fail("no"))
      ))
      assert.deepStrictEqual(yield* store.size("outer"), { documents: 0, passages: 0 })
      yield* sql.withTransaction(store.index("outer", corpus))
      assert.strictEqual((yield* store.size("outer")).documents, corpus.length)
    }))

  it.effect("keeps words, tallies and vectors in step through every change", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const sql = yield* SqlClient.SqlClient
      yield* store.index("in step", corpus)
      yield* store.index("in step", corpus.slice(0, 60).map(({ id }) => ({ id, text: "Short." })))
      yield* store.remove("in step", corpus.slice(30, 90).map(({ id }) => id))
      const [counted] = yield* sql`
        select tenant.passages::int as passages, tenant.tokens::int as tokens,
          (select count(*) from causeway_passages where tenant = tenant.id)::int as passage_rows,
          (select count(*) from causeway_vectors where tenant = tenant.id)::int as vectors,
          (select sum(tokens) from causeway_passages where tenant = tenant.id)::int as held,
          (select sum(frequency) from causeway_postings where tenant = tenant.id)::int as posted
        from causeway_tenants as tenant where tenant.name = 'in step'`
      const { passages, tokens } = counted ?? {}
      assert.strictEqual(passages, 90)
      assert.deepStrictEqual(counted, {
        passages,
        tokens,
        passage_rows: passages,
        vectors: passages,
        held: tokens,
        posted: tokens
      })
    }))

  it.effect("translates a failing statement into an error that names no statement", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const sql = yield* SqlClient.SqlClient
      yield* store.index("renamed", corpus.slice(0, 1))
      yield* sql`alter table causeway_postings rename to renamed`
      const error = yield* Effect.flip(store.search({ tenant: "renamed", text: "heron", limit: 1 })).pipe(
        Effect.ensuring(Effect.orDie(sql`alter table renamed rename to causeway_postings`))
      )
      assert.strictEqual(error.message, "DocumentStore.search: the document store did not answer")
      assert.isTrue(error.isRetryable)
      assert.strictEqual(error.reason._tag === "Unavailable" && String(error.reason.cause).includes("SqlError"), true)
    }))
})

describe("PgDocumentStore.layer", () => {
  const hash = Effect.provide(Embedder.Embedder, Embedder.layerHash)

  it.scoped(
    "opens on another embedder's vectors, refuses to mix them, and serves on when they are gone",
    () =>
      Effect.gen(function*() {
        const context = yield* Layer.build(Client)
        const embedder = yield* hash
        yield* Effect.gen(function*() {
          const first = yield* storeWith(embedder)
          const second = yield* storeWith({ ...embedder, id: "other-model-384" })
          yield* first.index("a", corpus.slice(0, 2))
          const attempts: ReadonlyArray<Effect.Effect<unknown, DocumentStore.DocumentStoreError>> = [
            second.index("b", corpus.slice(0, 1)),
            second.search({ tenant: "a", text: "heron", limit: 1 })
          ]
          for (const attempt of attempts) {
            const error = yield* Effect.flip(attempt)
            assert.strictEqual(error.reason._tag, "Incompatible")
            assert.isFalse(error.isRetryable)
            assert.include(error.message, embedder.id)
            assert.include(error.message, "other-model-384")
          }
          yield* second.ping
          assert.strictEqual((yield* second.get("a", "d1")).length, 1)
          assert.strictEqual(yield* second.remove("a", ["d0", "d1"]), 2)
          assert.deepStrictEqual((yield* second.index("b", corpus.slice(0, 1)))[0]?.status, "indexed")
          assert.strictEqual((yield* Effect.flip(first.index("a", corpus.slice(0, 1)))).reason._tag, "Incompatible")
        }).pipe(Effect.provide(context))
      }),
    60_000
  )

  it.scoped("refuses tables of a newer program, and leaves them as they are", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(Client)
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const embedder = yield* hash
        yield* storeWith(embedder)
        yield* sql`insert into causeway_migrations (migration_id, name) values (99, 'from_the_future')`
        const error = yield* Effect.flip(storeWith(embedder))
        assert.strictEqual(error.reason._tag, "Incompatible")
        assert.include(error.message, "version 99")
      }).pipe(Effect.provide(context))
    }), 60_000)

  it.scoped("fails as unavailable when the embedder does, and keeps what was stored", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(Client)
      yield* Effect.gen(function*() {
        const embedder = yield* hash
        const working = yield* storeWith(embedder)
        yield* working.index("a", corpus.slice(0, 1))
        const failing = yield* storeWith({
          ...embedder,
          embed: () =>
            new Embedder.EmbedderError({ embedder: embedder.id, description: "is overloaded", isRetryable: true })
        })
        const error = yield* Effect.flip(failing.index("a", [{ id: "d0", text: "Changed." }]))
        assert.isTrue(error.isRetryable)
        const short = yield* storeWith({ ...embedder, embed: () => Effect.succeed([]) })
        assert.strictEqual(
          (yield* Effect.flip(short.index("a", [{ id: "d0", text: "Changed." }]))).reason._tag,
          "Incompatible"
        )
        assert.strictEqual((yield* working.get("a", "d0"))[0]?.text, corpus[0]?.text)
      }).pipe(Effect.provide(context))
    }), 60_000)

  it.scoped("holds every acknowledged document after the process was killed", () =>
    Effect.gen(function*() {
      const dataDir = yield* Directory.prepared
      const child = yield* Directory.program("index", dataDir)
      const acknowledged: Array<string> = []
      while (acknowledged.length < 25) acknowledged.push((yield* child.line) ?? "the program ended")
      yield* child.kill
      for (let line = yield* child.line; line !== undefined; line = yield* child.line) acknowledged.push(line)
      const context = yield* Layer.build(
        PgDocumentStore.layer.pipe(Layer.provide([Pglite.layer({ dataDir }), Embedder.layerHash]))
      )
      const store = Context.get(context, DocumentStore.DocumentStore)
      for (const id of acknowledged) assert.strictEqual((yield* store.get("tenant", id)).length, 1, id)
      const { documents, passages } = yield* store.size("tenant")
      assert.isAtLeast(documents, acknowledged.length)
      assert.strictEqual(passages, documents)
      assert.strictEqual((yield* store.search({ tenant: "tenant", text: "herons", limit: 20 })).length, 20)
    }), 60_000)
})
