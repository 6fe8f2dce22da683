import { assert, describe, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import * as TransportLaws from "causeway-mcp/testing/TransportLaws"
import * as SdkTransport from "causeway-mcp/transport/SdkTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as FixtureServer from "./FixtureServer.js"

describe("SdkTransport", () => {
  it.scopedLive("serves the SDK's own client", () =>
    Effect.gen(function*() {
      const [near, far] = InMemoryTransport.createLinkedPair()
      yield* Layer.build(Layer.provide(SdkTransport.layer(far), FixtureServer.layer(TransportLaws.makeProbe())))
      const client = new Client({ name: "test", version: "0.0.0" })
      yield* Effect.promise(() => client.connect(near))
      const seen: Array<number> = []
      const result = yield* Effect.promise(() =>
        client.callTool({ name: "count", arguments: { n: 2 } }, undefined, {
          onprogress: ({ progress }) => void seen.push(progress)
        })
      )
      assert.deepStrictEqual(result.content, [{ type: "text", text: "2" }])
      assert.deepStrictEqual(seen, [1, 2])
      yield* Effect.promise(() => client.close())
    }))

  it.scopedLive("ends, and ends its calls, when the peer closes", () =>
    Effect.gen(function*() {
      const probe = TransportLaws.makeProbe()
      const [near, far] = InMemoryTransport.createLinkedPair()
      const { closed } = yield* Effect.provide(SdkTransport.make(far), FixtureServer.layer(probe))
      yield* Effect.promise(() => near.send({ ...FixtureServer.modern(1, "never", {}), jsonrpc: "2.0" }))
      assert.strictEqual(probe.running(), 1)
      yield* Effect.promise(() => near.close())
      yield* closed
      assert.strictEqual(probe.running(), 0)
    }))

  it.effect("closes the carrier with its scope", () =>
    Effect.gen(function*() {
      const [near, far] = InMemoryTransport.createLinkedPair()
      let isClosed = false
      near.onclose = () => {
        isClosed = true
      }
      yield* Effect.scoped(Effect.provide(SdkTransport.make(far), FixtureServer.layer(TransportLaws.makeProbe())))
      assert.isTrue(isClosed)
    }))

  it.effect("fails when the carrier does not start", () =>
    Effect.gen(function*() {
      const [, far] = InMemoryTransport.createLinkedPair()
      far.start = () => Promise.reject(new Error("no"))
      const error = yield* Effect.flip(
        Effect.provide(SdkTransport.run(far), FixtureServer.layer(TransportLaws.makeProbe()))
      )
      assert.strictEqual(error._tag, "SdkTransportError")
    }))
  for (
    const [what, refuse] of [
      ["rejects", () => Promise.reject(new Error("no reader"))],
      ["throws", () => {
        throw new Error("no reader")
      }]
    ] as const
  ) {
    it.scopedLive(`serves on when the carrier ${what} for one answer`, () =>
      Effect.gen(function*() {
        const [near, far] = InMemoryTransport.createLinkedPair()
        const ids: Array<unknown> = []
        near.onmessage = (message) => void ids.push("id" in message ? message.id : undefined)
        yield* Effect.provide(SdkTransport.make(far), FixtureServer.layer(TransportLaws.makeProbe()))
        const send = far.send.bind(far)
        far.send = refuse
        yield* Effect.promise(() => near.send({ ...FixtureServer.modern(1, "slow", { ms: 1 }), jsonrpc: "2.0" }))
        yield* Effect.sleep("20 millis")
        far.send = send
        yield* Effect.promise(() => near.send({ ...FixtureServer.modern(2, "echo", { text: "x" }), jsonrpc: "2.0" }))
        assert.deepStrictEqual(ids, [2])
      }))
  }
})
