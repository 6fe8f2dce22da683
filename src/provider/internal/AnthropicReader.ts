/**
 * Reads an answer of the Messages wire from bytes as they come, a stream of
 * events or whole JSON as the bytes themselves show, and judges it at its end.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as LlmError from "../../llm/LlmError.js"
import * as AnthropicMessages from "./AnthropicMessages.js"
import * as ChatCompletions from "./ChatCompletions.js"
import * as HttpCall from "./HttpCall.js"
import * as HttpFailure from "./HttpFailure.js"
import * as Replies from "./Replies.js"
import * as Sse from "./Sse.js"

const { isFields } = ChatCompletions

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly provider: string
  readonly status: number
  readonly headers: HttpCall.Reply["headers"]
  /** The tool whose input is the answer, if one was asked for. */
  readonly tool: string | undefined
}

/**
 * A reader of one answer. It keeps state between calls and is for one fiber.
 * `now` is in milliseconds since the epoch.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnthropicReader {
  /** Takes bytes and gives the text they add, which may be none. */
  readonly push: (bytes: Uint8Array, now: number) => Either.Either<string, LlmError.LlmError>
  /** Takes the end of the bytes and gives the text that was still to come. */
  readonly end: (now: number) => Either.Either<string, LlmError.LlmError>
  /** The judgement on all there was. */
  readonly result: () => Either.Either<ChatCompletions.Completion, LlmError.LlmError>
  /** Whether `message_stop` came: nothing more is to be read. */
  readonly isClosed: () => boolean
  /** Whether a stop reason came: what breaks then, breaks nothing. */
  readonly isFinished: () => boolean
  /** The error with the text and the usage there were before it. */
  readonly cut: (error: LlmError.LlmError) => LlmError.LlmError
}

type Form = "unknown" | "events" | "json" | "page"

/** The first character that is no space, and no byte order mark, tells the form. */
const formOf = (bytes: Uint8Array): Form => {
  for (const byte of bytes) {
    if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === 0xef || byte === 0xbb || byte === 0xbf) continue
    return byte === 0x7b || byte === 0x5b ? "json" : byte === 0x3c ? "page" : "events"
  }
  return "unknown"
}

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00

