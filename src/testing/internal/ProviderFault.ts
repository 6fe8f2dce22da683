/**
 * What a fault is, and the parts that faults are made of.
 *
 * @since 0.1.0
 */
import type { Flaw } from "../../llm/Chat.js"
import type { Reason } from "../../llm/LlmError.js"
import * as ProviderAnswer from "./ProviderAnswer.js"
import * as ProviderReply from "./ProviderReply.js"

/**
 * Something a provider does, and what has to come of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Fault {
  /** In the words of Chat Completions, one for each request; the last is repeated. Empty where there is no such thing. */
  readonly replies: ReadonlyArray<ProviderReply.Reply>
  /** In the words of Messages; absent where there is no such thing. */
  readonly anthropic?: ReadonlyArray<ProviderReply.Reply> | undefined
  /** How it has to be asked for to show. */
  readonly asks: "text" | "object" | "stream"
  /** The reason a model fails with at its first request, or that it answers. */
  readonly expect: Reason | "answer"
  /** The same of its second request, where that differs. */
  readonly then?: Reason | "answer" | undefined
  /** What is wrong with the answer: on the error, or for the checks of a chain to find where the model answers. */
  readonly flaw?: Flaw | undefined
  /** What the error says of when to come back. */
  readonly retryAfterMs?: number | "none" | undefined
  /** What the provider does, as a sentence. */
  readonly about: string
}

/**
 * Faults by name.
 *
 * @since 0.1.0
 * @category models
 */
export type Faults = { readonly [name: string]: Fault }

/**
 * What a fault's answer says where it says anything.
 *
 * @since 0.1.0
 * @category constants
 */
export const answer = "Heavy rain is expected over the north coast on Friday."

type Replies = Pick<Fault, "replies" | "anthropic">

/**
 * The same bytes whatever the wire.
 *
 * @since 0.1.0
 * @category constructors
 */
export const same = (...replies: ReadonlyArray<ProviderReply.Reply>): Replies => ({ replies, anthropic: replies })

/**
 * The same thing in the words of each wire.
 *
 * @since 0.1.0
 * @category constructors
 */
export const both = (
  replies: (wire: ProviderAnswer.Wire) => ProviderReply.Reply | ReadonlyArray<ProviderReply.Reply>
): Replies => {
  const list = (wire: ProviderAnswer.Wire): ReadonlyArray<ProviderReply.Reply> => {
    const made = replies(wire)
    return "_tag" in made ? [made] : made
  }
  return { replies: list(ProviderAnswer.chat), anthropic: list(ProviderAnswer.messages) }
}

/**
 * Of Chat Completions alone.
 *
 * @since 0.1.0
 * @category constructors
 */
export const chatOnly = (...replies: ReadonlyArray<ProviderReply.Reply>): Replies => ({ replies })

/**
 * Of Messages alone.
 *
 * @since 0.1.0
 * @category constructors
 */
export const messagesOnly = (...replies: ReadonlyArray<ProviderReply.Reply>): Replies => ({
  replies: [],
  anthropic: replies
})

/**
 * A 200 with a body as it is.
 *
 * @since 0.1.0
 * @category constructors
 */
export const body = (content: unknown, contentType = "application/json"): ProviderReply.Reply =>
  ProviderReply.status(200, typeof content === "string" ? content : JSON.stringify(content), {
    "content-type": contentType
  })

/**
 * A 200 of Chat Completions with one choice.
 *
 * @since 0.1.0
 * @category constructors
 */
export const choice = (message: unknown, finish: unknown = "stop", fields: object = {}): ProviderReply.Reply =>
  body({ ...ProviderAnswer.chat.body(""), choices: [{ index: 0, message, finish_reason: finish }], ...fields })

/**
 * A 200 of Messages with blocks of content.
 *
 * @since 0.1.0
 * @category constructors
 */
export const blocks = (content: unknown, stopReason: unknown = "end_turn", fields: object = {}): ProviderReply.Reply =>
  body(ProviderAnswer.messages.body("", {}, { content, stop_reason: stopReason, ...fields }))

/**
 * The head of a response as text; the connection is not kept.
 *
 * @since 0.1.0
 * @category constructors
 */
export const head = (
  headers: { readonly [name: string]: string },
  line = "HTTP/1.1 200 OK"
): string =>
  [line, ...Object.entries({ connection: "close", ...headers }).map(([name, value]) => `${name}: ${value}`), "", ""]
    .join("\r\n")

/**
 * A text byte by byte.
 *
 * @since 0.1.0
 * @category constructors
 */
export const bytes = (text: string): () => Iterable<Uint8Array> =>
  function*() {
    for (const byte of new TextEncoder().encode(text)) yield Uint8Array.of(byte)
  }

/**
 * The same piece over and over, so many times or without end.
 *
 * @since 0.1.0
 * @category constructors
 */
export const repeated = (
  piece: string,
  times = Number.POSITIVE_INFINITY,
  before: ReadonlyArray<string> = [],
  after: ReadonlyArray<string> = []
): () => Iterable<string> =>
  function*() {
    yield* before
    for (let time = 0; time < times; time++) yield piece
    yield* after
  }
