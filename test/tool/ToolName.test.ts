import { assert, describe, it } from "@effect/vitest"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolName from "causeway-mcp/tool/ToolName"
import * as Schema from "effect/Schema"

describe("ToolName.check", () => {
  it("takes what the specification takes and nothing else", () => {
    for (const name of ["a", "find_flights", "a.b-c_D9", "x".repeat(64)]) assert.isUndefined(ToolName.check(name), name)
    for (const name of ["", "a b", "a/b", "é", "x".repeat(65), "a\n"]) assert.isString(ToolName.check(name), name)
  })
})

describe("ToolName.lint", () => {
  const named = (name: string, description = "Finds what the market said of a company") =>
    ToolName.lint(Tool.make(name, { description, success: Schema.Null, safety: "readOnly" }))
  it("warns of names that do not say what comes back", () => {
    for (const name of ["query_documents", "get_user_data", "fetchItems"]) assert.lengthOf(named(name), 1, name)
    for (const name of ["search_relevant_market_intel", "add", "fetch_user_preference_profile"]) {
      assert.lengthOf(named(name), 0, name)
    }
  })
  it("warns of a description too short to choose by", () => {
    assert.lengthOf(named("add", "Adds"), 1)
  })
})
