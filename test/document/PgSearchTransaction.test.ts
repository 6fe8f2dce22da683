import * as SqlClient from "@effect/sql/SqlClient"
import { assert, layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as Tracer from "effect/Tracer"
import * as Directory from "./directory.js"

const Client = Layer.unwrapScoped(Effect.map(Directory.prepared, (dataDir) => Pglite.layer({ dataDir })))

const Store = PgDocumentStore.layer().pipe(Layer.provideMerge(Layer.merge(Client, Embedder.layerHash)))

const query = { tenant: "tenant", text: "herons", limit: 5 }

const settings = ["statement_timeout", "jit"] as const

const current = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<Record<string, string>>`
    select current_setting(${settings[0]}) as statement_timeout, current_setting(${settings[1]}) as jit`
  return row
})

/** Writes down what the statement that reads passages is limited to. */
const observed = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`create table seen (milliseconds integer)`
  yield* sql`
    create function noted() returns boolean language plpgsql as
    'begin insert into seen select setting::int from pg_settings where name = ''statement_timeout''; return true; end'`
  yield* sql`alter table causeway_passages rename to observed_passages`
  yield* sql`create view causeway_passages as select * from observed_passages where noted()`
  return Effect.map(
    Effect.zipLeft(sql<{ readonly milliseconds: number }>`select milliseconds from seen`, sql`truncate seen`),
    (rows) => [...new Set(rows.map(({ milliseconds }) => milliseconds))]
  )
})

const restored = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`drop view causeway_passages`
  yield* sql`alter table observed_passages rename to causeway_passages`
  yield* sql`drop function noted`
  yield* sql`drop table seen`
})

/** Keeps the one session busy until it is told to stop. */
const occupied = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const isBusy = yield* Deferred.make<void>()
  const isOver = yield* Deferred.make<void>()
  const fiber = yield* Effect.fork(sql.withTransaction(
    Effect.zipRight(Deferred.succeed(isBusy, undefined), Deferred.await(isOver))
  ))
  yield* Deferred.await(isBusy)
  return Effect.zipRight(Deferred.succeed(isOver, undefined), Fiber.join(fiber))
})

/** The names of the spans that an effect opens. */
const traced = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const names: Array<string> = []
  const tracer = Tracer.make({
    span: (name, parent, context, links, startTime, kind) => {
      names.push(name)
      return {
        _tag: "Span",
        name,
        spanId: String(names.length),
        traceId: "trace",
        parent,
        context,
        links,
        kind,
        status: { _tag: "Started", startTime },
        attributes: new Map(),
        sampled: true,
        attribute: () => undefined,
        event: () => undefined,
        end: () => undefined,
        addLinks: () => undefined
      }
    },
    context: (f) => f()
  })
  return { names, effect: Effect.withTracer(effect, tracer) }
}

layer(Store, { timeout: "60 seconds" })("a search's transaction", (it) => {
  it.effect("limits its statements to a little less than the time that is left, the method's or the caller's", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      yield* store.index("tenant", [{ id: "a", text: "Herons." }])
      const seen = yield* observed
      yield* Effect.gen(function*() {
        yield* store.search(query)
        assert.deepStrictEqual(yield* seen, [4_900])
        yield* TimeLimit.within(store.search(query), "200 millis")
        assert.deepStrictEqual(yield* seen, [180])
        yield* TimeLimit.within(store.search(query), "1 hour")
        assert.deepStrictEqual(yield* seen, [4_900])
      }).pipe(Effect.ensuring(Effect.orDie(restored)))
    }))

  it.effect("leaves no setting behind, in its own transaction or in the caller's", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const sql = yield* SqlClient.SqlClient
      const before = yield* current
      assert.strictEqual((yield* store.search(query)).length, 1)
      assert.deepStrictEqual(yield* current, before)
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* sql`set local statement_timeout = 7000`
        yield* sql`set local jit = on`
        const inside = yield* current
        assert.strictEqual((yield* store.search(query)).length, 1)
        assert.deepStrictEqual(yield* current, inside)
      }))
    }))

  it.effect("leaves the caller's transaction usable when it fails", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const sql = yield* SqlClient.SqlClient
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* sql`alter table causeway_vectors rename to renamed`
        yield* Effect.flip(store.search({ ...query, vector: new Float32Array(384).fill(1) }))
        yield* sql`alter table renamed rename to causeway_vectors`
        assert.strictEqual((yield* store.search(query)).length, 1)
      }))
    }))

  it.effect("leaves the queue when its caller gave up, and asks nothing any more", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const release = yield* occupied
      const { effect, names } = traced(store.search(query))
      const waiting = yield* Effect.forEach([1, 2, 3], () =>
        Effect.fork(Effect.either(TimeLimit.within(effect, "1 second"))))
      const patient = yield* Effect.fork(store.search(query))
      yield* TestClock.adjust("1 second")
      for (const fiber of waiting) {
        const result = yield* Fiber.join(fiber)
        assert.strictEqual(result._tag === "Left" ? result.left.reason._tag : "found", "Unavailable")
      }
      yield* release
      assert.strictEqual((yield* Fiber.join(patient)).length, 1)
      yield* store.ping
      assert.include(names, "sql.transaction")
      assert.notInclude(names, "sql.execute")
    }))

  it.effect("holds its turn to its end, so that the first to come is the first to be answered", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const release = yield* occupied
      const order: Array<number> = []
      const searches = yield* Effect.forEach([0, 1, 2, 3, 4], (n) =>
        Effect.zipLeft(
          Effect.fork(Effect.tap(store.search(query), () => Effect.sync(() => order.push(n)))),
          Effect.yieldNow()
        ))
      yield* release
      yield* Fiber.joinAll(searches)
      assert.deepStrictEqual(order, [0, 1, 2, 3, 4])
    }))

  it.effect("is not begun when no time is left", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const { effect, names } = traced(Effect.either(store.search(query)))
      const late = yield* Effect.fork(TimeLimit.within(Effect.zipRight(Effect.sleep("2 seconds"), effect), "1 second"))
      yield* TestClock.adjust("2 seconds")
      const result = yield* Fiber.join(late)
      assert.isTrue(Option.isSome(Option.liftPredicate(result, ({ _tag }) => _tag === "Left")))
      assert.notInclude(names, "sql.transaction")
      for (
        const question of [
          store.get("tenant", "a"),
          store.list("tenant", { limit: 1 }),
          store.size("tenant"),
          store.ping,
          store.index("tenant", [{ id: "z", text: "Late." }]),
          store.remove("tenant", ["a"])
        ] as ReadonlyArray<Effect.Effect<unknown, DocumentStore.DocumentStoreError>>
      ) {
        const asked = yield* Effect.fork(
          Effect.flip(TimeLimit.within(Effect.zipRight(Effect.sleep("2 seconds"), question), "1 second"))
        )
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual((yield* Fiber.join(asked)).reason._tag, "Unavailable")
      }
      assert.strictEqual((yield* store.size("tenant")).documents, 1)
    }))
})
