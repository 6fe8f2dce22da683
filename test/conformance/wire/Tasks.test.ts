import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { layer as wire, Wire } from "./Fixture.js"
import { acknowledged, heardOn, idOf, overHttp } from "./Subscriptions.js"
import type { Headers } from "./WireHttp.js"
import type { Json } from "./Words.js"
import {
  asked,
  at,
  call,
  claim,
  codeOf,
  filled,
  handshakes,
  initialize,
  isError,
  isOld,
  Key,
  listen,
  messageOf,
  oldCall,
  plain,
  tasked,
  textOf,
  until
} from "./Words.js"

const alice = { "x-test-user": "alice" }
const bob = { "x-test-user": "bob" }

let names = 0

const post = (message: Json, headers: Headers = alice) =>
  Effect.map(Effect.flatMap(Wire, ({ http }) => http.post(message, headers)), ({ json }) => json)

const about = (method: string, taskId: unknown, more: Json = {}) =>
  claim(`tasks/${method}`, { taskId, ...tasked, ...more })

/** Begins a task of Alice's that waits for its gate. */
const begin = (args: Json = { gate: `t${++names}` }, name = "job_gated") =>
  Effect.map(post(call(name, args, tasked)), (answer) => {
    assert.strictEqual(at(answer, "result", "resultType"), "task", JSON.stringify(answer))
    return { taskId: String(at(answer, "result", "taskId")), gate: String(args.gate), answer }
  })

const status = (taskId: string, headers: Headers = alice) =>
  Effect.map(post(about("get", taskId), headers), (answer) => at(answer, "result", "status"))

const untilIs = (taskId: string, wanted: string) =>
  Effect.gen(function*() {
    for (let looks = 0; (yield* status(taskId)) !== wanted; looks++) {
      if (looks > 2000) return yield* Effect.dieMessage(`the task never was ${wanted}`)
    }
  })

