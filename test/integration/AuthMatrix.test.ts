import { assert, describe, it } from "@effect/vitest"
import * as JwtAuthenticator from "causeway-mcp/auth/JwtAuthenticator"
import * as Effect from "effect/Effect"
import * as Jose from "jose"
import { createServer } from "node:http"
import * as AuthHttp from "./authHttp.js"
import * as As from "./authorizationServer.js"

const resource = "http://127.0.0.1:8080/mcp"
const metadata = "http://127.0.0.1:8080/.well-known/oauth-protected-resource/mcp"

const invalid = "Bearer error=\"invalid_token\", error_description=\"the access token is not valid here, or has " +
  `expired", scope="tools:read", resource_metadata="${metadata}"`
const missing = `Bearer scope="tools:read", resource_metadata="${metadata}"`
const secret = "canary-7f3a"

interface Forge {
  readonly server: As.AuthorizationServer
  readonly key: As.Key
  readonly token: (written?: As.Written, key?: As.Key) => Effect.Effect<string>
  /** Of a key that the server does not publish. */
  readonly stranger: As.Key
  readonly canary: string
}

const claims = ({ server }: Forge) => ({
  iss: server.issuer,
  aud: resource,
  sub: secret,
  exp: As.now() + 300,
  scope: "tools:read"
})

const hmac = (forge: Forge, alg: string, material: string) =>
  Effect.promise(() =>
    new Jose.SignJWT(claims(forge)).setProtectedHeader({ alg, kid: forge.key.kid }).sign(
      new TextEncoder().encode(material)
    )
  )

const cutAt = (token: string, part: number, change: (text: string) => string): string =>
  token.split(".").map((text, index) => (index === part ? change(text) : text)).join(".")

const now = As.now
type Make = (forge: Forge) => Effect.Effect<string>

