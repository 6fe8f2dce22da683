/**
 * How a search is to be answered, decided by figures alone: which words are read
 * in full, what a filter is turned into, how vectors are compared. And whether
 * what came of it is what reading everything would have given.
 *
 * Reading only the rarest words of a query is exact when the others together
 * cannot bring a passage into the pool that holds none of the rare ones: that is
 * MaxScore (Turtle and Flood 1995).
 *
 * @since 0.1.0
 */
import * as Fusion from "./Fusion.js"
import type { Figures } from "./PgFigures.js"
import type * as PgVectorIndex from "./PgVectorIndex.js"

/**
 * What becomes of the filter: there is none, its passages are named first, or
 * each passage is looked at in the order of its score until there are enough.
 *
 * @since 0.1.0
 * @category models
 */
export type Filtering = "none" | "named" | "looked at"

/**
 * How vectors are compared: not at all, each one in Postgres, through the index,
 * all in this process at once, or page by page, which gives the passages.
 *
 * @since 0.1.0
 * @category models
 */
export type Dense =
  | { readonly _tag: "None" }
  | { readonly _tag: "Exact" }
  | { readonly _tag: "Index"; readonly precision: PgVectorIndex.Precision }
  | { readonly _tag: "Here" }
  | { readonly _tag: "Pages" }
  | { readonly _tag: "Given"; readonly passages: ReadonlyArray<string> }

/**
 * @since 0.1.0
 * @category models
 */
export interface Plan {
  /** The terms that some passage holds, by place in the query from 0, the rarest first. */
  readonly terms: ReadonlyArray<number>
  /** How many of these are read in full; the rest is looked up for the passages found. */
  readonly essential: number
  /** What the rest can add to a passage. */
  readonly bound: number
  readonly filtering: Filtering
  /** Whether the postings of named passages are looked up one by one, which is quicker when these are few. */
  readonly isNarrow: boolean
  /** Whether a chosen passage's words are looked up one by one, which is quicker when the words are common. */
  readonly isCommon: boolean
  readonly dense: Dense
  /** Whether Postgres tells equal scores at the edge of the words' pool apart: slower, and never in doubt. */
  readonly hasTies: boolean
  /** The same for the vectors' pool. */
  readonly hasEqualVectors: boolean
}

/**
 * How many passages an arm brings: more than its pool, so that equal scores at the
 * edge are seen.
 *
 * @since 0.1.0
 * @category configuration
 */
export const armSize = Fusion.poolSize + 56

/** Passages that so few words found often have equal scores. */
const tyingTerms = 8

/** What it takes to read a posting in order and add it up, and to look one up; only their ratio matters. */
const readCost = 0.3
const lookUpCost = 1

/** Reading so few postings is not worth a second thought. */
const few = 5_000

/** Without pgvector so many passages are compared here whatever the words bring. */
const comparable = 1_000

/**
 * Without pgvector so many passages are compared page by page when words bring
 * none: they take most of a second.
 *
 * @since 0.1.0
 * @category configuration
 */
export const mostPaged = 20_000

/**
 * The score that some two hundred passages should reach, were words independent
 * of one another. In real texts they come together, and scores are higher.
 */
const expectedEdge = (passages: number, terms: ReadonlyArray<{ readonly share: number; readonly weight: number }>) => {
  const steps = 256
  const total = terms.reduce((sum, { weight }) => sum + weight, 0)
  if (total <= 0) return 0
  let chances = new Float64Array(steps + 1)
  chances[0] = 1
  for (const { share, weight } of terms) {
    const next = new Float64Array(steps + 1)
    const shift = Math.floor(weight / total * steps)
    for (let n = 0; n <= steps; n++) {
      const chance = chances[n] ?? 0
      next[n] = (next[n] ?? 0) + chance * (1 - share)
      const to = Math.min(steps, n + shift)
      next[to] = (next[to] ?? 0) + chance * share
    }
    chances = next
  }
  let above = 0
  for (let n = steps; n > 0; n--) {
    above += (chances[n] ?? 0) * passages
    // a word that occurs once in a passage of middling length adds its weight
    if (above >= Fusion.poolSize) return 0.9 * n / steps * total
  }
  return 0
}

interface Words {
  readonly terms: ReadonlyArray<number>
  readonly matching: ReadonlyArray<number>
  readonly weights: ReadonlyArray<number>
}

