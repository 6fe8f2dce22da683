/**
 * A ready-made tool that answers a market question from documents and the
 * user's session history, with citations.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type * as DocumentStore from "../document/DocumentStore.js"
import * as Retriever from "../document/Retriever.js"
import * as Chat from "../llm/Chat.js"
import * as Llm from "../llm/Llm.js"
import * as TimeLimit from "../policy/TimeLimit.js"
import * as SessionStore from "../session/SessionStore.js"
import * as Evidence from "../tool/Evidence.js"
import * as Tool from "../tool/Tool.js"
import * as ToolCall from "../tool/ToolCall.js"
import type * as ToolError from "../tool/ToolError.js"
import * as AnswerContext from "./internal/AnswerContext.js"
import * as AnswerModel from "./internal/AnswerModel.js"
import * as Failure from "./internal/Failure.js"
import * as Fields from "./internal/Fields.js"
import * as Found from "./internal/Found.js"
import * as ModelSource from "./internal/ModelSource.js"
import * as Verdict from "./internal/Verdict.js"
import * as PreferenceProfile from "./PreferenceProfile.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** `answer_market_question` unless given. */
  readonly name?: string | undefined
  readonly title?: string | undefined
  readonly description?: string | undefined
  /** All of these are needed to see and to call the tool; none unless given. */
  readonly scopes?: ReadonlyArray<string> | undefined
  /** What a caller needs to have the history of a user with another id than its own read; nothing unless given. */
  readonly historyScopes?: ReadonlyArray<string> | undefined
  /** How many passages are searched for; 8 unless given. */
  readonly searchLimit?: number | undefined
  /** How many events of the user are read; 10 unless given. */
  readonly historyLimit?: number | undefined
  /** The longest the search may take, two fifths of the time left at most; 1.5 seconds unless given. */
  readonly searchTimeout?: Duration.DurationInput | undefined
  /** The longest reading the history may take, two fifths of the time left at most; 0.5 seconds unless given. */
  readonly historyTimeout?: Duration.DurationInput | undefined
  /** Below this confidence, 0 to 1, a passage counts as not relevant; 0.05 unless given. */
  readonly floor?: number | undefined
  /** The most tokens of an answer; 400 unless given. */
  readonly maxTokens?: number | undefined
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
  question: Fields.words({
    maxLength: 2000,
    description: "The question, as the user put it",
    examples: ["How did Acme Corp's gross margin develop in the third quarter of 2026?"]
  }),
  userId: Fields.optional(Fields.userId.annotations({
    description: "Whose session history to take into account; leave it out for an answer from documents alone"
  })),
  filters: Fields.optional(Fields.Filters)
})

const Citation = Schema.Struct({
  id: Schema.String.annotations({
    description: "As it stands in the answer in brackets: a document's id, or history:<eventId>"
  }),
  title: Fields.optional(Schema.String),
  uri: Fields.optional(Schema.String),
  publishedAt: Fields.optional(Evidence.Timestamp),
  quote: Fields.optional(
    Schema.String.annotations({ description: "The sentence closest to the answer, word for word" })
  )
})

const Conflict = Schema.Struct({
  id: Schema.String.annotations({
    description: "The newer document, the one that contradicts, or the one that is out of date"
  }),
  with: Fields.optional(Schema.String.annotations({ description: "The document it says otherwise than" })),
  publishedAt: Fields.optional(Evidence.Timestamp),
  why: Schema.Literal("newer-figures", "contradicts", "outdated").annotations({
    description: "newer-figures: a newer document, not cited, gives other figures; contradicts: two documents give " +
      "different figures for the same thing and period; outdated: it is old and nothing newer was found"
  })
})

