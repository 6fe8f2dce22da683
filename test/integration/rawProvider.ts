/**
 * A provider that answers byte by byte, the way no server library would.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Server, Socket } from "node:net"
import { createServer } from "node:net"

export interface RawProvider {
  readonly baseUrl: string
  readonly port: number
  /** Every request, head and body, oldest first. */
  readonly requests: ReadonlyArray<string>
  /** How many connections were taken, and how many of them are open. */
  readonly taken: () => number
  readonly open: () => number
}

const isWhole = (request: string): boolean => {
  const end = request.indexOf("\r\n\r\n")
  if (end === -1) return false
  const length = Number(/^content-length: (\d+)/imu.exec(request.slice(0, end))?.[1] ?? 0)
  return Buffer.byteLength(request.slice(end + 4)) >= length
}

/** Starts a server that hands each whole request's socket to `answer`. */
export const make = (
  answer: (socket: Socket, request: string) => void,
  connected: (socket: Socket) => void = () => undefined
): Effect.Effect<RawProvider, never, Scope.Scope> =>
  Effect.gen(function*() {
    const requests: Array<string> = []
    const sockets = new Set<Socket>()
    let taken = 0
    const server = yield* Effect.acquireRelease(
      Effect.async<Server>((resume) => {
        const server = createServer((socket) => {
          taken++
          sockets.add(socket)
          socket.on("error", () => undefined)
          socket.on("close", () => sockets.delete(socket))
          connected(socket)
          let received = ""
          socket.on("data", (chunk) => {
            received += chunk.toString("utf8")
            if (!isWhole(received)) return
            requests.push(received)
            const request = received
            received = ""
            answer(socket, request)
          })
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          for (const socket of sockets) socket.destroy()
        })
    )
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    return {
      baseUrl: `http://127.0.0.1:${port}/v1`,
      port,
      requests,
      taken: () => taken,
      open: () => sockets.size
    }
  })

/** A reply with its length. */
export const reply = (body: string | Uint8Array, head: ReadonlyArray<string> = [], status = "200 OK"): Buffer =>
  Buffer.concat([
    Buffer.from([`HTTP/1.1 ${status}`, `content-length: ${Buffer.byteLength(body)}`, ...head, "", ""].join("\r\n")),
    Buffer.from(body)
  ])

/** Writes pieces for as long as the reader takes them; resolves to nothing, ends with the connection. */
export const pour = (socket: Socket, piece: Uint8Array): void => {
  const more = () => {
    while (!socket.destroyed && socket.write(piece));
  }
  socket.on("drain", more)
  more()
}
