import { assert, describe, it } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as CoalescingLlm from "causeway-mcp/llm/CoalescingLlm"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as RawProvider from "../rawProvider.js"
import type { Asks, Provider, World } from "./harness.js"
import { ask, eventually, fine, provider, question, well, world } from "./harness.js"
import { isFreeAgain, isQuiet } from "./laws.js"

const policy = ChainPolicy.all(
  ChainPolicy.deadline("10 seconds"),
  ChainPolicy.timeouts({ headers: "9 seconds", firstToken: "9 seconds", idle: "9 seconds", answer: "9 seconds" }),
  ChainPolicy.retry(Backoff.fullJitter({ base: "10 millis", cap: "10 millis", times: 1 }))
)

const asked = ({ server }: Provider) => Effect.map(server.requests, (requests) => requests.length)

const until = (condition: Effect.Effect<boolean>, what: string) => Effect.orDie(eventually(condition, what))

const isAsked = (provider: Provider, times: number) =>
  until(Effect.map(asked(provider), (count) => count >= times), `${provider.name} was not asked ${times} times`)

/** Begins a call, interrupts it when `when` is over; then nothing is held and nobody is asked any more. */
const interrupting = (one: World, when: Effect.Effect<unknown>, asks: Asks = "text") =>
  Effect.gen(function*() {
    const call = yield* Effect.fork(ask(one.chain, asks))
    yield* when
    const startedAt = performance.now()
    yield* Fiber.interrupt(call)
    assert.isBelow(performance.now() - startedAt, 1000)
    yield* isQuiet(one)
    const counts = yield* Effect.forEach(one.providers, asked)
    for (const { leaves, server, target } of one.providers) {
      assert.isTrue(leaves.every(({ verdict }) => verdict !== "connection" || asks === "object"))
      assert.strictEqual(target.cooling.until, Number.NEGATIVE_INFINITY)
      yield* until(Effect.map(server.connections, (open) => open <= 2), "connections are left")
    }
    yield* Effect.sleep("50 millis")
    assert.deepStrictEqual(yield* Effect.forEach(one.providers, asked), counts)
    yield* isFreeAgain(one)
  })

const lonely = (...replies: ReadonlyArray<FakeProvider.Reply>) =>
  Effect.gen(function*() {
    const first = yield* provider("first", { replies })
    return { first, one: yield* world([first], policy) }
  })

describe("a call of a chain that is interrupted", () => {
  it.live("leaves the queue when it waits for a place", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", { replies: [FakeProvider.hang(), well], limits: { concurrency: 1 } })
      const one = yield* world([first], policy)
      const holder = yield* Effect.fork(ask(one.chain))
      yield* isAsked(first, 1)
      const waiter = yield* Effect.fork(ask(one.chain))
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(waiter)
      assert.lengthOf(first.places, 1)
      yield* Fiber.interrupt(holder)
      yield* isQuiet(one)
      assert.strictEqual((yield* ask(one.chain)).answer?.provider, "first")
      yield* isFreeAgain(one)
    }).pipe(Effect.scoped))

  it.live("gives up connecting", () =>
    Effect.gen(function*() {
      const server = yield* RawProvider.make(() => undefined)
      const first = yield* provider("first", {
        baseUrl: `https://127.0.0.1:${server.port}/v1`,
        http: { connectTimeout: "9 seconds" }
      })
      const one = yield* world([first], policy)
      yield* interrupting(one, until(Effect.sync(() => server.open() === 1), "nobody connected"))
      assert.deepStrictEqual(first.leaves.map(({ verdict }) => verdict), ["ignored"])
    }).pipe(Effect.scoped))

  for (
    const [where, reply, asks] of [
      ["before the headers", FakeProvider.hang(), "text"],
      ["after the headers", FakeProvider.hang("headers"), "text"],
      ["in the middle of the body", FakeProvider.hang("half"), "text"],
      ["before the headers of a stream", FakeProvider.hang(), "stream"],
      ["before the first text of a stream", FakeProvider.stream([FakeProvider.event("")], { end: "hang" }), "stream"],
      ["in the middle of a stream", FakeProvider.stream([FakeProvider.event("Rain")], { end: "hang" }), "stream"]
    ] as const
  ) {
    it.live(`breaks the connection ${where}`, () =>
      Effect.gen(function*() {
        const { first, one } = yield* lonely(reply)
        yield* interrupting(one, Effect.zipRight(isAsked(first, 1), Effect.sleep("100 millis")), asks)
        assert.deepStrictEqual(first.leaves.map(({ verdict }) => verdict), ["ignored"])
        assert.deepStrictEqual(first.places.map(({ ended }) => ended), [{ tokens: undefined }])
        assert.isBelow(yield* one.budget.watched.left(), one.budget.total)
        assert.strictEqual(yield* first.server.aborted, 1)
        yield* until(Effect.map(first.server.connections, (open) => open === 0), "a connection is left")
      }).pipe(Effect.scoped))
  }

  it.live("breaks the connection when whoever reads a stream has had enough", () =>
    Effect.gen(function*() {
      const { first, one } = yield* lonely(
        FakeProvider.stream(Array.from({ length: 500 }, () => FakeProvider.event("Rain ")), { gapMs: 5, end: "hang" })
      )
      const read = yield* Stream.runCollect(Stream.take(one.chain.streamText(question), 2))
      assert.strictEqual(read.length, 2)
      yield* isQuiet(one)
      assert.strictEqual(yield* first.server.aborted, 1)
      yield* isFreeAgain(one)
    }).pipe(Effect.scoped))

  it.live("gives up a correction that it waits for", () =>
    Effect.gen(function*() {
      const { first, one } = yield* lonely(FakeProvider.text("{\"day\":1}"), FakeProvider.hang())
      yield* interrupting(one, isAsked(first, 2), "object")
      assert.deepStrictEqual(first.leaves.map(({ verdict }) => verdict), ["succeeded", "ignored"])
    }).pipe(Effect.scoped))

  it.live("gives up waiting to ask again", () =>
    Effect.gen(function*() {
      const { first, one } = yield* lonely(
        FakeProvider.status(429, { error: { message: "Slow down." } }, { "retry-after": "2" }),
        well
      )
      const call = yield* Effect.fork(ask(one.chain))
      yield* isAsked(first, 1)
      yield* until(Effect.sync(() => first.places[0]?.ended !== undefined), "it is still asked")
      yield* Fiber.interrupt(call)
      yield* isQuiet(one)
      yield* Effect.sleep("2200 millis")
      assert.strictEqual(yield* asked(first), 1)
      yield* isFreeAgain(one)
    }).pipe(Effect.scoped))

  it.live("gives up both models when it is hedged", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", { replies: [FakeProvider.hang()] })
      const second = yield* provider("second", { replies: [FakeProvider.hang("half")] })
      const hedged = ChainPolicy.hedge({ after: "50 millis", budget: { ratio: 1, minPerSecond: 1 } })
      const one = yield* world([first, second], ChainPolicy.all(policy, hedged))
      yield* interrupting(one, Effect.zipRight(isAsked(first, 1), isAsked(second, 1)))
      for (const { server } of one.providers) {
        assert.strictEqual(yield* server.aborted, 1)
        yield* until(Effect.map(server.connections, (open) => open === 0), "a connection is left")
      }
    }).pipe(Effect.scoped))
})

