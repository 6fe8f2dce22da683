/**
 * Asks in words: embeds the question, searches, drops what says the same twice,
 * weighs age, and says how sure each passage is.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Embedder from "../embedding/Embedder.js"
import * as TimeLimit from "../policy/TimeLimit.js"
import * as Calibration from "./Calibration.js"
import type { Passage } from "./Document.js"
import * as DocumentStore from "./DocumentStore.js"
import * as ConfidenceModel from "./internal/ConfidenceModel.js"
import * as Distinct from "./internal/Distinct.js"
import * as EmbedderOutage from "./internal/EmbedderOutage.js"
import * as Fusion from "./internal/Fusion.js"
import * as Judgement from "./internal/Judgement.js"
import * as Moment from "./Moment.js"
import * as Reranker from "./Reranker.js"
import * as Snippet from "./Snippet.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly tenant: string
  readonly query: string
  /** 1 to 100; made to fit. */
  readonly limit: number
  readonly filter?: DocumentStore.Filter | undefined
  /** The moment that ages count to, epoch milliseconds; the `Clock`'s unless given. */
  readonly now?: number | undefined
}

/**
 * A passage that answers, with everything its rank and its confidence rest on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Retrieved {
  readonly passage: Passage
  /**
   * Relevance times freshness, 0 to 1: it ranks within this answer and says nothing outside it. Where a `Reranker`
   * judged, what it judged has the upper half and the rest the lower.
   */
  readonly score: number
  /**
   * How likely the passage is relevant to the query, 0 to 1; age does not enter. A guess by words alone counts three
   * quarters. Of a passage that a `Reranker` judged,
   * the mean of that and of what it judged, pressed into the band of what is not calibrated.
   */
  readonly confidence: number
  /** What age leaves of the score: 1 for the newest, never below `floor`. */
  readonly freshness: number
  /** Since publication, or since it was indexed when nobody knows when it was published; 0 for a date to come. */
  readonly ageDays: number
  /** What `ageDays` counts from. */
  readonly agedFrom: "published" | "indexed"
  /** The stretch that speaks of the query, with its words marked. */
  readonly snippet: Snippet.Snippet
  readonly signals: DocumentStore.Signals
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Retrieval {
  /** Best first; ties by document id and position. */
  readonly passages: ReadonlyArray<Retrieved>
  /**
   * Whether the confidences were fitted on known outcomes, on which corpus, and how far off they were on its held-out
   * part. Never, once a `Reranker` has judged: nothing was fitted with it.
   */
  readonly calibration: "uncalibrated" | { readonly id: string; readonly fittedOn: string; readonly ece: number }
  /** The embedder failed or took too long, so meaning was not compared. */
  readonly lexicalOnly: boolean
  /** Who judged the best passages again; absent when nobody did, or did not in time. */
  readonly rerankedBy?: string | undefined
  /** Which copy of the store answered, where there are several. */
  readonly origin?: DocumentStore.Origin | undefined
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** Days after which half of what age can take is gone, by `metadata.type`; adds to and replaces `halfLives`. */
  readonly halfLives?: { readonly [type: string]: number } | undefined
  /** The same for other types; 180 unless given. */
  readonly halfLife?: number | undefined
  /** The part of the score that age cannot take, 0 to 1; 0.6 unless given. */
  readonly floor?: number | undefined
  /**
   * How long the embedder may take for the query before the search goes by words alone; 1 second unless given, and
   * never more than half of the time left.
   */
  readonly embedWithin?: Duration.DurationInput | undefined
  /** The name of the documents that are searched, as the calibrations know it. Without it no confidence is called calibrated. */
  readonly corpus?: string | undefined
  /** Models of confidence besides the package's own, as `npm run calibrate` writes them; they go first. */
  readonly calibrations?: ReadonlyArray<Calibration.Model> | undefined
  /** How many of the best passages a `Reranker`, where one is provided, judges again; 10 unless given. */
  readonly rerank?: number | undefined
  /** How long it may take; 800 milliseconds unless given, and never more than half of the time left. */
  readonly rerankWithin?: Duration.DurationInput | undefined
}

/**
 * Half-lives in days by `metadata.type`.
 *
 * @since 0.1.0
 * @category configuration
 */
export const halfLives: { readonly [type: string]: number } = { news: 3, filing: 90, note: 365, product: 365 }

