import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as CachingEmbedder from "causeway-mcp/embedding/CachingEmbedder"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as LlmError from "causeway-mcp/llm/LlmError"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as OpenAiEmbedder from "causeway-mcp/provider/OpenAiEmbedder"
import * as ProviderHttp from "causeway-mcp/provider/ProviderHttp"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as ProviderFaults from "causeway-mcp/testing/ProviderFaults"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"
import { eventually } from "./providerModel.js"

const key = "sk-test-4f9a8b7c6d5e"
const secret = "the merger with Orion Freight closes on Monday"
const dimensions = 8
const texts = ["rain", "sun", secret, "wind"]

/** The vector that the server gives for a text, of length 1. */
const expected = (text: string, length = dimensions): Float32Array => {
  const numbers = FakeProvider.vectorOf(text, length)
  const norm = Math.hypot(...numbers)
  return Float32Array.from(numbers, (number) => number / norm)
}

const assertVectors = (vectors: ReadonlyArray<Float32Array>, of: ReadonlyArray<string>, length = dimensions): void => {
  assert.strictEqual(vectors.length, of.length)
  for (const [at, text] of of.entries()) {
    const vector = expected(text, length)
    assert.strictEqual(vectors[at]?.length, length)
    for (const [place, number] of vector.entries()) assert.closeTo(vectors[at]?.[place] ?? NaN, number, 1e-6)
    assert.closeTo(Math.hypot(...vectors[at] ?? []), 1, 1e-6)
  }
}

const connect = (model: string, options: Partial<OpenAiEmbedder.Options> = {}) =>
  Effect.flatMap(FakeProvider.FakeProvider, ({ baseUrl }) =>
    OpenAiEmbedder.make({
      provider: "fake",
      model,
      baseUrl,
      apiKey: Redacted.make(key),
      dimensions,
      timeout: "700 millis",
      retries: 0,
      ...options
    }))

let count = 0

/** An embedder under a model's name of its own, so that tests at once do not share a script. */
const scripted = (replies: ReadonlyArray<FakeProvider.Reply>, options: Partial<OpenAiEmbedder.Options> = {}) =>
  Effect.gen(function*() {
    const server = yield* FakeProvider.FakeProvider
    const name = `embed-${count++}`
    yield* server.script(name, ...replies)
    const embedder = yield* connect(name, options)
    const requests = Effect.map(server.requests, (all) => all.filter(({ model }) => model === name))
    return { embedder, requests, server }
  })

const reasonOf = ({ cause }: Embedder.EmbedderError) => cause instanceof LlmError.LlmError ? cause.reason : undefined

/** Nothing is under way at the server any more. */
const settled = Effect.flatMap(
  FakeProvider.FakeProvider,
  (server) => eventually(Effect.map(server.active, (active) => active === 0))
)

/** Reasons of an error that would be the same at the next try. */
const lasting: ReadonlySet<string> = new Set([
  "AuthRejected",
  "ContentBlocked",
  "ContextTooLong",
  "Degraded",
  "ModelUnavailable",
  "QuotaExhausted",
  "RequestRejected",
  "Untrusted"
])

type Outcomes = { readonly [fault: string]: ProviderFaults.Fault["expect"] }

