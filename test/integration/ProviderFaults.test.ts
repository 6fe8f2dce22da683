import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it, layer } from "@effect/vitest"
import type * as Llm from "causeway-mcp/llm/Llm"
import type * as LlmError from "causeway-mcp/llm/LlmError"
import * as AnthropicLlm from "causeway-mcp/provider/AnthropicLlm"
import * as Capabilities from "causeway-mcp/provider/Capabilities"
import * as OpenAiCompatible from "causeway-mcp/provider/OpenAiCompatible"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as ProviderFaults from "causeway-mcp/testing/ProviderFaults"
import type * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"

const question = { messages: [{ role: "user" as const, text: "How will the weather be?" }] }
const schema = {
  type: "object",
  properties: { day: { type: "string" }, mm: { type: "number" } },
  required: ["day", "mm"],
  additionalProperties: false
}

/** Longer than any answer here takes, shorter than any silence. */
const times = {
  timeout: "1 second",
  firstTextTimeout: "1 second",
  idleTimeout: "700 millis",
  streamTimeout: "5 seconds"
} as const

type Connect = (
  server: FakeProvider.Server,
  name: string
) => Effect.Effect<Llm.Model, ConfigError.ConfigError, HttpClient.HttpClient>

const chat: Connect = (server, name) =>
  OpenAiCompatible.make({
    provider: "fake",
    model: ProviderFaults.model(name),
    baseUrl: server.baseUrl,
    apiKey: Redacted.make("sk-test"),
    capabilities: { ...Capabilities.table.generic, endsWithDone: false },
    ...times
  })

const messages: Connect = (server, name) =>
  AnthropicLlm.make({
    provider: "fake",
    model: ProviderFaults.model(name),
    baseUrl: server.baseUrl,
    apiKey: Redacted.make("sk-test"),
    json: "prompt",
    ...times
  })

/** Asks as the fault wants to be asked: what came of it, `answer` or the error. */
const ask = (model: Llm.Model, fault: ProviderFaults.Fault): Effect.Effect<LlmError.LlmError | "answer"> => {
  const asked: Effect.Effect<unknown, LlmError.LlmError> = fault.asks === "object"
    ? model.generateObject({ ...question, schema })
    : fault.asks === "stream"
    ? Stream.runDrain(model.streamText(question))
    : model.generateText(question)
  return Effect.map(Effect.either(asked), (result) => Either.isLeft(result) ? result.left : "answer")
}

const reasonOf = (outcome: LlmError.LlmError | "answer"): string => outcome === "answer" ? outcome : outcome.reason

const shown = (outcome: LlmError.LlmError | "answer"): string => outcome === "answer" ? outcome : outcome.message

/** Polls until nothing is under way, for at most five seconds. */
const settled = (server: FakeProvider.Server) =>
  Effect.flatMap(server.active, (active) => active === 0 ? Effect.void : Effect.fail("still active")).pipe(
    Effect.retry(Schedule.intersect(Schedule.spaced("10 millis"), Schedule.recurs(500)))
  )

const environment = Layer.merge(FakeProvider.layer, NodeHttpClient.layerUndici)

const suite = (title: string, connect: Connect, isThere: (fault: ProviderFaults.Fault) => boolean): void =>
  layer(environment, { excludeTestServices: true })(title, (it) => {
    const all = Object.entries(ProviderFaults.faults).filter(([, fault]) => isThere(fault))

    it.effect("fails as TimedOut, and in time, with every kind of silence", () =>
      Effect.gen(function*() {
        const server = yield* FakeProvider.FakeProvider
        const silent = all.filter(([, fault]) => fault.expect === "TimedOut")
        const wrong = yield* Effect.forEach(silent, ([name, fault]) =>
          Effect.gen(function*() {
            const model = yield* connect(server, name)
            const [elapsed, outcome] = yield* Effect.timed(ask(model, fault))
            const second = fault.then === undefined ? undefined : yield* ask(model, fault)
            return reasonOf(outcome) === "TimedOut" && (second === undefined || reasonOf(second) === fault.then) &&
                Duration.toMillis(elapsed) < 3000
              ? []
              : [`${name}: ${shown(outcome)}`]
          }), { concurrency: "unbounded" })
        assert.deepStrictEqual(wrong.flat(), [])
        assert.isAbove(silent.length, 10)
        yield* settled(server)
      }))

    for (const [name, fault] of all.filter(([, fault]) => fault.expect !== "TimedOut")) {
      const told = fault.expect === "answer" ? "answers" : `fails as ${fault.expect}`
      it.effect(`${told} when a provider ${fault.about} (${name})`, () =>
        Effect.gen(function*() {
          const server = yield* FakeProvider.FakeProvider
          const model = yield* connect(server, name)
          const outcome = yield* ask(model, fault)
          assert.strictEqual(reasonOf(outcome), fault.expect, shown(outcome))
          if (outcome !== "answer") {
            assert.strictEqual(outcome.flaw, fault.flaw)
            if (fault.retryAfterMs !== undefined) {
              assert.strictEqual(outcome.retryAfterMs, fault.retryAfterMs === "none" ? undefined : fault.retryAfterMs)
            }
            assert.notMatch(outcome.description, /html|Heavy rain/u)
          }
          if (fault.then !== undefined) {
            const second = yield* ask(model, fault)
            assert.strictEqual(reasonOf(second), fault.then, shown(second))
          }
          yield* settled(server)
        }))
    }
  })

layer(FakeProvider.layer, { excludeTestServices: true })("a client of every fault", (it) => {
  it.effect("has no connection left when it closes", () =>
    Effect.gen(function*() {
      const server = yield* FakeProvider.FakeProvider
      const quick = Object.entries(ProviderFaults.faults).filter(([, fault]) => fault.expect !== "TimedOut")
      yield* Effect.forEach(
        quick,
        ([name, fault]) => Effect.flatMap(chat(server, name), (model) => ask(model, fault)),
        {
          concurrency: 20
        }
      ).pipe(Effect.provide(NodeHttpClient.layerUndici))
      // A request that goes out on a connection that is just breaking may never arrive.
      assert.isAbove((yield* server.requests).length, quick.length / 2)
      yield* Effect.flatMap(server.connections, (open) => open === 0 ? Effect.void : Effect.fail(`${open} open`)).pipe(
        Effect.retry(Schedule.intersect(Schedule.spaced("10 millis"), Schedule.recurs(500)))
      )
    }))
})

suite("OpenAiCompatible and the faults", chat, (fault) => fault.replies.length > 0)
suite("AnthropicLlm and the faults", messages, (fault) => (fault.anthropic ?? []).length > 0)

describe("ProviderFaults", () => {
  it("has a name, a sentence and something to play for every fault", () => {
    for (const [name, fault] of Object.entries(ProviderFaults.faults)) {
      assert.match(name, /^[a-z0-9]+(?:[-.][a-z0-9]+)*$/u)
      assert.isAbove(fault.replies.length + (fault.anthropic?.length ?? 0), 0, name)
      assert.match(fault.about, /^[^A-Z].*[^.]$/u)
    }
  })

  it("finds no fault under a name that nobody gave", () => {
    for (const name of ["", "nothing", "constructor", "__proto__", "toString"]) {
      assert.isUndefined(ProviderFaults.replies(name, "chat"))
    }
  })
})
