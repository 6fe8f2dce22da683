import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { assert, describe, it } from "@effect/vitest"
import * as AnthropicLlm from "causeway-mcp/provider/AnthropicLlm"
import * as OpenAiCompatible from "causeway-mcp/provider/OpenAiCompatible"
import * as Cassette from "causeway-mcp/testing/Cassette"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"

const key = "sk-test-4f9a8b7c6d5e"
const question = { messages: [{ role: "user" as const, text: "What now?" }] }

const Files = Layer.merge(NodeFileSystem.layer, FakeProvider.layer)

/** A file in a directory that goes with the scope. */
const file = Effect.flatMap(
  FileSystem.FileSystem,
  (files) => Effect.map(files.makeTempDirectoryScoped(), (directory) => `${directory}/cassette.jsonl`)
)

const recording = (options: Cassette.Options) =>
  Layer.provide(Cassette.layerRecord(options), NodeHttpClient.layerUndici)

/** Sends a request and reads the body in its pieces. */
const exchange = (url: string, body: unknown, headers: { readonly [name: string]: string } = {}) =>
  Effect.scoped(Effect.gen(function*() {
    const client = HttpClient.withScope(yield* HttpClient.HttpClient)
    const response = yield* client.execute(
      HttpClientRequest.post(url, { headers: { authorization: `Bearer ${key}`, ...headers } }).pipe(
        HttpClientRequest.bodyText(JSON.stringify(body), "application/json")
      )
    )
    const pieces: Array<string> = []
    const outcome = yield* Effect.either(
      Stream.runForEach(
        response.stream,
        (bytes) => Effect.sync(() => pieces.push(Buffer.from(bytes).toString("latin1")))
      )
    )
    return { status: response.status, headers: response.headers, pieces, outcome: outcome._tag }
  }))

