import { afterAll, assert, describe, it, vi } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Effect from "effect/Effect"
import type { Asks } from "./harness.js"
import { ask, inTime, line, provider, well, world, worst } from "./harness.js"
import { hold, isQuiet } from "./laws.js"

/** What is measured in milliseconds is asked for again when the machine was busy elsewhere. */
const timely = { concurrent: true, retry: 2 }

const silent = { replies: [FakeProvider.hang()] }

/** Nothing but the deadline ends a try. */
const unhurried = ChainPolicy.timeouts({
  headers: "1 minute",
  firstToken: "1 minute",
  idle: "1 minute",
  answer: "1 minute"
})

afterAll(() => {
  const { beyondMs, netMs } = worst
  process.stdout.write(
    `The longest call ended ${Math.round(beyondMs)} ms after its deadline, ${
      Math.round(netMs)
    } ms without the time this process stood still.\n`
  )
})

describe("the deadline of a chain over sockets", () => {
  for (const asks of ["text", "object", "stream"] as const satisfies ReadonlyArray<Asks>) {
    it.live(`leaves the second model time when the first is silent (${asks})`, () =>
      Effect.gen(function*() {
        const first = yield* provider("first", silent)
        const second = yield* provider("second", { replies: [well] })
        const one = yield* world([first, second], ChainPolicy.all(unhurried, ChainPolicy.deadline("2 seconds")))
        const told = yield* ask(one.chain, asks)
        assert.strictEqual(told.answer?.provider, "second", told.error?.message)
        assert.match(told.attempts.map(line)[0] ?? "", /^first failed TimedOut in (?:answer|headers)$/u)
        // Two seconds, less what is kept back and what the next model is left.
        assert.approximately(told.attempts[0]?.elapsedMs ?? 0, 1640, 100 + told.stoodStillMs)
        yield* hold(one, told)
      }).pipe(Effect.scoped), timely)
  }

  it.live("ends a call all of whose models are silent", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", silent)
      const second = yield* provider("second", { replies: [FakeProvider.hang("half")] })
      const one = yield* world([first, second], ChainPolicy.all(unhurried, ChainPolicy.deadline("2 seconds")))
      const told = yield* ask(one.chain)
      assert.strictEqual(told.error?.reason, "TimedOut")
      assert.strictEqual(told.error?.phase, "total")
      assert.deepStrictEqual(told.attempts.map(line), [
        "first failed TimedOut in answer",
        "second failed TimedOut in answer (failover)"
      ])
      assert.isAtLeast(told.elapsedMs, 1800)
      yield* hold(one, told)
    }).pipe(Effect.scoped), timely)

  it.live("is shortened by that of the caller", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", silent)
      const one = yield* world([first], ChainPolicy.all(unhurried, ChainPolicy.deadline("20 seconds")))
      const told = yield* TimeLimit.within(TimeLimit.within(ask(one.chain), "10 seconds"), "500 millis")
      assert.strictEqual(told.error?.reason, "TimedOut")
      inTime(told, 500)
      assert.isAtLeast(told.elapsedMs, 400)
      // Nobody can say that the model was slow when the caller was in such a hurry.
      assert.deepStrictEqual(first.leaves.map(({ verdict }) => verdict), ["ignored"])
      yield* isQuiet(one)
    }).pipe(Effect.scoped), timely)

  it.live("is not prolonged by that of the caller", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", silent)
      const one = yield* world([first], ChainPolicy.all(unhurried, ChainPolicy.deadline("500 millis")))
      const told = yield* TimeLimit.within(ask(one.chain), "20 seconds")
      assert.strictEqual(told.error?.reason, "TimedOut")
      yield* hold(one, told)
    }).pipe(Effect.scoped), timely)

  for (const limit of [0, -5000, 20]) {
    it.live(`sends nothing when the caller has ${limit} ms`, () =>
      Effect.gen(function*() {
        const first = yield* provider("first", { replies: [well] })
        const one = yield* world([first], ChainPolicy.deadline("20 seconds"))
        for (const asks of ["text", "object", "stream"] as const) {
          const told = yield* TimeLimit.within(ask(one.chain, asks), limit)
          assert.strictEqual(told.error?.reason, "TimedOut")
          assert.deepStrictEqual(told.attempts.map(line), ["first skipped tooSlow"])
          inTime(told, Math.max(0, limit))
        }
        assert.deepStrictEqual(yield* first.server.requests, [])
        assert.lengthOf(first.places, 0)
        yield* isQuiet(one)
      }).pipe(Effect.scoped), timely)
  }

  it.live("holds for a stream that never ends", () =>
    Effect.gen(function*() {
      const talks = function*() {
        for (;;) yield FakeProvider.event("and so on ")
      }
      const first = yield* provider("first", { replies: [FakeProvider.stream(talks, { gapMs: 20 })], wire: "stream" })
      const one = yield* world([first], ChainPolicy.deadline("1 second"))
      const told = yield* ask(one.chain, "stream")
      assert.strictEqual(told.error?.reason, "StreamBroken")
      assert.include(told.text, "and so on")
      yield* hold(one, told)
    }).pipe(Effect.scoped), timely)
})

describe("the phases of a try over sockets", () => {
  const phases = ChainPolicy.all(
    ChainPolicy.deadline("5 seconds"),
    ChainPolicy.timeouts({ headers: "300 millis", firstToken: "500 millis", idle: "400 millis", answer: "700 millis" })
  )

  for (
    const [phase, ms, asks, reply] of [
      ["answer", 700, "text", FakeProvider.hang()],
      ["answer", 700, "object", FakeProvider.hang("half")],
      ["headers", 300, "stream", FakeProvider.hang()],
      ["firstToken", 500, "stream", FakeProvider.stream([FakeProvider.event("")], { end: "hang" })]
    ] as const
  ) {
    it.live(`have ${ms} ms when they are to have (${phase}, ${asks})`, () =>
      Effect.gen(function*() {
        const first = yield* provider("first", { replies: [reply] })
        const second = yield* provider("second", { replies: [well] })
        const one = yield* world([first, second], phases)
        const told = yield* ask(one.chain, asks)
        assert.deepStrictEqual(told.attempts.map(line), [
          `first failed TimedOut in ${phase}`,
          "second answered (failover)"
        ])
        assert.isAtLeast(told.attempts[0]?.elapsedMs ?? 0, ms - 2)
        inTime({ ...told, elapsedMs: told.attempts[0]?.elapsedMs ?? Infinity }, ms + (phase === "firstToken" ? 50 : 0))
        yield* hold(one, told)
      }).pipe(Effect.scoped), timely)
  }
})

describe("a clock that is set back while a chain waits", () => {
  it.live("prolongs nothing", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", silent)
      const one = yield* world([first], ChainPolicy.all(unhurried, ChainPolicy.deadline("700 millis")))
      const real = Date.now
      const spy = yield* Effect.acquireRelease(
        Effect.sync(() => vi.spyOn(Date, "now").mockImplementation(() => real() - 3_600_000)),
        (spy) => Effect.sync(() => spy.mockRestore())
      ).pipe(Effect.delay("200 millis"), Effect.fork)
      const told = yield* ask(one.chain)
      assert.strictEqual(told.error?.reason, "TimedOut")
      yield* spy.await
      yield* hold(one, told)
    }).pipe(Effect.scoped))
})