/** `otherwise` is what a client makes of a fault that another client reads otherwise. */
const suite = (title: string, http: typeof NodeHttpClient.layerUndici, otherwise: Outcomes = {}) =>
  layer(Layer.merge(FakeProvider.layer, http), { excludeTestServices: true })(title, (it) => {
    it.scoped("gives the vectors of a server on a socket, in order", () =>
      Effect.gen(function*() {
        const { embedder, requests } = yield* scripted([FakeProvider.vectors()])
        assertVectors(yield* embedder.embed(texts), texts)
        const [request] = yield* requests
        assert.deepInclude(request, { wire: "embeddings", method: "POST", auth: "authorization: Bearer" })
        assert.deepStrictEqual(request?.body?.input, texts)
      }))

    it.scoped("reads an answer of 64 texts of 3,072 dimensions, and none that is larger than they need", () =>
      Effect.gen(function*() {
        const many = Array.from({ length: 64 }, (_, at) => `t${at}`)
        const wide = { dimensions: 3072, sendDimensions: true, timeout: "20 seconds" } as const
        const { embedder } = yield* scripted([FakeProvider.vectors()], wide)
        assertVectors((yield* embedder.embed(many)).slice(62), many.slice(62), 3072)
        const endless = yield* scripted([
          FakeProvider.stream(
            function*() {
              for (;;) yield " ".repeat(65_536)
            },
            { contentType: "application/json" }
          )
        ], { timeout: "20 seconds" })
        const error = yield* Effect.flip(endless.embedder.embed(["a"]))
        assert.strictEqual(reasonOf(error), "Malformed")
        assert.strictEqual(error.description, "the answer is larger than 352256 bytes")
        yield* settled
      }))

    const ask = (name: string, fault: ProviderFaults.Fault) =>
      Effect.gen(function*() {
        const expect = otherwise[name] ?? fault.expect
        const embedder = yield* connect(ProviderFaults.model(name))
        const [elapsed, outcome] = yield* Effect.timed(Effect.either(embedder.embed(texts)))
        assert.isBelow(Duration.toMillis(elapsed), 5000, name)
        if (outcome._tag === "Right") {
          assert.strictEqual("answer", expect, name)
          return assertVectors(outcome.right, texts)
        }
        const error = outcome.left
        assert.strictEqual(reasonOf(error), expect, `${name}: ${error.message}`)
        assert.strictEqual(error.isRetryable, !lasting.has(expect), name)
        assert.match(error.message, /^Embedder fake: /u)
        assert.notMatch(inspect(error, { depth: 12, showHidden: true }), /Heavy rain|html|merger|Slow down/u)
      })
    const faults = Object.entries(ProviderFaults.vectorFaults)

    it.scoped("fails as TimedOut, and in time, with every kind of silence", () =>
      Effect.gen(function*() {
        const silent = faults.filter(([, fault]) => fault.expect === "TimedOut")
        yield* Effect.forEach(silent, ([name, fault]) => ask(name, fault), { concurrency: "unbounded" })
        assert.isAbove(silent.length, 7)
        yield* settled
      }))

    for (const [name, fault] of faults.filter(([, fault]) => fault.expect !== "TimedOut")) {
      const told = fault.expect === "answer" ? "answers" : `fails as ${otherwise[name] ?? fault.expect}`
      it.scoped(`${told} when a provider ${fault.about} (${name})`, () => Effect.zipRight(ask(name, fault), settled))
    }

    it.scoped("asks again after a 429, as late as asked, and after 500s", () =>
      Effect.gen(function*() {
        const { embedder, requests } = yield* scripted([
          FakeProvider.status(429, { error: { message: "Slow down." } }, { "retry-after": "1" }),
          FakeProvider.status(500),
          FakeProvider.status(503),
          FakeProvider.vectors()
        ], { retries: 3 })
        assertVectors(yield* embedder.embed(texts), texts)
        const times = (yield* requests).map(({ at }) => at)
        assert.strictEqual(times.length, 4)
        assert.isAtLeast((times[1] ?? 0) - (times[0] ?? 0), 990)
      }))

    for (const after of ["request", "headers", "half"] as const) {
      it.scoped(`asks again when the first answer breaks off after the ${after}, and when it hangs there`, () =>
        Effect.gen(function*() {
          const broken = yield* scripted([FakeProvider.reset(after), FakeProvider.vectors()], { retries: 1 })
          assertVectors(yield* broken.embedder.embed(texts), texts)
          const silent = yield* scripted([FakeProvider.hang(after), FakeProvider.vectors()], { retries: 1 })
          assertVectors(yield* silent.embedder.embed(texts), texts)
          assert.strictEqual((yield* silent.requests).length, 2)
          yield* settled
        }))
    }

    it.scoped("keeps to its caller's time, headers, body and waits together", () =>
      Effect.gen(function*() {
        for (const reply of [FakeProvider.hang(), FakeProvider.hang("headers"), FakeProvider.hang("half")]) {
          const { embedder, requests } = yield* scripted([reply], { retries: 5, timeout: "10 seconds" })
          const [elapsed, error] = yield* Effect.timed(
            Effect.flip(TimeLimit.within(embedder.embed(["a"]), "400 millis"))
          )
          assert.isTrue(error.isRetryable)
          assert.isBelow(Duration.toMillis(elapsed), 1500)
          assert.strictEqual((yield* requests).length, 1)
        }
        yield* settled
      }))

    it.scoped("closes the connection of a caller who goes away, and no other's", () =>
      Effect.gen(function*() {
        const { embedder, requests, server } = yield* scripted([
          FakeProvider.hang(),
          FakeProvider.delayed(200, FakeProvider.vectors())
        ], { maxTexts: 1, timeout: "10 seconds" })
        const before = yield* server.aborted
        const gone = yield* Effect.fork(embedder.embed(["a"]))
        yield* eventually(Effect.map(requests, (all) => all.length === 1))
        const stays = yield* Effect.fork(embedder.embed(["b"]))
        yield* eventually(Effect.map(requests, (all) => all.length === 2))
        yield* Fiber.interrupt(gone)
        yield* eventually(Effect.map(server.aborted, (aborted) => aborted === before + 1))
        assertVectors(yield* Fiber.join(stays), ["b"])
      }))

    it.effect("breaks its requests off when its scope closes", () =>
      Effect.gen(function*() {
        const { fiber, requests } = yield* Effect.scoped(Effect.gen(function*() {
          const { embedder, requests } = yield* scripted([FakeProvider.hang()], { timeout: "1 minute" })
          const fiber = yield* Effect.forkDaemon(Effect.flip(embedder.embed(["a"])))
          yield* eventually(Effect.map(requests, (all) => all.length === 1))
          return { fiber, requests }
        }))
        assert.isTrue((yield* Fiber.join(fiber)).isRetryable)
        yield* settled
        assert.strictEqual((yield* requests).length, 1)
      }))

    it.scoped("joins callers, has no more requests at once than allowed, and behind a cache asks once for a text", () =>
      Effect.gen(function*() {
        let most = 0
        const server = yield* FakeProvider.FakeProvider
        const counting = FakeProvider.depending(() => {
          most = Math.max(most, Effect.runSync(server.active))
          return FakeProvider.delayed(20, FakeProvider.vectors())
        })
        const { embedder, requests } = yield* scripted([counting], {
          maxTexts: 10,
          concurrency: 2,
          timeout: "10 seconds"
        })
        const cached = CachingEmbedder.make(embedder)
        yield* Effect.forEach(
          Array.from({ length: 100 }, (_, at) => [`t${at % 50}`, `t${(at + 1) % 50}`]),
          (pair) => Effect.map(cached.embed(pair), (vectors) => assertVectors(vectors, pair)),
          { concurrency: "unbounded", discard: true }
        )
        const sent = (yield* requests).flatMap(({ body }) => body?.input)
        assert.strictEqual(sent.length, 50)
        assert.isAtMost((yield* requests).length, 10)
        assert.isAtMost(most, 2)
      }))

    it.scoped("tells of neither key nor text, in whatever is logged, traced or failed", () =>
      Effect.gen(function*() {
        const told: Array<string> = []
        const tracer = Tracer.make({
          span: (name, parent, context, links, startTime, kind) => {
            const attributes = new Map<string, unknown>()
            const span: Tracer.Span = {
              _tag: "Span",
              name,
              spanId: "0000000000000001",
              traceId: "00000000000000000000000000000001",
              parent,
              context,
              status: { _tag: "Started", startTime },
              attributes,
              links: [...links],
              sampled: true,
              kind,
              end: (_, exit) => {
                told.push(inspect([name, ...attributes, exit], { depth: 12, showHidden: true }))
              },
              attribute: (name, value) => {
                attributes.set(name, value)
              },
              event: () => undefined,
              addLinks: () => undefined
            }
            return span
          },
          context: (run) => run()
        })
        const logger = Logger.make(({ cause, message }) => {
          told.push(inspect([message, cause], { depth: 12, showHidden: true }), Cause.pretty(cause))
        })
        const echo = FakeProvider.depending(({ body }) =>
          FakeProvider.status(400, { error: { message: `${key} ${JSON.stringify(body)}`, code: key, param: secret } })
        )
        const replies = [
          echo,
          FakeProvider.status(401, { error: { message: `bad key ${key}`, code: key, type: key } }),
          FakeProvider.status(500, `${key} ${secret}`),
          FakeProvider.depending(({ body }) => FakeProvider.status(200, { error: { message: JSON.stringify(body) } })),
          FakeProvider.depending(({ body }) => FakeProvider.status(200, body)),
          FakeProvider.status(200, `${key} ${secret}`),
          FakeProvider.raw([`${key} ${secret}\r\n\r\n`]),
          FakeProvider.reset(),
          FakeProvider.reset("half"),
          FakeProvider.hang()
        ]
        for (const reply of replies) {
          const { embedder } = yield* Effect.withTracer(
            scripted([reply], { timeout: "150 millis", headers: { "x-upstream": Redacted.make(key) } }),
            tracer
          )
          const exit = yield* Effect.exit(embedder.embed([secret])).pipe(
            Effect.tap((exit) => Effect.logError("no vectors", exit._tag === "Failure" ? exit.cause : undefined)),
            Effect.withSpan("caller"),
            Effect.withTracer(tracer),
            Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
            Logger.withMinimumLogLevel(LogLevel.All)
          )
          assert.strictEqual(exit._tag, "Failure")
          if (exit._tag === "Failure") {
            const error = Cause.squash(exit.cause)
            told.push(
              Cause.pretty(exit.cause, { renderErrorCause: true }),
              String(error),
              JSON.stringify(exit),
              inspect(exit, { depth: 12, showHidden: true })
            )
          }
        }
        // What failed in four ways, two lines of a log, three spans.
        assert.isAtLeast(told.length, 9 * replies.length)
        for (const text of told) {
          assert.notInclude(text, key)
          assert.notInclude(text, "Orion")
        }
      }))
  })

suite("OpenAiEmbedder over undici", NodeHttpClient.layerUndici)
suite("OpenAiEmbedder over fetch", FetchHttpClient.layer, {
  "204": "Transient",
  // It unpacks what nobody asked to be packed.
  "gzip-corrupt": "Transient",
  "br-corrupt": "Transient",
  "vectors-gzip": "answer"
})

describe("OpenAiEmbedder.layer", () => {
  it.scopedLive("provides an embedder over the library's own client", () =>
    Effect.gen(function*() {
      const server = yield* FakeProvider.make
      yield* server.script("m", FakeProvider.vectors({ dimensions: 5 }))
      const embedder = OpenAiEmbedder.layer({
        provider: "fake",
        model: "m",
        baseUrl: server.baseUrl,
        apiKey: Redacted.make(key),
        dimensions: 5
      }).pipe(Layer.provide(ProviderHttp.layer()))
      const vectors = yield* Effect.provide(
        Effect.flatMap(Embedder.Embedder, ({ embed }) => embed(["a", "b"])),
        embedder
      )
      assertVectors(vectors, ["a", "b"], 5)
    }))
})