/**
 * A service, not a function over store and embedder: its settings are chosen
 * once, tools ask for one thing, and a test can replace it.
 *
 * @since 0.1.0
 * @category tags
 */
export class Retriever extends Context.Tag("causeway/Retriever")<Retriever, {
  /** The passages that answer a question best; none is no error, and neither is an embedder that fails. */
  readonly retrieve: (request: Request) => Effect.Effect<Retrieval, DocumentStore.DocumentStoreError>
}>() {}

const day = 86_400_000

/** What a guess counts for that rests on words alone; a confidence that was fitted for words says so itself. */
const withoutMeaning = (confidence: number): number => Math.max(Calibration.uncalibratedBand.least, 0.75 * confidence)

/** Freshness reorders and duplicates fall away, so more than `limit` are looked at. */
const pool = 100

/**
 * What a search found, as confidences are computed over it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Candidates {
  /** Best first, up to 100; of passages that say the same the newest, at the rank of the best. */
  readonly ranking: ReadonlyArray<Candidate>
  /** Whose vectors were compared; absent when words alone were. */
  readonly embedder?: string | undefined
}

/**
 * A passage of a ranking, not weighed by age yet.
 *
 * @since 0.1.0
 * @category models
 */
export interface Candidate extends DocumentStore.Hit {
  /** The documents that say the same, its own among them. */
  readonly copies: ReadonlyArray<string>
}

const typeOf = ({ metadata }: Passage): string => {
  const type = Object.hasOwn(metadata, "type") ? metadata["type"] : undefined
  return typeof type === "string" ? type.toLowerCase() : ""
}

/**
 * How old a passage is, and by how much that lessens its score.
 *
 * @since 0.1.0
 * @category models
 */
export interface Age {
  readonly ageDays: number
  readonly agedFrom: "published" | "indexed"
  /** After how many days half of what age can take is gone. */
  readonly halfLife: number
}

/**
 * The age of a passage at a moment, and the half-life of its type. What is not
 * known to be published is as old as its place in the index, at least.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ageOf = (
  passage: Passage,
  now: number,
  options: Pick<Options, "halfLives" | "halfLife"> = {}
): Age => {
  const published = passage.publishedAt === undefined ? undefined : Moment.millis(passage.publishedAt)
  const from = published ?? Moment.millis(passage.indexedAt) ?? now
  const type = typeOf(passage)
  const own = options.halfLives !== undefined && Object.hasOwn(options.halfLives, type)
    ? options.halfLives[type]
    : Object.hasOwn(halfLives, type)
    ? halfLives[type]
    : undefined
  const halfLife = own ?? options.halfLife ?? 180
  return {
    ageDays: Math.max(0, (now - from) / day),
    agedFrom: published === undefined ? "indexed" : "published",
    halfLife: halfLife > 0 ? halfLife : Number.MIN_VALUE
  }
}

/** `None` when the query has no vector to search with. */
const vectorOf = (
  embedder: Embedder.Embedding,
  query: string,
  within: Duration.DurationInput,
  outage: EmbedderOutage.EmbedderOutage
): Effect.Effect<Option.Option<Float32Array>> =>
  Effect.flatMap(TimeLimit.remaining, (remaining) => {
    const millis = Math.min(Duration.toMillis(within), remaining / 2)
    const failure = (description: string) =>
      new Embedder.EmbedderError({ embedder: embedder.id, description, isRetryable: true })
    return embedder.embed([query]).pipe(
      TimeLimit.within(millis),
      // It may be busy with what cannot be interrupted; nobody waits for that.
      Effect.disconnect,
      Effect.timeoutFail({ duration: millis, onTimeout: () => failure("no vector came in time for a query") }),
      // An embedder that gives none is one that is not asked for meaning.
      Effect.map(([vector]) => Option.fromNullable(vector)),
      Effect.filterOrFail(
        (vector) => Option.isNone(vector) || isUsable(embedder, vector.value),
        () => failure("a query's vector has another length than it says, or a number that is none")
      ),
      Effect.matchEffect({
        onFailure: (error) => Effect.as(outage.failed(error), Option.none()),
        onSuccess: (vector) => Effect.as(outage.answered, vector)
      })
    )
  })

const isUsable = ({ dimensions }: Embedder.Embedding, vector: Float32Array): boolean =>
  vector.length === dimensions && vector.every((value) => Number.isFinite(value))

const watch = ({ id }: Embedder.Embedding): EmbedderOutage.EmbedderOutage =>
  EmbedderOutage.make(id, "queries are answered by words alone")

