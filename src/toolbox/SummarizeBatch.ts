/**
 * A ready-made tool that summarises documents of the index, each by itself and
 * all together.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { DocumentStore } from "../document/DocumentStore.js"
import * as Llm from "../llm/Llm.js"
import type { TaskStore } from "../task/TaskStore.js"
import * as Evidence from "../tool/Evidence.js"
import * as Tool from "../tool/Tool.js"
import * as ToolCall from "../tool/ToolCall.js"
import * as ToolError from "../tool/ToolError.js"
import * as Failure from "./internal/Failure.js"
import * as Fields from "./internal/Fields.js"
import * as Found from "./internal/Found.js"
import type { Desk } from "./internal/SummaryDesk.js"
import * as SummaryEvidence from "./internal/SummaryEvidence.js"
import * as SummaryModel from "./internal/SummaryModel.js"
import * as SummarySource from "./internal/SummarySource.js"
import type { Failed } from "./internal/SummaryVerdict.js"
import * as SummaryVerdict from "./internal/SummaryVerdict.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** `summarize_document_batch` unless given. */
  readonly name?: string | undefined
  readonly title?: string | undefined
  readonly description?: string | undefined
  /** All of these are needed to see and to call the tool; none unless given. */
  readonly scopes?: ReadonlyArray<string> | undefined
  /** How many documents filters bring unless the call says; 1 to 100, 20 unless given. */
  readonly limit?: number | undefined
  /** How many words a document's summary has at most unless the call says; 20 to 500, 150 unless given. */
  readonly maxWords?: number | undefined
  /** How many documents are read, and how many questions are put to the model, at once; 4 unless given. */
  readonly concurrency?: number | undefined
  /** What the model reads and answers at once, in tokens, at least 1,000; what it says of itself, else 100,000, unless given. */
  readonly contextTokens?: number | undefined
  /** The longest one question to the model may take, within the call's own deadline; 2 minutes unless given. */
  readonly modelTimeout?: Duration.DurationInput | undefined
  /** Of how many documents on the call goes on as a task, where the client knows tasks; 5 unless given. */
  readonly taskFrom?: number | undefined
}

const DocumentId = Fields.words({
  maxLength: 512,
  description: "A document's id, as searches return it",
  examples: ["acme-2026-q3-call"]
})

/**
 * What the tool takes: document ids, or filters. An id given twice counts once.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Parameters = Schema.Struct({
  documentIds: Fields.optional(
    Schema.Array(DocumentId).pipe(Schema.minItems(1), Schema.maxItems(100)).annotations({
      description:
        "Which documents to summarise, 1 to 100; an id given twice counts once. Give these or filters, not both"
    })
  ),
  filters: Fields.optional(Fields.Filters.annotations({
    description: "Summarise the newest documents that pass these; every field given must match, and {} passes all"
  })),
  limit: Fields.optional(Fields.count({
    description: "With filters: the most documents to summarise; 20 unless given",
    min: 1,
    max: 100,
    example: 20
  })),
  instruction: Fields.optional(Fields.words({
    maxLength: 2000,
    description: "What to look at above all",
    examples: ["Changes of the revenue outlook and the reasons given for them"]
  })),
  maxWordsPerDocument: Fields.optional(Fields.count({
    description: "The most words of a document's summary; 150 unless given",
    min: 20,
    max: 500,
    example: 150
  }))
}).pipe(
  Schema.filter(({ documentIds, filters, limit }) =>
    (documentIds === undefined) === (filters === undefined)
      ? "give either documentIds or filters"
      : documentIds !== undefined && limit !== undefined
      ? { path: ["limit"], message: "goes with filters only" }
      : true, { jsonSchema: {} })
)

const Summary = Schema.Struct({
  id: Schema.String,
  title: Fields.optional(Schema.String),
  summary: Schema.String,
  model: Schema.String.annotations({
    description: "Who wrote the summary; extractive: sentences quoted from the document"
  }),
  isPartial: Fields.optional(
    Schema.Boolean.annotations({ description: "Whether it leaves out parts of the document that may matter" })
  ),
  parts: Fields.optional(
    Schema.Struct({ total: Schema.NonNegativeInt, read: Schema.NonNegativeInt }).annotations({
      description: "How many parts a document was cut into that is too long to be read at once, and how many were read"
    })
  )
})

/**
 * What the tool answers.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Data = Schema.Struct({
  summaries: Schema.Array(Summary).annotations({
    description: "In the order of the ids, or the newest first; without the documents under failures"
  }),
  overall: Schema.String.annotations({
    description: "What the documents say together; [id] stands behind what rests on one of them"
  }),
  failures: Schema.Array(Schema.Struct({
    id: Schema.String,
    reason: ToolError.Code,
    message: Schema.String.annotations({ description: "Why, and what to do about it" })
  })).annotations({ description: "The documents that were not summarised" }),
  note: Fields.optional(
    Schema.String.annotations({ description: "Says so when filters pass more documents than these" })
  )
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Data extends Schema.Schema.Type<typeof Data> {}

/** A call that may become a task is told no deadline, and ended all the same while it is none: 30 seconds as servers have it. */
const untoldMillis = 25_000

