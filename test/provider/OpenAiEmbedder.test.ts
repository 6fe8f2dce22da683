import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as LlmError from "causeway-mcp/llm/LlmError"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as OpenAiEmbedder from "causeway-mcp/provider/OpenAiEmbedder"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"

const dimensions = 3

/** Numbers of a text that nobody can mistake for another's. */
const numbersOf = (text: string): ReadonlyArray<number> => [text.length + 1, text.charCodeAt(0) || 0, -2]

const unit = (numbers: ReadonlyArray<number>): Float32Array => {
  const length = Math.hypot(...numbers)
  return Float32Array.from(numbers, (number) => number / length)
}

interface Asked {
  readonly at: number
  readonly url: string
  readonly headers: { readonly [name: string]: string }
  readonly body: { readonly input: ReadonlyArray<string>; readonly [field: string]: unknown }
}

type Answer = Response | "answer" | "reset" | "hang"

const listOf = (vectors: ReadonlyArray<unknown>): Response =>
  new Response(JSON.stringify({ object: "list", data: vectors }), { headers: { "content-type": "application/json" } })

const honest = (texts: ReadonlyArray<string>): Response =>
  listOf(texts.map((text, index) => ({ object: "embedding", index, embedding: numbersOf(text) })))

const status = (status: number, headers: Record<string, string> = {}, body = "{\"error\":{\"message\":\"no\"}}") =>
  new Response(body, { status, headers })

/** A client that answers by a function of the request and its number, and keeps what it was asked. */
const scripted = (answer: (texts: ReadonlyArray<string>, nth: number) => Answer) => {
  const asked: Array<Asked> = []
  let aborted = 0
  const textOf = (request: HttpClientRequest.HttpClientRequest): string =>
    request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : ""
  const client = HttpClient.make((request, url) =>
    Effect.flatMap(Clock.currentTimeMillis, (at) => {
      const body = JSON.parse(textOf(request))
      asked.push({ at, url: url.href, headers: request.headers, body })
      const given = answer(body.input, asked.length - 1)
      if (given === "hang") {
        return Effect.onInterrupt(Effect.never, () =>
          Effect.sync(() => {
            aborted++
          }))
      }
      return given === "reset"
        ? Effect.fail(
          new HttpClientError.RequestError({
            request,
            reason: "Transport",
            cause: Object.assign(new Error("socket hang up"), { code: "ECONNRESET" })
          })
        )
        : Effect.succeed(HttpClientResponse.fromWeb(request, given === "answer" ? honest(body.input) : given))
    })
  )
  return { asked, aborted: () => aborted, client }
}

const base = {
  provider: "acme",
  model: "embed-1",
  baseUrl: "https://acme.example/v1/",
  apiKey: Redacted.make("sk-test"),
  dimensions
}

const make = (
  answer: (texts: ReadonlyArray<string>, nth: number) => Answer,
  options: Partial<OpenAiEmbedder.Options> = {}
) =>
  Effect.gen(function*() {
    const { aborted, asked, client } = scripted(answer)
    const embedder = yield* Effect.provideService(
      OpenAiEmbedder.make({ ...base, ...options }),
      HttpClient.HttpClient,
      client
    )
    return { aborted, asked, embedder }
  })

/** Runs it while the time passes in steps. */
const inTime = <A, E>(self: Effect.Effect<A, E>, total: number, step = 50) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(self)
    for (let passed = 0; passed < total && fiber.unsafePoll() === null; passed += step) yield* TestClock.adjust(step)
    return yield* Fiber.join(fiber)
  })

const reasonOf = ({ cause }: Embedder.EmbedderError) => cause instanceof LlmError.LlmError ? cause.reason : undefined

