/**
 * A ready-made tool that finds passages of market documents by words and by
 * meaning.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Document from "../document/Document.js"
import * as Moment from "../document/Moment.js"
import type { Retrieved } from "../document/Retriever.js"
import { Retriever } from "../document/Retriever.js"
import * as TimeLimit from "../policy/TimeLimit.js"
import * as Evidence from "../tool/Evidence.js"
import * as Tool from "../tool/Tool.js"
import * as ToolCall from "../tool/ToolCall.js"
import type * as ToolError from "../tool/ToolError.js"
import * as Failure from "./internal/Failure.js"
import * as Fields from "./internal/Fields.js"
import * as Found from "./internal/Found.js"
import * as PreferenceProfile from "./PreferenceProfile.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** `search_relevant_market_intel` unless given. */
  readonly name?: string | undefined
  readonly title?: string | undefined
  readonly description?: string | undefined
  /** All of these are needed to see and to call the tool; none unless given. */
  readonly scopes?: ReadonlyArray<string> | undefined
  /** How many passages are returned unless the call says; 1 to 50, 8 unless given. */
  readonly limit?: number | undefined
  /** The longest the search may take, within the call's own deadline; 5 seconds unless given. */
  readonly searchTimeout?: Duration.DurationInput | undefined
  /** The tool to name while the document store is down; `fetch_user_preference_profile` unless given. */
  readonly fallbackTool?: string | undefined
}

/**
 * What the tool takes.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Parameters = Schema.Struct({
  query: Fields.words({
    maxLength: 2000,
    description: "What to look for, in the words of a question or as keywords",
    examples: ["How did Acme Corp's gross margin develop in the third quarter of 2026?"]
  }),
  limit: Fields.optional(Fields.count({
    description: "The most passages to return; 8 unless given",
    min: 1,
    max: 50,
    example: 8
  })),
  filters: Fields.optional(Fields.Filters)
})

const Passage = Schema.Struct({
  documentId: Schema.String,
  position: Schema.NonNegativeInt.annotations({ description: "Counts the document's passages from 0" }),
  title: Schema.String,
  text: Schema.String,
  snippet: Fields.optional(Schema.String.annotations({
    description: "The stretch of a long text that speaks of the query, word for word"
  })),
  highlights: Fields.optional(
    Schema.Array(Schema.String).annotations({
      description: "The words of the text that fit the query's, as they are written"
    })
  ),
  confidence: Evidence.Confidence.annotations({
    description: "How likely the passage is relevant to the query, from 0 to 1; its age does not enter"
  }),
  publishedAt: Fields.optional(Evidence.Timestamp),
  ageDays: Schema.NonNegative.annotations({ description: "Days since the moment that agedFrom names" }),
  agedFrom: Schema.Literal("published", "indexed").annotations({
    description: "What ageDays counts from: publication, or indexing when nobody knows when it was published"
  }),
  uri: Fields.optional(Schema.String),
  metadata: Schema.Record({ key: Schema.String, value: Document.MetadataValue }).annotations({
    description: "What is known of the document, for example company, period and type"
  })
})

/**
 * What the tool answers.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Data = Schema.Struct({
  passages: Schema.Array(Passage).annotations({ description: "The best first; empty when nothing fits" }),
  searched: Schema.Struct({
    returned: Schema.NonNegativeInt,
    limit: Schema.Positive,
    lexicalOnly: Schema.Boolean.annotations({ description: "Whether words alone were compared, not meaning" }),
    rerankedBy: Fields.optional(Schema.String.annotations({ description: "Who judged the best passages again" })),
    region: Fields.optional(Schema.String.annotations({ description: "Which copy of the documents answered" })),
    behindSeconds: Fields.optional(Schema.NonNegative.annotations({
      description: "How far that copy may be behind the original"
    }))
  }),
  note: Fields.optional(Schema.String.annotations({ description: "Says so when nothing fits" }))
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Data extends Schema.Schema.Type<typeof Data> {}

/** More words say no more. */
const mostHighlights = 12

/** A snippet of a short text saves nobody reading it. */
const shortest = 2

const marked = ({ passage, snippet }: Retrieved): Pick<typeof Passage.Type, "snippet" | "highlights"> => {
  const words = new Map<string, string>()
  for (const { end, start } of snippet.highlights) {
    const word = snippet.text.slice(start, end)
    if (words.size < mostHighlights && !words.has(word.toLowerCase())) words.set(word.toLowerCase(), word)
  }
  return {
    ...(passage.text.length < shortest * snippet.text.length ? {} : { snippet: snippet.text }),
    ...(words.size === 0 ? {} : { highlights: [...words.values()] })
  }
}

