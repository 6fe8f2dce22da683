/** Asking older clients, without a transport: sections 7 and 14 of the protocol. */
import { assert, describe, it } from "@effect/vitest"
import type * as Dispatcher from "causeway-mcp/protocol/Dispatcher"
import type { Handlers } from "causeway-mcp/protocol/Handlers"
import { McpError } from "causeway-mcp/protocol/McpError"
import type { CallTool, InputRequired } from "causeway-mcp/protocol/McpSchema"
import * as Questions from "causeway-mcp/protocol/Questions"
import * as Effect from "effect/Effect"
import type { Json } from "./Conversation.js"
import { errorOf, parsed, peer, request, small, text, withCall } from "./Conversation.js"

const form = { method: "elicitation/create", params: { message: "Sure?", requestedSchema: { type: "object" } } }
const link = { method: "elicitation/create", params: { mode: "url", message: "Sign in", url: "https://example.com" } }
const sample = { method: "sampling/createMessage", params: { messages: [], maxTokens: 1 } }
const roots = { method: "roots/list", params: {} }

const everything = { elicitation: { form: {}, url: {} }, sampling: { tools: {}, context: {} }, roots: {} }

const asked = (inputRequests: NonNullable<InputRequired["inputRequests"]>, requestState?: string): InputRequired => ({
  _tag: "InputRequired",
  inputRequests,
  ...(requestState === undefined ? {} : { requestState })
})

/** A client that answers every question with its own method, and what it was asked. */
const answering = () => {
  const questions: Array<readonly [string, Json]> = []
  const ask: NonNullable<Dispatcher.Standing["ask"]> = (method, params) =>
    Effect.sync(() => {
      questions.push([method, params])
      return { answered: method }
    })
  return { questions, ask }
}

const call = request("tools/call", { name: "t", arguments: { a: 1 } })

const resultOf = (reply: Dispatcher.Reply): { readonly isError?: boolean; readonly content: ReadonlyArray<Json> } =>
  parsed(reply).body?.result as { readonly content: ReadonlyArray<Json> }

