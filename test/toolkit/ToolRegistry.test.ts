import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
import * as ToolCodec from "causeway-mcp/tool/ToolCodec"
import type { Body } from "causeway-mcp/tool/ToolError"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"

class Greeting extends Context.Tag("Greeting")<Greeting, string>() {}

const tool = <const Name extends string>(name: Name, scopes: ReadonlyArray<string> = []) =>
  Tool.make(name, {
    description: "A tool that serves the tests of the registry",
    parameters: { name: Schema.optional(Schema.String) },
    success: Schema.String,
    safety: "readOnly",
    scopes
  })

const greet = tool("greet").implement(({ name }) =>
  Effect.flatMap(Greeting, (greeting) => Evidence.computed("greet", `${greeting}, ${name ?? "you"}`))
)

const request = (name: string, args: unknown = {}, caller = Principal.local): ToolRegistry.Request => ({
  name,
  arguments: args,
  caller,
  requestId: 7,
  reportProgress: () => undefined,
  meta: {}
})

const body = (result: { readonly _meta?: { readonly [key: string]: unknown } }) =>
  result._meta?.[ToolCodec.errorMetaKey] as Body

const withTools = <R>(toolkit: Toolkit.Toolkit<R>, options?: ToolRegistry.Options) =>
  ToolRegistry.make(toolkit, options)

describe("ToolRegistry.layer", () => {
  it.effect("answers a call with the services its handlers need", () =>
    Effect.gen(function*() {
      const registry = yield* ToolRegistry.ToolRegistry
      const result = yield* registry.call(request("greet", { name: "Ada" }))
      assert.strictEqual(JSON.parse(result.structuredJson ?? "").data, "Hello, Ada")
    }).pipe(
      Effect.provide(ToolRegistry.layer(Toolkit.make(greet)).pipe(Layer.provide(Layer.succeed(Greeting, "Hello"))))
    ))

  it.effect("refuses names that stand twice or break the specification, all at once", () =>
    Effect.gen(function*() {
      const never = () => Effect.fail(new ToolError({ code: "not_found", message: "" }))
      const error = yield* Effect.flip(
        withTools(Toolkit.merge(
          Toolkit.make(tool("twice").implement(never), tool("a b").implement(never)),
          Toolkit.make(tool("twice").implement(never))
        ))
      )
      assert.lengthOf(error.problems, 2)
      assert.include(error.message, "tool \"twice\": the name stands twice")
      assert.include(error.message, "tool \"a b\"")
    }))
})

describe("ToolRegistry.list", () => {
  const never = () => Effect.fail(new ToolError({ code: "not_found", message: "" }))
  const toolkit = Toolkit.make(tool("open").implement(never), tool("shut", ["docs:write"]).implement(never))

  it.effect("lists in the order of registration, the same array each time", () =>
    Effect.gen(function*() {
      const registry = yield* withTools(toolkit)
      assert.deepStrictEqual(registry.list(Principal.local).map((t) => t.name), ["open", "shut"])
      assert.strictEqual(registry.list(Principal.local), registry.list(Principal.local))
    }))

  it.effect("hides a tool from a caller without its scopes, and refuses the call", () =>
    Effect.gen(function*() {
      const registry = yield* withTools(toolkit)
      const reader = Principal.make({ id: "r", scopes: ["docs:read"] })
      const writer = Principal.make({ id: "w", scopes: ["docs:write", "other"] })
      assert.deepStrictEqual(registry.list(reader).map((t) => t.name), ["open"])
      assert.deepStrictEqual(registry.list(writer).map((t) => t.name), ["open", "shut"])
      assert.strictEqual(registry.list(reader), registry.list(Principal.make({ id: "r2" })))
      assert.strictEqual(body(yield* registry.call(request("shut", {}, reader))).code, "insufficient_scope")
      assert.strictEqual(body(yield* registry.call(request("shut", {}, writer))).code, "not_found")
    }))

  it.effect("finds a tool by its own name only", () =>
    Effect.gen(function*() {
      const registry = yield* withTools(toolkit)
      assert.isTrue(Option.isSome(registry.find("open")))
      for (const name of ["constructor", "__proto__", "Open", ""]) assert.isTrue(Option.isNone(registry.find(name)))
    }))
})

