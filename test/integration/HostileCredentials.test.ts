import { assert, describe, it } from "@effect/vitest"
import * as ApiKeys from "causeway-mcp/auth/ApiKeys"
import * as Authenticator from "causeway-mcp/auth/Authenticator"
import * as Introspection from "causeway-mcp/auth/Introspection"
import * as JwtAuthenticator from "causeway-mcp/auth/JwtAuthenticator"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import type * as Jose from "jose"
import { createHash } from "node:crypto"
import { renameSync, writeFileSync } from "node:fs"
import type { ServerResponse } from "node:http"
import { createServer } from "node:http"
import { join } from "node:path"
import { temporary } from "../document/directory.js"
import * as AuthHttp from "./authHttp.js"
import * as As from "./authorizationServer.js"
import * as HttpScript from "./HttpScript.js"
import * as RawHttp from "./RawHttp.js"

const quiet = Logger.remove(Logger.defaultLogger)
const resource = "http://127.0.0.1:8080/mcp"

const keyOf = (id: string, more: Partial<ApiKeys.ApiKey> = {}): ApiKeys.ApiKey => ({
  hash: createHash("sha256").update(`cw_${id}`).digest("hex"),
  id,
  scopes: [],
  ...more
})

/** A file of keys that the test writes, and the layer that reads it. */
const watched = Effect.gen(function*() {
  const file = join(yield* temporary, "keys.json")
  const write = (...keys: ReadonlyArray<ApiKeys.ApiKey>): void => {
    writeFileSync(`${file}.new`, JSON.stringify(keys))
    renameSync(`${file}.new`, file)
  }
  write(keyOf("ada"), keyOf("bob"), keyOf("eve"))
  const provider = ConfigProvider.fromMap(new Map([["API_KEYS_FILE", file]]))
  return {
    write,
    keys: ApiKeys.layerConfig.pipe(Layer.provide(Layer.setConfigProvider(provider)), Layer.provide(quiet))
  }
})

const listening = (port: number, id: string) =>
  Effect.gen(function*() {
    const bearer = { authorization: `Bearer cw_${id}` }
    const session = yield* RawHttp.open(port)
    session.write(HttpScript.get("any", bearer))
    const subscription = yield* RawHttp.open(port)
    subscription.write(HttpScript.post(HttpScript.call(1, "subscriptions/listen"), bearer))
    yield* session.until(/^HTTP\/1.1 200 [^]*\r\n\r\n/)
    yield* subscription.until(/acknowledged/)
    const isOver = (raw: RawHttp.Raw) => /\r\n0\r\n\r\n$/.test(raw.received())
    return {
      isOver: () => isOver(session) && isOver(subscription),
      isOpen: () => !isOver(session) && !isOver(subscription)
    }
  })

const serving = (keys: Layer.Layer<Authenticator.Authenticator, unknown>) =>
  Effect.flatMap(Layer.build(Layer.orDie(keys)), (context) =>
    HttpScript.serve({
      openStream: () => () => {},
      post: (message, _headers, { notify }) =>
        Object(message).method === "subscriptions/listen" ? HttpScript.subscription(notify) : HttpScript.reply("{}")
    }).pipe(Effect.provide(context)))

/** Two seconds until the file is looked at, and two until streams are. */
const soon = 5000

