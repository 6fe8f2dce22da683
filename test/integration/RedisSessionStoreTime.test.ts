import { assert, describe, it } from "@effect/vitest"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as RedisSessionStore from "causeway-mcp/session/RedisSessionStore"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"

/** Takes connections and never says a word. */
const silent = Effect.acquireRelease(
  Effect.async<{ readonly port: number; readonly close: () => void }>((resume) => {
    const sockets = new Set<{ readonly destroy: () => void }>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on("error", () => {})
    })
    server.listen(0, "127.0.0.1", () =>
      resume(Effect.succeed({
        port: (server.address() as AddressInfo).port,
        close: () => {
          for (const socket of sockets) socket.destroy()
          server.close()
        }
      })))
  }),
  ({ close }) => Effect.sync(close)
)

const user = { tenant: "t", userId: "u" }

describe("RedisSessionStore", () => {
  it.scopedLive("waits for Redis no longer than its caller can", () =>
    Effect.gen(function*() {
      const { port } = yield* silent
      const history = (millis: number) =>
        Effect.gen(function*() {
          const store = yield* SessionStore.SessionStore
          const began = performance.now()
          const error = yield* Effect.flip(TimeLimit.within(store.history(user), millis))
          assert.strictEqual(error.reason._tag, "Unavailable")
          return performance.now() - began
        })
      yield* Effect.gen(function*() {
        const took = yield* history(200)
        assert.isAtLeast(took, 190)
        assert.isBelow(took, 2000)
        assert.isBelow(yield* history(0), 150)
      }).pipe(Effect.provide(RedisSessionStore.layer({
        url: Redacted.make(`redis://127.0.0.1:${port}`),
        commandTimeout: "10 seconds",
        connectTimeout: "10 seconds"
      })))
    }))
})
