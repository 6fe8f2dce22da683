/** Who may not read a resource hears nothing of its changes. */
import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Changes from "causeway-mcp/change/Changes"
import * as McpResource from "causeway-mcp/resource/McpResource"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

const secret = McpResource.make("payroll://ceo", {
  name: "payroll",
  scopes: ["hr"],
  read: () => Effect.succeed(McpResource.text("much"))
})
const open = McpResource.make("menu://today", { name: "menu", read: () => Effect.succeed(McpResource.text("soup")) })

const Server = McpServer.layerOf({ resources: [secret, open] }, { name: "office", version: "1.0.0" }).pipe(
  Layer.provideMerge(Changes.layerMemory)
)

const caller = Principal.make({ id: "guest" })
const uris = ["payroll://ceo", "menu://today"]

const updates = Effect.gen(function*() {
  const changes = yield* Changes.Changes
  for (const uri of uris) yield* changes.publish({ _tag: "ResourceUpdated", uri })
})

describe("announcements of resources", () => {
  it.scopedLive("are acknowledged and made on 2026-07-28 only to callers who may read them", () =>
    Effect.gen(function*() {
      const client = yield* MemoryTransport.make({ caller })
      const heard = yield* Effect.fork(Stream.runCollect(Stream.take(client.notifications, 2)))
      const listening = yield* Effect.fork(
        client.request("subscriptions/listen", { notifications: { resourceSubscriptions: uris } })
      )
      yield* Effect.yieldNow()
      yield* updates
      const [acknowledged, updated] = [...yield* Fiber.join(heard)]
      assert.deepStrictEqual(acknowledged?.params.notifications, { resourceSubscriptions: ["menu://today"] })
      assert.strictEqual(updated?.params.uri, "menu://today")
      yield* Fiber.interrupt(listening)
    }).pipe(Effect.provide(Server)))

  it.scopedLive("are made to older clients only where they may read them", () =>
    Effect.gen(function*() {
      const client = yield* MemoryTransport.make({ caller, revision: "2025-11-25" })
      const heard = yield* Effect.fork(Stream.runCollect(Stream.take(client.notifications, 1)))
      for (const uri of uris) yield* client.request("resources/subscribe", { uri })
      yield* updates
      const [updated] = [...yield* Fiber.join(heard)]
      assert.strictEqual(updated?.params.uri, "menu://today")
    }).pipe(Effect.provide(Server)))
})
