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
})
