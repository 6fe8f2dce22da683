import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { layer as wire, Wire } from "./Fixture.js"
import {
  acknowledged,
  carriers,
  heardOn,
  idOf,
  isTagged,
  methodOf,
  overHttp,
  prompts,
  resources,
  tools,
  updated
} from "./Subscriptions.js"
import { at, call, isError, Key, listen } from "./Words.js"

layer(wire(), { excludeTestServices: true })("§6.6, subscriptions", (it) => {
  for (const [where, open] of carriers) {
    it.scoped(`§6.6, ${where}: the ack comes first and says what is honoured; everything bears the id`, () =>
      Effect.gen(function*() {
        const served = yield* Wire
        const all = {
          toolsListChanged: true,
          promptsListChanged: true,
          resourcesListChanged: true,
          resourceSubscriptions: ["wire://first"]
        }
        for (const id of ["s", "1", 1, 0, ""]) {
          const heard = yield* open(served, listen({ ...all, nonsense: true, taskIds: undefined }, id))
          yield* served.publish(tools, prompts, resources, updated("wire://first"))
          yield* heard.until(5)
          assert.deepStrictEqual(at(heard.all()[0], "params", "notifications"), all)
          assert.deepStrictEqual(heard.all().map(methodOf), [
            acknowledged,
            "notifications/tools/list_changed",
            "notifications/prompts/list_changed",
            "notifications/resources/list_changed",
            "notifications/resources/updated"
          ])
          assert.strictEqual(at(heard.all()[4], "params", "uri"), "wire://first")
          isTagged(heard, id)
        }
      }).pipe(Effect.scoped))

    it.scoped(`§6.6, ${where}: what was not asked for, or asked for with false, is not sent`, () =>
      Effect.gen(function*() {
        const served = yield* Wire
        const heard = yield* open(
          served,
          listen({
            promptsListChanged: true,
            toolsListChanged: false,
            resourceSubscriptions: ["wire://first", "wire://a"]
          })
        )
        assert.deepStrictEqual(at(heard.all()[0], "params", "notifications"), {
          promptsListChanged: true,
          // Of what cannot be read nothing is told.
          resourceSubscriptions: ["wire://first"]
        })
        yield* served.publish(
          tools,
          resources,
          updated("wire://second"),
          updated("wire://FIRST"),
          updated("wire://first/")
        )
        yield* served.publish(
          { _tag: "TaskChanged", taskId: "t" },
          updated("wire://a"),
          updated("wire://first"),
          prompts
        )
        yield* heard.until(3)
        assert.deepStrictEqual(heard.all().slice(1).map(methodOf), [
          "notifications/resources/updated",
          "notifications/prompts/list_changed"
        ])
      }))

    it.scoped(`§6.6, ${where}: an empty filter is legal, and hears nothing`, () =>
      Effect.gen(function*() {
        const served = yield* Wire
        const heard = yield* open(served, listen({}))
        assert.deepStrictEqual(at(heard.all()[0], "params", "notifications"), {})
        yield* served.publish(tools, prompts, resources, updated("wire://first"))
        const barrier = yield* open(served, listen({ toolsListChanged: true }, "barrier"))
        yield* served.publish(tools)
        yield* barrier.until(2)
        assert.lengthOf(heard.all(), 1)
      }))

    it.scoped(`§6.6, ${where}: neither progress nor log goes there, though both are asked for`, () =>
      Effect.gen(function*() {
        const served = yield* Wire
        const loud = { _meta: { progressToken: "p", [Key.logLevel]: "debug" } }
        const heard = yield* open(served, listen({ toolsListChanged: true }, "s", loud))
        const reply = yield* served.http.post(call("count", { n: 3 }, loud))
        assert.lengthOf(reply.events, 7)
        yield* served.publish(tools)
        yield* heard.until(2)
        assert.deepStrictEqual(heard.all().map(methodOf), [acknowledged, "notifications/tools/list_changed"])
      }))
  }

  for (
    const notifications of [
      undefined,
      null,
      [],
      "tools",
      1,
      { toolsListChanged: "yes" },
      { resourceSubscriptions: "x" },
      { resourceSubscriptions: [1] },
      { taskIds: {} }
    ]
  ) {
    it.effect(`§6.6: refuses ${JSON.stringify(notifications)} for notifications, and opens nothing`, () =>
      Effect.gen(function*() {
        const { http, ledger } = yield* Wire
        const before = ledger.count("listeners")
        const reply = yield* http.post(listen(notifications, 3))
        isError(reply.json, -32602, 3)
        assert.isAtMost(ledger.count("listeners"), before)
      }))
  }

  it.scoped("§6.6: several streams of one client, by HTTP and on one pipe, each with its own id and filter", () =>
    Effect.gen(function*() {
      const served = yield* Wire
      const pipe = yield* served.pipe()
      pipe.say(
        listen({ toolsListChanged: true }, "1"),
        listen({ promptsListChanged: true }, 1),
        listen({ toolsListChanged: true }, 2)
      )
      const first = yield* overHttp(served, listen({ toolsListChanged: true }, 1))
      const second = yield* overHttp(served, listen({ promptsListChanged: true }, 1))
      yield* pipe.until(3)
      yield* served.publish(tools, prompts)
      yield* pipe.until(6)
      assert.sameDeepMembers(pipe.received.slice(3).map((message) => [idOf(message), methodOf(message)]), [
        ["1", "notifications/tools/list_changed"],
        [2, "notifications/tools/list_changed"],
        [1, "notifications/prompts/list_changed"]
      ])
      yield* heardOn(first).until(2)
      yield* heardOn(second).until(2)
      assert.deepStrictEqual(first.events().map(methodOf), [acknowledged, "notifications/tools/list_changed"])
      assert.deepStrictEqual(second.events().map(methodOf), [acknowledged, "notifications/prompts/list_changed"])
    }))

  it.scoped("§8.4: over HTTP it is an event stream that nobody may keep or buffer, and JSON alone cannot carry it", () =>
    Effect.gen(function*() {
      const served = yield* Wire
      const visit = yield* overHttp(served, listen({ toolsListChanged: true }))
      assert.strictEqual(visit.status(), 200)
      assert.strictEqual(visit.header("content-type"), "text/event-stream")
      assert.strictEqual(visit.header("x-accel-buffering"), "no")
      assert.include(visit.header("cache-control"), "no-cache")
      assert.notMatch(visit.text(), /^(?:id|retry):/mu)
      const json = yield* served.http.post(listen({ toolsListChanged: true }), { accept: "application/json" })
      assert.isNumber(at(json.json, "error", "code"))
    }))
})

layer(wire({ isListening: true }), { excludeTestServices: true })("§6.6, what a server does not have", (it) => {
  for (const [where, open] of carriers) {
    it.scoped(`§6.6, ${where}: drops what was not declared from the ack, and sends none of it`, () =>
      Effect.gen(function*() {
        const served = yield* Wire
        const wanted = {
          toolsListChanged: true,
          promptsListChanged: true,
          resourcesListChanged: true,
          resourceSubscriptions: ["wire://first"]
        }
        const heard = yield* open(served, listen(wanted))
        assert.deepStrictEqual(at(heard.all()[0], "params", "notifications"), { toolsListChanged: true })
        yield* served.publish(prompts, resources, updated("wire://first"), tools)
        yield* heard.until(2)
        assert.strictEqual(methodOf(heard.all()[1]), "notifications/tools/list_changed")
      }))
  }
})
