/**
 * What a fake provider can be told to do with a request, and what it keeps of
 * the requests it saw.
 *
 * @since 0.1.0
 */

/**
 * What is sent, piece by piece. A function is called once for each request, so
 * that a body of any size, or one without end, is made as it is sent.
 *
 * @since 0.1.0
 * @category models
 */
export type Pieces = ReadonlyArray<string | Uint8Array> | (() => Iterable<string | Uint8Array>)

/**
 * What to do with one request.
 *
 * - `Text`: an answer in the words of the wire that was asked, whole or as a
 *   stream; where a tool is forced, a text that is JSON becomes its call, and
 *   where vectors are asked for, they are given whatever the text.
 * - `Status`: a reply of any status; a body that is no string is sent as JSON.
 * - `Hang`: never goes on: before the headers, after them, or in mid-body.
 * - `Reset`: breaks the connection: before the headers, after them, or in mid-body.
 * - `Stream`: a body as it is, each piece on its own, and how it ends.
 * - `Raw`: bytes on the socket in place of a response, and how the connection ends.
 * - `Delayed`: another reply after a while.
 * - `Depending`: a reply made from the request.
 *
 * @since 0.1.0
 * @category models
 */
export type Reply =
  | Text
  | {
    readonly _tag: "Status"
    readonly status: number
    readonly headers?: { readonly [name: string]: string | ReadonlyArray<string> } | undefined
    readonly body?: unknown
  }
  | { readonly _tag: "Hang"; readonly after: "request" | "headers" | "half" }
  | { readonly _tag: "Reset"; readonly after: "request" | "headers" | "half" }
  | {
    readonly _tag: "Stream"
    readonly pieces: Pieces
    /** Between two pieces, in milliseconds of the wall clock; 0 unless given. */
    readonly gapMs?: number | undefined
    /** `close` unless given. */
    readonly end?: "close" | "hang" | "reset" | undefined
    /** `text/event-stream` unless given. */
    readonly contentType?: string | undefined
  }
  | {
    readonly _tag: "Raw"
    readonly pieces: Pieces
    /** Between two pieces, in milliseconds of the wall clock; 0 unless given. */
    readonly gapMs?: number | undefined
    /** `close` unless given; `half` closes our side alone and goes on reading. */
    readonly end?: "close" | "half" | "hang" | "reset" | undefined
  }
  | { readonly _tag: "Delayed"; readonly ms: number; readonly reply: Reply }
  | { readonly _tag: "Depending"; readonly reply: (request: Recorded) => Reply }

/**
 * @since 0.1.0
 * @category models
 */
export interface Text {
  readonly _tag: "Text"
  readonly text: string
  /** In the words of Chat Completions, `stop` unless given; the Messages wire says the same in its own. */
  readonly finishReason?: string | null | undefined
  readonly usage?: unknown
  /** Who says it answered; the model that was asked unless given. */
  readonly model?: string | undefined
  /** Waits this long before answering, in milliseconds of the wall clock. */
  readonly delayMs?: number | undefined
  /** In a stream: between two pieces of the text, in milliseconds of the wall clock. */
  readonly gapMs?: number | undefined
}

/**
 * Which API a request was meant for, by its path.
 *
 * @since 0.1.0
 * @category models
 */
export type WireKind = "chat" | "messages" | "embeddings" | "models" | "other"

/**
 * A request as the server saw it. Of the key only the header and the word before
 * it are kept.
 *
 * @since 0.1.0
 * @category models
 */
export interface Recorded {
  /** When its body was complete, in milliseconds of a clock that does not go back. */
  readonly at: number
  readonly wire: WireKind
  readonly method: string
  readonly path: string
  readonly model: string | undefined
  /** The parsed body; `undefined` when there was none or it was no JSON. */
  readonly body: { readonly [field: string]: unknown } | undefined
  /** Without any header that carries a key. */
  readonly headers: { readonly [name: string]: string }
  /** How the key came, for example `authorization: Bearer`. */
  readonly auth: string | undefined
}

/**
 * Answers with a text.
 *
 * @since 0.1.0
 * @category constructors
 */
export const text = (text: string, options: Omit<Text, "_tag" | "text"> = {}): Reply => ({
  _tag: "Text",
  text,
  ...options
})

/**
 * Answers with a value as JSON.
 *
 * @since 0.1.0
 * @category constructors
 */
export const json = (value: unknown): Reply => ({ _tag: "Text", text: JSON.stringify(value) })

/**
 * Answers with a status, headers and a body.
 *
 * @since 0.1.0
 * @category constructors
 */
export const status = (
  status: number,
  body?: unknown,
  headers?: { readonly [name: string]: string | ReadonlyArray<string> }
): Reply => ({
  _tag: "Status",
  status,
  ...(body === undefined ? {} : { body }),
  ...(headers === undefined ? {} : { headers })
})

/**
 * Falls silent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const hang = (after: "request" | "headers" | "half" = "request"): Reply => ({ _tag: "Hang", after })

/**
 * Breaks the connection.
 *
 * @since 0.1.0
 * @category constructors
 */
export const reset = (after: "request" | "headers" | "half" = "request"): Reply => ({ _tag: "Reset", after })

/**
 * Sends pieces of a body as they are.
 *
 * @since 0.1.0
 * @category constructors
 */
export const stream = (
  pieces: Pieces,
  options: {
    readonly gapMs?: number
    readonly end?: "close" | "hang" | "reset"
    readonly contentType?: string
  } = {}
): Reply => ({ _tag: "Stream", pieces, ...options })

/**
 * Writes bytes on the socket as they are: the head of a response too.
 *
 * @since 0.1.0
 * @category constructors
 */
export const raw = (
  pieces: Pieces,
  options: { readonly gapMs?: number; readonly end?: "close" | "half" | "hang" | "reset" } = {}
): Reply => ({ _tag: "Raw", pieces, ...options })

/**
 * Waits, in milliseconds of the wall clock, and then does as another reply says.
 *
 * @since 0.1.0
 * @category constructors
 */
export const delayed = (ms: number, reply: Reply): Reply => ({ _tag: "Delayed", ms, reply })

/**
 * Does what a function says of the request. The function must not throw.
 *
 * @since 0.1.0
 * @category constructors
 */
export const depending = (reply: (request: Recorded) => Reply): Reply => ({ _tag: "Depending", reply })