layer(wire(), { excludeTestServices: true })("§11.2, tasks", (it) => {
  it.effect("§11.2: is there as soon as it is named, flat, with the names of this revision", () =>
    Effect.gen(function*() {
      const { answer, taskId } = yield* begin()
      const found = yield* post(about("get", taskId))
      for (const message of [answer, found]) {
        const result = at(message, "result")
        assert.strictEqual(at(result, "taskId"), taskId)
        assert.strictEqual(at(result, "status"), "working")
        assert.isNumber(at(result, "ttlMs"))
        assert.isNumber(at(result, "pollIntervalMs"))
        for (const moment of ["createdAt", "lastUpdatedAt"]) {
          assert.match(String(at(result, moment)), /^\d{4}-\d\d-\d\dT.*Z$/u)
        }
        for (const none of ["task", "ttl", "pollInterval", "requestState", "inputRequests", "result", "error"]) {
          assert.isUndefined(at(result, none))
        }
      }
      assert.deepStrictEqual(
        [at(answer, "result", "resultType"), at(found, "result", "resultType")],
        ["task", "complete"]
      )
    }))

  it.effect("§13: ids are long, never the same twice, and none tells of another", () =>
    Effect.gen(function*() {
      const ids = new Set<string>()
      for (let n = 0; n < 30; n++) ids.add((yield* begin()).taskId)
      assert.strictEqual(ids.size, 30)
      for (const id of ids) assert.match(id, /^[A-Za-z0-9_-]{22,}$/u)
      // 128 bits take 22 letters of base64; what two ids share at the same place must be chance.
      const [first = "", ...others] = [...ids].map((id) => id.replaceAll("-", ""))
      const fixed = [...first].filter((letter, index) => others.every((other) => other[index] === letter))
      assert.isAtMost(fixed.length, 2)
    }))

  it.effect("§11.2: another user's task is no task, in the words for one that never was", () =>
    Effect.gen(function*() {
      const { ledger } = yield* Wire
      const { gate, taskId } = yield* begin()
      for (const who of [bob, {}]) {
        for (const method of ["get", "update", "cancel"]) {
          const more = method === "update" ? { inputResponses: { a: {} } } : {}
          const foreign = yield* post(about(method, taskId, more), who)
          isError(foreign, -32602, 1)
          const unknown = yield* post(about(method, "0".repeat(taskId.length), more), who)
          assert.strictEqual(messageOf(foreign).replace(taskId, "?"), messageOf(unknown).replace(/0{8,}/u, "?"))
          assert.deepStrictEqual(Object.keys(Object(at(foreign, "error"))), Object.keys(Object(at(unknown, "error"))))
        }
      }
      assert.strictEqual(yield* status(taskId), "working")
      ledger.open(gate)
      yield* untilIs(taskId, "completed")
      isError(yield* post(about("get", taskId), bob), -32602, 1)
      const done = yield* post(about("get", taskId))
      assert.strictEqual(at(done, "result", "result", "content", 0, "text"), "done")
      assert.notStrictEqual(at(done, "result", "result", "resultType"), "task")
    }))

  it.effect("§11.2: only its owner answers a task's questions; keys nobody asked for are ignored", () =>
    Effect.gen(function*() {
      const { taskId } = yield* begin({}, "job_asking")
      yield* untilIs(taskId, "input_required")
      const waiting = yield* post(about("get", taskId))
      assert.strictEqual(at(waiting, "result", "inputRequests", "user_name", "method"), "elicitation/create")
      assert.isUndefined(at(waiting, "result", "requestState"))
      const answers = { inputResponses: { user_name: filled("Ada") } }
      isError(yield* post(about("update", taskId, { inputResponses: { user_name: filled("Eve") } }), bob), -32602, 1)
      for (const inputResponses of [undefined, null, 5, [], { user_name: 5 }]) {
        isError(yield* post(about("update", taskId, { inputResponses })), -32602, 1)
      }
      const ignored = yield* post(about("update", taskId, { inputResponses: { other: filled("Eve") } }))
      assert.strictEqual(at(ignored, "result", "resultType"), "complete")
      assert.strictEqual(yield* status(taskId), "input_required")
      const heard = yield* post(about("update", taskId, answers))
      assert.deepStrictEqual(Object.keys(Object(at(heard, "result"))).sort(), ["_meta", "resultType"])
      yield* untilIs(taskId, "completed")
      assert.include(JSON.stringify(yield* post(about("get", taskId))), "Hello, Ada!")
    }))

  it.effect("§11.2: cancelling stops the call, and may be said again of what is over", () =>
    Effect.gen(function*() {
      const { ledger } = yield* Wire
      const before = ledger.count("job_gated interrupted")
      const { taskId } = yield* begin()
      for (let time = 0; time < 2; time++) {
        const heard = yield* post(about("cancel", taskId))
        assert.deepStrictEqual(Object.keys(Object(at(heard, "result"))).sort(), ["_meta", "resultType"])
        assert.strictEqual(yield* status(taskId), "cancelled")
      }
      yield* until(() => ledger.count("job_gated interrupted") === before + 1, "the interruption")
    }))

  it.scoped("§11.2: losing the connection, or a cancel of the request, leaves the task alone", () =>
    Effect.gen(function*() {
      const { http, ledger, pipe } = yield* Wire
      const before = ledger.count("job_gated interrupted")
      const { gate, taskId } = yield* begin()
      const visit = yield* http.start(about("get", taskId), alice)
      visit.leave()
      const peer = yield* pipe("alice")
      const args = { gate: `t${++names}` }
      const other = String(at(yield* peer.ask(call("job_gated", args, tasked, 5)), "result", "taskId"))
      peer.say({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 5 } })
      yield* peer.ask(claim("server/discover", {}, "barrier"))
      yield* peer.stop
      for (const one of [gate, args.gate]) ledger.open(one)
      for (const id of [taskId, other]) yield* untilIs(id, "completed")
      assert.strictEqual(ledger.count("job_gated interrupted"), before)
    }))

  it.effect("§11.2: a client that does not declare tasks gets none, and may not ask about any", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const { taskId } = yield* begin()
      const needs = { requiredCapabilities: { extensions: { [Key.tasks]: {} } } }
      for (
        const meta of [{}, asked, { _meta: { [Key.capabilities]: { tasks: {}, [Key.tasks]: {} } } }, {
          _meta: { [Key.capabilities]: { extensions: { tasks: {} } } }
        }]
      ) {
        for (
          const message of [
            call("job_gated", { gate: "x" }, meta),
            ...["get", "cancel"].map((method) => claim(`tasks/${method}`, { taskId, ...meta })),
            claim("tasks/update", { taskId, inputResponses: {}, ...meta }),
            listen({ taskIds: [taskId] }, 1, meta)
          ]
        ) {
          const reply = yield* http.post(message, alice)
          assert.strictEqual(reply.status, 400, reply.body)
          isError(reply.json, -32021, 1)
          assert.deepStrictEqual(at(reply.json, "error", "data"), needs)
        }
        const optional = yield* post(call("job_optional", {}, { ...meta, task: { ttl: 1000 } }))
        assert.deepStrictEqual([at(optional, "result", "resultType"), textOf(optional)], ["complete", "done"])
      }
    }))

  it.scoped("§11.2: under a handshake the extension is nothing, whatever the client declares", () =>
    Effect.gen(function*() {
      const { http, ledger, pipe } = yield* Wire
      const begun = ledger.count("job_gated begun")
      const capabilities = {
        extensions: { [Key.tasks]: {} },
        tasks: { requests: { tools: { call: {} } } },
        elicitation: {}
      }
      for (const version of handshakes) {
        const opening = yield* http.post(initialize(version, capabilities), alice)
        assert.isUndefined(at(opening.json, "result", "capabilities", "extensions"))
        assert.isUndefined(at(opening.json, "result", "capabilities", "tasks"))
        const session = { ...alice, "mcp-session-id": opening.header("mcp-session-id") }
        const peer = yield* pipe("alice")
        yield* peer.handshake(version, capabilities)
        const ask = (message: Json) => Effect.all([post(message, session), peer.ask(message)])
        for (const answer of yield* ask(oldCall("job_optional", {}, { task: { ttl: 1000 }, ...tasked._meta }, 1))) {
          assert.strictEqual(textOf(answer), "done")
          isOld(answer)
        }
        for (const answer of yield* ask(oldCall("job_gated", { gate: "x" }, { task: {} }, 2))) {
          assert.isTrue(codeOf(answer) !== undefined || at(answer, "result", "isError") === true)
          assert.isUndefined(at(answer, "result", "taskId"))
        }
        for (const method of ["get", "update", "cancel", "list", "result"]) {
          for (const answer of yield* ask(plain(`tasks/${method}`, { taskId: "x" }, method))) {
            isError(answer, -32601, method)
          }
        }
        for (const answer of yield* ask(plain("tools/list", {}, 3))) {
          assert.notInclude(JSON.stringify(answer), "taskSupport")
        }
      }
      assert.strictEqual(ledger.count("job_gated begun"), begun)
    }))

  it.effect("§11.2: Mcp-Name is the task's id, and must be", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const { taskId } = yield* begin()
      for (const method of ["get", "update", "cancel"]) {
        for (
          const name of [
            undefined,
            "",
            "x",
            taskId.toUpperCase() === taskId ? taskId.toLowerCase() : taskId.toUpperCase()
          ]
        ) {
          const reply = yield* http.post(about(method, taskId, { inputResponses: {} }), { ...alice, "mcp-name": name })
          assert.deepStrictEqual([reply.status, codeOf(reply.json)], [400, -32020])
        }
      }
      assert.strictEqual(yield* status(taskId), "working")
    }))

  it.scoped("§11.2: a subscription hears of its own user's tasks alone, with all that tasks/get would show", () =>
    Effect.gen(function*() {
      const served = yield* Wire
      const mine = yield* begin()
      const other = yield* begin()
      const filter = { taskIds: [mine.taskId, "none", "__proto__"], toolsListChanged: true }
      const visit = yield* overHttp(served, listen(filter, 7, tasked), "alice")
      const foreign = yield* overHttp(served, listen(filter, 8, tasked), "bob")
      const [ack, foreignAck] = [visit.events()[0], foreign.events()[0]]
      assert.deepStrictEqual([at(ack, "method"), at(foreignAck, "method")], [acknowledged, acknowledged])
      assert.deepStrictEqual(at(ack, "params", "notifications"), { taskIds: [mine.taskId], toolsListChanged: true })
      assert.deepStrictEqual(at(foreignAck, "params", "notifications", "taskIds") ?? [], [])
      served.ledger.open(other.gate)
      yield* untilIs(other.taskId, "completed")
      served.ledger.open(mine.gate)
      yield* heardOn(visit).until(2)
      const told = visit.events()[1]
      assert.deepStrictEqual([at(told, "method"), idOf(told)], ["notifications/tasks", 7])
      const { _meta: _, resultType: __, ...shown } = Object(at(yield* post(about("get", mine.taskId)), "result"))
      const { _meta: ___, ...params } = Object(at(told, "params"))
      assert.deepStrictEqual(params, shown)
      yield* served.publish({ _tag: "TaskChanged", taskId: mine.taskId }, { _tag: "ToolsChanged" })
      yield* heardOn(foreign).until(2)
      assert.strictEqual(at(foreign.events()[1], "method"), "notifications/tools/list_changed")
    }))
})
