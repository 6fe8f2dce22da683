import { assert, describe, it } from "@effect/vitest"
import * as Ask from "causeway-mcp/ask/Ask"
import * as Asking from "causeway-mcp/ask/Asking"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Changes from "causeway-mcp/change/Changes"
import * as McpPrompt from "causeway-mcp/prompt/McpPrompt"
import { invalidArgument, type PromptError, unavailable } from "causeway-mcp/prompt/PromptError"
import * as PromptRegistry from "causeway-mcp/prompt/PromptRegistry"
import { McpError } from "causeway-mcp/protocol/McpError"
import type { PromptResult } from "causeway-mcp/protocol/McpSchema"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"

class Greeting extends Context.Tag("Greeting")<Greeting, string>() {}

const greeting = Layer.succeed(Greeting, "Hello")

const inputs: Asking.Inputs = {
  memo: Asking.nothing,
  responses: {},
  clientCapabilities: { elicitation: {} }
}

const request = (
  name: string,
  args: { readonly [name: string]: string } = {},
  caller = Principal.local,
  asking = inputs
): PromptRegistry.GetRequest => ({
  name,
  arguments: args,
  caller,
  requestId: 7,
  meta: {},
  progress: () => undefined,
  log: () => undefined,
  asking
})

const greet = McpPrompt.make("greet", {
  title: "Greet",
  description: "Greets somebody",
  arguments: {
    who: Schema.String.annotations({ title: "Who", description: "The name of whoever is greeted" }),
    times: Schema.NumberFromString.annotations({ description: "How often" }).pipe(
      Schema.optionalWith({ default: () => 1 })
    ),
    tone: Schema.optional(Schema.Literal("Formal", "friendly", "frosty"))
  },
  messages: ({ times, tone, who }) =>
    Effect.map(Greeting, (greeting) => [
      McpPrompt.user(`${greeting}, ${who}! `.repeat(times)),
      McpPrompt.assistant({ type: "text", text: tone ?? "plain" })
    ])
})

const plain = (name: string, messages: () => Effect.Effect<McpPrompt.Messages, McpPrompt.Failure, Asking.Asking>) =>
  McpPrompt.make(name, { description: "A prompt for tests", messages })

const completed = (result: PromptResult | Asking.Paused): PromptResult => {
  if (result._tag !== "Complete") throw new Error("the prompt is paused")
  return result
}

const reader = Principal.make({ id: "r", scopes: ["prompts:read"] })

describe("PromptRegistry.layer", () => {
  it.effect("makes messages with the services its handlers need", () =>
    Effect.gen(function*() {
      const registry = yield* PromptRegistry.PromptRegistry
      assert.deepStrictEqual(yield* registry.get(request("greet", { who: "Ada", times: "2", tone: "frosty" })), {
        _tag: "Complete",
        description: "Greets somebody",
        messages: [
          { role: "user", content: { type: "text", text: "Hello, Ada! Hello, Ada! " } },
          { role: "assistant", content: { type: "text", text: "frosty" } }
        ]
      })
    }).pipe(Effect.provide(PromptRegistry.layer([greet]).pipe(Layer.provide(greeting)))))

  it.effect("refuses everything that cannot be served, all at once", () =>
    Effect.gen(function*() {
      const messages = () => Effect.succeed([])
      const error = yield* Effect.flip(PromptRegistry.make([
        plain("twice", messages),
        plain("twice", messages),
        plain(" ", messages),
        plain("line\nbreak", messages),
        plain("n".repeat(129), messages),
        McpPrompt.make("completes", {
          description: "",
          messages,
          complete: { nothing: () => Effect.succeed([]) } as {}
        }),
        McpPrompt.make("formless", {
          description: "",
          arguments: { at: Schema.declare((input: unknown): input is string => typeof input === "string") },
          messages
        })
      ]))
      const expected = [
        "prompt \"twice\": the name stands twice",
        "prompt \" \": a name has 1 to 128 characters",
        "prompt \"line\\nbreak\": a name has",
        "prompt \"nnn",
        "prompt \"completes\": the completed \"nothing\" is no argument",
        "prompt \"formless\": an argument has no JSON form"
      ]
      assert.lengthOf(error.problems, expected.length)
      for (const problem of expected) assert.include(error.message, problem)
    }))
})

