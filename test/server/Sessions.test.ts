/** What is remembered of sessions over HTTP. */
import { assert, describe, it } from "@effect/vitest"
import * as PendingAsks from "causeway-mcp/ask/PendingAsks"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Sealer from "causeway-mcp/auth/Sealer"
import * as Changes from "causeway-mcp/change/Changes"
import * as Dispatcher from "causeway-mcp/protocol/Dispatcher"
import * as Sessions from "causeway-mcp/server/Sessions"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

const cache = { ttlMs: 0, scope: "private" } as const
const caller = Principal.local

const make = (pendingAsks: Effect.Effect<typeof PendingAsks.PendingAsks.Service> = PendingAsks.makeMemory) =>
  Effect.gen(function*() {
    const changes = yield* Changes.makeMemory
    const dispatcher = Dispatcher.make<Principal.Principal>({
      server: { name: "srv", version: "1.0.0" },
      cache,
      resources: {
        listChanged: true,
        subscribe: true,
        list: () => Exit.succeed({ resources: [], cache }),
        templates: () => Exit.succeed({ resourceTemplates: [], cache }),
        read: () => Exit.succeed({ _tag: "Complete", contents: [], cache })
      }
    }, { hasSessions: true })
    const sessions = Sessions.make({
      isVisible: () => true,
      dispatcher,
      sealer: yield* Sealer.random,
      pendingAsks: yield* pendingAsks,
      changes,
      clock: yield* Effect.clock,
      askTimeout: Duration.minutes(1)
    })
    const arrival: Dispatcher.Arrival<Principal.Principal> = { caller, canStream: true, notify: () => true }
    return {
      changes,
      open: () =>
        sessions.open(
          { version: "2025-11-25", clientCapabilities: {}, clientInfo: { name: "c", version: "1" } },
          caller
        ),
      listen: (session: string, send: (json: string) => boolean) => sessions.listen(session, caller, send),
      post: (session: string, message: unknown) => sessions.post(session, message, () => undefined, arrival),
      order: (session: string, method: string, uri: string) =>
        sessions.post(session, { jsonrpc: "2.0", id: 1, method, params: { uri } }, () => undefined, arrival)
    }
  })

describe("Sessions", () => {
  it.effect("say in JSON-RPC that an answer could not be handed on, so that the client can send it again", () =>
    Effect.gen(function*() {
      const cut = new PendingAsks.PendingAsksError({ method: "answer", cause: new Error("secret") })
      const { open, post } = yield* make(
        Effect.succeed({ wait: () => Effect.never, answer: () => Effect.fail(cut) })
      )
      const id = `srv-${"0".repeat(36)}`
      const { body, status } = yield* post(open(), { jsonrpc: "2.0", id, result: {} }).reply
      assert.strictEqual(status, 503)
      const { error, jsonrpc } = JSON.parse(body ?? "")
      assert.strictEqual(jsonrpc, "2.0")
      assert.strictEqual(error.code, -32603)
      assert.include(error.message, "cannot be exchanged")
      assert.notInclude(body, "secret")
    }))

  it.effect("remember what a session subscribes to up to 64 KiB, since there may be thousands of sessions", () =>
    Effect.gen(function*() {
      const { changes, listen, open, order } = yield* make()
      const session = open()
      const heard: Array<number> = []
      listen(session, (json) => {
        heard.push(Number(JSON.parse(json).params.uri.slice(-2)))
        return true
      })
      const uris = Array.from({ length: 10 }, (_, index) => `${"x".repeat(8000)}${10 + index}`)
      const tell = Effect.forEach(uris, (uri) => changes.publish({ _tag: "ResourceUpdated", uri }))
      for (const uri of uris) order(session, "resources/subscribe", uri)
      yield* tell
      assert.deepStrictEqual(heard.splice(0), [10, 11, 12, 13, 14, 15, 16, 17])
      order(session, "resources/unsubscribe", uris[0] ?? "")
      order(session, "resources/subscribe", uris[9] ?? "")
      yield* tell
      assert.deepStrictEqual(heard, [11, 12, 13, 14, 15, 16, 17, 19])
    }))
  it.effect("remember 16 Mi characters of all that sessions subscribe to, and have the room again", () =>
    Effect.gen(function*() {
      const { changes, listen, open, order } = yield* make()
      const uris = Array.from({ length: 8 }, (_, index) => `${"x".repeat(8190)}${10 + index}`)
      const sessions = Array.from({ length: 256 }, open)
      for (const session of sessions) for (const uri of uris) order(session, "resources/subscribe", uri)
      const late = open()
      const heard: Array<string> = []
      listen(late, (json) => {
        heard.push(JSON.parse(json).params.uri)
        return true
      })
      const wanted = "file:///wanted"
      order(late, "resources/subscribe", wanted)
      yield* changes.publish({ _tag: "ResourceUpdated", uri: wanted })
      assert.deepStrictEqual(heard, [])
      order(sessions[0] ?? "", "resources/unsubscribe", uris[0] ?? "")
      // Not there any more, and so no room.
      order(sessions[0] ?? "", "resources/unsubscribe", uris[0] ?? "")
      order(late, "resources/subscribe", wanted)
      yield* changes.publish({ _tag: "ResourceUpdated", uri: wanted })
      assert.deepStrictEqual(heard, [wanted])
      // A session that is forgotten makes room too: 10,000 newer ones drive the first out.
      order(late, "resources/unsubscribe", wanted)
      order(late, "resources/subscribe", uris[0] ?? "")
      order(late, "resources/subscribe", wanted)
      for (let count = 0; count < 9744; count++) listen(open(), () => true)
      order(late, "resources/subscribe", wanted)
      heard.length = 0
      yield* changes.publish({ _tag: "ResourceUpdated", uri: wanted })
      assert.deepStrictEqual(heard, [wanted])
    }))
})