describe("the streams of a key that is withdrawn", () => {
  it.scopedLive(
    "end within five seconds when its entry is taken out or changed, and no others do",
    () =>
      Effect.gen(function*() {
        const { keys, write } = yield* watched
        const { port } = yield* serving(keys)
        const [ada, bob, eve] = yield* Effect.all([
          listening(port, "ada"),
          listening(port, "bob"),
          listening(port, "eve")
        ])
        const began = performance.now()
        write(keyOf("bob"), keyOf("eve", { scopes: ["notes:read"] }))
        yield* HttpScript.until(() => ada.isOver() && eve.isOver())
        assert.isBelow(performance.now() - began, soon)
        assert.isTrue(bob.isOpen())
        // One that a reading of the file left as it was is known at the next.
        const again = yield* listening(port, "eve")
        const later = performance.now()
        write(keyOf("eve", { scopes: ["notes:read"] }))
        yield* HttpScript.until(bob.isOver)
        assert.isBelow(performance.now() - later, soon)
        assert.isTrue(again.isOpen())
      }),
    30_000
  )

  it.scopedLive("end beside tokens and behind a limit on guesses too", () =>
    Effect.gen(function*() {
      const { keys, write } = yield* watched
      const both = Layer.effect(
        Authenticator.Authenticator,
        Effect.gen(function*() {
          const own = yield* Authenticator.Authenticator
          const nobody = Authenticator.make(() => Effect.fail(new Authenticator.Missing()))
          return yield* Authenticator.withGuessLimit()(Authenticator.orElse(nobody, own))
        })
      ).pipe(Layer.provide(keys))
      const { port } = yield* serving(both)
      const ada = yield* listening(port, "ada")
      write(keyOf("bob"))
      yield* HttpScript.until(ada.isOver)
    }), 30_000)
})

describe("a token that names no end", () => {
  it.scopedLive("gives streams an hour, since nobody is told when it is withdrawn", () =>
    Effect.gen(function*() {
      const server = yield* As.start([])
      server.play.introspect = () => ({ active: true, sub: "ada", aud: resource })
      const context = yield* Layer.build(Introspection.layer({
        issuer: server.issuer,
        resource,
        endpoint: server.url("/introspect"),
        clientId: "mcp",
        clientSecret: Redacted.make("secret")
      }))
      const { authenticate } = Context.get(context, Authenticator.Authenticator)
      const now = Date.now()
      const { expiresAt = Infinity } = yield* authenticate({
        authorization: "Bearer opaque",
        header: () => undefined,
        peer: undefined
      })
      assert.isTrue(expiresAt >= now + 3_600_000 && expiresAt <= Date.now() + 3_600_000)
    }))
})

describe("the limit on guesses", () => {
  it.effect("keeps little of an address that a proxy lets clients write, however long", () =>
    Effect.gen(function*() {
      const limited = yield* Authenticator.withGuessLimit({
        attempts: 1,
        peerOf: ({ header }) => header("x-forwarded-for")
      })(Authenticator.make(() => Effect.fail(new Authenticator.Invalid({ description: "no" }))))
      const guess = (from: string) =>
        Effect.flip(
          limited.authenticate({ authorization: "Bearer x", header: () => from, peer: "127.0.0.1" })
        ).pipe(Effect.map(({ _tag }) => _tag))
      const heap = (): number => process.memoryUsage().heapUsed / 2 ** 20
      const before = heap()
      for (let n = 0; n < 10_000; n++) assert.strictEqual(yield* guess(`${n}`.padEnd(15_000, "x")), "Invalid")
      assert.isBelow(heap() - before, 100)
      // Long ones are told apart by all of their characters.
      assert.strictEqual(yield* guess("9999".padEnd(15_000, "x")), "TooMany")
      assert.strictEqual(yield* guess(`${"9999".padEnd(14_999, "x")}y`), "Invalid")
    }))
})