describe("Cassette", () => {
  it.scoped("plays back what it recorded, byte for byte and piece by piece, in the order of each request", () =>
    Effect.gen(function*() {
      const server = yield* FakeProvider.FakeProvider
      const path = yield* file
      yield* server.script("m", FakeProvider.status(429, { error: { message: "Slow." } }, { "retry-after": "3" }))
      yield* server.script("m", FakeProvider.text("Grüße 🌧."))
      yield* server.script(
        "s",
        FakeProvider.stream([FakeProvider.event("It "), FakeProvider.event("rains", "stop")], { gapMs: 20 })
      )
      const url = `${server.baseUrl}/chat/completions`
      const asked = Effect.all([
        exchange(url, { model: "m", temperature: 0 }),
        exchange(url, { model: "s" }),
        exchange(url, { temperature: 0, model: "m" })
      ])
      const recorded = yield* Effect.provide(asked, recording({ path }))
      assert.deepStrictEqual(recorded.map(({ pieces, status }) => [status, pieces.length]), [[429, 1], [200, 2], [
        200,
        1
      ]])
      const seen = (yield* server.requests).length
      const replayed = yield* Effect.provide(asked, Cassette.layerReplay({ path }))
      assert.deepStrictEqual(replayed, recorded)
      assert.strictEqual((yield* server.requests).length, seen)
    }).pipe(Effect.provide(Files)))

  it.scoped("fails, naming the request, when there is no reply or none left, and asks nobody", () =>
    Effect.gen(function*() {
      const server = yield* FakeProvider.FakeProvider
      const path = yield* file
      yield* server.script("m", FakeProvider.text("ok"))
      const url = `${server.baseUrl}/chat/completions`
      const ask = (model: string) => exchange(url, { model })
      yield* Effect.provide(ask("m"), recording({ path }))
      const seen = (yield* server.requests).length
      yield* Effect.gen(function*() {
        yield* ask("m")
        const second = yield* Effect.flip(ask("m"))
        assert.strictEqual(second._tag, "RequestError")
        assert.include(second.message, "no further reply to POST /v1/chat/completions with the body {\"model\":\"m\"}")
        const other = yield* Effect.flip(ask("other"))
        assert.include(other.message, "no reply to POST /v1/chat/completions")
      }).pipe(Effect.provide(Cassette.layerReplay({ path })))
      assert.strictEqual((yield* server.requests).length, seen)
    }).pipe(Effect.provide(Files)))

  it.scoped("plays to another host, with other headers and under a test clock", () =>
    Effect.gen(function*() {
      const server = yield* FakeProvider.FakeProvider
      const path = yield* file
      yield* server.script("claude-haiku-4-5", FakeProvider.text("It rains."))
      const asked = (baseUrl: string, apiKey: string) =>
        Effect.gen(function*() {
          const chat = yield* OpenAiCompatible.make({
            provider: "fake",
            model: "claude-haiku-4-5",
            baseUrl,
            apiKey: Redacted.make(apiKey)
          })
          const claude = yield* AnthropicLlm.make({ model: "claude-haiku-4-5", baseUrl, apiKey: Redacted.make(apiKey) })
          const texts = yield* Effect.all([chat.generateText(question), claude.generateText(question)])
          const deltas = yield* Effect.forEach([chat, claude], (model) => Stream.runCollect(model.streamText(question)))
          return [texts.map(({ text, usage }) => [text, usage]), deltas.map((all) => [...all].length)]
        })
      const recorded = yield* Effect.provide(asked(server.baseUrl, key), recording({ path }))
      const replayed = yield* Effect.provide(
        asked("https://models.invalid/v1", "sk-another-key"),
        Cassette.layerReplay({ path })
      )
      assert.deepStrictEqual(replayed, recorded)
    }).pipe(Effect.provide(Files)))

  it.scoped("writes no key: not from headers, the query, or bodies, also where it is cut in two", () =>
    Effect.gen(function*() {
      const server = yield* FakeProvider.FakeProvider
      const files = yield* FileSystem.FileSystem
      const path = yield* file
      const secret = "pa\"ss/wörd-x"
      yield* server.script(
        "m",
        FakeProvider.status(401, { error: { message: `The key ${key} is wrong.`, of: secret } }, {
          "set-cookie": "session=abcdefgh",
          "x-echo": `it was ${key}`
        })
      )
      yield* server.script(
        "m",
        FakeProvider.stream([`data: ${key.slice(0, 9)}`, `${key.slice(9)}\n\n`, "data: b\n\n"], { gapMs: 20 })
      )
      const url = `${server.baseUrl}/chat/completions?api_key=${key}&q=${encodeURIComponent(secret)}`
      const body = { model: "m", say: `${secret} and ${key}` }
      const headers = { "x-api-key": "another-secret", cookie: "a=b12345678", "x-plain": `has ${secret}` }
      const options = { path, secrets: [Redacted.make(secret), Redacted.make("")] }
      const asked = Effect.all([exchange(url, body, headers), exchange(url, body, headers)])
      yield* Effect.provide(asked, recording(options))
      const text = yield* files.readFileString(path)
      const hidden = [
        key,
        secret,
        JSON.stringify(secret).slice(1, -1),
        encodeURIComponent(secret),
        "another-secret",
        "abcdefgh",
        "b12345678"
      ]
      for (const text_ of hidden) assert.notInclude(text, text_)
      for (const line of text.trim().split("\n")) {
        const whole = JSON.parse(line).response.pieces.map((piece: { readonly text: string }) => piece.text).join("")
        assert.notInclude(whole, key)
        assert.include(whole, "[scrubbed]")
      }
      const replayed = yield* Effect.provide(asked, Cassette.layerReplay(options))
      assert.deepStrictEqual(replayed.map(({ status }) => status), [401, 200])
    }).pipe(Effect.provide(Files)))

  it.scoped("keeps how a body ended: broken, or left by its reader", () =>
    Effect.gen(function*() {
      const server = yield* FakeProvider.FakeProvider
      const path = yield* file
      yield* server.script("torn", FakeProvider.reset("half"))
      yield* server.script("left", FakeProvider.stream(["one", "two"], { gapMs: 20, end: "hang" }))
      yield* server.script("unread", FakeProvider.text("nobody reads this"))
      const url = `${server.baseUrl}/chat/completions`
      const first = Effect.scoped(Effect.gen(function*() {
        const client = HttpClient.withScope(yield* HttpClient.HttpClient)
        const request = (model: string) =>
          HttpClientRequest.bodyText(HttpClientRequest.post(url), JSON.stringify({ model }))
        const response = yield* client.execute(request("left"))
        const pieces = yield* Stream.runCollect(Stream.take(response.stream, 1))
        const unread = yield* client.execute(request("unread"))
        return [[...pieces].map((bytes) => Buffer.from(bytes).toString()), unread.status]
      }))
      const asked = Effect.all([exchange(url, { model: "torn" }), first])
      const recorded = yield* Effect.provide(asked, recording({ path }))
      assert.strictEqual(recorded[0].outcome, "Left")
      const files = yield* FileSystem.FileSystem
      const ends = (yield* files.readFileString(path)).trim().split("\n").map((line) => JSON.parse(line).response.end)
      assert.deepStrictEqual(ends, ["broken", "left", "left"])
      const [torn, left] = yield* Effect.provide(asked, Cassette.layerReplay({ path }))
      assert.deepStrictEqual(torn, recorded[0])
      assert.deepStrictEqual(left, recorded[1])
      const further = yield* Effect.provide(exchange(url, { model: "left" }), Cassette.layerReplay({ path }))
      assert.deepStrictEqual([further.pieces, further.outcome], [["one"], "Left"])
    }).pipe(Effect.provide(Files)))

  it.scoped("keeps a request that never got a response", () =>
    Effect.gen(function*() {
      const path = yield* file
      const gone = yield* Effect.scoped(FakeProvider.make)
      const asked = Effect.flip(exchange(`${gone.baseUrl}/chat/completions`, {}))
      yield* Effect.provide(asked, recording({ path }))
      const error = yield* Effect.provide(asked, Cassette.layerReplay({ path }))
      assert.strictEqual(error._tag, "RequestError")
      assert.propertyVal(error.cause, "code", "ECONNREFUSED")
    }).pipe(Effect.provide(Files)))

  it.scoped("waits as long between pieces as was recorded, by the clock, when it is asked to", () =>
    Effect.gen(function*() {
      const files = yield* FileSystem.FileSystem
      const path = yield* file
      const entry = {
        number: 0,
        request: { method: "POST", path: "/v1", headers: {}, body: "{}" },
        response: {
          status: 200,
          headers: {},
          afterMs: 1000,
          pieces: [{ text: "a", afterMs: 1500 }, { base64: "/w==", afterMs: 4000 }],
          end: "complete"
        }
      }
      yield* files.writeFileString(path, `${JSON.stringify(entry)}\n\n`)
      // Built before the time passes, because reading a file takes real time.
      const client = yield* Layer.build(Cassette.layerReplay({ path, times: true }))
      const fiber = yield* Effect.fork(Effect.provide(Effect.timed(exchange("http://models.invalid/v1", {})), client))
      yield* TestClock.adjust("4 seconds")
      const [elapsed, played] = yield* Fiber.join(fiber)
      assert.deepStrictEqual(played.pieces, ["a", "\xff"])
      assert.strictEqual(Duration.toMillis(elapsed), 4000)
      const atOnce = yield* Effect.provide(exchange("http://models.invalid/v1", {}), Cassette.layerReplay({ path }))
      assert.deepStrictEqual(atOnce.pieces, ["a", "\xff"])
    }).pipe(Effect.provide(Files)))

  it.scoped("says what is wrong with a file that cannot be used", () =>
    Effect.gen(function*() {
      const files = yield* FileSystem.FileSystem
      const path = yield* file
      const opened = (layer: Layer.Layer<HttpClient.HttpClient, Cassette.CassetteError, FileSystem.FileSystem>) =>
        Effect.flip(Layer.build(layer))
      assert.include((yield* opened(Cassette.layerReplay({ path }))).message, "cannot be read")
      yield* files.writeFileString(path, "{\"number\":0}\n")
      assert.include((yield* opened(Cassette.layerReplay({ path }))).message, "holds no exchange in line 1")
      const nowhere = recording({ path: `${path}/not/there` })
      assert.include((yield* opened(nowhere)).message, "cannot be written")
    }).pipe(Effect.provide(Files)))
})
