import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { assert, describe, it } from "@effect/vitest"
import * as Authenticator from "causeway-mcp/auth/Authenticator"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Health from "causeway-mcp/health/Health"
import * as Lifecycle from "causeway-mcp/health/Lifecycle"
import * as CallLog from "causeway-mcp/ops/CallLog"
import * as Console from "causeway-mcp/ops/Console"
import * as OpsApp from "causeway-mcp/ops/OpsApp"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
import * as Plan from "causeway-mcp/toolkit/Plan"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { readdirSync } from "node:fs"

const quiet = Logger.remove(Logger.defaultLogger)

const Who = Tool.make("show_caller", {
  description: "<img src=x onerror=alert(1)>",
  parameters: { word: Schema.String },
  success: Schema.Struct({ id: Schema.String, word: Schema.String }),
  safety: "readOnly"
}).implement(({ word }) => Effect.flatMap(ToolCall.caller, ({ id }) => Evidence.computed("who", { id, word })))

const Erase = Tool.make("erase_notes", {
  description: "Erases notes",
  success: Schema.String,
  safety: "effectful",
  scopes: ["notes:erase"]
}).implement(() => Evidence.computed("erased", "all"))

const hanging = (begun: Deferred.Deferred<void>, ended: Deferred.Deferred<void>) =>
  Tool.make("wait_long", { description: "Takes long", success: Schema.String, safety: "readOnly" }).implement(() =>
    Deferred.succeed(begun, undefined).pipe(
      Effect.zipRight(Effect.never),
      Effect.onInterrupt(() => Deferred.succeed(ended, undefined))
    )
  )

const tools = Toolkit.make(Who, Erase)
const Server = McpServer.layerTools(tools, { name: "notes", version: "1.2.3", title: "Notes" })

const keys = Authenticator.layer(({ authorization }) => {
  const scopes = new Map([
    ["Bearer reader", ["ops:read"]],
    ["Bearer caller", ["ops:read", "ops:call"]],
    ["Bearer eraser", ["ops:read", "ops:call", "notes:erase"]],
    ["Bearer client", ["ops:call"]]
  ]).get(authorization ?? "")
  if (authorization === undefined) return Effect.fail(new Authenticator.Missing())
  return scopes === undefined
    ? Effect.fail(new Authenticator.Invalid({ description: "no" }))
    : Effect.succeed(Principal.make({ id: authorization.slice(7), scopes }))
})

interface Init {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

const ask = (app: HttpApp.Default, path: string, init: Init = {}) =>
  Effect.gen(function*() {
    const { body, headers = {}, method } = init
    const request = HttpServerRequest.fromWeb(
      new Request(`http://localhost${path}`, {
        ...(method === undefined ? {} : { method }),
        ...(body === undefined ? {} : { body }),
        headers: {
          host: "localhost",
          ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }),
          ...headers
        }
      })
    )
    const response = yield* Effect.scoped(Effect.provideService(app, HttpServerRequest.HttpServerRequest, request))
    const web = HttpServerResponse.toWeb(response)
    const text = yield* Effect.promise(() => web.text())
    // The tests know what the pages answer with.
    const json = (): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>
    return { status: web.status, headers: web.headers, text, json }
  })

const post = (app: HttpApp.Default, body: unknown, headers: Record<string, string> = {}) =>
  ask(app, "/console/call", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body)
  })

/** The plans, where one tool rests on the documents, which are away. */
const resting = (name: string) =>
  Plan.ofToolkit(tools).map((plan) => plan.tool === name ? { ...plan, requires: ["documents"] } : plan)

const make = (options: Console.Options = {}) =>
  Effect.flatMap(Console.make({ plans: Plan.ofToolkit(tools), ...options }), (pages) => OpsApp.make({ pages }))

const Around = Layer.mergeAll(
  Server.pipe(Layer.provideMerge(CallLog.layer())),
  Health.layer([{ name: "documents", kind: "document-store", check: Effect.fail("sk-secret") }], { every: 0 })
)

const who = { name: "show_caller", arguments: { word: "hello" } }

const statics = [
  "/",
  ...readdirSync(new URL("../../src/ops/console/", import.meta.url)).filter((name) => name !== "index.html").map((
    name
  ) => `/console/${name}`)
]