const toPassage = (item: Retrieved): typeof Passage.Type => {
  const { ageDays, agedFrom, confidence, passage } = item
  const publishedAt = Moment.normal(passage.publishedAt)
  return {
    documentId: passage.documentId,
    position: passage.position,
    title: passage.title,
    text: passage.text,
    ...marked(item),
    confidence: Math.min(1, Math.max(0, confidence)),
    ...(publishedAt === undefined ? {} : { publishedAt }),
    ageDays: Math.round(ageDays * 10) / 10,
    agedFrom,
    ...(passage.uri === undefined ? {} : { uri: passage.uri }),
    metadata: passage.metadata
  }
}

const noMatch = (filters: Fields.Filters | undefined): string =>
  filters === undefined || Object.keys(filters).length === 0
    ? "Nothing in the index fits the query. Use other words, or say that nothing is on record."
    : "Nothing in the index fits the query and the filters. Widen or drop the filters, or use other words."

/**
 * Makes the tool. The answer is as sure as its best passage, and calibrated when
 * the retriever says so; its sources are the documents. Nothing found is an
 * answer too: no passages, confidence 0, a note. When the query cannot be
 * embedded it goes by words alone and says so under `degraded`, as when the copy
 * of the documents that answered may be more than a second behind. Fails as
 * `temporarily_unavailable`, with a fallback, when the store does not answer.
 *
 * A passage is returned whole; `snippet` is added where its text is at least
 * twice as long, `highlights` are up to 12 of its words that fit the query's.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Tool.ToolHandler<
  Tool.Tool<string, typeof Parameters.Type, Evidence.Evidence<Data>, never, "readOnly">,
  ToolError.ToolError,
  Retriever | ToolCall.ToolCall
> => {
  const fallback: ToolError.Fallback = {
    tool: options.fallbackTool ?? PreferenceProfile.defaultName,
    why: "the session history still tells what the user cares about"
  }
  return Tool.make(options.name ?? "search_relevant_market_intel", {
    title: options.title ?? "Search market intelligence",
    description: options.description ??
      "Finds the passages of indexed market documents (filings, earnings calls, news, notes) that answer a question, " +
        "by words and by meaning. Returns each passage with its confidence, source and age. Cite what you use.",
    safety: "readOnly",
    scopes: options.scopes ?? [],
    parameters: Parameters,
    success: Data
  }).implement(({ query, limit = options.limit ?? 8, filters }) =>
    Effect.gen(function*() {
      const { tenant } = yield* ToolCall.caller
      const retriever = yield* Retriever
      const within = Duration.min(yield* ToolCall.remaining, options.searchTimeout ?? Duration.seconds(5))
      yield* ToolCall.progress({ progress: 0, total: 1, message: "Searching the documents" })
      const found = yield* retriever
        .retrieve({ tenant, query, limit, filter: Found.filter(filters) })
        .pipe(
          TimeLimit.within(within),
          Effect.mapError((cause) => Failure.documentStore(cause, fallback)),
          // A store may be busy with what cannot be interrupted; nobody waits for that.
          Effect.disconnect,
          Effect.timeoutFail({
            duration: within,
            onTimeout: () => Failure.documentStore(undefined, fallback)
          })
        )
      const { calibration, lexicalOnly, origin, passages, rerankedBy } = found
      yield* ToolCall.progress({ progress: 1, total: 1, message: `Found ${passages.length} passages` })
      const [first, ...rest] = yield* Effect.forEach(Found.byDocument(passages), Found.source)
      const evidence = Evidence.make<Data>({
        data: {
          passages: passages.map(toPassage),
          searched: {
            returned: passages.length,
            limit,
            lexicalOnly,
            ...(rerankedBy === undefined ? {} : { rerankedBy }),
            ...(origin === undefined ? {} : { region: origin.region }),
            ...(origin?.behindMillis === undefined ? {} : { behindSeconds: Math.max(0, origin.behindMillis) / 1000 })
          },
          ...(passages.length > 0 ? {} : { note: noMatch(filters) })
        },
        confidence: Math.max(0, ...passages.map((passage) => passage.confidence)),
        calibration: passages.length > 0 ? calibration : "uncalibrated",
        sources: first === undefined ? [yield* Found.nothing] : [first, ...rest]
      })
      return Found.noting(evidence, Found.notes(found))
    })
  ).pipe(Tool.requires(["document-store"], fallback), Tool.uses(["embedder"]))
}
