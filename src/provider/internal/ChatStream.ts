/**
 * A streamed answer: events read as they come, judged like a whole answer at
 * the end, and never taken for complete when the connection merely closed.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Chat from "../../llm/Chat.js"
import type * as LlmError from "../../llm/LlmError.js"
import * as Prompt from "../../llm/Prompt.js"
import * as ChatCompletions from "./ChatCompletions.js"
import * as HttpCall from "./HttpCall.js"
import * as Replies from "./Replies.js"
import * as Sse from "./Sse.js"
import * as VendorError from "./VendorError.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly provider: string
  /** The model's name when the provider does not say who answered. */
  readonly model: string
  readonly call: HttpCall.HttpCall
  readonly body: string
  /** The ids an answer may cite. */
  readonly ids: ReadonlyArray<string>
  readonly firstTextTimeout: Duration.Duration
  readonly idleTimeout: Duration.Duration
  readonly streamTimeout: Duration.Duration
}

/** What one stream has shown so far; only the fiber that pulls it writes. */
interface State {
  readonly startedAt: number
  readonly reader: Sse.Reader
  readonly texts: Array<string>
  bytes: number
  finish: string | undefined
  refused: boolean
  model: string | undefined
  usage: Chat.Usage
  /** `[DONE]` came. */
  isClosed: boolean
  /** The last delta went out. */
  isOver: boolean
}

type Deltas = Effect.Effect<Chunk.Chunk<Chat.Delta>, Option.Option<LlmError.LlmError>>

/**
 * Opens the stream. The first text, and each next one, has its own time limit
 * that comments, role chunks and usage do not prolong. The end needs a finish
 * reason or `[DONE]`; a connection that closes without either fails as
 * `Transient`. A provider that answers with whole JSON is read as that. Closing
 * the stream closes the connection.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Stream.Stream<Chat.Delta, LlmError.LlmError> =>
  Stream.unwrapScoped(
    Effect.gen(function*() {
      const startedAt = yield* Clock.currentTimeMillis
      const endsAt = startedAt + Duration.toMillis(options.streamTimeout)
      const opened = yield* Effect.timeoutFail(open(options, startedAt), {
        duration: options.firstTextTimeout,
        onTimeout: () => HttpCall.timedOut(options.provider, "no text came within the time given")
      })
      return opened._tag === "Whole" ? Stream.fromIterable(opened.deltas) : Stream.repeatEffectChunkOption(
        Effect.flatMap(Clock.currentTimeMillis, (now) => next(options, opened, now, endsAt))
      )
    })
  ).pipe(Stream.withSpan("OpenAiCompatible.streamText", {
    captureStackTrace: false,
    attributes: { "gen_ai.provider.name": options.provider, "gen_ai.request.model": options.model }
  }))

type Opened =
  | { readonly _tag: "Whole"; readonly deltas: ReadonlyArray<Chat.Delta> }
  | {
    readonly _tag: "Events"
    readonly state: State
    readonly headers: HttpCall.Reply["headers"]
    readonly pull: Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<LlmError.LlmError>>
  }

const open = (
  options: Options,
  startedAt: number
): Effect.Effect<Opened, LlmError.LlmError, Scope.Scope> =>
  Effect.gen(function*() {
    const { call, provider } = options
    const response = yield* call.open("/chat/completions", options.body)
    const early = Replies.refusal(provider, response.status)
    if (early !== undefined) return yield* early
    const isEvents = response.headers["content-type"]?.includes("json") !== true
    if (response.status >= 300 || !isEvents) {
      const reply = yield* call.read(response)
      const now = yield* Clock.currentTimeMillis
      const { model, text, usage } = yield* Replies.completion(provider, reply, now)
      const answer: Chat.TextAnswer = {
        ...Replies.provenance(provider, model ?? options.model, usage, now - startedAt),
        text,
        citations: Prompt.citations(text, options.ids)
      }
      return { _tag: "Whole", deltas: [{ _tag: "Text", text }, { _tag: "Done", answer }] }
    }
    const state: State = {
      startedAt,
      reader: Sse.make(),
      texts: [],
      bytes: 0,
      finish: undefined,
      refused: false,
      model: undefined,
      usage: {},
      isClosed: false,
      isOver: false
    }
    const pull = yield* Stream.toPull(Stream.mapError(response.stream, call.broken))
    return { _tag: "Events", state, headers: response.headers, pull }
  })

/** How long the usage may take to follow the finish reason. */
const usageWaitMs = 2000

type Events = Extract<Opened, { readonly _tag: "Events" }>

