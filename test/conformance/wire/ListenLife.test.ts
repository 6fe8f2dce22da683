import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Served } from "./Fixture.js"
import { serve } from "./Fixture.js"
import { acknowledged, heardOn, methodOf, overHttp, tools, updated } from "./Subscriptions.js"
import { at, cancelled, claim, echo, isError, Key, listen, textOf, until } from "./Words.js"

describe("§6.6, how many and how long", () => {
  it.scopedLive("§6.6: a client that closes its stream leaves nothing behind", () =>
    Effect.gen(function*() {
      const served = yield* serve()
      const visits = yield* Effect.forEach(Array.from({ length: 20 }), (_, id) =>
        overHttp(served, listen({ toolsListChanged: true }, id)))
      const pipe = yield* served.pipe()
      pipe.say(...visits.map((_, id) =>
        listen({ toolsListChanged: true }, id)
      ))
      yield* pipe.until(20)
      assert.strictEqual(served.ledger.count("listeners"), 40)
      for (const visit of visits) visit.leave()
      pipe.say(...visits.map((_, id) => cancelled(id)))
      yield* until(() => served.ledger.count("listeners") === 0, "the listeners to go")
      assert.strictEqual(textOf((yield* served.http.post(echo("on"))).json), "on")
    }))

  it.scopedLive("§6.6: cancelling a listen ends it without a word, and its id is free", () =>
    Effect.gen(function*() {
      const { ledger, pipe, publish } = yield* serve()
      const peer = yield* pipe()
      peer.say(listen({ toolsListChanged: true }, 0), listen({ toolsListChanged: true }, "0"))
      yield* peer.until(2)
      assert.strictEqual(ledger.count("listeners"), 2)
      peer.say(cancelled(0))
      yield* until(() => ledger.count("listeners") === 1, "the listener to go")
      yield* publish({ _tag: "ToolsChanged" })
      yield* peer.until(3)
      assert.strictEqual(at(peer.received[2], "params", "_meta", Key.subscriptionId), "0")
      yield* peer.ask(claim("server/discover", {}, "barrier"))
      assert.deepStrictEqual(peer.answers(0), [])
      isError(yield* peer.ask(listen({ toolsListChanged: true }, "0")), -32600, "0")
    }))

  it.scopedLive("§6.6: one more than there is room for is refused in-band before any ack, until one goes", () =>
    Effect.gen(function*() {
      const served = yield* serve({ server: { maxSubscriptions: 2 } })
      const pipe = yield* served.pipe()
      const first = yield* overHttp(served, listen({ toolsListChanged: true }, 1))
      pipe.say(listen({ toolsListChanged: true }, 2))
      yield* pipe.until(1)
      const refused = yield* served.http.post(listen({ toolsListChanged: true }, 3))
      isError(refused.json, -32603, 3)
      assert.isAtMost(refused.events.length, 1)
      isError(yield* pipe.ask(listen({ toolsListChanged: true }, 4)), -32603, 4)
      assert.lengthOf(pipe.received, 2)
      first.leave()
      yield* until(() => served.ledger.count("listeners") === 1, "the listener to go")
      const next = yield* overHttp(served, listen({ toolsListChanged: true }, 5))
      assert.strictEqual(methodOf(next.events()[0]), acknowledged)
    }))

  it.scopedLive("§6.6: a server that stops ends each stream with its result, over HTTP", () =>
    Effect.gen(function*() {
      const served = yield* serve()
      const visits = yield* Effect.forEach(["s", "1", 1, 0], (id) =>
        overHttp(served, listen({ toolsListChanged: true }, id)))
      yield* served.publish(tools)
      yield* served.stop
      for (const [index, id] of ["s", "1", 1, 0].entries()) {
        const visit = visits[index]
        yield* until(() =>
          visit?.isEnded() === true, "the end of the stream")
        const last = visit?.events().at(-1)
        assert.deepStrictEqual([at(last, "id"), at(last, "result", "resultType")], [id, "complete"])
        assert.strictEqual(at(last, "result", "_meta", Key.subscriptionId), id)
        assert.lengthOf(visit?.events() ?? [], 3)
      }
      assert.strictEqual(served.ledger.count("listeners"), 0)
    }))

  for (const how of ["end", "stop"] as const) {
    it.scopedLive(`§9: a pipe that is over by ${how} gets the results of its subscriptions`, () =>
      Effect.gen(function*() {
        const served = yield* serve()
        const pipe = yield* served.pipe()
        pipe.say(listen({ toolsListChanged: true }, "1"), listen({}, 1))
        yield* pipe.until(2)
        yield* pipe[how]
        yield* pipe.until(4)
        for (const id of ["1", 1]) {
          const [last] = pipe.answers(id)
          assert.strictEqual(at(last, "result", "resultType"), "complete")
          assert.strictEqual(at(last, "result", "_meta", Key.subscriptionId), id)
        }
        assert.strictEqual(served.ledger.count("listeners"), 0)
        yield* served.publish(tools)
        assert.lengthOf(pipe.received, 4)
      }))
  }

  /** Tells of long URIs until a condition holds. */
  const flood = (served: Served, uri: string, isEnough: () => boolean) =>
    Effect.gen(function*() {
      for (let told = 0; !isEnough(); told++) {
        if (told > 20_000) return yield* Effect.dieMessage("the server never had enough of a reader that reads nothing")
        yield* served.publish(updated(uri))
        if (told % 16 === 0) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
    })

  it.scopedLive("§8.4: a slow reader over HTTP loses its stream and nobody else does", () =>
    Effect.gen(function*() {
      const served = yield* serve()
      const uri = `wire://note/${"x".repeat(8000)}`
      const slow = yield* overHttp(served, listen({ resourceSubscriptions: [uri] }, "slow"))
      const quick = yield* overHttp(served, listen({ toolsListChanged: true }, "quick"))
      slow.pause()
      yield* flood(served, uri, () => served.ledger.count("listeners") === 1)
      yield* served.publish(tools)
      yield* heardOn(quick).until(2)
      assert.strictEqual(textOf((yield* served.http.post(echo("on"))).json), "on")
      slow.resume()
      yield* until(slow.isEnded, "the end of the slow stream")
      assert.strictEqual(at(slow.events().at(-1), "result", "_meta", Key.subscriptionId), "slow")
    }))

  it.scopedLive("§9: a slow reader of a pipe loses its subscription, and still gets its answers", () =>
    Effect.gen(function*() {
      const served = yield* serve()
      const uri = `wire://note/${"x".repeat(8000)}`
      const pipe = yield* served.pipe()
      pipe.say(listen({ resourceSubscriptions: [uri] }, "slow"))
      yield* pipe.until(1)
      pipe.pause()
      yield* flood(served, uri, () => served.ledger.count("listeners") === 0)
      pipe.resume()
      yield* until(() => pipe.answers("slow").length === 1, "the end of the subscription")
      assert.isDefined(at(yield* pipe.ask(claim("server/discover", {}, 1)), "result"))
    }))
})
