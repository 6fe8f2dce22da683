/**
 * An answer that is read while it comes, as a stream or gathered to a whole, and
 * never taken for complete when the connection merely closed.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Chat from "../../llm/Chat.js"
import type { Observer } from "../../llm/Llm.js"
import * as LlmError from "../../llm/LlmError.js"
import * as Prompt from "../../llm/Prompt.js"
import * as AnswerReader from "./AnswerReader.js"
import type { Encoded } from "./Dialect.js"
import * as HttpCall from "./HttpCall.js"
import * as HttpFailure from "./HttpFailure.js"
import * as RateHeaders from "./RateHeaders.js"
import * as Replies from "./Replies.js"
import * as TimeBound from "./TimeBound.js"

/**
 * The model's own limits, in milliseconds: until the first text, between two
 * texts, for all.
 *
 * @since 0.1.0
 * @category models
 */
export interface Limits {
  readonly firstText: number
  readonly idle: number
  readonly total: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly provider: string
  /** The model's name when the provider does not say who answered. */
  readonly model: string
  readonly call: HttpCall.HttpCall
  readonly request: Encoded
  /** The ids an answer may cite. */
  readonly ids: ReadonlyArray<string>
  /** Who keeps the time of the phases; the model's own limits do when there is none. */
  readonly observer: Observer | undefined
  readonly limits: Limits
}

/** How long usage may take to follow the answer's end, when we keep the time and when others do. */
const usageWaitMs = 2000
const shortUsageWaitMs = 250

/** How long the end of the body may take to follow the last event; a connection read to its end is used again. */
const endWaitMs = 50

/** What one stream has shown so far; only the fiber that pulls it writes. */
interface Session {
  readonly options: Options
  readonly clock: Clock.Clock
  readonly startedAt: number
  readonly reader: AnswerReader.AnswerReader
  readonly pull: Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<LlmError.LlmError>>
  firstTextAt: number | undefined
  isOver: boolean
}

const monotonic = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6

const sentences = {
  headers: "no answer came within the time given",
  firstToken: "no text came within the time given",
  idle: "the stream fell silent before its end",
  total: "the stream was not at its end within the time given"
} as const

/** Adds where the try stood, when a failure of the way does not say so itself. */
const at = (phase: Chat.Phase) => (error: LlmError.LlmError): LlmError.LlmError =>
  error.phase === undefined && error.status === undefined && error.reason === "Transient"
    ? LlmError.withFields(error, { phase })
    : error

/** What is opened in a scope stays open in it: the effect itself runs in the caller's scope, also in another fiber. */
const timed = <A, R>(
  self: Effect.Effect<A, LlmError.LlmError, R>,
  millis: number,
  provider: string,
  phase: keyof typeof sentences
): Effect.Effect<A, LlmError.LlmError, R> =>
  Effect.contextWithEffect((context: Context.Context<R>) =>
    TimeBound.within(
      Effect.provide(self, context),
      millis,
      () => HttpFailure.timedOut(provider, sentences[phase], phase)
    )
  )

const open = (options: Options): Effect.Effect<Session, LlmError.LlmError, Scope.Scope> =>
  Effect.clockWith((clock) =>
    Effect.suspend(() => {
      const { call, limits, observer, provider, request: { body, dialect } } = options
      const startedAt = monotonic(clock)
      const bounded = <A, R>(self: Effect.Effect<A, LlmError.LlmError, R>, phase: "headers" | "firstToken") =>
        observer === undefined ? timed(self, limits.firstText, provider, phase) : self
      observer?.enter("headers")
      const opened = Effect.mapError(call.open(dialect.path, body), at("headers"))
      return Effect.flatMap(bounded(opened, "headers"), (response) => {
        const { headers, status } = response
        if (observer !== undefined) {
          const left = RateHeaders.find(headers)
          if (left !== undefined) observer.remaining(left)
          observer.enter("firstToken")
        }
        const early = Replies.refusal(provider, status) ??
          (status < 300 ? HttpCall.tooLarge(provider, headers) : undefined)
        if (early !== undefined) return Effect.fail(early)
        if (status >= 300) {
          const failure = Effect.flatMap(
            call.read(response),
            (reply) => Effect.fail(Replies.failure(dialect, provider, reply, clock.unsafeCurrentTimeMillis()))
          )
          return bounded(failure, "firstToken")
        }
        return Effect.map(Stream.toPull(Stream.mapError(response.stream, call.broken)), (pull): Session => ({
          options,
          clock,
          startedAt,
          reader: AnswerReader.make({ provider, dialect, status, headers }),
          pull,
          firstTextAt: undefined,
          isOver: false
        }))
      })
    })
  )

const over = Effect.succeed<string | undefined>(undefined)

