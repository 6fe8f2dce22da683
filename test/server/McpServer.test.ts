import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Policy from "causeway-mcp/policy/Policy"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { turn } from "./connectionPeer.js"

const tool = <const Name extends string>(name: Name) =>
  Tool.make(name, {
    title: `The ${name}`,
    description: "A tool that serves the tests of the server",
    success: Schema.String,
    safety: "readOnly"
  })

const many = Toolkit.make(
  ...["a", "b", "c", "d", "e"].map((name) => tool(name).implement(() => Evidence.computed(name, name)))
)

const server = McpServer.layerTools(many, {
  name: "tested",
  version: "1.2.3",
  title: "Tested",
  instructions: "Use a before b.",
  pageSize: 2
})

const names = (result: unknown) => (result as { tools: ReadonlyArray<{ name: string }> }).tools.map((t) => t.name)

describe("McpServer", () => {
  for (const revision of ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"]) {
    it.scoped(`lists all tools by pages, in order, on ${revision}`, () =>
      Effect.gen(function*() {
        const client = yield* MemoryTransport.make({ revision })
        const seen: Array<string> = []
        let cursor: unknown
        let pages = 0
        do {
          const page: { readonly [key: string]: unknown } = yield* client.request(
            "tools/list",
            cursor === undefined ? {} : { cursor }
          )
          seen.push(...names(page))
          cursor = page.nextCursor
          pages++
        } while (cursor !== undefined)
        assert.deepStrictEqual([seen, pages], [["a", "b", "c", "d", "e"], 3])
        const error = yield* Effect.flip(client.request("tools/list", { cursor: "bm9uc2Vuc2U" }))
        assert.strictEqual(error.code, -32602)
      }).pipe(Effect.provide(server)))
  }

  it.scoped("says who it is and how to use it", () =>
    Effect.gen(function*() {
      const client = yield* MemoryTransport.make()
      const found = yield* client.request("server/discover")
      assert.deepInclude(found, {
        supportedVersions: ["2026-07-28"],
        capabilities: { tools: {} },
        instructions: "Use a before b.",
        resultType: "complete",
        ttlMs: 60_000,
        cacheScope: "private"
      })
      assert.deepStrictEqual(found._meta, {
        "io.modelcontextprotocol/serverInfo": { name: "tested", version: "1.2.3", title: "Tested" }
      })
    }).pipe(Effect.provide(server)))
})

describe("policy", () => {
  it.scoped("holds for a call that may become a task and has not", () =>
    Effect.gen(function*() {
      const slow = Tool.make("slow", {
        description: "A tool that takes a minute",
        success: Schema.String,
        safety: "readOnly",
        task: "optional",
        taskBegins: "whenTold"
      }).implement(() => Effect.delay(Evidence.computed("slow", "done"), "1 minute"))
      const layer = Layer.provide(
        McpServer.layerTools(Toolkit.make(slow), { name: "t", version: "1", policy: Policy.timeout("2 minutes") }),
        TaskStore.layerMemory
      )
      const result = yield* Effect.gen(function*() {
        const client = yield* MemoryTransport.make({
          capabilities: { extensions: { "io.modelcontextprotocol/tasks": {} } }
        })
        const call = yield* Effect.fork(client.request("tools/call", { name: "slow" }))
        yield* turn
        yield* TestClock.adjust("1 minute")
        return yield* Fiber.join(call)
      }).pipe(Effect.provide(layer))
      assert.isUndefined(result.isError, JSON.stringify(result.content))
    }))
})