/**
 * What the tool answers.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Data = Schema.Struct({
  answer: Schema.String.annotations({ description: "The answer; [id] stands behind what rests on a citation" }),
  citations: Schema.Array(Citation),
  followUps: Fields.optional(
    Schema.Array(Schema.String).annotations({ description: "What else could be asked of what was found" })
  ),
  note: Fields.optional(Schema.String.annotations({ description: "What to check before relying on the answer" })),
  conflicts: Fields.optional(
    Schema.Array(Conflict).annotations({
      description: "Documents that speak against relying on the answer, five at most"
    })
  ),
  model: Schema.String.annotations({
    description: "Who wrote the answer; extractive: sentences quoted from the sources; none: no model was asked"
  }),
  attempts: Fields.optional(
    Schema.Array(Chat.Attempt).annotations({ description: "Every model tried, in order" })
  )
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Data extends Schema.Schema.Type<typeof Data> {}

type Sources = Arr.NonEmptyReadonlyArray<Evidence.Source>

/** A store that gave no reason gave no answer in time. */
const stateOf = (cause: { readonly isRetryable: boolean } | undefined): string =>
  cause === undefined || cause.isRetryable ? "is temporarily unavailable" : "cannot be used as it is set up now"

const historyMissing = (cause: SessionStore.SessionStoreError | undefined): Evidence.Degraded => ({
  reason: `the session history ${stateOf(cause)}, so nothing known of the user was taken into account`,
  missing: ["session-store"]
})

const documentsMissing = (cause: DocumentStore.DocumentStoreError | undefined): Evidence.Degraded => ({
  reason: `the document store ${stateOf(cause)}, so this rests on the user's session history only`,
  missing: ["document-store"]
})

const uncited: Evidence.Degraded = {
  reason: "the model cited none of the passages it was given, so its statements cannot be traced",
  missing: []
}

const sourceOf = (item: AnswerContext.Item): Effect.Effect<Evidence.Source> =>
  item._tag === "Document"
    ? Found.source(item.found)
    : Evidence.source({
      id: item.passage.id,
      kind: "session-store",
      ...(item.passage.title === undefined ? {} : { title: item.passage.title }),
      ...(item.passage.publishedAt === undefined ? {} : { publishedAt: item.passage.publishedAt })
    })

const citationOf = (item: AnswerContext.Item, answer: string): typeof Citation.Type => {
  const uri = item._tag === "Document" ? item.found.best.passage.uri : undefined
  const quote = AnswerContext.quote(item, answer)
  return {
    id: item.passage.id,
    ...(item.passage.title === undefined ? {} : { title: item.passage.title }),
    ...(uri === undefined ? {} : { uri }),
    ...(item.passage.publishedAt === undefined ? {} : { publishedAt: item.passage.publishedAt }),
    ...(quote === undefined ? {} : { quote })
  }
}

const followUpsOf = (given: ReadonlyArray<AnswerContext.Item>, cited: ReadonlyArray<AnswerContext.Item>) => {
  const titles = given.flatMap((item) =>
    item._tag === "Document" && !cited.includes(item) && item.passage.title !== undefined ? [item.passage.title] : []
  )
  return [...new Set(titles)].slice(0, 3).map((title) => `What does "${title.slice(0, 200)}" say on this?`)
}

/** The answer when nothing in the index fits: honest, and of no confidence to speak of. */
const nothingFound = (best: number): Effect.Effect<Evidence.Evidence<Data>> =>
  Effect.map(Found.nothing, (source) =>
    Evidence.make<Data>({
      data: {
        answer: "The document index holds nothing that answers this question. It may be answered elsewhere; do not " +
          "take this as evidence that there is no answer.",
        citations: [],
        model: "none"
      },
      confidence: Math.min(0.1, best),
      sources: [source]
    }))

interface Written {
  readonly answer: Chat.TextAnswer
  readonly given: ReadonlyArray<AnswerContext.Item>
  readonly hasDocuments: boolean
  readonly input: typeof Parameters.Type
  readonly now: number
}

const isTimed = ({ filters }: typeof Parameters.Type): boolean =>
  filters?.period !== undefined || filters?.since !== undefined || filters?.until !== undefined

const conflictOf = (
  { id, publishedAt, why, with: other }: Verdict.Verdict["conflicts"][number]
): typeof Conflict.Type => ({
  id,
  ...(other === undefined ? {} : { with: other }),
  ...(publishedAt === undefined ? {} : { publishedAt }),
  why
})

