import { assert, describe, it } from "@effect/vitest"
import * as Introspection from "causeway-mcp/auth/Introspection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as AuthHttp from "./authHttp.js"
import * as As from "./authorizationServer.js"

const resource = "http://127.0.0.1:8080/mcp"
const clientSecret = "canary secret: 100% & more"

const begin = (options: Partial<Introspection.Options> = {}) =>
  Effect.gen(function*() {
    const server = yield* As.start([])
    const guarded = yield* AuthHttp.serveWith(Introspection.layer({
      issuer: server.issuer,
      resource,
      endpoint: server.url("/introspect"),
      clientId: "mcp",
      clientSecret: Redacted.make(clientSecret),
      ...options
    }))
    const said = {
      active: true,
      sub: "ada",
      aud: resource,
      iss: server.issuer,
      exp: As.now() + 300,
      scope: "notes:read"
    }
    server.play.introspect = () => said
    const ask = (token: string) => guarded.call("whoami", AuthHttp.bearer(token))
    const status = (token: string) => Effect.map(ask(token), (answer) => answer.status)
    return { server, guarded, said, ask, status }
  })

describe("Introspection", () => {
  it.scopedLive("asks once for 500 equal tokens at once, as a form, with its own credentials", () =>
    Effect.gen(function*() {
      const { server, status } = yield* begin()
      server.play.delayMillis = 100
      const all = yield* Effect.all(Array.from({ length: 500 }, () => status("opaque")), { concurrency: 100 })
      assert.deepStrictEqual([...new Set(all)], [200])
      assert.strictEqual(server.hitsOf("/introspect"), 1)
      const basic = Buffer.from(`mcp:${new URLSearchParams({ s: clientSecret }).toString().slice(2)}`).toString(
        "base64"
      )
      assert.include(server.received[0] ?? "", "POST /introspect")
      assert.include(server.received[0] ?? "", `Basic ${basic}`)
      assert.include(server.received[0] ?? "", "token=opaque&token_type_hint=access_token")
    }))

  const refused: ReadonlyArray<readonly [string, (said: Record<string, unknown>) => object]> = [
    ["is not active", () => ({ active: false })],
    ["is active in other words", (said) => ({ ...said, active: "true" })],
    ["is for another audience", (said) => ({ ...said, aud: "https://other.example" })],
    ["is for several others", (said) => ({ ...said, aud: ["a", "b"] })],
    ["names no audience", ({ aud: _, ...said }) => said],
    ["is of another issuer", (said) => ({ ...said, iss: "https://evil.example" })],
    ["has ended", (said) => ({ ...said, exp: As.now() - 1 })],
    ["ends in words", (said) => ({ ...said, exp: "later" })],
    ["has not begun", (said) => ({ ...said, nbf: As.now() + 60 })],
    ["names nobody", ({ sub: _, ...said }) => said],
    ["is bound to a key", (said) => ({ ...said, cnf: { jkt: "x" } })],
    ["is described by a list", () => [1]]
  ]
  for (const [what, say] of refused) {
    it.scopedLive(`refuses a token that ${what}, and keeps the verdict`, () =>
      Effect.gen(function*() {
        const { ask, guarded, said, server } = yield* begin()
        server.play.introspect = () => say(said)
        for (const _ of [1, 2]) {
          const answer = yield* ask("canary-token")
          assert.strictEqual(answer.status, 401)
          assert.include(answer.header("www-authenticate") ?? "", `error="invalid_token"`)
          assert.notInclude(answer.text, "canary")
        }
        assert.strictEqual(server.hitsOf("/introspect"), 1)
        assert.strictEqual(guarded.reached.calls, 0)
      }))
  }

  for (const status of [400, 401, 403, 404, 429, 500, 302]) {
    it.scopedLive(`lets nobody in when the endpoint answers ${status}, and forgets that at once`, () =>
      Effect.gen(function*() {
        const { ask, guarded, said, server } = yield* begin()
        server.play.introspect = () => status
        const answer = yield* ask("canary-token")
        assert.deepStrictEqual([answer.status, answer.header("retry-after")], [503, "5"])
        assert.isTrue(AuthHttp.isErrorWithoutId(answer.text))
        server.play.introspect = () => said
        assert.strictEqual((yield* ask("canary-token")).status, 200)
        const log = guarded.logged.join("\n")
        assert.include(log, `it answered with status ${status}`)
        for (const secret of ["canary", encodeURIComponent(clientSecret), "Basic"]) assert.notInclude(log, secret)
      }))
  }

  it.scopedLive("lets nobody in while the endpoint is away, and says so once in the log, not a thousand times", () =>
    Effect.gen(function*() {
      const { guarded, server, status } = yield* begin()
      server.play.isDown = true
      const all = yield* Effect.all(Array.from({ length: 100 }, (_, n) => status(`t${n}`)), { concurrency: 20 })
      assert.deepStrictEqual([...new Set(all)], [503])
      assert.strictEqual(guarded.logged.filter((line) => line.includes("introspection endpoint")).length, 1)
    }))

  it.scopedLive("gives up on a slow endpoint in time, and asks no more than so many at once", () =>
    Effect.gen(function*() {
      const { server, status } = yield* begin({ fetchTimeout: "200 millis", concurrency: 2 })
      server.play.delayMillis = 9000
      const began = performance.now()
      const all = yield* Effect.all(Array.from({ length: 50 }, (_, n) => status(`t${n}`)), { concurrency: "unbounded" })
      assert.deepStrictEqual([...new Set(all)], [503])
      assert.isBelow(performance.now() - began, 8000)
      assert.isAtMost(server.hitsOf("/introspect"), 6)
    }))

  it.scopedLive("notices a revoked token when its verdict is over, and an ended one at its end", () =>
    Effect.gen(function*() {
      const { server, status } = yield* begin({ verdictsFor: "2 seconds" })
      assert.strictEqual(yield* status("a"), 200)
      server.play.introspect = () => ({ active: false })
      assert.strictEqual(yield* status("a"), 200)
      yield* Effect.sleep("2100 millis")
      assert.strictEqual(yield* status("a"), 401)
    }))

  it.scopedLive("serves the metadata of its resource", () =>
    Effect.gen(function*() {
      const { guarded, server } = yield* begin()
      const { text } = yield* guarded.ask({ path: "/.well-known/oauth-protected-resource/mcp" })
      assert.deepStrictEqual(JSON.parse(text), {
        resource,
        authorization_servers: [server.issuer],
        bearer_methods_supported: ["header"]
      })
    }))

  const unusable: ReadonlyArray<readonly [Partial<Introspection.Options>, RegExp]> = [
    [{ endpoint: "http://as.example.com/introspect" }, /endpoint must begin with https/],
    [{ endpoint: "https://u:hunter2@as.example.com" }, /endpoint must not hold/],
    [{ issuer: "x" }, /issuer is not a URL/],
    [{ clientId: "" }, /clientId is empty/],
    [{ concurrency: 0 }, /concurrency must be 1 or more/]
  ]
  for (const [options, expected] of unusable) {
    it.scopedLive(`refuses ${Object.keys(options).join()} = ${Object.values(options).join().replace("hunter2", "…")}`, () =>
      Effect.gen(function*() {
        const { message } = yield* Effect.flip(Introspection.make({
          issuer: "https://as.example.com",
          resource: "https://host/mcp",
          endpoint: "https://as.example.com/introspect",
          clientId: "mcp",
          clientSecret: Redacted.make("x"),
          ...options
        }))
        assert.match(message, expected)
        assert.notInclude(message, "hunter2")
      }))
  }
})