describe("ToolRegistry.call", () => {
  it.effect("fails for a tool that is not there", () =>
    Effect.gen(function*() {
      const registry = yield* withTools(Toolkit.make())
      const error = yield* Effect.flip(registry.call(request("toString")))
      assert.deepStrictEqual([error.code, error.message], [-32602, "Unknown tool: toString"])
    }))

  it.effect("answers wrong arguments as a failure the agent can repair", () =>
    Effect.gen(function*() {
      const registry = yield* withTools(Toolkit.make(greet)).pipe(Effect.provideService(Greeting, "Hi"))
      const result = yield* registry.call(request("greet", { name: 3, nmae: "x" }))
      assert.isTrue(result.isError)
      assert.strictEqual(body(result).code, "invalid_input")
      assert.include(body(result).message, "name")
      assert.include(body(result).message, "nmae")
    }))

  it.effect("gives each call its caller, its request and its deadline", () =>
    Effect.gen(function*() {
      const whoAsks = tool("who_asks").implement(() =>
        Effect.gen(function*() {
          const call = yield* ToolCall.ToolCall
          const left = yield* ToolCall.remaining
          return yield* Evidence.computed(
            "who",
            `${call.caller.id} ${call.requestId} ${call.toolName} ${Duration.toMillis(left)}`
          )
        })
      )
      yield* TestClock.setTime(1_000_000)
      const registry = yield* withTools(Toolkit.make(whoAsks), { timeout: "3 seconds" })
      const result = yield* registry.call(request("who_asks", {}, Principal.make({ id: "ada" })))
      assert.strictEqual(JSON.parse(result.structuredJson ?? "").data, "ada 7 who_asks 3000")
    }))

  it.effect("ends a call at its deadline, interrupting the handler", () =>
    Effect.gen(function*() {
      const stopped = yield* Deferred.make<void>()
      const slow = tool("slow").implement(() =>
        Effect.never.pipe(Effect.onInterrupt(() => Deferred.succeed(stopped, undefined)))
      )
      const registry = yield* withTools(Toolkit.make(slow), { timeout: "2 seconds" })
      const fiber = yield* Effect.fork(registry.call(request("slow")))
      yield* TestClock.adjust("2 seconds")
      const result = yield* Fiber.join(fiber)
      assert.deepInclude(body(result), { code: "timed_out", retryable: true })
      yield* Deferred.await(stopped)
    }))

  it.effect("answers a defect with an incident that is in the log, and nothing of the defect", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make(({ cause, message }) => {
        lines.push(`${String(message)} ${String(cause)}`)
      })
      const registry = yield* withTools(Toolkit.make(
        tool("dies").implement(() => Effect.die(new Error("secret 123"))),
        tool("throws").implement((): Effect.Effect<never> => {
          throw new Error("secret 123")
        }),
        tool("stops").implement(() => Effect.interrupt),
        tool("lies").implement(() => Effect.succeed({ data: "bare" } as unknown as Evidence.Evidence<string>))
      ))
      for (const name of ["dies", "throws", "stops", "lies"]) {
        const result = yield* registry.call(request(name)).pipe(
          Effect.provide(Logger.replace(Logger.defaultLogger, logger))
        )
        assert.strictEqual(body(result).code, "internal", name)
        assert.notInclude(JSON.stringify(result), "secret")
        const incident = (body(result).details as { incident: string }).incident
        assert.isTrue(lines.some((line) => line.includes(incident) && line.includes(name)), name)
      }
      assert.isTrue(lines.some((line) => line.includes("secret 123")))
    }))

  it.effect("shows nothing of an error that the tool did not declare", () =>
    Effect.gen(function*() {
      class Driver extends Schema.TaggedError<Driver>()("Driver", { message: Schema.String }) {}
      const wrapped = Tool.wrap(
        tool("wrapped").implement(() => Effect.fail(new ToolError({ code: "not_found", message: "" }))),
        () => Effect.fail(new Driver({ message: "password secret-word" }))
      )
      const registry = yield* withTools(Toolkit.make(wrapped))
      const result = yield* registry.call(request("wrapped")).pipe(Logger.withMinimumLogLevel(LogLevel.None))
      assert.strictEqual(body(result).code, "internal")
      assert.notInclude(JSON.stringify(result), "secret-word")
    }))

  it.effect("is already an Exit when the handler's effect is one", () =>
    Effect.gen(function*() {
      const evidence = yield* Evidence.computed("x", "done")
      const registry = yield* withTools(Toolkit.make(tool("ready").implement(() => Effect.succeed(evidence))))
      assert.isTrue(Exit.isExit(registry.call(request("ready"))))
    }))

  it.effect("hands progress on to the client", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const counting = tool("counting").implement(() =>
        Effect.zipRight(ToolCall.progress({ progress: 1, total: 2 }), Evidence.computed("x", "done"))
      )
      const registry = yield* withTools(Toolkit.make(counting))
      yield* registry.call({ ...request("counting"), reportProgress: (update) => seen.push(update.progress) })
      assert.deepStrictEqual(seen, [1])
    }))
  it.effect("answers `internal` when an answer or a failure has no JSON form", () =>
    Effect.gen(function*() {
      const open = (name: string) =>
        Tool.make(name, {
          description: "A tool whose answer may be anything",
          success: Schema.Unknown,
          safety: "readOnly"
        })
      const circular: { self?: unknown } = {}
      circular.self = circular
      const toolkit = Toolkit.make(
        open("big").implement(() => Evidence.computed("big", 1n)),
        open("circular").implement(() => Effect.zipRight(Effect.yieldNow(), Evidence.computed("circular", circular))),
        open("failing").implement(() =>
          Effect.fail(new ToolError({ code: "not_found", message: "No", details: circular }))
        )
      )
      const registry = yield* withTools(toolkit)
      for (const name of ["big", "circular", "failing"]) {
        const result = yield* registry.call(request(name))
        assert.isTrue(result.isError, name)
        assert.strictEqual(body(result).code, "internal", name)
      }
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger))))
})
