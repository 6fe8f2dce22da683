import { assert, describe, it } from "@effect/vitest"
import * as V2 from "@modelcontextprotocol/client"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import * as ApiKeys from "causeway-mcp/auth/ApiKeys"
import * as Authenticator from "causeway-mcp/auth/Authenticator"
import * as Principal from "causeway-mcp/auth/Principal"
import { McpServer } from "causeway-mcp/server/McpServer"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import { renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporary } from "../document/directory.js"
import * as AuthHttp from "./authHttp.js"
import * as HttpRouteServer from "./HttpRouteServer.js"
import * as HttpScript from "./HttpScript.js"
import * as RawHttp from "./RawHttp.js"

const quiet = Logger.remove(Logger.defaultLogger)

const keyOf = (id: string, more: Partial<ApiKeys.ApiKey> = {}): ApiKeys.ApiKey => ({
  hash: createHash("sha256").update(`cw_${id}`).digest("hex"),
  id,
  scopes: [],
  ...more
})

const keys = ApiKeys.layer([
  keyOf("ada", { tenant: "acme", scopes: ["notes:read", "notes:write"] }),
  keyOf("bob", { tenant: "globex" }),
  keyOf("old", { expiresAt: "2020-01-01" })
])

const guessing = (attempts: number) =>
  Layer.effect(
    Authenticator.Authenticator,
    Effect.flatMap(Authenticator.Authenticator, Authenticator.withGuessLimit({ attempts, window: "1 minute" }))
  ).pipe(Layer.provide(keys))

const wrong = "Bearer error=\"invalid_token\", error_description=\"the API key is not valid\""

