/**
 * Models that can stand in for each other, and the way to choose among them.
 *
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import type * as Chat from "./Chat.js"
import * as Price from "./Price.js"
import type * as Target from "./Target.js"

/**
 * What a strategy may go by.
 *
 * @since 0.1.0
 * @category models
 */
export interface Situation {
  readonly request: Chat.Request & { readonly schema?: unknown }
  readonly inputTokens: number
  /** Milliseconds of one clock that does not go back. */
  readonly now: number
  /** Numbers from 0 to below 1. */
  readonly random: () => number
}

/**
 * Puts targets in the order they are to be asked, all of them, each once. It is
 * made anew for each tier, and may keep state. The same numbers by chance give
 * the same order.
 *
 * @since 0.1.0
 * @category models
 */
export interface Strategy {
  readonly name: string
  readonly order: (
    targets: ReadonlyArray<Target.Target>,
    situation: Situation
  ) => ReadonlyArray<Target.Target>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Tier {
  readonly targets: Arr.NonEmptyReadonlyArray<Target.Target>
  readonly strategy: Strategy
}

/**
 * Makes a tier; its targets are asked in the order given unless a strategy says
 * otherwise.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  targets: Arr.NonEmptyReadonlyArray<Target.Target>,
  strategy: Strategy = ordered()
): Tier => ({ targets, strategy })

/**
 * In the order they were given.
 *
 * @since 0.1.0
 * @category strategies
 */
export const ordered = (): Strategy => ({ name: "ordered", order: (targets) => targets })

/**
 * By chance, in proportion to their weights.
 *
 * @since 0.1.0
 * @category strategies
 */
export const weighted = (): Strategy => ({ name: "weighted", order: (targets, { random }) => draw(targets, random) })

/**
 * Each in its turn.
 *
 * @since 0.1.0
 * @category strategies
 */
export const roundRobin = (): Strategy => {
  let turn = 0
  return {
    name: "roundRobin",
    order: (targets) => {
      const first = targets.length === 0 ? 0 : turn % targets.length
      turn = first + 1
      return [...targets.slice(first), ...targets.slice(0, first)]
    }
  }
}

/**
 * The one with the fewest calls under way for its weight.
 *
 * @since 0.1.0
 * @category strategies
 */
export const leastInFlight = (): Strategy => ({
  name: "leastInFlight",
  order: (targets, { random }) => byScore(draw(targets, random), (target) => target.limits.inFlight / target.weight)
})

/**
 * The better of two by chance: by time to answer, calls under way and successes.
 *
 * @since 0.1.0
 * @category strategies
 */
export const peakEwma = (): Strategy => ({
  name: "peakEwma",
  order: (targets, { now, random }) => {
    if (targets.length < 2) return targets
    const latencies = targets.map((target) => target.record.latency(now))
    const usual = medianOf(latencies.filter((latency) => latency !== undefined))
    // Nothing answers in no time: with a zero neither load nor failures would count.
    const scores = targets.map((target, index) =>
      Math.max(1, latencies[index] ?? usual) * (target.limits.inFlight + 1) /
      Math.max(leastSuccess, target.record.successRate(now))
    )
    const one = below(targets.length, random)
    const other = (one + 1 + below(targets.length - 1, random)) % targets.length
    const first = targets[scoreAt(scores, one) <= scoreAt(scores, other) ? one : other]
    const byRank = byScore(targets, (_, index) => scoreAt(scores, index))
    return first === undefined ? byRank : [first, ...byRank.filter((target) => target !== first)]
  }
})

/** However badly a target does, it is tried now and then. */
const leastSuccess = 0.05

const scoreAt = (scores: ReadonlyArray<number>, index: number): number => scores[index] ?? Number.POSITIVE_INFINITY

/** What a model that nobody has asked lately is taken for: no better and no worse than the others. */
const medianOf = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted[sorted.length >> 1] ?? 1
  return sorted.length % 2 === 1 ? upper : ((sorted[(sorted.length >> 1) - 1] ?? upper) + upper) / 2
}

/**
 * The one that costs least for this request, by its estimated input and its
 * longest answer (500 tokens unless it says); those without a price come last.
 *
 * @since 0.1.0
 * @category strategies
 */
export const cheapest = (): Strategy => ({
  name: "cheapest",
  order: (targets, { inputTokens, request }) => {
    const tokens = { inputTokens, outputTokens: request.maxTokens ?? usualOutput }
    return byScore(targets, (target) => Price.atMost(target.price, tokens) ?? Number.POSITIVE_INFINITY)
  }
})

/** The length of an answer, in tokens, when nobody has said how long it may be. */
const usualOutput = 500

/**
 * The one with most of its limits left.
 *
 * @since 0.1.0
 * @category strategies
 */
export const headroom = (): Strategy => ({
  name: "headroom",
  order: (targets, { now, random }) => byScore(draw(targets, random), (target) => -target.limits.headroom(now))
})

/**
 * The same one for the same key, as far as it can be asked; by the tenant unless
 * `keyOf` is given.
 *
 * @since 0.1.0
 * @category strategies
 */
export const sticky = (keyOf: (request: Chat.Request) => string = (request) => request.tenant ?? ""): Strategy => ({
  name: "sticky",
  order: (targets, { request }) => {
    const key = hash(keyOf(request), 0x811c9dc5)
    // Each target draws a number by key and id alone: one that comes or goes
    // moves only the keys that are its own.
    return byScore(targets, (target) => -Math.log((hash(target.id, key) + 0.5) / 2 ** 32) / target.weight)
  }
})

/** FNV-1a, with the last mixing of MurmurHash3, since the ids of a tier differ by little. */
const hash = (text: string, seed: number): number => {
  let value = seed
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}

const below = (bound: number, random: () => number): number => Math.min(bound - 1, Math.floor(random() * bound))

/** The lowest first; equal ones stay as they are. */
const byScore = (
  targets: ReadonlyArray<Target.Target>,
  scoreOf: (target: Target.Target, index: number) => number
): ReadonlyArray<Target.Target> =>
  targets.length < 2
    ? targets
    : targets.map((target, index) => ({ target, score: scoreOf(target, index) }))
      .sort((a, b) => a.score === b.score ? 0 : a.score - b.score)
      .map(({ target }) => target)

/** One after another by chance, in proportion to the weights of those that are left. */
const draw = (targets: ReadonlyArray<Target.Target>, random: () => number): ReadonlyArray<Target.Target> => {
  const left = [...targets]
  const drawn: Array<Target.Target> = []
  let weight = left.reduce((sum, target) => sum + target.weight, 0)
  while (left.length > 1) {
    let point = random() * weight
    const index = left.findIndex((target) => (point -= target.weight) < 0)
    for (const target of left.splice(index < 0 ? left.length - 1 : index, 1)) {
      drawn.push(target)
      weight -= target.weight
    }
  }
  return [...drawn, ...left]
}