/** Tokens that must not do. */
const bad: ReadonlyArray<readonly [string, Make]> = [
  ["another audience", ({ token }) => token({ claims: { aud: "https://other.example/mcp" } })],
  ["several audiences, none of them this", ({ token }) => token({ claims: { aud: ["a", "b"] } })],
  ["an audience that only begins alike", ({ token }) => token({ claims: { aud: `${resource}/x` } })],
  ["an audience that is a number", ({ token }) => token({ claims: { aud: 3 } })],
  ["an empty list of audiences", ({ token }) => token({ claims: { aud: [] } })],
  ["no audience", ({ token }) => token({ without: ["aud"] })],
  ["another issuer", ({ token }) => token({ claims: { iss: "https://evil.example" } })],
  ["an issuer with a slash more", ({ server, token }) => token({ claims: { iss: `${server.issuer}/` } })],
  ["a list of issuers", ({ server, token }) => token({ claims: { iss: [server.issuer] } })],
  ["no issuer", ({ token }) => token({ without: ["iss"] })],
  ["an end that is past", ({ token }) => token({ claims: { exp: now() - 31 } })],
  ["an end of 1970", ({ token }) => token({ claims: { exp: 1 } })],
  ["an end as text", ({ token }) => token({ claims: { exp: String(now() + 300) } })],
  ["no end", ({ token }) => token({ without: ["exp"] })],
  ["a beginning that is to come", ({ token }) => token({ claims: { nbf: now() + 60 } })],
  ["a beginning as text", ({ token }) => token({ claims: { nbf: "0" } })],
  ["no subject", ({ token }) => token({ without: ["sub"] })],
  ["an empty subject", ({ token }) => token({ claims: { sub: "" } })],
  ["a subject that is a number", ({ token }) => token({ claims: { sub: 7 } })],
  ["a subject of two lines", ({ token }) => token({ claims: { sub: "a\nb" } })],
  ["no tenant", ({ token }) => token({ without: ["org"] })],
  ["an empty tenant", ({ token }) => token({ claims: { org: "" } })],
  ["a list of tenants", ({ token }) => token({ claims: { org: ["acme"] } })],
  ["no signature, said so", (forge) => Effect.succeed(As.forged({ alg: "none" }, claims(forge)))],
  ["no signature, said in capitals", (forge) => Effect.succeed(As.forged({ alg: "NONE" }, claims(forge)))],
  ["an algorithm of two sides, by the public key as PEM", (forge) =>
    Effect.flatMap(
      Effect.promise(() => Jose.exportSPKI(forge.key.publicKey)),
      (pem) => hmac(forge, "HS256", pem)
    )],
  [
    "an algorithm of two sides, by the public key as JSON",
    (forge) => hmac(forge, "HS512", JSON.stringify(forge.key.jwk))
  ],
  ["an algorithm that is not allowed", ({ token }) => Effect.flatMap(As.key("ES384", "one"), (key) => token({}, key))],
  ["no algorithm", (forge) => Effect.succeed(As.forged({ kid: "one" }, claims(forge), "AAAA"))],
  ["a key that nobody published", ({ stranger, token }) => token({}, stranger)],
  [
    "a key that nobody published, under a good id",
    ({ stranger, token }) => token({ header: { kid: "one" } }, stranger)
  ],
  [
    "a key set of its own (jku)",
    ({ canary, stranger, token }) => token({ header: { jku: `${canary}/jku` } }, stranger)
  ],
  [
    "a certificate of its own (x5u)",
    ({ canary, stranger, token }) => token({ header: { x5u: `${canary}/x5u` } }, stranger)
  ],
  ["a key of its own (jwk)", ({ stranger, token }) => token({ header: { jwk: stranger.jwk } }, stranger)],
  ["an extension that must be understood (crit)", ({ token }) => token({ header: { crit: ["custom"], custom: true } })],
  ["the type of another kind of token", ({ token }) => token({ header: { typ: "dpop+jwt" } })],
  ["the type of a logout", ({ token }) => token({ header: { typ: "logout+jwt" } })],
  ["a key of its holder (cnf)", ({ token }) => token({ claims: { cnf: { jkt: "x" } } })],
  [
    "a claim that was changed",
    ({ token }) =>
      Effect.map(
        token(),
        (token) =>
          cutAt(token, 1, (text) =>
            Buffer.from(Buffer.from(text, "base64url").toString().replace("tools:read", "tools:root")).toString(
              "base64url"
            ))
      )
  ],
  ["half a signature", ({ token }) => Effect.map(token(), (token) => cutAt(token, 2, (text) => text.slice(0, 40)))],
  ["an empty signature", ({ token }) => Effect.map(token(), (token) => cutAt(token, 2, () => ""))],
  ["a part too many", ({ token }) => Effect.map(token(), (token) => `${token}.AAAA`)],
  ["two parts", ({ token }) => Effect.map(token(), (token) => token.split(".").slice(0, 2).join("."))],
  ["white space within", ({ token }) => Effect.map(token(), (token) => token.replace(".", ". "))],
  ["a good token twice", ({ token }) => Effect.map(token(), (token) => `${token},${token}`)],
  ["no token at all but words", () => Effect.succeed(secret)],
  ["dots", () => Effect.succeed("..")],
  ["JSON that is none", () => Effect.succeed(`${Buffer.from("{").toString("base64url")}.e30.AA`)],
  ["over 8 KiB", ({ token }) => token({ claims: { pad: "x".repeat(9 * 1024) } })]
]

const routes: ReadonlyArray<
  readonly [string, (guarded: AuthHttp.Guarded, headers: AuthHttp.Headers) => Effect.Effect<AuthHttp.Answer>]
