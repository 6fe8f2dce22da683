/**
 * Finds the setting of a chain's policy that is out of its range.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as RetryBudget from "../../policy/RetryBudget.js"
import * as Setting from "./Setting.js"

/**
 * Where it is, and what it has to be.
 *
 * @since 0.1.0
 * @category models
 */
export interface Fault {
  readonly path: ReadonlyArray<string>
  readonly description: string
}

/**
 * The settings that have a range.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ranged {
  readonly deadline: Duration.Duration
  readonly timeouts: { readonly [phase in "queue" | "headers" | "firstToken" | "idle" | "answer"]: Duration.Duration }
  readonly maxAttempts: number
  readonly repairs: number
  readonly hedge: {
    readonly maxCostRatio: number
    readonly maxLoad: number
    readonly budget: RetryBudget.Options
  } | undefined
}

/** So much is kept back to settle and to answer in, and one for the watch, which counts whole milliseconds. */
const leastDeadline = 61

/** Nobody has to wait for a place; all else takes time. */
const phases = ["headers", "firstToken", "idle", "answer"] as const

/**
 * Fails with the first setting that is out of its range.
 *
 * @since 0.1.0
 * @category combinators
 */
export const check = (policy: Ranged): Effect.Effect<void, Fault> => {
  const deadline = Duration.toMillis(policy.deadline)
  if (!(deadline > leastDeadline && deadline < Number.POSITIVE_INFINITY)) {
    return fail(["deadline"], `must be above ${leastDeadline} ms and finite`)
  }
  for (const phase of phases) {
    if (!(Duration.toMillis(policy.timeouts[phase]) > 0)) return fail(["timeouts", phase], "must be above zero")
  }
  if (!(Number.isSafeInteger(policy.maxAttempts) && policy.maxAttempts >= 1)) {
    return fail(["maxAttempts"], `must be a whole number of at least 1, but is ${policy.maxAttempts}`)
  }
  if (!(Number.isSafeInteger(policy.repairs) && policy.repairs >= 0)) {
    return fail(["repairs"], `must be a whole number of at least 0, but is ${policy.repairs}`)
  }
  return policy.hedge === undefined ? Effect.void : checkHedge(policy.hedge)
}

const checkHedge = (hedge: NonNullable<Ranged["hedge"]>): Effect.Effect<void, Fault> => {
  if (!(hedge.maxCostRatio > 0)) {
    return fail(["hedge", "maxCostRatio"], `must be above 0, but is ${hedge.maxCostRatio}`)
  }
  if (!(hedge.maxLoad > 0 && hedge.maxLoad <= 1)) {
    return fail(["hedge", "maxLoad"], `must be above 0 and at most 1, but is ${hedge.maxLoad}`)
  }
  return Effect.asVoid(Effect.mapError(
    Setting.attempt(hedge.budget, RetryBudget.make),
    ({ description, name }): Fault => ({
      path: ["hedge", "budget", ...(name === undefined ? [] : [name])],
      description
    })
  ))
}

const fail = (path: ReadonlyArray<string>, description: string): Effect.Effect<never, Fault> =>
  Effect.fail({ path, description })
