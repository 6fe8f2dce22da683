import { assert, describe, it } from "@effect/vitest"
import * as ClientTimeout from "causeway-mcp/middleware/ClientTimeout"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as Policy from "causeway-mcp/policy/Policy"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Bench from "./bench.js"

/** Says how much time a handler has, as its call and as its limit say. */
const left = (policy: Policy.Any = Policy.none) =>
  Bench.handler(policy, () =>
    Effect.gen(function*() {
      yield* Effect.yieldNow()
      const remaining = yield* ToolCall.remaining
      return yield* Evidence.computed("left", [Duration.toMillis(remaining), yield* TimeLimit.remaining].map(String))
    }))

const leftOf = (policy: Policy.Any, more?: Parameters<typeof Bench.answer>[1], server?: Policy.Policy) =>
  Effect.scoped(
    Effect.flatMap(Bench.registry([left(policy)], server), (registry) =>
      Effect.map(Bench.answer(registry, more), Bench.dataOf))
  )

const says = (millis: unknown) => ({ meta: { "dev.causeway/timeoutMs": millis } })

describe("the deadline of a call", () => {
  it.effect("is the policy's, the more special level's first", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_700_000_000_000)
      assert.deepStrictEqual(yield* leftOf(Policy.none, {}, Policy.standard), ["30000", "30000"])
      assert.deepStrictEqual(yield* leftOf(Policy.timeout("5 seconds"), {}, Policy.standard), ["5000", "5000"])
      assert.deepStrictEqual(yield* leftOf(Policy.timeout("2 minutes"), {}, Policy.standard), ["120000", "120000"])
      assert.deepStrictEqual(yield* leftOf(Policy.none), ["Infinity", "Infinity"])
    }))

  it.effect("is shortened by what the client says in either way, and never prolonged", () =>
    Effect.gen(function*() {
      const five = Policy.timeout("5 seconds")
      assert.deepStrictEqual(yield* leftOf(five, says(800)), ["800", "800"])
      assert.deepStrictEqual(yield* leftOf(five, { timeoutMs: 700 }), ["700", "700"])
      assert.deepStrictEqual(yield* leftOf(five, { ...says(800), timeoutMs: 700 }), ["700", "700"])
      assert.deepStrictEqual(yield* leftOf(five, says(60_000)), ["5000", "5000"])
      assert.deepStrictEqual(yield* leftOf(Policy.none, says(800)), ["800", "800"])
      for (const nonsense of [0, -1, "800", NaN, Infinity, null]) {
        assert.deepStrictEqual(yield* leftOf(five, says(nonsense)), ["5000", "5000"], String(nonsense))
      }
    }))

  it.scoped("is not later than the limit that stands around the call", () =>
    Effect.gen(function*() {
      const around = TimeLimit.within(leftOf(Policy.timeout("5 seconds")), "2 seconds")
      assert.deepStrictEqual(yield* around, ["2000", "2000"])
      assert.strictEqual(yield* TimeLimit.remaining, Infinity)
    }))

  it.scoped("counts from the arrival of the call, its wait for a place included", () =>
    Effect.gen(function*() {
      const policy = Policy.all(Policy.timeout("10 seconds"), Policy.concurrency(1))
      let runs = 0
      const handler = Bench.handler(policy, () =>
        Effect.suspend(() =>
          ++runs === 1
            ? Effect.zipRight(Effect.sleep("4 seconds"), Evidence.computed("x", 1))
            : Effect.flatMap(TimeLimit.remaining, (left) => Evidence.computed("x", left))
        ))
      const registry = yield* Bench.registry([handler])
      yield* Effect.fork(Bench.answer(registry))
      yield* TestClock.adjust("1 second")
      const second = yield* Effect.fork(Bench.answer(registry))
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(Bench.dataOf(yield* Fiber.join(second)), 7000)
    }))

  it.scoped("ends the handler, and says whose time is over", () =>
    Effect.gen(function*() {
      const registry = yield* Bench.registry([Bench.handler(Policy.timeout("5 seconds"), () => Effect.never)])
      const end = (more?: Parameters<typeof Bench.answer>[1]) =>
        Effect.gen(function*() {
          const fiber = yield* Effect.fork(Bench.answer(registry, more))
          yield* TestClock.adjust("5 seconds")
          return Bench.bodyOf(yield* Fiber.join(fiber)).message
        })
      assert.strictEqual(yield* end(), "echo_text did not finish within 5s. Try again, or ask for less.")
      assert.strictEqual(
        yield* end(says(800)),
        "echo_text did not finish within the 800ms that the client gave it. Try again, or ask for less."
      )
    }))

  it.scoped("lets no retry begin that could not end in time, and each try have its own", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const policy = Policy.all(
        Policy.timeout("1 minute"),
        Policy.retry(Backoff.make({ first: "10 seconds", cap: "10 seconds", times: 9 })),
        Policy.attemptTimeout("3 seconds")
      )
      const handler = Bench.handler(policy, () =>
        Effect.flatMap(TimeLimit.remaining, (left) => {
          seen.push(left)
          return new ToolError({ code: "temporarily_unavailable", message: "No", retryAfterMs: 10_000 })
        }))
      const registry = yield* Bench.registry([handler])
      const fiber = yield* Effect.fork(Bench.answer(registry, says(15_000)))
      yield* TestClock.adjust("14 seconds")
      assert.strictEqual(Bench.bodyOf(yield* Fiber.join(fiber)).code, "temporarily_unavailable")
      assert.deepStrictEqual(seen, [3000, 3000])
    }))

  it.effect("is not for a task, unless a tool or its toolkit says so", () =>
    Effect.gen(function*() {
      const task = { ...says(100), isTask: true }
      assert.deepStrictEqual(yield* leftOf(Policy.none, task, Policy.standard), ["Infinity", "Infinity"])
      assert.deepStrictEqual(yield* leftOf(Policy.timeout("10 minutes"), task, Policy.standard), ["600000", "600000"])
    }))
})

