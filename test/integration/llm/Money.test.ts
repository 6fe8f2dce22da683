import { assert, describe, it } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as Price from "causeway-mcp/llm/Price"
import * as TokenEstimate from "causeway-mcp/llm/TokenEstimate"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as ProviderFaults from "causeway-mcp/testing/ProviderFaults"
import * as Effect from "effect/Effect"
import type { Provider } from "./harness.js"
import { ask, eventually, line, provider, question, well, world } from "./harness.js"
import { hold, isFreeAgain, isQuiet } from "./laws.js"

const policy = ChainPolicy.all(
  ChainPolicy.deadline("6 seconds"),
  ChainPolicy.timeouts({ headers: "5 seconds", firstToken: "5 seconds", idle: "5 seconds", answer: "5 seconds" }),
  ChainPolicy.noRetry
)

const asked = ({ server }: Provider) => Effect.map(server.requests, (requests) => requests.length)

const times = <A>(count: number, one: Effect.Effect<A>) =>
  Effect.all(Array.from({ length: count }, () => one), { concurrency: "unbounded" })

const request = { ...question, maxTokens: 200 }

/** What a call of `request` may cost at most. */
const most = (price: Price.Price | undefined): number =>
  Price.atMost(price, { inputTokens: TokenEstimate.ofRequest(request), outputTokens: 200 }) ?? Number.NaN

describe("what a chain may spend", () => {
  it.live("lets ten of a hundred calls at once through when there is money for ten", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", {
        replies: [FakeProvider.text("ok", { delayMs: 1000, usage: { prompt_tokens: 10, completion_tokens: 20 } })],
        limits: { concurrency: 200 }
      })
      const one = yield* world([first], policy, most(first.target.price) * 10.5)
      const told = yield* times(100, ask(one.chain, "text", request))
      assert.strictEqual(told.filter(({ answer }) => answer !== undefined).length, 10)
      assert.strictEqual(yield* asked(first), 10)
      for (
        const { attempts, cost, error } of told.map(({ answer, attempts, error }) => ({
          attempts,
          error,
          cost: (answer ?? error)?.cost
        }))
      ) {
        if (error === undefined) {
          assert.strictEqual(cost?.certainty, "exact")
          assert.closeTo(cost?.usd ?? 0, 30e-6, 1e-12)
        } else {
          assert.strictEqual(error.reason, "BudgetExceeded")
          assert.deepStrictEqual(attempts.map(line), ["first skipped budget"])
          assert.strictEqual(cost?.usd, 0)
        }
      }
      assert.closeTo(yield* one.budget.watched.left(), one.budget.total - 10 * 30e-6, 1e-8)
      yield* isQuiet(one)
      yield* isFreeAgain(one)
    }).pipe(Effect.scoped), { concurrent: true })

  it.live("is not spent on what no provider charges", () =>
    Effect.gen(function*() {
      const names = ["401", "429", "404-model", "400-context-openai", "429-insufficient-quota"]
      for (const name of names) {
        const first = yield* provider("first", { model: ProviderFaults.model(name) })
        const one = yield* world([first], policy)
        const told = yield* ask(one.chain)
        assert.strictEqual(told.error?.reason, "Exhausted")
        assert.strictEqual(yield* one.budget.watched.left(), one.budget.total, name)
        yield* hold(one, told)
      }
    }).pipe(Effect.scoped), { concurrent: true })

  it.live(
    "is counted by estimate when usage is missing or cannot be true, and never as nothing",
    () =>
      Effect.gen(function*() {
        const certainties: { readonly [name: string]: string } = {
          "usage-missing": "estimated",
          "usage-null": "estimated",
          "usage-zero": "estimated",
          "usage-negative": "estimated",
          "usage-absurd": "estimated",
          "usage-total-wrong": "exact",
          "usage-cached-more": "exact",
          "model-missing": "exact"
        }
        for (const [name, certainty] of Object.entries(certainties)) {
          const first = yield* provider("first", { model: ProviderFaults.model(name) })
          const one = yield* world([first], policy)
          const told = yield* ask(one.chain)
          assert.strictEqual(told.answer?.cost?.certainty, certainty, name)
          assert.isAbove(told.answer?.cost?.usd ?? 0, 0, name)
          yield* hold(one, told)
        }
      }).pipe(Effect.scoped),
    { concurrent: true }
  )

  it.live("pays for all tries of a call, also those that came to nothing", () =>
    Effect.gen(function*() {
      const usage = { prompt_tokens: 100, completion_tokens: 50 }
      const first = yield* provider("first", { replies: [FakeProvider.text("I'm", { finishReason: "length", usage })] })
      const second = yield* provider("second", { replies: [FakeProvider.text("ok", { usage })] })
      const one = yield* world([first, second], policy)
      const told = yield* ask(one.chain, "text", request)
      assert.deepStrictEqual(told.attempts.map(line), [
        "first failed Degraded truncated",
        "first failed Degraded truncated (lengthen)",
        "second answered (failover)"
      ])
      assert.deepStrictEqual((yield* first.server.requests).map(({ body }) => body?.max_tokens), [200, 400])
      assert.closeTo(told.answer?.cost?.usd ?? 0, 450e-6, 1e-12)
      yield* hold(one, told)
    }).pipe(Effect.scoped), { concurrent: true })

  it.live("is what the next model must not exceed either", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", { replies: [FakeProvider.status(500)] })
      const second = yield* provider("second", {
        replies: [well],
        target: {
          price: { provider: "second", model: "m", from: "2026-01-01", inputPerMillion: 1e6, outputPerMillion: 1e6 }
        }
      })
      const one = yield* world([first, second], policy, 1)
      const told = yield* ask(one.chain, "text", request)
      assert.deepStrictEqual(told.attempts.map(line).map((text) => text.replace(" in answer", "")), [
        "first failed Transient",
        "second skipped budget"
      ])
      assert.strictEqual(told.error?.reason, "BudgetExceeded")
      assert.strictEqual(yield* asked(second), 0)
      yield* hold(one, told)
    }).pipe(Effect.scoped), { concurrent: true })
})

