import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { modern, now, peer, request, text, withCall } from "./Conversation.js"

const reporting = withCall((context) => {
  for (const progress of [0, 0.5, 0.5, 0.25, Number.NaN, Number.POSITIVE_INFINITY, 1]) context.progress({ progress })
  return Effect.succeed(text("done"))
})

const tokened = (progressToken: string | number) => modern("tools/call", { name: "t", _meta: { progressToken } })

describe("progress", () => {
  it("is sent only when it grew", () => {
    const { line, notified } = peer(reporting)
    now(line(tokened("p")))
    assert.deepStrictEqual(
      notified.map((notification) => (notification.params as { readonly progress: number }).progress),
      [0, 0.5, 1]
    )
  })

  for (const token of ["p", "1", "", 1, 0, -3]) {
    it(`gives back the token ${JSON.stringify(token)} with its type, in both eras`, () => {
      const { line, notified } = peer(withCall((context) => {
        context.progress({ progress: 1, total: 2, message: "half" })
        return Effect.succeed(text("done"))
      }))
      now(line(tokened(token)))
      now(line(request("tools/call", { name: "t", _meta: { progressToken: token } }), "2025-03-26"))
      const notification = {
        jsonrpc: "2.0",
        method: "notifications/progress",
        params: { progressToken: token, progress: 1, total: 2, message: "half" }
      }
      assert.deepStrictEqual(notified, [notification, notification])
    })
  }

  it("is not sent to a client that did not ask", () => {
    const { line, notified } = peer(reporting)
    now(line(modern("tools/call", { name: "t" })))
    now(line(request("tools/call", { name: "t" }), "2025-11-25"))
    assert.deepStrictEqual(notified, [])
  })

  it("leaves out a total that is no finite number", () => {
    const { line, notified } = peer(withCall((context) => {
      context.progress({ progress: 1, total: Number.NaN })
      return Effect.succeed(text("done"))
    }))
    now(line(tokened("p")))
    assert.deepStrictEqual(notified[0]?.params, { progressToken: "p", progress: 1 })
  })

  it("is over once a reply was there at once", () => {
    let late = () => {}
    const { line, notified } = peer(withCall((context) => {
      late = () => context.progress({ progress: 2 })
      context.progress({ progress: 1 })
      return Effect.succeed(text("done"))
    }))
    now(line(tokened("p")))
    late()
    assert.lengthOf(notified, 1)
  })

  it.effect("is over once a reply was waited for", () =>
    Effect.gen(function*() {
      let late = () => {}
      const { line, notified } = peer(withCall((context) => {
        late = () => context.progress({ progress: 2 })
        return Effect.zipRight(Effect.yieldNow(), Effect.sync(() => context.progress({ progress: 1 }))).pipe(
          Effect.as(text("done"))
        )
      }))
      const exchange = line(tokened("p"))
      assert.lengthOf(notified, 0)
      yield* exchange.reply
      late()
      assert.lengthOf(notified, 1)
    }))

  it.effect("is over once the request was cancelled", () =>
    Effect.gen(function*() {
      let late = () => {}
      const started = yield* Deferred.make<void>()
      const { line, notified } = peer(withCall((context) => {
        late = () => context.progress({ progress: 2 })
        context.progress({ progress: 1 })
        return Effect.zipRight(Deferred.succeed(started, undefined), Effect.never)
      }))
      const fiber = yield* Effect.fork(line(tokened("p")).reply)
      yield* Deferred.await(started)
      yield* Fiber.interrupt(fiber)
      late()
      assert.lengthOf(notified, 1)
    }))

  it("counts each request for itself", () => {
    const { line, notified } = peer(reporting)
    now(line(tokened("p")))
    now(line(tokened("p")))
    assert.lengthOf(notified, 6)
  })
})
