/**
 * Reads an answer from bytes as they come, a stream of events or whole JSON as
 * the bytes themselves show, and judges it at its end.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as LlmError from "../../llm/LlmError.js"
import type { Completion } from "./ChatCompletions.js"
import type { Dialect } from "./Dialect.js"
import * as HttpCall from "./HttpCall.js"
import * as HttpFailure from "./HttpFailure.js"
import * as Replies from "./Replies.js"
import * as Sse from "./Sse.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly provider: string
  readonly dialect: Dialect
  readonly status: number
  readonly headers: HttpCall.Reply["headers"]
}

/**
 * A reader of one answer. It keeps state between calls and is for one fiber.
 * `now` is in milliseconds since the epoch.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnswerReader {
  /** Takes bytes and gives the text they add, which may be none. */
  readonly push: (bytes: Uint8Array, now: number) => Either.Either<string, LlmError.LlmError>
  /** Takes the end of the bytes and gives the text that was still to come. */
  readonly end: (now: number) => Either.Either<string, LlmError.LlmError>
  /** The judgement on all there was. */
  readonly result: () => Either.Either<Completion, LlmError.LlmError>
  /** Whether the last event came: nothing more is to be read. */
  readonly isClosed: () => boolean
  /** Whether the reason came why the answer ended: what breaks then, breaks nothing. */
  readonly isFinished: () => boolean
  /** The error with the text and the usage there were before it. */
  readonly cut: (error: LlmError.LlmError) => LlmError.LlmError
}

type Form = "unknown" | "events" | "json" | "page"

/** Blanks and line breaks, and the bytes of a byte order mark. */
const isBlank = (byte: number): boolean =>
  byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === 0xef || byte === 0xbb || byte === 0xbf

const nothing = new Uint8Array()

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00

/**
 * Makes a reader of an answer whose status is a success.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): AnswerReader => {
  const { dialect, headers, provider, status } = options
  const lines = Sse.make()
  const events = dialect.events()
  const decoder = new TextDecoder("utf-8", { fatal: true })
  const texts: Array<string> = []
  let form: Form = "unknown"
  let isComment = false
  let size = 0
  let json = ""
  let half = ""
  let isDone = false
  let hasEvents = false
  let whole: Either.Either<Completion, LlmError.LlmError> | undefined

  const isClosed = () => isDone || events.isClosed()
  const malformed = (description: string) => Either.left(HttpFailure.malformed(provider, description))

  /** Leaves out the blank lines and comments before an answer, whose first byte tells its form. */
  const begin = (bytes: Uint8Array): Uint8Array => {
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0
      if (isComment) isComment = byte !== 0x0a && byte !== 0x0d
      else if (byte === 0x3a) isComment = true
      else if (!isBlank(byte)) {
        form = byte === 0x7b || byte === 0x5b ? "json" : byte === 0x3c ? "page" : "events"
        return bytes.subarray(at)
      }
    }
    return nothing
  }

  /** The text that one event adds. */
  const takeOne = (data: string, now: number): Either.Either<string, LlmError.LlmError> => {
    const event = Replies.parse(data)
    if (Either.isLeft(event)) return malformed(`an event of the stream is ${event.left}`)
    const error = dialect.errorOf(event.right, false)
    if (error !== undefined) return Either.left(Replies.failed(provider, status, error, headers, now))
    const text = events.take(event.right)
    return text === undefined ? malformed("an event of the stream is no JSON object") : Either.right(text)
  }

  const take = (datas: ReadonlyArray<string>, now: number): Either.Either<string, LlmError.LlmError> => {
    let text = half
    half = ""
    let failure: LlmError.LlmError | undefined
    for (const data of datas) {
      const trimmed = data.trim()
      if (isClosed()) break
      if (trimmed === "") continue
      hasEvents = true
      if (trimmed === "[DONE]") {
        isDone = true
        break
      }
      const added = takeOne(data, now)
      if (Either.isRight(added)) text += added.right
      else if (!events.isFinished()) {
        failure = added.left
        break
      }
    }
    // A character may be cut between two events; its halves are put together.
    if (text !== "" && isHigh(text.charCodeAt(text.length - 1))) {
      half = text.slice(-1)
      text = text.slice(0, -1)
    }
    // What came before a failure is kept, but not given: so far the answer can still be another model's.
    if (text !== "") texts.push(text)
    return failure === undefined ? Either.right(text) : Either.left(failure)
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
    whole = Replies.completion(dialect, provider, { status, headers, text: json }, now)
    if (Either.isLeft(whole)) return Either.left(whole.left)
    texts.push(whole.right.text)
    return Either.right(whole.right.text)
  }

  const cut = (error: LlmError.LlmError): LlmError.LlmError => {
    const partial = texts.join("")
    const usage = events.usage()
    return LlmError.withFields(error, {
      ...(partial === "" || error.partial !== undefined ? {} : { partial: Redacted.make(partial) }),
      ...(Object.keys(usage).length === 0 || error.usage !== undefined ? {} : { usage })
    })
  }

  return {
    push: (bytes, now) => {
      size += bytes.byteLength
      if (size > HttpCall.maxBodyBytes) return malformed(`the answer is larger than ${HttpCall.maxBodyBytes} bytes`)
      const rest = form === "unknown" ? begin(bytes) : bytes
      if (form === "events") return read(() => lines.push(rest), now)
      if (form === "page") return malformed("the answer is neither JSON nor a stream of events")
      return gather(rest)
    },
    end: (now) => form === "json" ? readWhole(now) : read(lines.end, now),
    result: () => {
      if (whole !== undefined) return whole
      return events.isFinished() || (isDone && dialect.endsWithDone)
        ? Either.mapLeft(events.judge(texts.join("") + half), (fault) => cut(Replies.faulty(provider, fault)))
        : hasEvents || /^text\/event-stream\b/iu.test(headers["content-type"]?.trim() ?? "")
        ? Either.left(cut(
          new LlmError.LlmError({
            reason: "Transient",
            provider,
            description: "the stream ended before the answer was complete"
          })
        ))
        : malformed("the answer is neither JSON nor a stream of events")
    },
    isClosed,
    isFinished: events.isFinished,
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
  dialect: Dialect,
  provider: string,
  reply: HttpCall.Reply,
  now: number
): Either.Either<Completion, LlmError.LlmError> => {
  const start = reply.status < 300 && !/^\s*[[{]/u.test(reply.text) ? withoutComments(reply.text) : ""
  if (!eventLine.test(start)) return Replies.completion(dialect, provider, reply, now)
  const reader = make({ provider, dialect, status: reply.status, headers: reply.headers })
  const read = Either.flatMap(reader.push(encoder.encode(reply.text), now), () => reader.end(now))
  return Either.isLeft(read) ? Either.left(reader.cut(read.left)) : reader.result()
}

const withoutComments = (text: string): string => text.replace(/^(?:\s|:[^\n]*\n)+/u, "")
