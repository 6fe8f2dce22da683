import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as PgReindex from "causeway-mcp/document/PgReindex"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Consistency from "./consistency.js"
import * as Postgres from "./postgres.js"

/** Vectors of another model, of another length, that counts the texts it is given. */
const newer = (wait: Effect.Effect<void> = Effect.void) =>
  Effect.map(Embedder.Embedder, (hash) => {
    const counted = { texts: 0 }
    const embedder: Embedder.Embedding = {
      id: "newer-128",
      dimensions: 128,
      embed: (texts) =>
        wait.pipe(
          Effect.zipRight(hash.embed(texts)),
          Effect.map((vectors) => {
            counted.texts += texts.length
            return vectors.map((vector) => {
              const cut = vector.slice(0, 128)
              const norm = Math.hypot(...cut)
              return norm === 0 ? cut : cut.map((value) => value / norm)
            })
          })
        )
    }
    return { counted, embedder }
  }).pipe(Effect.provide(Embedder.layerHash))

const storeWith = (embedder: Embedder.Embedding) =>
  Effect.map(
    Layer.build(PgDocumentStore.layer().pipe(Layer.provide(Layer.succeed(Embedder.Embedder, embedder)))),
    (context) => Context.get(context, DocumentStore.DocumentStore)
  )

const reindex = (embedder: Embedder.Embedding, options?: PgReindex.Options) =>
  Stream.provideService(PgReindex.run(options), Embedder.Embedder, embedder)

const documents = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    id: `d${n}`,
    title: n % 2 === 0 ? `Report ${n}` : undefined,
    text: `Document ${n} is about herons and the price of bonds in year ${n}. `.repeat(1 + n % 50),
    version: n % 3 === 0 ? n : undefined
  }))

/** What must stay as it is. */
const kept = (sql: SqlClient.SqlClient) =>
  sql`
    select tenant.name, tenant.revision::int as revision, document.id, document.content_hash, document.indexed_at,
      document.version, passage.id as passage, passage.text
    from causeway_tenants as tenant join causeway_documents as document on document.tenant = tenant.id
    join causeway_passages as passage on passage.tenant = tenant.id and passage.document = document.id
    order by passage.id`

