import { assert, describe, it } from "@effect/vitest"
import type { Handlers } from "causeway-mcp/protocol/Handlers"
import type { InputRequired } from "causeway-mcp/protocol/McpSchema"
import * as Effect from "effect/Effect"
import type { Json } from "./Conversation.js"
import { clientCapabilities, errorOf, modern, now, parsed, peer, request, server, serverInfo } from "./Conversation.js"

const asking = (asked: InputRequired): Handlers<string> => {
  const cache = { ttlMs: 0, scope: "private" } as const
  return {
    server,
    cache,
    tools: {
      listChanged: false,
      list: () => Effect.succeed({ tools: [], cache }),
      call: () => Effect.succeed(asked)
    },
    resources: {
      listChanged: false,
      subscribe: false,
      list: () => Effect.succeed({ resources: [], cache }),
      templates: () => Effect.succeed({ resourceTemplates: [], cache }),
      read: () => Effect.succeed(asked)
    },
    prompts: {
      listChanged: false,
      list: () => Effect.succeed({ prompts: [], cache }),
      get: () => Effect.succeed(asked)
    }
  }
}

const form = { method: "elicitation/create", params: { message: "Sure?", requestedSchema: { type: "object" } } }
const url = { method: "elicitation/create", params: { mode: "url", message: "Sign in", url: "https://example.com" } }

const methods: ReadonlyArray<readonly [string, Json]> = [
  ["tools/call", { name: "t" }],
  ["resources/read", { uri: "x://y" }],
  ["prompts/get", { name: "p" }]
]

const declaring = (method: string, params: Json, capabilities: Json) =>
  modern(method, { ...params, _meta: { [clientCapabilities]: capabilities } })

describe("InputRequired on 2026-07-28", () => {
  for (const [method, params] of methods) {
    it(`is the answer of ${method}, without hints how long to keep it`, () => {
      const { postModern } = peer(asking({ _tag: "InputRequired", inputRequests: { ok: form }, requestState: "v1.s" }))
      const reply = now(postModern(declaring(method, params, { elicitation: {} })))
      assert.strictEqual(reply.status, 200)
      assert.strictEqual(
        reply.body,
        `{"jsonrpc":"2.0","id":1,"result":{"inputRequests":{"ok":${JSON.stringify(form)}},"requestState":"v1.s",` +
          `"resultType":"input_required","_meta":{"${serverInfo}":${JSON.stringify(server)}}}}`
      )
    })
  }

  it("may be questions alone, or a state alone", () => {
    const result = (asked: InputRequired) =>
      parsed(now(peer(asking(asked)).line(declaring("tools/call", { name: "t" }, { elicitation: {} })))).body
        ?.result as Json
    assert.hasAllKeys(result({ _tag: "InputRequired", inputRequests: { ok: form } }), [
      "inputRequests",
      "resultType",
      "_meta"
    ])
    assert.hasAllKeys(result({ _tag: "InputRequired", requestState: "" }), ["requestState", "resultType", "_meta"])
  })

  const sampling = (params: Json) => ({ method: "sampling/createMessage", params })
  const needs: ReadonlyArray<readonly [string, { readonly method: string; readonly params: unknown }, Json, Json]> = [
    ["a form of a client that declares nothing", form, {}, { elicitation: { form: {} } }],
    ["a form of a client that opens URLs only", form, { elicitation: { url: {} } }, { elicitation: { form: {} } }],
    ["a URL of a client that shows forms", url, { elicitation: {} }, { elicitation: { url: {} } }],
    ["a sample of a client that declares nothing", sampling({}), {}, { sampling: {} }],
    ["a sample with tools", sampling({ tools: [] }), { sampling: {} }, { sampling: { tools: {} } }],
    [
      "a sample with context",
      sampling({ includeContext: "allServers" }),
      { sampling: { tools: {} } },
      { sampling: { context: {} } }
    ],
    ["roots of a client that has none", { method: "roots/list", params: {} }, { elicitation: {} }, { roots: {} }]
  ]
  for (const [what, asked, declared, requiredCapabilities] of needs) {
    it(`is refused with 400 and -32021 when it wants ${what}`, () => {
      const { postModern } = peer(asking({ _tag: "InputRequired", inputRequests: { fine: form, asked } }))
      const capabilities = asked === form
        ? declared
        : { elicitation: { form: {}, ...declared.elicitation as Json }, ...declared }
      const alone = peer(asking({ _tag: "InputRequired", inputRequests: { asked } }))
      for (
        const reply of [
          now(alone.postModern(declaring("tools/call", { name: "t" }, declared))),
          now(postModern(declaring("tools/call", { name: "t" }, capabilities)))
        ]
      ) {
        assert.deepStrictEqual([reply.status, errorOf(reply).code], [400, -32021])
        assert.deepStrictEqual(errorOf(reply).data, { requiredCapabilities })
      }
    })
  }

  const allowed: ReadonlyArray<readonly [string, { readonly method: string; readonly params: unknown }, Json]> = [
    ["a form, declared empty", form, { elicitation: {} }],
    ["a form, declared", form, { elicitation: { form: {}, url: {} } }],
    ["a URL, declared", url, { elicitation: { url: {} } }],
    ["a sample, declared", sampling({ includeContext: "none" }), { sampling: {} }],
    ["a sample with everything, declared", sampling({ tools: [], includeContext: "thisServer" }), {
      sampling: { tools: {}, context: {} }
    }],
    ["roots, declared", { method: "roots/list", params: {} }, { roots: {} }]
  ]
  for (const [what, asked, declared] of allowed) {
    it(`may want ${what}`, () => {
      const { line } = peer(asking({ _tag: "InputRequired", inputRequests: { asked } }))
      const { body } = parsed(now(line(declaring("tools/call", { name: "t" }, declared))))
      assert.strictEqual((body?.result as Json | undefined)?.resultType, "input_required")
    })
  }
})

describe("InputRequired under a handshake", () => {
  for (const version of ["2025-11-25", "2025-06-18", "2025-03-26"]) {
    it(`makes a tool fail at once on ${version}, where nobody can be asked`, () => {
      const { line, postLegacy } = peer(asking({ _tag: "InputRequired", inputRequests: { ok: form } }))
      const message = request("tools/call", { name: "t" })
      for (const exchange of [line(message, version), postLegacy(version, message)]) {
        const { body, status } = parsed(now(exchange))
        assert.strictEqual(status, 200)
        const { content, isError, ...rest } = body?.result as {
          readonly isError: boolean
          readonly content: ReadonlyArray<{ readonly text: string }>
        }
        assert.isTrue(isError)
        assert.include(content[0]?.text, "2026-07-28")
        assert.deepStrictEqual(rest, {})
      }
    })

    it(`is an error of resources and prompts on ${version}`, () => {
      const { line } = peer(asking({ _tag: "InputRequired", requestState: "s" }))
      for (const [method, params] of methods.slice(1)) {
        const reply = now(line(request(method, params), version))
        assert.deepStrictEqual([reply.status, errorOf(reply).code], [200, -32600])
        assert.include(errorOf(reply).message, "2026-07-28")
      }
    })
  }
})
