import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as PgListener from "causeway-mcp/document/PgListener"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Postgres from "./postgres.js"

const until = (isSo: () => boolean) =>
  Effect.sync(isSo).pipe(
    Effect.repeat({ until: (is) => is, schedule: Schedule.spaced("5 millis") }),
    Effect.timeout("60 seconds")
  )

/** A store of its own, as another process would have one; woken by a listener unless it shall only look. */
const instance = (database: string, options: PgDocumentStore.Options = {}, isWoken = true) =>
  Effect.gen(function*() {
    const server = yield* Postgres.Server
    const client = Layer.fresh(server.client(database))
    const port = yield* Effect.provide(
      Effect.flatMap(SqlClient.SqlClient, (sql) => sql<{ readonly port: number }>`select inet_server_port() as port`),
      server.client(database)
    )
    const url = Redacted.make(`postgres://postgres@127.0.0.1:${port[0]?.port ?? 0}/${database}`)
    const Store = PgDocumentStore.layer(options).pipe(
      Layer.provideMerge(Layer.mergeAll(client, Embedder.layerHash, isWoken ? PgListener.layer({ url }) : Layer.empty))
    )
    const context = yield* Layer.build(Store)
    return { store: Context.get(context, DocumentStore.DocumentStore), sql: Context.get(context, SqlClient.SqlClient) }
  })

const note = (id: string, version?: number) => ({ id, text: `Note ${id} in state ${version ?? "unknown"}.`, version })

const take = <A, E>(stream: Stream.Stream<A, E>, count: number) =>
  Stream.runCollect(Stream.take(stream, count)).pipe(Effect.map(Chunk.toReadonlyArray), Effect.timeout("20 seconds"))

