/**
 * What two vendors' wires differ in, once a request is on its way: where it goes,
 * how an answer and an error are written, what the events of a stream say.
 *
 * @since 0.1.0
 */
import type * as Either from "effect/Either"
import type * as Chat from "../../llm/Chat.js"
import type { Completion, Fault } from "./ChatCompletions.js"
import type { VendorError } from "./VendorError.js"

/**
 * The account of one answer's events. It keeps state between calls and is for
 * one fiber.
 *
 * @since 0.1.0
 * @category models
 */
export interface Events {
  /** Takes an event that is no error and gives the text it adds; `undefined` when it is no JSON object. */
  readonly take: (event: unknown) => string | undefined
  /** Whether the reason came why the answer ended: only usage may follow. */
  readonly isFinished: () => boolean
  /** Whether the last event came: nothing more is to be read. */
  readonly isClosed: () => boolean
  readonly usage: () => Chat.Usage
  /** What the answer comes to at its end, `text` being all that was added. */
  readonly judge: (text: string) => Either.Either<Completion, Fault>
}

/**
 * How one endpoint answers one request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Dialect {
  /** Behind the base URL, with its leading slash. */
  readonly path: string
  /** Whether `[DONE]` is an end also where no reason for it came before. */
  readonly endsWithDone: boolean
  /** What an error body says; `undefined` when it is none. A text is one only when `isFailure`. */
  readonly errorOf: (body: unknown, isFailure: boolean) => VendorError | undefined
  /** Reads a whole answer. */
  readonly decode: (body: unknown) => Either.Either<Completion, Fault>
  /** Begins the account of a stream. */
  readonly events: () => Events
}

/**
 * A request on the wire, and how it will be answered.
 *
 * @since 0.1.0
 * @category models
 */
export interface Encoded {
  readonly body: string
  readonly dialect: Dialect
}
