/**
 * One search on Postgres: figures, candidates, fusion, passages.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Embedding } from "../../embedding/Embedder.js"
import type { DocumentStoreError, Hit, Query } from "../DocumentStore.js"
import * as Tokenizer from "../Tokenizer.js"
import * as Filter from "./Filter.js"
import * as Fusion from "./Fusion.js"
import * as PgArray from "./PgArray.js"
import * as PgCandidates from "./PgCandidates.js"
import * as PgFailure from "./PgFailure.js"
import * as PgFigures from "./PgFigures.js"
import * as PgPlan from "./PgPlan.js"
import * as PgRead from "./PgRead.js"
import * as PgScan from "./PgScan.js"
import * as PgTime from "./PgTime.js"

/**
 * Fails when vectors of another embedder than `id` are stored: they cannot be
 * compared.
 *
 * @since 0.1.0
 * @category guards
 */
export const agree = (
  method: DocumentStoreError["method"],
  id: string,
  { first, last }: PgRead.Embedders
): Effect.Effect<void, DocumentStoreError> => {
  const other = first !== null && first !== id ? first : last !== null && last !== id ? last : undefined
  return other === undefined ? Effect.void : Effect.fail(PgFailure.incompatible(
    method,
    first === last
      ? `the store holds vectors of the embedder ${other} and this program uses ${id}; use the former, or reindex the ` +
        "store, which embeds what is stored anew"
      : `the store holds vectors of ${other} besides those of another embedder, and this program uses ${id}: ` +
        "a reindex is under way or was stopped; let it run to its end"
  ))
}

/** Of unit length; `undefined` for the zero vector, which has no direction to compare. */
const unit = (vector: Float32Array): Float32Array | undefined => {
  const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  return norm > 0 && Number.isFinite(norm) ? vector.map((value) => value / norm) : undefined
}

/**
 * A candidate with the value of both arms.
 *
 * @since 0.1.0
 * @category models
 */
export interface Scored extends Fusion.Candidate {
  readonly id: string
}

const scored = (
  search: PgCandidates.Search,
  { terms }: PgPlan.Plan,
  candidates: ReadonlyArray<PgCandidates.Candidate>
): ReadonlyArray<Scored> => {
  const frequencies = new Array<number>(search.terms.length)
  return candidates.map((candidate): Scored => {
    frequencies.fill(0)
    for (const packed of candidate.terms ?? []) {
      frequencies[Math.floor(packed / PgCandidates.placeUnit)] = packed % PgCandidates.placeUnit
    }
    // Summed from the rarest to the most common, as every store does: the last bit decides ties.
    let bm25 = 0
    for (const n of terms) {
      const frequency = frequencies[n] ?? 0
      if (frequency === 0) continue
      bm25 += Fusion.termScore(search.weights[n] ?? 0, frequency, candidate.length, search.averageLength)
    }
    const cosine = candidate.cosine ??
      (search.vector === undefined || candidate.embedding === null
        ? 0
        : PgArray.dot(search.vector, candidate.embedding))
    return { id: candidate.id, documentId: candidate.document, position: candidate.position, bm25, cosine }
  })
}

const best = (candidates: ReadonlyArray<Scored>, arm: "bm25" | "cosine"): ReadonlyArray<Scored> =>
  candidates.filter((candidate) => candidate[arm] > 0)
    .sort((a, b) => b[arm] - a[arm] || Fusion.byIdentity(a, b))

const arm = (scores: ReadonlyArray<number>, edge = 0): PgPlan.Arm => ({
  count: scores.length,
  lowest: scores.reduce((lowest, score) => Math.min(lowest, score), Number.POSITIVE_INFINITY),
  edge
})

/**
 * Every passage that is in the pool of an arm, and no other, whichever plan it
 * begins with; and the plan that found them.
 *
 * @since 0.1.0
 * @category combinators
 */
export const pool = (
  search: PgCandidates.Search,
  figures: PgFigures.Figures,
  first: PgPlan.Plan,
  /** Run before each statement. */
  before: Effect.Effect<void, SqlError, SqlClient.SqlClient> = Effect.void
): Effect.Effect<
  { readonly candidates: ReadonlyArray<Scored>; readonly plan: PgPlan.Plan },
  SqlError,
  SqlClient.SqlClient
