/**
 * The laws of how tasks begin, whose they are, and how they end.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import assert from "node:assert/strict"
import { ownerOf } from "../../task/TaskStore.js"
import { hostile, type Law, law, lease, questions, result } from "./TaskLaw.js"

const internal = -32603

/**
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law("answers a ping", ({ store }) => store.ping),

  law("shows a new task as working, with its times", ({ owner, see, store }) =>
    Effect.gen(function*() {
      const now = yield* TestClock.currentTimeMillis
      const { run, state } = yield* store.create({
        owner,
        tool: "count_herons",
        arguments: {},
        memo: {},
        ttlMs: 60_000,
        pollIntervalMs: 250,
        leaseMillis: lease
      })
      const { statusMessage, ...rest } = state
      assert.equal(typeof statusMessage, "string")
      assert.deepEqual(rest, {
        taskId: run.taskId,
        status: "working",
        createdAt: new Date(now).toISOString(),
        lastUpdatedAt: new Date(now).toISOString(),
        ttlMs: 60_000,
        pollIntervalMs: 250
      })
      assert.deepEqual(yield* see(run), state)
    })),

  law("gives every task an id of 128 bits or more that says nothing of others", ({ begin }) =>
    Effect.gen(function*() {
      const runs = yield* Effect.replicateEffect(begin(), 50, { concurrency: "unbounded" })
      const ids = runs.map(({ taskId }) => taskId)
      assert.equal(new Set(ids).size, 50)
      assert.equal(new Set(ids.map((id) => id.slice(0, 8))).size, 50)
      for (const id of ids) assert.match(id, /^[0-9a-f]{32,}$/)
    })),

  law("knows nothing of ids it did not give", ({ begin, owner, store }) =>
    Effect.gen(function*() {
      const { taskId } = yield* begin()
      for (const id of [...hostile, taskId.toUpperCase(), `${taskId} `, taskId.slice(1), "0".repeat(40)]) {
        assert.deepEqual(yield* store.get(id, owner), Option.none())
        assert.deepEqual(yield* store.answer(id, owner, { a: {} }, lease), { _tag: "Unknown" })
        assert.equal(yield* store.cancel(id, owner), "unknown")
      }
    })),

  law("hides a task from everybody but its owner", ({ beginAsking, owner, see, store }) =>
    Effect.gen(function*() {
      const run = yield* beginAsking(["a"])
      const before = yield* see(run)
      for (const stranger of [ownerOf({ tenant: "t", id: "i" }), `${owner} `, "", "*", "%"]) {
        assert.deepEqual(yield* store.get(run.taskId, stranger), Option.none())
        assert.deepEqual(yield* store.answer(run.taskId, stranger, { a: {} }, lease), { _tag: "Unknown" })
        assert.equal(yield* store.cancel(run.taskId, stranger), "unknown")
      }
      assert.deepEqual(yield* see(run), before)
    })),

  law("takes no owner for another, whatever tenant and id are made of", ({ begin, store }) =>
    Effect.gen(function*() {
      const people = [["a:b", "c"], ["a", "b:c"], ["a\",\"b", "c"], ["a", "b\",\"c"], ["", "ab"], ["ab", ""]]
        .concat(hostile.map((text) => [text, "x"]), hostile.map((text) => ["x", text]))
      const owners = people.map(([tenant = "", id = ""]) => ownerOf({ tenant, id }))
      assert.equal(new Set(owners).size, people.length)
      const runs = yield* Effect.forEach(owners, (owner) => begin({ owner }))
      for (const [n, { taskId }] of runs.entries()) {
        assert.ok(Option.isSome(yield* store.get(taskId, owners[n] ?? "")))
        assert.ok(Option.isNone(yield* store.get(taskId, owners[(n + 1) % owners.length] ?? "")))
      }
    })),

  law(
    "shows the result of a completed task, also when it is a tool's failure",
    ({ begin, see, store }) =>
      Effect.gen(function*() {
        for (const isError of [false, true]) {
          const run = yield* begin()
          const given = result("three herons", { isError, structuredJson: "{\"n\":3}", _meta: { "a/b": [null, 1.5] } })
          yield* TestClock.adjust("1 second")
          assert.equal(yield* store.finish(run, { status: "completed", result: given }), true)
          const state = yield* see(run)
          assert.ok(state.status === "completed")
          assert.deepEqual(state.result, given)
          assert.equal(Date.parse(state.lastUpdatedAt) - Date.parse(state.createdAt), 1_000)
        }
      })
  ),

  law("shows the error of a failed task, and no result", ({ begin, see, store }) =>
    Effect.gen(function*() {
      for (const data of [{}, { data: { why: ["a", null] } }]) {
        const run = yield* begin()
        const error = { code: -32602, message: "No such heron", ...data }
        assert.equal(yield* store.finish(run, { status: "failed", error }), true)
        const state = yield* see(run)
        assert.ok(state.status === "failed")
        assert.deepEqual(state.error, error)
        assert.equal(Object.hasOwn(state, "result"), false)
      }
    })),

  law("keeps every character of a result and of an error", ({ begin, see, store }) =>
    Effect.gen(function*() {
      const all = hostile.join("|")
      const run = yield* begin()
      const given = result(all, { structuredJson: JSON.stringify(hostile), _meta: { [all]: hostile } })
      yield* store.finish(run, { status: "completed", result: given })
      const state = yield* see(run)
      assert.ok(state.status === "completed")
      assert.deepEqual(state.result, given)
      const failing = yield* begin()
      yield* store.finish(failing, { status: "failed", error: { code: 1, message: all, data: hostile } })
      const failed = yield* see(failing)
      assert.ok(failed.status === "failed")
      assert.deepEqual(failed.error, { code: 1, message: all, data: hostile })
    })),

  law(
    "keeps what it was given, whatever becomes of that afterwards",
    ({ begin, see, store }) =>
      Effect.gen(function*() {
        const content = [{ type: "text" as const, text: "three" }]
        const run = yield* begin()
        yield* store.finish(run, { status: "completed", result: result("", { content }) })
        content.length = 0
        const state = yield* see(run)
        assert.ok(state.status === "completed")
        assert.deepEqual(state.result.content, [{ type: "text", text: "three" }])
      })
  ),

  law("refuses what has no JSON, and changes nothing", ({ begin, see, store }) =>
    Effect.gen(function*() {
      const circle: Record<string, unknown> = {}
      circle["self"] = circle
      const run = yield* begin()
      const errors = yield* Effect.all([
        Effect.flip(store.finish(run, { status: "completed", result: result("", { _meta: circle }) })),
        Effect.flip(store.finish(run, { status: "failed", error: { code: 1, message: "", data: 1n } })),
        Effect.flip(store.ask(run, questions(["a"]), circle)),
        Effect.flip(begin({ arguments: circle })),
        Effect.flip(begin({ memo: 1n }))
      ])
      for (const error of errors) assert.equal(error.reason._tag, "Unstorable")
      assert.equal((yield* see(run)).status, "working")
    })),

  law("counts the first end and no other", ({ begin, owner, see, store }) =>
    Effect.gen(function*() {
      for (
        const first of [
          { status: "completed", result: result("first") },
          { status: "failed", error: { code: 1, message: "first" } }
        ] as const
      ) {
        const run = yield* begin()
        assert.equal(yield* store.finish(run, first), true)
        const end = yield* see(run)
        yield* TestClock.adjust("1 second")
        assert.equal(yield* store.finish(run, { status: "completed", result: result("second") }), false)
        assert.equal(yield* store.finish(run, { status: "failed", error: { code: 2, message: "second" } }), false)
        assert.equal(yield* store.ask(run, questions(["a"]), {}), false)
        assert.equal(yield* store.cancel(run.taskId, owner), "ended")
        assert.deepEqual(yield* store.answer(run.taskId, owner, { a: {} }, lease), { _tag: "Ignored" })
        assert.deepEqual(yield* store.renew([run], lease), [])
        yield* TestClock.adjust("1 minute")
        assert.deepEqual(yield* see(run), end)
      }
    })),

  law(
    "cancels a task that works or waits, and says so once",
    ({ begin, beginAsking, owner, see, store }) =>
      Effect.gen(function*() {
        for (const run of [yield* begin(), yield* beginAsking(["a"])]) {
          assert.equal(yield* store.cancel(run.taskId, owner), "cancelled")
          assert.equal(yield* store.cancel(run.taskId, owner), "ended")
          assert.equal(yield* store.finish(run, { status: "completed", result: result("late") }), false)
          assert.equal(yield* store.ask(run, questions(["b"]), {}), false)
          assert.deepEqual(yield* store.answer(run.taskId, owner, { a: {} }, lease), { _tag: "Ignored" })
          const state = yield* see(run)
          assert.equal(state.status, "cancelled")
          for (const field of ["result", "error", "inputRequests"]) assert.equal(Object.hasOwn(state, field), false)
        }
      })
  ),

  law(
    "lets one of several ends win that come at once",
    ({ begin, other, owner, see, store }) =>
      Effect.gen(function*() {
        for (let n = 0; n < 10; n++) {
          const run = yield* begin()
          const [completed, failed, cancelled] = yield* Effect.all([
            store.finish(run, { status: "completed", result: result("done") }),
            other.finish(run, { status: "failed", error: { code: 1, message: "broken" } }),
            Effect.map(other.cancel(run.taskId, owner), (outcome) => outcome === "cancelled")
          ], { concurrency: "unbounded" })
          assert.equal([completed, failed, cancelled].filter(Boolean).length, 1)
          const { status } = yield* see(run)
          assert.equal(status, completed ? "completed" : failed ? "failed" : "cancelled")
        }
      })
  ),

  law(
    "fails a task whose run was not renewed in time, for good",
    ({ begin, other, owner, see, store }) =>
      Effect.gen(function*() {
        const run = yield* begin()
        yield* TestClock.adjust(lease - 1)
        assert.equal((yield* see(run)).status, "working")
        yield* TestClock.adjust(1)
        const [state] = yield* Effect.all([see(run), other.get(run.taskId, owner)], { concurrency: "unbounded" })
        assert.ok(state.status === "failed")
        assert.equal(state.error.code, internal)
        assert.match(state.error.message, /has gone.*again/)
        assert.deepEqual(yield* store.renew([run], lease), [])
        assert.equal(yield* store.finish(run, { status: "completed", result: result("late") }), false)
        assert.equal(yield* store.ask(run, questions(["a"]), {}), false)
        assert.deepEqual(yield* see(run), state)
      })
  ),

  law("lets either an end or a look win that come at once when the lease is over", (bench) =>
    Effect.gen(function*() {
      const { begin, other, owner, see, store } = bench
      for (let n = 0; n < 20; n++) {
        const run = yield* begin()
        yield* TestClock.adjust(lease)
        const [seen, finished] = yield* Effect.all([
          other.get(run.taskId, owner),
          store.finish(run, { status: "completed", result: result("late") })
        ], { concurrency: "unbounded" })
        const state = yield* see(run)
        assert.equal(state.status, finished ? "completed" : "failed")
        assert.deepEqual(seen, Option.some(state))
      }
    })),

  law(
    "lets a run go on that is renewed, also late if nobody looked",
    ({ begin, see, store }) =>
      Effect.gen(function*() {
        const run = yield* begin()
        for (let n = 0; n < 3; n++) {
          yield* TestClock.adjust(lease - 1)
          assert.deepEqual(yield* store.renew([run], lease), [run])
        }
        assert.equal((yield* see(run)).status, "working")
        yield* TestClock.adjust(2 * lease)
        assert.deepEqual(yield* store.renew([run], lease), [run])
        assert.equal((yield* see(run)).status, "working")
      })
  ),

  law(
    "renews many runs at once, and gives only those that still count",
    ({ begin, other, owner, store }) =>
      Effect.gen(function*() {
        const runs = yield* Effect.replicateEffect(begin(), 6)
        const [first, second, third, ...rest] = runs
        assert.ok(first !== undefined && second !== undefined && third !== undefined)
        yield* other.cancel(first.taskId, owner)
        yield* other.finish(second, { status: "completed", result: result("done") })
        yield* other.ask(third, questions(["a"]), {})
        const unknown = { taskId: "f".repeat(40), number: 1 }
        const renewed = yield* store.renew([...runs, unknown], lease)
        assert.deepEqual(new Set(renewed.map(({ taskId }) => taskId)), new Set(rest.map(({ taskId }) => taskId)))
        assert.deepEqual(yield* store.renew([], lease), [])
      })
  ),

  law("forgets a task when its time to live has passed, and not before", (bench) =>
    Effect.gen(function*() {
      const { begin, beginAsking, owner, see, seeNothing, store } = bench
      const forever = yield* begin({ ttlMs: null, leaseMillis: 1e9 })
      assert.equal((yield* see(forever)).ttlMs, null)
      const working = yield* begin({ ttlMs: 5_000 })
      const asking = yield* beginAsking(["a"], { ttlMs: 5_000 })
      const done = yield* begin({ ttlMs: 5_000 })
      yield* store.finish(done, { status: "completed", result: result("done") })
      yield* TestClock.adjust(4_999)
      for (const run of [working, asking, done]) yield* see(run)
      yield* TestClock.adjust(1)
      for (const run of [working, asking, done]) {
        yield* seeNothing(run)
        assert.equal(yield* store.cancel(run.taskId, owner), "unknown")
        assert.deepEqual(yield* store.answer(run.taskId, owner, { a: {} }, lease), { _tag: "Unknown" })
      }
      assert.deepEqual(yield* store.renew([working], lease), [])
      assert.equal(yield* store.finish(working, { status: "completed", result: result("late") }), false)
      assert.equal(yield* store.ask(working, questions(["a"]), {}), false)
      yield* TestClock.adjust("1 day")
      assert.equal((yield* see(forever)).status, "working")
      yield* store.cancel(forever.taskId, owner)
    })),

  law(
    "sweeps away what has expired and nothing else",
    ({ begin, other, see, seeNothing, store }) =>
      Effect.gen(function*() {
        // Other laws' tasks may expire within this law's hour, too.
        const all = Effect.iterate(1, { while: (swept) => swept > 0, body: () => store.sweep })
        const short = yield* Effect.replicateEffect(begin({ ttlMs: 1_000 }), 3)
        const long = yield* begin({ ttlMs: 1_001 })
        yield* TestClock.adjust(1_000)
        const swept = yield* Effect.all([store.sweep, other.sweep], { concurrency: "unbounded" })
        assert.ok(swept[0] + swept[1] >= 3)
        yield* all
        for (const run of short) yield* seeNothing(run)
        assert.equal((yield* see(long)).status, "working")
        yield* TestClock.adjust(1)
        assert.ok((yield* store.sweep) >= 1)
        assert.equal(yield* store.sweep, 0)
      })
  ),

  law("shows at one instance what another stored", ({ begin, other, owner, see, store }) =>
    Effect.gen(function*() {
      const run = yield* begin()
      assert.deepEqual(yield* other.get(run.taskId, owner), Option.some(yield* see(run)))
      assert.equal(yield* other.finish(run, { status: "completed", result: result("done") }), true)
      assert.deepEqual(yield* store.get(run.taskId, owner), yield* other.get(run.taskId, owner))
    }))
]
