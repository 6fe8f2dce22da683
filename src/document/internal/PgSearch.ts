/**
 * One search on Postgres: figures, candidates, fusion, passages.
 *
 * @since 0.1.0
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type { Embedding } from "../../embedding/Embedder.js"
import type { DocumentStoreError, Hit, Query } from "../DocumentStore.js"
import * as Tokenizer from "../Tokenizer.js"
import * as Filter from "./Filter.js"
import * as Fusion from "./Fusion.js"
import * as PgArray from "./PgArray.js"
import * as PgFailure from "./PgFailure.js"
import * as PgRead from "./PgRead.js"

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
    `the store holds vectors of the embedder ${other} and this program uses ${id}; ` +
      "use the former, or index the documents again into an empty store"
  ))
}

/** Of unit length; `undefined` for the zero vector, which has no direction to compare. */
const unit = (vector: Float32Array): Float32Array | undefined => {
  const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  return norm > 0 && Number.isFinite(norm) ? vector.map((value) => value / norm) : undefined
}

interface Scored extends Fusion.Candidate {
  readonly id: string
}

const best = (candidates: ReadonlyArray<Scored>, arm: "bm25" | "cosine"): ReadonlyArray<Scored> =>
  candidates.filter((candidate) => candidate[arm] > 0)
    .sort((a, b) => b[arm] - a[arm] || Fusion.byIdentity(a, b))
    .slice(0, Fusion.poolSize)

const scored = (search: PgRead.Search, candidates: ReadonlyArray<PgRead.Candidate>): ReadonlyArray<Scored> => {
  const all = candidates.map((candidate): Scored => {
    // Summed in the order of the query's terms, as every store does: the last bit decides ties.
    const frequencies = new Map(candidate.terms?.map((n, at) => [n, candidate.frequencies?.[at] ?? 0]))
    let bm25 = 0
    for (const [n, weight] of search.weights.entries()) {
      const frequency = frequencies.get(n + 1)
      if (frequency !== undefined) bm25 += Fusion.termScore(weight, frequency, candidate.length, search.averageLength)
    }
    const cosine = candidate.cosine ??
      (search.vector === undefined || candidate.embedding === null
        ? 0
        : PgArray.dot(search.vector, candidate.embedding))
    return { id: candidate.id, documentId: candidate.document, position: candidate.position, bm25, cosine }
  })
  return [...new Set([...best(all, "bm25"), ...best(all, "cosine")])]
}

/** A passage that is replaced between choosing and reading it makes the search begin anew, this many times. */
const attempts = 3

/**
 * The best passages first.
 *
 * @since 0.1.0
 * @category combinators
 */
export const search = (
  query: Query,
  embedder: Embedding,
  hasVector: boolean
): Effect.Effect<ReadonlyArray<Hit>, DocumentStoreError | SqlError, SqlClient.SqlClient> =>
  Effect.gen(function*() {
    if (query.vector !== undefined && query.vector.length !== embedder.dimensions) {
      return yield* PgFailure.incompatible(
        "search",
        `the query's vector has ${query.vector.length} dimensions and those of ${embedder.id} have ${embedder.dimensions}`
      )
    }
    const filter = Filter.compile(query.filter)
    const terms = Tokenizer.terms(query.text)
    const vector = query.vector === undefined ? undefined : unit(query.vector)
    if (
      filter === undefined || !Filter.isStorable(query.tenant) || (terms.length === 0 && vector === undefined)
    ) return []
    const lexicalWeight = Fusion.lexicalWeight(embedder.id)
    let hits: ReadonlyArray<Hit> = []
    for (let attempt = 0; attempt < attempts; attempt++) {
      const figures = yield* PgRead.figures(query.tenant, terms)
      yield* agree("search", embedder.id, figures)
      const { passages, tenant, tokens } = figures
      if (tenant === null || passages === 0) return []
      const weights = terms.map((_, n) => Fusion.idf(passages, figures.matching[n] ?? 0))
      const asked = { tenant, terms, weights, averageLength: tokens / passages, vector, filter }
      const fused = Fusion.fuse(scored(asked, yield* PgRead.candidates(asked, hasVector)), {
        lexicalWeight,
        ceiling: Fusion.ceiling(weights),
        limit: query.limit
      })
      const found = yield* PgRead.passages(tenant, fused.map(({ candidate }) => candidate.id))
      hits = fused.flatMap(({ candidate, score, signals }) => {
        const passage = found.get(candidate.id)
        return passage === undefined ? [] : [{ passage, score, signals }]
      })
      if (hits.length === fused.length) break
    }
    return hits
  })