describe("Connection", () => {
  const hanging = Effect.gen(function*() {
    const started = yield* Deferred.make<void>()
    const stopped = yield* Deferred.make<void>()
    const never = tool("never").implement(() =>
      Deferred.succeed(started, undefined).pipe(
        Effect.zipRight(Effect.never),
        Effect.onInterrupt(() =>
          Effect.zipRight(ToolCall.progress({ progress: 9 }), Deferred.succeed(stopped, undefined))
        )
      )
    )
    const twice = tool("twice").implement(() =>
      Effect.gen(function*() {
        yield* ToolCall.progress({ progress: 1, total: 2 })
        yield* Effect.sleep("1 second")
        return yield* Evidence.computed("twice", "done")
      })
    )
    return { started, stopped, layer: McpServer.layerTools(Toolkit.make(never, twice), { name: "t", version: "1" }) }
  })

  const call = (id: unknown, name: string) =>
    JSON.stringify({
      jsonrpc: "2.0",
      id,
      method: "tools/call",
      params: {
        name,
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientCapabilities": {}
        }
      }
    })

  it.scoped("stops the handler of a cancelled request and says nothing more of it", () =>
    Effect.gen(function*() {
      const { layer, started, stopped } = yield* hanging
      yield* Effect.gen(function*() {
        const client = yield* MemoryTransport.make()
        yield* client.send(call(0, "never"))
        yield* Deferred.await(started)
        yield* client.notify("notifications/cancelled", { requestId: 0 })
        yield* Deferred.await(stopped)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* Queue.size(client.replies), 0)
      }).pipe(Effect.provide(layer))
    }))

  it.scoped("lets a handler that is being cancelled report nothing more", () =>
    Effect.gen(function*() {
      const { layer, started, stopped } = yield* hanging
      yield* Effect.gen(function*() {
        const client = yield* MemoryTransport.make()
        const heard = yield* Ref.make(0)
        yield* Effect.forkScoped(Stream.runForEach(client.notifications, () => Ref.update(heard, (n) => n + 1)))
        yield* Effect.yieldNow()
        yield* client.send(
          call(5, "never").replace("\"_meta\":{", "\"_meta\":{\"progressToken\":\"p\",")
        )
        yield* Deferred.await(started)
        yield* client.notify("notifications/cancelled", { requestId: 5 })
        yield* Deferred.await(stopped)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* Ref.get(heard), 0)
      }).pipe(Effect.provide(layer))
    }))

  it.scoped("refuses an id that is still in use and answers the first request all the same", () =>
    Effect.gen(function*() {
      const { layer } = yield* hanging
      yield* Effect.gen(function*() {
        const client = yield* MemoryTransport.make()
        yield* client.send(call("x", "twice"))
        yield* client.send(call("x", "twice"))
        const refused = yield* Queue.take(client.replies)
        assert.deepInclude((refused as { error: object }).error, { code: -32600 })
        yield* TestClock.adjust("1 second")
        const answered = yield* Queue.take(client.replies)
        assert.deepInclude(answered as object, { id: "x" })
        assert.property(answered, "result")
      }).pipe(Effect.provide(layer))
    }))

  it.scoped("settles no handshake by a request that it refuses", () =>
    Effect.gen(function*() {
      const { layer } = yield* hanging
      yield* Effect.gen(function*() {
        const client = yield* MemoryTransport.make()
        const initialize = (id: number) =>
          JSON.stringify({
            jsonrpc: "2.0",
            id,
            method: "initialize",
            params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } }
          })
        yield* client.send(call(70, "never"))
        yield* client.send(initialize(70))
        assert.property(yield* Queue.take(client.replies), "error")
        yield* client.send(initialize(71))
        assert.property(yield* Queue.take(client.replies), "result")
      }).pipe(Effect.provide(layer))
    }))

  it.scoped("does not begin a request whose id is in use", () =>
    Effect.gen(function*() {
      let begun = 0
      const layer = McpServer.layerTools(
        Toolkit.make(
          tool("never").implement(() => Effect.never),
          tool("counted").implement(() => {
            begun += 1
            return Evidence.computed("counted", "x")
          })
        ),
        { name: "t", version: "1" }
      )
      yield* Effect.gen(function*() {
        const client = yield* MemoryTransport.make()
        yield* client.send(call("x", "never"))
        yield* client.send(call("x", "counted"))
        assert.property(yield* Queue.take(client.replies), "error")
        assert.strictEqual(begun, 0)
      }).pipe(Effect.provide(layer))
    }))

  it.effect("closes though a call cannot be interrupted", () =>
    Effect.gen(function*() {
      const release = yield* Deferred.make<void>()
      const layer = McpServer.layerTools(
        Toolkit.make(
          tool("stubborn").implement(() =>
            Effect.zipRight(Effect.uninterruptible(Deferred.await(release)), Evidence.computed("stubborn", "x"))
          )
        ),
        { name: "t", version: "1" }
      )
      const said: Array<string> = []
      const scope = yield* Scope.make()
      const connection = yield* Effect.flatMap(McpServer.McpServer, (server) =>
        server.connect({ caller: Principal.local, send: (json) => void said.push(json), patience: 20 })).pipe(
          Scope.extend(scope),
          Effect.provide(layer)
        )
      connection.receiveText(call(1, "stubborn"))
      yield* Scope.close(scope, Exit.void)
      yield* Deferred.succeed(release, undefined)
      assert.deepStrictEqual(said, [])
    }))

  it.effect("interrupts what is in flight when its scope closes", () =>
    Effect.gen(function*() {
      const { layer, started, stopped } = yield* hanging
      const scope = yield* Scope.make()
      yield* Effect.gen(function*() {
        const client = yield* Scope.extend(MemoryTransport.make(), scope)
        const fiber = yield* Effect.fork(client.request("tools/call", { name: "never" }))
        yield* Deferred.await(started)
        yield* Scope.close(scope, Exit.void)
        yield* Deferred.await(stopped)
        yield* Fiber.interrupt(fiber)
      }).pipe(Effect.provide(layer))
    }))

  it.scoped("survives text that is not JSON, arrays and deep nesting", () =>
    Effect.gen(function*() {
      const client = yield* MemoryTransport.make()
      for (const text of ["{", "[]", "null", "\"x\"", "[".repeat(5000), `{"a":${"[".repeat(200)}${"]".repeat(200)}}`]) {
        yield* client.send(text)
        const reply = yield* Queue.take(client.replies)
        assert.property(reply, "error", text.slice(0, 20))
      }
      assert.deepStrictEqual(names(yield* client.request("tools/list")), ["a", "b"])
    }).pipe(Effect.provide(server)))
})
