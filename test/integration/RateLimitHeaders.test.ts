import { assert, describe, it } from "@effect/vitest"
import * as Observer from "causeway-mcp/middleware/Observer"
import * as Protect from "causeway-mcp/middleware/Protect"
import { Overload } from "causeway-mcp/policy/Overload"
import * as Policy from "causeway-mcp/policy/Policy"
import * as RateLimiter from "causeway-mcp/policy/RateLimiter"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

const raw = (name: string) => Tool.raw(name, { description: "Answers at once", safety: "readOnly" })

const done = { content: [{ type: "text" as const, text: "done" }] }

const twice = Protect.by(Policy.rateLimit({ limit: 2, window: "1 hour" }))

const tools = Toolkit.make(
  raw("plain_answer").implement(() => Effect.succeed(done)),
  raw("counted_answer").implement(() => Effect.succeed(done)).pipe(twice),
  raw("busy_answer").implement(() => Effect.succeed(done)).pipe(Protect.by(Policy.priority("background"))),
  raw("told_answer").implement(() =>
    Effect.zipRight(ToolCall.progress({ progress: 1 }), Effect.as(Effect.yieldNow(), done))
  ).pipe(twice)
)

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {}
}

const send = (url: string, message: object, headers: { readonly [name: string]: string } = {}) =>
  Effect.promise(async () => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
      body: JSON.stringify(message)
    })
    return { status: response.status, headers: response.headers, text: await response.text() }
  })

const call = (url: string, name: string, more: { readonly [name: string]: string } = {}, told: object = {}) =>
  send(url, {
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name, arguments: {}, _meta: { ...meta, ...told } }
  }, { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": name, ...more })

const older = (url: string, name: string, version: string, id = 1) =>
  send(url, { jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: {} } }, {
    "mcp-protocol-version": version
  })

const served = (overload?: typeof Overload.Service, observer: Observer.Observer = { begin: () => undefined }) =>
  Effect.map(
    HttpTransport.make({ port: 0 }).pipe(
      Effect.provide(
        McpServer.layerTools(tools, { name: "limited", version: "0.0.0" }).pipe(
          Layer.provide([RateLimiter.layerMemory, Layer.succeed(Observer.CallObserver, observer)])
        )
      ),
      Effect.provide(Logger.remove(Logger.defaultLogger)),
      overload === undefined ? (self) => self : Effect.provideService(Overload, overload)
    ),
    ({ url }) => url
  )

const names = ["ratelimit-policy", "ratelimit", "retry-after"]

const told = ({ headers }: { readonly headers: Headers }) => names.map((name) => headers.get(name))

describe("HTTP answers", () => {
  it.scopedLive("tell what is left of limits, and of a refused call when to come again, with status 200", () =>
    Effect.gen(function*() {
      const url = yield* served()
      const policy = "\"calls\";q=2;w=3600"
      assert.deepStrictEqual(told(yield* call(url, "plain_answer")), [null, null, null])
      assert.deepStrictEqual(told(yield* call(url, "counted_answer")), [policy, "\"calls\";r=1;t=1800", null])
      // What the client says of its time is no reason to tell it less.
      const second = yield* call(url, "counted_answer", { "request-timeout-ms": "5000" })
      assert.deepStrictEqual(told(second), [policy, "\"calls\";r=0;t=3600", null])
      const refused = yield* call(url, "counted_answer")
      assert.strictEqual(refused.status, 200)
      assert.deepStrictEqual(told(refused), [policy, "\"calls\";r=0;t=3600", "1800"])
      const { result } = JSON.parse(refused.text)
      assert.isTrue(result.isError)
      assert.deepInclude(result._meta["dev.causeway/error"], { code: "rate_limited", details: { limit: "calls" } })
    }))

  it.scopedLive("tell it of an answer that comes as a stream, and of those of older revisions", () =>
    Effect.gen(function*() {
      const url = yield* served()
      const stream = yield* call(url, "told_answer", {}, { progressToken: "p" })
      assert.include(stream.headers.get("content-type"), "text/event-stream")
      assert.include(stream.text, "notifications/progress")
      assert.strictEqual(told(stream)[1], "\"calls\";r=1;t=1800")
      for (const [version, left] of [["2025-11-25", "r=1"], ["2025-06-18", "r=0"], ["2025-03-26", "r=0"]] as const) {
        assert.include(told(yield* older(url, "counted_answer", version))[1], left)
      }
      const batch = yield* send(
        url,
        [1, 2].map((id) => ({
          jsonrpc: "2.0",
          id,
          method: "tools/call",
          params: { name: id === 1 ? "counted_answer" : "told_answer", arguments: {} }
        })),
        { "mcp-protocol-version": "2025-03-26" }
      )
      assert.strictEqual(batch.status, 200)
      // One was refused, and that is what counts.
      assert.strictEqual(told(batch)[2], "1800")
      assert.include(told(batch)[1], "r=0")
    }))

  it.scopedLive("let pages read what they tell", () =>
    Effect.gen(function*() {
      const url = yield* served()
      const origin = new URL(url).origin
      const answer = yield* call(url, "counted_answer", { origin })
      const exposed = answer.headers.get("access-control-expose-headers") ?? ""
      for (const name of names) assert.include(exposed, name)
    }))
})

describe("Calls that are turned away over HTTP", () => {
  it.scopedLive("reach who observes calls, and count even where nothing of them was read", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      let level: 1 | 3 = 1
      const url = yield* served(
        {
          pressure: () => ({ level, loopDelayMs: 0, heapRatio: 0 }),
          turnsAway: (priority) => (level === 3 || priority === "background" ? 1500 : 0)
        },
        {
          turnedAway: () => void seen.push("something"),
          begin: ({ name, requestId, tool }) => ({
            step: (step, doing) => void seen.push(`${name} ${requestId} ${tool?.name} ${step} ${doing}`),
            end: ({ code, outcome }) => void seen.push(`${outcome} ${code}`)
          })
        }
      )
      const away = yield* call(url, "busy_answer")
      assert.deepStrictEqual([away.status, away.headers.get("retry-after")], [503, "2"])
      assert.deepStrictEqual(seen, ["busy_answer 1 busy_answer overload refused", "failed temporarily_unavailable"])
      seen.length = 0
      level = 3
      assert.strictEqual((yield* call(url, "plain_answer")).status, 503)
      assert.deepStrictEqual(seen, ["something"])
    }))
})
