import { assert, describe, it } from "@effect/vitest"
import * as Ask from "causeway-mcp/ask/Ask"
import * as Authenticator from "causeway-mcp/auth/Authenticator"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Changes from "causeway-mcp/change/Changes"
import * as McpResource from "causeway-mcp/resource/McpResource"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as AuthHttp from "./authHttp.js"
import * as RawHttp from "./RawHttp.js"

/** Takes "id@tenant" for a credential. */
const authenticator = Authenticator.layer(({ authorization }) => {
  const [, id, tenant] = /^Bearer (\w+)@(\w+)$/u.exec(authorization ?? "") ?? []
  return id === undefined ? Exit.fail(new Authenticator.Missing()) : Exit.succeed(Principal.make({ id, tenant }))
})

const owner = "ada@acme"
const strangers = [
  ["somebody else of the same tenant", "bob@acme"],
  ["somebody else of another tenant", "bob@globex"],
  ["somebody of the same id and another tenant", "ada@globex"]
] as const

const success = Schema.Struct({ name: Schema.String })
const named = Ask.form("What is your name?", Schema.Struct({ name: Schema.String }), { key: "name" })

const tools = Toolkit.make(
  Tool.make("greet_user", { description: "Greets the user by name", success, safety: "readOnly" }).implement(() =>
    Effect.flatMap(named, ({ name }) => Evidence.computed("greeting", { name }))
  ),
  Tool.make("count_herons", { description: "Counts herons", success, safety: "effectful", task: "required" })
    .implement(() => Effect.flatMap(named, ({ name }) => Evidence.computed("count", { name })))
)

const resources = [
  McpResource.template("mail://{user}/inbox", {
    name: "inbox",
    isVisible: ({ user }, caller) => user === caller.id && caller.tenant === "acme",
    read: () => Effect.succeed({ text: "mail" })
  })
] as const

const Server = McpServer.layerOf({ tools, resources }, { name: "wall", version: "0.0.0" }).pipe(
  Layer.provideMerge(Layer.merge(Changes.layerMemory, TaskStore.layerMemory))
)

const start = Effect.gen(function*() {
  const context = yield* Layer.build(Layer.merge(Server, authenticator))
  const { port, url } = yield* HttpTransport.make({ port: 0 }).pipe(
    Effect.provide(context),
    Effect.provide(Logger.remove(Logger.defaultLogger))
  )
  const publish = (event: Changes.Event) =>
    Effect.provide(Effect.flatMap(Changes.Changes, (changes) => changes.publish(event)), context)
  const ask = (who: string, init: RequestInit & { readonly headers?: AuthHttp.Headers }) =>
    Effect.promise(async () => {
      const headers = { accept: "application/json, text/event-stream", ...AuthHttp.bearer(who), ...init.headers }
      const response = await fetch(url, { ...init, headers })
      return {
        status: response.status,
        header: (name: string) => response.headers.get(name),
        text: await response.text()
      }
    })
  const post = (who: string, body: object, headers: AuthHttp.Headers = {}) =>
    ask(who, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body)
    })
  const modern = (who: string, method: string, params: object, name: string) =>
    Effect.map(
      post(who, {
        jsonrpc: "2.0",
        id: 1,
        method,
        params: {
          ...params,
          _meta: {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {
              elicitation: {},
              extensions: { "io.modelcontextprotocol/tasks": {} }
            }
          }
        }
      }, { "mcp-protocol-version": "2026-07-28", "mcp-method": method, "mcp-name": name }),
      ({ status, text }) => ({ status, text, body: Object(JSON.parse(text)) })
    )
  const handshake = (who: string) =>
    Effect.map(
      post(who, {
        jsonrpc: "2.0",
        id: 0,
        method: "initialize",
        params: {
          protocolVersion: "2025-11-25",
          capabilities: { elicitation: {} },
          clientInfo: { name: "old", version: "0" }
        }
      }),
      ({ header }) => header("mcp-session-id") ?? ""
    )
  return { port, publish, ask, post, modern, handshake }
})

const stream = (port: number, who: string, session: string) =>
  Effect.gen(function*() {
    const raw = yield* RawHttp.open(port)
    raw.write(
      `GET /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\nauthorization: Bearer ${who}\r\n` +
        `mcp-session-id: ${session}\r\n\r\n`
    )
    yield* raw.until(/\r\n\r\n/)
    return raw
  })

const listing = { jsonrpc: "2.0", id: 7, method: "tools/list" }

