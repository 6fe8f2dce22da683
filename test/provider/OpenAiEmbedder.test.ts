import * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as OpenAiEmbedder from "causeway-mcp/provider/OpenAiEmbedder"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import { always, dimensions, inTime, listOf, make, numbersOf, scripted, unit } from "./openAiEmbedder.js"

describe("OpenAiEmbedder.make", () => {
  it.scoped("gives a unit vector for each text, in order", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(always("answer"))
      const texts = ["rain", "sun", "rain"]
      assert.deepStrictEqual(yield* inTime(embedder.embed(texts), 50), texts.map((text) => unit(numbersOf(text))))
      assert.strictEqual(asked.length, 1)
      assert.deepInclude(embedder, { id: "acme/embed-1@3", dimensions: 3 })
      assert.notProperty(embedder, "lexicalWeight")
    }))

  it.scoped("asks as the API wants to be asked", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(always("answer"), { headers: { "X-Team": "search" }, lexicalWeight: 0.3 })
      yield* inTime(embedder.embed(["half \ud83d"]), 50)
      assert.strictEqual(embedder.lexicalWeight, 0.3)
      assert.strictEqual(asked[0]?.url, "https://acme.example/v1/embeddings")
      assert.deepStrictEqual(asked[0]?.body, { model: "embed-1", input: ["half \ufffd"], encoding_format: "float" })
      assert.deepInclude(asked[0]?.headers, {
        authorization: "Bearer sk-test",
        "content-type": "application/json",
        "accept-encoding": "identity",
        "x-team": "search"
      })
    }))

  it.scoped("names the dimensions where the model can shorten its vectors, and a vendor's own header for the key", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(always("answer"), {
        sendDimensions: true,
        baseUrl: "https://api.portkey.ai/v1"
      })
      yield* inTime(embedder.embed(["a"]), 50)
      assert.strictEqual(asked[0]?.body.dimensions, 3)
      assert.strictEqual(asked[0]?.headers["x-portkey-api-key"], "sk-test")
    }))

  it.scoped("sends no empty text, and gives it the zero vector", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(always("answer"))
      const vectors = yield* inTime(embedder.embed(["", "a", " \n\t", "b"]), 50)
      const zero = new Float32Array(dimensions)
      assert.deepStrictEqual(vectors, [zero, unit(numbersOf("a")), zero, unit(numbersOf("b"))])
      assert.deepStrictEqual(asked[0]?.body.input, ["a", "b"])
      assert.deepStrictEqual(yield* embedder.embed(["", " "]), [zero, zero])
      assert.deepStrictEqual(yield* embedder.embed([]), [])
      assert.strictEqual(asked.length, 1)
    }))

  it.scoped("sends no text that is blank as far as it would be sent", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(always("answer"), { maxTextLength: 4 })
      const vectors = yield* inTime(embedder.embed(["     a", "b"]), 50)
      assert.deepStrictEqual(vectors, [new Float32Array(dimensions), unit(numbersOf("b"))])
      assert.deepStrictEqual(asked[0]?.body.input, ["b"])
    }))

  it.scoped("cuts a long text, and no character in two", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(always("answer"), { maxTextLength: 4 })
      yield* inTime(embedder.embed(["abcd", "abcde", "abc\u{1f600}", "ab\u{1f600}c"]), 50)
      assert.deepStrictEqual(asked[0]?.body.input, ["abcd", "abcd", "abc", "ab\u{1f600}"])
    }))

  it.scoped("makes unit vectors of numbers whose squares are out of range", () =>
    Effect.gen(function*() {
      const { embedder } = yield* make((texts) =>
        listOf(texts.map((text, index) => ({
          index,
          embedding: text === "large" ? [3e300, -4e300, 0] : [3e-300, 0, 4e-300]
        })))
      )
      const [large, small] = yield* inTime(embedder.embed(["large", "small"]), 50)
      assert.deepStrictEqual(large, Float32Array.of(0.6, -0.8, 0))
      assert.deepStrictEqual(small, Float32Array.of(0.6, 0, 0.8))
    }))

  it.scoped("asks in batches, as many at once as allowed", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(always("hang"), { maxTexts: 2, concurrency: 3 })
      yield* Effect.fork(embedder.embed(Array.from({ length: 10 }, (_, at) => `t${at}`)))
      yield* TestClock.adjust("10 millis")
      assert.deepStrictEqual(asked.map(({ body }) => body.input), [["t0", "t1"], ["t2", "t3"], ["t4", "t5"]])
    }))

  it.scoped("embeds 10,000 texts at 60 requests a minute, and never sends more in any minute", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(always("answer"), { requestsPerMinute: 60 })
      const texts = Array.from({ length: 10_000 }, (_, at) => `text ${at}`)
      const vectors = yield* inTime(embedder.embed(texts), 400_000, 500)
      assert.strictEqual(vectors.length, 10_000)
      assert.deepStrictEqual(vectors[9999], unit(numbersOf("text 9999")))
      const times = asked.map(({ at }) => at)
      assert.strictEqual(times.length, 157)
      const perMinute = times.map((from) => times.filter((at) => at >= from && at < from + 60_000).length)
      assert.isAtMost(Math.max(...perMinute), 60)
      // 152 of them come at 55 a minute, the first five at once.
      assert.isAtMost(times.at(-1) ?? Infinity, 170_000)
      assert.deepStrictEqual(asked.flatMap(({ body }) => body.input), texts)
    }))

  it.scoped("fails at once when its turn would come after the caller's time", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(always("answer"), { requestsPerMinute: 2 })
      yield* inTime(embedder.embed(["a"]), 50)
      const error = yield* inTime(Effect.flip(TimeLimit.within(embedder.embed(["b"]), "5 seconds")), 60)
      assert.isTrue(error.isRetryable)
      assert.match(error.message, /turn for one more request would not come/u)
      assert.strictEqual(asked.length, 1)
      // The turn that was not waited for is not lost.
      yield* inTime(embedder.embed(["c"]), 40_000)
      assert.isBelow(asked[1]?.at ?? Infinity, 35_000)
    }))

  for (
    const [option, options] of [
      ["provider", { provider: " " }],
      ["model", { model: "" }],
      ["baseUrl", { baseUrl: "ftp://acme.example" }],
      ["baseUrl", { baseUrl: "https://acme.example/v1/embeddings" }],
      ["baseUrl", { baseUrl: "https://user:pass@acme.example/v1" }],
      ["baseUrl", { baseUrl: "https://acme.example/v1?key=1" }],
      ["apiKey", { apiKey: Redacted.make(" ") }],
      ["apiKey", { apiKey: Redacted.make("a\nb") }],
      ["headers", { headers: { "no name": "a" } }],
      ["headers", { headers: { a: "b\r\nc: d" } }],
      ["dimensions", { dimensions: 0 }],
      ["dimensions", { dimensions: 1.5 }],
      ["dimensions", { dimensions: NaN }],
      ["lexicalWeight", { lexicalWeight: 1.1 }],
      ["lexicalWeight", { lexicalWeight: NaN }],
      ["maxTexts", { maxTexts: 0 }],
      ["maxTexts", { maxTexts: 2048, dimensions: 4096 }],
      ["maxTextLength", { maxTextLength: 0 }],
      ["concurrency", { concurrency: 0 }],
      ["requestsPerMinute", { requestsPerMinute: 0 }],
      ["requestsPerMinute", { requestsPerMinute: Infinity }],
      ["timeout", { timeout: 0 }],
      ["timeout", { timeout: Duration.infinity }],
      ["retries", { retries: -1 }]
    ] as const
  ) {
    it.scoped(`names ${option} when it cannot be used: ${JSON.stringify(options)}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(make(always("answer"), options))
        assert(ConfigError.isInvalidData(error))
        assert.deepStrictEqual(error.path, [option])
        assert.notInclude(error.message, "user:pass")
      }))
  }
})

describe("OpenAiEmbedder.layerConfig", () => {
  it.effect("reads its options, and says which one is wrong", () =>
    Effect.gen(function*() {
      const { client } = scripted(always("answer"))
      const layer = OpenAiEmbedder.layerConfig(Config.all({
        provider: Config.succeed("acme"),
        model: Config.string("MODEL"),
        baseUrl: Config.string("URL"),
        apiKey: Config.redacted("KEY"),
        dimensions: Config.integer("DIMENSIONS")
      })).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))
      const settings = new Map([["MODEL", "m"], ["URL", "https://acme.example/v1"], ["KEY", "k"], ["DIMENSIONS", "3"]])
      const id = Effect.map(Embedder.Embedder, (embedder) => embedder.id)
      const read = (from: Map<string, string>) =>
        Effect.withConfigProvider(Effect.provide(id, layer), ConfigProvider.fromMap(from))
      assert.strictEqual(yield* read(settings), "acme/m@3")
      const error = yield* Effect.flip(read(new Map([...settings, ["DIMENSIONS", "-3"]])))
      assert(ConfigError.isInvalidData(error))
      assert.deepStrictEqual(error.path, ["dimensions"])
    }))
})