describe("PromptRegistry.list", () => {
  it.effect("describes each argument: whether it is required, and what it is for", () =>
    Effect.gen(function*() {
      const registry = yield* PromptRegistry.make([greet])
      assert.deepStrictEqual(registry.list(reader), [{
        name: "greet",
        title: "Greet",
        description: "Greets somebody",
        arguments: [
          { name: "who", title: "Who", description: "The name of whoever is greeted", required: true },
          { name: "times", description: "How often", required: false },
          { name: "tone", required: false }
        ]
      }])
    }).pipe(Effect.provide(greeting)))

  it.effect("shows each caller what it may see, the same array as long as nothing changes", () =>
    Effect.gen(function*() {
      const messages = () => Effect.succeed([])
      const registry = yield* PromptRegistry.make([
        plain("open", messages),
        McpPrompt.make("shut", { description: "", scopes: ["prompts:admin"], messages })
      ])
      assert.deepStrictEqual(registry.list(reader), [{ name: "open", description: "A prompt for tests" }])
      assert.lengthOf(registry.list(Principal.local), 2)
      assert.strictEqual(registry.list(reader), registry.list(Principal.make({ id: "other" })))
      const hidden = yield* Effect.flip(registry.get(request("shut", {}, reader)))
      assert.deepStrictEqual([hidden.code, hidden.message], [-32602, "Unknown prompt: shut"])
      assert.strictEqual(completed(yield* registry.get(request("shut"))).description, "")
    }))
})

