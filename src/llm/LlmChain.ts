/**
 * Makes one model of several that keeps answering while some of them fail, are
 * slow, ask to be left alone or answer badly; within one deadline, and with the
 * trail of what was tried.
 *
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Utils from "effect/Utils"
import * as Deadline from "../policy/Deadline.js"
import * as RetryBudget from "../policy/RetryBudget.js"
import type * as Budget from "./Budget.js"
import * as ChainPolicy from "./ChainPolicy.js"
import type * as Chat from "./Chat.js"
import * as ChainTelemetry from "./internal/ChainTelemetry.js"
import * as Ping from "./internal/Ping.js"
import * as Question from "./internal/Question.js"
import type * as Run from "./internal/Run.js"
import * as Streaming from "./internal/Streaming.js"
import * as Walk from "./internal/Walk.js"
import type * as Llm from "./Llm.js"
import type * as LlmError from "./LlmError.js"
import * as Target from "./Target.js"
import * as Tier from "./Tier.js"

/**
 * A chain of models, which is a model itself and may stand in another chain.
 *
 * @since 0.1.0
 * @category models
 */
export interface Chain extends Llm.Model {
  /** All there are, tier by tier. */
  readonly targets: ReadonlyArray<Target.Target>
  /** How each of them is now. */
  readonly status: Effect.Effect<ReadonlyArray<Target.Status>>
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** The chain's name in its own errors and metrics; `chain` unless given. */
  readonly name?: string | undefined
  /** What differs from `ChainPolicy.standard`. */
  readonly policy?: ChainPolicy.Part | undefined
  /** What may be spent; no limit unless given. */
  readonly budget?: Budget.Budget | undefined
  /** With the same one, choices by chance are the same; different each time unless given. */
  readonly seed?: number | undefined
}

/**
 * The name a model has in a chain unless its target has another: its provider and
 * its model.
 *
 * @since 0.1.0
 * @category combinators
 */
export const idOf = (model: Llm.Model): string => `${model.provider}/${model.model}`