describe("Console, its files", () => {
  it.effect("are for everybody, with headers that let nothing else in", () =>
    Effect.gen(function*() {
      const app = yield* make()
      assert.isAbove(statics.length, 5)
      for (const path of statics) {
        const { headers, status, text } = yield* ask(app, path)
        assert.strictEqual(status, 200, path)
        assert.strictEqual(
          headers.get("content-security-policy"),
          "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        assert.strictEqual(headers.get("x-content-type-options"), "nosniff")
        assert.strictEqual(headers.get("cache-control"), "no-store")
        assert.strictEqual(headers.get("referrer-policy"), "no-referrer")
        assert.match(headers.get("content-type") ?? "", /^(?:text\/(?:html|css|javascript); charset=utf-8|image\/svg)/u)
        assert.notInclude(text, "Notes")
        assert.notMatch(text, /innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|localStorage/u)
      }
      const { text } = yield* ask(app, "/")
      assert.notMatch(text, /<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|https?:/u)
      assert.strictEqual((yield* ask(app, "/", { method: "POST", body: "x" })).status, 405)
      for (const path of ["/console", "/console/", "/console/index.html", "/console/%63onsole.js", "/console/x"]) {
        assert.strictEqual((yield* ask(app, path)).status, 404, path)
      }
    }).pipe(Effect.provide([Around, keys]), Effect.provide(quiet)))
})

describe("Console, its state", () => {
  it.effect("tells of the server, its tools, their plans, the sources and the calls", () =>
    Effect.gen(function*() {
      const app = yield* make({ plans: resting("show_caller"), endpoint: "/here" })
      yield* post(app, who)
      const { headers, json, text } = yield* ask(app, "/console/state")
      const state = json()
      assert.strictEqual(headers.get("cache-control"), "no-store")
      assert.deepStrictEqual(state.server, { name: "notes", version: "1.2.3", title: "Notes" })
      assert.deepStrictEqual(state.caller, { id: "local", mayCall: true, callScopes: ["ops:call"] })
      assert.deepStrictEqual(state.client, { endpoint: "/here", hasKeys: false })
      assert.deepStrictEqual(state.unavailable, [{ tool: "show_caller", without: ["documents"] }])
      assert.deepNestedInclude(state, {
        "tools.list[0].name": "show_caller",
        "tools.list[0].description": "<img src=x onerror=alert(1)>",
        "tools.plans[1].scopes": ["notes:erase"],
        "health.status": "degraded",
        "calls.recent[0].tool": "show_caller",
        "calls.total.calls": 1
      })
      assert.notInclude(text, "sk-secret")
      assert.notInclude(text, "hello")
    }).pipe(Effect.provide(Around), Effect.provide(quiet)))

  it.effect("leaves out tools that are known, and draws one tool alone", () =>
    Effect.gen(function*() {
      const app = yield* make()
      yield* post(app, who)
      yield* post(app, { name: "nowhere" })
      const first = (yield* ask(app, "/console/state")).json()
      const { version } = first.tools as { version: string }
      const again = (yield* ask(app, `/console/state?known=${version}&tool=show_caller`)).json()
      assert.deepStrictEqual(again.tools, { version })
      const count = ({ calls }: Record<string, unknown>): number | undefined =>
        (calls as { points: { calls: ReadonlyArray<number> } }).points.calls.at(-1)
      assert.deepStrictEqual([count(first), count(again)], [2, 1])
      const other = (yield* ask(app, "/console/state?tool=__proto__&known=%00")).json()
      assert.notProperty(other.calls, "points")
    }).pipe(Effect.provide(Around), Effect.provide(quiet)))

  it.effect("hides the tools, and what stands around them, that a caller may not use", () =>
    Effect.gen(function*() {
      const app = yield* make({ plans: resting("erase_notes") })
      const seen = (key: string) =>
        Effect.map(
          ask(app, "/console/state", { headers: { authorization: `Bearer ${key}` } }),
          ({ text }) => text.includes("erase_notes")
        )
      assert.isFalse(yield* seen("caller"))
      assert.isTrue(yield* seen("eraser"))
    }).pipe(Effect.provide([Around, keys]), Effect.provide(quiet)))

  it.effect("says that there is no log, and no tool, where there is none", () =>
    Effect.gen(function*() {
      const app = yield* make({ plans: [] })
      const state = (yield* ask(app, "/console/state")).json()
      assert.notProperty(state, "calls")
      assert.deepInclude(state.tools, { list: [], plans: [] })
    }).pipe(Effect.provide([
      McpServer.layerTools(Toolkit.make(), { name: "empty", version: "1" }),
      Health.layer([])
    ])))
})

describe("Console, its calls", () => {
  it.effect("are those of the person who asks, and are seen by observers", () =>
    Effect.gen(function*() {
      const app = yield* make()
      const { json, status } = yield* post(app, who, { authorization: "Bearer caller" })
      assert.strictEqual(status, 200)
      assert.deepNestedInclude(json(), { "result.structuredContent.data": { id: "caller", word: "hello" } })
      const [entry] = (yield* CallLog.CallLog).recent()
      assert.deepInclude(entry, { tool: "show_caller", caller: "caller", outcome: "answered" })
      assert.match(entry?.requestId ?? "", /^console-[0-9a-f]{12}$/u)
    }).pipe(Effect.provide([Around, keys]), Effect.provide(quiet)))

  it.effect("end as the protocol says when there is no such tool, or the arguments are wrong", () =>
    Effect.gen(function*() {
      const app = yield* make()
      const unknown = yield* post(app, { name: "nowhere", arguments: {} })
      assert.strictEqual(unknown.status, 200)
      assert.deepNestedInclude(unknown.json(), { "error.code": -32602, "error.message": "Unknown tool: nowhere" })
      const wrong = yield* post(app, { name: "show_caller", arguments: { word: 1 } })
      assert.deepNestedInclude(wrong.json(), { "result.isError": true })
    }).pipe(Effect.provide(Around), Effect.provide(quiet)))

  const cases: ReadonlyArray<readonly [who: string | undefined, state: number, call: number]> = [
    [undefined, 401, 401],
    ["wrong", 401, 401],
    ["client", 403, 403],
    ["reader", 200, 403],
    ["caller", 200, 200]
  ]
  for (const [key, state, call] of cases) {
    it.effect(`answer ${call} to ${key ?? "nobody"}, who gets ${state} for the state`, () =>
      Effect.gen(function*() {
        const app = yield* make()
        const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` }
        assert.strictEqual((yield* ask(app, "/console/state", { headers })).status, state)
        const answer = yield* post(app, who, headers)
        assert.strictEqual(answer.status, call)
        if (call === 403) assert.match(answer.headers.get("www-authenticate") ?? "", /scope="ops:read ops:call"/u)
        assert.lengthOf((yield* CallLog.CallLog).recent(), call === 200 ? 1 : 0)
      }).pipe(Effect.provide([Around, keys]), Effect.provide(quiet)))
  }

  it.effect("do not reach a tool whose scope the caller lacks", () =>
    Effect.gen(function*() {
      const app = yield* make()
      const erase = { name: "erase_notes", arguments: {} }
      const refused = yield* post(app, erase, { authorization: "Bearer caller" })
      assert.notNestedProperty(refused.json(), "result.structuredContent")
      const done = yield* post(app, erase, { authorization: "Bearer eraser" })
      assert.deepNestedInclude(done.json(), { "result.structuredContent.data": "all" })
    }).pipe(Effect.provide([Around, keys]), Effect.provide(quiet)))

  const foreign: ReadonlyArray<readonly [what: string, headers: Record<string, string>]> = [
    ["another site", { origin: "https://evil.example" }],
    ["another port of this machine", { origin: "http://localhost:5173" }],
    ["nowhere", { origin: "null" }],
    ["what a browser calls another site", { "sec-fetch-site": "cross-site" }],
    ["what a browser calls the same site", { "sec-fetch-site": "same-site" }],
    ["another site that a browser takes for this one", {
      origin: "http://evil.example",
      "sec-fetch-site": "same-origin"
    }]
  ]
  for (const [what, headers] of foreign) {
    it.effect(`are refused to a page of ${what}, and the state too`, () =>
      Effect.gen(function*() {
        const app = yield* make()
        const answer = yield* post(app, who, headers)
        assert.strictEqual(answer.status, 403)
        assert.isNull(answer.headers.get("access-control-allow-origin"))
        assert.strictEqual((yield* ask(app, "/console/state", { headers })).status, 403)
        assert.deepStrictEqual((yield* CallLog.CallLog).recent(), [])
      }).pipe(Effect.provide(Around), Effect.provide(quiet)))
  }

  it.effect("are taken from the page itself and from programs", () =>
    Effect.gen(function*() {
      const app = yield* make()
      for (
        const headers of [{}, { origin: "http://localhost" }, {
          origin: "http://localhost",
          "sec-fetch-site": "same-origin"
        }]
      ) {
        assert.strictEqual((yield* post(app, who, headers)).status, 200)
      }
    }).pipe(Effect.provide(Around), Effect.provide(quiet)))

  const wrong: ReadonlyArray<readonly [what: string, status: number, body: unknown, headers?: Record<string, string>]> =
    [
      ["a form", 415, "name=x", { "content-type": "application/x-www-form-urlencoded" }],
      ["text", 415, who, { "content-type": "text/plain" }],
      ["JSON that says it is text first", 415, who, { "content-type": "text/plain, application/json" }],
      ["JSON in another encoding", 415, who, { "content-type": "application/json; charset=utf-16" }],
      ["a packed body", 415, who, { "content-encoding": "gzip" }],
      ["a long body", 413, { ...who, arguments: { word: "x".repeat(65_536) } }],
      ["what is not JSON", 400, "{"],
      ["nothing", 400, ""],
      ["a list", 400, [who]],
      ["no name", 400, { arguments: {} }],
      ["a name that is none", 400, { name: 1 }],
      ["arguments that are none", 400, { name: "show_caller", arguments: [] }],
      [
        "arguments without a bottom",
        400,
        `{"name":"show_caller","arguments":{"a":${"[".repeat(30_000)}${"]".repeat(30_000)}}}`
      ]
    ]
  for (const [what, status, body, headers] of wrong) {
    it.effect(`refuse ${what} with ${status}`, () =>
      Effect.gen(function*() {
        const app = yield* make()
        const answer = yield* post(app, body, headers)
        assert.strictEqual(answer.status, status)
        assert.hasAllKeys(answer.json(), ["error"])
        assert.deepStrictEqual((yield* CallLog.CallLog).recent(), [])
      }).pipe(Effect.provide(Around), Effect.provide(quiet)))
  }

  it.effect("need the length of the body, and POST", () =>
    Effect.gen(function*() {
      const app = yield* make()
      const headers = { "content-type": "application/json" }
      assert.strictEqual((yield* ask(app, "/console/call", { method: "POST", headers })).status, 411)
      const got = yield* ask(app, "/console/call")
      assert.deepStrictEqual([got.status, got.headers.get("allow")], [405, "POST"])
    }).pipe(Effect.provide(Around), Effect.provide(quiet)))

  it.effect("are ended when they take too long", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<void>()
      const Slow = McpServer.layerTools(Toolkit.make(hanging(begun, ended)), { name: "slow", version: "1" })
      yield* Effect.gen(function*() {
        const app = yield* make({ plans: [], callTimeout: "2 seconds" })
        const call = yield* Effect.fork(post(app, { name: "wait_long" }))
        yield* Deferred.await(begun)
        yield* TestClock.adjust("2 seconds")
        yield* Deferred.await(ended)
        const { json, status } = yield* call
        assert.deepStrictEqual([status, json()], [504, { error: "no answer within 2s; the call was cancelled" }])
      }).pipe(Effect.provide([Slow, Health.layer([])]))
    }))

  it.effect("are not begun any more when the server drains", () =>
    Effect.gen(function*() {
      const app = yield* make()
      yield* Effect.flatMap(Lifecycle.Lifecycle, ({ drain }) => drain)
      assert.strictEqual((yield* post(app, who)).status, 503)
      assert.deepNestedInclude((yield* ask(app, "/console/state")).json(), { "lifecycle.state": "draining" })
    }).pipe(Effect.provide([Around, Lifecycle.layer]), Effect.provide(quiet)))
})

describe("Console.settings", () => {
  const read = (values: Record<string, string>) =>
    Effect.withConfigProvider(Console.settings, ConfigProvider.fromMap(new Map(Object.entries(values))))

  it.effect("are on, off or not there", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        [
          yield* read({}),
          yield* read({ CONSOLE: "" }),
          yield* read({ CONSOLE: "on" }),
          yield* read({ CONSOLE: "off" })
        ],
        [undefined, undefined, true, false]
      )
      assert.include(String(yield* Effect.flip(read({ CONSOLE: "yes" }))), "CONSOLE")
    }))

  it.effect("have it where only this machine can reach it, or callers are asked who they are", () =>
    Effect.gen(function*() {
      const hosts = ["127.0.0.1", "::1", "localhost", "0.0.0.0", "10.0.0.1", "127.0.0.1.evil.example"]
      const on = (setting?: boolean) => Effect.forEach(hosts, (host) => Console.isOn(host, setting))
      assert.deepStrictEqual(yield* on(), [true, true, true, false, false, false])
      assert.deepStrictEqual(yield* Effect.provide(on(), keys), [true, true, true, true, true, true])
      assert.deepStrictEqual(yield* on(true), [true, true, true, true, true, true])
      assert.deepStrictEqual(yield* on(false), [false, false, false, false, false, false])
    }))
})