describe("API keys over HTTP", () => {
  it.scopedLive("let in whoever has one, in either header, and tell a tool who it is", () =>
    Effect.gen(function*() {
      const guarded = yield* AuthHttp.serveWith(keys)
      for (const headers of [AuthHttp.bearer("cw_ada"), { "x-api-key": "cw_ada" }]) {
        const { status, text } = yield* guarded.call("whoami", headers)
        assert.strictEqual(status, 200)
        assert.include(text, `"data":{"id":"ada","tenant":"acme"}`)
      }
    }))

  it.scopedLive("answer a wrong, an unknown and an expired one alike, byte for byte", () =>
    Effect.gen(function*() {
      const guarded = yield* AuthHttp.serveWith(keys)
      const answers = yield* Effect.forEach(["cw_adaa", "cw_eve", "cw_old", "canary-51"], (key) =>
        guarded.call("whoami", AuthHttp.bearer(key)))
      for (const { header, status } of answers) {
        assert.strictEqual(status, 401)
        assert.strictEqual(header("www-authenticate"), wrong)
      }
      assert.strictEqual(
        new Set(answers.map(({ text }) =>
          text
        )).size,
        1
      )
      assert.isFalse(guarded.logged.some((line) => line.includes("cw_") || line.includes("canary")))
      assert.isTrue(guarded.logged.some((line) => line.includes("401: the credential does not do")))
    }))

  it.scopedLive("ask with a challenge when there is none", () =>
    Effect.gen(function*() {
      const guarded = yield* AuthHttp.serveWith(keys)
      const { header, status, text } = yield* guarded.call("whoami")
      assert.strictEqual(status, 401)
      assert.strictEqual(header("www-authenticate"), "Bearer realm=\"mcp\"")
      assert.isTrue(AuthHttp.isErrorWithoutId(text))
      assert.strictEqual((yield* guarded.ask({ path: "/.well-known/oauth-protected-resource" })).status, 404)
    }))

  it.scopedLive("refuse two credentials at once with 400", () =>
    Effect.gen(function*() {
      const guarded = yield* AuthHttp.serveWith(keys)
      const raw = yield* RawHttp.open(Number(new URL(guarded.url).port))
      raw.write(HttpScript.post(HttpScript.call(1), { authorization: "Bearer cw_ada", Authorization: "Bearer cw_eve" }))
      assert.match(yield* raw.until(/\}$/), /^HTTP\/1.1 400 [^]*more than one Authorization header/)
    }))

  it.scopedLive("stop a guesser after so many, with 429 and when to come again, and nobody else", () =>
    Effect.gen(function*() {
      const guarded = yield* AuthHttp.serveWith(guessing(100))
      const statuses = yield* Effect.forEach(
        Array.from({ length: 120 }, (_, n) => `cw_${n}`),
        (key) => Effect.map(guarded.call("whoami", AuthHttp.bearer(key)), ({ status }) => status)
      )
      assert.deepStrictEqual(statuses, [
        ...Array.from({ length: 100 }, () => 401),
        ...Array.from({ length: 20 }, () => 429)
      ])
      const right = yield* guarded.call("whoami", AuthHttp.bearer("cw_ada"))
      assert.strictEqual(right.status, 429)
      const seconds = Number(right.header("retry-after"))
      assert.isTrue(seconds > 0 && seconds <= 60)
      assert.strictEqual(right.header("www-authenticate"), null)
      assert.isTrue(AuthHttp.isErrorWithoutId(right.text))
    }))

  it.scopedLive("let a server listen where others can reach it", () =>
    Effect.gen(function*() {
      const guarded = yield* AuthHttp.serveWith(keys, { host: "0.0.0.0", allowedHosts: ["*"] })
      const url = guarded.url.replace("0.0.0.0", "127.0.0.1")
      assert.strictEqual((yield* guarded.ask({ path: url, method: "POST", body: "{}" })).status, 401)
    }))

  it.scopedLive("are read again when their file changes, and stay when it cannot be used", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const file = join(directory, "keys.json")
      const write = (text: string): void => {
        writeFileSync(`${file}.new`, text)
        renameSync(`${file}.new`, file)
      }
      write(JSON.stringify([keyOf("ada")]))
      const provider = ConfigProvider.fromMap(new Map([["API_KEYS_FILE", file]]))
      const logged: Array<string> = []
      const logger = Logger.make(({ message }) => void logged.push(String(message)))
      const guarded = yield* AuthHttp.serveWith(ApiKeys.layerConfig).pipe(
        Effect.withConfigProvider(provider),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      const status = (key: string) => Effect.map(guarded.call("whoami", AuthHttp.bearer(key)), ({ status }) => status)
      const until = (isSo: Effect.Effect<boolean>) =>
        isSo.pipe(
          Effect.delay("50 millis"),
          Effect.repeat({ until: (isSo) => isSo }),
          Effect.timeout("10 seconds")
        )
      assert.deepStrictEqual([yield* status("cw_ada"), yield* status("cw_bob")], [200, 401])
      write(JSON.stringify([keyOf("bob")]))
      yield* until(Effect.map(status("cw_bob"), (status) => status === 200))
      assert.strictEqual(yield* status("cw_ada"), 401)
      write("[{\"hash\":\"cw_secret\"}]")
      yield* until(Effect.sync(() => logged.some((line) => line.includes("stay as they were"))))
      assert.strictEqual(yield* status("cw_bob"), 200)
      assert.isFalse(logged.some((line) => line.includes("cw_secret")))
    }))
})

