import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { assert, describe, it } from "@effect/vitest"
import * as Authenticator from "causeway-mcp/auth/Authenticator"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Health from "causeway-mcp/health/Health"
import * as Lifecycle from "causeway-mcp/health/Lifecycle"
import type * as Target from "causeway-mcp/llm/Target"
import * as OpsApp from "causeway-mcp/ops/OpsApp"
import * as Overload from "causeway-mcp/policy/Overload"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Ref from "effect/Ref"
import * as TestClock from "effect/TestClock"

const quiet = Logger.remove(Logger.defaultLogger)

const ask = (
  app: HttpApp.Default,
  path: string,
  init: { readonly method?: string; readonly headers?: Record<string, string> } = {}
) =>
  Effect.gen(function*() {
    const request = HttpServerRequest.fromWeb(new Request(`http://localhost${path}`, init))
    const response = yield* Effect.scoped(Effect.provideService(app, HttpServerRequest.HttpServerRequest, request))
    const web = HttpServerResponse.toWeb(response)
    const text = yield* Effect.promise(() => web.text())
    return {
      status: web.status,
      headers: web.headers,
      body: /json/u.test(web.headers.get("content-type") ?? "") ? JSON.parse(text) as unknown : text
    }
  })

const up = { name: "redis", kind: "session-store", check: Effect.void }
const down = { name: "documents", kind: "document-store", check: Effect.fail("secret words") }

const tools: ReadonlyArray<OpsApp.ToolNeeds> = [
  { tool: "answer_question", requires: ["documents"], uses: ["session-store"] },
  { tool: "search_documents", requires: ["document-store"] },
  { tool: "find_profile", requires: ["redis"], uses: ["documents", "model"] }
]

describe("OpsApp", () => {
  it.effect("is alive and asks nobody for it", () =>
    Effect.gen(function*() {
      const asked = yield* Ref.make(0)
      const check = { ...up, check: Ref.update(asked, (n) => n + 1) }
      yield* Effect.gen(function*() {
        const app = yield* OpsApp.make()
        const { body, headers, status } = yield* ask(app, "/livez?probe")
        assert.deepStrictEqual([status, body], [200, { status: "up" }])
        assert.strictEqual(headers.get("cache-control"), "no-store")
        assert.strictEqual(yield* Ref.get(asked), 0)
      }).pipe(Effect.provide(Health.layer([check], { every: 0 })))
    }))

  it.effect("is ready only between its start and its drain", () =>
    Effect.gen(function*() {
      const app = yield* OpsApp.make()
      const lifecycle = yield* Lifecycle.Lifecycle
      const ready = Effect.map(ask(app, "/readyz"), ({ body, status }) => [status, body] as const)
      assert.deepStrictEqual(yield* ready, [503, { status: "starting" }])
      yield* lifecycle.begin
      assert.deepStrictEqual(yield* ready, [200, { status: "up", unavailable: [], degraded: [] }])
      yield* lifecycle.drain
      assert.deepStrictEqual(yield* ready, [503, { status: "draining" }])
      assert.strictEqual((yield* ask(app, "/livez")).status, 200)
      assert.deepInclude(yield* Effect.map(ask(app, "/healthz"), ({ body }) => body), {
        lifecycle: { state: "draining", since: "1970-01-01T00:00:00.000Z" }
      })
    }).pipe(Effect.provide([Lifecycle.layer, Health.layer([up])]), Effect.provide(quiet)))

  it.effect("is ready without a source that is not required, and names the tools that lack it", () =>
    Effect.gen(function*() {
      const app = yield* OpsApp.make({ tools })
      const { body, status } = yield* ask(app, "/readyz")
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(body, {
        status: "degraded",
        unavailable: [
          { tool: "answer_question", without: ["documents"] },
          { tool: "search_documents", without: ["documents"] }
        ],
        degraded: [{ tool: "find_profile", without: ["documents"] }]
      })
    }).pipe(Effect.provide(Health.layer([up, down])), Effect.provide(quiet)))

  it.effect("is not ready without a source that is required", () =>
    Effect.gen(function*() {
      const app = yield* OpsApp.make()
      const { body, status } = yield* ask(app, "/readyz")
      assert.deepStrictEqual([status, body], [503, { status: "down", unavailable: [], degraded: [] }])
    }).pipe(Effect.provide(Health.layer([up, { ...down, required: true }])), Effect.provide(quiet)))

  it.effect("does not miss a tool's source while another of its kind is up", () =>
    Effect.gen(function*() {
      const app = yield* OpsApp.make({ tools })
      const { body } = yield* ask(app, "/readyz")
      assert.deepInclude(body, {
        unavailable: [{ tool: "answer_question", without: ["documents"] }]
      })
    }).pipe(
      Effect.provide(Health.layer([up, down, { name: "archive", kind: "document-store", check: Effect.void }])),
      Effect.provide(quiet)
    ))

  it.effect("answers a probe with the last verdict while a source takes its time", () =>
    Effect.gen(function*() {
      const isSlow = yield* Ref.make(false)
      const check = Effect.flatMap(Ref.get(isSlow), (slow) => slow ? Effect.never : Effect.void)
      yield* Effect.gen(function*() {
        const app = yield* OpsApp.make()
        assert.strictEqual((yield* ask(app, "/readyz")).status, 200)
        yield* Ref.set(isSlow, true)
        yield* TestClock.adjust("1 seconds")
        const probe = yield* Effect.fork(ask(app, "/readyz"))
        yield* TestClock.adjust("250 millis")
        assert.strictEqual((yield* probe).status, 200)
        yield* TestClock.adjust("1750 millis")
        assert.strictEqual((yield* ask(app, "/readyz")).status, 503)
      }).pipe(Effect.provide(Health.layer([{ ...up, check, required: true }], { every: 0 })))
    }).pipe(Effect.provide(quiet)))

  it.effect("names each source and each model, and repeats nothing that a source said", () =>
    Effect.gen(function*() {
      const model: Target.Status = {
        id: "deepseek/chat",
        provider: "deepseek",
        model: "chat",
        breaker: "closed",
        coolingFor: Duration.millis(1500.2),
        coolingReason: "RateLimited",
        inFlight: 2,
        headroom: 0.5,
        latencyMs: 120.4,
        successRate: 1
      }
      const app = yield* OpsApp.make({ models: Effect.succeed([model]) })
      const { body, status } = yield* ask(app, "/healthz")
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(body, {
        status: "degraded",
        sources: [
          { name: "redis", kind: "session-store", status: "up", since: "1970-01-01T00:00:00.000Z", latencyMs: 0 },
          {
            name: "documents",
            kind: "document-store",
            status: "down",
            since: "1970-01-01T00:00:00.000Z",
            latencyMs: 0,
            description: "the check failed"
          }
        ],
        models: [{
          id: "deepseek/chat",
          breaker: "closed",
          restsForMs: 1501,
          because: "RateLimited",
          inFlight: 2,
          headroom: 0.5,
          latencyMs: 120
        }],
        unavailable: [],
        degraded: [],
        pressure: { level: 0, loopDelayMs: 0, heapRatio: 0 }
      })
    }).pipe(
      Effect.provide([Health.layer([up, down]), Overload.layer({ measure: () => ({ loopDelayMs: 0, heapRatio: 0 }) })]),
      Effect.provide(quiet)
    ))

  it.effect("answers HEAD, refuses other verbs, and finds nothing elsewhere", () =>
    Effect.gen(function*() {
      const app = yield* OpsApp.make({ pages: { "/extra": Effect.succeed(HttpServerResponse.text("more")) } })
      for (const path of ["/livez", "/readyz", "/healthz", "/metrics", "/extra"]) {
        assert.strictEqual((yield* ask(app, path, { method: "HEAD" })).status, 200)
        const refused = yield* ask(app, path, { method: "POST" })
        assert.deepStrictEqual([refused.status, refused.headers.get("allow")], [405, "GET, HEAD"])
      }
      assert.strictEqual((yield* ask(app, "/extra")).body, "more")
      for (const path of ["/", "/livez/", "/LIVEZ", "/healthz/redis", "//livez", "/constructor", "/__proto__"]) {
        assert.deepStrictEqual((yield* ask(app, path)).body, { error: "not found" })
      }
    }).pipe(Effect.provide(Health.layer([up]))))
})

