/** A question that cannot be sent. */
import { assert, describe, it } from "@effect/vitest"
import * as PendingAsks from "causeway-mcp/ask/PendingAsks"
import * as Outgoing from "causeway-mcp/server/Outgoing"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

describe("Outgoing.ask", () => {
  it.effect("fails, and is no defect, when the client has gone or reads too slowly", () =>
    Effect.gen(function*() {
      const sent: Array<string> = []
      const ask = Outgoing.ask({
        pendingAsks: yield* PendingAsks.makeMemory,
        owner: "session",
        send: (json) => {
          sent.push(json)
          return false
        },
        timeout: Duration.minutes(1)
      })
      const error = yield* Effect.flip(ask("elicitation/create", { message: "Sure?" }))
      assert.strictEqual(error._tag, "McpError")
      assert.include(error.message, "could not be sent")
      assert.lengthOf(sent, 1)
    }))

  it.effect("ends when the stream of the question has gone, and at once when it already had", () =>
    Effect.gen(function*() {
      const loss = Outgoing.loss()
      const ask = Outgoing.ask({
        pendingAsks: yield* PendingAsks.makeMemory,
        owner: "session",
        send: () => true,
        timeout: Duration.minutes(1),
        loss
      })
      const asking = yield* Effect.fork(Effect.flip(ask("elicitation/create", { message: "Sure?" })))
      yield* Effect.yieldNow()
      assert.isNull(asking.unsafePoll())
      loss.tell()
      assert.include((yield* Fiber.join(asking)).message, "has gone")
      assert.include((yield* Effect.flip(ask("elicitation/create", { message: "Sure?" }))).message, "has gone")
    }))
})