> = [
  ["a call", (guarded, headers) => guarded.call("whoami", headers)],
  ["server/discover", (guarded, headers) => guarded.post(AuthHttp.request("server/discover"), headers)],
  [
    "initialize",
    (guarded, headers) => guarded.post({ jsonrpc: "2.0", id: 1, method: "initialize", params: {} }, headers)
  ],
  ["what is no message", (guarded, headers) => guarded.ask({ method: "POST", headers: { ...headers }, body: "{" })],
  [
    "a notification",
    (guarded, headers) => guarded.post({ jsonrpc: "2.0", method: "notifications/initialized" }, headers)
  ],
  ["GET", (guarded, headers) => guarded.ask({ headers: { accept: "text/event-stream", ...headers } })],
  ["DELETE", (guarded, headers) => guarded.ask({ method: "DELETE", headers: { ...headers } })],
  ["OPTIONS that is no preflight", (guarded, headers) => guarded.ask({ method: "OPTIONS", headers: { ...headers } })],
  ["a query", (guarded, headers) => guarded.ask({ path: "/mcp?x=1", method: "PUT", headers: { ...headers } })]
]

const published = Effect.runPromise(As.key("RS256", "one"))
const unpublished = Effect.runPromise(As.key("RS256", "stranger"))

const arrange = Effect.gen(function*() {
  const key = yield* Effect.promise(() => published)
  const server = yield* As.start([key])
  const hits: Array<string> = []
  const canary = createServer((request, response) => {
    hits.push(request.url ?? "")
    response.end("{}")
  })
  yield* Effect.acquireRelease(
    Effect.async<void>((resume) => void canary.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => canary.close())
  )
  const address = canary.address()
  const guarded = yield* AuthHttp.serveWith(JwtAuthenticator.layer({
    issuer: server.issuer,
    resource,
    tenantClaim: "org",
    scopesSupported: ["tools:read"],
    implies: { "notes:write": ["notes:read"] }
  }))
  const forge: Forge = {
    server,
    key,
    token: (written = {}, other = key) =>
      As.token(other, server.issuer, resource, {
        ...written,
        claims: { sub: secret, org: "acme", ...written.claims }
      }),
    stranger: yield* Effect.promise(() => unpublished),
    canary: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`
  }
  return { forge, guarded, hits }
})

describe("the matrix of tokens and routes", () => {
  it.scopedLive(
    `refuses ${bad.length} bad tokens on ${routes.length} routes, each with the same 401`,
    () =>
      Effect.gen(function*() {
        const { forge, guarded, hits } = yield* arrange
        assert.isAtLeast(bad.length, 40)
        for (const [what, make] of bad) {
          const token = yield* make(forge)
          for (const [route, ask] of routes) {
            const { header, status, text } = yield* ask(guarded, AuthHttp.bearer(token))
            const about = `${what}, ${route}`
            assert.strictEqual(status, 401, about)
            assert.strictEqual(header("www-authenticate"), invalid, about)
            assert.isTrue(AuthHttp.isErrorWithoutId(text), about)
            assert.strictEqual(header("mcp-session-id"), null, about)
            assert.notInclude(text, secret)
          }
        }
        assert.strictEqual(guarded.reached.calls, 0)
        assert.deepStrictEqual(hits, [])
        assert.isAtMost(forge.server.hitsOf("/jwks"), 2)
        assert.deepStrictEqual(new Set(guarded.refused.map(({ reason }) => reason)), new Set(["invalid"]))
        assert.strictEqual(guarded.refused.length, bad.length * routes.length)
        // The log is bounded, and holds nothing of any token.
        assert.isBelow(
          guarded.logged.filter((line) => line.startsWith("Refused a request")).length,
          bad.length * routes.length
        )
        assert.isFalse(guarded.logged.some((line) => line.includes(secret) || line.includes("eyJ")))
      }),
    120_000
  )

  it.scopedLive("asks for a token on every route, and tells how to get one", () =>
    Effect.gen(function*() {
      const { guarded } = yield* arrange
      for (const [route, ask] of routes) {
        for (
          const headers of [{}, { authorization: "" }, { authorization: "Basic YTpi" }, { authorization: "Bearer" }]
        ) {
          const { header, status, text } = yield* ask(guarded, headers)
          assert.strictEqual(status, 401, route)
          assert.strictEqual(header("www-authenticate"), missing, route)
          assert.isTrue(AuthHttp.isErrorWithoutId(text), route)
        }
      }
      assert.strictEqual(guarded.reached.calls, 0)
    }))

  it.scopedLive("never looks for a token in the address or in the body", () =>
    Effect.gen(function*() {
      const { forge, guarded } = yield* arrange
      const token = yield* forge.token()
      const inQuery = yield* guarded.ask({ path: `/mcp?access_token=${token}`, method: "POST", body: "{}" })
      const inForm = yield* guarded.ask({ method: "POST", body: new URLSearchParams({ access_token: token }) })
      assert.deepStrictEqual([inQuery.status, inForm.status], [401, 401])
      assert.strictEqual(inQuery.header("www-authenticate"), missing)
    }))

  it.scopedLive("answers every route as it does without a guard when the token is good", () =>
    Effect.gen(function*() {
      const { forge, guarded } = yield* arrange
      const headers = AuthHttp.bearer(yield* forge.token())
      const statuses = yield* Effect.forEach(routes, ([, ask]) =>
        Effect.map(ask(guarded, headers), ({ status }) => status))
      assert.deepStrictEqual(statuses, [200, 400, 200, 415, 202, 405, 405, 405, 405])
      assert.strictEqual(guarded.reached.calls, 1)
    }))

  const good: ReadonlyArray<readonly [string, Make]> = [
    ["several audiences, this among them", ({ token }) => token({ claims: { aud: ["x", resource] } })],
    ["no type", ({ token }) => token({ header: { typ: undefined } })],
    ["the plain type", ({ token }) => token({ header: { typ: "JWT" } })],
    ["the long type", ({ token }) => token({ header: { typ: "application/at+jwt" } })],
    ["no key id", ({ token }) => token({ header: { kid: undefined } })],
    ["an end a moment ago, within what clocks may differ", ({ token }) => token({ claims: { exp: now() - 10 } })],
    ["an address of keys that is not followed", ({ canary, token }) => token({ header: { jku: `${canary}/jku` } })]
  ]
  for (const [what, make] of good) {
    it.scopedLive(`lets in a token with ${what}`, () =>
      Effect.gen(function*() {
        const { forge, guarded, hits } = yield* arrange
        const { status } = yield* guarded.call("whoami", AuthHttp.bearer(yield* make(forge)))
        assert.strictEqual(status, 200)
        assert.deepStrictEqual(hits, [])
      }))
  }

  it.scopedLive("answers a page with 401 that it may read, and its preflight without a token", () =>
    Effect.gen(function*() {
      const { guarded } = yield* arrange
      const origin = "http://localhost:6274"
      const refused = yield* guarded.call("whoami", { origin })
      assert.strictEqual(refused.status, 401)
      assert.strictEqual(refused.header("access-control-allow-origin"), origin)
      assert.include(refused.header("access-control-expose-headers") ?? "", "www-authenticate")
      const preflight = yield* guarded.ask({ method: "OPTIONS", headers: { origin } })
      assert.strictEqual(preflight.status, 204)
      assert.include(preflight.header("access-control-allow-headers") ?? "", "authorization, x-api-key")
      assert.strictEqual((yield* guarded.call("whoami", { origin: "https://evil.example" })).status, 403)
    }))

  for (
    const path of [
      "/authorize",
      "/token",
      "/register",
      "/metrics",
      "/admin",
      "/",
      "/mcp/",
      "/MCP",
      "//mcp",
      "/mcp/x",
      "/%6dcp"
    ]
  ) {
    it.scopedLive(`has nothing at ${path}, whoever asks`, () =>
      Effect.gen(function*() {
        const { forge, guarded } = yield* arrange
        const url = new URL(guarded.url)
        for (const headers of [{}, AuthHttp.bearer(yield* forge.token())]) {
          const answer = yield* guarded.ask({ path: `${url.origin}${path}`, method: "POST", headers, body: "{}" })
          assert.strictEqual(answer.status, 404)
        }
      }))
  }
})

describe("the scopes of a call", () => {
  const challenge = (scopes: string) =>
    "Bearer error=\"insufficient_scope\", error_description=\"this needs scopes that the credential does not have\", " +
    `scope="${scopes}", resource_metadata="${metadata}"`

  const asked: ReadonlyArray<readonly [string, string, object, string]> = [
    ["a tool", "tools/call", { name: "write_note", arguments: {} }, "notes:read notes:write"],
    ["a resource", "resources/read", { uri: "note://secret" }, "notes:read"],
    ["a prompt", "prompts/get", { name: "summarise_note", arguments: {} }, "notes:read"]
  ]
  for (const [what, method, params, scopes] of asked) {
    const headers = (token: string) => ({
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      "mcp-name": String(Object(params).name ?? Object(params).uri),
      ...AuthHttp.bearer(token)
    })
    it.scopedLive(`answers 403 with all scopes of ${what} to a token that lacks one, on every revision`, () =>
      Effect.gen(function*() {
        const { forge, guarded } = yield* arrange
        const poor = yield* forge.token({ claims: { scope: "tools:read other" } })
        const modern = yield* guarded.post(AuthHttp.request(method, params), headers(poor))
        const legacy = yield* guarded.post({ jsonrpc: "2.0", id: 1, method, params }, {
          "mcp-protocol-version": "2025-11-25",
          ...AuthHttp.bearer(poor)
        })
        const streamed = yield* guarded.post(AuthHttp.request(method, params), {
          ...headers(poor),
          accept: "text/event-stream"
        })
        for (const { header, status, text } of [modern, legacy, streamed]) {
          assert.strictEqual(status, 403)
          assert.strictEqual(header("www-authenticate"), challenge(scopes))
          assert.isTrue(AuthHttp.isErrorWithoutId(text))
        }
        assert.strictEqual(guarded.reached.calls, 0)
        assert.deepInclude(guarded.refused[0], { reason: "insufficientScope", status: 403 })
        assert.strictEqual(guarded.refused[0]?.caller?.tenant, "acme")
      }))

    it.scopedLive(`answers ${what} to a token whose scope implies the other`, () =>
      Effect.gen(function*() {
        const { forge, guarded } = yield* arrange
        const rich = yield* forge.token({ claims: { scope: "notes:write" } })
        assert.strictEqual((yield* guarded.post(AuthHttp.request(method, params), headers(rich))).status, 200)
      }))
  }

  it.scopedLive("hides what a token may not use from its lists, which are its own to keep", () =>
    Effect.gen(function*() {
      const { forge, guarded } = yield* arrange
      const list = (method: string, scope: string) =>
        Effect.flatMap(forge.token({ claims: { scope } }), (token) =>
          Effect.map(
            guarded.post(AuthHttp.request(method), {
              "mcp-protocol-version": "2026-07-28",
              "mcp-method": method,
              ...AuthHttp.bearer(token)
            }),
            ({ text }) => text
          ))
      for (
        const [method, hidden] of [
          ["tools/list", "write_note"],
          ["resources/list", "note://secret"],
          ["prompts/list", "summarise_note"]
        ] as const
      ) {
        assert.notInclude(yield* list(method, "tools:read"), hidden)
        const shown = yield* list(method, "notes:write")
        assert.include(shown, hidden)
        assert.include(shown, `"cacheScope":"private"`)
      }
    }))

  it.scopedLive("answers what is not there as before, with no word of scopes", () =>
    Effect.gen(function*() {
      const { forge, guarded } = yield* arrange
      const answer = yield* guarded.call("no_such_tool", AuthHttp.bearer(yield* forge.token()))
      assert.deepStrictEqual([answer.status, AuthHttp.codeOf(answer.text)], [200, -32602])
    }))
})
