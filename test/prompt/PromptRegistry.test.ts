import { assert, describe, it } from "@effect/vitest"
import type * as Asking from "causeway-mcp/ask/Asking"
import * as Principal from "causeway-mcp/auth/Principal"
import * as McpPrompt from "causeway-mcp/prompt/McpPrompt"
import { invalidArgument, type PromptError, unavailable } from "causeway-mcp/prompt/PromptError"
import * as PromptRegistry from "causeway-mcp/prompt/PromptRegistry"
import type { PromptResult } from "causeway-mcp/protocol/McpSchema"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as RegistryLaws from "../catalog/RegistryLaws.js"
import { completed, reader } from "../catalog/RegistryLaws.js"

class Greeting extends Context.Tag("Greeting")<Greeting, string>() {}

const greeting = Layer.succeed(Greeting, "Hello")

const request = (
  name: string,
  args: { readonly [name: string]: string } = {},
  caller = Principal.local
): PromptRegistry.GetRequest => ({ ...RegistryLaws.request(caller), name, arguments: args })

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

  it.effect("says which argument cannot be used", () =>
    Effect.gen(function*() {
      const registry = yield* PromptRegistry.make([
        plain("odd", () => Effect.fail(invalidArgument("who", "Nobody has that name.")))
      ])
      const { code, data, message } = yield* Effect.flip(registry.get(request("odd")))
      assert.deepStrictEqual([code, message, data], [
        -32602,
        "Nobody has that name.",
        { problems: [{ argument: "who", message: "Nobody has that name." }] }
      ])
    }))

  it.effect("hands each handler the name it goes by", () =>
    Effect.gen(function*() {
      const registry = yield* PromptRegistry.make([
        McpPrompt.make("x", { description: "", messages: (_, call) => Effect.succeed(McpPrompt.user(call.name)) })
      ])
      assert.deepStrictEqual(completed(yield* registry.get(request("x"))).messages, [McpPrompt.user("x")])
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

const laid = (entries: RegistryLaws.Entries<PromptError>) =>
  Object.entries(entries).map(([name, entry]) => {
    const { run, scopes = [] } = RegistryLaws.entryOf(entry)
    return McpPrompt.make(name, {
      description: "",
      scopes,
      messages: (_, call) => RegistryLaws.giving(run, (text) => McpPrompt.user(text))(call)
    })
  })

RegistryLaws.suite<PromptError, PromptResult>("PromptRegistry", {
  noun: "prompt",
  changed: "PromptsChanged",
  unavailable,
  wrongKey: "line\nbreak",
  textOf: ({ messages: [message] }) => message?.content.type === "text" ? message.content.text : undefined,
  open: (entries, timeout) =>
    Effect.map(PromptRegistry.make(laid(entries), { timeout }), (registry) => ({
      call: (name, given) => registry.get({ ...given, name, arguments: {} }),
      list: (caller) => Effect.succeed(registry.list(caller)),
      add: (entries) => registry.add(...laid(entries)),
      remove: registry.remove
    }))
})