const evidenceOf = ({ answer, given, hasDocuments, input, now }: Written): Effect.Effect<Evidence.Evidence<Data>> =>
  Effect.gen(function*() {
    const isExtractive = ModelSource.isExtractive(answer)
    const cited = answer.citations.flatMap((id) => given.filter((item) => item.passage.id === id))
    const verdict = Verdict.judge({
      question: input.question,
      answer: answer.text,
      isTimed: isTimed(input),
      now,
      cited,
      given,
      isExtractive,
      hasDocuments
    })
    const followUps = followUpsOf(given, cited)
    const model = yield* ModelSource.source(answer)
    const from = yield* Effect.forEach(cited.length > 0 ? cited : given, sourceOf)
    const sources: Sources = Arr.append(from, model)
    const note = Verdict.note(verdict)
    const evidence = Evidence.make<Data>({
      data: {
        answer: answer.text,
        citations: cited.map((item) => citationOf(item, answer.text)),
        ...(followUps.length === 0 ? {} : { followUps }),
        ...(note === undefined ? {} : { note, conflicts: verdict.conflicts.map(conflictOf) }),
        model: answer.model,
        ...(answer.attempts.length === 0 ? {} : { attempts: answer.attempts })
      },
      // For whom quoting stands in is judged by the caller of this.
      confidence: verdict.confidence * (isExtractive ? 1 : ModelSource.factor(answer)),
      sources,
      degraded: ModelSource.degraded(answer)
    })
    return verdict.isUncited ? Evidence.degrade(evidence, uncited, 1) : evidence
  })

