/**
 * Knows every open connection of an HTTP server and what is being answered on
 * it, so that none is lost when the server stops.
 *
 * @since 0.1.0
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import { Server as NetServer } from "node:net"
import type { Socket } from "node:net"

/**
 * One request that has not been answered.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pending {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The peer has gone: nothing can be written any more. */
  readonly onLost: () => void
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Connections {
  /** Remembers a request until `remove`. */
  readonly add: (socket: Socket, pending: Pending) => void
  readonly remove: (socket: Socket, pending: Pending) => void
  readonly isDraining: () => boolean
  /** Whether a request on this connection has arrived whole and is owed an answer. */
  readonly isAnswering: (socket: Socket) => boolean
  /**
   * Takes no new connection, asks the open ones to close with their next answer,
   * and resolves when everything is answered or the time is over. An idle
   * connection is given a moment first: its next request may be on the way.
   */
  readonly drain: (milliseconds: number, isBusy: () => boolean) => Promise<void>
  /** Resolves when every answer has left, or the time is over. */
  readonly flush: (milliseconds: number) => Promise<void>
  /** Ends whatever is left. */
  readonly close: () => void
}

const quietMillis = 250
const pollMillis = 10

/**
 * Resolves when it is so, or the time is over. These waits are about sockets,
 * whose time is the machine's own and not that of a `Clock` a test may stop.
 *
 * @since 0.1.0
 * @category constructors
 */
export const until = (isSo: () => boolean, milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    const end = performance.now() + milliseconds
    const look = (): void => {
      if (isSo() || performance.now() >= end) resolve()
      else setTimeout(look, pollMillis)
    }
    look()
  })

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (server: Server): Connections => {
  const pending = new Map<Socket, Set<Pending>>()
  let isDraining = false
  let lastAnswer = 0

  server.on("connection", (socket) => {
    pending.set(socket, new Set())
    socket.on("close", () => {
      const lost = pending.get(socket)
      pending.delete(socket)
      for (const request of lost ?? []) request.onLost()
    })
  })

  const isFlushed = (): boolean => {
    for (const [socket, requests] of pending) if (requests.size > 0 || socket.writableLength > 0) return false
    return true
  }

  return {
    add: (socket, request) => {
      pending.get(socket)?.add(request)
    },
    remove: (socket, request) => {
      pending.get(socket)?.delete(request)
      if (isDraining) lastAnswer = performance.now()
    },
    isDraining: () => isDraining,
    isAnswering: (socket) => {
      for (const { request } of pending.get(socket) ?? []) if (request.complete) return true
      return false
    },
    drain: (milliseconds, isBusy) => {
      isDraining = true
      lastAnswer = performance.now()
      // `http.Server.close` would also cut idle connections, and with them a request that is on its way.
      NetServer.prototype.close.call(server)
      for (const requests of pending.values()) {
        for (const { response } of requests) if (!response.headersSent) response.shouldKeepAlive = false
      }
      return until(
        () => isFlushed() && !isBusy() && (pending.size === 0 || performance.now() - lastAnswer >= quietMillis),
        milliseconds
      )
    },
    flush: (milliseconds) => until(isFlushed, milliseconds),
    close: () => {
      server.close()
      server.closeAllConnections()
    }
  }
}
