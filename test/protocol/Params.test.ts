import { assert, describe, it } from "@effect/vitest"
import type { Handlers } from "causeway-mcp/protocol/Handlers"
import * as Effect from "effect/Effect"
import type { Json } from "./Conversation.js"
import { errorOf, modern, now, parsed, peer, request, server, text } from "./Conversation.js"

const cache = { ttlMs: 0, scope: "private" } as const

/** Serves everything, and tells what each handler was given. */
const listening = () => {
  const heard: Array<unknown> = []
  const hear = <A>(value: A) => (_: unknown, given: unknown) => {
    heard.push(given)
    return Effect.succeed(value)
  }
  const handlers: Handlers<string> = {
    server,
    cache,
    tools: { listChanged: false, list: hear({ tools: [], cache }), call: hear(text("")) },
    resources: {
      listChanged: false,
      subscribe: false,
      list: hear({ resources: [], cache }),
      templates: hear({ resourceTemplates: [], cache }),
      read: hear({ _tag: "Complete" as const, contents: [], cache })
    },
    prompts: {
      listChanged: false,
      list: hear({ prompts: [], cache }),
      get: hear({ _tag: "Complete" as const, messages: [] })
    },
    complete: hear({ values: [] })
  }
  return { heard, ...peer(handlers) }
}

const refusals: ReadonlyArray<readonly [string, Json, string]> = [
  ["tools/call", {}, "params.name must be a string"],
  ["tools/call", { name: 5 }, "params.name must be a string"],
  ["tools/call", { name: "t", arguments: null }, "params.arguments must be an object"],
  ["tools/call", { name: "t", arguments: [] }, "params.arguments must be an object"],
  ["tools/call", { name: "t", arguments: "{}" }, "params.arguments must be an object"],
  ["tools/list", { cursor: 5 }, "params.cursor must be a string"],
  ["tools/list", { cursor: null }, "params.cursor must be a string"],
  ["resources/list", { cursor: {} }, "params.cursor must be a string"],
  ["resources/templates/list", { cursor: 1 }, "params.cursor must be a string"],
  ["prompts/list", { cursor: [] }, "params.cursor must be a string"],
  ["resources/read", {}, "params.uri must be a string"],
  ["resources/read", { uri: 1 }, "params.uri must be a string"],
  ["prompts/get", {}, "params.name must be a string"],
  ["prompts/get", { name: "p", arguments: [] }, "params.arguments must be an object of strings"],
  ["prompts/get", { name: "p", arguments: { a: 1 } }, "params.arguments must be an object of strings"],
  ["completion/complete", {}, "params.argument must be an object"],
  ["completion/complete", { argument: { value: "" } }, "params.argument.name must be a string"],
  ["completion/complete", { argument: { name: "a" } }, "params.argument.value must be a string"],
  ["completion/complete", { argument: { name: "a", value: "" } }, "params.ref must be an object"],
  [
    "completion/complete",
    { argument: { name: "a", value: "" }, ref: { type: "ref/tool" } },
    "params.ref.type must be \"ref/prompt\" or \"ref/resource\""
  ],
  [
    "completion/complete",
    { argument: { name: "a", value: "" }, ref: { type: "ref/prompt" } },
    "params.ref.name must be a string"
  ],
  [
    "completion/complete",
    { argument: { name: "a", value: "" }, ref: { type: "ref/resource", name: "x" } },
    "params.ref.uri must be a string"
  ]
]

const completion = { argument: { name: "a", value: "v" }, ref: { type: "ref/prompt", name: "p" } }

