/** The tasks extension on the wire, and the client's log: sections 11.2 and 6.7. */
import { assert, describe, it } from "@effect/vitest"
import type { Handlers } from "causeway-mcp/protocol/Handlers"
import { invalidParams } from "causeway-mcp/protocol/McpError"
import type { State, Update } from "causeway-mcp/protocol/McpTask"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Json } from "./Conversation.js"
import {
  clientCapabilities,
  errorOf,
  headers,
  modern,
  now,
  parsed,
  peer,
  request,
  server,
  serverInfo,
  small,
  text,
  withCall
} from "./Conversation.js"

const extension = "io.modelcontextprotocol/tasks"
const knowsTasks = { extensions: { [extension]: {} } }
const end = { resultType: "complete", _meta: { [serverInfo]: server } }

const task = {
  taskId: "t1",
  createdAt: "2026-01-01T00:00:00Z",
  lastUpdatedAt: "2026-01-01T00:00:01Z",
  ttlMs: 60_000,
  pollIntervalMs: 500
}

const withTasks = (state: State, heard: Array<unknown> = []): Handlers<string> => ({
  ...small,
  tools: {
    listChanged: false,
    list: () => Effect.never,
    call: () => Exit.succeed({ _tag: "Task", task: { ...task, status: "working" } })
  },
  tasks: {
    get: (_, taskId) => taskId === "t1" ? Exit.succeed(state) : Exit.fail(invalidParams("Unknown task")),
    update: (_, update: Update) => Exit.succeed(void heard.push(update)),
    cancel: (_, taskId) => Exit.succeed(void heard.push(taskId))
  }
})

const about = (method: string, params: Json, capabilities: Json = knowsTasks): Json =>
  modern(method, { ...params, _meta: { [clientCapabilities]: capabilities } })

const resultOf = (handlers: Handlers<string>, message: Json): unknown =>
  parsed(now(peer(handlers).line(message))).body?.result

describe("tasks", () => {
  it("are an extension in the answer to server/discover, and nowhere under a handshake", () => {
    const { line } = peer(withTasks({ ...task, status: "working" }))
    const { capabilities } = parsed(now(line(modern("server/discover")))).body?.result as {
      readonly capabilities: Json
    }
    assert.deepStrictEqual(capabilities, { tools: {}, extensions: { [extension]: {} } })
    const params = { protocolVersion: "2025-11-25", capabilities: knowsTasks, clientInfo: { name: "c", version: "1" } }
    const older = parsed(now(line(request("initialize", params)))).body?.result as { readonly capabilities: Json }
    assert.deepStrictEqual(older.capabilities, { tools: {} })
    assert.strictEqual(errorOf(now(line(request("tasks/get", { taskId: "t1" }), "2025-11-25"))).code, -32601)
  })

  it("are the flat answer to a call that became one", () => {
    assert.deepStrictEqual(resultOf(withTasks({ ...task, status: "working" }), about("tools/call", { name: "t" })), {
      ...task,
      status: "working",
      resultType: "task",
      _meta: end._meta
    })
  })

  const states: ReadonlyArray<readonly [State, Json]> = [
    [{ ...task, status: "working", statusMessage: "soon" }, { statusMessage: "soon" }],
    [
      { ...task, status: "input_required", inputRequests: { k: { method: "roots/list", params: {} } } },
      { inputRequests: { k: { method: "roots/list", params: {} } } }
    ],
    [{ ...task, status: "completed", result: { ...text("done"), isError: true } }, {
      result: { content: [{ type: "text", text: "done" }], isError: true, ...end }
    }],
    [{ ...task, status: "failed", error: { code: -32602, message: "no" } }, { error: { code: -32602, message: "no" } }],
    [{ ...task, status: "cancelled" }, {}]
  ]
  for (const [state, fields] of states) {
    it(`show the state ${state.status}, as a complete result`, () => {
      const shown = resultOf(withTasks(state), about("tasks/get", { taskId: "t1" }))
      assert.deepStrictEqual(shown, { ...task, status: state.status, ...fields, ...end })
    })
  }

  it("are updated and cancelled with an answer that says nothing of them", () => {
    const heard: Array<unknown> = []
    const handlers = withTasks({ ...task, status: "working" }, heard)
    const update = { taskId: "t1", inputResponses: { k: { action: "accept" } } }
    assert.deepStrictEqual(resultOf(handlers, about("tasks/update", update)), end)
    assert.deepStrictEqual(resultOf(handlers, about("tasks/cancel", { taskId: "t1" })), end)
    assert.deepStrictEqual(heard, [update, "t1"])
  })

  it("are refused to clients that did not declare them: 400 and what is missing", () => {
    const { line } = peer(withTasks({ ...task, status: "working" }))
    for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
      const reply = now(line(about(method, { taskId: "t1", inputResponses: {} }, {})))
      assert.deepStrictEqual([reply.status, errorOf(reply).code], [400, -32021])
      assert.deepStrictEqual(errorOf(reply).data, { requiredCapabilities: knowsTasks })
    }
  })

  it("have no list and no blocking result", () => {
    const { line } = peer(withTasks({ ...task, status: "working" }))
    for (const method of ["tasks/list", "tasks/result"]) {
      assert.strictEqual(errorOf(now(line(about(method, { taskId: "t1" })))).code, -32601)
    }
  })

  it("refuse an id nobody has, and parameters of a wrong shape", () => {
    const { line } = peer(withTasks({ ...task, status: "working" }))
    const wrong: ReadonlyArray<readonly [string, Json]> = [
      ["tasks/get", { taskId: "other" }],
      ["tasks/get", {}],
      ["tasks/cancel", { taskId: 1 }],
      ["tasks/update", { taskId: "t1" }],
      ["tasks/update", { taskId: "t1", inputResponses: { k: 1 } }],
      ["tasks/update", { taskId: "t1", inputResponses: [] }]
    ]
    for (const [method, params] of wrong) assert.strictEqual(errorOf(now(line(about(method, params)))).code, -32602)
  })

  it("are named in a header, which must agree", () => {
    const { post } = peer(withTasks({ ...task, status: "working" }))
    const message = about("tasks/get", { taskId: "t1" })
    for (const [name, status] of [["t1", 200], ["t2", 400], [undefined, 400]] as const) {
      const given = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tasks/get", "mcp-name": name }
      const reply = now(post(message, headers(given)))
      assert.strictEqual(reply.status, status)
      if (status === 400) assert.strictEqual(errorOf(reply).code, -32020)
    }
  })
})

