import { assert, describe, it } from "@effect/vitest"
import * as TransportLaws from "causeway-mcp/testing/TransportLaws"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as FixtureServer from "./FixtureServer.js"

const open = (options: MemoryTransport.Options = {}, probe = TransportLaws.makeProbe()) =>
  Effect.provide(MemoryTransport.make(options), FixtureServer.layer(probe))

const firstText = (result: unknown): unknown => {
  const { content } = result as { readonly content: ReadonlyArray<{ readonly text: string }> }
  return content[0]?.text
}

describe("MemoryTransport", () => {
  for (const revision of ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"]) {
    it.scoped(`calls a tool in revision ${revision}`, () =>
      Effect.gen(function*() {
        const client = yield* open({ revision })
        const result = yield* client.request("tools/call", { name: "echo", arguments: { text: "hello" } })
        assert.strictEqual(firstText(result), "hello")
        assert.strictEqual("resultType" in result, revision === "2026-07-28")
      }))
  }

  it.scoped("fails with the error that the server answered", () =>
    Effect.gen(function*() {
      const client = yield* open()
      const error = yield* Effect.flip(client.request("tools/unheard-of"))
      assert.strictEqual(error._tag, "McpError")
      assert.strictEqual(error.code, -32601)
    }))

  it.scoped("matches answers to the requests that wait for them", () =>
    Effect.gen(function*() {
      const client = yield* open()
      const texts = Array.from({ length: 50 }, (_, index) => `text ${index}`)
      const results = yield* Effect.forEach(
        texts,
        (text) => client.request("tools/call", { name: "echo", arguments: { text } }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(results.map(firstText), texts)
    }))

  it.scoped("tells the server to cancel when the request is interrupted", () =>
    Effect.gen(function*() {
      const probe = TransportLaws.makeProbe()
      const client = yield* open({}, probe)
      const fiber = yield* Effect.fork(client.request("tools/call", { name: "never", arguments: {} }))
      const running = (count: number) => Effect.repeat(Effect.yieldNow(), { until: () => probe.running() === count })
      yield* running(1)
      yield* Fiber.interrupt(fiber)
      yield* running(0)
    }))

  it.scoped("streams what the server notifies", () =>
    Effect.gen(function*() {
      const client = yield* open()
      yield* client.request("tools/call", { name: "count", arguments: { n: 2 }, _meta: { progressToken: "t" } })
      const seen = yield* Stream.runCollect(Stream.take(client.notifications, 2))
      assert.deepStrictEqual(Chunk.toReadonlyArray(seen).map(({ params }) => params.progress), [1, 2])
    }))

  it.scoped("keeps the answers that nobody waits for", () =>
    Effect.gen(function*() {
      const client = yield* open()
      yield* client.send("{")
      yield* client.send(JSON.stringify(FixtureServer.modern("mine", "echo", { text: "x" })))
      const [refused, answered] = [yield* Queue.take(client.replies), yield* Queue.take(client.replies)]
      assert.propertyVal((refused as { readonly error: object }).error, "code", -32700)
      assert.propertyVal(answered, "id", "mine")
    }))

  it.effect("leaves nothing running when its scope closes", () =>
    Effect.gen(function*() {
      const probe = TransportLaws.makeProbe()
      yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* open({}, probe)
        yield* client.send(JSON.stringify(FixtureServer.modern(1, "never", {})))
        yield* Effect.yieldNow()
        assert.strictEqual(probe.running(), 1)
      }))
      assert.strictEqual(probe.running(), 0)
    }))

  it.effect("is there for whoever asks for it", () =>
    Effect.flatMap(
      MemoryTransport.MemoryTransport,
      (client) => client.request("tools/call", { name: "echo", arguments: { text: "x" } })
    ).pipe(Effect.provide(Layer.provide(MemoryTransport.layer(), FixtureServer.layer(TransportLaws.makeProbe())))))
})
