import * as HttpApp from "@effect/platform/HttpApp"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { assert, describe, it } from "@effect/vitest"
import * as Authenticator from "causeway-mcp/auth/Authenticator"
import type { Refused } from "causeway-mcp/auth/AuthObserver"
import { AuthObserver } from "causeway-mcp/auth/AuthObserver"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Health from "causeway-mcp/health/Health"
import * as OpsApp from "causeway-mcp/ops/OpsApp"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Ref from "effect/Ref"
import * as TestClock from "effect/TestClock"

const quiet = Logger.remove(Logger.defaultLogger)

/** Asks as a server asks: it runs applications where nothing can be interrupted. */
const served = (app: HttpApp.Default) =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    const handle = HttpApp.toWebHandlerRuntime(runtime)(app)
    return (path: string, init?: RequestInit) =>
      Effect.promise(() => handle(new Request(`http://localhost${path}`, init)))
  })

const textOf = (answer: Response) => Effect.promise(() => answer.text())

const olga = Principal.make({ id: "olga", scopes: ["ops:read"] })

const byKey = Authenticator.layer(({ authorization, header }) => {
  if (header("x-api-key") === "olgas") return Effect.succeed(olga)
  if (authorization === "Bearer carls") return Effect.succeed(Principal.make({ id: "carl" }))
  if (authorization === "Bearer busy") return Effect.fail(new Authenticator.TooMany({ retryAfterMs: Infinity }))
  return Effect.fail(
    authorization === undefined ? new Authenticator.Missing() : new Authenticator.Invalid({ description: "no" })
  )
})

const hanging = Authenticator.layer(() => Effect.never)
const stubborn = Authenticator.layer(() => Effect.uninterruptible(Effect.never))

describe("OpsApp, on a server", () => {
  it.effect("answers a probe with the last verdict while a source takes its time", () =>
    Effect.gen(function*() {
      const isSlow = yield* Ref.make(false)
      const check = Effect.flatMap(Ref.get(isSlow), (slow) => slow ? Effect.never : Effect.void)
      yield* Effect.gen(function*() {
        const ask = yield* Effect.flatMap(OpsApp.make(), served)
        assert.strictEqual((yield* ask("/readyz")).status, 200)
        yield* Ref.set(isSlow, true)
        yield* TestClock.adjust("1 seconds")
        const probe = yield* Effect.fork(ask("/readyz"))
        yield* TestClock.adjust("250 millis")
        assert.strictEqual((yield* probe).status, 200)
      }).pipe(Effect.provide(Health.layer([{ name: "redis", kind: "session-store", check, required: true }], {
        every: 0
      })))
    }).pipe(Effect.provide(quiet)))

  for (const [what, authenticator] of [["does not answer", hanging], ["cannot be interrupted", stubborn]] as const) {
    it.effect(`says after ten seconds that it cannot know a caller, when the authenticator ${what}`, () =>
      Effect.gen(function*() {
        const ask = yield* Effect.flatMap(OpsApp.make(), served)
        const page = yield* Effect.fork(ask("/healthz"))
        yield* TestClock.adjust("10 seconds")
        const { headers, status } = yield* page
        assert.deepStrictEqual([status, headers.get("retry-after")], [503, "5"])
      }).pipe(Effect.provide([Health.layer([], { every: 0 }), authenticator])))

    it.effect(`answers a probe without names after a quarter of a second, when the authenticator ${what}`, () =>
      Effect.gen(function*() {
        const ask = yield* Effect.flatMap(OpsApp.make(), served)
        const probe = yield* Effect.fork(ask("/readyz", { headers: { authorization: "Bearer any" } }))
        yield* TestClock.adjust("250 millis")
        const answer = yield* probe
        assert.strictEqual(answer.status, 200)
        assert.deepStrictEqual(yield* Effect.promise(() => answer.json()), { status: "up" })
      }).pipe(Effect.provide([Health.layer([], { every: 0 }), authenticator])))
  }

  it.effect("ends a page when its client goes", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<void>()
      const page = Deferred.succeed(begun, undefined).pipe(
        Effect.zipRight(Effect.never),
        Effect.onInterrupt(() => Deferred.succeed(ended, undefined))
      )
      const ask = yield* Effect.flatMap(OpsApp.make({ pages: { "/slow": page } }), served)
      const leave = new AbortController()
      yield* Effect.fork(ask("/slow", { signal: leave.signal }))
      yield* Deferred.await(begun)
      leave.abort()
      yield* Deferred.await(ended)
    }).pipe(Effect.provide(Health.layer([], { every: 0 })), Effect.provide(quiet)))
})

