/**
 * The laws of a task's questions and their answers.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import assert from "node:assert/strict"
import type { State } from "../../protocol/McpTask.js"
import { hostile, type Law, law, lease, questions, result } from "./TaskLaw.js"

const openKeys = (state: State): ReadonlyArray<string> => {
  assert.ok(state.status === "input_required")
  return Object.keys(state.inputRequests)
}

const accept = (value: string) => ({ action: "accept", content: { value } })

/**
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law("shows the questions of a task that waits, in their order", ({ begin, see, store }) =>
    Effect.gen(function*() {
      const run = yield* begin()
      const asked = questions(["name", "colour", "b", "a"])
      yield* TestClock.adjust("1 second")
      assert.equal(yield* store.ask(run, asked, {}), true)
      const state = yield* see(run)
      assert.ok(state.status === "input_required")
      assert.deepEqual(state.inputRequests, asked)
      assert.deepEqual(openKeys(state), ["name", "colour", "b", "a"])
      assert.equal(Date.parse(state.lastUpdatedAt) - Date.parse(state.createdAt), 1_000)
    })),

  law("does not wait for answers to no question", ({ begin, see, store }) =>
    Effect.gen(function*() {
      const run = yield* begin()
      assert.equal(yield* store.ask(run, {}, {}), false)
      assert.equal((yield* see(run)).status, "working")
    })),

  law("ends the run that asked", ({ beginAsking, see, store }) =>
    Effect.gen(function*() {
      const run = yield* beginAsking(["a"])
      assert.equal(yield* store.ask(run, questions(["b"]), {}), false)
      assert.equal(yield* store.finish(run, { status: "completed", result: result("late") }), false)
      assert.deepEqual(yield* store.renew([run], lease), [])
      assert.deepEqual(openKeys(yield* see(run)), ["a"])
    })),

  law("waits for answers without a lease", ({ beginAsking, see }) =>
    Effect.gen(function*() {
      const run = yield* beginAsking(["a"])
      yield* TestClock.adjust(10 * lease)
      assert.equal((yield* see(run)).status, "input_required")
    })),

  law(
    "gives the next run the call, the memo and every answer of the round",
    ({ answer, begin, see, store }) =>
      Effect.gen(function*() {
        const first = yield* begin({ tool: "delete_file", arguments: { name: "x" }, memo: "first" })
        const memo = { steps: { one: [1, null] } }
        yield* store.ask(first, questions(["a", "b"]), memo)
        assert.deepEqual(yield* answer(first, { a: accept("1") }), { _tag: "Waiting" })
        assert.deepEqual(openKeys(yield* see(first)), ["b"])
        const again = yield* answer(first, { b: accept("2") })
        assert.ok(again._tag === "Again")
        assert.equal(again.run.taskId, first.taskId)
        assert.deepEqual(
          { tool: again.tool, arguments: again.arguments, memo: again.memo, responses: again.responses },
          { tool: "delete_file", arguments: { name: "x" }, memo, responses: { a: accept("1"), b: accept("2") } }
        )
        assert.equal((yield* see(first)).status, "working")
        assert.equal(yield* store.finish(again.run, { status: "completed", result: result("deleted") }), true)
      })
  ),

  law("tells arguments that are null from none", ({ answer, begin, store }) =>
    Effect.gen(function*() {
      for (const given of [undefined, null, 0, "", []]) {
        const run = yield* begin({ arguments: given, memo: given })
        yield* store.ask(run, questions(["a"]), given)
        const again = yield* answer(run, { a: {} })
        assert.ok(again._tag === "Again")
        assert.deepEqual(again.arguments, given)
        assert.deepEqual(again.memo, given ?? null)
      }
    })),

  law(
    "takes answers to open questions only, and the first to each",
    ({ answer, beginAsking, see }) =>
      Effect.gen(function*() {
        const run = yield* beginAsking(["a", "b"])
        const before = yield* see(run)
        yield* TestClock.adjust("1 second")
        assert.deepEqual(yield* answer(run, {}), { _tag: "Ignored" })
        assert.deepEqual(yield* answer(run, { c: accept("0"), A: accept("0"), "": accept("0") }), { _tag: "Ignored" })
        assert.deepEqual(yield* see(run), before)
        assert.deepEqual(yield* answer(run, { a: accept("first"), c: accept("0") }), { _tag: "Waiting" })
        assert.deepEqual(yield* answer(run, { a: accept("second") }), { _tag: "Ignored" })
        const again = yield* answer(run, { a: accept("third"), b: accept("only") })
        assert.ok(again._tag === "Again")
        assert.deepEqual(again.responses, { a: accept("first"), b: accept("only") })
      })
  ),

  law("ignores answers to a task that waits for none", ({ answer, begin, beginAsking, see }) =>
    Effect.gen(function*() {
      const working = yield* begin()
      assert.deepEqual(yield* answer(working, { a: accept("1") }), { _tag: "Ignored" })
      const answered = yield* beginAsking(["a"])
      yield* answer(answered, { a: accept("1") })
      const state = yield* see(answered)
      assert.deepEqual(yield* answer(answered, { a: accept("2") }), { _tag: "Ignored" })
      assert.deepEqual(yield* see(answered), state)
    })),

  law(
    "hears the run of the last answer and no earlier one",
    ({ answer, beginAsking, see, store }) =>
      Effect.gen(function*() {
        const first = yield* beginAsking(["a"])
        const again = yield* answer(first, { a: accept("1") })
        assert.ok(again._tag === "Again")
        assert.equal(yield* store.finish(first, { status: "failed", error: { code: 1, message: "late" } }), false)
        assert.equal(yield* store.ask(first, questions(["late"]), {}), false)
        assert.deepEqual(yield* store.renew([first], lease), [])
        assert.deepEqual(yield* store.renew([first, again.run], lease), [again.run])
        assert.equal((yield* see(first)).status, "working")
        assert.equal(yield* store.finish(again.run, { status: "completed", result: result("done") }), true)
      })
  ),

  law("begins a lease with the run of the last answer", ({ answer, beginAsking, see }) =>
    Effect.gen(function*() {
      const run = yield* beginAsking(["a"])
      yield* TestClock.adjust(2 * lease)
      yield* answer(run, { a: accept("1") })
      yield* TestClock.adjust(lease - 1)
      assert.equal((yield* see(run)).status, "working")
      yield* TestClock.adjust(1)
      assert.equal((yield* see(run)).status, "failed")
    })),

  law(
    "asks again in the next run, and keeps the rounds apart",
    ({ answer, beginAsking, see, store }) =>
      Effect.gen(function*() {
        let run = yield* beginAsking(["a0", "b0"])
        for (let round = 1; round < 4; round++) {
          const before = round - 1
          const again = yield* answer(run, { [`a${before}`]: accept("a"), [`b${before}`]: accept("b") })
          assert.ok(again._tag === "Again")
          assert.deepEqual(Object.keys(again.responses).sort(), [`a${before}`, `b${before}`])
          run = again.run
          assert.equal(yield* store.ask(run, questions([`a${round}`, `b${round}`]), { round }), true)
          assert.deepEqual(openKeys(yield* see(run)), [`a${round}`, `b${round}`])
          assert.deepEqual(yield* answer(run, { [`a${before}`]: accept("late") }), { _tag: "Ignored" })
        }
      })
  ),

  law(
    "keeps every character of keys, questions, memo, arguments and answers",
    ({ answer, begin, see, store }) =>
      Effect.gen(function*() {
        const values = Object.fromEntries(hostile.map((text) => [text, text]))
        const run = yield* begin({ arguments: values })
        const asked = Object.fromEntries(
          hostile.map((text) => [text, { method: "elicitation/create", params: { message: text, [text]: text } }])
        )
        assert.equal(yield* store.ask(run, asked, values), true)
        const state = yield* see(run)
        assert.ok(state.status === "input_required")
        assert.deepEqual(state.inputRequests, asked)
        const responses = Object.fromEntries(hostile.map((text) => [text, { action: text, content: { [text]: text } }]))
        const again = yield* answer(run, responses)
        assert.ok(again._tag === "Again")
        assert.deepEqual(again.responses, responses)
        assert.deepEqual(again.arguments, values)
        assert.deepEqual(again.memo, values)
      })
  ),

  law(
    "takes a key or a field named __proto__ for a name like any other",
    ({ answer, begin, see, store }) =>
      Effect.gen(function*() {
        const given: unknown = JSON.parse("{\"__proto__\":{\"polluted\":true},\"constructor\":{\"prototype\":1}}")
        const run = yield* begin({ arguments: given })
        yield* store.ask(run, questions(["__proto__", "constructor"]), given)
        assert.deepEqual(openKeys(yield* see(run)), ["__proto__", "constructor"])
        assert.deepEqual(yield* answer(run, { toString: {}, valueOf: {} }), { _tag: "Ignored" })
        const responses: { readonly [key: string]: unknown } = JSON.parse(
          "{\"__proto__\":{\"__proto__\":{\"polluted\":true}},\"constructor\":{}}"
        )
        const again = yield* answer(run, responses)
        assert.ok(again._tag === "Again")
        assert.equal(JSON.stringify(again.responses), JSON.stringify(responses))
        assert.equal(JSON.stringify(again.arguments), JSON.stringify(given))
        assert.equal(JSON.stringify(again.memo), JSON.stringify(given))
        assert.equal(Object.getPrototypeOf(again.responses), Object.prototype)
        assert.equal(Reflect.get({}, "polluted"), undefined)
      })
  ),

  law(
    "tells one caller to run the call again when the last answer comes twice at once",
    (bench) =>
      Effect.gen(function*() {
        const { answer, beginAsking, other, see, store } = bench
        for (let n = 0; n < 10; n++) {
          const run = yield* beginAsking(["a"])
          const outcomes = yield* Effect.forEach(
            [store, other, store, other],
            (at, caller) => answer(run, { a: accept(String(caller)) }, at),
            { concurrency: "unbounded" }
          )
          const winner = outcomes.findIndex(({ _tag }) => _tag === "Again")
          const again = outcomes[winner]
          assert.ok(again?._tag === "Again")
          assert.deepEqual(again.responses, { a: accept(String(winner)) })
          assert.equal(outcomes.filter(({ _tag }) => _tag === "Ignored").length, 3)
          assert.equal((yield* see(run)).status, "working")
        }
      })
  ),

  law("gathers answers that come at once, loses none, and tells one caller", (bench) =>
    Effect.gen(function*() {
      const { answer, beginAsking, other, store } = bench
      const keys = ["a", "b", "c", "d", "e", "f"]
      for (let n = 0; n < 5; n++) {
        const run = yield* beginAsking(keys)
        const outcomes = yield* Effect.forEach(
          keys,
          (key, index) => answer(run, { [key]: accept(key) }, index % 2 === 0 ? store : other),
          { concurrency: "unbounded" }
        )
        const told = outcomes.filter((outcome) => outcome._tag === "Again")
        assert.equal(told.length, 1)
        assert.equal(outcomes.filter(({ _tag }) => _tag === "Waiting").length, keys.length - 1)
        assert.deepEqual(told[0]?.responses, Object.fromEntries(keys.map((key) => [key, accept(key)])))
      }
    })),

  law(
    "lets either an answer or a cancellation win that come at once",
    ({ answer, beginAsking, other, owner, see }) =>
      Effect.gen(function*() {
        for (let n = 0; n < 10; n++) {
          const run = yield* beginAsking(["a"])
          const [answered, cancelled] = yield* Effect.all(
            [answer(run, { a: accept("1") }), other.cancel(run.taskId, owner)],
            { concurrency: "unbounded" }
          )
          // A cancellation that comes second cancels the run that the answer began.
          assert.equal(cancelled, "cancelled")
          assert.ok(answered._tag === "Again" || answered._tag === "Ignored")
          assert.equal((yield* see(run)).status, "cancelled")
        }
      })
  )
]
