import { assert, describe, it } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Provider } from "./harness.js"
import { ask, eventually, line, millis, provider, well, world } from "./harness.js"
import { isFreeAgain, isQuiet } from "./laws.js"

const policy = ChainPolicy.all(
  ChainPolicy.deadline("4 seconds"),
  ChainPolicy.timeouts({ answer: "3 seconds" }),
  ChainPolicy.noRetry
)

/** Opens at the first failure, for this long the first time; lets all through at once when it has closed. */
const touchy = (openFor: number) => ({ consecutive: 1, openFor, ramp: 0, random: () => 0.5 })

const stateOf = ({ target }: Provider) => Effect.map(millis, (now) => target.breaker.state(now))

const becomes = (provider: Provider, state: string) =>
  Effect.orDie(eventually(Effect.map(stateOf(provider), (now) => now === state), `never ${state}`))

const times = <A>(count: number, one: Effect.Effect<A>) =>
  Effect.all(Array.from({ length: count }, () => one), { concurrency: "unbounded" })

/** A first model whose breaker is half open, and whose next replies are these; a second that is well. */
const halfOpen = (...replies: ReadonlyArray<FakeProvider.Reply>) =>
  Effect.gen(function*() {
    const first = yield* provider("first", {
      replies: [FakeProvider.status(500), ...replies],
      breaker: touchy(300),
      limits: { concurrency: 100 }
    })
    const second = yield* provider("second", { replies: [well], limits: { concurrency: 100 } })
    const one = yield* world([first, second], policy)
    yield* ask(one.chain)
    yield* becomes(first, "halfOpen")
    return { first, second, one }
  })

const asked = ({ server }: Provider) => Effect.map(server.requests, (requests) => requests.length)