describe("OpsApp, its guard", () => {
  it.effect("knows a caller by whatever header the authenticator reads", () =>
    Effect.gen(function*() {
      const ask = yield* Effect.flatMap(OpsApp.make(), served)
      const headers = { "x-api-key": "olgas" }
      assert.strictEqual((yield* ask("/healthz", { headers })).status, 200)
      const ready = yield* ask("/readyz", { headers })
      assert.property(yield* Effect.promise(() => ready.json()), "unavailable")
    }).pipe(Effect.provide([Health.layer([]), byKey])))

  it.effect("tells who listens of everybody it turns away, and of no probe", () =>
    Effect.gen(function*() {
      const told: Array<Refused> = []
      const Told = Layer.succeed(AuthObserver, { refused: (refused) => void told.push(refused) })
      yield* Effect.gen(function*() {
        const ask = yield* Effect.flatMap(OpsApp.make(), served)
        for (const key of [undefined, "wrong", "carls", "busy"]) {
          const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` }
          yield* ask("/readyz", { headers })
          yield* ask("/healthz", { headers })
        }
        yield* ask("/healthz", { headers: { "x-api-key": "olgas" } })
      }).pipe(Effect.provide([Health.layer([]), byKey, Told]))
      assert.deepStrictEqual(told.map(({ caller, reason, status }) => [reason, status, caller?.id]), [
        ["missing", 401, undefined],
        ["invalid", 401, undefined],
        ["insufficientScope", 403, "carl"],
        ["tooMany", 429, undefined]
      ])
    }))

  it.effect("names a time to try again that a client can read", () =>
    Effect.gen(function*() {
      const ask = yield* Effect.flatMap(OpsApp.make(), served)
      const { headers } = yield* ask("/healthz", { headers: { authorization: "Bearer busy" } })
      assert.strictEqual(headers.get("retry-after"), "86400")
    }).pipe(Effect.provide([Health.layer([]), byKey])))
})

const pages: Record<string, OpsApp.Page> = {
  "/who": { answer: ({ id }) => Effect.succeed(HttpServerResponse.text(id)) },
  "/public": { answer: ({ id }) => Effect.succeed(HttpServerResponse.text(id)), isPublic: true },
  "/do": {
    answer: () => Effect.map(HttpServerRequest, ({ method }) => HttpServerResponse.text(method)),
    method: "POST"
  },
  "/more": { answer: () => Effect.succeed(HttpServerResponse.text("more")), scopes: ["ops:more"] }
}

describe("OpsApp, pages of one's own", () => {
  it.effect("are told who asks", () =>
    Effect.gen(function*() {
      const ask = yield* Effect.flatMap(OpsApp.make({ pages }), served)
      const headers = { "x-api-key": "olgas" }
      assert.strictEqual(yield* Effect.flatMap(ask("/who", { headers }), textOf), "olga")
      assert.strictEqual(yield* Effect.flatMap(ask("/public", { headers }), textOf), "anybody")
      assert.strictEqual((yield* ask("/who")).status, 401)
      assert.strictEqual((yield* ask("/public")).status, 200)
    }).pipe(Effect.provide([Health.layer([]), byKey])))

  it.effect("are asked by the person at this machine where nobody is asked who it is", () =>
    Effect.gen(function*() {
      const ask = yield* Effect.flatMap(OpsApp.make({ pages }), served)
      assert.strictEqual(yield* Effect.flatMap(ask("/who"), textOf), "local")
      assert.strictEqual((yield* ask("/more")).status, 200)
    }).pipe(Effect.provide(Health.layer([]))))

  it.effect("take their method alone, and need their scopes besides", () =>
    Effect.gen(function*() {
      const ask = yield* Effect.flatMap(OpsApp.make({ pages }), served)
      const headers = { "x-api-key": "olgas" }
      assert.strictEqual((yield* ask("/do", { method: "POST", headers })).status, 200)
      assert.strictEqual((yield* ask("/do", { method: "POST" })).status, 401)
      for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]) {
        const refused = yield* ask("/do", { method, headers })
        assert.deepStrictEqual([refused.status, refused.headers.get("allow")], [405, "POST"])
      }
      const lacking = yield* ask("/more", { headers })
      assert.strictEqual(lacking.status, 403)
      assert.match(lacking.headers.get("www-authenticate") ?? "", /scope="ops:read ops:more"/u)
    }).pipe(Effect.provide([Health.layer([]), byKey])))

  it.effect("do not take the place of what tells how the server is", () =>
    Effect.gen(function*() {
      const mine = Effect.succeed(HttpServerResponse.text("mine"))
      const own = { "/livez": mine, "/readyz": mine, "/healthz": mine, "/metrics": mine }
      const ask = yield* Effect.flatMap(OpsApp.make({ pages: own }), served)
      for (const path of ["/livez", "/readyz", "/healthz"]) {
        assert.match((yield* ask(path)).headers.get("content-type") ?? "", /json/u)
      }
      assert.match((yield* ask("/metrics")).headers.get("content-type") ?? "", /text\/plain/u)
    }).pipe(Effect.provide(Health.layer([]))))
})
