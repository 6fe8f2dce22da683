import * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as OpenAiCompatible from "causeway-mcp/provider/OpenAiCompatible"
import * as ProviderHttp from "causeway-mcp/provider/ProviderHttp"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Https from "node:https"
import { choice, eventually, question } from "./providerModel.js"
import * as RawProvider from "./rawProvider.js"
import * as Tls from "./tls.js"

const connect = (baseUrl: string, timeout = 10_000) =>
  OpenAiCompatible.make({ provider: "fake", model: "m", baseUrl, apiKey: Redacted.make("key"), timeout })

const answer = JSON.stringify(choice({ content: "yes" }))

const secureServer = Effect.acquireRelease(
  Effect.async<Https.Server>((resume) => {
    const server = Https.createServer({ key: Tls.privateKey, cert: Tls.certificate }, (_, response) => {
      response.end(answer)
    })
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) =>
    Effect.async<void>((resume) => {
      server.close(() => resume(Effect.void))
      server.closeAllConnections()
    })
).pipe(Effect.map((server) => {
  const address = server.address()
  return `https://localhost:${typeof address === "object" && address !== null ? address.port : 0}/v1`
}))

describe("ProviderHttp", () => {
  it.live("keeps a connection and asks the next question on it", () =>
    Effect.gen(function*() {
      const server = yield* RawProvider.make((socket) => socket.write(RawProvider.reply(answer)))
      const model = yield* connect(server.baseUrl)
      for (let i = 0; i < 3; i++) {
        assert.strictEqual((yield* model.generateText(question)).text, "yes")
        // The client notices that a connection is free a turn after the answer's end.
        yield* Effect.sleep(5)
      }
      assert.strictEqual(server.taken(), 1)
    }).pipe(Effect.scoped, Effect.provide(ProviderHttp.layer())))

  it.live("opens no more connections than it may, and lets the others wait", () =>
    Effect.gen(function*() {
      const server = yield* RawProvider.make((socket) => {
        setTimeout(() => socket.write(RawProvider.reply(answer)), 20)
      })
      const model = yield* connect(server.baseUrl)
      const all = yield* Effect.all(Array.from({ length: 6 }, () => model.generateText(question)), {
        concurrency: "unbounded"
      })
      assert.strictEqual(all.length, 6)
      assert.strictEqual(server.taken(), 2)
    }).pipe(Effect.scoped, Effect.provide(ProviderHttp.layer({ connections: 2 }))))

  it.live("fails as TimedOut while it connects when encryption is never agreed on", () =>
    Effect.gen(function*() {
      const server = yield* RawProvider.make(() => undefined)
      const model = yield* connect(`https://127.0.0.1:${server.port}/v1`)
      const startedAt = performance.now()
      const error = yield* Effect.flip(model.generateText(question))
      assert.strictEqual(error.reason, "TimedOut")
      assert.strictEqual(error.phase, "connect")
      assert.isBelow(performance.now() - startedAt, 3000)
    }).pipe(Effect.scoped, Effect.provide(ProviderHttp.layer({ connectTimeout: "200 millis" }))))

  it.live("waits for an answer longer than for a connection", () =>
    Effect.gen(function*() {
      const server = yield* RawProvider.make((socket) => {
        setTimeout(() => socket.write(RawProvider.reply(answer)), 400)
      })
      const model = yield* connect(server.baseUrl)
      assert.strictEqual((yield* model.generateText(question)).text, "yes")
    }).pipe(Effect.scoped, Effect.provide(ProviderHttp.layer({ connectTimeout: "100 millis" }))))

  it.live("fails as Untrusted while it connects when nobody vouches for the certificate", () =>
    Effect.gen(function*() {
      const model = yield* connect(yield* secureServer)
      const error = yield* Effect.flip(model.generateText(question))
      assert.strictEqual(error.reason, "Untrusted")
      assert.strictEqual(error.phase, "connect")
      assert.match(error.description, /SELF_SIGNED/u)
    }).pipe(Effect.scoped, Effect.provide(ProviderHttp.layer())))

  it.live("fails as Untrusted on a host that speaks no TLS", () =>
    Effect.gen(function*() {
      const server = yield* RawProvider.make(() => undefined, (socket) => void socket.write("HTTP/1.1 400 Bad\r\n\r\n"))
      const model = yield* connect(`https://127.0.0.1:${server.port}/v1`)
      assert.strictEqual((yield* Effect.flip(model.generateText(question))).reason, "Untrusted")
    }).pipe(Effect.scoped, Effect.provide(ProviderHttp.layer())))

  it.live("trusts the authorities it is given", () =>
    Effect.gen(function*() {
      const model = yield* connect(yield* secureServer)
      assert.strictEqual((yield* model.generateText(question)).text, "yes")
    }).pipe(Effect.scoped, Effect.provide(ProviderHttp.layer({ certificateAuthorities: [Tls.certificate] }))))

  it.live("reaches a host by the address that answers", () =>
    Effect.gen(function*() {
      const server = yield* RawProvider.make((socket) => socket.write(RawProvider.reply(answer)))
      // Nobody listens on the host's address of the other kind, if it has one.
      const model = yield* connect(`http://localhost:${server.port}/v1`)
      assert.strictEqual((yield* model.generateText(question)).text, "yes")
    }).pipe(Effect.scoped, Effect.provide(ProviderHttp.layer())))

  it.live("fails as Transient while it connects when there is no such host", () =>
    Effect.gen(function*() {
      const model = yield* connect("http://no-such-host.invalid/v1")
      const error = yield* Effect.flip(model.generateText(question))
      assert.strictEqual(error.phase, "connect")
      assert.include(["Transient", "TimedOut"], error.reason)
    }).pipe(Effect.provide(ProviderHttp.layer())))

  it.live("reads headers as large as it may", () =>
    Effect.gen(function*() {
      const server = yield* RawProvider.make((socket) =>
        socket.write(RawProvider.reply(answer, [`x-large: ${"x".repeat(50_000)}`]))
      )
      const model = yield* connect(server.baseUrl)
      assert.strictEqual((yield* model.generateText(question)).text, "yes")
    }).pipe(Effect.scoped, Effect.provide(ProviderHttp.layer({ maxHeaderBytes: 65_536 }))))

  it.live("follows no redirect", () =>
    Effect.gen(function*() {
      const elsewhere = yield* FakeProvider.make
      const server = yield* FakeProvider.make
      yield* server.script("*", FakeProvider.status(307, undefined, { location: elsewhere.baseUrl }))
      const model = yield* connect(server.baseUrl)
      assert.strictEqual((yield* Effect.flip(model.generateText(question))).reason, "ModelUnavailable")
      assert.deepStrictEqual(yield* elsewhere.requests, [])
    }).pipe(Effect.scoped, Effect.provide(ProviderHttp.layer())))

  it.live("breaks its connections when its scope is closed", () =>
    Effect.gen(function*() {
      const server = yield* RawProvider.make((socket) => socket.write(RawProvider.reply(answer)))
      const scope = yield* Scope.make()
      const client = yield* Scope.extend(ProviderHttp.make(), scope)
      const model = yield* Effect.provideService(connect(server.baseUrl), HttpClient.HttpClient, client)
      yield* model.generateText(question)
      assert.strictEqual(server.open(), 1)
      yield* Scope.close(scope, Exit.void)
      yield* eventually(Effect.sync(() => server.open() === 0))
      const error = yield* Effect.flip(model.generateText(question))
      assert.strictEqual(error.reason, "Transient")
    }).pipe(Effect.scoped))

  const wrong: ReadonlyArray<readonly [option: string, options: ProviderHttp.Options]> = [
    ["connectTimeout", { connectTimeout: 0 }],
    ["idleTimeout", { idleTimeout: Infinity }],
    ["connections", { connections: 0 }],
    ["connections", { connections: 1.5 }],
    ["maxHeaderBytes", { maxHeaderBytes: 10 }]
  ]
  for (const [option, options] of wrong) {
    it.effect(`refuses ${option} of ${String(Object.values(options)[0])}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Layer.build(ProviderHttp.layer(options)))
        assert.isTrue(error._op === "InvalidData" && error.path[0] === option)
      }).pipe(Effect.scoped))
  }

  it.effect("reads its options through Config", () =>
    Effect.gen(function*() {
      const read = (connections: string) =>
        Layer.build(ProviderHttp.layerConfig({ connections: Config.integer("CONNECTIONS") })).pipe(
          Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["CONNECTIONS", connections]])))
        )
      yield* read("4")
      const error = yield* Effect.flip(read("0"))
      assert.strictEqual(error._op, "InvalidData")
    }).pipe(Effect.scoped))
})
