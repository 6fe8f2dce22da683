import { assert, describe, it } from "@effect/vitest"
import * as ClientCapability from "causeway-mcp/protocol/ClientCapability"

const form = { message: "Name?", requestedSchema: { type: "object", properties: {} } }
const url = { mode: "url", message: "Open", url: "https://example.com/" }
const sample = { messages: [], maxTokens: 1 }

describe("ClientCapability.missing", () => {
  it("finds what a form or a link needs; an empty declaration means forms alone", () => {
    const ask = (params: unknown, declared: { readonly [name: string]: unknown }) =>
      ClientCapability.missing("elicitation/create", params, declared)
    assert.deepStrictEqual(ask(form, {}), { elicitation: { form: {} } })
    assert.deepStrictEqual(ask(form, { elicitation: true }), { elicitation: { form: {} } })
    assert.isUndefined(ask(form, { elicitation: {} }))
    assert.isUndefined(ask(form, { elicitation: { form: {} } }))
    assert.isUndefined(ask({ ...form, mode: "form" }, { elicitation: { form: {}, url: {} } }))
    assert.deepStrictEqual(ask(form, { elicitation: { url: {} } }), { elicitation: { form: {} } })
    assert.deepStrictEqual(ask(url, {}), { elicitation: { url: {} } })
    assert.deepStrictEqual(ask(url, { elicitation: {} }), { elicitation: { url: {} } })
    assert.isUndefined(ask(url, { elicitation: { url: {} } }))
    assert.deepStrictEqual(ask(undefined, {}), { elicitation: { form: {} } })
  })
  it("finds what a question to the model needs", () => {
    const ask = (params: unknown, declared: { readonly [name: string]: unknown }) =>
      ClientCapability.missing("sampling/createMessage", params, declared)
    assert.deepStrictEqual(ask(sample, {}), { sampling: {} })
    assert.isUndefined(ask(sample, { sampling: {} }))
    assert.deepStrictEqual(ask({ ...sample, tools: [] }, { sampling: {} }), { sampling: { tools: {} } })
    assert.deepStrictEqual(ask({ ...sample, toolChoice: {} }, { sampling: { context: {} } }), {
      sampling: { tools: {} }
    })
    assert.isUndefined(ask({ ...sample, tools: [] }, { sampling: { tools: {} } }))
    assert.isUndefined(ask({ ...sample, includeContext: "none" }, { sampling: {} }))
    assert.deepStrictEqual(ask({ ...sample, includeContext: "allServers" }, { sampling: {} }), {
      sampling: { context: {} }
    })
    assert.isUndefined(ask({ ...sample, includeContext: "allServers" }, { sampling: { context: {} } }))
  })
  it("finds what the client's folders need, and nothing for any other method", () => {
    assert.deepStrictEqual(ClientCapability.missing("roots/list", {}, {}), { roots: {} })
    assert.isUndefined(ClientCapability.missing("roots/list", {}, { roots: {} }))
    assert.isUndefined(ClientCapability.missing("tools/list", {}, {}))
  })
})
