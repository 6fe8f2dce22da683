import { assert, describe, it } from "@effect/vitest"
import * as Ask from "causeway-mcp/ask/Ask"
import type * as Asking from "causeway-mcp/ask/Asking"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Policy from "causeway-mcp/policy/Policy"
import { invalidParams, missingClientCapability } from "causeway-mcp/protocol/McpError"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
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
import { answer, body, greet, Greeting, request, tool, withTools } from "./bench.js"

describe("ToolRegistry.layer", () => {
  it.scoped("answers a call with the services its handlers need", () =>
    Effect.gen(function*() {
      const registry = yield* ToolRegistry.ToolRegistry
      const result = yield* answer(registry, request("greet", { name: "Ada" }))
      assert.strictEqual(JSON.parse(result.structuredJson ?? "").data, "Hello, Ada")
    }).pipe(
      Effect.provide(ToolRegistry.layer(Toolkit.make(greet)).pipe(Layer.provide(Layer.succeed(Greeting, "Hello"))))
    ))

  it.scoped("refuses names that stand twice or break the specification, all at once", () =>
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

  it.scoped("lists in the order of registration, the same array each time", () =>
    Effect.gen(function*() {
      const registry = yield* withTools(toolkit)
      assert.deepStrictEqual(registry.list(Principal.local).map((t) => t.name), ["open", "shut"])
      assert.strictEqual(registry.list(Principal.local), registry.list(Principal.local))
    }))

  it.scoped("hides a tool from a caller without its scopes, and refuses the call", () =>
    Effect.gen(function*() {
      const registry = yield* withTools(toolkit)
      const reader = Principal.make({ id: "r", scopes: ["docs:read"] })
      const writer = Principal.make({ id: "w", scopes: ["docs:write", "other"] })
      assert.deepStrictEqual(registry.list(reader).map((t) => t.name), ["open"])
      assert.deepStrictEqual(registry.list(writer).map((t) => t.name), ["open", "shut"])
      assert.strictEqual(registry.list(reader), registry.list(Principal.make({ id: "r2" })))
      assert.strictEqual(body(yield* answer(registry, request("shut", {}, reader))).code, "insufficient_scope")
      assert.strictEqual(body(yield* answer(registry, request("shut", {}, writer))).code, "not_found")
    }))

  it.scoped("finds a tool by its own name only", () =>
    Effect.gen(function*() {
      const registry = yield* withTools(toolkit)
      assert.isTrue(Option.isSome(registry.find("open")))
      for (const name of ["constructor", "__proto__", "Open", ""]) assert.isTrue(Option.isNone(registry.find(name)))
    }))
})

describe("ToolRegistry.call", () => {
  it.scoped("fails for a tool that is not there", () =>
    Effect.gen(function*() {
      const registry = yield* withTools(Toolkit.make())
      const error = yield* Effect.flip(registry.call(request("toString")))
      assert.deepStrictEqual([error.code, error.message], [-32602, "Unknown tool: toString"])
    }))

  it.scoped("answers wrong arguments as a failure the agent can repair", () =>
    Effect.gen(function*() {
      const registry = yield* withTools(Toolkit.make(greet)).pipe(Effect.provideService(Greeting, "Hi"))
      const result = yield* answer(registry, request("greet", { name: 3, nmae: "x" }))
      assert.isTrue(result.isError)
      assert.strictEqual(body(result).code, "invalid_input")
      assert.include(body(result).message, "name")
      assert.include(body(result).message, "nmae")
    }))

  it.scoped("gives each call its caller, its request and its deadline", () =>
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
      const registry = yield* withTools(Toolkit.make(whoAsks), { policy: Policy.timeout("3 seconds") })
      const result = yield* answer(registry, request("who_asks", {}, Principal.make({ id: "ada" })))
      assert.strictEqual(JSON.parse(result.structuredJson ?? "").data, "ada 7 who_asks 3000")
    }))

  it.scoped("ends a call at its deadline, interrupting the handler", () =>
    Effect.gen(function*() {
      const stopped = yield* Deferred.make<void>()
      const slow = tool("slow").implement(() =>
        Effect.never.pipe(Effect.onInterrupt(() => Deferred.succeed(stopped, undefined)))
      )
      const registry = yield* withTools(Toolkit.make(slow), { policy: Policy.timeout("2 seconds") })
      const fiber = yield* Effect.fork(answer(registry, request("slow")))
      yield* TestClock.adjust("2 seconds")
      const result = yield* Fiber.join(fiber)
      assert.deepInclude(body(result), { code: "timed_out", retryable: true })
      yield* Deferred.await(stopped)
    }))

  it.scoped("answers a defect with an incident that is in the log, and nothing of the defect", () =>
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
        const result = yield* answer(registry, request(name)).pipe(
          Effect.provide(Logger.replace(Logger.defaultLogger, logger))
        )
        assert.strictEqual(body(result).code, "internal", name)
        assert.notInclude(JSON.stringify(result), "secret")
        const incident = (body(result).details as { incident: string }).incident
        assert.isTrue(lines.some((line) => line.includes(incident) && line.includes(name)), name)
      }
      assert.isTrue(lines.some((line) => line.includes("secret 123")))
    }))

  it.scoped("shows nothing of an error that the tool did not declare", () =>
    Effect.gen(function*() {
      class Driver extends Schema.TaggedError<Driver>()("Driver", { message: Schema.String }) {}
      const wrapped = Tool.wrap(
        tool("wrapped").implement(() => Effect.fail(new ToolError({ code: "not_found", message: "" }))),
        () => Effect.fail(new Driver({ message: "password secret-word" }))
      )
      const registry = yield* withTools(Toolkit.make(wrapped))
      const result = yield* answer(registry, request("wrapped")).pipe(Logger.withMinimumLogLevel(LogLevel.None))
      assert.strictEqual(body(result).code, "internal")
      assert.notInclude(JSON.stringify(result), "secret-word")
    }))

  it.scoped("is already an Exit when the handler's effect is one", () =>
    Effect.gen(function*() {
      const evidence = yield* Evidence.computed("x", "done")
      const registry = yield* withTools(Toolkit.make(tool("ready").implement(() => Effect.succeed(evidence))))
      assert.isTrue(Exit.isExit(registry.call(request("ready"))))
    }))

  it.scoped("hands progress on to the client", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const counting = tool("counting").implement(() =>
        Effect.zipRight(ToolCall.progress({ progress: 1, total: 2 }), Evidence.computed("x", "done"))
      )
      const registry = yield* withTools(Toolkit.make(counting))
      yield* registry.call({ ...request("counting"), reportProgress: (update) => seen.push(update.progress) })
      assert.deepStrictEqual(seen, [1])
    }))
  it.scoped("answers `internal` when an answer or a failure has no JSON form", () =>
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
        const result = yield* answer(registry, request(name))
        assert.isTrue(result.isError, name)
        assert.strictEqual(body(result).code, "internal", name)
      }
    }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger))))

  it.scoped("pauses while an answer of the user is missing, and goes on when it has come", () =>
    Effect.gen(function*() {
      let runs = 0
      const confirming = tool("confirming").implement(() =>
        Effect.gen(function*() {
          const run = yield* Ask.step("count", Effect.sync(() => ++runs))
          const { sure } = yield* Ask.form("Sure?", Schema.Struct({ sure: Schema.Boolean }), { key: "sure" })
          return yield* Evidence.computed("confirming", `${run} ${sure}`)
        })
      )
      const registry = yield* withTools(Toolkit.make(confirming))
      const first = yield* registry.call(request("confirming"))
      assert.strictEqual(first._tag, "Paused")
      if (first._tag !== "Paused") return
      assert.strictEqual(first.requests.sure?.method, "elicitation/create")
      const go = (response: unknown) =>
        answer(registry, {
          ...request("confirming"),
          asking: { memo: first.memo, responses: { sure: response }, clientCapabilities: { elicitation: {} } }
        })
      const done = yield* go({ action: "accept", content: { sure: true } })
      assert.strictEqual(JSON.parse(done.structuredJson ?? "").data, "1 true")
      assert.deepInclude(body(yield* go({ action: "decline" })), { code: "declined", retryable: false })
      assert.deepInclude(body(yield* go({ action: "cancel" })), { code: "cancelled", retryable: false })
      assert.strictEqual(runs, 1)
    }))

  it.scoped("is paused whatever the handler makes of it: an answer, a failure, or no end in time", () =>
    Effect.gen(function*() {
      const asks = Ask.form("Sure?", Schema.Struct({ sure: Schema.Boolean }))
      const ways: Record<string, Effect.Effect<unknown, ToolError | Ask.NotAnswered, Asking.Asking>> = {
        catching: Effect.catchAllCause(asks, () => Effect.void),
        failing: Effect.catchAllCause(asks, () => new ToolError({ code: "not_found", message: "" })),
        lingering: Effect.ensuring(asks, Effect.sleep("1 hour"))
      }
      const registry = yield* withTools(
        Toolkit.make(
          ...Object.entries(ways).map(([name, way]) =>
            tool(name).implement(() => Effect.zipRight(way, Evidence.computed("x", "done")))
          )
        ),
        { policy: Policy.timeout("2 seconds") }
      )
      for (const name of Object.keys(ways)) {
        const fiber = yield* Effect.fork(registry.call(request(name)))
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "Paused", name)
      }
    }).pipe(Logger.withMinimumLogLevel(LogLevel.None)))

  it.scoped("passes an error of the protocol on as one", () =>
    Effect.gen(function*() {
      const registry = yield* withTools(Toolkit.make(
        tool("now").implement(() => Effect.fail(missingClientCapability({ sampling: {} }))),
        tool("later").implement(() =>
          Effect.zipRight(Effect.yieldNow(), Effect.fail(invalidParams("no", { uri: "x" })))
        )
      ))
      const now = yield* Effect.flip(registry.call(request("now")))
      assert.deepStrictEqual([now.code, now.data], [-32021, { requiredCapabilities: { sampling: {} } }])
      const later = yield* Effect.flip(registry.call(request("later")))
      assert.deepStrictEqual([later.code, later.data], [-32602, { uri: "x" }])
    }))

  it.scoped("lets a task take as long as it does", () =>
    Effect.gen(function*() {
      const left = tool("left").implement(() =>
        Effect.zipRight(
          Effect.sleep("2 hours"),
          Effect.flatMap(ToolCall.remaining, (left) => Evidence.computed("left", String(Duration.isFinite(left))))
        )
      )
      const registry = yield* withTools(Toolkit.make(left))
      const fiber = yield* Effect.fork(answer(registry, { ...request("left"), isTask: true }))
      yield* TestClock.adjust("2 hours")
      assert.strictEqual(JSON.parse((yield* Fiber.join(fiber)).structuredJson ?? "").data, "false")
    }))

  it.scoped("does not hold an answer for a handler that cannot be interrupted", () =>
    Effect.gen(function*() {
      const release = yield* Deferred.make<void>()
      const stuck = tool("stuck").implement(() =>
        Effect.zipRight(Effect.uninterruptible(Deferred.await(release)), Evidence.computed("x", "done"))
      )
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      const registry = yield* withTools(Toolkit.make(stuck), { policy: Policy.timeout("1 second") })
      const fiber = yield* Effect.fork(Effect.provide(
        answer(registry, request("stuck")),
        Logger.replace(Logger.defaultLogger, logger)
      ))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(body(yield* Fiber.join(fiber)).code, "timed_out")
      assert.include(lines.join(), "Tool stuck still runs")
      yield* Deferred.succeed(release, undefined)
    }))

  it.scoped("interrupts the handler, and waits for it, when the call is interrupted", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      let isTidy = false
      const slow = tool("slow").implement(() =>
        Effect.zipRight(Deferred.succeed(asked, undefined), Effect.never).pipe(
          Effect.onInterrupt(() => Effect.zipRight(Effect.yieldNow(), Effect.sync(() => (isTidy = true))))
        )
      )
      const registry = yield* withTools(Toolkit.make(slow))
      const fiber = yield* Effect.fork(registry.call(request("slow")))
      yield* Deferred.await(asked)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
      assert.isTrue(isTidy)
    }))

  it.scoped("hands log messages and the wish to be a task on", () =>
    Effect.gen(function*() {
      const messages: Array<unknown> = []
      const working = Tool.make("working", {
        description: "Works for longer than anyone waits",
        success: Schema.Boolean,
        safety: "effectful",
        task: "optional",
        taskBegins: "whenTold"
      }).implement(() =>
        Effect.zipRight(
          ToolCall.log("warning", { disk: "full" }, "disk"),
          Effect.flatMap(ToolCall.continueAsTask, (isTask) => Evidence.computed("x", isTask))
        )
      )
      const registry = yield* Effect.provide(withTools(Toolkit.make(working)), TaskStore.layerMemory)
      assert.deepStrictEqual(registry.task("working"), { support: "optional", begins: "whenTold" })
      const result = yield* answer(registry, {
        ...request("working"),
        log: (message) => void messages.push(message),
        beginTask: Effect.succeed(true)
      })
      assert.isTrue(JSON.parse(result.structuredJson ?? "").data)
      assert.deepStrictEqual(messages, [{ level: "warning", data: { disk: "full" }, logger: "disk" }])
    }))

  it.scoped("finds services around the call, of the registration before those", () =>
    Effect.gen(function*() {
      class Around extends Context.Tag("Around")<Around, string>() {}
      const seen = tool("seen").implement(() =>
        Effect.gen(function*() {
          const around = yield* Effect.serviceOption(Around)
          const span = yield* Effect.option(Effect.currentSpan)
          const name = Option.match(span, { onNone: () => "none", onSome: (span) => span.name })
          return yield* Evidence.computed("x", `${yield* Greeting} ${Option.getOrElse(around, () => "?")} ${name}`)
        })
      )
      const registry = yield* withTools(Toolkit.make(seen)).pipe(
        Effect.provideService(Greeting, "registered"),
        Effect.withSpan("registration")
      )
      const called = answer(registry, request("seen")).pipe(
        Effect.provideService(Greeting, "ambient"),
        Effect.provideService(Around, "around"),
        Effect.withSpan("call")
      )
      assert.strictEqual(JSON.parse((yield* called).structuredJson ?? "").data, "registered around call")
    }))
})