describe("Toolkit.protect", () => {
  it.scoped("goes before the server, and after the tool and the toolkits further in", () =>
    Effect.gen(function*() {
      const inner = Toolkit.protect(Policy.timeout("2 seconds"))(Toolkit.make(left()))
      const outer = Toolkit.protect(Policy.timeout("3 seconds"))(inner)
      const own = Toolkit.protect(Policy.timeout("2 seconds"))(Toolkit.make(left(Policy.timeout("1 second"))))
      const of = (toolkit: Toolkit.Toolkit<never>) =>
        Effect.flatMap(ToolRegistry.make(toolkit), (registry) => Effect.map(Bench.answer(registry), Bench.dataOf))
      assert.deepStrictEqual(yield* of(inner), ["2000", "2000"])
      assert.deepStrictEqual(yield* of(outer), ["2000", "2000"])
      assert.deepStrictEqual(yield* of(own), ["1000", "1000"])
    }))
})

describe("ClientTimeout.ofHeader", () => {
  it("takes whole milliseconds alone", () => {
    assert.strictEqual(ClientTimeout.ofHeader(" 1500 "), 1500)
    for (const text of [undefined, "", "0", "-5", "1.5", "1e3", "5s", "12345678901", "1, 2"]) {
      assert.isUndefined(ClientTimeout.ofHeader(text), text)
    }
  })

  it.effect("shortens a call that comes by POST", () =>
    Effect.gen(function*() {
      const server = yield* McpServer.McpServer
      const meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}
      }
      const headers: { readonly [name: string]: string } = {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "echo_text",
        "request-timeout-ms": "800"
      }
      const { reply } = server.post(
        { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "echo_text", arguments: {}, _meta: meta } },
        (name) => headers[name],
        { caller: Bench.ada, notify: () => true, canStream: false }
      )
      const { body } = yield* reply
      assert.deepStrictEqual(JSON.parse(body ?? "").result.structuredContent.data, ["800", "800"])
    }).pipe(Effect.provide(McpServer.layerTools(Toolkit.make(left()), { name: "t", version: "1" }))))
})
