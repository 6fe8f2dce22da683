/**
 * Speaks HTTP byte by byte, the way no client library would.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Socket } from "node:net"
import { connect } from "node:net"

export interface Raw {
  readonly socket: Socket
  readonly write: (bytes: string | Uint8Array) => void
  /** Everything received so far. */
  readonly received: () => string
  /** Succeeds when what was received matches; dies after ten seconds, with what there is. */
  readonly until: (pattern: RegExp) => Effect.Effect<string>
  /** Succeeds with everything received when the server has closed the connection. */
  readonly closed: Effect.Effect<string>
  /** Whether the server took no connection at all; known when it took one or refused. */
  readonly refused: Effect.Effect<boolean>
}

export const open = (port: number): Effect.Effect<Raw, never, Scope.Scope> =>
  Effect.gen(function*() {
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => connect({ port, host: "127.0.0.1", allowHalfOpen: true })),
      (socket) => Effect.sync(() => socket.destroy())
    )
    let received = ""
    let isClosed = false
    let isRefused: boolean | undefined
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1")
    })
    socket.on("connect", () => {
      isRefused = false
    })
    socket.on("error", () => {
      isRefused ??= true
    })
    socket.on("end", () => {
      isClosed = true
      socket.end()
    })
    socket.on("close", () => {
      isClosed = true
    })
    const wait = (isDone: () => boolean): Effect.Effect<string> =>
      Effect.suspend(() => isDone() ? Effect.succeed(received) : Effect.fail("not yet")).pipe(
        Effect.retry(Schedule.spaced("5 millis")),
        Effect.timeoutFail({ duration: "10 seconds", onTimeout: () => "late" }),
        Effect.orDieWith(() => new Error(`gave up waiting; received so far: ${received.slice(0, 500)}`))
      )
    return {
      socket,
      write: (bytes) => void socket.write(bytes),
      received: () => received,
      until: (pattern) => wait(() => pattern.test(received)),
      closed: wait(() => isClosed),
      refused: Effect.map(wait(() => isRefused !== undefined), () => isRefused === true)
    }
  })
