/**
 * Counts calls against the limits of a policy and of the caller.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Principal } from "../../auth/Principal.js"
import type { RateLimit } from "../../policy/Policy.js"
import * as Policy from "../../policy/Policy.js"
import type { RateLimiter, Take, Verdict } from "../../policy/RateLimiter.js"
import { isExit } from "../../protocol/Ended.js"
import type { Quota } from "../../protocol/Quota.js"
import { ToolError } from "../../tool/ToolError.js"
import type { Ending, Next, Visit } from "./Visit.js"
import { refuse, when } from "./Visit.js"

/** Who shares a bucket, as one text; names have their length before them, so that none can pass for two. */
const framed = (text: string): string => `${text.length}:${text}`

/** A limit of a policy, read once. */
interface Counted {
  readonly policy: RateLimit
  readonly name: string
  readonly words: string
  readonly capacity: number
  readonly perSecond: number
  readonly keyOf: (caller: Principal) => string
}

const wordsOf = (limit: number, window: Duration.DurationInput): string => `${limit} per ${Duration.format(window)}`

const keyOf = (tool: string, { name, per }: RateLimit): Counted["keyOf"] => {
  const dimensions = new Set(per ?? Policy.defaultPer)
  const start = `policy|${framed(name ?? "calls")}|${dimensions.has("tool") ? tool : "*"}`
  const byTenant = dimensions.has("tenant")
  const byCaller = dimensions.has("caller")
  return ({ id, tenant }) =>
    // Two tenants may each have a caller of the same name.
    `${start}|${byTenant || byCaller ? framed(tenant) : "*"}|${byCaller ? framed(id) : "*"}`
}

const count = (tool: string, policy: RateLimit): Counted => ({
  policy,
  name: policy.name ?? "calls",
  words: wordsOf(policy.limit, policy.window),
  capacity: policy.burst ?? policy.limit,
  perSecond: policy.limit / Duration.toSeconds(policy.window),
  keyOf: keyOf(tool, policy)
})

const quotaOf = ({ cost, limit, name = "calls", window }: RateLimit): Quota => ({
  name,
  limit,
  windowSeconds: Duration.toSeconds(window),
  unit: cost === undefined ? undefined : name
})

/** Adds the limits that a caller has of its own, and numbers those of equal names. */
const numbered = (quotas: ReadonlyArray<Quota>, own: Principal["limits"] = []): ReadonlyArray<Quota> => {
  const names = new Set<string>()
  return [...quotas, ...own.map(({ limit, windowSeconds }): Quota => ({ name: "caller", limit, windowSeconds }))].map(
    (quota) => {
      let name = quota.name
      for (let number = 2; names.has(name); number++) name = `${quota.name}-${number}`
      names.add(name)
      return name === quota.name ? quota : { ...quota, name }
    }
  )
}

const none: ReadonlyArray<Take> = []

/** What a caller's own limits take: one for each call, all tools together. */
const ownTakes = (caller: Principal): ReadonlyArray<Take> =>
  caller.limits === undefined ? none : caller.limits.map(({ burst, limit, windowSeconds }, index) => ({
    key: `caller|${index}|${framed(caller.tenant)}|${framed(caller.id)}`,
    amount: 1,
    capacity: burst ?? limit,
    perSecond: limit / windowSeconds
  }))

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  tool: string,
  limits: ReadonlyArray<RateLimit>,
  limiter: Context.Tag.Service<RateLimiter>
) => {
  const counted = limits.map((policy) => count(tool, policy))
  const isSettled = limits.some(({ settle }) => settle !== undefined)
  const quotas = numbered(limits.map(quotaOf))

  /** Notes what is left, for a transport that tells. Of several calls in one message, one that was refused counts. */
  const note = ({ request: { caller, noted } }: Visit, { buckets, counted, isAllowed }: Verdict): void => {
    if (noted === undefined || counted === "none" || (isAllowed && noted.counted !== undefined)) return
    noted.counted = {
      quotas: caller.limits === undefined ? quotas : numbered(quotas, caller.limits),
      left: buckets
    }
  }

  const refused = (verdict: Verdict, caller: Principal): Ending => {
    const retryAfterMs = Math.ceil(verdict.retryAfterMs)
    if (verdict.counted === "none") {
      return refuse(
        new ToolError({
          code: "temporarily_unavailable",
          message: `The calls of ${tool} cannot be counted now, so none is made. Try again ${when(retryAfterMs)}.`,
          source: "rate-limiter",
          retryAfterMs
        })
      )
    }
    const index = verdict.refusedBy ?? 0
    const own = caller.limits?.[index - counted.length]
    const name = counted[index]?.name ?? "caller"
    const words = counted[index]?.words ??
      (own === undefined ? "" : wordsOf(own.limit, Duration.seconds(own.windowSeconds)))
    return refuse(
      new ToolError({
        code: "rate_limited",
        message: `Too many calls: the limit "${name}" allows ${words}. Try again ${when(retryAfterMs)}.`,
        retryAfterMs,
        details: { limit: name }
      })
    )
  }

  /** Gives back what the call did not cost in the end, or takes what it cost beside. */
  const settle = (visit: Visit, taken: ReadonlyArray<Take>, ending: Ending): Ending =>
    Effect.tap(ending, (outcome) => {
      if (outcome._tag !== "Answered") return Effect.void
      return Effect.forEach(counted, ({ policy }, index) => {
        const take = taken[index]
        if (policy.settle === undefined || take === undefined) return Effect.void
        return Effect.suspend(() => {
          // An answer that was kept or shared has cost nothing more.
          const cost = outcome.isCached ? 0 : policy.settle?.(outcome.value, visit.input) ?? take.amount
          return cost === take.amount ? Effect.void : limiter.give({ ...take, amount: take.amount - cost })
        })
      }, { discard: true }).pipe(
        // The answer is there, whatever it cost.
        Effect.catchAllDefect((defect) => Effect.logError(`What a call of ${tool} has cost could not be told`, defect))
      )
    })

  return (next: Next): Next => (visit) => {
    const { caller } = visit.request
    if (counted.length === 0 && caller.limits === undefined) return next(visit)
    const own = ownTakes(caller)
    const takes = [
      ...counted.map(({ capacity, keyOf, perSecond, policy }): Take => ({
        key: keyOf(caller),
        amount: policy.cost?.(visit.input) ?? 1,
        capacity,
        perSecond
      })),
      ...own
    ]
    if (!Arr.isNonEmptyReadonlyArray(takes)) return next(visit)
    const decide = (verdict: Verdict): Ending => {
      const { observation } = visit
      note(visit, verdict)
      if (!verdict.isAllowed) {
        observation?.step?.("rateLimit", "refused")
        // That nothing is counted is told of every call, whatever becomes of it.
        if (verdict.counted === "none") observation?.step?.("rateLimit", "uncounted")
        return refused(verdict, caller)
      }
      observation?.step?.(
        "rateLimit",
        verdict.counted === "shared" ? "taken" : verdict.counted === "local" ? "local" : "uncounted"
      )
      const ending = next(visit)
      return isSettled ? settle(visit, takes, ending) : ending
    }
    const verdict = limiter.take(takes)
    if (!isExit(verdict)) return Effect.flatMap(verdict, decide)
    return Exit.isSuccess(verdict) ? decide(verdict.value) : Exit.failCause(verdict.cause)
  }
}