/** Answers whatever is asked for; `answer` decides how. */
const keyServer = (answer: (response: ServerResponse) => void) =>
  Effect.acquireRelease(
    Effect.async<ReturnType<typeof createServer>>((resume) => {
      const server = createServer((_, response) => answer(response))
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  ).pipe(Effect.map((server) => {
    const address = server.address()
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`
  }))

const one = Effect.runPromise(As.key("RS256", "one"))

const asking = (keys: (key: As.Key) => object, written: As.Written = {}) =>
  Effect.gen(function*() {
    const key = yield* Effect.promise(() => one)
    const issuer = yield* keyServer((response) => void response.end(JSON.stringify(keys(key))))
    const guarded = yield* AuthHttp.serveWith(
      JwtAuthenticator.layer({ issuer, resource, jwksUri: `${issuer}/jwks`, algorithms: ["RS256", "PS256"] })
    )
    const token = yield* As.token(key, issuer, resource, written)
    return (yield* guarded.call("whoami", AuthHttp.bearer(token))).status
  })

const bent = ({ jwk }: As.Key, more: Partial<Jose.JWK>): Jose.JWK => ({ ...jwk, ...more })

describe("keys of an authorization server that does not mean well", () => {
  const shapes: ReadonlyArray<readonly [what: string, keys: (key: As.Key) => object, status: number]> = [
    [
      "the key among a hundred",
      (key) => ({ keys: Array.from({ length: 100 }, (_, n) => bent(key, { kid: `${n}` })).concat(key.jwk) }),
      200
    ],
    ["a key that cannot be read beside it", (key) => ({ keys: [bent(key, { kid: "two", n: "!" }), key.jwk] }), 200],
    ["a key of a kind nobody knows beside it", (key) => ({ keys: [{ kty: "future", kid: "two" }, key.jwk] }), 200],
    ["a shared secret beside it", (key) => ({ keys: [{ kty: "oct", kid: "two", k: "AAAA" }, key.jwk] }), 200],
    ["two keys of its id", (key) => ({ keys: [bent(key, { n: `${key.jwk.n?.slice(0, -2)}AA` }), key.jwk] }), 200],
    ["the key for encrypting alone", (key) => ({ keys: [bent(key, { use: "enc" })] }), 401],
    ["the key for another algorithm alone", (key) => ({ keys: [bent(key, { alg: "PS256" })] }), 401],
    ["the key for signing alone", (key) => ({ keys: [bent(key, { key_ops: ["sign"] })] }), 401],
    ["the key as one that cannot be read", (key) => ({ keys: [bent(key, { n: "!" })] }), 401],
    ["a key that is none", () => ({ keys: [null] }), 503],
    ["keys that are text", () => ({ keys: "one" }), 503],
    ["no keys", () => ({ keys: [] }), 401],
    ["a prototype of keys", (key) => JSON.parse(`{"__proto__":{"keys":[${JSON.stringify(key.jwk)}]}}`), 503]
  ]
  for (const [what, keys, status] of shapes) {
    it.scopedLive(`answers ${status} where it publishes ${what}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* asking(keys), status)
      }))
  }

  const slow: ReadonlyArray<readonly [what: string, answer: (response: ServerResponse) => void]> = [
    ["byte by byte", (response) => {
      response.writeHead(200, { "content-type": "application/json" })
      const timer = setInterval(() => response.write(" "), 50)
      response.on("close", () => clearInterval(timer))
    }],
    ["without an end", (response) => {
      const flood = (): void =>
        void (response.write("x".repeat(16_384)) ? setImmediate(flood) : response.once("drain", flood))
      flood()
    }],
    ["as levels upon levels", (response) => void response.end("[".repeat(60_000) + "]".repeat(5000))],
    ["as another type of answer", (response) => void response.writeHead(204).end()],
    ["and breaks off", (response) => {
      response.writeHead(200, { "content-length": "100" })
      response.write("{\"keys\"")
      setTimeout(() => response.destroy(), 50)
    }]
  ]
  for (const [what, answer] of slow) {
    it.scopedLive(`answers 503 in time where its keys come ${what}`, () =>
      Effect.gen(function*() {
        const issuer = yield* keyServer(answer)
        const guarded = yield* AuthHttp.serveWith(
          JwtAuthenticator.layer({ issuer, resource, jwksUri: `${issuer}/jwks`, fetchTimeout: "500 millis" })
        )
        const token = yield* As.token(yield* Effect.promise(() => one), issuer, resource)
        const began = performance.now()
        assert.strictEqual((yield* guarded.call("whoami", AuthHttp.bearer(token))).status, 503)
        assert.isBelow(performance.now() - began, 2000)
      }))
  }
})
