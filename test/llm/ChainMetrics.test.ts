import { assert, describe, it } from "@effect/vitest"
import * as Budget from "causeway-mcp/llm/Budget"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as ChainMetrics from "causeway-mcp/llm/internal/ChainMetrics"
import type * as Llm from "causeway-mcp/llm/Llm"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as LlmError from "causeway-mcp/llm/LlmError"
import * as Target from "causeway-mcp/llm/Target"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as MetricPair from "effect/MetricPair"
import * as MetricState from "effect/MetricState"
import * as Stream from "effect/Stream"

const unasked = new LlmError.LlmError({ reason: "Unsupported", provider: "test", description: "it is never asked" })

const model = (provider: string, model: string): Llm.Model => ({
  provider,
  model,
  generateText: () => Effect.fail(unasked),
  generateObject: () => Effect.fail(unasked),
  streamText: () => Stream.fail(unasked),
  ping: Effect.void
})

const attempt: Chat.Attempt = { provider: "from-answer", model: "from-answer", outcome: "answered", elapsedMs: 120 }

/** Metrics live in one registry for all, so each test has a chain of its own. */
let chains = 0
const setting = Effect.gen(function*() {
  const chain = `metrics-${++chains}`
  const first = yield* Target.make(model("mistral", "small"), { id: `${chain}/first` })
  const second = yield* Target.make(model("qwen", "plus"), { id: `${chain}/second` })
  return { chain, first, second, metrics: ChainMetrics.make(chain, [first, second]) }
})

/** All values of a metric with this label, each with its other labels. */
const read = (name: string, label: string, value: string) =>
  Effect.map(
    Metric.snapshot,
    (pairs) =>
      pairs.filter(({ metricKey }) =>
        metricKey.name === name && metricKey.tags.some((tag) => tag.key === label && tag.value === value)
      ).map((pair) => ({
        value: valueOf(pair),
        labels: Object.fromEntries(
          pair.metricKey.tags.filter((tag) => tag.key !== label).map((tag) => [tag.key, tag.value])
        )
      }))
  )

const valueOf = ({ metricState }: MetricPair.MetricPair.Untyped): unknown =>
  MetricState.isCounterState(metricState)
    ? metricState.count
    : MetricState.isGaugeState(metricState)
    ? metricState.value
    : MetricState.isHistogramState(metricState)
    ? { count: metricState.count, sum: metricState.sum }
    : undefined