describe("PromptRegistry.get", () => {
  const failing = (args: { readonly [name: string]: string }) =>
    Effect.flip(
      Effect.flatMap(Effect.orDie(PromptRegistry.make([greet])), (registry) => registry.get(request("greet", args)))
    ).pipe(Effect.provide(greeting))

  it.effect("refuses a name that is not there", () =>
    Effect.gen(function*() {
      const registry = yield* PromptRegistry.make([])
      for (const name of ["none", "constructor", "__proto__", "x".repeat(5000)]) {
        const error = yield* Effect.flip(registry.get(request(name)))
        assert.deepStrictEqual([error.code, error.message], [-32602, `Unknown prompt: ${name.slice(0, 128)}`])
      }
    }))

  it.effect("names the required argument that is missing", () =>
    Effect.gen(function*() {
      const error = yield* failing({ times: "2" })
      assert.deepStrictEqual([error.code, error.message, error.data], [
        -32602,
        "The prompt greet needs the argument who",
        { missing: ["who"] }
      ])
    }))

  it.effect("says what is wrong with each argument that does not fit", () =>
    Effect.gen(function*() {
      const error = yield* failing({ who: "Ada", times: "often", tone: "rude", extra: "x" })
      assert.strictEqual(error.code, -32602)
      assert.include(error.message, "times: Unable to decode \"often\" into a number")
      assert.include(error.message, "tone: Expected \"Formal\"")
      assert.include(error.message, "extra: is unexpected")
      assert.notInclude(error.message, "undefined")
    }))

  it.effect("is already an Exit when the handler's effect is one", () =>
    Effect.gen(function*() {
      const registry = yield* PromptRegistry.make([
        plain("now", () => Effect.succeed(McpPrompt.user("now"))),
        plain("later", () => Effect.sync(() => McpPrompt.user("later")))
      ])
      assert.isTrue(Exit.isExit(registry.get(request("now"))))
      assert.isTrue(Exit.isExit(registry.get(request("none"))))
      assert.isFalse(Exit.isExit(registry.get(request("later"))))
      assert.deepStrictEqual(completed(yield* registry.get(request("later"))).messages, [McpPrompt.user("later")])
    }))

  it.effect("tells the client why a prompt cannot be made, and nothing of the cause", () =>
    Effect.gen(function*() {
      const registry = yield* PromptRegistry.make([
        plain("down", () => Effect.fail(unavailable("The texts are being renewed.", new Error("secret 123")))),
        plain("odd", () => Effect.fail(invalidArgument("who", "Nobody has that name."))),
        plain("own", () => Effect.fail(new McpError({ code: 1234, message: "own words" })))
      ])
      const errorOf = (name: string) =>
        Effect.map(Effect.flip(registry.get(request(name))), ({ code, data, message }) => ({ code, message, data }))
      assert.deepStrictEqual(yield* errorOf("down"), {
        code: -32603,
        message: "The texts are being renewed.",
        data: undefined
      })
      assert.deepStrictEqual(yield* errorOf("odd"), {
        code: -32602,
        message: "Nobody has that name.",
        data: { problems: [{ argument: "who", message: "Nobody has that name." }] }
      })
      assert.deepInclude(yield* errorOf("own"), { code: 1234, message: "own words" })
    }))

  it.effect("leaves defects to the protocol, and makes one of what would leave the client without an answer", () =>
    Effect.gen(function*() {
      const registry = yield* PromptRegistry.make([
        plain("dies", () => Effect.die("a defect")),
        plain("throws", () => {
          throw new Error("thrown")
        }),
        plain("stops", () => Effect.interrupt),
        plain("lies", () => Effect.fail("undeclared" as unknown as PromptError))
      ])
      for (const name of ["dies", "throws", "stops", "lies"]) {
        const exit = yield* Effect.exit(registry.get(request(name)))
        assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause), name)
      }
    }))

  it.effect("ends a prompt that takes too long", () =>
    Effect.gen(function*() {
      const stopped = yield* Deferred.make<void>()
      const registry = yield* PromptRegistry.make([
        plain("slow", () => Effect.onInterrupt(Effect.never, () => Deferred.succeed(stopped, undefined)))
      ])
      const fiber = yield* Effect.fork(Effect.flip(registry.get(request("slow"))))
      yield* TestClock.adjust("30 seconds")
      const error = yield* Fiber.join(fiber)
      assert.deepStrictEqual([error.code, error.message], [-32603, "The prompt was not ready within 30s. Try again."])
      yield* Deferred.await(stopped)
    }))

  it.effect("hands each handler who asks, for what, and where progress and logs go", () =>
    Effect.gen(function*() {
      const told: Array<unknown> = []
      const registry = yield* PromptRegistry.make([
        McpPrompt.make("x", {
          description: "",
          messages: (_, call) =>
            Effect.sync(() => {
              call.progress({ progress: 1 })
              call.log({ level: "info", data: call.meta })
              return McpPrompt.user(`${call.name} ${call.caller.id} ${call.requestId}`)
            })
        })
      ])
      const result = yield* registry.get({
        ...request("x", {}, reader),
        meta: { k: 1 },
        progress: (update) => told.push(update),
        log: (message) => told.push(message)
      })
      assert.deepStrictEqual(completed(result).messages, [McpPrompt.user("x r 7")])
      assert.deepStrictEqual(told, [{ progress: 1 }, { level: "info", data: { k: 1 } }])
    }))

  it.effect("is paused where the user must be asked, and goes on with the answer", () =>
    Effect.gen(function*() {
      const registry = yield* PromptRegistry.make([
        plain("asked", () =>
          Effect.map(
            Effect.orDie(Ask.form("Which topic?", Schema.Struct({ topic: Schema.String }), { key: "topic" })),
            ({ topic }) => McpPrompt.user(topic)
          ))
      ])
      const paused = yield* registry.get(request("asked"))
      assert.strictEqual(paused._tag, "Paused")
      if (paused._tag !== "Paused") return
      assert.deepStrictEqual(Object.keys(paused.requests), ["topic"])
      const result = yield* registry.get(request("asked", {}, Principal.local, {
        ...inputs,
        memo: paused.memo,
        responses: { topic: { action: "accept", content: { topic: "tides" } } }
      }))
      assert.deepStrictEqual(completed(result).messages, [McpPrompt.user("tides")])
    }))
})

