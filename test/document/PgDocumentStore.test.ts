import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as DocumentStoreLaws from "causeway-mcp/testing/DocumentStoreLaws"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Consistency from "../integration/consistency.js"
import * as Directory from "./directory.js"

const Client = Layer.unwrapScoped(Effect.map(Directory.prepared, (dataDir) => Pglite.layer({ dataDir })))

const Store = PgDocumentStore.layer().pipe(Layer.provideMerge(Layer.merge(Client, Embedder.layerHash)))

/** The store of a program that uses another embedder on the same database. */
const storeWith = (embedder: Embedder.Embedding) =>
  Effect.map(
    Layer.build(PgDocumentStore.layer().pipe(Layer.provide(Layer.succeed(Embedder.Embedder, embedder)))),
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
      assert.deepStrictEqual(yield* store.size("outer"), { documents: 0, passages: 0, revision: 0 })
      yield* sql.withTransaction(store.index("outer", corpus))
      assert.strictEqual((yield* store.size("outer")).documents, corpus.length)
    }))

  it.effect("keeps words, tallies, vectors and changes in step through every change", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const sql = yield* SqlClient.SqlClient
      yield* store.index("in step", corpus)
      yield* store.index("in step", corpus.slice(0, 60).map(({ id }) => ({ id, text: "Short." })))
      yield* store.remove("in step", corpus.slice(30, 90).map(({ id }) => id))
      assert.deepStrictEqual(yield* store.size("in step"), { documents: 90, passages: 90, revision: 150 + 60 + 60 })
      yield* Consistency.check(sql)
    }))

  it.effect("brings every change once and in order, and none where nothing changed", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const following = yield* Effect.fork(
        Stream.runCollect(Stream.take(store.changes({ tenant: "followed", after: 0 }), 5))
      )
      yield* store.index("elsewhere", [{ id: "x", text: "Another tenant's." }])
      yield* store.index("followed", [{ id: "a", text: "First.", version: 1 }, { id: "b", text: "Other." }])
      yield* store.index("followed", [{ id: "a", text: "First.", version: 2 }, { id: "b", text: "Other." }])
      yield* store.index("followed", [{ id: "a", text: "Late.", version: 1 }, { id: "a", text: "", version: 9 }])
      yield* store.index("followed", [{ id: "a", text: "Third.", version: 3 }])
      yield* store.remove("followed", ["b", "b", "unknown"])
      yield* store.remove("followed", [])
      yield* store.index("followed", [{ id: "c", text: "Last." }])
      const changes = Chunk.toReadonlyArray(yield* Fiber.join(following))
      assert.deepStrictEqual(
        changes.map(({ documentId, kind, revision, tenant, version }) => [tenant, revision, kind, documentId, version]),
        [
          ["followed", 1, "indexed", "a", 1],
          ["followed", 2, "indexed", "b", undefined],
          ["followed", 3, "indexed", "a", 3],
          ["followed", 4, "removed", "b", undefined],
          ["followed", 5, "indexed", "c", undefined]
        ]
      )
      const [passage] = yield* store.get("followed", "c")
      assert.strictEqual(passage?.indexedAt, changes[4]?.changedAt)
    }))

  it.effect("goes on following when the time limit of the call in which it began has passed", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const [change] = yield* Stream.runCollect(Stream.take(store.changes({ tenant: "limited", after: 0 }), 1)).pipe(
        TimeLimit.within(0),
        Effect.fork,
        Effect.zipLeft(store.index("limited", [{ id: "a", text: "A heron." }])),
        Effect.flatMap(Fiber.join)
      )
      assert.strictEqual(change?.documentId, "a")
    }))

  it.effect("goes by versions when documents arrive late, twice or changed", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const put = (text: string, version?: number) =>
        Effect.map(store.index("versions", [{ id: "d", text, version }]), ([outcome]) => outcome)
      const stored = Effect.map(store.get("versions", "d"), ([passage]) => [passage?.text, passage?.version])
      assert.deepStrictEqual(yield* put("One.", 3), { id: "d", status: "indexed", passages: 1 })
      assert.deepStrictEqual(yield* put("Two.", 2), { id: "d", status: "outdated", passages: 1 })
      assert.deepStrictEqual(yield* put("Two.", 3), {
        id: "d",
        status: "refused",
        reason: "version 3 is stored with other content; raise the version"
      })
      assert.deepStrictEqual(yield* put("One.", 3), { id: "d", status: "unchanged", passages: 1 })
      assert.deepStrictEqual(yield* stored, ["One.", 3])
      assert.strictEqual((yield* put("One.", 5))?.status, "unchanged")
      assert.deepStrictEqual(yield* stored, ["One.", 5])
      assert.strictEqual((yield* put("One.", 4))?.status, "unchanged")
      assert.strictEqual((yield* put("Two.", 4))?.status, "outdated")
      assert.strictEqual((yield* put("Two."))?.status, "indexed")
      assert.deepStrictEqual(yield* stored, ["Two.", undefined])
      assert.strictEqual((yield* put("Zero.", 0))?.status, "indexed")
      assert.deepStrictEqual(yield* stored, ["Zero.", 0])
      assert.strictEqual((yield* store.size("versions")).revision, 3)
    }))

  it.effect("lets the highest version of a batch win, whatever its place", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const outcomes = yield* store.index("batch", [
        { id: "d", text: "Two.", version: 2 },
        { id: "d", text: "Three.", version: 3 },
        { id: "d", text: "Three again.", version: 3 },
        { id: "d", text: "One.", version: 1 }
      ])
      assert.isTrue(outcomes.every(({ status }) => status === "indexed"))
      const [passage] = yield* store.get("batch", "d")
      assert.deepStrictEqual([passage?.text, passage?.version], ["Three again.", 3])
      assert.strictEqual((yield* store.size("batch")).revision, 1)
    }))

  it.effect("keeps where a passage stands in its document", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const text = `${"A long sentence about herons and 🦜 parrots. ".repeat(120)}\n\nThe end.`
      yield* store.index("spans", [{ id: "d", title: "Birds", text }])
      const passages = yield* store.get("spans", "d")
      assert.isAbove(passages.length, 2)
      for (const { span, text: passage } of passages) {
        assert.strictEqual(text.slice(span?.start, span?.end), passage)
      }
    }))

  it.effect("refuses the documents of a tenant whose name no index can hold, and finds nothing of it", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const tenant = Array.from({ length: 9_000 }, (_, n) => String.fromCharCode(33 + (n * n * 31 + n * 7) % 8_191))
        .join("")
      const [outcome] = yield* store.index(tenant, [{ id: "a", text: "A heron." }])
      assert.deepStrictEqual(outcome, {
        id: "a",
        status: "refused",
        reason: "the tenant's name is longer than 2,000 bytes"
      })
      assert.strictEqual(yield* store.remove(tenant, ["a"]), 0)
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

  it.scoped(
    "fails by the embedder's name when the embedder does, and keeps what was stored",
    () =>
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
            "Unembedded"
          )
          assert.strictEqual((yield* working.get("a", "d0"))[0]?.text, corpus[0]?.text)
        }).pipe(Effect.provide(context))
      }),
    60_000
  )

  it.scoped(
    "holds every acknowledged document, once, after the process was killed five times",
    () =>
      Effect.gen(function*() {
        const dataDir = yield* Directory.prepared
        const acknowledged: Array<string> = []
        for (let cycle = 0; cycle < 5; cycle++) {
          const child = yield* Directory.program("index", dataDir, String(acknowledged.length))
          const enough = acknowledged.length + 15 + 3 * cycle
          while (acknowledged.length < enough) acknowledged.push((yield* child.line) ?? "the program ended")
          yield* child.kill
          for (let line = yield* child.line; line !== undefined; line = yield* child.line) acknowledged.push(line)
        }
        const context = yield* Layer.build(
          PgDocumentStore.layer().pipe(Layer.provideMerge(Layer.merge(Pglite.layer({ dataDir }), Embedder.layerHash)))
        )
        const store = Context.get(context, DocumentStore.DocumentStore)
        for (const id of acknowledged) assert.strictEqual((yield* store.get("tenant", id)).length, 1, id)
        const { documents, passages } = yield* store.size("tenant")
        // One more at most for each kill, stored before it could be told.
        assert.isAtLeast(documents, acknowledged.length)
        assert.isAtMost(documents, acknowledged.length + 5)
        assert.strictEqual(passages, documents)
        yield* Consistency.check(Context.get(context, SqlClient.SqlClient))
        assert.strictEqual((yield* store.search({ tenant: "tenant", text: "herons", limit: 20 })).length, 20)
      }),
    180_000
  )
})