describe("the client's log", () => {
  const logging: Handlers<string> = {
    ...withCall((context) => {
      context.log({ level: "debug", data: "fine" })
      context.log({ level: "warning", data: { a: 1 }, logger: "l" })
      context.log({ level: "alert", data: undefined })
      return Exit.succeed(text(""))
    }),
    logging: true
  }
  const logged = (handlers: Handlers<string>, level: string | undefined) => {
    const { line, notified } = peer(handlers)
    const meta = level === undefined ? {} : { "io.modelcontextprotocol/logLevel": level }
    now(line(modern("tools/call", { name: "t", _meta: meta })))
    return notified.map(({ method, params }) => [method, params])
  }

  it("gets what is severe enough for this request, in order", () => {
    const message = "notifications/message"
    assert.deepStrictEqual(logged(logging, "warning"), [
      [message, { level: "warning", data: { a: 1 }, logger: "l" }],
      [message, { level: "alert", data: null }]
    ])
    assert.lengthOf(logged(logging, "debug"), 3)
    assert.lengthOf(logged(logging, "emergency"), 0)
  })

  it("gets nothing when it did not ask, or the server declared no logging", () => {
    assert.deepStrictEqual(logged(logging, undefined), [])
    assert.deepStrictEqual(logged({ ...logging, logging: false }, "debug"), [])
  })

  it("gets, from older clients, what its session wants: info and above until it says so", () => {
    const call = request("tools/call", { name: "t" })
    for (const [standing, count] of [[{}, 2], [{ logLevel: "debug" }, 3], [{ logLevel: "alert" }, 1]] as const) {
      const { line, notified } = peer(logging, {}, standing)
      now(line(call, "2025-11-25"))
      assert.lengthOf(notified, count)
    }
  })

  it("gets a word instead of what JSON cannot hold, and the call goes on", () => {
    const itself: { self?: unknown } = {}
    itself.self = itself
    for (const data of [1n, itself, () => {}, Symbol("s"), { toJSON: () => undefined }]) {
      const handlers = withCall((context) => {
        context.log({ level: "error", data })
        return Exit.succeed(text("done"))
      })
      const { line, notified } = peer({ ...handlers, logging: true })
      const meta = { "io.modelcontextprotocol/logLevel": "debug" }
      const reply = now(line(modern("tools/call", { name: "t", _meta: meta })))
      assert.include(reply.body, "done")
      assert.lengthOf(notified, 1)
      assert.isTrue(Object.hasOwn(notified[0]?.params as object, "data"))
    }
  })

  it("gets nothing once the request has its answer", () => {
    let late = (): void => {}
    const { line, notified } = peer({
      ...withCall((context) => {
        late = () => context.log({ level: "error", data: "late" })
        return Exit.succeed(text(""))
      }),
      logging: true
    })
    now(line(modern("tools/call", { name: "t", _meta: { "io.modelcontextprotocol/logLevel": "debug" } })))
    late()
    assert.deepStrictEqual(notified, [])
  })
})
