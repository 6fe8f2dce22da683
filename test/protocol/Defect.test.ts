import { assert, describe, it } from "@effect/vitest"
import type { Handlers } from "causeway-mcp/protocol/Handlers"
import { invalidParams } from "causeway-mcp/protocol/McpError"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { errorOf, modern, peer, text, withCall } from "./Conversation.js"

const call = modern("tools/call", { name: "t" })

describe("Dispatcher, when a handler breaks", () => {
  const circular: Record<string, unknown> = {}
  circular.self = circular

  const broken: ReadonlyArray<readonly [string, Handlers<string>]> = [
    ["dies at once", withCall(() => Effect.die(new Error("secret")))],
    ["dies later", withCall(() => Effect.zipRight(Effect.yieldNow(), Effect.die(new Error("secret"))))],
    [
      "throws",
      withCall(() => {
        throw new Error("secret")
      })
    ],
    ["gives what cannot be written", withCall(() => Effect.succeed({ ...text(""), _meta: circular }))],
    [
      "gives later what cannot be written",
      withCall(() => Effect.as(Effect.yieldNow(), { ...text(""), _meta: { secret: 1n } }))
    ],
    ["fails with what cannot be written", withCall(() => Effect.fail(invalidParams("no", circular)))],
    ["asks for nothing", withCall(() => Effect.succeed({ _tag: "InputRequired" }))]
  ]

  for (const [what, handlers] of broken) {
    it.effect(`answers -32603 with an incident and nothing else when it ${what}`, () =>
      Effect.gen(function*() {
        const told: Array<readonly [string, Cause.Cause<unknown>]> = []
        const { line } = peer(handlers, {
          onDefect: (incident, cause) => Effect.sync(() => told.push([incident, cause]))
        })
        const reply = yield* line(call).reply
        assert.lengthOf(told, 1)
        const [incident, cause] = told[0] ?? ["", Cause.empty]
        assert.match(incident, /^[0-9a-f]{16}$/u)
        assert.isTrue(Cause.isDie(cause))
        assert.strictEqual(reply.status, 200)
        assert.strictEqual(
          reply.body,
          `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"Internal error; incident ${incident}"}}`
        )
      }))
  }

  it.effect("gives each incident an id of its own", () =>
    Effect.gen(function*() {
      const { line } = peer(withCall(() => Effect.die("x")))
      const replies = yield* Effect.all(Array.from({ length: 50 }, () => line(call).reply))
      assert.strictEqual(new Set(replies.map(({ body }) => body)).size, 50)
    }))

  it.effect("answers even when the defect cannot be reported", () =>
    Effect.gen(function*() {
      for (
        const onDefect of [
          () => Effect.die("the log is full"),
          () => {
            throw new Error("the log is gone")
          }
        ]
      ) {
        const { line } = peer(withCall(() => Effect.die("x")), { onDefect })
        assert.strictEqual(errorOf(yield* line(call).reply).code, -32603)
      }
    }))

  it("lets an interruption be one, at once", () => {
    const { line } = peer(withCall(() => Effect.failCause(Cause.interrupt(Cause.empty as never))))
    const { reply } = line(call)
    assert.isTrue(Exit.isExit(reply) && Exit.isInterrupted(reply))
  })

  it.effect("lets an interruption be one, later, and reports no defect", () =>
    Effect.gen(function*() {
      const told: Array<string> = []
      const { line } = peer(withCall(() => Effect.never), {
        onDefect: (incident) => Effect.sync(() => told.push(incident))
      })
      const fiber = yield* Effect.fork(line(call).reply)
      yield* Effect.yieldNow()
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isInterrupted(exit))
      assert.deepStrictEqual(told, [])
    }))
})