/** The next text, or `undefined` at the end. */
const next = (session: Session): Effect.Effect<string | undefined, LlmError.LlmError> =>
  Effect.suspend(() => {
    if (session.isOver) return over
    const { limits, observer, provider } = session.options
    if (observer !== undefined) return untilText(session)
    const elapsed = monotonic(session.clock) - session.startedAt
    const phase = session.firstTextAt === undefined ? "firstToken" : "idle"
    const limit = phase === "firstToken" ? limits.firstText - elapsed : limits.idle
    const left = limits.total - elapsed
    return Effect.catchAll(
      timed(untilText(session), Math.min(left, limit), provider, left < limit ? "total" : phase),
      (error) => failed(session, error, "")
    )
  })

/** Ends with an error, or with the last `text` when the answer was at its end: what breaks then, breaks nothing. */
const failed = (
  session: Session,
  error: LlmError.LlmError,
  text: string
): Effect.Effect<string | undefined, LlmError.LlmError> => {
  const { firstTextAt, reader } = session
  if (!reader.isFinished()) return Effect.fail(reader.cut(at(firstTextAt === undefined ? "firstToken" : "idle")(error)))
  session.isOver = true
  return given(session, text) ?? over
}

const given = (session: Session, text: string): Effect.Effect<string | undefined> | undefined => {
  if (text === "") return undefined
  session.firstTextAt ??= monotonic(session.clock)
  session.options.observer?.enter("idle")
  return Effect.succeed(text)
}

const untilText = (session: Session): Effect.Effect<string | undefined, LlmError.LlmError> => {
  const { options: { observer, provider }, reader } = session
  if (reader.isClosed()) {
    session.isOver = true
    return Effect.zipRight(Effect.ignore(TimeBound.within(session.pull, endWaitMs, () => Option.none())), over)
  }
  const pull = reader.isFinished()
    ? TimeBound.within(
      session.pull,
      observer === undefined ? usageWaitMs : shortUsageWaitMs,
      () => Option.some(HttpFailure.timedOut(provider, sentences.idle, "idle"))
    )
    : session.pull
  return Effect.matchEffect(pull, {
    onFailure: (end) => {
      if (Option.isSome(end)) return failed(session, end.value, "")
      session.isOver = true
      const rest = reader.end(session.clock.unsafeCurrentTimeMillis())
      return Either.isLeft(rest) ? failed(session, rest.left, "") : given(session, rest.right) ?? over
    },
    onSuccess: (parts) => {
      const now = session.clock.unsafeCurrentTimeMillis()
      let text = ""
      for (const part of parts) {
        const read = reader.push(part, now)
        if (Either.isLeft(read)) return failed(session, read.left, text)
        text += read.right
      }
      return given(session, text) ?? untilText(session)
    }
  })
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Answer {
  readonly text: string
  readonly provenance: Chat.Provenance
}

const result = (session: Session): Effect.Effect<Answer, LlmError.LlmError> =>
  Effect.suspend(() =>
    Either.map(session.reader.result(), ({ model, text, usage }) => ({
      text,
      provenance: Replies.provenance(
        session.options.provider,
        model ?? session.options.model,
        usage,
        monotonic(session.clock) - session.startedAt,
        session.firstTextAt === undefined ? undefined : session.firstTextAt - session.startedAt
      )
    }))
  )

/**
 * Reads the answer to its end. As `make` does, but for those who want it whole.
 *
 * @since 0.1.0
 * @category constructors
 */
export const gather = (options: Options): Effect.Effect<Answer, LlmError.LlmError> =>
  Effect.scoped(Effect.flatMap(open(options), (session) => {
    const loop: Effect.Effect<Answer, LlmError.LlmError> = Effect.flatMap(
      next(session),
      (text) => text === undefined ? result(session) : loop
    )
    return loop
  }))

/**
 * Opens the stream. With an observer it tells the phases and keeps no time of
 * its own, save for what may follow the answer's end; without one the first text
 * and each next one has its own limit, which comments, role chunks and usage do
 * not prolong. The end needs its reason, or `[DONE]` where that is enough;
 * a connection that closes without fails as `Transient`, with the text there was
 * as `partial`. A provider that answers with whole JSON is read as that. Closing
 * the stream closes the connection.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Stream.Stream<Chat.Delta, LlmError.LlmError> =>
  Stream.unwrapScoped(Effect.map(open(options), (session) => {
    let isTold = false
    return Stream.repeatEffectChunkOption(
      Effect.mapError(
        Effect.flatMap(next(session), (text): Effect.Effect<Chat.Delta, LlmError.LlmError | undefined> => {
          if (text !== undefined) return Effect.succeed({ _tag: "Text", text })
          if (isTold) return Effect.fail(undefined)
          isTold = true
          return Effect.map(result(session), ({ provenance, text }) => ({
            _tag: "Done",
            answer: { ...provenance, text, citations: Prompt.citations(text, options.ids) }
          }))
        }),
        Option.fromNullable
      ).pipe(Effect.map(Chunk.of))
    )
  }))