/**
 * Builds a chain. Tiers are asked in order, and in a tier its targets in the
 * order of its strategy; a target or a model by itself is a tier of one. Fails
 * with the path of what makes no sense: no model at all, the same one twice, a
 * policy out of its range.
 *
 * A model that fails is followed by the next at once, except that a failure that
 * came fast may be tried again, and a flawed answer corrected or lengthened, as
 * the policy says; and when the last one to be asked says when to come back and
 * that is soon enough, the call waits and asks once more. A call ends as
 * `Exhausted` when everyone has failed, with the time until the first may be
 * asked again; as `TimedOut` (`total`) when the deadline is over, by the policy
 * or by `TimeLimit`; as `BudgetExceeded` when nothing but money is missing; or
 * as what a model said that no other model could do better. Every answer and
 * every error has the trail and the cost of all tries.
 *
 * A stream changes models only before its first text; what fails later is
 * `StreamBroken`, with the text so far. An answer that `generateObject` gives
 * fits the schema. Interruption stops a call at once and gives back all it held.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  tiers: Arr.NonEmptyReadonlyArray<Tier.Tier | Target.Target | Llm.Model>,
  options: Options = {}
): Effect.Effect<Chain, Target.InvalidTarget, Scope.Scope> =>
  Effect.gen(function*() {
    const policy = yield* under(["policy"], ChainPolicy.make(options.policy ?? {}))
    const all = yield* Effect.forEach(tiers, (tier, index) => under(["tiers", String(index)], tierOf(tier)))
    const targets = all.flatMap((tier) => tier.targets)
    yield* checkIds(all)
    const name = options.name ?? "chain"
    const pcg = options.seed === undefined ? undefined : new Utils.PCGRandom(options.seed)
    const { budget } = options
    const telemetry = ChainTelemetry.make(name, targets)
    const scope = yield* Effect.scope
    if (budget?.total !== undefined) telemetry.budget(budget.total)
    const engine: Run.Engine = {
      name,
      policy,
      millis: millisOf(policy),
      tiers: all,
      targets,
      budget,
      // A budget that others share may take its time to tell; no call waits for that.
      afterCall: budget === undefined
        ? undefined
        : Effect.forkIn(Effect.map(budget.left(), telemetry.budgetLeft), scope),
      hedges: policy.hedge === undefined ? undefined : RetryBudget.make(policy.hedge.budget),
      watch: yield* Deadline.make(),
      telemetry,
      random: pcg === undefined ? Math.random : () => pcg.number()
    }
    return chain(engine)
  })

const chain = (engine: Run.Engine): Chain => ({
  provider: engine.name,
  model: engine.targets.map((target) => target.id).join(", "),
  targets: engine.targets,
  traits: Target.widest(engine.targets.map((target) => target.traits)),
  generateText: (request) =>
    Walk.call(
      engine,
      "generateText",
      request,
      () => Question.text(request, engine.policy.checks, true, Question.askText)
    ),
  generateObject: (request): Effect.Effect<Chat.ObjectAnswer, LlmError.LlmError> => {
    const validator = Question.validatorOf(engine.name, request)
    return Exit.isFailure(validator)
      ? Exit.failCause(validator.cause)
      : Walk.call(
        engine,
        "generateObject",
        request,
        () => Question.object(request, engine.policy.checks, validator.value)
      )
  },
  streamText: (request) => Streaming.streamText(engine, request),
  ping: Ping.any(engine),
  status: Effect.map(
    Clock.currentTimeNanos,
    (nanos) => engine.targets.map((target) => Target.status(target, Number(nanos) / 1e6))
  )
})

const tierOf = (
  given: Tier.Tier | Target.Target | Llm.Model
): Effect.Effect<Tier.Tier, Target.InvalidTarget> =>
  "generateText" in given
    ? Effect.map(Target.make(given), (target) => Tier.make([target]))
    : "strategy" in given
    ? Effect.succeed(given)
    : Effect.succeed(Tier.make([given]))

const checkIds = (tiers: ReadonlyArray<Tier.Tier>): Effect.Effect<void, Target.InvalidTarget> =>
  Effect.suspend(() => {
    if (tiers.length === 0) return invalid(["tiers"], "a chain needs at least one model")
    const seen = new Set<string>()
    for (const [index, { targets }] of tiers.entries()) {
      if (targets.length < 1) return invalid(["tiers", String(index), "targets"], "a tier needs at least one model")
      for (const [place, { id }] of targets.entries()) {
        if (seen.has(id)) {
          return invalid(
            ["tiers", String(index), ...(targets.length === 1 ? [] : ["targets", String(place)]), "id"],
            `the chain names the model ${id} twice`
          )
        }
        seen.add(id)
      }
    }
    return Effect.void
  })

const invalid = (path: ReadonlyArray<string>, description: string) =>
  Effect.fail(new Target.InvalidTarget({ path, description }))

const under = <A>(
  path: ReadonlyArray<string>,
  self: Effect.Effect<A, Target.InvalidTarget>
): Effect.Effect<A, Target.InvalidTarget> =>
  Effect.mapError(
    self,
    (error) => new Target.InvalidTarget({ path: [...path, ...error.path], description: error.description })
  )

const millisOf = (policy: ChainPolicy.ChainPolicy): Run.Millis => ({
  deadline: Duration.toMillis(policy.deadline),
  queue: Duration.toMillis(policy.timeouts.queue),
  headers: Duration.toMillis(policy.timeouts.headers),
  firstToken: Duration.toMillis(policy.timeouts.firstToken),
  idle: Duration.toMillis(policy.timeouts.idle),
  answer: Duration.toMillis(policy.timeouts.answer),
  hedgeAfter: policy.hedge === undefined ? Number.POSITIVE_INFINITY : Duration.toMillis(policy.hedge.after)
})