describe("breakers over sockets", () => {
  it.live("let one of fifty calls probe, and the others go to the next model", () =>
    Effect.gen(function*() {
      const { first, one, second } = yield* halfOpen(FakeProvider.text("well", { delayMs: 400 }))
      const told = yield* times(50, ask(one.chain))
      assert.strictEqual(yield* asked(first), 2)
      assert.strictEqual(yield* asked(second), 50)
      assert.strictEqual(told.filter(({ answer }) => answer?.provider === "first").length, 1)
      assert.isTrue(told.every(({ answer }) => answer !== undefined))
      assert.deepStrictEqual(first.leaves.map(({ isProbe }) => isProbe), [false, true])
      yield* isQuiet(one)
      yield* isFreeAgain(one)
    }).pipe(Effect.scoped))

  it.live("close after two probes that went well", () =>
    Effect.gen(function*() {
      const { first, one } = yield* halfOpen(FakeProvider.text("well"))
      assert.strictEqual((yield* ask(one.chain)).answer?.provider, "first")
      assert.strictEqual(yield* stateOf(first), "halfOpen")
      assert.strictEqual((yield* ask(one.chain)).answer?.provider, "first")
      assert.strictEqual(yield* stateOf(first), "closed")
      yield* isQuiet(one)
    }).pipe(Effect.scoped))

  it.live("give a probe back that was interrupted", () =>
    Effect.gen(function*() {
      const { first, one } = yield* halfOpen(FakeProvider.hang(), FakeProvider.text("well"))
      const probe = yield* Effect.fork(ask(one.chain))
      yield* Effect.orDie(eventually(Effect.map(asked(first), (count) => count === 2)))
      yield* Fiber.interrupt(probe)
      assert.deepStrictEqual(first.leaves.at(-1), { isProbe: true, verdict: "ignored" })
      yield* isQuiet(one)
      assert.strictEqual((yield* ask(one.chain)).answer?.provider, "first")
    }).pipe(Effect.scoped))

  it.live("give a probe back that says nothing of the model's health", () =>
    Effect.gen(function*() {
      const { first, one } = yield* halfOpen(
        FakeProvider.status(400, { error: { message: "bad", type: "invalid_request_error" } }),
        FakeProvider.text("well")
      )
      assert.strictEqual((yield* ask(one.chain)).error?.reason, "RequestRejected")
      assert.strictEqual(yield* stateOf(first), "halfOpen")
      assert.strictEqual((yield* ask(one.chain)).answer?.provider, "first")
    }).pipe(Effect.scoped))

  it.live("take no notice of what a call says that began before they changed", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", {
        replies: [FakeProvider.text("late", { delayMs: 900 }), FakeProvider.status(500), FakeProvider.status(500)],
        breaker: { ...touchy(60_000), successesToClose: 1 }
      })
      const one = yield* world([first, yield* provider("second", { replies: [well] })], policy)
      const late = yield* Effect.fork(ask(one.chain))
      yield* Effect.orDie(eventually(Effect.map(asked(first), (count) => count === 1)))
      yield* ask(one.chain)
      assert.strictEqual(yield* stateOf(first), "open")
      assert.strictEqual((yield* Fiber.join(late)).answer?.provider, "first")
      assert.strictEqual(yield* stateOf(first), "open")
      yield* isQuiet(one)
    }).pipe(Effect.scoped))

  it.live("let one call try the model that opens first when all are open", () =>
    Effect.gen(function*() {
      const dead = { replies: [FakeProvider.status(500)] }
      const first = yield* provider("first", { ...dead, breaker: touchy(60_000) })
      const second = yield* provider("second", { ...dead, breaker: touchy(30_000) })
      const one = yield* world([first, second], policy)
      yield* ask(one.chain)
      const { attempts, elapsedMs, error, stoodStillMs } = yield* ask(one.chain)
      assert.deepStrictEqual(attempts.map(line), [
        "first skipped breaker",
        "second skipped breaker",
        "second failed Transient (probe)"
      ])
      assert.strictEqual(error?.reason, "Exhausted")
      assert.isAbove(error?.retryAfterMs ?? 0, 25_000)
      assert.isAtMost(error?.retryAfterMs ?? Infinity, 30_000)
      assert.isBelow(elapsedMs - stoodStillMs, 1000)
      const all = yield* times(20, ask(one.chain))
      assert.isTrue(all.every(({ error }) => error?.reason === "Exhausted"))
      assert.isAtMost(second.leaves.filter(({ isProbe }) => isProbe).length, 21)
      yield* isQuiet(one)
    }).pipe(Effect.scoped))

  it.live("send one probe in each time they are open while a model is down, and use it when it is up", () =>
    Effect.gen(function*() {
      const upAt = performance.now() + 2500
      const first = yield* provider("first", {
        replies: [FakeProvider.depending(() => performance.now() < upAt ? FakeProvider.status(503) : well)],
        breaker: { ...touchy(400), maxOpen: "1 second" },
        limits: { concurrency: 100 }
      })
      const second = yield* provider("second", { replies: [well], limits: { concurrency: 100 } })
      const one = yield* world([first, second], policy)
      const failed: Array<string> = []
      const caller = ask(one.chain).pipe(
        Effect.tap(({ error }) => Effect.sync(() => error === undefined ? undefined : failed.push(error.message))),
        Effect.zipRight(Effect.sleep("10 millis")),
        Effect.repeat({ while: () => performance.now() < upAt + 1500 })
      )
      yield* times(4, caller)
      assert.deepStrictEqual(failed, [])
      const before = (yield* first.server.requests).filter(({ at }) => at < upAt)
      // Open for 0.4, 0.8, 1 and 1 seconds: calls that were under way together at first, and then a probe each time.
      const probes = first.leaves.filter(({ isProbe, verdict }) => isProbe && verdict === "connection")
      assert.isAtMost(probes.length, 4)
      assert.isAtLeast(probes.length, 2)
      assert.isAtMost(before.length, 4 + probes.length)
      assert.strictEqual(yield* stateOf(first), "closed")
      yield* isQuiet(one)
      yield* isFreeAgain(one)
    }).pipe(Effect.scoped))
})