describe("ChainMetrics", () => {
  it.effect("counts tries by whom was asked and what came of it, under names from configuration alone", () =>
    Effect.gen(function*() {
      const { chain, first, second, metrics } = yield* setting
      const common = { provider: "mistral", model: "small", target: `${chain}/first` }
      metrics.tried(first, { ...attempt, outcome: "failed", reason: "RateLimited" })
      metrics.tried(first, { ...attempt, outcome: "failed", reason: "RateLimited" })
      metrics.tried(first, { ...attempt, outcome: "failed", reason: "what a vendor wrote" })
      metrics.tried(first, { ...attempt, outcome: "skipped", reason: "cooldown", elapsedMs: 0 })
      metrics.tried(first, attempt)
      metrics.tried(second, attempt)
      const counts = yield* read("causeway_llm_attempts_total", "chain", chain)
      assert.sameDeepMembers(counts, [
        { value: 2, labels: { ...common, outcome: "failed", reason: "RateLimited" } },
        { value: 1, labels: { ...common, outcome: "failed", reason: "other" } },
        { value: 1, labels: { ...common, outcome: "skipped", reason: "cooldown" } },
        { value: 1, labels: { ...common, outcome: "answered", reason: "none" } },
        {
          value: 1,
          labels: {
            target: `${chain}/second`,
            provider: "qwen",
            model: "plus",
            outcome: "answered",
            reason: "none"
          }
        }
      ])
    }))

  it.effect("measures how long tries took in seconds, not those that were skipped, and what they cost", () =>
    Effect.gen(function*() {
      const { chain, first, metrics } = yield* setting
      metrics.tried(first, { ...attempt, outcome: "skipped", reason: "limits", elapsedMs: 0 })
      metrics.tried(first, { ...attempt, elapsedMs: 250, firstTokenMs: 125 })
      metrics.tried(first, { ...attempt, elapsedMs: 750, cost: { certainty: "exact", usd: 0.25 } })
      const of = (name: string) => Effect.map(read(name, "chain", chain), (all) => all.map(({ value }) => value))
      assert.deepStrictEqual(yield* of("causeway_llm_attempt_duration_seconds"), [{ count: 2, sum: 1 }])
      assert.deepStrictEqual(yield* of("causeway_llm_time_to_first_token_seconds"), [{ count: 1, sum: 0.125 }])
      assert.deepStrictEqual(yield* of("causeway_llm_attempt_cost_usd_total"), [0.25])
    }))

  it.effect("counts calls, and measures how long they took and what of that was our own", () =>
    Effect.gen(function*() {
      const { chain, metrics } = yield* setting
      metrics.ended("answered", 1500, 1250, { certainty: "exact", usd: 0.5 })
      metrics.ended("Exhausted", 500, 500.5, { certainty: "unknown", usd: 0.25 })
      const of = (name: string) => read(name, "chain", chain)
      assert.sameDeepMembers(yield* of("causeway_llm_calls_total"), [
        { value: 1, labels: { outcome: "answered", reason: "none" } },
        { value: 1, labels: { outcome: "failed", reason: "Exhausted" } }
      ])
      assert.sameDeepMembers(yield* of("causeway_llm_call_duration_seconds"), [
        { value: { count: 1, sum: 1.5 }, labels: { outcome: "answered" } },
        { value: { count: 1, sum: 0.5 }, labels: { outcome: "failed" } }
      ])
      assert.deepStrictEqual(yield* of("causeway_llm_overhead_seconds"), [
        { value: { count: 2, sum: 0.25 }, labels: {} }
      ])
      assert.sameDeepMembers(yield* of("causeway_llm_cost_usd_total"), [
        { value: 0.5, labels: { certainty: "exact" } },
        { value: 0.25, labels: { certainty: "unknown" } }
      ])
    }))

  it.effect("counts failovers by from whom, to whom and why, and hedges by outcome", () =>
    Effect.gen(function*() {
      const { chain, first, second, metrics } = yield* setting
      metrics.failedOver(first, second, "Transient")
      metrics.failedOver(first, second, "Transient")
      metrics.failedOver(second, first, "made up")
      metrics.hedged("won")
      metrics.hedged("denied")
      metrics.hedged("denied")
      assert.sameDeepMembers(yield* read("causeway_llm_failovers_total", "chain", chain), [
        { value: 2, labels: { from: `${chain}/first`, to: `${chain}/second`, reason: "Transient" } },
        { value: 1, labels: { from: `${chain}/second`, to: `${chain}/first`, reason: "other" } }
      ])
      assert.sameDeepMembers(yield* read("causeway_llm_hedges_total", "chain", chain), [
        { value: 1, labels: { outcome: "won" } },
        { value: 2, labels: { outcome: "denied" } }
      ])
    }))

  it.scoped("shows what may still be spent after each call, where there is a limit", () =>
    Effect.gen(function*() {
      const { chain } = yield* setting
      const answering = yield* TestLlm.make({
        provider: "first",
        otherwise: () => TestLlm.text("ok", { usage: { inputTokens: 10, outputTokens: 10 } })
      })
      const price = {
        provider: "first",
        model: "scripted",
        from: "2026-01-01",
        inputPerMillion: 1e5,
        outputPerMillion: 1e5
      }
      const ask = (name: string, options: Budget.Options) =>
        Effect.gen(function*() {
          const target = yield* Target.make(answering, { price })
          const budget = Budget.make(options)
          const model = yield* LlmChain.make([target], { name, budget })
          yield* model.generateText({ messages: [{ role: "user", text: "What is new?" }], maxTokens: 20 })
          yield* Effect.yieldNow()
          return [
            yield* read("causeway_llm_budget_left_usd", "chain", name),
            yield* read("causeway_llm_budget_usd", "chain", name)
          ]
        })
      assert.deepStrictEqual(yield* ask(`${chain}-limited`, { total: 100 }), [
        [{ value: 98, labels: {} }],
        [{ value: 100, labels: {} }]
      ])
      assert.deepStrictEqual(yield* ask(`${chain}-free`, { perTenant: 100 }), [[], []])
    }))

  it.effect("shows the levels of a target: breaker, headroom, calls under way, retries left", () =>
    Effect.gen(function*() {
      const { chain } = yield* setting
      const target = yield* Target.make(model("mistral", "small"), {
        id: `${chain}/levels`,
        limits: { concurrency: 4 },
        breaker: { consecutive: 1, random: () => 0.5 },
        retryBudget: { ratio: 1, minPerSecond: 0 }
      })
      const metrics = ChainMetrics.make(chain, [target])
      const levels = (now: number) => {
        metrics.levels(target, now)
        return Effect.map(
          Effect.forEach(
            ["breaker_state", "headroom_ratio", "in_flight", "retry_budget_left"],
            (name) => read(`causeway_llm_${name}`, "target", target.id)
          ),
          (all) => all.map((of) => of.map(({ labels, value }) => [value, Object.keys(labels).sort().join()]))
        )
      }
      const labels = "model,provider"
      assert.deepStrictEqual(yield* levels(0), [0, 1, 0, 0].map((value) => [[value, labels]]))
      target.breaker.tryAcquire(0)?.fail(0, { isConnection: true })
      target.limits.tryTake(1, 0)
      target.retryBudget.deposit(0)
      target.retryBudget.deposit(0)
      const [breaker, headroom, inFlight, budget] = yield* levels(0)
      assert.deepStrictEqual([breaker, inFlight, budget], [2, 1, 2].map((value) => [[value, labels]]))
      assert.deepStrictEqual(headroom, [[target.limits.headroom(0), labels]])
      assert.deepStrictEqual((yield* levels(5000))[0], [[1, labels]])
    }))
})
