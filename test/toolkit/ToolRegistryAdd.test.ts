import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import type { Event } from "causeway-mcp/change/Changes"
import { Changes } from "causeway-mcp/change/Changes"
import * as Policy from "causeway-mcp/policy/Policy"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import type { Registry } from "./bench.js"
import { answer, greet, Greeting, request, tool, withTools } from "./bench.js"

describe("ToolRegistry.add", () => {
  const saying = <const Name extends string>(name: Name, what: string) =>
    tool(name).implement(() => Effect.zipRight(Effect.yieldNow(), Evidence.computed("x", what)))
  const said = (registry: Registry, name: string) =>
    Effect.map(answer(registry, request(name)), (result) => JSON.parse(result.structuredJson ?? "{}").data)
  const names = (registry: Registry) => registry.list(Principal.local).map((tool) => tool.name)

  const listening = Effect.gen(function*() {
    const heard: Array<Event> = []
    return {
      heard,
      changes: { publish: (event: Event) => Effect.sync(() => void heard.push(event)), listen: () => () => {} }
    }
  })

  it.scoped("adds and replaces tools, and announces it once", () =>
    Effect.gen(function*() {
      const { changes, heard } = yield* listening
      const registry = yield* Effect.provideService(
        withTools(Toolkit.make(saying("a", "1"), saying("b", "1"))),
        Changes,
        changes
      )
      const before = registry.list(Principal.local)
      yield* Effect.provideService(
        registry.add(Toolkit.make(saying("c", "1"), greet, saying("a", "2"))),
        Greeting,
        "Hi"
      )
      assert.deepStrictEqual(names(registry), ["a", "b", "c", "greet"])
      assert.deepStrictEqual(before.map((tool) => tool.name), ["a", "b"])
      assert.strictEqual(registry.list(Principal.local), registry.list(Principal.local))
      assert.deepStrictEqual([yield* said(registry, "a"), yield* said(registry, "b")], ["2", "1"])
      assert.strictEqual(yield* said(registry, "greet"), "Hi, you")
      assert.deepStrictEqual(heard, [{ _tag: "ToolsChanged" }])
      yield* registry.add(Toolkit.make())
      assert.lengthOf(heard, 1)
    }))

  it.scoped("changes nothing when one of the tools cannot be served", () =>
    Effect.gen(function*() {
      const { changes, heard } = yield* listening
      const registry = yield* Effect.provideService(withTools(Toolkit.make(saying("a", "1"))), Changes, changes)
      const error = yield* Effect.flip(registry.add(Toolkit.make(saying("a", "2"), saying("b c", "1"))))
      assert.lengthOf(error.problems, 1)
      assert.deepStrictEqual([names(registry), yield* said(registry, "a"), heard], [["a"], "1", []])
    }))

  it.scoped("takes tools away, and lets their calls go on", () =>
    Effect.gen(function*() {
      const { changes, heard } = yield* listening
      const release = yield* Deferred.make<void>()
      const slow = tool("slow").implement(() =>
        Effect.zipRight(Deferred.await(release), Evidence.computed("x", "done"))
      )
      const registry = yield* Effect.provideService(withTools(Toolkit.make(slow)), Changes, changes)
      const fiber = yield* Effect.fork(said(registry, "slow"))
      yield* Effect.yieldNow()
      assert.isTrue(yield* registry.remove("slow"))
      assert.isFalse(yield* registry.remove("slow"))
      assert.isFalse(yield* registry.remove("toString"))
      assert.deepStrictEqual(heard, [{ _tag: "ToolsChanged" }])
      assert.deepStrictEqual([names(registry), registry.task("slow")], [[], undefined])
      assert.strictEqual((yield* Effect.flip(registry.call(request("slow")))).code, -32602)
      yield* Deferred.succeed(release, undefined)
      assert.strictEqual(yield* Fiber.join(fiber), "done")
    }))

  it.scoped("warns of what was added", () =>
    Effect.gen(function*() {
      const registry = yield* withTools(Toolkit.make())
      assert.deepStrictEqual(registry.warnings, [])
      yield* registry.add(Toolkit.make(saying("get_data", "1")))
      assert.lengthOf(registry.warnings, 1)
    }))

  it.scoped("logs warnings when tools are registered, each once, and never to standard output", () =>
    Effect.gen(function*() {
      const said: Array<readonly [string, string]> = []
      const heard = (to: string) => (...words: ReadonlyArray<unknown>) => void said.push([to, words.join(" ")])
      const console = yield* Effect.console
      const deaf = {
        ...console,
        unsafe: { ...console.unsafe, log: heard("out"), error: heard("error") }
      }
      const policy = Policy.fallback({ tool: "gone", why: "never" })
      const odd = <const Name extends string>(name: Name) => Tool.withTerms({ policy })(saying(name, "1"))
      yield* Effect.gen(function*() {
        const registry = yield* withTools(Toolkit.make(odd("first_text")))
        assert.lengthOf(said, 1)
        yield* registry.add(Toolkit.make(odd("second_text")))
        yield* registry.add(Toolkit.make(saying("third_text", "1")))
        yield* registry.remove("first_text")
        yield* registry.add(Toolkit.make(saying("fourth_text", "1")))
      }).pipe(Effect.withConsole(deaf), Logger.withMinimumLogLevel(LogLevel.Warning), Effect.provide(Logger.logFmt))
      assert.deepStrictEqual(said.map(([to]) => to), ["error", "error"])
      assert.include(said[0]?.[1], "The policy of first_text: the fallback names gone")
      assert.include(said[1]?.[1], "second_text")
    }))

  it.scoped("knows which arguments are mirrored", () =>
    Effect.gen(function*() {
      const stations = Tool.make("find_stations", {
        description: "Finds the stations of a region",
        parameters: { region: Schema.String },
        headers: { region: "Region" },
        success: Schema.String,
        safety: "readOnly"
      })
      const registry = yield* withTools(Toolkit.make(stations.implement(() => Evidence.computed("x", ""))))
      assert.deepStrictEqual(registry.headers("find_stations"), [
        { path: ["region"], header: "mcp-param-region", type: "string" }
      ])
      for (const name of ["constructor", "__proto__", "other"]) assert.isUndefined(registry.headers(name))
    }))
})