describe("PromptRegistry.complete", () => {
  const prompts = [
    greet,
    McpPrompt.make("ask", {
      description: "",
      arguments: { about: Schema.String, many: Schema.optional(Schema.String) },
      messages: () => Effect.succeed([]),
      complete: {
        about: (value, { arguments: chosen, caller }) =>
          Effect.map(Greeting, (greeting) => [value, greeting, caller.id, chosen.many ?? "none"]),
        many: () => Effect.succeed(Array.from({ length: 101 }, (_, n) => String(n)))
      }
    }),
    McpPrompt.make("shut", { description: "", scopes: ["prompts:admin"], messages: () => Effect.succeed([]) })
  ] as const
  const ask = (name: string, argument: string, value: string, caller = reader) =>
    Effect.flatMap(
      Effect.orDie(PromptRegistry.make(prompts)),
      (registry) => registry.complete({ name, argument: { name: argument, value }, context: { many: "m" }, caller })
    ).pipe(Effect.provide(greeting))

  it.effect("completes literals by themselves, by their beginning and whatever the case", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* ask("greet", "tone", "f"), {
        values: ["Formal", "friendly", "frosty"],
        total: 3,
        hasMore: false
      })
      assert.deepStrictEqual((yield* ask("greet", "tone", "FR")).values, ["friendly", "frosty"])
      assert.deepStrictEqual((yield* ask("greet", "tone", "x")).values, [])
      assert.deepStrictEqual(yield* ask("greet", "who", ""), { values: [], total: 0, hasMore: false })
    }))

  it.effect("asks the prompt's own completion, with the caller and what was chosen", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* ask("ask", "about", "ty")).values, ["ty", "Hello", "r", "m"])
      const { hasMore, total, values } = yield* ask("ask", "many", "")
      assert.deepStrictEqual([values.length, values[99], total, hasMore], [100, "99", 101, true])
    }))

  it.effect("refuses a prompt or an argument that this caller cannot know", () =>
    Effect.gen(function*() {
      for (const name of ["none", "shut", "toString"]) {
        const error = yield* Effect.flip(ask(name, "who", ""))
        assert.deepStrictEqual([error.code, error.message], [-32602, `Unknown prompt: ${name}`])
      }
      const error = yield* Effect.flip(ask("greet", "constructor", ""))
      assert.deepStrictEqual([error.code, error.message], [
        -32602,
        "The prompt greet has no argument \"constructor\""
      ])
    }))
})

describe("PromptRegistry.add and remove", () => {
  it.effect("changes what is listed and made, and announces it", () =>
    Effect.gen(function*() {
      const events: Array<string> = []
      const changes = Layer.succeed(Changes.Changes, {
        publish: (event) => Effect.sync(() => events.push(event._tag)),
        listen: () => () => undefined
      })
      yield* Effect.gen(function*() {
        const registry = yield* PromptRegistry.PromptRegistry
        assert.deepStrictEqual(registry.list(reader), [])
        yield* registry.add(greet, plain("other", () => Effect.succeed([])))
        assert.deepStrictEqual(registry.list(reader).map(({ name }) => name), ["greet", "other"])
        assert.lengthOf(completed(yield* registry.get(request("greet", { who: "Ada" }))).messages, 2)
        yield* registry.add(plain("greet", () => Effect.succeed(McpPrompt.user("anew"))))
        assert.deepStrictEqual(registry.list(reader).map(({ name }) => name), ["greet", "other"])
        assert.deepStrictEqual(completed(yield* registry.get(request("greet"))).messages, [McpPrompt.user("anew")])
        assert.isTrue(yield* registry.remove("greet"))
        assert.isFalse(yield* registry.remove("greet"))
        assert.deepStrictEqual(events, ["PromptsChanged", "PromptsChanged", "PromptsChanged"])
        const error = yield* Effect.flip(
          registry.add(plain("new", () => Effect.succeed([])), plain("", () => Effect.succeed([])))
        )
        assert.instanceOf(error, PromptRegistry.PromptRegistryError)
        assert.deepStrictEqual(registry.list(reader).map(({ name }) => name), ["other"])
        assert.lengthOf(events, 3)
      }).pipe(Effect.provide(PromptRegistry.layer([]).pipe(Layer.provide(changes))), Effect.provide(greeting))
    }))
})
