import * as Ask from "causeway-mcp/ask/Ask"
import * as McpPrompt from "causeway-mcp/prompt/McpPrompt"
import { invalidArgument } from "causeway-mcp/prompt/PromptError"
import * as PromptRegistry from "causeway-mcp/prompt/PromptRegistry"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { describe, expect, test } from "tstyche"

class Store extends Context.Tag("Store")<Store, string>() {}
class Index extends Context.Tag("Index")<Index, ReadonlyArray<string>>() {}

const nothing = () => Effect.succeed([])

const review = McpPrompt.make("review", {
  description: "Reviews a part",
  arguments: { part: Schema.String, depth: Schema.optional(Schema.NumberFromString) },
  messages: (args) =>
    Effect.gen(function*() {
      expect(args).type.toBe<{ readonly part: string; readonly depth?: number | undefined }>()
      yield* Ask.url("Sign in", "https://example.com")
      const text = yield* Store
      if (text === "") return yield* invalidArgument("part", "There is no such part.")
      return [McpPrompt.user(text), McpPrompt.assistant("Noted.")]
    }),
  complete: { part: () => Index, depth: (value, { caller }) => Effect.succeed([value, caller.id]) }
})

describe("McpPrompt.make", () => {
  test("keeps what its handler and its completions need, less what a use brings along", () => {
    expect(review).type.toBe<McpPrompt.McpPrompt<Store | Index>>()
    expect(McpPrompt.make("x", { description: "", messages: nothing })).type.toBe<McpPrompt.McpPrompt<never>>()
  })

  test("refuses an error that a client could not be told", () => {
    expect(McpPrompt.make).type.not.toBeCallableWith("x", { description: "", messages: () => Effect.fail("other") })
    expect(McpPrompt.make).type.toBeCallableWith("x", {
      description: "",
      messages: () => Effect.fail(invalidArgument("part", "There is no such part."))
    })
  })

  test("refuses messages that are bare text", () => {
    McpPrompt.make("x", {
      description: "",
      // @ts-expect-error Type 'string' is not assignable to type 'Messages'
      messages: () => Effect.succeed("bare")
    })
  })

  test("refuses an argument that is not written as a string", () => {
    McpPrompt.make("x", {
      description: "",
      // @ts-expect-error an argument must be encoded as a string, as in Schema.NumberFromString
      arguments: { depth: Schema.Number },
      messages: nothing
    })
  })

  test("refuses to complete what is no argument", () => {
    McpPrompt.make("x", {
      description: "",
      arguments: { part: Schema.String },
      messages: nothing,
      // @ts-expect-error the prompt has no such argument
      complete: { parts: () => Effect.succeed([]) }
    })
  })
})

describe("PromptRegistry.layer", () => {
  test("needs what its prompts need, wherever they are made", () => {
    expect(PromptRegistry.layer([review, McpPrompt.make("x", { description: "", messages: nothing })])).type.toBe<
      Layer.Layer<PromptRegistry.PromptRegistry, PromptRegistry.PromptRegistryError, Store | Index>
    >()
    expect(PromptRegistry.layer([])).type.toBe<
      Layer.Layer<PromptRegistry.PromptRegistry, PromptRegistry.PromptRegistryError>
    >()
  })
})