describe("parameters", () => {
  for (const [method, params, message] of refusals) {
    it(`are refused in both eras: ${method} ${JSON.stringify(params)}`, () => {
      const { heard, line } = listening()
      for (const exchange of [line(modern(method, params)), line(request(method, params), "2025-11-25")]) {
        const reply = now(exchange)
        const error = errorOf(reply)
        assert.deepStrictEqual([reply.status, error.code, error.message], [200, -32602, message])
      }
      assert.deepStrictEqual(heard, [])
    })
  }

  it("are refused under a handshake when _meta is wrong, inside a 200", () => {
    const { line } = listening()
    const refuses = (_meta: unknown, message: RegExp) => {
      const reply = now(line(request("tools/list", { _meta }), "2025-11-25"))
      assert.deepStrictEqual([reply.status, errorOf(reply).code], [200, -32602])
      assert.match(errorOf(reply).message, message)
    }
    refuses(5, /params\._meta must be an object/u)
    refuses({ progressToken: 1.5 }, /progressToken/u)
    refuses({ progressToken: {} }, /progressToken/u)
  })

  it("hand missing arguments over as an empty object", () => {
    const { heard, line } = listening()
    now(line(modern("tools/call", { name: "t" })))
    now(line(modern("prompts/get", { name: "p" })))
    assert.deepStrictEqual(heard, [{ name: "t", arguments: {} }, { name: "p", arguments: {} }])
  })

  it("tell an empty cursor from none", () => {
    const { heard, line } = listening()
    now(line(modern("tools/list", { cursor: "" })))
    now(line(modern("tools/list")))
    assert.deepStrictEqual(heard, ["", undefined])
  })

  it("bring what a retry carries on 2026-07-28 only", () => {
    const { heard, line } = listening()
    const retry = { inputResponses: { ok: { action: "accept" } }, requestState: "s" }
    for (const [method, params] of [["tools/call", { name: "t" }], ["prompts/get", { name: "t" }]] as const) {
      now(line(modern(method, { ...params, ...retry })))
      now(line(request(method, { ...params, ...retry }), "2025-11-25"))
    }
    now(line(modern("resources/read", { uri: "x://y", ...retry })))
    now(line(modern("tools/call", { name: "t", requestState: "" })))
    const plain = { name: "t", arguments: {} }
    assert.deepStrictEqual(heard, [
      { ...plain, ...retry },
      plain,
      { ...plain, ...retry },
      plain,
      { uri: "x://y", ...retry },
      { ...plain, requestState: "" }
    ])
  })

  for (
    const wrong of [
      { inputResponses: null },
      { inputResponses: 5 },
      { inputResponses: [] },
      { inputResponses: { ok: 12345 } },
      { inputResponses: { ok: null } },
      { requestState: 5 },
      { requestState: null }
    ]
  ) {
    it(`are refused when a retry brings ${JSON.stringify(wrong)}`, () => {
      const { heard, line } = listening()
      const reply = now(line(modern("tools/call", { name: "t", ...wrong })))
      assert.strictEqual(errorOf(reply).code, -32602)
      assert.deepStrictEqual(heard, [])
    })
  }

  it("carry the arguments chosen so far, except on 2025-03-26, which had none", () => {
    const { heard, line } = listening()
    const params = { ...completion, context: { arguments: { b: "c" } } }
    now(line(modern("completion/complete", params)))
    now(line(request("completion/complete", params), "2025-06-18"))
    now(line(request("completion/complete", params), "2025-03-26"))
    now(line(request("completion/complete", { ...completion, context: {} }), "2025-06-18"))
    assert.deepStrictEqual(
      heard.map((given) => (given as { readonly context: unknown }).context),
      [{ b: "c" }, { b: "c" }, {}, {}]
    )
    for (const context of [5, { arguments: [] }, { arguments: { b: 1 } }]) {
      assert.strictEqual(errorOf(now(line(modern("completion/complete", { ...completion, context })))).code, -32602)
    }
  })

  it("keep keys that sound like the language's own as keys", () => {
    const { heard, line } = listening()
    const given = "{\"__proto__\":{\"admin\":true},\"constructor\":{\"prototype\":{\"admin\":true}},\"toString\":1}"
    const message = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"__proto__","arguments":${given}}}`
    const { body } = parsed(now(line(JSON.parse(message), "2025-11-25")))
    assert.isDefined(body?.result)
    const [call] = heard as ReadonlyArray<{ readonly name: string; readonly arguments: Json }>
    assert.strictEqual(call?.name, "__proto__")
    assert.strictEqual(JSON.stringify(call?.arguments), given)
    assert.isFalse("admin" in {})
    assert.isUndefined((call?.arguments as { readonly admin?: unknown }).admin)
  })
})