const always = (answer: Answer) => () => answer instanceof Response ? answer.clone() : answer

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

  for (const code of [408, 409, 425, 429, 500, 502, 503, 504, 529]) {
    it.scoped(`asks again after a ${code}`, () =>
      Effect.gen(function*() {
        const { asked, embedder } = yield* make((_, nth) => nth < 2 ? status(code) : "answer")
        assert.strictEqual((yield* inTime(embedder.embed(["a"]), 30_000)).length, 1)
        assert.strictEqual(asked.length, 3)
      }))
  }

  for (const code of [301, 400, 401, 402, 403, 404, 413, 422]) {
    it.scoped(`does not ask again after a ${code}`, () =>
      Effect.gen(function*() {
        const { asked, embedder } = yield* make(always(status(code)))
        const error = yield* inTime(Effect.flip(embedder.embed(["a"])), 30_000)
        assert.isFalse(error.isRetryable)
        assert.strictEqual(error.embedder, "acme")
        assert.strictEqual(asked.length, 1)
      }))
  }

  it.scoped("asks again when the connection breaks, and as often as told", () =>
    Effect.gen(function*() {
      const passing = yield* make((_, nth) => nth === 0 ? "reset" : "answer")
      assert.strictEqual((yield* inTime(passing.embedder.embed(["a"]), 30_000)).length, 1)
      for (const retries of [0, 1, 3]) {
        const { asked, embedder } = yield* make(always("reset"), { retries })
        const error = yield* inTime(Effect.flip(embedder.embed(["a"])), 120_000)
        assert.isTrue(error.isRetryable)
        assert.strictEqual(reasonOf(error), "Transient")
        assert.strictEqual(asked.length, 1 + retries)
      }
    }))

  it.scoped("does not ask again when the account has no credit left", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(
        always(status(429, {}, "{\"error\":{\"message\":\"You have no money.\",\"code\":\"insufficient_quota\"}}"))
      )
      const error = yield* inTime(Effect.flip(embedder.embed(["a"])), 30_000)
      assert.isFalse(error.isRetryable)
      assert.strictEqual(
        error.message,
        "Embedder acme: the account has no quota or credit left (429, insufficient_quota)"
      )
      assert.strictEqual(asked.length, 1)
    }))

  it.scoped("waits as long as it is asked to, and no request passes meanwhile", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make((_, nth) => nth === 0 ? status(429, { "retry-after": "20" }) : "answer")
      const first = yield* Effect.fork(embedder.embed(["a"]))
      yield* TestClock.adjust("10 millis")
      const second = yield* Effect.fork(embedder.embed(["b"]))
      yield* TestClock.adjust("19 seconds")
      assert.strictEqual(asked.length, 1)
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      assert.strictEqual(asked.length, 3)
      assert.isAtLeast(asked[1]?.at ?? 0, 20_000)
      assert.isAtLeast(asked[2]?.at ?? 0, 20_000)
    }))

  it.scoped("fails at once when the wait that is asked for does not fit the caller's time", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(always(status(429, { "retry-after": "20" })))
      const error = yield* inTime(Effect.flip(TimeLimit.within(embedder.embed(["a"]), "10 seconds")), 60)
      assert.isTrue(error.isRetryable)
      assert.strictEqual(reasonOf(error), "RateLimited")
      assert.strictEqual(asked.length, 1)
      // Others are told at once too, without a request.
      const other = yield* inTime(Effect.flip(TimeLimit.within(embedder.embed(["b"]), "10 seconds")), 60)
      assert.isTrue(other.isRetryable)
      assert.strictEqual(asked.length, 1)
    }))

  it.scoped("fails at once when it is asked to wait longer than a minute, whoever waits", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(always(status(503, { "retry-after": "61" })))
      assert.isTrue((yield* inTime(Effect.flip(embedder.embed(["a"])), 60)).isRetryable)
      assert.strictEqual(asked.length, 1)
    }))

  it.scoped("begins no try for which there is no time", () =>
    Effect.gen(function*() {
      const { asked, embedder } = yield* make(always(status(500)), { retries: 20 })
      const error = yield* inTime(Effect.flip(TimeLimit.within(embedder.embed(["a"]), "3 seconds")), 10_000)
      assert.strictEqual(reasonOf(error), "Transient")
      assert.isAtMost(Math.max(...asked.map(({ at }) => at)), 3000)
      const late = yield* Effect.flip(TimeLimit.within(embedder.embed(["a"]), 0))
      assert.isTrue(late.isRetryable)
    }))

  it.scoped("ends a request after its time, and by the caller's when that is shorter", () =>
    Effect.gen(function*() {
      const { aborted, asked, embedder } = yield* make(always("hang"), { timeout: "2 seconds", retries: 1 })
      const error = yield* inTime(Effect.flip(embedder.embed(["a"])), 10_000)
      assert.strictEqual(reasonOf(error), "TimedOut")
      assert.isTrue(error.isRetryable)
      assert.deepStrictEqual([asked.length, aborted()], [2, 2])
      const before = yield* Clock.currentTimeMillis
      yield* inTime(Effect.flip(TimeLimit.within(embedder.embed(["a"]), "1 second")), 10_000)
      assert.isAtMost((yield* Clock.currentTimeMillis) - before, 1050)
      assert.deepStrictEqual([asked.length, aborted()], [3, 3])
    }))

  it.scoped("breaks the request off when its caller goes away", () =>
    Effect.gen(function*() {
      const { aborted, asked, embedder } = yield* make(always("hang"))
      const fiber = yield* Effect.fork(embedder.embed(["a"]))
      yield* TestClock.adjust("10 millis")
      assert.deepStrictEqual([asked.length, aborted()], [1, 0])
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("10 millis")
      assert.strictEqual(aborted(), 1)
    }))

  it.scoped("asks text by text when a request is refused, and not when the key is", () =>
    Effect.gen(function*() {
      const refusing = yield* make((texts) => texts.includes("bad") ? status(400) : "answer")
      const both = Effect.all([
        Effect.flip(refusing.embedder.embed(["bad"])),
        refusing.embedder.embed(["good", "fine"])
      ], {
        concurrency: "unbounded"
      })
      const [error, vectors] = yield* inTime(both, 1000)
      assert.strictEqual(reasonOf(error), "RequestRejected")
      assert.deepStrictEqual(vectors, ["good", "fine"].map((text) => unit(numbersOf(text))))
      const locked = yield* make(always(status(401)))
      yield* inTime(Effect.flip(locked.embedder.embed(["a", "b", "c"])), 1000)
      assert.strictEqual(locked.asked.length, 1)
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
