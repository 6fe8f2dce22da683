/**
 * Reads the body of a Node request, no further than it may go, and makes a
 * message of it.
 *
 * @since 0.1.0
 */
import { isUtf8 } from "node:buffer"
import type { IncomingMessage } from "node:http"
import type { Reply } from "../../protocol/Dispatcher.js"
import * as JsonBounds from "../../protocol/JsonBounds.js"
import * as JsonRpc from "../../protocol/JsonRpc.js"
import { invalidRequest } from "../../protocol/McpError.js"

const nothing = Buffer.alloc(0)

/**
 * Reads nothing more from a connection, for good: neither the request nor the
 * socket below it, which would go on taking what the client sends.
 *
 * @since 0.1.0
 * @category combinators
 */
export const stop = (request: IncomingMessage): void => {
  const { socket } = request
  // Node's own listener, which begins to read again when a request wants to be skipped.
  socket.removeAllListeners("resume")
  request.pause()
  socket.pause()
}

/**
 * Calls one of the two, once, or neither when the peer goes first. After
 * `onTooLong` nothing more is read from the connection. Gives what forgets the
 * request.
 *
 * @since 0.1.0
 * @category combinators
 */
export const read = (
  request: IncomingMessage,
  maxBytes: number,
  onBody: (body: Buffer) => void,
  onTooLong: () => void
): () => void => {
  let first: Buffer | undefined
  let more: Array<Buffer> | undefined
  let size = 0
  const forget = (): void => {
    request.off("data", onData).off("end", onEnd)
  }
  const onData = (chunk: Buffer): void => {
    size += chunk.length
    if (size > maxBytes) {
      forget()
      stop(request)
      return onTooLong()
    }
    if (first === undefined) first = chunk
    else if (more === undefined) more = [first, chunk]
    else more.push(chunk)
  }
  const onEnd = (): void => {
    const body = more === undefined ? first ?? nothing : Buffer.concat(more)
    // The request, and with it this function, may live as long as a stream.
    first = more = undefined
    onBody(body)
  }
  request.on("data", onData).on("end", onEnd)
  return forget
}

/**
 * The text of a body; `undefined` when it is not UTF-8.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = (body: Uint8Array): string | undefined =>
  isUtf8(body)
    ? (Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)).toString("utf8")
    : undefined

/**
 * The message in a text, or the reply to a text that holds none, or one too
 * large to be parsed.
 *
 * @since 0.1.0
 * @category decoding
 */
export const parse = (
  text: string | undefined,
  bounds: JsonBounds.Bounds,
  unparsable: Reply
): { readonly message: unknown } | Reply => {
  if (text === undefined) return unparsable
  const excess = JsonBounds.check(text, bounds)
  if (excess !== undefined) {
    const refusal = invalidRequest(excess)
    return { status: 400, body: JsonRpc.error(undefined, refusal), refusal }
  }
  try {
    return { message: JSON.parse(text) }
  } catch {
    return unparsable
  }
}