/** The next texts, or the end. One time limit spans all the events without text in between. */
const next = (options: Options, events: Events, now: number, endsAt: number): Deltas => {
  const { state } = events
  if (state.isOver) return Effect.fail(Option.none())
  const isFirst = state.texts.length === 0
  const limit = isFirst
    ? Duration.toMillis(options.firstTextTimeout) - (now - state.startedAt)
    : Math.min(Duration.toMillis(options.idleTimeout), state.finish === undefined ? Infinity : usageWaitMs)
  return untilText(options, events).pipe(
    Effect.timeoutFail({
      duration: Math.max(0, Math.min(limit, endsAt - now)),
      onTimeout: () =>
        Option.some(HttpCall.timedOut(
          options.provider,
          isFirst ? "no text came within the time given" : "the stream fell silent before its end"
        ))
    }),
    // After a finish reason only usage is still to come: what breaks then, breaks nothing.
    Effect.catchAll((error) => state.finish === undefined ? Effect.fail(error) : finish(options, state))
  )
}

const untilText = (options: Options, events: Events): Deltas => {
  const { state } = events
  if (state.isClosed) return finish(options, state)
  return Effect.matchEffect(events.pull, {
    onFailure: (end) =>
      Option.isSome(end) ?
        Effect.fail(end) :
        Effect.flatMap(read(options, events, state.reader.end), (text) =>
          text === ""
            ? finish(options, state)
            : Effect.map(
              finish(options, state),
              (done) => Chunk.prepend<Chat.Delta, Chat.Delta>(done, { _tag: "Text", text })
            )),
    onSuccess: (parts) =>
      Effect.flatMap(
        read(options, events, () => {
          const found: Array<string> = []
          for (const part of parts) {
            state.bytes += part.byteLength
            for (const data of state.reader.push(part)) found.push(data)
          }
          return found
        }),
        (text) =>
          text === "" ? untilText(options, events) : Effect.succeed(Chunk.of<Chat.Delta>({ _tag: "Text", text }))
      )
  })
}

/** Takes in events and gives the text they add. */
const read = (
  options: Options,
  events: Events,
  take: () => ReadonlyArray<string>
): Effect.Effect<string, Option.Option<LlmError.LlmError>> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const { state } = events
    const { provider } = options
    const fail = (error: LlmError.LlmError) => Effect.fail(Option.some(error))
    let datas: ReadonlyArray<string>
    try {
      datas = take()
    } catch {
      return fail(HttpCall.malformed(provider, "the stream is not UTF-8 text or has an event that is too large"))
    }
    if (state.bytes > HttpCall.maxBodyBytes) {
      return fail(HttpCall.malformed(provider, `the stream is larger than ${HttpCall.maxBodyBytes} bytes`))
    }
    let text = ""
    for (const data of datas) {
      if (state.isClosed || data.trim() === "") continue
      if (data.trim() === "[DONE]") {
        state.isClosed = true
        continue
      }
      let chunk: unknown
      try {
        chunk = JSON.parse(data)
      } catch {
        return fail(HttpCall.malformed(provider, "an event of the stream is not JSON"))
      }
      const error = VendorError.fromBody(chunk, false)
      if (error !== undefined) return fail(Replies.failed(provider, 200, error, events.headers, now))
      const piece = ChatCompletions.piece(chunk)
      if (piece === undefined) return fail(HttpCall.malformed(provider, "an event of the stream is no JSON object"))
      text += piece.text
      state.finish = piece.finish ?? state.finish
      state.refused ||= piece.refused
      state.model = piece.model ?? state.model
      state.usage = piece.usage ?? state.usage
    }
    if (text !== "") state.texts.push(text)
    return Effect.succeed(text)
  })

const finish = (options: Options, state: State): Deltas =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const { provider } = options
    const text = state.texts.join("")
    const isComplete = state.finish !== undefined || state.isClosed
    const fault: ChatCompletions.Fault | undefined = isComplete
      ? ChatCompletions.finishFault(state.finish) ?? ChatCompletions.textFault(text, state.refused)
      : { reason: "Transient", description: "the stream ended before the answer was complete" }
    if (fault !== undefined) return Effect.fail(Option.some(Replies.faulty(provider, fault)))
    state.isOver = true
    return Effect.succeed(Chunk.of<Chat.Delta>({
      _tag: "Done",
      answer: {
        ...Replies.provenance(provider, state.model ?? options.model, state.usage, now - state.startedAt),
        text,
        citations: Prompt.citations(text, options.ids)
      }
    }))
  })
