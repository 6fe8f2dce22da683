/**
 * Reads the body of a Node request, no further than it may go, and makes a
 * message of it.
 *
 * @since 0.1.0
 */
import { isUtf8 } from "node:buffer"
import type { IncomingMessage } from "node:http"
import type { Reply } from "../../protocol/Dispatcher.js"
import * as Dispatcher from "../../protocol/Dispatcher.js"
import * as JsonBounds from "../../protocol/JsonBounds.js"

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
 * How many bytes bodies may still hold that are being read, all together.
 *
 * @since 0.1.0
 * @category models
 */
export interface Room {
  left: number
}

const mostWaiting = 64 * 1024 * 1024

/**
 * Room for 64 MiB, or for four bodies of the longest.
 *
 * @since 0.1.0
 * @category constructors
 */
export const room = (maxBytes: number): Room => ({ left: Math.max(mostWaiting, 4 * maxBytes) })

/**
 * Why a body is read no further: it is over its limit, or all bodies together are.
 *
 * @since 0.1.0
 * @category models
 */
export type Excess = "tooLong" | "noRoom"

/**
 * Calls one of the two, once, or neither when the peer goes first. After
 * `onExcess` nothing more is read from the connection. Gives what forgets the
 * request, to be called when the peer has gone.
 *
 * @since 0.1.0
 * @category combinators
 */
export const read = (
  request: IncomingMessage,
  maxBytes: number,
  room: Room,
  onBody: (body: Buffer) => void,
  onExcess: (excess: Excess) => void
): () => void => {
  let first: Buffer | undefined
  let more: Array<Buffer> | undefined
  let size = 0
  const leave = (): void => {
    room.left += size
    // The request, and with it this function, may live as long as a stream.
    first = more = undefined
    size = 0
  }
  const forget = (): void => {
    request.off("data", onData).off("end", onEnd)
    leave()
  }
  const onData = (chunk: Buffer): void => {
    size += chunk.length
    room.left -= chunk.length
    if (size > maxBytes || room.left < 0) {
      const excess = size > maxBytes ? "tooLong" : "noRoom"
      forget()
      stop(request)
      return onExcess(excess)
    }
    if (first === undefined) first = chunk
    else if (more === undefined) more = [first, chunk]
    else more.push(chunk)
  }
  const onEnd = (): void => {
    const body = more === undefined ? first ?? nothing : Buffer.concat(more)
    leave()
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
 * The message in a text, or the reply to a text that holds none, one too large to
 * be parsed, or one that could be read as another.
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
  if (excess !== undefined) return Dispatcher.outOfBounds(excess)
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch {
    return unparsable
  }
  return JsonBounds.isAmbiguous(text, message) ? Dispatcher.ambiguous : { message }
}
