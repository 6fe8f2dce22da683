/**
 * What a chain counts and measures of itself.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricLabel from "effect/MetricLabel"
import type * as CircuitBreaker from "../../policy/CircuitBreaker.js"
import * as Telemetry from "../../telemetry/Telemetry.js"
import type * as Chat from "../Chat.js"
import * as LlmError from "../LlmError.js"
import type * as Target from "../Target.js"

/**
 * The metrics of one chain. All methods return at once and cost a microsecond or
 * two.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChainMetrics {
  /** A try has ended, or a model was passed over. */
  readonly tried: (target: Target.Target, attempt: Chat.Attempt) => void
  /** A call has ended: how long it took, and of that how long it waited for the wire, in milliseconds. */
  readonly ended: (outcome: "answered" | LlmError.Reason, elapsedMs: number, wireMs: number, cost: Chat.Cost) => void
  readonly failedOver: (from: Target.Target, to: Target.Target, reason: string) => void
  readonly hedged: (outcome: "won" | "lost" | "denied") => void
  /** What may still be spent, in US dollars; no figure where nothing limits it. */
  readonly budgetLeft: (usd: number) => void
  /** What may be spent in a period, in US dollars. */
  readonly budget: (usd: number) => void
  /** Levels that are worth a gauge: breaker, headroom, calls under way, retries left. */
  readonly levels: (target: Target.Target, now: number) => void
}

const { Label } = Telemetry

type Labels = ReadonlyArray<MetricLabel.MetricLabel>

const labels = (values: { readonly [name: string]: string }): Labels =>
  Object.entries(values).map(([name, value]) => MetricLabel.make(name, value))

const obstacles: { readonly [R in Target.Obstacle["reason"]]: R } = {
  cooldown: "cooldown",
  breaker: "breaker",
  contextTooLong: "contextTooLong",
  unsupported: "unsupported",
  label: "label",
  tooSlow: "tooSlow",
  limits: "limits",
  budget: "budget",
  attempts: "attempts"
}

const reasons: ReadonlySet<string> = new Set([
  ...LlmError.Reason.literals,
  ...Object.keys(obstacles),
  // What a try ends with that has no error of its own.
  "Interrupted",
  "Defect"
])

/** A label's values have to be of a fixed list, and a reason is any text to whoever implements a model. */
const bounded = (reason: string | undefined): string =>
  reason === undefined ? "none" : reasons.has(reason) ? reason : "other"

const stateNumbers: { readonly [S in CircuitBreaker.State]: number } = { closed: 0, halfOpen: 1, open: 2 }

/** Values by key, each made once: a metric knows labels by the array's identity, and finds any other only by its hash. */
const keep = <K, V>(make: (key: K) => V): (key: K) => V => {
  const kept = new Map<K, V>()
  return (key) => {
    let found = kept.get(key)
    if (found === undefined) kept.set(key, found = make(key))
    return found
  }
}

/** A chain's metrics are made with it, not with the module: what nobody uses is not in the registry. */
const instruments = () => {
  const seconds = MetricBoundaries.fromIterable(Telemetry.callSeconds)
  const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })
  const gauge = (name: string, description: string) => Metric.gauge(name, { description })
  return {
    calls: counter(Telemetry.Metric.llmCalls, "Calls to a chain of models."),
    callDuration: Metric.histogram(Telemetry.Metric.llmCallDuration, seconds, "How long calls took, in seconds."),
    overhead: Metric.histogram(
      Telemetry.Metric.llmOverhead,
      MetricBoundaries.fromIterable(Telemetry.overheadSeconds),
      "How long calls took besides waiting for a provider, in seconds."
    ),
    cost: counter(Telemetry.Metric.llmCost, "What calls cost, in US dollars."),
    attempts: counter(Telemetry.Metric.llmAttempts, "Tries with a model, and models passed over."),
    attemptDuration: Metric.histogram(Telemetry.Metric.llmAttemptDuration, seconds, "How long tries took, in seconds."),
    timeToFirstToken: Metric.histogram(
      Telemetry.Metric.llmTimeToFirstToken,
      seconds,
      "How long the first text of a stream took, in seconds."
    ),
    attemptCost: counter(Telemetry.Metric.llmAttemptCost, "What tries cost, in US dollars."),
    failovers: counter(Telemetry.Metric.llmFailovers, "How often the next model was asked."),
    hedges: counter(Telemetry.Metric.llmHedges, "Second tries beside a first one."),
    breakerState: gauge(Telemetry.Metric.llmBreakerState, "0 is closed, 1 half open, 2 open."),
    headroom: gauge(Telemetry.Metric.llmHeadroom, "The share that is left of the scarcer limit."),
    inFlight: gauge(Telemetry.Metric.llmInFlight, "Calls under way."),
    retryBudget: gauge(Telemetry.Metric.llmRetryBudget, "Retries that are within the budget."),
    budgetLeft: gauge(Telemetry.Metric.llmBudgetLeft, "What may still be spent in this period, in US dollars."),
    budget: gauge(Telemetry.Metric.llmBudget, "What may be spent in a period, in US dollars.")
  }
}