describe("an authenticator of one's own", () => {
  const slowly = Authenticator.layer(() => Effect.delay(Effect.succeed(Principal.make({ id: "slow" })), "150 millis"))

  it.scopedLive("may take its time: the body is not read before, pipelined requests stay in order", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const { port } = yield* HttpScript.serve({
        post: (message) => {
          seen.push(Object(message).id)
          return HttpScript.reply(JSON.stringify(message))
        }
      }).pipe(Effect.provide(slowly))
      const raw = yield* RawHttp.open(port)
      raw.write(HttpScript.post(HttpScript.call("a")) + HttpScript.post(HttpScript.call("b")))
      const reply = yield* raw.until(/"id":"b"/)
      assert.isBelow(reply.indexOf(`"id":"a"`), reply.indexOf(`"id":"b"`))
      const large = yield* RawHttp.open(port)
      large.write(HttpScript.post("{}", { "content-length": "9000000", expect: "100-continue" }))
      assert.match(yield* large.closed, /^HTTP\/1.1 413 /)
      assert.deepStrictEqual(seen, ["a", "b"])
    }))

  it.scopedLive("keeps a request in flight while the server stops", () =>
    Effect.gen(function*() {
      const { port, stop } = yield* HttpScript.serve({}).pipe(Effect.provide(slowly))
      const raw = yield* RawHttp.open(port)
      raw.write(HttpScript.post(HttpScript.call(1)))
      yield* Effect.sleep("50 millis")
      yield* stop
      assert.match(raw.received(), /^HTTP\/1.1 200 [^]*\{\}$/)
    }))

  it.scopedLive("keeps a request in flight while the scope of a route closes", () =>
    Effect.gen(function*() {
      const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
      const { port } = yield* HttpRouteServer.start().pipe(
        Effect.provideService(McpServer, HttpScript.scripted({})),
        Effect.provide(slowly),
        Effect.provide(quiet),
        Scope.extend(scope)
      )
      const raw = yield* RawHttp.open(port)
      raw.write(HttpScript.post(HttpScript.call(1)))
      yield* Effect.sleep("50 millis")
      yield* Effect.fork(Scope.close(scope, Exit.void))
      assert.match(yield* raw.until(/\}$/), /^HTTP\/1.1 200 [^]*\{\}$/)
    }))

  it.scopedLive("stops when its client goes", () =>
    Effect.gen(function*() {
      let running = 0
      const forever = Authenticator.layer(() =>
        Effect.acquireUseRelease(
          Effect.sync(() => running++),
          () => Effect.never,
          () => Effect.sync(() => running--)
        )
      )
      const { port } = yield* HttpScript.serve({}).pipe(Effect.provide(forever))
      const raw = yield* RawHttp.open(port)
      raw.write(HttpScript.post(HttpScript.call(1)))
      yield* HttpScript.until(() => running === 1)
      raw.socket.destroy()
      yield* HttpScript.until(() => running === 0)
    }))

  it.scopedLive("answers 500 when it breaks, at once or later, and says nothing of why", () =>
    Effect.gen(function*() {
      for (const defect of [Exit.die("canary-9"), Effect.zipRight(Effect.yieldNow(), Effect.die("canary-9"))]) {
        const guarded = yield* AuthHttp.serveWith(Authenticator.layer(() => defect))
        const { status, text } = yield* guarded.call("whoami")
        assert.deepStrictEqual([status, AuthHttp.codeOf(text)], [500, -32603])
        assert.notInclude(text, "canary-9")
        assert.deepInclude(guarded.refused[0], { reason: "broken", status: 500 })
      }
    }))

  it.scopedLive("guards a route as it guards a server, and its metadata has an application", () =>
    Effect.gen(function*() {
      const authenticator = {
        ...Authenticator.make(
          ({ authorization }) =>
            authorization === "Bearer good"
              ? Effect.succeed(Principal.make({ id: "ada" }))
              : Exit.fail(new Authenticator.Missing()),
          { realm: "route" }
        ),
        metadata: { paths: ["/.well-known/oauth-protected-resource/mcp"], json: `{"resource":"x"}` }
      }
      const { url } = yield* HttpRouteServer.start().pipe(
        Effect.provideService(
          McpServer,
          HttpScript.scripted({ post: (_1, _2, { caller }) => HttpScript.reply(JSON.stringify(caller.id)) })
        ),
        Effect.provideService(Authenticator.Authenticator, authenticator),
        Effect.provide(quiet)
      )
      const ask = (path: string, init: RequestInit = {}) =>
        Effect.promise(async () => {
          const response = await fetch(new URL(path, url), init)
          return [response.status, response.headers.get("www-authenticate"), await response.text()] as const
        })
      const post = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" }
      assert.deepStrictEqual((yield* ask("/mcp", post)).slice(0, 2), [401, "Bearer realm=\"route\""])
      assert.deepStrictEqual((yield* ask("/mcp")).slice(0, 2), [401, "Bearer realm=\"route\""])
      const good = { ...post, headers: { ...post.headers, authorization: "Bearer good" } }
      assert.deepStrictEqual(yield* ask("/mcp", good), [200, null, "\"ada\""])
      const path = "/.well-known/oauth-protected-resource/mcp"
      assert.deepStrictEqual(yield* ask(path), [200, null, `{"resource":"x"}`])
      assert.strictEqual((yield* ask("/.well-known/other"))[0], 404)
    }))
})