/**
 * Makes a reader of an answer whose status is a success.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): AnthropicReader => {
  const { provider } = options
  const events = Sse.make()
  const decoder = new TextDecoder("utf-8", { fatal: true })
  const usage: Record<string, unknown> = {}
  let form: Form = "unknown"
  let size = 0
  let json = ""
  let text = ""
  let input = ""
  let half = ""
  let stop: string | undefined
  let model: string | undefined
  let calls = false
  let isClosed = false
  let whole: Either.Either<ChatCompletions.Completion, LlmError.LlmError> | undefined

  const malformed = (description: string) => Either.left(HttpFailure.malformed(provider, description))

  const used = (told: unknown): void => {
    if (!isFields(told)) return
    for (const [name, value] of Object.entries(told)) {
      if (value !== null && value !== undefined) usage[name] = value
    }
  }

  /** What one event adds to the answer; an event that is not known adds nothing. */
  const takeEvent = (event: { readonly [field: string]: unknown }): string => {
    switch (event.type) {
      case "message_start": {
        const message = isFields(event.message) ? event.message : {}
        model = AnthropicMessages.modelOf(message) ?? model
        used(message.usage)
        return ""
      }
      case "content_block_start": {
        const block = isFields(event.content_block) ? event.content_block : {}
        calls ||= block.type === "tool_use"
        return block.type === "text" && typeof block.text === "string" ? block.text : ""
      }
      case "content_block_delta": {
        const delta = isFields(event.delta) ? event.delta : {}
        if (delta.type === "input_json_delta" && typeof delta.partial_json === "string" && options.tool !== undefined) {
          input += delta.partial_json
          return delta.partial_json
        }
        return delta.type === "text_delta" && typeof delta.text === "string" ? delta.text : ""
      }
      case "message_delta":
        if (isFields(event.delta)) stop = AnthropicMessages.stopOf(event.delta) ?? stop
        used(event.usage)
        return ""
      case "message_stop":
        isClosed = true
        return ""
      default:
        return ""
    }
  }

  const take = (datas: ReadonlyArray<string>, now: number): Either.Either<string, LlmError.LlmError> => {
    let added = half
    half = ""
    for (const data of datas) {
      if (isClosed || data.trim() === "") continue
      const event = Replies.parse(data)
      if (Either.isLeft(event)) return malformed(`an event of the stream is ${event.left}`)
      const error = AnthropicMessages.errorOf(event.right, false)
      if (error !== undefined) {
        return Either.left(Replies.failed(provider, options.status, error, options.headers, now))
      }
      if (!isFields(event.right)) return malformed("an event of the stream is no JSON object")
      added += takeEvent(event.right)
    }
    // A character may be cut between two events; its halves are put together.
    if (added !== "" && isHigh(added.charCodeAt(added.length - 1))) {
      half = added.slice(-1)
      added = added.slice(0, -1)
    }
    text += added
    return Either.right(added)
  }

  const read = (datas: () => ReadonlyArray<string>, now: number): Either.Either<string, LlmError.LlmError> => {
    try {
      return take(datas(), now)
    } catch (error) {
      // What the event reader throws by its contract; anything else is a defect.
      if (error instanceof RangeError) return malformed("an event of the stream is too large")
      if (error instanceof TypeError) return malformed("the stream is not UTF-8 text")
      throw error
    }
  }

  const gather = (bytes: Uint8Array | undefined): Either.Either<string, LlmError.LlmError> => {
    try {
      json += bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true })
      return Either.right("")
    } catch {
      return malformed("the answer is not UTF-8 text")
    }
  }

  const readWhole = (now: number): Either.Either<string, LlmError.LlmError> => {
    const rest = gather(undefined)
    if (Either.isLeft(rest)) return rest
    whole = wholeOf(json, options, now)
    text = Either.isRight(whole) ? whole.right.text : ""
    return Either.map(whole, (completion) => completion.text)
  }

  const cut = (error: LlmError.LlmError): LlmError.LlmError => {
    const known = AnthropicMessages.usageOf(usage)
    return LlmError.withFields(error, {
      ...(text === "" || error.partial !== undefined ? {} : { partial: Redacted.make(text) }),
      ...(Object.keys(known).length === 0 || error.usage !== undefined ? {} : { usage: known })
    })
  }

  return {
    push: (bytes, now) => {
      size += bytes.byteLength
      if (size > HttpCall.maxBodyBytes) return malformed(`the answer is larger than ${HttpCall.maxBodyBytes} bytes`)
      if (form === "unknown") form = formOf(bytes)
      if (form === "events") return read(() => events.push(bytes), now)
      if (form === "page") return malformed("the answer is neither JSON nor a stream of events")
      return gather(bytes)
    },
    end: (now) => form === "json" ? readWhole(now) : read(events.end, now),
    result: () =>
      whole ?? (stop === undefined
        ? Either.left(cut(
          new LlmError.LlmError({
            reason: "Transient",
            provider,
            description: "the stream ended before the answer was complete"
          })
        ))
        : Either.mapLeft(
          AnthropicMessages.judge({
            // A tool that takes no arguments is called with none.
            text: options.tool !== undefined && calls ? (input === "" ? "{}" : input) : text + half,
            stop,
            calls,
            model,
            usage: AnthropicMessages.usageOf(usage)
          }),
          (fault) => Replies.faulty(provider, fault)
        )),
    isClosed: () => isClosed,
    isFinished: () => stop !== undefined,
    cut
  }
}

const wholeOf = (
  text: string,
  { headers, provider, status, tool }: Options,
  now: number
): Either.Either<ChatCompletions.Completion, LlmError.LlmError> => {
  const body = Replies.parse(text)
  if (Either.isLeft(body)) {
    return Either.left(
      HttpFailure.malformed(provider, text.trim() === "" ? "the answer has no body" : `the answer is ${body.left}`)
    )
  }
  const error = AnthropicMessages.errorOf(body.right, false)
  return error === undefined
    ? Either.mapLeft(AnthropicMessages.decode(body.right, tool), (fault) => Replies.faulty(provider, fault))
    : Either.left(Replies.failed(provider, status, error, headers, now))
}

const eventLine = /^\s*(?:data|event|id|retry)(?::|\r?\n)/u
const encoder = new TextEncoder()

/**
 * The answer in a whole reply, or its error; also when it came as a stream of
 * events that nobody asked for.
 *
 * @since 0.1.0
 * @category combinators
 */
export const whole = (
  reply: HttpCall.Reply,
  now: number,
  options: Pick<Options, "provider" | "tool">
): Either.Either<ChatCompletions.Completion, LlmError.LlmError> => {
  const { headers, status, text } = reply
  const early = Replies.refusal(options.provider, status)
  if (early !== undefined || status >= 300) {
    return Either.left(early ?? AnthropicMessages.failure(options.provider, reply, now))
  }
  if (!eventLine.test(text)) return wholeOf(text, { ...options, status, headers }, now)
  const reader = make({ ...options, status, headers })
  const read = Either.flatMap(reader.push(encoder.encode(text), now), () => reader.end(now))
  return Either.isLeft(read) ? Either.left(reader.cut(read.left)) : reader.result()
}