> =>
  Effect.gen(function*() {
    let plan = first
    for (;;) {
      yield* before
      const candidates = yield* PgCandidates.read(search, plan)
      const all = scored(search, plan, candidates)
      const lexical = best(all, "bm25")
      const dense = best(all, "cosine")
      const revised = PgPlan.revise(
        plan,
        figures,
        search.weights,
        arm(candidates.flatMap(({ brought }) => brought ?? []), lexical[Fusion.poolSize - 1]?.bm25),
        arm(
          candidates.flatMap(({ cosine, isCompared }) => isCompared ? cosine ?? 0 : []),
          dense[Fusion.poolSize - 1]?.cosine
        )
      )
      if (revised === undefined) {
        return {
          candidates: [...new Set([...lexical.slice(0, Fusion.poolSize), ...dense.slice(0, Fusion.poolSize)])],
          plan
        }
      }
      plan = revised
    }
  })

/** A passage that is replaced between choosing and reading it makes the search begin anew, this many times. */
const attempts = 3

/**
 * @since 0.1.0
 * @category models
 */
export interface PgSearch {
  /**
   * The best passages first. One transaction on one connection, so that where
   * there is but one, a search waits for its turn once. Postgres itself ends
   * each statement just before the time is over that is left by `TimeLimit`;
   * settings do not outlast the search, and inside the caller's transaction none
   * are made.
   */
  readonly search: (
    query: Query
  ) => Effect.Effect<ReadonlyArray<Hit>, DocumentStoreError | SqlError, SqlClient.SqlClient>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (embedder: Embedding, hasVector: boolean): PgSearch => {
  const lexicalWeight = Fusion.lexicalWeight(embedder)
  const all = PgFigures.make()

  const ask = (
    { limit, tenant, text }: Query,
    asked: Pick<PgCandidates.Search, "terms" | "vector" | "filter">,
    isOwn: boolean
  ) =>
    Effect.gen(function*() {
      const { filter, terms, vector } = asked
      const inTime = isOwn ? PgTime.make() : Effect.void
      let hits: ReadonlyArray<Hit> = []
      for (let attempt = 0; attempt < attempts; attempt++) {
        yield* inTime
        const figures = yield* all.read({ tenant, terms, filter, isOwn, dimensions: embedder.dimensions })
        yield* agree("search", embedder.id, figures)
        const { passages, tokens } = figures
        if (figures.tenant === null || passages === 0 || figures.allowed === 0) return []
        const weights = terms.map((_, n) => Fusion.idf(passages, figures.matching[n] ?? 0))
        const search = { ...asked, tenant: figures.tenant, weights, averageLength: tokens / passages }
        const plan = PgPlan.make(figures, weights, { hasQueryVector: vector !== undefined, hasVector, isOwn })
        if (plan.dense._tag === "None" && vector !== undefined && text.trim() === "") {
          return yield* PgFailure.incompatible(
            "search",
            "this server has no pgvector, without which a search by a vector alone looks through " +
              `${
                PgPlan.mostPaged.toLocaleString("en")
              } passages at most: install pgvector, ask in words, or narrow the filter`
          )
        }
        const dense: PgPlan.Dense = plan.dense._tag === "Pages"
          ? { _tag: "Given", passages: yield* PgScan.read(search, inTime) }
          : plan.dense
        const { candidates } = yield* pool(search, figures, { ...plan, dense }, inTime)
        const fused = Fusion.fuse(candidates, {
          lexicalWeight,
          ceiling: Fusion.ceiling(weights),
          limit
        })
        yield* inTime
        const found = yield* PgRead.passages(figures.tenant, fused.map(({ candidate }) => candidate.id))
        hits = fused.flatMap(({ candidate, score, signals }) => {
          const passage = found.get(candidate.id)
          return passage === undefined ? [] : [{ passage, score, signals }]
        })
        if (hits.length === fused.length) break
      }
      return hits
    })

  return {
    search: (query) =>
      Effect.gen(function*() {
        if (query.vector !== undefined && query.vector.length !== embedder.dimensions) {
          return yield* PgFailure.incompatible(
            "search",
            `the query's vector has ${query.vector.length} dimensions and those of ${embedder.id} have ${embedder.dimensions}`
          )
        }
        const filter = yield* Effect.mapError(
          Filter.compile(query.filter),
          (description) => PgFailure.invalid("search", description)
        )
        const terms = Tokenizer.terms(query.text)
        const vector = query.vector === undefined ? undefined : unit(query.vector)
        if (
          filter === undefined || !Filter.isStorable(query.tenant) || (terms.length === 0 && vector === undefined)
        ) return []
        const sql = yield* SqlClient.SqlClient
        const isOwn = Option.isNone(yield* Effect.serviceOption(SqlClient.TransactionConnection))
        const asked = ask(query, { terms, vector, filter }, isOwn)
        // Who gives up waits for no cancelling here either: what ends the transaction comes after the statement that
        // runs, whether that is cancelled or runs out of its time.
        return yield* sql.withTransaction(isOwn ? Effect.disconnect(asked) : asked)
      })
  }
}
