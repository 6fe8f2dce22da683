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
 * An answer to something this side may have asked: a result, or an error.
 *
 * @since 0.1.0
 * @category models
 */
export interface Response {
  readonly _tag: "Response"
  /** Absent when it could not be read. */
  readonly id: RequestId | undefined
  readonly result: unknown
  /** Anything but `undefined` when the client refused. */
  readonly error: unknown
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
    return { _tag: "Response", id: known, result: message.result, error: message.error }
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
 * The text of a request of this side.
 *
 * @since 0.1.0
 * @category encoding
 */
export const request = (id: RequestId, method: string, params: object): string =>
  `{"jsonrpc":"2.0","id":${encodeId(id)},"method":${JSON.stringify(method)},"params":${JSON.stringify(params)}}`

/**
 * The text of a notification.
 *
 * @since 0.1.0
 * @category encoding
 */
export const notification = (method: string, params: object): string =>
  `{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${JSON.stringify(params)}}`