describe("questions to a client of a handshake revision", () => {
  it.effect("are requests of the server, and the handler is asked again with the answers and its state", () =>
    Effect.gen(function*() {
      const heard: Array<CallTool> = []
      const { ask, questions } = answering()
      const { line } = peer(
        withCall((_, call) => {
          heard.push(call)
          return Effect.succeed(heard.length === 1 ? asked({ one: form, two: sample }, "s1") : text("done"))
        }),
        {},
        { clientCapabilities: everything, ask }
      )
      const reply = yield* line(call, "2025-11-25").reply
      assert.deepStrictEqual(resultOf(reply).content, [{ type: "text", text: "done" }])
      assert.deepStrictEqual(questions, [[form.method, form.params], [sample.method, sample.params]])
      assert.deepStrictEqual(heard, [
        { name: "t", arguments: { a: 1 } },
        {
          name: "t",
          arguments: { a: 1 },
          inputResponses: { one: { answered: form.method }, two: { answered: sample.method } },
          requestState: "s1"
        }
      ])
    }))

  it.effect("may come in several rounds, for prompts and resources too", () =>
    Effect.gen(function*() {
      let round = 0
      const cache = { ttlMs: 0, scope: "private" } as const
      const handlers: Handlers<string> = {
        ...small,
        prompts: {
          listChanged: false,
          list: () => Effect.never,
          get: () => Effect.succeed(round++ < 3 ? asked({ [`k${round}`]: roots }) : { _tag: "Complete", messages: [] })
        },
        resources: {
          listChanged: false,
          subscribe: false,
          list: () => Effect.never,
          templates: () => Effect.never,
          read: () =>
            Effect.succeed(round++ < 3 ? asked({ [`k${round}`]: roots }) : { _tag: "Complete", contents: [], cache })
        }
      }
      for (const [method, params] of [["prompts/get", { name: "p" }], ["resources/read", { uri: "x://y" }]] as const) {
        round = 0
        const { ask, questions } = answering()
        const { line } = peer(handlers, {}, { clientCapabilities: everything, ask })
        assert.isDefined(parsed(yield* line(request(method, params), "2025-06-18").reply).body?.result)
        assert.lengthOf(questions, 3)
      }
    }))

  const impossible: ReadonlyArray<
    readonly [string, string, { readonly method: string; readonly params: unknown }, Json]
  > = [
    ["2025-11-25", "a client that declared nothing", form, {}],
    ["2025-11-25", "a link of a client that shows forms", link, { elicitation: {} }],
    ["2025-11-25", "a sample with tools", { ...sample, params: { ...sample.params, tools: [] } }, { sampling: {} }],
    ["2025-06-18", "a link before there were any", link, everything],
    ["2025-03-26", "a form before there were any", form, everything]
  ]
  for (const [version, what, question, clientCapabilities] of impossible) {
    it.effect(`fail the call at once and send nothing: ${what}, ${version}`, () =>
      Effect.gen(function*() {
        const { ask, questions } = answering()
        const handlers = withCall(() => Effect.succeed(asked({ fine: roots, no: question })))
        const { line } = peer(handlers, {}, { clientCapabilities: { roots: {}, ...clientCapabilities }, ask })
        const { content, isError } = resultOf(yield* line(call, version).reply)
        assert.isTrue(isError)
        assert.match(String(content[0]?.text), /^This needs .+\.$/u)
        assert.deepStrictEqual(questions, [])
      }))
  }

  it.effect("carry an id of their own when they are a link, on 2025-11-25", () =>
    Effect.gen(function*() {
      let isFirst = true
      const { ask, questions } = answering()
      const { line } = peer(
        withCall(() => {
          const result = isFirst ? asked({ a: link }) : text("")
          isFirst = false
          return Effect.succeed(result)
        }),
        {},
        { clientCapabilities: everything, ask }
      )
      yield* line(call, "2025-11-25").reply
      assert.match(String(questions[0]?.[1].elicitationId), /^[0-9a-f]{16}$/u)
      assert.strictEqual(questions[0]?.[1].url, "https://example.com")
    }))

  it.effect("have no mode on 2025-06-18, which knew none", () =>
    Effect.gen(function*() {
      let isFirst = true
      const { ask, questions } = answering()
      const { line } = peer(
        withCall(() => {
          const result = isFirst ? asked({ a: { ...form, params: { ...form.params, mode: "form" } } }) : text("")
          isFirst = false
          return Effect.succeed(result)
        }),
        {},
        { clientCapabilities: { elicitation: {} }, ask }
      )
      yield* line(call, "2025-06-18").reply
      assert.deepStrictEqual(questions, [[form.method, form.params]])
    }))

  const formOf = (fields: Json) => ({
    method: "elicitation/create",
    params: { message: "Which?", requestedSchema: { type: "object", properties: fields, required: ["a"] } }
  })

  it.effect("name the titles of choices as 2025-06-18 did", () =>
    Effect.gen(function*() {
      let isFirst = true
      const { ask, questions } = answering()
      const question = formOf({
        a: { type: "string", title: "A", oneOf: [{ const: "x", title: "Ex" }, { const: "y", title: "Why" }] },
        b: { type: "boolean" }
      })
      const { line } = peer(
        withCall(() => {
          const result = isFirst ? asked({ a: question }) : text("")
          isFirst = false
          return Effect.succeed(result)
        }),
        {},
        { clientCapabilities: { elicitation: {} }, ask }
      )
      yield* line(call, "2025-06-18").reply
      assert.deepStrictEqual(questions, [[
        question.method,
        formOf({
          a: { type: "string", title: "A", enum: ["x", "y"], enumNames: ["Ex", "Why"] },
          b: { type: "boolean" }
        }).params
      ]])
    }))

  it.effect("fail the call at once when they want several of several, before that was a field", () =>
    Effect.gen(function*() {
      const { ask, questions } = answering()
      const several = formOf({ a: { type: "array", items: { type: "string", enum: ["x", "y"] } } })
      const { line } = peer(
        withCall(() => Effect.succeed(asked({ a: several }))),
        {},
        { clientCapabilities: { elicitation: {} }, ask }
      )
      const { content, isError } = resultOf(yield* line(call, "2025-06-18").reply)
      assert.isTrue(isError)
      assert.match(String(content[0]?.text), /^This needs .+\.$/u)
      assert.deepStrictEqual(questions, [])
    }))

  it.effect("that the client refuses fail a tool with its reason, and a prompt as an error", () =>
    Effect.gen(function*() {
      const ask = () => Effect.fail(new McpError({ code: -32600, message: "The client refused the question" }))
      const standing = { clientCapabilities: everything, ask }
      const tool = peer(withCall(() => Effect.succeed(asked({ a: form }))), {}, standing)
      const { content, isError } = resultOf(yield* tool.line(call, "2025-11-25").reply)
      assert.isTrue(isError)
      assert.strictEqual(content[0]?.text, "The client refused the question")
      const prompts = { listChanged: false, list: () => Effect.never, get: () => Effect.succeed(asked({ a: form })) }
      const prompt = peer({ ...small, prompts }, {}, standing)
      const reply = yield* prompt.line(request("prompts/get", { name: "p" }), "2025-11-25").reply
      assert.strictEqual(errorOf(reply).code, -32600)
    }))

  it.effect("end when the handler never has enough", () =>
    Effect.gen(function*() {
      const { ask, questions } = answering()
      const { line } = peer(
        withCall(() => Effect.succeed(asked({ a: form }))),
        {},
        { clientCapabilities: everything, ask }
      )
      assert.isTrue(resultOf(yield* line(call, "2025-11-25").reply).isError)
      assert.lengthOf(questions, Questions.maxRounds)
    }))

  it.effect("leave an error of the handler an error, also after an answer", () =>
    Effect.gen(function*() {
      let isFirst = true
      const { ask } = answering()
      const { line } = peer(
        withCall(() => {
          if (!isFirst) return Effect.fail(new McpError({ code: -32602, message: "no" }))
          isFirst = false
          return Effect.succeed(asked({ a: form }))
        }),
        {},
        { clientCapabilities: everything, ask }
      )
      assert.strictEqual(errorOf(yield* line(call, "2025-11-25").reply).code, -32602)
    }))

  it.effect("are put over HTTP to a client whose session says what it declared", () =>
    Effect.gen(function*() {
      let isFirst = true
      const { ask, questions } = answering()
      const { postIn } = peer(withCall(() => {
        const result = isFirst ? asked({ a: form }) : text("ok")
        isFirst = false
        return Effect.succeed(result)
      }))
      const standing = { version: "2025-11-25", clientCapabilities: everything, clientInfo: undefined, ask }
      assert.strictEqual((resultOf(yield* postIn(standing, call).reply).content[0] as Json).text, "ok")
      assert.lengthOf(questions, 1)
    }))
})

describe("a session that is not known", () => {
  it("is refused with 404 whatever comes in it, but for initialize and 2026-07-28", () => {
    const { postIn } = peer()
    const response = { jsonrpc: "2.0", id: "x", result: {} }
    const notification = { jsonrpc: "2.0", method: "notifications/initialized" }
    for (const message of [call, [call], response, notification]) {
      const reply = Effect.runSync(postIn(null, message).reply)
      assert.strictEqual(reply.status, 404)
      assert.strictEqual(errorOf(reply).code, -32600)
    }
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "1" } }
    assert.strictEqual(Effect.runSync(postIn(null, request("initialize", params)).reply).status, 200)
  })
})
