import { assert, describe, it } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"
import { ask, line, millis, provider, question, well, world } from "./harness.js"
import { hold, keepsSecrets } from "./laws.js"

const policy = ChainPolicy.all(
  ChainPolicy.deadline("2 seconds"),
  ChainPolicy.timeouts({ answer: "800 millis", headers: "800 millis", firstToken: "800 millis", idle: "800 millis" }),
  ChainPolicy.noRetry
)

/** Sends back all it was sent, the key too, as a careless proxy does. */
const telling = (status: number, key: () => string): FakeProvider.Reply =>
  FakeProvider.depending((request) =>
    FakeProvider.status(
      status,
      {
        error: { message: `Bad request: authorization: Bearer ${key()} ${JSON.stringify(request.body)}`, code: key() }
      },
      { "x-request-id": key(), "retry-after": "30" }
    )
  )

/** Keeps all that is logged, and every span with its attributes and events. */
const listening = () => {
  const heard: Array<unknown> = []
  const spans: Array<Tracer.Span> = []
  const logger = Logger.make((entry) => {
    heard.push(entry.message, Cause.pretty(entry.cause), [...entry.annotations])
  })
  const tracer = Effect.map(Effect.tracer, (own) =>
    Tracer.make({
      context: own.context,
      span: (...all) => {
        const span = own.span(...all)
        spans.push(span)
        return span
      }
    }))
  return {
    layer: Layer.mergeAll(
      Logger.replace(Logger.defaultLogger, logger),
      Logger.minimumLogLevel(LogLevel.All),
      Layer.unwrapEffect(Effect.map(tracer, Layer.setTracer))
    ),
    spans,
    shown: () =>
      inspect(heard, { depth: 12 }) +
      spans.map((span) =>
        inspect([span.name, span.attributes, span.status, "events" in span ? span.events : []], { depth: 12 })
      )
        .join("\n")
  }
}

describe("a key", () => {
  const replies: ReadonlyArray<readonly [what: string, (key: () => string) => FakeProvider.Reply]> = [
    ["a provider that refuses it and repeats it", (key) => telling(401, key)],
    ["a provider that finds the request wrong and repeats it", (key) => telling(400, key)],
    ["a provider that breaks down and repeats it", (key) => telling(500, key)],
    ["a provider that wants to be left alone and repeats it", (key) => telling(429, key)],
    ["an answer that is no answer", (key) => FakeProvider.status(200, { key: key() })],
    ["an answer that is no JSON", (key) => FakeProvider.status(200, `<html>${key()}</html>`)],
    ["a broken connection", () => FakeProvider.reset()],
    ["a broken body", () => FakeProvider.reset("half")],
    ["an answer that is no HTTP", (key) => FakeProvider.raw([`HTTP/1.1 ${key()}\r\n\r\n`])],
    ["silence", () => FakeProvider.hang()]
  ]
  for (const [what, reply] of replies) {
    for (const asks of ["text", "stream"] as const) {
      it.live(`stands in no error, span, log or trail after ${what} (${asks})`, () =>
        Effect.gen(function*() {
          const ears = listening()
          const known: { key: string } = { key: "" }
          const first = yield* provider("first", { replies: [reply(() => known.key)] })
          known.key = first.key
          const one = yield* world([first], policy)
          const told = yield* ask(one.chain, asks).pipe(Effect.provide(ears.layer))
          assert.isDefined(told.error)
          assert.lengthOf(told.attempts, 1)
          yield* hold(one, told)
          keepsSecrets(told, [first])
          assert.isAbove(ears.spans.length, 1)
          assert.notInclude(ears.shown(), first.key)
          assert.notInclude(ears.shown(), question.messages[0]?.text ?? "")
          assert.notInclude(Cause.pretty(Cause.fail(told.error)), first.key)
        }).pipe(Effect.scoped), { concurrent: true })
    }
  }

  for (const status of [301, 302, 303, 307, 308]) {
    it.live(`is not sent where a ${status} points, and the next model is asked`, () =>
      Effect.gen(function*() {
        const elsewhere = yield* FakeProvider.make
        yield* elsewhere.script("*", well)
        const first = yield* provider("first", {
          replies: [FakeProvider.status(status, undefined, { location: `${elsewhere.baseUrl}/chat/completions` })]
        })
        const second = yield* provider("second", { replies: [well] })
        const one = yield* world([first, second], policy)
        const told = yield* ask(one.chain)
        assert.deepStrictEqual(told.attempts.map(line), [
          "first failed ModelUnavailable",
          "second answered (failover)"
        ])
        assert.deepStrictEqual(yield* elsewhere.requests, [])
        assert.strictEqual(yield* elsewhere.connections, 0)
        yield* hold(one, told)
      }).pipe(Effect.scoped), { concurrent: true })
  }

  it.live("is not in what a chain tells of its models", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", { replies: [well] })
      const one = yield* world([first], policy)
      yield* ask(one.chain)
      const shown = inspect([yield* one.chain.status, one.chain.targets, yield* millis], {
        depth: 12,
        showHidden: true
      })
      assert.notInclude(shown, first.key)
      assert.notInclude(JSON.stringify(one.chain.targets), first.key)
    }).pipe(Effect.scoped))
})