describe("what belongs to one caller", () => {
  for (const [who, stranger] of strangers) {
    it.scopedLive(`keeps a session from ${who}: 404, as for one that never was`, () =>
      Effect.gen(function*() {
        const { ask, handshake, port, post, publish } = yield* start
        const session = yield* handshake(owner)
        const own = yield* stream(port, owner, session)
        assert.match(own.received(), /^HTTP\/1.1 200 /)
        assert.strictEqual((yield* post(owner, listing, { "mcp-session-id": session })).status, 200)

        const foreign = yield* post(stranger, listing, { "mcp-session-id": session })
        const unknown = yield* post(stranger, listing, { "mcp-session-id": "v1.AAAAAAAA.AAAA" })
        assert.deepStrictEqual([foreign.status, AuthHttp.codeOf(foreign.text)], [404, -32600])
        assert.strictEqual(foreign.text, unknown.text)
        const get = { headers: { accept: "text/event-stream", "mcp-session-id": session } }
        assert.strictEqual((yield* ask(stranger, get)).status, 404)
        assert.strictEqual((yield* ask(stranger, { method: "DELETE", ...get })).status, 405)

        yield* publish({ _tag: "ToolsChanged" })
        yield* own.until(/tools\/list_changed/)
      }))

    it.scopedLive(`keeps a question, and the state of a call, from ${who}: -32602`, () =>
      Effect.gen(function*() {
        const { modern } = yield* start
        const call = { name: "greet_user", arguments: {} }
        const asked = yield* modern(owner, "tools/call", call, "greet_user")
        const { inputRequests, requestState } = asked.body.result
        const key = Object.keys(inputRequests)[0] ?? ""
        const answer = {
          ...call,
          requestState,
          inputResponses: { [key]: { action: "accept", content: { name: "Ada" } } }
        }
        const foreign = yield* modern(stranger, "tools/call", answer, "greet_user")
        assert.deepStrictEqual([foreign.status, foreign.body.error.code], [200, -32602])
        const own = yield* modern(owner, "tools/call", answer, "greet_user")
        assert.deepStrictEqual(own.body.result.structuredContent.data, { name: "Ada" })
      }))

    it.scopedLive(`keeps a task from ${who}: unknown, as one that never was`, () =>
      Effect.gen(function*() {
        const { modern, port } = yield* start
        const begun = yield* modern(owner, "tools/call", { name: "count_herons", arguments: {} }, "count_herons")
        const { taskId } = begun.body.result
        assert.isString(taskId)
        const answers = { taskId, inputResponses: { name: { action: "accept", content: { name: "Eve" } } } }
        for (
          const [method, params] of [["tasks/get", { taskId }], ["tasks/update", answers], ["tasks/cancel", {
            taskId
          }]] as const
        ) {
          const { body, status } = yield* modern(stranger, method, params, taskId)
          assert.deepStrictEqual([status, body.error.code, body.error.message], [
            200,
            -32602,
            `Unknown task: ${taskId}`
          ])
        }
        const body = JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "subscriptions/listen",
          params: {
            notifications: { taskIds: [taskId] },
            _meta: {
              "io.modelcontextprotocol/protocolVersion": "2026-07-28",
              "io.modelcontextprotocol/clientCapabilities": { extensions: { "io.modelcontextprotocol/tasks": {} } }
            }
          }
        })
        const raw = yield* RawHttp.open(port)
        raw.write(
          `POST /mcp HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\ncontent-type: application/json\r\n` +
            `authorization: Bearer ${stranger}\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: subscriptions/listen\r\n` +
            `content-length: ${body.length}\r\n\r\n${body}`
        )
        assert.notInclude(yield* raw.until(/acknowledged[^\n]*\n\n/), taskId)
        const own = yield* modern(owner, "tasks/get", { taskId }, taskId)
        assert.include(["working", "input_required"], own.body.result.status)
      }))

    it.scopedLive(`takes no answer to a question in flight from ${who}`, () =>
      Effect.gen(function*() {
        const { handshake, port, post } = yield* start
        const session = yield* handshake(owner)
        const body = JSON.stringify({ jsonrpc: "2.0", id: 5, method: "tools/call", params: { name: "greet_user" } })
        const call = yield* RawHttp.open(port)
        call.write(
          `POST /mcp HTTP/1.1\r\nhost: localhost\r\naccept: application/json, text/event-stream\r\n` +
            `content-type: application/json\r\nauthorization: Bearer ${owner}\r\nmcp-session-id: ${session}\r\n` +
            `content-length: ${body.length}\r\n\r\n${body}`
        )
        const question = /data: (\{[^\n]*elicitation\/create[^\n]*\})\n/u.exec(
          yield* call.until(/elicitation\/create[^\n]*\n\n/)
        )
        const { id } = Object(JSON.parse(question?.[1] ?? "{}"))
        const answer = (name: string) => ({ jsonrpc: "2.0", id, result: { action: "accept", content: { name } } })
        const foreign = yield* post(stranger, answer("Eve"), { "mcp-session-id": session })
        assert.strictEqual(foreign.status, 404)
        const elsewhere = yield* post(stranger, answer("Eve"), { "mcp-session-id": yield* handshake(stranger) })
        assert.strictEqual(elsewhere.status, 202)
        assert.strictEqual((yield* post(owner, answer("Ada"), { "mcp-session-id": session })).status, 202)
        assert.match(yield* call.until(/"id":5/), /"data":\{"name":"Ada"\}/)
      }))

    it.scopedLive(`tells ${who} nothing of a resource that is not for them`, () =>
      Effect.gen(function*() {
        const { handshake, modern, port, post, publish } = yield* start
        const uri = "mail://ada/inbox"
        const { body } = yield* modern(stranger, "resources/read", { uri }, uri)
        assert.strictEqual(body.error.code, -32602)
        assert.strictEqual(
          Object(yield* modern(owner, "resources/read", { uri }, uri)).body.result.contents[0].text,
          "mail"
        )
        const session = yield* handshake(stranger)
        yield* post(stranger, { jsonrpc: "2.0", id: 2, method: "resources/subscribe", params: { uri } }, {
          "mcp-session-id": session
        })
        const heard = yield* stream(port, stranger, session)
        yield* publish({ _tag: "ResourceUpdated", uri })
        yield* publish({ _tag: "ToolsChanged" })
        assert.notInclude(yield* heard.until(/tools\/list_changed/), uri)
      }))
  }
})
