/**
 * Finds what is unwise about a policy, a sentence each, with what to do.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { Concurrency, Parts } from "../../policy/Policy.js"
import * as Policy from "../../policy/Policy.js"
import type * as Tool from "../../tool/Tool.js"

const format = (duration: Duration.DurationInput): string => Duration.format(Duration.decode(duration))

const isLonger = (one: Duration.DurationInput, other: Duration.DurationInput): boolean =>
  Duration.greaterThan(Duration.decode(one), Duration.decode(other))

/**
 * What a tool has to do with others.
 *
 * @since 0.1.0
 * @category models
 */
export interface Others {
  /** All tools there are. */
  readonly tools: ReadonlySet<string>
  /** Which tool each names as its fallback; none unless given. */
  readonly fallbacks?: ReadonlyMap<string, string> | undefined
  /** With which numbers each upstream is named; none unless given. */
  readonly upstreams?: ReadonlyMap<string, ReadonlySet<string>> | undefined
}

/** What is looked at: the tool, what was written, what of it holds, and the other tools. */
interface Subject extends Others {
  readonly tool: Tool.Any
  readonly written: Parts
  readonly policy: Parts
}

type Look = (subject: Subject) => ReadonlyArray<string>

const when = (isSo: boolean, sentence: () => string): ReadonlyArray<string> => (isSo ? [sentence()] : [])

const repeats: Look = ({ tool, written }) => {
  const parts = [
    ...(Option.isSome(written.retry) ? ["retry"] : []),
    ...(Option.isSome(written.cache) ? ["cache"] : []),
    ...(written.coalesce ? ["coalesce"] : [])
  ]
  return when(
    tool.safety === "effectful" && parts.length > 0,
    () => `${parts.join(", ")} is left out, since the tool is effectful; use idempotent, or declare it safe to repeat.`
  )
}

const retries: Look = ({ policy: { attemptTimeout, retry, timeout } }) => {
  if (Option.isNone(retry)) {
    return Option.isSome(attemptTimeout) && Option.isSome(timeout) && !isLonger(timeout.value, attemptTimeout.value)
      ? ["the time of one try is not below that of all, so it never counts; shorten it, or leave it out."]
      : []
  }
  if (Option.isNone(attemptTimeout)) {
    return ["a retry without an attemptTimeout waits for a first try that hangs until all time is over; set one."]
  }
  return when(
    Option.isSome(timeout) && isLonger(Duration.times(attemptTimeout.value, 2), timeout.value),
    () => "two tries do not fit into the timeout; shorten attemptTimeout, or prolong timeout."
  )
}

const keeping: Look = ({ policy: { cache, fallbacks, minConfidence } }) => {
  const isStale = fallbacks.some(({ _tag }) => _tag === "Stale")
  if (Option.isNone(cache)) {
    return when(isStale, () => "a fallback to a kept answer needs a cache, and there is none; add Policy.cache.")
  }
  const { staleFor, timeToLive } = cache.value
  const halfLife = Policy.halfLifeOf(cache.value)
  const whole = Duration.sum(timeToLive, staleFor ?? 0)
  const worth = 2 ** (-Duration.toMillis(timeToLive) / Duration.toMillis(halfLife))
  return [
    ...when(
      isLonger(timeToLive, halfLife),
      () => "answers are kept for longer than their half-life, so the last are worth little; shorten timeToLive."
    ),
    ...when(
      !isLonger(timeToLive, halfLife) && isLonger(whole, Duration.times(halfLife, 4)),
      () =>
        "answers that stand in at the end of staleFor are worth less than a sixteenth; shorten it, or prolong halfLife."
    ),
    ...when(
      staleFor !== undefined && !isStale,
      () => "answers are kept for staleFor and nothing uses them; add Policy.fallback(\"stale\"), or leave it out."
    ),
    ...when(
      staleFor === undefined && isStale,
      () => "a fallback to a kept answer finds none that is older than timeToLive; set staleFor."
    ),
    ...when(
      Option.isSome(minConfidence) && worth < minConfidence.value.least,
      () => "no kept answer is sure enough until the end of timeToLive; shorten it, or prolong halfLife."
    )
  ]
}

/** The tools to which one leads from another, by their fallbacks, until one has none or comes again. */
const wayFrom = (start: string, fallbacks: Others["fallbacks"]): ReadonlyArray<string> => {
  const way: Array<string> = []
  for (let next = fallbacks?.get(start); next !== undefined && !way.includes(next); next = fallbacks?.get(next)) {
    way.push(next)
  }
  return way
}