const labelsOf = (chain: string, target: Target.Target) => {
  const state = {
    [Label.target]: target.id,
    [Label.provider]: target.model.provider,
    [Label.model]: target.model.model
  }
  const work = { [Label.chain]: chain, ...state }
  const attempts = keep((outcome: Chat.Attempt["outcome"]) =>
    keep((reason: string) => labels({ ...work, [Label.outcome]: outcome, [Label.reason]: reason }))
  )
  return {
    state: labels(state),
    work: labels(work),
    attempt: (attempt: Chat.Attempt): Labels => attempts(attempt.outcome)(bounded(attempt.reason)),
    outcome: keep((outcome: Chat.Attempt["outcome"]) => labels({ ...work, [Label.outcome]: outcome })),
    cost: keep((certainty: Chat.Cost["certainty"]) => labels({ ...work, [Label.certainty]: certainty }))
  }
}

/**
 * Makes a chain's metrics. Its name and those of its targets become labels, so
 * they have to come from configuration.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (chain: string, targets: ReadonlyArray<Target.Target>): ChainMetrics => {
  const metrics = instruments()
  const of = keep((target: Target.Target) => labelsOf(chain, target))
  targets.forEach(of)
  const whole = labels({ [Label.chain]: chain })
  const byReason = keep((reason: string) =>
    labels({
      [Label.chain]: chain,
      [Label.outcome]: reason === "none" ? "answered" : "failed",
      [Label.reason]: reason
    })
  )
  const byOutcome = keep((outcome: string) => labels({ [Label.chain]: chain, [Label.outcome]: outcome }))
  const byCertainty = keep((certainty: Chat.Cost["certainty"]) =>
    labels({ [Label.chain]: chain, [Label.certainty]: certainty })
  )
  const failovers = keep((from: Target.Target) =>
    keep((to: Target.Target) =>
      keep((reason: string) =>
        labels({ [Label.chain]: chain, [Label.from]: from.id, [Label.to]: to.id, [Label.reason]: reason })
      )
    )
  )

  return {
    tried: (target, attempt) => {
      const by = of(target)
      metrics.attempts.unsafeUpdate(1, by.attempt(attempt))
      if (attempt.outcome === "skipped") return
      metrics.attemptDuration.unsafeUpdate(attempt.elapsedMs / 1000, by.outcome(attempt.outcome))
      if (attempt.firstTokenMs !== undefined) {
        metrics.timeToFirstToken.unsafeUpdate(attempt.firstTokenMs / 1000, by.work)
      }
      if (attempt.cost !== undefined) {
        metrics.attemptCost.unsafeUpdate(attempt.cost.usd, by.cost(attempt.cost.certainty))
      }
    },
    ended: (outcome, elapsedMs, wireMs, cost) => {
      const isAnswered = outcome === "answered"
      metrics.calls.unsafeUpdate(1, byReason(isAnswered ? "none" : outcome))
      metrics.callDuration.unsafeUpdate(elapsedMs / 1000, byOutcome(isAnswered ? "answered" : "failed"))
      metrics.overhead.unsafeUpdate(Math.max(0, elapsedMs - wireMs) / 1000, whole)
      metrics.cost.unsafeUpdate(cost.usd, byCertainty(cost.certainty))
    },
    failedOver: (from, to, reason) => metrics.failovers.unsafeUpdate(1, failovers(from)(to)(bounded(reason))),
    hedged: (outcome) => metrics.hedges.unsafeUpdate(1, byOutcome(outcome)),
    budgetLeft: (usd) => {
      if (Number.isFinite(usd)) metrics.budgetLeft.unsafeUpdate(usd, whole)
    },
    budget: (usd) => metrics.budget.unsafeUpdate(usd, whole),
    levels: (target, now) => {
      const by = of(target).state
      metrics.breakerState.unsafeUpdate(stateNumbers[target.breaker.state(now)], by)
      metrics.headroom.unsafeUpdate(target.limits.headroom(now), by)
      metrics.inFlight.unsafeUpdate(target.limits.inFlight, by)
      metrics.retryBudget.unsafeUpdate(target.retryBudget.balance(now), by)
    }
  }
}