const search = (
  request: Pick<Request, "tenant" | "query" | "filter">,
  { embedWithin }: Pick<Options, "embedWithin">,
  outage: EmbedderOutage.EmbedderOutage
): Effect.Effect<
  Candidates,
  DocumentStore.DocumentStoreError,
  DocumentStore.DocumentStore | Embedder.Embedder
> =>
  Effect.gen(function*() {
    const store = yield* DocumentStore.DocumentStore
    const embedder = yield* Embedder.Embedder
    const vector = yield* vectorOf(embedder, request.query, embedWithin ?? Duration.seconds(1), outage)
    const hits = yield* store.search({
      tenant: request.tenant,
      text: request.query,
      vector: Option.getOrUndefined(vector),
      limit: pool,
      filter: request.filter
    })
    return { ranking: Distinct.distinct(hits), ...(Option.isSome(vector) ? { embedder: embedder.id } : {}) }
  })

/**
 * Searches a store as a retriever does, up to where confidences are computed:
 * what a model of confidence is to be fitted on.
 *
 * @since 0.1.0
 * @category constructors
 */
export const candidates = (
  request: Pick<Request, "tenant" | "query" | "filter">,
  options: Pick<Options, "embedWithin"> = {}
): Effect.Effect<
  Candidates,
  DocumentStore.DocumentStoreError,
  DocumentStore.DocumentStore | Embedder.Embedder
> => Effect.flatMap(Embedder.Embedder, (embedder) => search(request, options, watch(embedder)))

/**
 * A retriever over what the context holds: a `Reranker` too, where one is
 * provided when this is made. It judges the passages that would be the best
 * without it, which are then ranked by its judgement times freshness, equal ones
 * as before, ahead of the rest. When it fails or is late, that is logged, once
 * for each kind of failure, and the ranking stays.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<Retriever["Type"], never, DocumentStore.DocumentStore | Embedder.Embedder> =>
  Effect.gen(function*() {
    const context = yield* Effect.context<DocumentStore.DocumentStore | Embedder.Embedder>()
    const judge = Judgement.make(Option.getOrUndefined(yield* Effect.serviceOption(Reranker.Reranker)), {
      most: options.rerank ?? 10,
      within: options.rerankWithin ?? Duration.millis(800)
    })
    const models = [...(options.calibrations ?? []), ...ConfidenceModel.models]
    const floor = Math.min(1, Math.max(0, options.floor ?? 0.6))
    const outage = watch(Context.get(context, Embedder.Embedder))

    const retrieve = Effect.fnUntraced(function*(request: Request) {
      const now = Number.isFinite(request.now) ? Number(request.now) : yield* Clock.currentTimeMillis
      const { embedder, ranking } = yield* Effect.provide(search(request, options, outage), context)
      const { calibration, confidences } = Calibration.assess(ranking, { models, corpus: options.corpus, embedder })
      const isGuess = embedder === undefined && calibration === "uncalibrated"
      const found = ranking.map((candidate, n): Judgement.Ranked => {
        const { ageDays, agedFrom, halfLife } = ageOf(candidate.passage, now, options)
        const freshness = floor + (1 - floor) * 2 ** (-ageDays / halfLife)
        return {
          passage: candidate.passage,
          score: candidate.score * freshness,
          confidence: isGuess ? withoutMeaning(confidences[n] ?? 0) : confidences[n] ?? 0,
          freshness,
          ageDays,
          agedFrom,
          signals: candidate.signals
        }
      }).sort(Judgement.byScore)
      const judged = yield* judge(request.query, found, calibration !== "uncalibrated")
      const snippet = Snippet.forQuery(request.query)
      const origin = ranking.find((candidate) => candidate.origin !== undefined)?.origin
      return {
        passages: (judged?.ranking ?? found)
          .slice(0, Fusion.limitOf(request.limit))
          .map((item): Retrieved => ({ ...item, snippet: snippet(item.passage.text) })),
        calibration: judged === undefined ? calibration : "uncalibrated" as const,
        lexicalOnly: embedder === undefined,
        ...(judged === undefined ? {} : { rerankedBy: judged.by }),
        ...(origin === undefined ? {} : { origin })
      }
    })

    return Retriever.of({ retrieve })
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options = {}
): Layer.Layer<Retriever, never, DocumentStore.DocumentStore | Embedder.Embedder> =>
  Layer.effect(Retriever, make(options))