const keys = Authenticator.layer(({ authorization }) =>
  authorization === "Bearer operator"
    ? Effect.succeed(Principal.make({ id: "olga", scopes: ["ops:read"] }))
    : authorization === "Bearer client"
    ? Effect.succeed(Principal.make({ id: "carl", scopes: ["tools"] }))
    : authorization === "Bearer busy"
    ? Effect.fail(new Authenticator.TooMany({ retryAfterMs: 1500 }))
    : authorization === "Bearer away"
    ? Effect.fail(new Authenticator.Unavailable({}))
    : Effect.fail(
      authorization === undefined ? new Authenticator.Missing() : new Authenticator.Invalid({ description: "no" })
    )
)

describe("OpsApp, where callers are asked who they are", () => {
  const cases: ReadonlyArray<readonly [who: string | undefined, status: number, header: string, value: RegExp]> = [
    [undefined, 401, "www-authenticate", /^Bearer (?!.*error)/u],
    ["wrong", 401, "www-authenticate", /error="invalid_token"/u],
    ["client", 403, "www-authenticate", /error="insufficient_scope".*scope="ops:read"/u],
    ["busy", 429, "retry-after", /^2$/u],
    ["away", 503, "retry-after", /^5$/u],
    ["operator", 200, "cache-control", /^no-store$/u]
  ]
  for (const [who, status, header, value] of cases) {
    it.effect(`answers ${status} to ${who ?? "nobody"}`, () =>
      Effect.gen(function*() {
        const app = yield* OpsApp.make({ pages: { "/extra": Effect.succeed(HttpServerResponse.text("more")) } })
        for (const path of ["/healthz", "/metrics", "/extra"]) {
          const answer = yield* ask(app, path, who === undefined ? {} : { headers: { authorization: `Bearer ${who}` } })
          assert.strictEqual(answer.status, status, path)
          if (path !== "/extra") assert.match(answer.headers.get(header) ?? "", value)
        }
      }).pipe(Effect.provide([Health.layer([up]), keys])))
  }

  it.effect("tells everybody whether it is ready, and the operator of which tools", () =>
    Effect.gen(function*() {
      const app = yield* OpsApp.make({ tools })
      for (const who of [undefined, "wrong", "client", "busy", "away"]) {
        const given = who === undefined ? {} : { headers: { authorization: `Bearer ${who}` } }
        const { body, status } = yield* ask(app, "/readyz", given)
        assert.deepStrictEqual([status, body], [200, { status: "degraded" }])
      }
      const { body } = yield* ask(app, "/readyz", { headers: { authorization: "Bearer operator" } })
      assert.property(body, "unavailable")
    }).pipe(Effect.provide(Layer.mergeAll(Health.layer([up, down]), keys)), Effect.provide(quiet)))
})