const ways: Look = ({ fallbacks, policy, tool, tools }) =>
  policy.fallbacks.flatMap((fallback) => {
    if (fallback._tag === "Stale") return []
    if (fallback.tool === tool.name) return ["the tool is its own fallback; name another."]
    if (!tools.has(fallback.tool)) return [`the fallback names ${fallback.tool}, and there is no such tool.`]
    const way = wayFrom(tool.name, fallbacks)
    return when(
      way.includes(tool.name),
      () => `the fallback leads back to the tool (${way.join(", ")}); let one of them have none.`
    )
  })

const keys: Look = ({ policy: { idempotent }, tool }) =>
  when(
    tool.safety === "readOnly" && Option.isSome(idempotent),
    () => "idempotency keys do nothing for a read-only tool that a cache would not do better; leave them out."
  )

const queues: Look = ({ policy: { concurrency, rateLimits, timeout } }) => {
  if (Option.isNone(concurrency)) return []
  const { limit, maxWait, queue } = concurrency.value
  const most = limit + (queue ?? 4 * limit)
  return [
    ...when(
      // Unless it was set, nobody minds that it is cut short.
      maxWait !== undefined && Option.isSome(timeout) && isLonger(maxWait, timeout.value),
      () => `calls wait for their turn longer (${format(maxWait ?? 0)}) than they may take; shorten maxWait.`
    ),
    ...rateLimits.flatMap(({ burst, cost, limit, name }) =>
      when(
        cost === undefined && (burst ?? limit) > most,
        () =>
          `the rate limit "${name ?? "calls"}" lets ${
            burst ?? limit
          } calls come at once, and ${most} can run or wait; ` +
          "set a smaller burst, or a longer queue."
      )
    )
  ]
}

/** With which numbers an upstream is named: those who do so with the same share its places. */
const numbersOf = ({ limit, maxWait, perCaller, queue }: Concurrency): string =>
  JSON.stringify([limit, queue ?? 4 * limit, format(maxWait ?? "10 seconds"), perCaller ?? limit])

const shared: Look = ({ policy: { concurrency }, upstreams }) => {
  const { upstream } = Option.getOrUndefined(concurrency) ?? {}
  return when(
    upstream !== undefined && (upstreams?.get(upstream)?.size ?? 0) > 1,
    () => `tools name ${upstream} with different numbers, so they do not share its places; give them the same.`
  )
}

const publics: Look = ({ policy: { cache, coalesce }, tool }) =>
  when(
    tool.isPublic && tool.scopes.length > 0 && (coalesce || Option.isSome(cache)),
    () =>
      "its answers are public and need scopes; see that they do not depend on who asks, or do not declare them public."
  )

const breakers: Look = ({ policy: { circuitBreaker, timeout } }) => {
  const window = Option.getOrUndefined(circuitBreaker)?.window ?? "30 seconds"
  return when(
    Option.isSome(circuitBreaker) && Option.isSome(timeout) && isLonger(timeout.value, window),
    () => "a call may hang for longer than the window of the breaker, which then opens late; shorten timeout."
  )
}

const confidences: Look = ({ policy: { minConfidence } }) =>
  when(
    Option.isSome(minConfidence) && minConfidence.value.least > 0.95,
    () => "hardly any answer that is not computed is so sure; ask for less confidence."
  )

const looks: ReadonlyArray<Look> = [
  repeats,
  retries,
  keeping,
  ways,
  keys,
  queues,
  shared,
  publics,
  breakers,
  confidences
]

/**
 * What tools have to do with each other.
 *
 * @since 0.1.0
 * @category constructors
 */
export const others = (
  tools: ReadonlyArray<{ readonly name: string; readonly policy: Parts }>
): Others => {
  const fallbacks = new Map<string, string>()
  const upstreams = new Map<string, Set<string>>()
  for (const { name, policy: { concurrency, fallbacks: all } } of tools) {
    for (const fallback of all) if (fallback._tag === "Tool") fallbacks.set(name, fallback.tool)
    if (Option.isSome(concurrency) && concurrency.value.upstream !== undefined) {
      const { upstream } = concurrency.value
      upstreams.set(upstream, (upstreams.get(upstream) ?? new Set()).add(numbersOf(concurrency.value)))
    }
  }
  return { tools: new Set(tools.map(({ name }) => name)), fallbacks, upstreams }
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const find = (
  tool: Tool.Any,
  written: Parts,
  policy: Parts,
  others: Others
): ReadonlyArray<string> => looks.flatMap((look) => look({ ...others, tool, written, policy }))
