import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Directory from "../document/directory.js"
import * as Consistency from "./consistency.js"
import * as Killable from "./killable.js"
import * as Postgres from "./postgres.js"

/** How many times the server is killed: ten take some 25 seconds on two cores. */
const kills = Number(process.env["KILLS"] ?? 10)

const { missing } = Postgres
if (missing !== undefined) {
  // A reporter shows no reason for what it skips.
  process.stderr.write(`Durability of PgDocumentStore: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("Durability of PgDocumentStore", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

/** Only whoever is told of an outage by a log line needs it; these are many. */
const quiet = Effect.provide(Logger.remove(Logger.defaultLogger))

const textOf = (id: string, version: number): string => `State ${version} of ${id}: a heron. `.repeat(1 + version % 60)

for (const { bin, name } of Postgres.found.slice(0, 1)) {
  describe(`Durability of PgDocumentStore on ${name}`, () => {
    it.scopedLive(
      `neither loses nor doubles an acknowledged document when the server is killed ${kills} times under 4 writers`,
      () =>
        Effect.gen(function*() {
          const server = yield* Killable.make(bin)
          const context = yield* Layer.build(
            PgDocumentStore.layer({ pollEvery: "100 millis" }).pipe(
              Layer.provideMerge(Layer.merge(server.client, Embedder.layerHash))
            )
          )
          const store = Context.get(context, DocumentStore.DocumentStore)
          const sql = Context.get(context, SqlClient.SqlClient)

          const acknowledged = new Map<string, number>()
          let repeats = 0
          const writer = (number: number) =>
            Effect.gen(function*() {
              for (let n = 0;; n++) {
                // Two of three are new, every third one replaces what was there.
                const at = n % 3 === 2 ? n - 2 : n
                const documents = [at, at + 1_000_000].map((m) => {
                  const id = `w${number}-${m}`
                  return { id, version: n, text: textOf(id, n) }
                })
                for (let isDone = false; !isDone;) {
                  const outcomes = yield* Effect.either(store.index("tenant", documents))
                  if (outcomes._tag === "Right") {
                    for (const outcome of outcomes.right) {
                      assert.include(["indexed", "unchanged"], outcome.status)
                      if (outcome.status === "unchanged") repeats++
                    }
                    isDone = true
                  } else {
                    assert.strictEqual(outcomes.left.reason._tag, "Unavailable")
                    yield* Effect.sleep("10 millis")
                  }
                }
                for (const { id } of documents) acknowledged.set(id, n)
              }
            })
          const writers = yield* Effect.fork(Effect.all(Array.from({ length: 4 }, (_, n) => writer(n)), {
            concurrency: "unbounded"
          }))
          const seen: Array<DocumentStore.Change> = []
          yield* store.index("tenant", [{ id: "first", text: "The first." }])
          const follower = yield* Effect.fork(
            Stream.runForEach(store.changes({ tenant: "tenant", after: 0 }), (change) =>
              Effect.sync(() => seen.push(change)))
          )

          const look = Effect.gen(function*() {
            const expected = new Map(acknowledged)
            const rows = yield* sql<{ readonly id: string; readonly version: number | null; readonly text: string }>`
              select document.id, document.version::float8 as version, string_agg(passage.text, '' order by position) as text
              from causeway_documents as document
              join causeway_passages as passage on passage.tenant = document.tenant and passage.document = document.id
              group by document.id, document.version`
            const stored = new Map(rows.map((row) => [row.id, row]))
            assert.strictEqual(stored.size, rows.length)
            for (const [id, version] of expected) {
              const row = stored.get(id)
              assert.isDefined(row, id)
              assert.isAtLeast(row?.version ?? -1, version, id)
              assert.isTrue(row?.text.startsWith(`State ${row.version} of ${id}`), id)
            }
            yield* Consistency.check(sql)
            return expected.size
          }).pipe(Effect.retry({
            while: (error) =>
              error._tag === "SqlError",
            schedule: Schedule.spaced("20 millis")
          }))

          const recoveries: Array<number> = []
          for (let cycle = 0; cycle < kills; cycle++) {
            const before = acknowledged.size
            yield* Effect.sync(() => acknowledged.size).pipe(
              Effect.repeat({ until: (size) => size >= before + 20, schedule: Schedule.spaced("5 millis") })
            )
            yield* Effect.sleep((cycle * 37) % 100)
            yield* server.kill(cycle % 2 === 1)
            recoveries.push(yield* server.start)
            yield* look
          }
          yield* Fiber.interrupt(writers)
          const count = yield* look
          const [last] = yield* sql<{ readonly revision: number }>`
            select revision::float8 as revision from causeway_tenants where name = 'tenant'`
          yield* Effect.sync(() => seen.length).pipe(
            Effect.repeat({
              until: (length) => length >= (last?.revision ?? 0),
              schedule: Schedule.spaced("10 millis")
            }),
            Effect.timeout("20 seconds")
          )
          yield* Fiber.interrupt(follower)
          assert.deepStrictEqual(
            seen.map(({ revision }) => revision),
            Array.from({ length: last?.revision ?? 0 }, (_, n) => n + 1)
          )
          const sorted = recoveries.sort((a, b) => a - b).map(Math.round)
          process.stderr.write(
            `durability: ${kills} kills of ${name}, ${count} documents acknowledged, 0 lost, 0 doubled, ${repeats} stored ` +
              `without an acknowledgement; ready again p50 ${sorted[Math.floor(sorted.length / 2)]} ms, max ${
                sorted.at(-1)
              } ms\n`
          )
        }).pipe(quiet),
      600_000
    )

    it.scopedLive("holds every acknowledged document after its writer was killed", () =>
      Effect.gen(function*() {
        const server = yield* Killable.make(bin)
        const context = yield* Layer.build(
          PgDocumentStore.layer().pipe(Layer.provideMerge(Layer.merge(server.client, Embedder.layerHash)))
        )
        const store = Context.get(context, DocumentStore.DocumentStore)
        const acknowledged: Array<string> = []
        for (let cycle = 0; cycle < 3; cycle++) {
          const child = yield* Directory.program(
            "index",
            `postgres://postgres@127.0.0.1:${server.port}/postgres`,
            String(acknowledged.length)
          )
          const enough = acknowledged.length + 25
          while (acknowledged.length < enough) acknowledged.push((yield* child.line) ?? "the program ended")
          yield* child.kill
          for (let line = yield* child.line; line !== undefined; line = yield* child.line) acknowledged.push(line)
        }
        for (const id of acknowledged) assert.strictEqual((yield* store.get("tenant", id)).length, 1, id)
        yield* Consistency.check(Context.get(context, SqlClient.SqlClient))
      }), 120_000)
  })
}
