/**
 * Reads an answer from bytes as they come, a stream of events or whole JSON as
 * the bytes themselves show, and judges it at its end.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type * as Chat from "../../llm/Chat.js"
import * as LlmError from "../../llm/LlmError.js"
import * as ChatCompletions from "./ChatCompletions.js"
import * as HttpCall from "./HttpCall.js"
import * as HttpFailure from "./HttpFailure.js"
import * as Replies from "./Replies.js"
import * as Sse from "./Sse.js"
import * as VendorError from "./VendorError.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly provider: string
  readonly status: number
  readonly headers: HttpCall.Reply["headers"]
  /** Whether `[DONE]` is an end also where no finish reason came before. */
  readonly endsWithDone: boolean
}

/**
 * A reader of one answer. It keeps state between calls and is for one fiber.
 * `now` is in milliseconds since the epoch.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChatReader {
  /** Takes bytes and gives the text they add, which may be none. */
  readonly push: (bytes: Uint8Array, now: number) => Either.Either<string, LlmError.LlmError>
  /** Takes the end of the bytes and gives the text that was still to come. */
  readonly end: (now: number) => Either.Either<string, LlmError.LlmError>
  /** The judgement on all there was. */
  readonly result: () => Either.Either<ChatCompletions.Completion, LlmError.LlmError>
  /** Whether `[DONE]` came: nothing more is to be read. */
  readonly isClosed: () => boolean
  /** Whether a finish reason came: only usage may follow. */
  readonly isFinished: () => boolean
  /** The error with the text and the usage there were before it. */
  readonly cut: (error: LlmError.LlmError) => LlmError.LlmError
}

type Form = "unknown" | "events" | "json" | "page"

/** The first character that is no space tells the form; a comment may come before either. */
const formOf = (bytes: Uint8Array): Form => {
  for (const byte of bytes) {
    // Blank lines, and the byte order mark.
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) continue
    if (byte === 0xef || byte === 0xbb || byte === 0xbf) continue
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
export const make = (options: Options): ChatReader => {
  const { provider } = options
  const events = Sse.make()
  const texts: Array<string> = []
  const decoder = new TextDecoder("utf-8", { fatal: true })
  let json = ""
  let form: Form = "unknown"
  let size = 0
  let finish: string | undefined
  let refusal = ""
  let calls = false
  let model: string | undefined
  let usage: Chat.Usage = {}
  let isClosed = false
  let half = ""
  let whole: Either.Either<ChatCompletions.Completion, LlmError.LlmError> | undefined

  const malformed = (description: string) => Either.left(HttpFailure.malformed(provider, description))

  const take = (
    datas: ReadonlyArray<string>,
    now: number
  ): Either.Either<string, LlmError.LlmError> => {
    let text = half
    half = ""
    let failure: LlmError.LlmError | undefined
    for (const data of datas) {
      const trimmed = data.trim()
      if (isClosed || trimmed === "") continue
      if (trimmed === "[DONE]") {
        isClosed = true
        continue
      }
      const chunk = Replies.parse(data)
      const error = Either.isRight(chunk) ? VendorError.fromBody(chunk.right, false) : undefined
      const piece = Either.isRight(chunk) ? ChatCompletions.piece(chunk.right) : undefined
      if (error !== undefined) failure = Replies.failed(provider, options.status, error, options.headers, now)
      else if (piece === undefined) {
        const what = Either.isLeft(chunk) ? chunk.left : "no JSON object"
        failure = HttpFailure.malformed(provider, `an event of the stream is ${what}`)
      }
      if (failure !== undefined || piece === undefined) break
      text += piece.text
      finish = piece.finish ?? finish
      refusal += piece.refusal
      calls ||= piece.calls
      model = piece.model ?? model
      if (piece.usage !== undefined && Object.keys(piece.usage).length > 0) usage = piece.usage
    }
    // A character may be cut between two events; its halves are put together.
    if (text !== "" && isHigh(text.charCodeAt(text.length - 1))) {
      half = text.slice(-1)
      text = text.slice(0, -1)
    }
    // What came before a failure is kept, but not given: so far the answer can still be another model's.
    // After a finish reason only usage is still to come: what fails then, breaks nothing.
    if (text !== "") texts.push(text)
    return failure === undefined || finish !== undefined ? Either.right(text) : Either.left(failure)
  }

  const read = (
    datas: () => ReadonlyArray<string>,
    now: number
  ): Either.Either<string, LlmError.LlmError> => {
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
    whole = Replies.completion(provider, { status: options.status, headers: options.headers, text: json }, now)
    if (Either.isLeft(whole)) return Either.left(whole.left)
    texts.push(whole.right.text)
    return Either.right(whole.right.text)
  }

  const cut = (error: LlmError.LlmError): LlmError.LlmError => {
    const partial = texts.join("")
    return LlmError.withFields(error, {
      ...(partial === "" || error.partial !== undefined ? {} : { partial: Redacted.make(partial) }),
      ...(Object.keys(usage).length === 0 || error.usage !== undefined ? {} : { usage })
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
    result: () => {
      if (whole !== undefined) return whole
      return finish !== undefined || (isClosed && options.endsWithDone)
        ? Either.mapLeft(
          ChatCompletions.judge({ text: texts.join("") + half, finish, refusal, calls, model, usage }),
          (fault) => cut(Replies.faulty(provider, fault))
        )
        : Either.left(cut(
          new LlmError.LlmError({
            reason: "Transient",
            provider,
            description: "the stream ended before the answer was complete"
          })
        ))
    },
    isClosed: () => isClosed,
    isFinished: () => finish !== undefined,
    cut
  }
}

const encoder = new TextEncoder()

/** What the lines of an event stream begin with. */
const eventLine = /^(?:data|event|id|retry)(?::|\r?\n)/u

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
  options: Pick<Options, "provider" | "endsWithDone">
): Either.Either<ChatCompletions.Completion, LlmError.LlmError> => {
  const start = reply.status < 300 && !/^\s*[[{]/u.test(reply.text) ? withoutComments(reply.text) : ""
  if (!eventLine.test(start)) return Replies.completion(options.provider, reply, now)
  const reader = make({ ...options, status: reply.status, headers: reply.headers })
  const read = Either.flatMap(reader.push(encoder.encode(reply.text), now), () => reader.end(now))
  return Either.isLeft(read) ? Either.left(reader.cut(read.left)) : reader.result()
}

const withoutComments = (text: string): string => text.replace(/^(?:\s|:[^\n]*\n)+/u, "")
