import { assert, describe, it } from "@effect/vitest"
import * as JwtAuthenticator from "causeway-mcp/auth/JwtAuthenticator"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as AuthHttp from "./authHttp.js"
import * as As from "./authorizationServer.js"

const resource = "http://127.0.0.1:8080/mcp"

const one = Effect.runPromise(As.key("ES256", "one"))
const two = Effect.runPromise(As.key("EdDSA", "two"))
const keyOf = (key: Promise<As.Key>) => Effect.promise(() => key)

const begin = (options: Partial<JwtAuthenticator.Options> = {}) =>
  Effect.gen(function*() {
    const first = yield* keyOf(one)
    const server = yield* As.start([first])
    const guarded = yield* AuthHttp.serveWith(JwtAuthenticator.layer({ issuer: server.issuer, resource, ...options }))
    const token = (written: As.Written = {}, key = first) => As.token(key, server.issuer, resource, written)
    const status = (token: string) =>
      Effect.map(guarded.call("whoami", AuthHttp.bearer(token)), (answer) => answer.status)
    return { server, guarded, token, status }
  })

describe("JwtAuthenticator", () => {
  it.scopedLive(
    "lets a token in, finds the keys by metadata, and fetches once for 1,000 requests at once",
    () =>
      Effect.gen(function*() {
        const { guarded, server, status, token } = yield* begin()
        assert.strictEqual(server.hits.size, 0)
        server.play.delayMillis = 50
        const tokens = yield* Effect.all(Array.from({ length: 20 }, (_, n) => token({ claims: { sub: `user-${n}` } })))
        const all = yield* Effect.forEach(
          Array.from({ length: 1000 }, (_, n) => tokens[n % 20] ?? ""),
          status,
          { concurrency: 200 }
        )
        assert.deepStrictEqual([...new Set(all)], [200])
        assert.strictEqual(server.hitsOf("/jwks"), 1)
        assert.strictEqual(server.hitsOf("/.well-known/oauth-authorization-server"), 1)
        assert.strictEqual(guarded.reached.calls, 1000)
      }),
    60_000
  )

  for (const alg of ["RS256", "PS256", "ES256", "EdDSA"]) {
    it.scopedLive(`verifies ${alg}, and tells a tool who asks`, () =>
      Effect.gen(function*() {
        const key = yield* As.key(alg, "k")
        const server = yield* As.start([key])
        const guarded = yield* AuthHttp.serveWith(
          JwtAuthenticator.layer({ issuer: server.issuer, resource, tenantClaim: "org" })
        )
        const token = yield* As.token(key, server.issuer, resource, { claims: { org: "acme" } })
        const { status, text } = yield* guarded.call("whoami", AuthHttp.bearer(token))
        assert.strictEqual(status, 200)
        assert.include(text, `"data":{"id":"ada","tenant":"acme"}`)
      }))
  }

  for (
    const path of [
      "/.well-known/oauth-authorization-server/tenant",
      "/.well-known/openid-configuration/tenant",
      "/tenant/.well-known/openid-configuration"
    ]
  ) {
    it.scopedLive(`finds the keys of an issuer with a path at ${path}`, () =>
      Effect.gen(function*() {
        const key = yield* keyOf(one)
        const server = yield* As.start([key])
        const issuer = `${server.issuer}/tenant`
        server.play.metadata = { issuer, jwks_uri: server.url("/jwks") }
        server.play.metadataPath = path
        const guarded = yield* AuthHttp.serveWith(JwtAuthenticator.layer({ issuer, resource }))
        const token = yield* As.token(key, issuer, resource)
        assert.strictEqual((yield* guarded.call("whoami", AuthHttp.bearer(token))).status, 200)
      }))
  }

  const untrusted: ReadonlyArray<readonly [string, (server: As.AuthorizationServer) => void]> = [
    [
      "metadata of another issuer",
      ({ play, url }) => (play.metadata = { issuer: url("/other"), jwks_uri: url("/jwks") })
    ],
    ["metadata without an issuer", ({ play, url }) => (play.metadata = { jwks_uri: url("/jwks") })],
    ["metadata without keys", ({ issuer, play }) => (play.metadata = { issuer })],
    [
      "keys in plain text elsewhere",
      ({ issuer, play }) => (play.metadata = { issuer, jwks_uri: "http://keys.example.com/jwks" })
    ],
    ["keys behind a redirect", ({ play, url }) => (play.jwksRedirect = url("/moved"))],
    ["keys over 64 KiB", ({ play }) => (play.jwksBody = JSON.stringify({ keys: [], pad: "x".repeat(64 * 1024) }))],
    ["keys that are no JSON", ({ play }) => (play.jwksBody = "{")],
    ["keys that are no key set", ({ play }) => (play.jwksBody = "[]")]
  ]
  for (const [what, arrange] of untrusted) {
    it.scopedLive(`uses no ${what}: the client is told to try again`, () =>
      Effect.gen(function*() {
        const { guarded, server, token } = yield* begin()
        arrange(server)
        const answer = yield* guarded.call("whoami", AuthHttp.bearer(yield* token()))
        assert.strictEqual(answer.status, 503)
        assert.strictEqual(answer.header("retry-after"), "5")
        assert.isTrue(AuthHttp.isErrorWithoutId(answer.text))
        assert.strictEqual(server.hitsOf("/moved"), 0)
        assert.strictEqual(guarded.reached.calls, 0)
      }))
  }

  it.scopedLive("takes a new key when it comes and lets go of the old one with all its verdicts", () =>
    Effect.gen(function*() {
      const second = yield* keyOf(two)
      const { server, status, token } = yield* begin({ cooldown: "50 millis" })
      const old = yield* token()
      assert.strictEqual(yield* status(old), 200)
      server.play.keys = [second.jwk]
      assert.strictEqual(yield* status(old), 200)
      yield* Effect.sleep("60 millis")
      assert.deepStrictEqual(
        yield* Effect.all(Array.from({ length: 20 }, () => Effect.flatMap(token({}, second), status)), {
          concurrency: "unbounded"
        }),
        Array.from({ length: 20 }, () => 200)
      )
      assert.strictEqual(server.hitsOf("/jwks"), 2)
      assert.strictEqual(yield* status(old), 401)
    }))

  it.scopedLive("fetches once for a flood of unknown keys, and goes on serving", () =>
    Effect.gen(function*() {
      const { server, status, token } = yield* begin({ cooldown: "1 hour", verdictsFor: "0 millis" })
      const good = yield* token()
      assert.strictEqual(yield* status(good), 200)
      const flood = yield* Effect.forEach(
        Array.from({ length: 200 }, (_, n) => n),
        (n) => Effect.flatMap(token({ header: { kid: `unknown-${n}` } }), status),
        { concurrency: 50 }
      )
      assert.deepStrictEqual([...new Set(flood)], [401])
      assert.isAtMost(server.hitsOf("/jwks"), 2)
      assert.strictEqual(yield* status(good), 200)
    }))

  it.scopedLive("serves with the keys it has while the server is away, and not for longer than is allowed", () =>
    Effect.gen(function*() {
      const { server, status, token } = yield* begin({ staleKeysFor: "4 seconds", cooldown: "10 millis" })
      assert.strictEqual(yield* status(yield* token()), 200)
      server.play.isDown = true
      assert.strictEqual(yield* status(yield* token({ claims: { sub: "bob" } })), 200)
      const outdated = Effect.flatMap(token({ claims: { jti: "new" }, header: {} }), status)
      yield* outdated.pipe(
        Effect.flatMap((status) => status === 503 ? Effect.void : Effect.fail("still served")),
        Effect.retry(Schedule.spaced("50 millis")),
        Effect.timeout("12 seconds")
      )
      server.play.isDown = false
      yield* Effect.sleep("20 millis")
      assert.strictEqual(yield* outdated, 200)
    }))

  it.scopedLive("tells a client within the time for fetches that a slow server does not answer, and no tool runs", () =>
    Effect.gen(function*() {
      const { guarded, server, token } = yield* begin({ fetchTimeout: "100 millis" })
      server.play.delayMillis = 9000
      const began = performance.now()
      const answers = yield* Effect.forEach(
        yield* Effect.all(Array.from({ length: 50 }, () => token())),
        (token) => guarded.call("whoami", AuthHttp.bearer(token)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([...new Set(answers.map(({ status }) => status))], [503])
      assert.isBelow(performance.now() - began, 8000)
      assert.strictEqual(guarded.reached.calls, 0)
    }))

  it.scopedLive("reads no body and runs nothing for a client that goes while its token is checked", () =>
    Effect.gen(function*() {
      const { guarded, server, token } = yield* begin()
      server.play.delayMillis = 200
      const good = yield* token()
      const abort = new AbortController()
      const gone = guarded.ask({
        method: "POST",
        headers: { "content-type": "application/json", ...AuthHttp.bearer(good) },
        body: JSON.stringify(AuthHttp.request("tools/call", { name: "whoami", arguments: {} })),
        signal: abort.signal
      })
      yield* Effect.fork(Effect.exit(gone))
      yield* Effect.sleep("50 millis")
      abort.abort()
      const { status } = yield* guarded.call("whoami", AuthHttp.bearer(good))
      assert.strictEqual(status, 200)
      assert.strictEqual(guarded.reached.calls, 1)
    }))

  it.scopedLive("serves its metadata to everybody at both places", () =>
    Effect.gen(function*() {
      const { guarded, server } = yield* begin({ scopesSupported: ["notes:read", "offline_access"] })
      for (const path of ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"]) {
        const answer = yield* guarded.ask({ path, headers: { origin: "https://anywhere.example" } })
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.header("content-type"), "application/json")
        assert.strictEqual(answer.header("access-control-allow-origin"), "*")
        assert.deepStrictEqual(JSON.parse(answer.text), {
          resource,
          authorization_servers: [server.issuer],
          scopes_supported: ["notes:read"],
          bearer_methods_supported: ["header"]
        })
        assert.strictEqual((yield* guarded.ask({ path, method: "POST" })).status, 405)
        const preflight = yield* guarded.ask({ path, method: "OPTIONS", headers: { origin: "https://a.example" } })
        assert.strictEqual(preflight.status, 200)
        assert.include(preflight.header("access-control-allow-headers") ?? "", "mcp-protocol-version")
      }
      assert.strictEqual((yield* guarded.ask({ path: "/.well-known/oauth-protected-resource/other" })).status, 404)
    }))

  const unusable: ReadonlyArray<readonly [string, Partial<JwtAuthenticator.Options>, RegExp]> = [
    ["an issuer in plain text elsewhere", { issuer: "http://as.example.com" }, /issuer must begin with https/],
    ["an issuer that is no URL", { issuer: "as" }, /issuer is not a URL/],
    ["an issuer with a query", { issuer: "https://as.example.com?x" }, /issuer must not hold a query/],
    ["a script for an address of keys", { jwksUri: "javascript:alert(1)" }, /jwksUri must begin with https/],
    ["a file for an address of keys", { jwksUri: "file:///etc/passwd" }, /jwksUri must begin with https/],
    [
      "an address of keys that holds a password",
      { jwksUri: "https://u:hunter2@as.example.com" },
      /jwksUri must not hold/
    ],
    ["a resource with a fragment", { resource: "https://host/mcp#x" }, /resource must not hold a fragment/],
    ["an algorithm that both sides can sign with", { algorithms: ["HS256"] }, /algorithms may hold/],
    ["no signature at all", { algorithms: ["none"] }, /algorithms may hold/],
    ["no algorithm", { algorithms: [] }, /algorithms names none/],
    ["no audience", { audience: [] }, /audience is empty/],
    ["clocks that differ by more than 5 minutes", { clockSkew: "6 minutes" }, /clockSkew/]
  ]
  for (const [what, options, expected] of unusable) {
    it.scopedLive(`refuses ${what}, and repeats no secret`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(
          JwtAuthenticator.make({ issuer: "https://as.example.com", resource: "https://host/mcp", ...options })
        )
        assert.match(error.message, expected)
        assert.notInclude(error.message, "hunter2")
      }))
  }

  it.scopedLive("reads its settings from the configuration", () =>
    Effect.gen(function*() {
      const settings = (clockSkew: string) =>
        Effect.withConfigProvider(ConfigProvider.fromMap(
          new Map([
            ["OAUTH_ISSUER", "https://as.example.com"],
            ["OAUTH_RESOURCE", "https://host/mcp"],
            ["OAUTH_CLOCK_SKEW", clockSkew]
          ])
        ))
      assert.isTrue(yield* settings("1 minute")(JwtAuthenticator.isConfigured))
      const error = yield* Effect.flip(settings("10 minutes")(Layer.build(JwtAuthenticator.layerConfig)))
      assert.match(String(Object(error).message), /clockSkew/)
      yield* settings("1 minute")(Layer.build(JwtAuthenticator.layerConfig))
    }))
})