describe("equal calls of a chain", () => {
  const equal = { ...question, temperature: 0 }

  const together = (...replies: ReadonlyArray<FakeProvider.Reply>) =>
    Effect.gen(function*() {
      const { first, one } = yield* lonely(...replies)
      return { first, one, model: yield* CoalescingLlm.make(one.chain) }
    })

  it.live("are one request, which outlives the caller that began it", () =>
    Effect.gen(function*() {
      const { first, model, one } = yield* together(FakeProvider.text(fine, { delayMs: 300 }))
      const leader = yield* Effect.fork(model.generateText(equal))
      yield* isAsked(first, 1)
      const followers = yield* Effect.fork(
        Effect.all([model.generateText(equal), model.generateText(equal)], { concurrency: 2 })
      )
      yield* Effect.sleep("20 millis")
      yield* Fiber.interrupt(leader)
      const answers = yield* Fiber.join(followers)
      assert.deepStrictEqual(answers.map(({ text }) => text), [fine, fine])
      assert.strictEqual(yield* asked(first), 1)
      assert.strictEqual(yield* first.server.aborted, 0)
      yield* isQuiet(one)
    }).pipe(Effect.scoped))

  it.live("end with the last caller, and so does the request", () =>
    Effect.gen(function*() {
      const { first, model, one } = yield* together(FakeProvider.hang("half"))
      const callers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(model.generateText(equal)))
      yield* isAsked(first, 1)
      yield* Fiber.interruptAll(callers)
      yield* until(Effect.map(first.server.aborted, (count) => count === 1), "the request goes on")
      yield* until(Effect.sync(() => first.places.every(({ ended }) => ended !== undefined)), "a place is held")
      yield* isQuiet(one)
      yield* isFreeAgain(one)
    }).pipe(Effect.scoped))

  it.live("share a failure, which is kept for nobody", () =>
    Effect.gen(function*() {
      const { first, model, one } = yield* together(
        FakeProvider.delayed(100, FakeProvider.status(401, { error: { message: "No." } })),
        well
      )
      const errors = yield* Effect.all(
        [Effect.flip(model.generateText(equal)), Effect.flip(model.generateText(equal))],
        { concurrency: 2 }
      )
      assert.deepStrictEqual(errors.map(({ reason }) => reason), ["Exhausted", "Exhausted"])
      assert.strictEqual(yield* asked(first), 1)
      // The key was refused, so nobody asks for a while; but a call of its own finds that out.
      const again = yield* Effect.flip(model.generateText(equal))
      assert.deepStrictEqual(again.attempts?.map(({ outcome }) => outcome), ["skipped"])
      yield* isQuiet(one)
    }).pipe(Effect.scoped))
})