/**
 * Makes the tool.
 *
 * Documents and history are asked at the same time, each within its share of
 * the call's deadline; what does not answer is done without, and `degraded` says
 * so. Without the document store the answer rests on the session history (and
 * fails as `temporarily_unavailable` when there is none); when no model answers,
 * the passages are quoted instead; when no passage is relevant, the answer says
 * that. Nothing is recorded.
 *
 * Confidence is not calibrated. It is the mean of the cited documents'
 * confidences, so never above the best of them, times 1 for quoting or 0.9 for
 * generating, times 0.7 when another document gives other figures than a cited
 * one on the same matter (newer and not cited, or for the same period), times 0.8
 * when a cited document is older than four half-lives of its type and nothing
 * younger was found, times 0.9 when quoting stands in for a model that failed,
 * times 0.95 when another model than the first answered, times 0.7 when the
 * answer has a flaw. From history alone it is 0.3, and 0.4 at most wherever only history is cited;
 * without a citation 0.3 at most; with nothing relevant 0.1 at most.
 *
 * Models that failed or were passed over stand under `attempts` and in the title
 * of the model that answered. That another model answered is not `degraded`;
 * that quoting had to stand in, or that the answer has a flaw, is.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Tool.ToolHandler<
  Tool.Tool<string, typeof Parameters.Type, Evidence.Evidence<Data>, never, "readOnly">,
  ToolError.ToolError,
  Retriever.Retriever | SessionStore.SessionStore | Llm.Llm | ToolCall.ToolCall
> => {
  const fallback: ToolError.Fallback = {
    tool: options.fallbackTool ?? PreferenceProfile.defaultName,
    why: "the session history still tells what the user cares about"
  }
  const floor = options.floor ?? 0.05

  const within = (remaining: Duration.Duration, limit: Duration.DurationInput): Duration.Duration =>
    Duration.min(limit, Duration.times(remaining, 0.4))

  const search = Effect.fnUntraced(function*(input: typeof Parameters.Type, within: Duration.Duration) {
    const { tenant } = yield* ToolCall.caller
    const retriever = yield* Retriever.Retriever
    yield* ToolCall.progress({ progress: 1, total: 4, message: "Searching the documents" })
    return yield* retriever.retrieve({
      tenant,
      query: input.question,
      limit: options.searchLimit ?? 8,
      filter: Found.filter(input.filters)
    }).pipe(
      TimeLimit.within(within),
      // A store may be busy with what cannot be interrupted; nobody waits for that.
      Effect.disconnect,
      Effect.timeoutTo({
        duration: within,
        onSuccess: Either.right<Retriever.Retrieval>,
        onTimeout: (): Either.Either<Retriever.Retrieval, DocumentStore.DocumentStoreError | undefined> =>
          Either.left(undefined)
      }),
      Effect.catchTag("DocumentStoreError", (error) => Effect.succeed(Either.left(error))),
      Effect.tap((found) =>
        Either.isLeft(found) ? Effect.logWarning("answering without the document store", found.left) : Effect.void
      )
    )
  })

  const recall = Effect.fnUntraced(function*(userId: string | undefined, within: Duration.Duration) {
    if (userId === undefined) return Either.right<ReadonlyArray<SessionStore.SessionEvent>>([])
    const caller = yield* ToolCall.caller
    yield* PreferenceProfile.mayRead(caller, userId, options.historyScopes)
    const store = yield* SessionStore.SessionStore
    yield* ToolCall.progress({ progress: 2, total: 4, message: "Reading the session history" })
    return yield* store.history({ tenant: caller.tenant, userId }, { limit: options.historyLimit ?? 10 }).pipe(
      Effect.disconnect,
      Effect.timeoutTo({
        duration: within,
        onSuccess: Either.right<ReadonlyArray<SessionStore.SessionEvent>>,
        onTimeout: (): Either.Either<
          ReadonlyArray<SessionStore.SessionEvent>,
          SessionStore.SessionStoreError | undefined
        > => Either.left(undefined)
      }),
      Effect.catchTag("SessionStoreError", (error) => Effect.succeed(Either.left(error))),
      Effect.tap((found) =>
        Either.isLeft(found) ? Effect.logWarning("answering without the session history", found.left) : Effect.void
      )
    )
  })

  return Tool.make(options.name ?? "answer_market_question", {
    title: options.title ?? "Answer a market question",
    description: options.description ??
      "Answers a question on companies and markets from the indexed documents, taking the user's session history into " +
        "account. Returns the answer with citations, a confidence and what was missing. Ask this first.",
    safety: "readOnly",
    scopes: options.scopes ?? [],
    parameters: Parameters,
    success: Data
  }).implement((input) =>
    Effect.gen(function*() {
      const model = yield* Llm.Llm
      const remaining = yield* ToolCall.remaining
      const [found, history] = yield* Effect.all([
        search(input, within(remaining, options.searchTimeout ?? "1500 millis")),
        recall(input.userId, within(remaining, options.historyTimeout ?? "500 millis"))
      ], { concurrency: 2 })

      const retrieval = Either.getOrUndefined(found)
      const relevant = (retrieval?.passages ?? []).filter((item) => item.confidence >= floor)
      const missing = [
        ...(retrieval === undefined ? [] : Found.notes(retrieval)),
        ...(Either.isLeft(history) ? [historyMissing(history.left)] : [])
      ]
      if (retrieval !== undefined && relevant.length === 0) {
        const best = Math.max(0, ...retrieval.passages.map((item) => item.confidence))
        return Found.noting(yield* nothingFound(best), missing)
      }
      const documents = AnswerContext.documents(Found.byDocument(relevant))
      const past = Either.getOrElse(history, () => [])
      const events = AnswerContext.events(past, input.question, documents)
      if (Either.isLeft(found) && events.length === 0) return yield* Failure.documentStore(found.left, fallback)

      yield* ToolCall.progress({ progress: 3, total: 4, message: "Writing the answer" })
      const { tenant } = yield* ToolCall.caller
      const now = yield* Clock.currentTimeMillis
      const { answer, given, isStandIn } = yield* AnswerModel.write(model, {
        tenant,
        question: input.question,
        documents,
        events,
        past,
        now,
        maxTokens: options.maxTokens ?? 400
      })
      const evidence = yield* evidenceOf({ answer, given, hasDocuments: retrieval !== undefined, input, now })
      yield* ToolCall.progress({ progress: 4, total: 4, message: "Answered" })
      const lacks = Either.isLeft(found) ? [documentsMissing(found.left), ...missing] : missing
      const noted = Found.noting(evidence, lacks)
      return isStandIn ? Evidence.degrade(noted, AnswerModel.missing, 0.9) : noted
    })
  ).pipe(Tool.uses(["document-store", "embedder", "session-store", "model"]))
}
