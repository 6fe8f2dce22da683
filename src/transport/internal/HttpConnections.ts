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
  onLost: () => void
  /** Whether the answer has no end of its own, so that nobody waits for it. */
  isOpenEnded: boolean
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
  /** From now on every answer asks its connection to close; new ones are taken still. */
  readonly dismiss: () => void
  /** Whether as many requests of this connection are owed an answer as may be. */
  readonly isCrowded: (socket: Socket) => boolean
  /** Whether a request on this connection has arrived whole and is owed an answer. */
  readonly isAnswering: (socket: Socket) => boolean
  /**
   * Takes no new connection, asks the open ones to close with their next answer,
   * and resolves when everything is answered that has an end of its own, or the
   * time is over. An idle connection is given a moment first: its next request
   * may be on the way.
   */
  readonly drain: (milliseconds: number, isBusy: () => boolean) => Promise<void>
  /** Resolves when every answer has left, or the time is over. */
  readonly flush: (milliseconds: number) => Promise<void>
  /** Ends whatever is left. */
  readonly close: () => void
}

interface Connection {
  readonly requests: Set<Pending>
  /** Whether what is on its way belongs to an answer that nobody waits for. */
  isLoose: boolean
}

/** HTTP/1.1 answers requests of one connection in turn: more serve nobody but who wants all places. */
const mostPipelined = 64
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
  const open = new Map<Socket, Connection>()
  let isDraining = false
  let lastAnswer = 0

  server.on("connection", (socket) => {
    const connection: Connection = { requests: new Set(), isLoose: false }
    open.set(socket, connection)
    socket.on("close", () => {
      open.delete(socket)
      for (const request of connection.requests) request.onLost()
    })
  })

  const isFlushed = (): boolean => {
    for (const [socket, { requests }] of open) if (requests.size > 0 || socket.writableLength > 0) return false
    return true
  }

  /** Whether everything has left that somebody waits for. */
  const isAnswered = (): boolean => {
    for (const [socket, connection] of open) {
      let { isLoose } = connection
      for (const request of connection.requests) {
        if (!request.isOpenEnded) return false
        isLoose = true
      }
      if (!isLoose && socket.writableLength > 0) return false
    }
    return true
  }

  const dismiss = (): void => {
    isDraining = true
    for (const { requests } of open.values()) {
      for (const { response } of requests) if (!response.headersSent) response.shouldKeepAlive = false
    }
  }

  return {
    add: (socket, request) => {
      const connection = open.get(socket)
      if (connection === undefined) return
      connection.requests.add(request)
      connection.isLoose = false
    },
    remove: (socket, request) => {
      const connection = open.get(socket)
      if (connection !== undefined) {
        connection.requests.delete(request)
        if (request.isOpenEnded) connection.isLoose = true
      }
      if (isDraining) lastAnswer = performance.now()
    },
    isDraining: () => isDraining,
    dismiss,
    isCrowded: (socket) => (open.get(socket)?.requests.size ?? 0) >= mostPipelined,
    isAnswering: (socket) => {
      for (const { request } of open.get(socket)?.requests ?? []) if (request.complete) return true
      return false
    },
    drain: (milliseconds, isBusy) => {
      dismiss()
      lastAnswer = performance.now()
      // `http.Server.close` would also cut idle connections, and with them a request that is on its way.
      NetServer.prototype.close.call(server)
      return until(
        () => isAnswered() && !isBusy() && (open.size === 0 || performance.now() - lastAnswer >= quietMillis),
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
