/**
 * The message forms of JSON-RPC 2.0 as MCP uses them: what may come in, and the
 * text that goes out.
 *
 * @since 0.1.0
 */
import type { McpError } from "./McpError.js"
import type { RequestId } from "./McpSchema.js"

/**
 * An object out of somebody's JSON: any keys, any values.
 *
 * @since 0.1.0
 * @category models
 */
export interface Json {
  readonly [key: string]: unknown
}

/**
 * A call that wants an answer. `params` is `{}` when there were none.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly _tag: "Request"
  readonly id: RequestId
  readonly method: string
  readonly params: Json
}

/**
 * A call that wants no answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Notification {
  readonly _tag: "Notification"
  readonly method: string
  readonly params: Json
}

/**
 * An answer to something this side may have asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Response {
  readonly _tag: "Response"
}

/**
 * Several messages in one, not yet read.
 *
 * @since 0.1.0
 * @category models
 */
export interface Batch {
  readonly _tag: "Batch"
  readonly items: ReadonlyArray<unknown>
}

/**
 * JSON, but none of the forms. `id` is present when it could be read, so that
 * the refusal can name it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Invalid {
  readonly _tag: "Invalid"
  readonly id: RequestId | undefined
  readonly reason: string
  readonly params: Json
}

/**
 * Whatever may come in.
 *
 * @since 0.1.0
 * @category models
 */
export type Message = Request | Notification | Response | Batch | Invalid

/**
 * The most characters a string id or progress token may have: it is sent back
 * with every message that belongs to it.
 *
 * @since 0.1.0
 * @category configuration
 */
export const maxIdLength = 1024

const noParams: Json = Object.freeze({})

/**
 * Whether a value is a JSON object: neither `null` nor an array.
 *
 * @since 0.1.0
 * @category guards
 */
export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * Whether a value can be an id and be sent back as it came: a string of at most
 * 1024 characters, or an integer that a number holds exactly.
 *
 * @since 0.1.0
 * @category guards
 */
export const isId = (value: unknown): value is RequestId =>
  typeof value === "string" ? value.length <= maxIdLength : Number.isSafeInteger(value)

const invalid = (id: RequestId | undefined, params: unknown, reason: string): Invalid => ({
  _tag: "Invalid",
  id,
  reason,
  params: isObject(params) ? params : noParams
})

/**
 * Tells which form a parsed message has. Never throws; the items of a batch are
 * left as they are.
 *
 * @since 0.1.0
 * @category constructors
 */
export const read = (message: unknown): Message => {
  if (Array.isArray(message)) return { _tag: "Batch", items: message }
  if (!isObject(message)) return invalid(undefined, undefined, "a message must be a JSON object")
  const { id, method, params } = message
  const known = isId(id) ? id : undefined
  if (message.jsonrpc !== "2.0") return invalid(known, params, "jsonrpc must be \"2.0\"")
  if (method === undefined && (Object.hasOwn(message, "result") || Object.hasOwn(message, "error"))) {
    return { _tag: "Response" }
  }
  if (typeof method !== "string") return invalid(known, params, "method must be a string")
  if (params !== undefined && !isObject(params)) return invalid(known, params, "params must be an object")
  if (id === undefined) return { _tag: "Notification", method, params: params ?? noParams }
  if (known === undefined) {
    return invalid(known, params, `id must be a string of at most ${maxIdLength} characters or a safe integer`)
  }
  return { _tag: "Request", id: known, method, params: params ?? noParams }
}

const encodeId = (id: RequestId): string => (typeof id === "number" ? `${id}` : JSON.stringify(id))

/**
 * The text of an answer; `json` is the result, already encoded.
 *
 * @since 0.1.0
 * @category encoding
 */
export const result = (id: RequestId, json: string): string => `{"jsonrpc":"2.0","id":${encodeId(id)},"result":${json}}`

/**
 * The text of a refusal. Without an id there is no `id` member; `null` writes
 * one, as the handshake revisions are used to.
 *
 * @since 0.1.0
 * @category encoding
 */
export const error = (id: RequestId | null | undefined, error: McpError): string => {
  const name = id === undefined ? "" : `,"id":${id === null ? "null" : encodeId(id)}`
  const data = error.data === undefined ? "" : `,"data":${JSON.stringify(error.data)}`
  return `{"jsonrpc":"2.0"${name},"error":{"code":${error.code},"message":${JSON.stringify(error.message)}${data}}}`
}

/**
 * The text of a notification.
 *
 * @since 0.1.0
 * @category encoding
 */
export const notification = (method: string, params: object): string =>
  `{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${JSON.stringify(params)}}`

/** How often `bracket` occurs in `text`, counted no further than one beyond `most`. */
const count = (text: string, bracket: string, most: number): number => {
  let found = 0
  for (let at = text.indexOf(bracket); at !== -1 && found <= most; at = text.indexOf(bracket, at + 1)) found++
  return found
}

/** Where the string that opened before `from` ends; the end of the text when it does not. */
const endOfString = (text: string, from: number): number => {
  for (let end = text.indexOf("\"", from); end !== -1; end = text.indexOf("\"", end + 1)) {
    let slashes = 0
    while (end - slashes > from && text.charCodeAt(end - slashes - 1) === 0x5c) slashes++
    if (slashes % 2 === 0) return end
  }
  return text.length
}

/**
 * Tells, without parsing, whether a JSON text nests deeper than `limit` arrays
 * and objects: the answer is `limit + 1` then, and otherwise some number of at
 * most `limit` that the depth does not exceed. Brackets inside strings do not
 * count. A transport asks before `JSON.parse`, because the dispatcher sees only
 * what was parsed; the time is linear in the text, and for a text with no more
 * than `limit` opening brackets it is that of a search for them.
 *
 * @since 0.1.0
 * @category guards
 */
export const depthOf = (text: string, limit: number): number => {
  const openings = count(text, "[", limit) + count(text, "{", limit)
  if (openings <= limit) return openings
  let depth = 0
  let deepest = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) {
      at = endOfString(text, at + 1)
    } else if (code === 0x5b || code === 0x7b) {
      depth++
      if (depth > limit) return limit + 1
      if (depth > deepest) deepest = depth
    } else if (code === 0x5d || code === 0x7d) {
      depth--
    }
  }
  return deepest
}
