import * as Ask from "causeway-mcp/ask/Ask"
import type { Asking } from "causeway-mcp/ask/Asking"
import { invalidParams } from "causeway-mcp/protocol/McpError"
import type { TaskStore } from "causeway-mcp/task/TaskStore"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, test } from "tstyche"

class Store
  extends Context.Tag("Store")<Store, { readonly find: (query: string) => Effect.Effect<ReadonlyArray<string>> }>()
{}
class Missing extends Schema.TaggedError<Missing>()("Missing", { what: Schema.String }) {}

const Search = Tool.make("search_notes", {
  description: "Finds notes that hold all the words",
  parameters: { query: Schema.NonEmptyString, limit: Schema.optional(Schema.Int) },
  success: Schema.Array(Schema.String),
  failure: Missing,
  safety: "readOnly"
})

declare const evidence: Evidence.Evidence<ReadonlyArray<string>>

describe("Tool.make", () => {
  test("infers the input, the answer and the safety", () => {
    expect<Tool.Input<typeof Search>>().type.toBe<{ readonly query: string; readonly limit?: number | undefined }>()
    expect<Tool.Answer<typeof Search>>().type.toBe<Evidence.Evidence<ReadonlyArray<string>>>()
    expect(Search.name).type.toBe<"search_notes">()
    expect(Search.safety).type.toBe<"readOnly">()
  })
  test("keeps the handler's requirements and failures", () => {
    const handler = Search.implement(({ query }) =>
      Effect.gen(function*() {
        const store = yield* Store
        const found = yield* store.find(query)
        if (found.length === 0) return yield* new Missing({ what: query })
        return evidence
      })
    )
    expect<Tool.Requirements<typeof handler>>().type.toBe<Store>()
  })
  test("refuses a handler that answers a bare value", () => {
    expect(Search.implement).type.not.toBeCallableWith(() => Effect.succeed(["bare"]))
    expect(Search.implement).type.toBeCallableWith(() => Effect.succeed(evidence))
  })
  test("refuses evidence of other data", () => {
    expect(Search.implement).type.not.toBeCallableWith(() =>
      Effect.succeed(Evidence.make({ data: 1, confidence: 1, sources: evidence.sources }))
    )
  })
  test("refuses an error that was not declared", () => {
    expect(Search.implement).type.not.toBeCallableWith(() => Effect.fail("other"))
    expect(Search.implement).type.toBeCallableWith(() => Effect.fail(new Missing({ what: "x" })))
    expect(Search.implement).type.toBeCallableWith(() => Effect.fail(new ToolError({ code: "not_found", message: "" })))
  })
  test("takes a whole schema for parameters", () => {
    const Whole = Tool.make("read_a_note", {
      description: "Reads one note by its id",
      parameters: Schema.Struct({ id: Schema.String }),
      success: Schema.String,
      safety: "idempotent"
    })
    expect<Tool.Input<typeof Whole>>().type.toBe<{ readonly id: string }>()
  })
  test("takes errors of the protocol and questions without an answer from any handler", () => {
    const asking = Search.implement(() =>
      Effect.zipRight(Ask.form("Sure?", Schema.Struct({ sure: Schema.Boolean })), Effect.fail(invalidParams("no")))
    )
    expect<Tool.Requirements<typeof asking>>().type.toBe<Asking>()
  })
})

const LongOptions = {
  description: "Takes longer than anybody waits",
  success: Schema.Array(Schema.String),
  safety: "effectful"
} as const

describe("a tool that may be a task", () => {
  const answer = () => Effect.succeed(evidence)
  test("needs a store for tasks, and no other tool does", () => {
    const optional = Tool.make("a_tool", { ...LongOptions, task: "optional" }).implement(answer)
    expect<Tool.Requirements<typeof optional>>().type.toBe<TaskStore>()
    const required = Tool.make("a_tool", { ...LongOptions, task: "required", taskBegins: "whenTold" })
      .implement(() => Effect.as(Store, evidence))
    expect<Tool.Requirements<typeof required>>().type.toBe<TaskStore | Store>()
    const forbidden = Tool.make("a_tool", { ...LongOptions, task: "forbidden" }).implement(answer)
    expect<Tool.Requirements<typeof forbidden>>().type.toBe<never>()
    const plain = Tool.make("a_tool", LongOptions).implement(answer)
    expect<Tool.Requirements<typeof plain>>().type.toBe<never>()
    const raw = Tool.raw("a_tool", { description: "", safety: "readOnly", task: "required" })
      .implement(() => Effect.succeed({}))
    expect<Tool.Requirements<typeof raw>>().type.toBe<TaskStore>()
    const handled = Tool.handle("a_tool", { ...LongOptions, task: "optional", handler: answer })
    expect<Tool.Requirements<typeof handled>>().type.toBe<TaskStore>()
  })
  test("is still any tool, and keeps what it takes and answers", () => {
    const optional = Tool.make("a_tool", { ...LongOptions, parameters: { n: Schema.Int }, task: "optional" })
    expect(optional).type.toBeAssignableTo<Tool.Any>()
    expect<Tool.Input<typeof optional>>().type.toBe<{ readonly n: number }>()
    expect<Tool.Answer<typeof optional>>().type.toBe<Evidence.Evidence<ReadonlyArray<string>>>()
  })
  test("refuses other words", () => {
    expect(Tool.make).type.not.toBeCallableWith("a_tool", { ...LongOptions, task: "sometimes" })
  })
})

describe("Tool.raw", () => {
  const options = { description: "Hands a call on", safety: "effectful" } as const
  const anything = { type: "object" }
  test("takes its schemas from Effect, or foreign ones", () => {
    const own = Tool.raw("a_tool", {
      ...options,
      parameters: { n: Schema.NumberFromString },
      success: Schema.Struct({ m: Schema.Number })
    })
    expect<Tool.Input<typeof own>>().type.toBe<{ readonly n: number }>()
    expect<Tool.Answer<typeof own>>().type.toBe<Tool.RawAnswer<{ readonly m: number }>>()
    const foreign = Tool.raw("a_tool", { ...options, inputSchema: anything, outputSchema: anything })
    expect<Tool.Input<typeof foreign>>().type.toBe<{ readonly [key: string]: unknown }>()
    expect<Tool.Answer<typeof foreign>>().type.toBe<Tool.RawAnswer<unknown>>()
    const mixed = Tool.raw("a_tool", {
      ...options,
      inputSchema: anything,
      success: Schema.Struct({ m: Schema.Number })
    })
    expect<Tool.Answer<typeof mixed>>().type.toBe<Tool.RawAnswer<{ readonly m: number }>>()
    const bare = Tool.raw("a_tool", options)
    expect<Tool.Input<typeof bare>>().type.toBe<{}>()
    expect<Tool.Answer<typeof bare>>().type.toBe<Tool.RawAnswer<never>>()
  })
  test("refuses the same schema twice", () => {
    // @ts-expect-error is not assignable to type
    Tool.raw("a_tool", { ...options, inputSchema: anything, parameters: { n: Schema.Int } })
    // @ts-expect-error is not assignable to type
    Tool.raw("a_tool", { ...options, outputSchema: anything, success: Schema.Struct({ m: Schema.Number }) })
    // @ts-expect-error is not assignable to type
    Tool.raw("a_tool", { ...options, inputSchema: anything, headers: { n: "N" } })
  })
})
