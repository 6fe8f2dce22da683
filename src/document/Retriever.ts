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
import type { Passage } from "./Document.js"
import * as DocumentStore from "./DocumentStore.js"
import * as Confidence from "./internal/Confidence.js"
import * as ConfidenceModel from "./internal/ConfidenceModel.js"
import * as Duplicates from "./internal/Duplicates.js"
import * as Fusion from "./internal/Fusion.js"
import * as Moment from "./Moment.js"

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
  /** Relevance times freshness, 0 to 1: it ranks within this answer and says nothing outside it. */
  readonly score: number
  /** How likely the passage is relevant to the query, 0 to 1; age does not enter. */
  readonly confidence: number
  /** What age leaves of the score: 1 for the newest and for what has no date, never below `floor`. */
  readonly freshness: number
  /** Since publication; 0 for a date to come, absent without one. */
  readonly ageDays?: number
  readonly signals: DocumentStore.Signals
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Retrieval {
  /** Best first; ties by document id and position. */
  readonly passages: ReadonlyArray<Retrieved>
  /** Whether the confidences were fitted on known outcomes, on which corpus, and how far off they were on its held-out part. */
  readonly calibration: "uncalibrated" | { readonly id: string; readonly fittedOn: string; readonly ece: number }
  /** The embedder failed or took too long, so meaning was not compared. */
  readonly lexicalOnly: boolean
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
  /** How long the embedder may take for the query before the search goes by words alone; 1 second unless given. */
  readonly embedWithin?: Duration.DurationInput | undefined
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

/** Freshness reorders and duplicates fall away, so more than `limit` are looked at. */
const pool = 100

interface Ranked extends DocumentStore.Hit {
  readonly publishedAt: number | undefined
}

const fact = ({ metadata }: Passage, key: string) => Object.hasOwn(metadata, key) ? metadata[key] : undefined

/** A sentence that every report repeats is another statement in each: never of two companies, nor of two periods. */
const isOnOneMatter = (self: Passage, that: Passage): boolean =>
  ["company", "period"].every((key) => {
    const [mine, theirs] = [fact(self, key), fact(that, key)]
    return mine === undefined || theirs === undefined || mine === theirs
  })

/** One of each passage: the newest, at the rank of the best. */
const distinct = (hits: ReadonlyArray<DocumentStore.Hit>): ReadonlyArray<Ranked> => {
  const kept: Array<{ ranked: Ranked; readonly sketch: Duplicates.Sketch }> = []
  for (const hit of hits) {
    const ranked = {
      ...hit,
      publishedAt: hit.passage.publishedAt === undefined ? undefined : Moment.millis(hit.passage.publishedAt)
    }
    const sketch = Duplicates.sketch(hit.passage.text)
    const twin = kept.find((other) =>
      Duplicates.isSame(sketch, other.sketch) && isOnOneMatter(hit.passage, other.ranked.passage)
    )
    if (twin === undefined) kept.push({ ranked, sketch })
    else if ((ranked.publishedAt ?? -Infinity) > (twin.ranked.publishedAt ?? -Infinity)) {
      twin.ranked = { ...ranked, score: twin.ranked.score }
    }
  }
  return kept.map(({ ranked }) => ranked)
}

const typeOf = (passage: Passage): string => {
  const type = fact(passage, "type")
  return typeof type === "string" ? type.toLowerCase() : ""
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<Retriever["Type"], never, DocumentStore.DocumentStore | Embedder.Embedder> =>
  Effect.gen(function*() {
    const store = yield* DocumentStore.DocumentStore
    const embedder = yield* Embedder.Embedder
    const lives = new Map(Object.entries({ ...halfLives, ...options.halfLives }))
    const floor = options.floor ?? 0.6
    const embedWithin = options.embedWithin ?? Duration.seconds(1)

    /** `None` when the query has no vector to search with. */
    const vectorOf = (query: string): Effect.Effect<Option.Option<Float32Array>> =>
      embedder.embed([query]).pipe(
        Effect.timeoutOption(embedWithin),
        Effect.map(Option.flatMap(([vector]) => Option.fromNullable(vector))),
        Effect.catchTag(
          "EmbedderError",
          (error) => Effect.as(Effect.logWarning("searching by words alone", error), Option.none())
        )
      )

    const retrieve = Effect.fnUntraced(function*(request: Request) {
      const now = request.now ?? (yield* Clock.currentTimeMillis)
      const vector = yield* vectorOf(request.query)
      const hits = yield* store.search({
        tenant: request.tenant,
        text: request.query,
        vector: Option.getOrUndefined(vector),
        limit: pool,
        filter: request.filter
      })
      const ranking = distinct(hits)
      const { calibration, confidences } = Confidence.assess(ranking, {
        models: ConfidenceModel,
        embedder: Option.isSome(vector) ? embedder.id : undefined
      })
      const passages = ranking.map(({ passage, publishedAt, score, signals }, n): Retrieved => {
        const ageDays = publishedAt === undefined ? undefined : Math.max(0, (now - publishedAt) / day)
        const life = lives.get(typeOf(passage)) ?? options.halfLife ?? 180
        const freshness = ageDays === undefined ? 1 : floor + (1 - floor) * 2 ** (-ageDays / life)
        return {
          passage,
          score: score * freshness,
          confidence: confidences[n] ?? 0,
          freshness,
          ...(ageDays === undefined ? {} : { ageDays }),
          signals
        }
      })
      const best = passages.sort((a, b) => b.score - a.score || Fusion.byIdentity(a.passage, b.passage))
      return { passages: best.slice(0, Fusion.limitOf(request.limit)), calibration, lexicalOnly: Option.isNone(vector) }
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