/** How long such a call may take before it goes on as a task. */
const beforeTask = "5 seconds"

/** What the documents may take of the time; the rest is for what they say together. */
const shareOfDocuments = 0.75

/** At the end, for putting the answer together, in milliseconds. */
const aside = 500

interface Chosen {
  readonly ids: ReadonlyArray<string>
  readonly note: string | undefined
}

const nothingPasses = "No document passes the filters. Widen or drop them, or say that nothing is on record."

/**
 * Makes the tool.
 *
 * Documents are read from the store, for the caller's tenant only. One that fits
 * the model's window is summarised in one question; a longer one is cut at
 * sentences, each part is summarised, and the summaries are summarised, in levels
 * where they are many. A document that cannot be summarised stands under
 * `failures` with a code and never fails the others; one of which only some parts
 * could be read is `isPartial`. When all fail, so does the call: with the code of
 * a failure that trying again may mend, if there is one.
 *
 * What is not done when three quarters of the call's time are over is reported as
 * `timed_out`, so that what is done can be answered. Where the client knows
 * tasks, the call goes on as one of `taskFrom` documents on, when a document has
 * to be read in parts, and after five seconds; it then has no deadline but
 * `modelTimeout` for each question. Ending the call ends all questions to the
 * model.
 *
 * Without a generating model, sentences are quoted: those that answer the
 * instruction, or else the first. `model` is then `extractive`, and `degraded`
 * says so.
 *
 * Confidence is a rule of thumb, not calibrated. A summary: 0.85 from a model,
 * 0.5 when quoted (0.85 when all there was is quoted), times 0.9 when put
 * together from parts, times the share of the parts that were read, times 0.95
 * when another model than the first answered, times 0.7 when the answer has a
 * flaw. The whole: the mean over all documents asked for, those that failed
 * counting 0, times 0.9 when no model wrote the overall summary of summaries that
 * a model wrote.
 *
 * Fails as `temporarily_unavailable` when the store does not answer.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Tool.ToolHandler<
  Tool.Tool<string, typeof Parameters.Type, Evidence.Evidence<Data>, never, "readOnly", "optional">,
  ToolError.ToolError,
  DocumentStore | Llm.Llm | TaskStore | ToolCall.ToolCall
> => {
  const concurrency = Math.max(1, Math.trunc(options.concurrency ?? 4))
  const modelMillis = Duration.toMillis(options.modelTimeout ?? "2 minutes")
  const defaultLimit = Math.min(100, Math.max(1, Math.trunc(options.limit ?? 20)))
  const defaultWords = Math.min(500, Math.max(20, Math.trunc(options.maxWords ?? 150)))
  const taskFrom = options.taskFrom ?? 5

  const choose = (
    { documentIds, filters, limit = defaultLimit }: typeof Parameters.Type,
    tenant: string
  ): Effect.Effect<Chosen, ToolError.ToolError, DocumentStore> =>
    documentIds !== undefined
      ? Effect.succeed({ ids: Arr.dedupe(documentIds), note: undefined })
      : Effect.map(SummarySource.list(tenant, Found.filter(filters), limit + 1), (listed) => ({
        ids: listed.slice(0, limit),
        note: listed.length > limit
          ? `More documents pass the filters than the ${limit} that were asked for; these are the newest.`
          : undefined
      }))

  return Tool.make(options.name ?? "summarize_document_batch", {
    title: options.title ?? "Summarise documents",
    description: options.description ??
      "Summarises indexed documents, up to 100 by id or by filters: each by itself, and what they say together. " +
        "Returns the summaries, the documents that could not be summarised and why, a confidence and the sources.",
    safety: "readOnly",
    scopes: options.scopes ?? [],
    parameters: Parameters,
    success: Data,
    task: "optional",
    taskBegins: "whenTold"
  }).implement((input) =>
    Effect.gen(function*() {
      const model = yield* Llm.Llm
      const call = yield* ToolCall.ToolCall
      const { tenant } = call.caller
      const startedAt = yield* Clock.currentTimeMillis
      let deadline = call.deadline === Infinity ? startedAt + untoldMillis : call.deadline
      const goOn = Effect.map(call.beginTask, (isTask) => {
        if (isTask) deadline = Infinity
      })

      const { ids, note } = yield* choose(input, tenant)
      if (ids.length === 0) {
        return Evidence.make<Data>({
          data: { summaries: [], overall: nothingPasses, failures: [] },
          confidence: 0,
          sources: [yield* Found.nothing]
        })
      }
      if (ids.length >= taskFrom) yield* goOn
      const total = ids.length + 1
      yield* ToolCall.progress({ progress: 0, total, message: `Reading ${ids.length} documents` })

      const permits = yield* Effect.makeSemaphore(concurrency)
      const desk = (until: () => number): Desk => ({
        model,
        tenant,
        instruction: input.instruction,
        window: Math.max(1000, options.contextTokens ?? model.traits?.contextTokens ?? 100_000),
        maxWords: input.maxWordsPerDocument ?? defaultWords,
        concurrency,
        permits,
        modelMillis,
        until,
        onLong: goOn
      })
      const forAll = desk(() => deadline - aside)
      // Of a single document there is nothing more to say.
      const forEach = ids.length === 1
        ? forAll
        : desk(() => deadline === Infinity ? deadline : startedAt + (deadline - startedAt) * shareOfDocuments)

      let done = 0
      const summarise = (id: string) =>
        SummarySource.read(tenant, id, forEach.until).pipe(
          Effect.flatMap((source) =>
            SummaryModel.ofDocument(forEach, source).pipe(
              Effect.tapError((error) => Effect.logDebug("A document could not be summarised", error)),
              Effect.mapBoth({
                onFailure: (error): Failed => ({ id, error: Failure.model(error) }),
                onSuccess: (summary) => ({ source, summary })
              })
            )
          ),
          Effect.either,
          Effect.tap((result) =>
            ToolCall.progress({ progress: ++done, total, message: SummarySource.told(result, done, ids.length) })
          )
        )
      const work = Effect.gen(function*() {
        const [failures, written] = Arr.separate(yield* Effect.forEach(ids, summarise, { concurrency }))
        const first = failures[0]
        if (first !== undefined) {
          yield* Effect.logWarning(`${failures.length} of ${ids.length} documents could not be summarised`, first.error)
        }
        if (!Arr.isNonEmptyReadonlyArray(written)) return yield* SummaryVerdict.allFailed(failures)
        const overall = yield* SummaryModel.ofSummaries(forAll, written)
        yield* ToolCall.progress({ progress: total, total, message: "Wrote what they say together" })
        return yield* SummaryEvidence.make({ written, failures, overall, note })
      })
      return yield* call.deadline === Infinity
        ? Effect.raceFirst(work, Effect.zipRight(Effect.delay(goOn, beforeTask), Effect.never))
        : work
    })
  ).pipe(Tool.requires(["document-store"]), Tool.uses(["model"]))
}