const quantile = (sorted: ReadonlyArray<number>, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0

const { missing } = Postgres
if (missing !== undefined) {
  // A reporter shows no reason for what it skips.
  process.stderr.write(`PgChanges on a server: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("PgChanges on a server", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

for (const { bin, name } of Postgres.found.slice(0, 1)) {
  const Server = Postgres.layer(bin)

  layer(Server, { timeout: "60 seconds", excludeTestServices: true })(`PgDocumentStore.changes on ${name}`, (it) => {
    it.scoped(
      "brings 10,000 writes of 8 writers over 2 instances, each once and in order, while listeners are killed",
      () =>
        Effect.gen(function*() {
          const server = yield* Postgres.Server
          const database = yield* server.createDatabase
          const first = yield* instance(database)
          const second = yield* instance(database)
          const tenants = ["north", "south", "west"]
          const writes = 1_250
          const together = 5
          const acknowledged = new Map<string, number>()
          const keyOf = (tenant: string, id: string, version: number | undefined) => `${tenant} ${id} ${version}`

          const latencies: Array<number> = []
          const follow = (
            store: Context.Tag.Service<DocumentStore.DocumentStore>,
            options?: { readonly tenant: string; readonly after: number }
          ) => {
            const seen: Array<DocumentStore.Change> = []
            const pending = new Map<string, number>()
            return Effect.as(
              Effect.forkScoped(Stream.runForEach(store.changes(options), (change) =>
                Effect.sync(() => {
                  seen.push(change)
                  const key = keyOf(change.tenant, change.documentId, change.version)
                  const at = acknowledged.get(key)
                  if (at === undefined) pending.set(key, 0)
                  else latencies.push(Math.max(0, performance.now() - at))
                }))),
              { seen, ahead: pending }
            )
          }
          const ofOne = yield* follow(first.store, { tenant: "north", after: 0 })
          const ofAll = yield* follow(second.store)
          // A follower of all begins with now: it is there when it sees a first change.
          yield* first.store.index("marker", [note("marker")]).pipe(
            Effect.zipRight(first.store.remove("marker", ["marker"])),
            Effect.repeat({ until: () => ofAll.seen.length > 0, schedule: Schedule.spaced("50 millis") })
          )

          const killer = yield* first.sql`
            select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'causeway-listener'`.pipe(
            Effect.repeat(Schedule.spaced("300 millis")),
            Effect.fork
          )
          const began = performance.now()
          yield* Effect.forEach(Array.from({ length: 8 }, (_, n) => n), (writer) =>
            Effect.gen(function*() {
              const { store } = writer % 2 === 0 ? first : second
              for (let n = 0; n < writes; n += together) {
                const tenant = tenants[(writer + n) % tenants.length] ?? ""
                const documents = Array.from({ length: together }, (_, m) => note(`w${writer}-${(n + m) % 7}`, n + m))
                const outcomes = yield* store.index(tenant, documents)
                const now = performance.now()
                for (const [m, { id }] of documents.entries()) {
                  assert.strictEqual(outcomes[m]?.status, "indexed")
                  acknowledged.set(keyOf(tenant, id, n + m), now)
                }
              }
            }), { concurrency: "unbounded" })
          const took = performance.now() - began
          const total = 8 * writes
          yield* until(() => ofAll.seen.filter(({ tenant }) => tenant !== "marker").length >= total)
          const written = [...acknowledged.keys()]
          yield* until(() => ofOne.seen.length >= written.filter((key) => key.startsWith("north ")).length)
          yield* Fiber.interrupt(killer)

          for (const { seen } of [ofOne, ofAll]) {
            const revisions = new Map<string, number>()
            const versions = new Map<string, number>()
            for (const { documentId, revision, tenant, version = -1 } of seen) {
              const key = `${tenant} ${documentId}`
              if (tenant !== "marker") {
                assert.strictEqual(revision, (revisions.get(tenant) ?? 0) + 1)
                assert.isAbove(version, versions.get(key) ?? -1)
              }
              revisions.set(tenant, revision)
              versions.set(key, version)
            }
          }
          const keys = (seen: ReadonlyArray<DocumentStore.Change>) =>
            seen.filter(({ tenant }) => tenant !== "marker")
              .map(({ documentId, tenant, version }) => keyOf(tenant, documentId, version)).sort()
          assert.deepStrictEqual(keys(ofAll.seen), [...written].sort())
          assert.deepStrictEqual(keys(ofOne.seen), written.filter((key) => key.startsWith("north ")).sort())

          for (const _ of [...ofOne.ahead.keys(), ...ofAll.ahead.keys()]) latencies.push(0)
          latencies.sort((a, b) => a - b)
          const p99 = quantile(latencies, 0.99)
          process.stderr.write(
            `changes: ${total} writes in ${(took / 1000).toFixed(1)} s; from acknowledgement to follower ` +
              `p50 ${quantile(latencies, 0.5).toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ` +
              `max ${(latencies.at(-1) ?? 0).toFixed(0)} ms\n`
          )
          assert.isBelow(p99, 3_000)
        }),
      300_000
    )

    it.scoped("brings another instance's changes by looking alone, where nothing wakes it", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        const writer = yield* instance(database, {}, false)
        const reader = yield* instance(database, { pollEvery: "20 millis" }, false)
        const following = yield* Effect.fork(take(reader.store.changes({ tenant: "t", after: 0 }), 4))
        yield* writer.store.index("other", [note("x")])
        yield* writer.store.index("t", [note("a", 3), note("b")])
        yield* writer.store.index("t", [note("a", 3), note("b")])
        yield* writer.store.remove("t", ["a", "unknown"])
        yield* writer.store.index("t", [note("a", 1)])
        const changes = yield* Fiber.join(following)
        assert.deepStrictEqual(
          changes.map(({ documentId, kind, revision, version }) => [revision, documentId, kind, version]),
          [[1, "a", "indexed", 3], [2, "b", "indexed", undefined], [3, "a", "removed", undefined], [
            4,
            "a",
            "indexed",
            1
          ]]
        )
        assert.strictEqual((yield* reader.store.size("t")).revision, 4)
      }))

    it.scoped("shows nothing of a transaction before it ends, keeps its writers in order and leaves no gap", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        const slow = yield* instance(database)
        const quick = yield* instance(database)
        yield* slow.store.index("t", [note("start")])
        const seen: Array<string> = []
        yield* Effect.forkScoped(
          Stream.runForEach(
            quick.store.changes({ tenant: "t", after: 1 }),
            ({ documentId, revision }) => Effect.sync(() => seen.push(`${revision} ${documentId}`))
          )
        )
        const abandoned = slow.sql.withTransaction(
          Effect.zipRight(slow.store.index("t", [note("undone")]), Effect.fail("no"))
        )
        yield* Effect.exit(abandoned)
        const held = yield* Effect.makeLatch(false)
        const isWritten = yield* Effect.makeLatch(false)
        const holding = yield* Effect.fork(slow.sql.withTransaction(
          slow.store.index("t", [note("first")]).pipe(
            Effect.zipRight(isWritten.open),
            Effect.zipRight(held.await)
          )
        ))
        yield* isWritten.await
        const waiting = yield* Effect.fork(quick.store.index("t", [note("second")]))
        yield* quick.store.index("u", [note("elsewhere")])
        const blocked = quick.sql`select from pg_stat_activity where wait_event_type = 'Lock'`
        yield* Effect.repeat(blocked, { until: (rows) => rows.length > 0 })
        assert.deepStrictEqual(seen, [])
        yield* held.open
        yield* Fiber.join(holding)
        yield* Fiber.join(waiting)
        yield* until(() => seen.length === 2)
        assert.deepStrictEqual(seen, ["2 first", "3 second"])
      }))

    it.scoped("discovers tenants that come later, and begins with now", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        const { store } = yield* instance(database)
        yield* store.index("old", [note("before")])
        const seen: Array<string> = []
        yield* Effect.forkScoped(
          Stream.runForEach(store.changes(), ({ documentId, tenant }) =>
            Effect.sync(() => seen.push(`${tenant} ${documentId}`)))
        )
        let n = 0
        yield* Effect.suspend(() =>
          store.index("old", [note(`after-${n++}`)])
        ).pipe(
          Effect.repeat({ until: () => seen.length > 0, schedule: Schedule.spaced("20 millis") })
        )
        yield* store.index("new", [note("a"), note("b")])
        yield* until(() => seen.includes("new b"))
        assert.deepStrictEqual(seen.filter((line) => line.startsWith("new")), ["new a", "new b"])
        assert.notInclude(seen, "old before")
      }))

    it.scoped("follows all through a tenant's first documents in a transaction that is still open", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const { sql, store } = yield* instance(yield* server.createDatabase, { pollEvery: "20 millis" })
        const seen: Array<string> = []
        const following = yield* Effect.fork(
          Stream.runForEach(
            store.changes(),
            ({ documentId, tenant }) => Effect.sync(() => seen.push(`${tenant} ${documentId}`))
          )
        )
        let n = 0
        yield* Effect.suspend(() => store.index("old", [note(`marker-${n++}`)])).pipe(
          Effect.repeat({ until: () => seen.length > 0, schedule: Schedule.spaced("20 millis") })
        )
        yield* sql.withTransaction(Effect.gen(function*() {
          yield* store.index("new", [note("a")])
          // Its reading of a change that came later shows that the follower was told of the tenant and looked.
          for (const turn of [1, 2]) {
            yield* Effect.forkDaemon(store.index("old", [note(`turn-${turn}`)])).pipe(
              Effect.flatMap(Fiber.join),
              Effect.mapInputContext((context: Context.Context<never>) =>
                Context.omit(SqlClient.TransactionConnection)(
                  context as Context.Context<SqlClient.TransactionConnection>
                )
              )
            )
            yield* Effect.raceFirst(until(() => seen.includes(`old turn-${turn}`)), Fiber.join(following))
          }
          assert.notInclude(seen, "new a")
        }))
        yield* Effect.raceFirst(until(() => seen.includes("new a")), Fiber.join(following))
      }))

    it.scoped("is not misled by notifications that are not its own", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const { sql, store } = yield* instance(yield* server.createDatabase)
        const seen: Array<string> = []
        const following = yield* Effect.fork(
          Stream.runForEach(store.changes(), ({ documentId, tenant }) =>
            Effect.sync(() => seen.push(`${tenant} ${documentId}`)))
        )
        let n = 0
        yield* Effect.suspend(() =>
          store.index("t", [note(`marker-${n++}`)])
        ).pipe(
          Effect.repeat({ until: () => seen.length > 0, schedule: Schedule.spaced("20 millis") })
        )
        const payloads = [
          ...[
            "",
            ":",
            "x",
            "1",
            "0:5",
            "-1:5",
            "999:5",
            "1e6:1e6",
            "1:9007199254740991",
            "1:-1",
            "1:2:3",
            "'; select 1"
          ],
          ...["2147483648:1", "9007199254740991:9007199254740991", "NaN:Infinity", "x".repeat(7_000)]
        ]
        for (const [turn, payload] of payloads.entries()) {
          yield* sql`select pg_notify('causeway_changes', ${payload})`
          yield* store.index("t", [note(`turn-${turn}`)])
          yield* Effect.raceFirst(
            until(() => seen.includes(`t turn-${turn}`)).pipe(Effect.timeout("10 seconds")),
            Fiber.join(following)
          )
        }
      }))

    it.scoped("reads as its consumer takes, and holds no connection while nothing comes", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        const { sql, store } = yield* instance(database, {}, false)
        yield* store.index("t", Array.from({ length: 1_200 }, (_, n) => note(`d${n}`)))
        let taken = 0
        const slow = yield* Effect.fork(Stream.runForEach(
          store.changes({ tenant: "t", after: 0 }),
          () => ++taken < 10 ? Effect.void : Effect.never
        ))
        yield* until(() => taken === 10)
        // Twenty more who wait for what does not come, on eight connections.
        const waiting = yield* Effect.forEach(
          Array.from({ length: 20 }),
          () => Effect.fork(Stream.runDrain(store.changes({ tenant: "t", after: 1_200 })))
        )
        const idle = sql<{ readonly busy: number }>`
          select count(*)::int as busy from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`
        yield* Effect.repeat(idle, { until: ([row]) => row?.busy === 0, schedule: Schedule.spaced("10 millis") })
        assert.strictEqual((yield* store.index("t", [note("one more")]))[0]?.status, "indexed")
        yield* Fiber.interruptAll([slow, ...waiting])
        assert.strictEqual(taken, 10)
      }))

    it.scoped("fails as expired where what comes next was forgotten, or never was", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const database = yield* server.createDatabase
        const { sql, store } = yield* instance(database, { keepChanges: "1 hour" }, false)
        yield* store.index("t", Array.from({ length: 5 }, (_, n) => note(`d${n}`)))
        yield* sql`
          update causeway_changes set changed_at = now() - interval '2 hours' where revision <= 3 or revision = 5`
        yield* instance(database, { keepChanges: "1 hour" }, false)
        const trimmed = sql<{ readonly trimmed: number }>`select trimmed::int as trimmed from causeway_tenants`
        yield* Effect.repeat(trimmed, { until: ([row]) => row?.trimmed === 3, schedule: Schedule.spaced("20 millis") })
        assert.strictEqual((yield* sql`select from causeway_changes`).length, 2)
        for (const after of [0, 2]) {
          const error = yield* Effect.flip(Stream.runDrain(store.changes({ tenant: "t", after })))
          assert.deepStrictEqual([error.method, error.reason._tag], ["changes", "Expired"])
          if (error.reason._tag === "Expired") assert.strictEqual(error.reason.oldest, 3)
        }
        const rest = yield* take(store.changes({ tenant: "t", after: 3 }), 2)
        assert.deepStrictEqual(rest.map(({ documentId }) => documentId), ["d3", "d4"])
        for (const [tenant, after] of [["t", 6], ["never seen", 1]] as const) {
          const error = yield* Effect.flip(Stream.runDrain(store.changes({ tenant, after })))
          assert.strictEqual(error.reason._tag, "Expired")
        }
        for (const after of [-1, 0.5, Number.NaN]) {
          const error = yield* Effect.flip(Stream.runDrain(store.changes({ tenant: "t", after })))
          assert.strictEqual(error.reason._tag, "Invalid")
        }
      }))

    it.scoped("ends at once when it is interrupted, also inside the caller's own transaction", () =>
      Effect.gen(function*() {
        const server = yield* Postgres.Server
        const { sql, store } = yield* instance(yield* server.createDatabase, {}, false)
        yield* store.index("t", [note("a")])
        const inside = yield* sql.withTransaction(Effect.gen(function*() {
          yield* store.index("t", [note("b")])
          const following = yield* Effect.fork(Stream.runCollect(store.changes({ tenant: "t", after: 1 })))
          const seen = yield* take(store.changes({ tenant: "t", after: 0 }), 1)
          yield* Fiber.interrupt(following)
          return seen
        }))
        assert.deepStrictEqual(inside.map(({ documentId }) => documentId), ["a"])
      }))
  })

  layer(Server, { timeout: "60 seconds", excludeTestServices: true })(
    `PgDocumentStore.changes without ${name}`,
    (it) => {
      it.scoped("waits through an outage, and says so once", () =>
        Effect.gen(function*() {
          const server = yield* Postgres.Server
          const warnings: Array<string> = []
          const logger = Logger.make(({ message }) => void warnings.push(String(message)))
          yield* Effect.gen(function*() {
            const { store } = yield* instance(yield* server.createDatabase, { pollEvery: "10 millis" }, false)
            yield* store.index("t", [note("a")])
            const seen: Array<string> = []
            const following = yield* Effect.fork(
              Stream.runForEach(
                store.changes({ tenant: "t", after: 0 }),
                ({ documentId }) => Effect.sync(() => seen.push(documentId))
              )
            )
            yield* until(() => seen.length === 1)
            yield* server.stop
            yield* until(() => warnings.some((line) => line.includes("cannot be read")))
            yield* Effect.sleep("500 millis")
            assert.isNull(following.unsafePoll())
            assert.lengthOf(warnings.filter((line) => line.includes("cannot be read")), 1)
            yield* Fiber.interrupt(following)
          }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
        }))
    }
  )
}