const { missing } = Postgres
if (missing !== undefined) {
  // A reporter shows no reason for what it skips.
  process.stderr.write(`PgReindex on a server: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("PgReindex on a server", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

for (const { bin, name } of Postgres.found) {
  layer(Postgres.layer(bin), { timeout: "60 seconds", excludeTestServices: true })(`PgReindex.run on ${name}`, (it) => {
    /** Runs with a client of a new database. */
    const onNew = <A, E, R>(effect: (sql: SqlClient.SqlClient, database: string) => Effect.Effect<A, E, R>) =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        return yield* Effect.provide(
          Effect.flatMap(SqlClient.SqlClient, (sql) => effect(sql, database)),
          server.client(database)
        )
      })

    it.scoped("replaces every vector, and nothing else", () =>
      onNew((sql) =>
        Effect.gen(function*() {
          const hash = yield* Effect.provide(Embedder.Embedder, Embedder.layerHash)
          const { counted, embedder } = yield* newer()
          const before = yield* storeWith(hash)
          yield* before.index("a", documents(60))
          yield* before.index("b", documents(25))
          yield* before.remove("b", ["d3"])
          const old = yield* kept(sql)
          const after = yield* storeWith(embedder)
          const question = { tenant: "a", text: "price of bonds in year 31", limit: 5 }
          const refused = yield* Effect.flip(after.search(question))
          assert.strictEqual(refused.reason._tag, "Incompatible")
          assert.include(refused.message, "reindex")

          const steps = Chunk.toReadonlyArray(yield* Stream.runCollect(reindex(embedder, { batch: 7 })))
          assert.deepStrictEqual(steps[0], { done: 0, left: 84 })
          assert.deepStrictEqual(steps.at(-1), { done: 84, left: 0 })
          assert.isTrue(steps.every(({ done, left }) => done + left === 84))
          assert.isAtLeast(steps.length, 13)

          assert.deepStrictEqual(yield* kept(sql), old)
          assert.strictEqual(counted.texts, old.length)
          yield* Consistency.check(sql)
          const [vector] = yield* embedder.embed(["Document 31 is about herons and the price of bonds in year 31."])
          const [hit] = yield* after.search({ ...question, vector })
          assert.strictEqual(hit?.passage.documentId, "d31")
          assert.isAbove(hit?.signals.cosine ?? 0, 0.5)
          // The same content is known as the same, although its hash was made for the other embedder.
          const again = yield* after.index("a", documents(60))
          assert.isTrue(again.every(({ status }) => status === "unchanged"))
          assert.strictEqual((yield* Effect.flip(before.search(question))).reason._tag, "Incompatible")
          assert.deepStrictEqual(Chunk.toReadonlyArray(yield* Stream.runCollect(reindex(embedder))), [
            { done: 84, left: 0 }
          ])
        })
      ))

    it.scoped("shares the work among several that run at once", () =>
      onNew((sql) =>
        Effect.gen(function*() {
          const hash = yield* Effect.provide(Embedder.Embedder, Embedder.layerHash)
          const old = yield* storeWith(hash)
          yield* old.index("a", documents(100))
          const passages = (yield* kept(sql)).length
          const workers = yield* Effect.all(Array.from({ length: 3 }, () => newer(Effect.sleep("5 millis"))))
          yield* Effect.forEach(workers, ({ embedder }) => Stream.runDrain(reindex(embedder, { batch: 5 })), {
            concurrency: "unbounded",
            discard: true
          })
          assert.strictEqual(workers.reduce((sum, { counted }) => sum + counted.texts, 0), passages)
          assert.isTrue(workers.every(({ counted }) => counted.texts > 0))
          assert.deepStrictEqual(yield* sql`select from causeway_reindexing`, [])
        })
      ))

    it.scoped("goes on where it was stopped, and leaves nothing taken", () =>
      onNew((sql) =>
        Effect.gen(function*() {
          const hash = yield* Effect.provide(Embedder.Embedder, Embedder.layerHash)
          const old = yield* storeWith(hash)
          yield* old.index("a", documents(40))
          const passages = (yield* kept(sql)).length
          const first = yield* newer(Effect.sleep("5 millis"))
          const [, ...taken] = Chunk.toReadonlyArray(
            yield* Stream.runCollect(Stream.take(reindex(first.embedder, { batch: 5 }), 4))
          )
          assert.strictEqual(taken.at(-1)?.done, 15)
          const refused = yield* Effect.flip(old.search({ tenant: "a", text: "herons", limit: 1 }))
          assert.include(refused.message, "a reindex is under way or was stopped")
          // One that is stopped in the middle of a batch.
          let isEmbedding = false
          const stuck = yield* newer(Effect.zipRight(Effect.sync(() => isEmbedding = true), Effect.never))
          const stopped = yield* Effect.fork(Stream.runDrain(reindex(stuck.embedder, { batch: 5 })))
          yield* Effect.repeat(Effect.sync(() => isEmbedding), {
            until: (is) => is,
            schedule: Schedule.spaced("5 millis")
          })
          assert.strictEqual((yield* sql`select from causeway_reindexing`).length, 5)
          yield* Fiber.interrupt(stopped)
          assert.deepStrictEqual(yield* sql`select from causeway_reindexing`, [])
          const second = yield* newer()
          yield* Stream.runDrain(reindex(second.embedder, { batch: 5 }))
          assert.strictEqual(first.counted.texts + second.counted.texts, passages)
        })
      ))

    it.scoped("leaves a document alone that was replaced or removed while it was embedded", () =>
      onNew((sql) =>
        Effect.gen(function*() {
          const hash = yield* Effect.provide(Embedder.Embedder, Embedder.layerHash)
          const old = yield* storeWith(hash)
          yield* old.index("a", documents(3))
          let isFirst = true
          const meanwhile = Effect.suspend(() => {
            if (!isFirst) return Effect.void
            isFirst = false
            return Effect.orDie(Effect.zipRight(
              old.index("a", [{ id: "d1", text: "Written anew while it was embedded." }]),
              old.remove("a", ["d2"])
            ))
          })
          const { embedder } = yield* newer(meanwhile)
          const steps = Chunk.toReadonlyArray(yield* Stream.runCollect(reindex(embedder)))
          assert.deepStrictEqual(steps.at(-1), { done: 2, left: 0 })
          const [vector] = yield* embedder.embed(["Written anew while it was embedded."])
          const store = yield* storeWith(embedder)
          const [hit] = yield* store.search({ tenant: "a", text: "", vector, limit: 1 })
          assert.strictEqual(hit?.passage.documentId, "d1")
          assert.closeTo(hit?.signals.cosine ?? 0, 1, 1e-5)
          yield* Consistency.check(sql)
        })
      ))

    it.scoped("does not end before writers with the old embedder have, whose transactions it cannot see", () =>
      onNew((sql, database) =>
        Effect.gen(function*() {
          const server = yield* Postgres.Server
          const hash = yield* Effect.provide(Embedder.Embedder, Embedder.layerHash)
          const old = yield* storeWith(hash)
          yield* old.index("a", documents(5))
          const isWritten = yield* Deferred.make<void>()
          const goOn = yield* Deferred.make<void>()
          const writing = yield* Effect.fork(sql.withTransaction(
            old.index("b", [{ id: "late", text: "Written while others embed anew." }]).pipe(
              Effect.zipLeft(Deferred.succeed(isWritten, undefined)),
              Effect.zipLeft(Deferred.await(goOn))
            )
          ))
          yield* Deferred.await(isWritten)
          const { embedder } = yield* newer()
          const steps: Array<PgReindex.Progress> = []
          const other = yield* Layer.build(Layer.fresh(server.client(database)))
          const running = yield* reindex(embedder).pipe(
            Stream.runForEach((progress) => Effect.sync(() => steps.push(progress))),
            Effect.provide(other),
            Effect.fork
          )
          yield* Effect.repeat(Effect.sync(() => steps.at(-1)?.left), {
            until: (left) => left === 0,
            schedule: Schedule.spaced("5 millis")
          })
          // It looks every half second whether they have.
          yield* Effect.sleep("800 millis")
          assert.isNull(running.unsafePoll())
          // Its own embedder's writers are not kept waiting meanwhile, nor does it wait for them.
          const after = yield* Effect.provide(storeWith(embedder), other)
          assert.strictEqual((yield* after.index("a", [{ id: "new", text: "Herons." }]))[0]?.status, "indexed")
          yield* Deferred.succeed(goOn, undefined)
          yield* Fiber.join(writing)
          yield* Fiber.join(running).pipe(Effect.timeout("10 seconds"))
          assert.deepStrictEqual(steps.at(-1), { done: 7, left: 0 })
          assert.strictEqual((yield* after.search({ tenant: "b", text: "written", limit: 1 })).length, 1)
          yield* Consistency.check(sql)
        })
      ))

    it.scoped("fails with a typed error when the embedder does, and keeps what is done", () =>
      onNew((sql) =>
        Effect.gen(function*() {
          const hash = yield* Effect.provide(Embedder.Embedder, Embedder.layerHash)
          yield* (yield* storeWith(hash)).index("a", documents(6))
          const { embedder } = yield* newer()
          let calls = 0
          const failing: Embedder.Embedding = {
            ...embedder,
            embed: (texts) =>
              ++calls > 1
                ? new Embedder.EmbedderError({ embedder: embedder.id, description: "is overloaded", isRetryable: true })
                : embedder.embed(texts)
          }
          const error = yield* Effect.flip(Stream.runDrain(reindex(failing, { batch: 2 })))
          assert.isTrue(error.isRetryable)
          const steps = Chunk.toReadonlyArray(yield* Stream.runCollect(reindex(embedder, { batch: 100 })))
          assert.deepStrictEqual([steps[0], steps.at(-1)], [{ done: 2, left: 4 }, { done: 6, left: 0 }])
          assert.deepStrictEqual(yield* sql`select from causeway_reindexing`, [])
        })
      ))
  })
}