describe("a second model beside a slow first one", () => {
  const hedged = (
    after: number,
    budget: { readonly ratio: number; readonly minPerSecond: number } = { ratio: 1, minPerSecond: 1 }
  ) => ChainPolicy.all(policy, ChainPolicy.hedge({ after, budget }))

  it.live("answers, while the first one's connection is closed and its cost is counted", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", { replies: [FakeProvider.hang()] })
      const second = yield* provider("second", { replies: [well] })
      const one = yield* world([first, second], hedged(150))
      const told = yield* ask(one.chain)
      assert.strictEqual(told.answer?.provider, "second")
      assert.deepStrictEqual([...told.attempts.map(line)].sort(), [
        "first failed Interrupted",
        "second answered (hedge)"
      ])
      assert.strictEqual(told.answer?.cost?.certainty, "estimated")
      assert.isBelow(told.elapsedMs - told.stoodStillMs, 1000)
      const [a] = yield* first.server.requests
      const [b] = yield* second.server.requests
      assert.isAtLeast((b?.at ?? 0) - (a?.at ?? 0) + told.stoodStillMs, 100)
      yield* Effect.orDie(eventually(Effect.map(first.server.connections, (open) => open === 0)))
      assert.strictEqual(yield* first.server.aborted, 1)
      assert.deepStrictEqual(first.leaves.map(({ verdict }) => verdict), ["ignored"])
      yield* isQuiet(one)
      assert.closeTo(yield* one.budget.watched.left(), one.budget.total - (told.answer?.cost?.usd ?? 0), 1e-8)
    }).pipe(Effect.scoped), { concurrent: true })

  it.live("does not win with an answer that is no use", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", { replies: [FakeProvider.delayed(700, well)] })
      const second = yield* provider("second", { replies: [FakeProvider.text("{\"day\":5}")] })
      const one = yield* world([first, second], ChainPolicy.all(hedged(150), ChainPolicy.repairs(0)))
      const told = yield* ask(one.chain, "object")
      assert.strictEqual(told.answer?.provider, "first")
      assert.deepStrictEqual(told.attempts.map(line), [
        "second failed Degraded schemaMismatch (hedge)",
        "first answered"
      ])
      yield* hold(one, told)
    }).pipe(Effect.scoped), { concurrent: true })

  it.live("fails together with the first one, as one error that has both tries", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", { replies: [FakeProvider.delayed(500, FakeProvider.status(500))] })
      const second = yield* provider("second", { replies: [FakeProvider.delayed(100, FakeProvider.status(401))] })
      const one = yield* world([first, second], hedged(150))
      const told = yield* ask(one.chain)
      assert.strictEqual(told.error?.reason, "Exhausted")
      assert.deepStrictEqual(told.attempts.map(line).map((text) => text.replace(" in answer", "")), [
        "second failed AuthRejected (hedge)",
        "first failed Transient"
      ])
      yield* hold(one, told)
    }).pipe(Effect.scoped), { concurrent: true })

  it.live("is not asked once the budget for it is spent", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", {
        replies: [FakeProvider.delayed(500, well)],
        limits: { concurrency: 1000 }
      })
      const second = yield* provider("second", {
        replies: [FakeProvider.delayed(5000, well)],
        limits: { concurrency: 1000 }
      })
      const one = yield* world([first, second], hedged(100, { ratio: 0.05, minPerSecond: 0 }))
      const told = yield* times(100, ask(one.chain))
      assert.isTrue(told.every(({ answer }) => answer?.provider === "first"))
      assert.strictEqual(yield* asked(second), 5)
      yield* isQuiet(one)
      assert.strictEqual(yield* second.server.aborted, 5)
    }).pipe(Effect.scoped), { concurrent: true })

  it.live("is not asked when the first one answers in time, nor for a stream", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", { replies: [well, FakeProvider.delayed(300, well)] })
      const second = yield* provider("second", { replies: [well] })
      const quick = yield* world([first, second], hedged(2000))
      assert.strictEqual((yield* ask(quick.chain)).answer?.provider, "first")
      const one = yield* world([first, second], hedged(50))
      assert.strictEqual((yield* ask(one.chain, "stream")).answer?.provider, "first")
      assert.strictEqual(yield* asked(second), 0)
    }).pipe(Effect.scoped), { concurrent: true })
})
