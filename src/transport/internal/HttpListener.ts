/**
 * Opens the listening socket and answers what is not yet a request: malformed
 * bytes, headers that are too long or too slow.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import * as Gate from "./HttpGate.js"

/**
 * Times are in milliseconds.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Limits {
  readonly headersTimeout: number
  readonly requestTimeout: number
  readonly idleTimeout: number
  readonly maxConnections: number | undefined
  readonly maxHeaderBytes: number
}

/**
 * A server that does not listen yet.
 *
 * @since 0.1.0
 * @category constructors
 */
export const create = (limits: Limits): Http.Server => {
  const server = Http.createServer({
    headersTimeout: Math.min(limits.headersTimeout, limits.requestTimeout),
    requestTimeout: limits.requestTimeout,
    keepAliveTimeout: limits.idleTimeout,
    connectionsCheckingInterval: 1000,
    maxHeaderSize: limits.maxHeaderBytes,
    // Node's own answer has no body; ours has one.
    requireHostHeader: false
  })
  // Beyond 2,000 Node would leave headers out unseen, a second Host among them; their length is bounded.
  server.maxHeadersCount = 0
  if (limits.maxConnections !== undefined) server.maxConnections = limits.maxConnections
  return server
}

const statuses: { readonly [code: string]: readonly [number, string] } = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, "The request took too long to arrive"],
  HPE_HEADER_OVERFLOW: [431, "The headers are too long"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "The chunk extensions are too long"]
}

/**
 * Answers bytes that are no HTTP request with a JSON error, and closes. When
 * `isAnswering` tells that an earlier request on that connection is owed an
 * answer, the client would take this one for it: then it only closes. `note` is
 * told of each refusal.
 *
 * @since 0.1.0
 * @category constructors
 */
export const onClientError =
  (isAnswering: (socket: Duplex) => boolean, note: (status: number, reason: string, socket: Duplex) => void) =>
  (error: NodeJS.ErrnoException, socket: Duplex): void => {
    if (!socket.writable || error.code === "ECONNRESET" || isAnswering(socket)) {
      socket.destroy()
      return
    }
    const known = error.code !== undefined && Object.hasOwn(statuses, error.code) ? statuses[error.code] : undefined
    const [status, message] = known ?? [400, "The request is not valid HTTP"]
    const { body } = Gate.reject(status, message)
    note(status, message, socket)
    socket.end(
      `HTTP/1.1 ${status} ${Http.STATUS_CODES[status]}\r\n` +
        `content-type: application/json\r\ncontent-length: ${
          Buffer.byteLength(body)
        }\r\nconnection: close\r\n\r\n${body}`,
      () => socket.destroy()
    )
  }

/**
 * Begins to listen and gives the address, or fails with Node's own error.
 *
 * @since 0.1.0
 * @category constructors
 */
export const listen = (
  server: Http.Server,
  port: number,
  host: string
): Effect.Effect<AddressInfo, NodeJS.ErrnoException> =>
  Effect.async((resume) => {
    const onError = (error: NodeJS.ErrnoException): void => resume(Effect.fail(error))
    server.once("error", onError)
    server.listen({ port, host, exclusive: true }, () => {
      server.off("error", onError)
      const address = server.address()
      // A TCP server that listens has an address with a port; only a pipe has a name.
      if (address !== null && typeof address === "object") resume(Effect.succeed(address))
    })
  })