describe("streams of a caller whose credential ends", () => {
  it.scopedLive("end with it, and calls go on", () =>
    Effect.gen(function*() {
      const expiresAt = Date.now() + 2000
      const ending = Authenticator.layer(() => Effect.succeed(Principal.make({ id: "ada", expiresAt })))
      const { port } = yield* HttpScript.serve({
        openStream: () => () => {},
        post: (message, _headers, { notify }) =>
          Object(message).method === "subscriptions/listen"
            ? HttpScript.subscription(notify)
            : HttpScript.never({
              reply: Effect.delay(Effect.succeed({ status: 200, body: `{"late":true}` }), "3 seconds")
            })
      }).pipe(Effect.provide(ending))
      const session = yield* RawHttp.open(port)
      session.write(HttpScript.get("any"))
      const subscription = yield* RawHttp.open(port)
      subscription.write(HttpScript.post(HttpScript.call(1, "subscriptions/listen")))
      const call = yield* RawHttp.open(port)
      call.write(HttpScript.post(HttpScript.call(2)))
      yield* subscription.until(/acknowledged/)
      assert.isBelow(Date.now(), expiresAt)
      yield* subscription.until(/data: \{"result":"ended"\}\n\n[^]*0\r\n\r\n$/)
      yield* session.until(/0\r\n\r\n$/)
      assert.isAtLeast(Date.now(), expiresAt - 5)
      assert.match(yield* call.until(/late/), /^HTTP\/1.1 200 /)
    }))

  it.scopedLive("stay open for a credential that ends later, and for one without an end", () =>
    Effect.gen(function*() {
      for (const expiresAt of [undefined, Date.now() + 2 ** 40]) {
        const lasting = Authenticator.layer(() => Effect.succeed(Principal.make({ id: "ada", expiresAt })))
        let send: ((json: string) => boolean) | undefined
        const { port } = yield* HttpScript.serve({
          openStream: (_session, _caller, give) => {
            send = give
            return () => {}
          }
        }).pipe(Effect.provide(lasting))
        const raw = yield* RawHttp.open(port)
        raw.write(HttpScript.get("any"))
        yield* raw.until(/\r\n\r\n/)
        yield* Effect.sleep("50 millis")
        assert.isTrue(send?.("{}"))
        yield* raw.until(/data: \{\}/)
      }
    }))
})

describe("the official clients", () => {
  const of = (url: string, key: string | undefined) => ({
    url: new URL(url),
    options: { requestInit: { headers: key === undefined ? {} : { authorization: `Bearer ${key}` } } }
  })

  const connectV1 = async (url: string, key: string | undefined): Promise<string> => {
    const at = of(url, key)
    const client = new ClientV1({ name: "v1", version: "0" })
    await client.connect(new TransportV1(at.url, at.options) as Parameters<ClientV1["connect"]>[0])
    const { tools } = await client.listTools()
    await client.close()
    return tools.map(({ name }) => name).join()
  }
  const connectV2 =
    (mode: V2.VersionNegotiationMode) => async (url: string, key: string | undefined): Promise<string> => {
      const at = of(url, key)
      const client = new V2.Client({ name: "v2", version: "0" }, { versionNegotiation: { mode } })
      await client.connect(new V2.StreamableHTTPClientTransport(at.url, at.options))
      const { tools } = await client.listTools()
      await client.close()
      return tools.map(({ name }) => name).join()
    }

  for (
    const [name, connect] of [
      ["SDK v1", connectV1],
      ["v2, auto", connectV2("auto")],
      ["v2, pinned", connectV2({ pin: "2026-07-28" })],
      ["v2, legacy", connectV2("legacy")]
    ] as const
  ) {
    it.scopedLive(`see with a key what the key may use, and without one that they need it (${name})`, () =>
      Effect.gen(function*() {
        const { url } = yield* AuthHttp.serveWith(keys)
        assert.strictEqual(yield* Effect.promise(() => connect(url, "cw_ada")), "whoami,write_note")
        assert.strictEqual(yield* Effect.promise(() => connect(url, "cw_bob")), "whoami")
        for (const key of [undefined, "cw_eve"]) {
          const error = yield* Effect.flip(Effect.tryPromise({ try: () => connect(url, key), catch: (error) => error }))
          const { code, constructor, message, status } = Object(error)
          assert.match(`${constructor.name} ${code} ${status} ${message}`, /Unauthorized|401/)
        }
      }))
  }
})
