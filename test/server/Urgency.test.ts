import { assert, describe, it } from "@effect/vitest"
import * as Urgency from "causeway-mcp/server/Urgency"
import * as TaskBench from "./TaskBench.js"

const tools = {
  ...TaskBench.registry({}),
  priority: (name: string) => name === "nightly_digest" ? "background" as const : undefined
}

const of = (method: string, params?: object) => Urgency.of(tools, { jsonrpc: "2.0", id: 1, method, params })

describe("Urgency", () => {
  it("is that of the tool, and nothing for a tool that is not there", () => {
    assert.strictEqual(of("tools/call", { name: "nightly_digest" }), "background")
    assert.isUndefined(of("tools/call", { name: "unknown" }))
    assert.isUndefined(of("tools/call", { name: 1 }))
    assert.isUndefined(of("tools/call"))
  })

  it("is normal for other work", () => {
    for (const method of ["resources/read", "prompts/get", "completion/complete", "subscriptions/listen"]) {
      assert.strictEqual(of(method, {}), "normal")
      assert.strictEqual(of(method), "normal")
    }
  })

  it("is nothing for what passes, an answer to a question among it", () => {
    const passing = [
      "initialize",
      "ping",
      "server/discover",
      "tools/list",
      "resources/list",
      "prompts/list",
      "tasks/get"
    ]
    for (const method of [...passing, "notifications/cancelled"]) assert.isUndefined(of(method, {}))
    assert.isUndefined(of("tools/call", { name: "nightly_digest", requestState: "sealed" }))
    assert.isUndefined(of("resources/read", { uri: "a:b", requestState: "sealed" }))
    for (const message of [{ jsonrpc: "2.0", id: 1, result: {} }, [], null, "text", [{ method: "tools/call" }]]) {
      assert.isUndefined(Urgency.of(tools, message))
    }
  })
})