/** The cheapest way to read the words that is exact if the pool's last score is `edge`. */
const prune = ({ matching, terms, weights }: Words, edge: number): Pick<Plan, "essential" | "bound"> => {
  const total = terms.reduce((sum, n) => sum + (matching[n] ?? 0), 0)
  let best = { essential: terms.length, bound: 0 }
  let least = readCost * total
  let bound = 0
  let read = total
  for (let essential = terms.length - 1; essential > 0; essential--) {
    const n = terms[essential] ?? 0
    bound += Fusion.ceiling([weights[n] ?? 0])
    if (bound >= edge) break
    read -= matching[n] ?? 0
    const cost = readCost * read + lookUpCost * read * (terms.length - essential)
    if (cost < least) {
      least = cost
      best = { essential, bound }
    }
  }
  return best
}

/**
 * The plan to begin with.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (figures: Figures, weights: ReadonlyArray<number>, options: {
  readonly hasQueryVector: boolean
  readonly hasVector: boolean
  /** Whether the transaction has the search's settings. */
  readonly isOwn: boolean
}): Plan => {
  const { allowed, index, matching, passages } = figures
  const terms = matching.map((_, n) => n).filter((n) => (matching[n] ?? 0) > 0)
    .sort((a, b) => (matching[a] ?? 0) - (matching[b] ?? 0) || a - b)
  const total = terms.reduce((sum, n) => sum + (matching[n] ?? 0), 0)
  const filtering = allowed === undefined ? "none" : Number.isFinite(allowed) ? "named" : "looked at"
  const words = { terms, matching, weights }
  // How many passages a filter leaves that are not named is unknown: something between few and all.
  const scored = filtering === "none" ? passages : Math.sqrt(passages) * 30
  const pruned = filtering === "named" || total < few
    ? { essential: terms.length, bound: 0 }
    : prune(
      words,
      expectedEdge(
        scored,
        terms.map((n) => ({ share: (matching[n] ?? 0) / passages, weight: weights[n] ?? 0 }))
      )
    )
  const isIndexed = options.isOwn && filtering !== "named" && index !== undefined &&
    // The fewer of all vectors are the tenant's, the more of them the index must pass over.
    passages * passages > 5_000 * Math.max(index.size, passages)
  return {
    terms,
    ...pruned,
    filtering,
    isNarrow: allowed !== undefined && allowed * terms.length * 8 < total,
    isCommon: total > 40_000,
    dense: !options.hasQueryVector
      ? { _tag: "None" }
      : !options.hasVector
      ? {
        _tag: (allowed ?? passages) <= comparable
          ? "Here"
          : terms.length === 0 && Math.min(passages, allowed ?? passages) <= mostPaged
          ? "Pages"
          : "None"
      }
      : isIndexed
      ? { _tag: "Index", precision: index.precision }
      : { _tag: "Exact" },
    hasTies: terms.length <= tyingTerms,
    hasEqualVectors: false
  }
}

/**
 * What an arm brought: how many passages, the lowest of their scores as Postgres
 * has it, and the last score of the pool, 0 when that is not full.
 *
 * @since 0.1.0
 * @category models
 */
export interface Arm {
  readonly count: number
  readonly lowest: number
  readonly edge: number
}

/** Postgres adds up in another order, which may change the last digits. */
const tolerance = 1e-9

/** Whether nothing that was left out can be in the pool. */
const isComplete = ({ count, edge, lowest }: Arm, tolerance: number): boolean =>
  count < armSize || lowest <= 0 || lowest < edge - tolerance

/**
 * The plan to go on with where this one may have missed a passage of the pool;
 * `undefined` where it cannot.
 *
 * @since 0.1.0
 * @category combinators
 */
export const revise = (
  plan: Plan,
  figures: Figures,
  weights: ReadonlyArray<number>,
  lexical: Arm,
  dense: Arm
): Plan | undefined => {
  const isCut = !plan.hasTies && !isComplete(lexical, tolerance)
  const areCut = plan.dense._tag === "Exact" && !plan.hasEqualVectors && !isComplete(dense, 0)
  if (isCut || areCut) {
    return { ...plan, hasTies: plan.hasTies || isCut, hasEqualVectors: plan.hasEqualVectors || areCut }
  }
  // It gave up before it had enough.
  if (plan.dense._tag === "Index" && dense.count < Fusion.poolSize) return { ...plan, dense: { _tag: "Exact" } }
  const sure = lexical.edge - tolerance
  return plan.essential === plan.terms.length || plan.bound < sure
    ? undefined
    : { ...plan, ...prune({ terms: plan.terms, matching: figures.matching, weights }, sure) }
}
