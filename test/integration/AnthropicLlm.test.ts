import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, layer } from "@effect/vitest"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as Llm from "causeway-mcp/llm/Llm"
import type * as LlmError from "causeway-mcp/llm/LlmError"
import * as AnthropicLlm from "causeway-mcp/provider/AnthropicLlm"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { inspect } from "node:util"

const key = "sk-ant-test-4f9a8b7c6d5e"
const question: Chat.Request = { messages: [{ role: "user", text: "What now?" }] }
const cited: Chat.Request = {
  ...question,
  context: [{ id: "a", text: "Now it rains." }, { id: "b", text: "Then sun." }]
}
const Price = Schema.Struct({ price: Schema.Number })

let count = 0

/** A model under a name of its own, so that tests at once do not share a script. */
const connect = (replies: ReadonlyArray<FakeProvider.Reply>, options: Partial<AnthropicLlm.Options> = {}) =>
  Effect.gen(function*() {
    const server = yield* FakeProvider.FakeProvider
    const name = options.model ?? `claude-haiku-4-5-${count++}`
    yield* server.script(name, ...replies)
    const model = yield* AnthropicLlm.make({
      model: name,
      baseUrl: server.baseUrl,
      apiKey: Redacted.make(key),
      ...options
    })
    const requests = Effect.map(server.requests, (all) => all.filter((request) => request.model === name))
    return { model, name, requests, server }
  })

const eventually = (condition: Effect.Effect<boolean>) =>
  Effect.flatMap(condition, (holds) => holds ? Effect.void : Effect.fail("not yet")).pipe(
    Effect.retry(Schedule.intersect(Schedule.spaced("20 millis"), Schedule.recurs(250)))
  )

/** What an observer is told, in order. */
const observer = () => {
  const told: Array<unknown> = []
  return {
    told,
    enter: (phase: Chat.Phase) => void told.push(phase),
    remaining: (left: { readonly requests?: number; readonly tokens?: number }) => void told.push(left)
  }
}

const collect = (stream: Stream.Stream<Chat.Delta, LlmError.LlmError>) => {
  const texts: Array<string> = []
  let done: Chat.TextAnswer | undefined
  return Effect.map(
    Effect.either(Stream.runForEach(stream, (delta) =>
      Effect.sync(() => {
        if (delta._tag === "Text") texts.push(delta.text)
        else done = delta.answer
      }))),
    (result) => ({ texts, done, error: result._tag === "Left" ? result.left : undefined })
  )
}

const usage = { input_tokens: 10, cache_read_input_tokens: 300, cache_creation_input_tokens: 50, output_tokens: 7 }
const used = { inputTokens: 360, outputTokens: 7, cachedInputTokens: 300, cacheWriteTokens: 50 }

const environment = Layer.merge(FakeProvider.layer, NodeHttpClient.layerUndici)

layer(environment, { excludeTestServices: true })("AnthropicLlm", (it) => {
  describe("answers", () => {
    for (const wire of ["whole", "stream"] as const) {
      it.effect(`answers with text, citations, usage and who answered (${wire})`, () =>
        Effect.gen(function*() {
          const { model, name, requests } = yield* connect(
            [FakeProvider.text("It rains [a]. Or [zzz].", { usage })],
            { wire }
          )
          const answer = yield* model.generateText({ ...cited, maxTokens: 9, temperature: 0.5 })
          assert.strictEqual(answer.text, "It rains [a]. Or [zzz].")
          assert.deepStrictEqual(answer.citations, ["a"])
          assert.deepStrictEqual(answer.usage, used)
          assert.strictEqual(answer.provider, "anthropic")
          assert.strictEqual(answer.model, name)
          assert.deepStrictEqual(answer.attempts.map((attempt) => attempt.outcome), ["answered"])
          const [request] = yield* requests
          assert.strictEqual(request?.wire, "messages")
          assert.strictEqual(request?.path, "/v1/messages")
          assert.strictEqual(request?.auth, "x-api-key")
          assert.strictEqual(request?.headers["anthropic-version"], "2023-06-01")
          assert.strictEqual(request?.body?.max_tokens, 9)
          assert.strictEqual(request?.body?.stream, wire === "stream" ? true : undefined)
          assert.notInclude(JSON.stringify(request), key)
        }))

      it.effect(`answers with an object by the schema it enforces (${wire})`, () =>
        Effect.gen(function*() {
          const { model, requests } = yield* connect([FakeProvider.json({ price: 12.5 })], { wire })
          const answer = yield* Llm.object(model, question, Price)
          assert.deepStrictEqual(answer.value, { price: 12.5 })
          assert.isDefined((yield* requests)[0]?.body?.output_config)
        }))

      it.effect(`answers with the input of the tool it had to call (${wire})`, () =>
        Effect.gen(function*() {
          const { model, requests } = yield* connect([FakeProvider.json({ price: 12.5 })], { wire, json: "tool" })
          const answer = yield* Llm.object(model, question, Price)
          assert.deepStrictEqual(answer.value, { price: 12.5 })
          assert.isDefined((yield* requests)[0]?.body?.tool_choice)
        }))

      it.effect(`answers with an object also where the model wrote in place of calling the tool (${wire})`, () =>
        Effect.gen(function*() {
          const prose = FakeProvider.depending((request) =>
            FakeProvider.text(`The value is {"price": ${request.body === undefined ? 0 : 3}}, as asked.`)
          )
          const { model } = yield* connect([prose], { wire, json: "tool" })
          assert.deepStrictEqual((yield* model.generateObject({ ...question, schema: { type: "object" } })).value, {
            price: 3
          })
        }))
    }

    it.effect("reads a stream that nobody asked for, and a whole answer where a stream was asked for", () =>
      Effect.gen(function*() {
        const events = [
          FakeProvider.messageEvent("message_start", { message: { model: "m", usage: { input_tokens: 3 } } }),
          FakeProvider.messageEvent("content_block_delta", { delta: { type: "text_delta", text: "Rain." } }),
          FakeProvider.messageEvent("message_delta", {
            delta: { stop_reason: "end_turn" },
            usage: { output_tokens: 2 }
          }),
          FakeProvider.messageEvent("message_stop")
        ]
        const { model } = yield* connect([FakeProvider.stream(events)])
        const answer = yield* model.generateText(question)
        assert.strictEqual(answer.text, "Rain.")
        assert.deepStrictEqual(answer.usage, { inputTokens: 3, outputTokens: 2 })
        const { model: other } = yield* connect([
          FakeProvider.status(200, { content: [{ type: "text", text: "Sun [b]." }], stop_reason: "end_turn" })
        ])
        const result = yield* collect(other.streamText(cited))
        assert.strictEqual(result.done?.text, "Sun [b].")
        assert.deepStrictEqual(result.done?.citations, ["b"])
      }))

    it.effect("sends further headers and fields", () =>
      Effect.gen(function*() {
        const { model, requests } = yield* connect([FakeProvider.text("ok")], {
          headers: { "anthropic-beta": "context-1m-2025-08-07" },
          extraBody: { service_tier: "auto" }
        })
        yield* model.generateText(question)
        const [request] = yield* requests
        assert.strictEqual(request?.headers["anthropic-beta"], "context-1m-2025-08-07")
        assert.strictEqual(request?.body?.service_tier, "auto")
      }))
  })

  describe("failures", () => {
    const error = (type: string, message: string, more: object = {}) => ({
      type: "error",
      error: { type, message, ...more },
      request_id: "req_1"
    })
    const statuses: ReadonlyArray<
      readonly [reason: LlmError.Reason, status: number, body: unknown, headers?: { readonly [name: string]: string }]
    > = [
      ["RateLimited", 429, error("rate_limit_error", "Slow."), { "retry-after": "7" }],
      [
        "QuotaExhausted",
        429,
        error("rate_limit_error", "x", { details: { error_code: "enforced_spend_limit_reached" } })
      ],
      ["QuotaExhausted", 400, error("invalid_request_error", "Your credit balance is too low to access the API.")],
      ["QuotaExhausted", 400, error("invalid_request_error", "You have reached your specified API usage limits.")],
      ["QuotaExhausted", 402, error("billing_error", "Pay.")],
      ["AuthRejected", 401, error("authentication_error", `invalid x-api-key ${key}`)],
      ["AuthRejected", 403, error("permission_error", "No.")],
      ["ModelUnavailable", 404, error("not_found_error", "model: claude-0")],
      ["ContextTooLong", 413, error("request_too_large", "Too large.")],
      ["ContextTooLong", 400, error("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")],
      ["ContentBlocked", 400, error("invalid_request_error", "Output blocked by content filtering policy")],
      ["RequestRejected", 400, error("invalid_request_error", "`temperature` is deprecated for this model.")],
      ["Transient", 500, error("api_error", "Oops.")],
      ["Transient", 504, error("timeout_error", "Late.")],
      ["Transient", 529, error("overloaded_error", "Overloaded")],
      ["Transient", 200, error("overloaded_error", "Overloaded")],
      ["AuthRejected", 200, error("authentication_error", "No.")],
      ["RateLimited", 200, error("rate_limit_error", "Slow.")]
    ]
    for (const wire of ["whole", "stream"] as const) {
      statuses.forEach(([reason, status, body, headers], index) => {
        it.effect(`fails as ${reason} on ${status} ${JSON.stringify(body).slice(16, 80)} (${wire}, ${index})`, () =>
          Effect.gen(function*() {
            const { model } = yield* connect([FakeProvider.status(status, body, headers)], { wire })
            const error = yield* Effect.flip(model.generateText(question))
            assert.strictEqual(error.reason, reason)
            assert.strictEqual(error.status, status)
            assert.strictEqual(error.retryAfterMs, headers === undefined ? undefined : 7000)
            assert.notInclude(error.message, key)
          }))
      })
    }

    it.effect("tells the text there was and what it used, of an answer that is no use", () =>
      Effect.gen(function*() {
        const rows: ReadonlyArray<readonly [finish: string, reason: LlmError.Reason, flaw: Chat.Flaw | undefined]> = [
          ["length", "Degraded", "truncated"],
          ["pause_turn", "Degraded", "truncated"],
          ["content_filter", "ContentBlocked", undefined],
          ["model_context_window_exceeded", "ContextTooLong", undefined]
        ]
        for (const wire of ["whole", "stream"] as const) {
          for (const [finishReason, reason, flaw] of rows) {
            const { model } = yield* connect([FakeProvider.text("Half an ans", { finishReason, usage })], { wire })
            const error = yield* Effect.flip(model.generateText(question))
            assert.strictEqual(error.reason, reason)
            assert.strictEqual(error.flaw, flaw)
            assert.deepStrictEqual(error.usage, used)
            assert.strictEqual(error.partial === undefined ? undefined : Redacted.value(error.partial), "Half an ans")
          }
        }
      }))

    const withoutJson = [["refusal", "I'm sorry, but I can't."], ["invalidJson", "Forty millimetres."]] as const
    for (const [flaw, text] of withoutJson) {
      it.effect(`fails as Degraded, by ${flaw}, when an object was asked for and prose came`, () =>
        Effect.gen(function*() {
          const { model } = yield* connect([FakeProvider.text(text)])
          const error = yield* Effect.flip(model.generateObject({ ...question, schema: { type: "object" } }))
          assert.deepStrictEqual([error.reason, error.flaw], ["Degraded", flaw])
        }))
    }

    it.effect("fails as Malformed at once on an answer that says it is beyond 8 MiB", () =>
      Effect.gen(function*() {
        for (const wire of ["whole", "stream"] as const) {
          const large = FakeProvider.status(200, "{", { "content-length": String(9 * 1024 * 1024) })
          const { model, server } = yield* connect([large], { wire })
          const error = yield* Effect.flip(model.generateText(question))
          assert.strictEqual(error.reason, "Malformed")
          assert.include(error.description, "larger than")
          yield* eventually(Effect.map(server.active, (active) => active === 0))
        }
      }))

    it.effect("says where a try stood when it ran out of time", () =>
      Effect.gen(function*() {
        const rows: ReadonlyArray<readonly [reply: FakeProvider.Reply, wire: "whole" | "stream", phase: Chat.Phase]> = [
          [FakeProvider.hang(), "whole", "answer"],
          [FakeProvider.hang("half"), "whole", "answer"],
          [FakeProvider.hang(), "stream", "headers"],
          [FakeProvider.stream([FakeProvider.messageEvent("ping")], { end: "hang" }), "stream", "firstToken"],
          [
            FakeProvider.stream([
              FakeProvider.messageEvent("content_block_delta", { delta: { type: "text_delta", text: "Hm" } }),
              FakeProvider.messageEvent("ping")
            ], { end: "hang" }),
            "stream",
            "idle"
          ]
        ]
        for (const [reply, wire, phase] of rows) {
          const { model, server } = yield* connect([reply], {
            wire,
            timeout: "150 millis",
            firstTextTimeout: "150 millis",
            idleTimeout: "150 millis"
          })
          const error = yield* Effect.flip(model.generateText(question))
          assert.deepStrictEqual([error.reason, error.phase], ["TimedOut", phase])
          yield* eventually(Effect.map(server.active, (active) => active === 0))
        }
      }))

    it.effect("closes the connection at once when it is interrupted", () =>
      Effect.gen(function*() {
        for (const wire of ["whole", "stream"] as const) {
          const { model, requests, server } = yield* connect([FakeProvider.hang("headers")], { wire })
          const fiber = yield* Effect.fork(model.generateText(question))
          yield* eventually(Effect.map(requests, (seen) => seen.length === 1))
          assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
          yield* eventually(Effect.map(server.active, (active) => active === 0))
        }
      }))
  })

  describe("an observer", () => {
    const left = {
      "anthropic-ratelimit-requests-remaining": "49",
      "anthropic-ratelimit-tokens-remaining": "79000"
    }

    it.effect("is told the phase of a whole answer and what is left of the limits", () =>
      Effect.gen(function*() {
        const { model } = yield* connect([
          FakeProvider.status(200, { content: [{ type: "text", text: "ok" }], stop_reason: "end_turn" }, left)
        ])
        const seen = observer()
        yield* model.generateText(question, seen)
        assert.deepStrictEqual(seen.told, ["answer", { requests: 49, tokens: 79_000 }])
      }))

    it.effect("is told the phases of a stream: once more for each text, never for a ping or a thought", () =>
      Effect.gen(function*() {
        const delta = (fields: object) => FakeProvider.messageEvent("content_block_delta", { index: 0, delta: fields })
        const events = [
          FakeProvider.messageEvent("message_start", { message: { content: [] } }),
          FakeProvider.messageEvent("ping"),
          delta({ type: "thinking_delta", thinking: "Hm." }),
          delta({ type: "text_delta", text: "It" }),
          FakeProvider.messageEvent("ping"),
          delta({ type: "text_delta", text: "" }),
          delta({ type: "text_delta", text: " rains." }),
          FakeProvider.messageEvent("message_delta", { delta: { stop_reason: "end_turn" } }),
          FakeProvider.messageEvent("message_stop")
        ]
        for (const asked of ["streamText", "generateText"] as const) {
          const { model } = yield* connect([FakeProvider.stream(events, { gapMs: 15 })], { wire: "stream" })
          const seen = observer()
          yield* asked === "streamText"
            ? Stream.runDrain(model.streamText(question, seen))
            : model.generateText(question, seen)
          assert.deepStrictEqual(seen.told, ["headers", "firstToken", "idle", "idle"])
        }
      }))

    it.effect("keeps the time in place of the model", () =>
      Effect.gen(function*() {
        const { model } = yield* connect([FakeProvider.text("late", { delayMs: 200 })], {
          timeout: "50 millis",
          firstTextTimeout: "50 millis"
        })
        assert.strictEqual((yield* model.generateText(question, observer())).text, "late")
        assert.strictEqual((yield* collect(model.streamText(question, observer()))).done?.text, "late")
      }))
  })

  describe("streams", () => {
    it.effect("gives the text as it comes and ends with the whole answer", () =>
      Effect.gen(function*() {
        const { model, name } = yield* connect([FakeProvider.text("It rains [b].", { usage, gapMs: 5 })])
        const { done, texts } = yield* collect(model.streamText(cited))
        assert.deepStrictEqual(texts, ["It rain", "s [b]."])
        assert.strictEqual(done?.text, "It rains [b].")
        assert.deepStrictEqual(done?.citations, ["b"])
        assert.deepStrictEqual(done?.usage, used)
        assert.strictEqual(done?.model, name)
        const [attempt] = done?.attempts ?? []
        assert.isAtMost(attempt?.firstTokenMs ?? Infinity, attempt?.elapsedMs ?? 0)
      }))

    it.effect("fails with the text and the usage there were, when the connection ends without a stop reason", () =>
      Effect.gen(function*() {
        const { model } = yield* connect([
          FakeProvider.stream([
            FakeProvider.messageEvent("message_start", { message: { usage: { input_tokens: 12, output_tokens: 1 } } }),
            FakeProvider.messageEvent("content_block_delta", { delta: { type: "text_delta", text: "Half" } }),
            FakeProvider.messageEvent("message_stop")
          ])
        ])
        const { done, error, texts } = yield* collect(model.streamText(question))
        assert.deepStrictEqual(texts, ["Half"])
        assert.isUndefined(done)
        assert.strictEqual(error?.reason, "Transient")
        assert.deepStrictEqual(error?.usage, { inputTokens: 12, outputTokens: 1 })
        assert.strictEqual(error?.partial === undefined ? "" : Redacted.value(error.partial), "Half")
      }))

    const said = (text: string) =>
      FakeProvider.messageEvent("content_block_delta", { delta: { type: "text_delta", text } })
    const ended = FakeProvider.messageEvent("message_delta", {
      delta: { stop_reason: "end_turn" },
      usage: { output_tokens: 2 }
    })
    const failed = FakeProvider.messageEvent("error", { error: { type: "overloaded_error", message: "x" } })

    it.effect("keeps back a text that comes in one piece with what breaks it", () =>
      Effect.gen(function*() {
        const rows = [[failed, "Transient"], ["data: {\n\n", "Malformed"], ["data: 5\n\n", "Malformed"]] as const
        for (const [broken, reason] of rows) {
          const { model } = yield* connect([FakeProvider.stream([said("half") + broken])])
          const { error, texts } = yield* collect(model.streamText(question))
          assert.deepStrictEqual(texts, [])
          assert.strictEqual(error?.reason, reason)
          assert.strictEqual(error?.partial === undefined ? "" : Redacted.value(error.partial), "half")
        }
      }))

    it.effect("breaks nothing by junk and errors after the stop reason, and reads the usage behind them", () =>
      Effect.gen(function*() {
        const more = FakeProvider.messageEvent("message_delta", { delta: {}, usage: { output_tokens: 3 } })
        const stop = FakeProvider.messageEvent("message_stop")
        for (const junk of [failed, "data: {\n\n", "data: 5\n\n"]) {
          for (const pieces of [[said("all") + ended + junk + more + stop], [said("all"), ended, junk, more, stop]]) {
            const { model } = yield* connect([FakeProvider.stream(pieces, { gapMs: 10 })])
            const { done, error, texts } = yield* collect(model.streamText(question))
            assert.isUndefined(error)
            assert.deepStrictEqual(texts, ["all"])
            assert.deepStrictEqual(done?.usage, { outputTokens: 3 })
          }
        }
      }))

    it.effect("reads whole JSON behind comments, and events behind them in an answer that was to be whole", () =>
      Effect.gen(function*() {
        const body = JSON.stringify({ content: [{ type: "text", text: "whole" }], stop_reason: "end_turn" })
        const { model } = yield* connect([FakeProvider.stream([": wait {\n", "\n: wa", "it\n\n", body], { gapMs: 5 })])
        assert.strictEqual((yield* collect(model.streamText(question))).done?.text, "whole")
        for (const reply of [`: wait\n\n${body}`, `: wait\n\n${said("whole")}${ended}`]) {
          const { model: other } = yield* connect([FakeProvider.status(200, reply)])
          assert.strictEqual((yield* other.generateText(question)).text, "whole")
        }
      }))

    it.effect("closes the connection when the reader has had enough", () =>
      Effect.gen(function*() {
        const text = FakeProvider.messageEvent("content_block_delta", { delta: { type: "text_delta", text: "a" } })
        const { model, server } = yield* connect([FakeProvider.stream([text, text], { end: "hang" })])
        yield* Stream.runDrain(Stream.take(model.streamText(question), 1))
        yield* eventually(Effect.map(server.active, (active) => active === 0))
      }))
  })

  describe("ping", () => {
    const rows: ReadonlyArray<readonly [reply: FakeProvider.Reply, verdict: string]> = [
      [FakeProvider.status(200, { data: [] }), "alive"],
      [FakeProvider.status(429), "alive"],
      [FakeProvider.status(401), "AuthRejected"],
      [FakeProvider.status(529), "Transient"],
      [FakeProvider.hang(), "TimedOut"]
    ]
    for (const [reply, verdict] of rows) {
      it.effect(`is ${verdict} on ${reply._tag === "Status" ? reply.status : "silence"}`, () =>
        Effect.scoped(Effect.gen(function*() {
          const server = yield* FakeProvider.make
          yield* server.scriptModels(reply)
          const { model } = yield* connect([], { baseUrl: server.baseUrl, pingTimeout: "200 millis" })
          const result = yield* Effect.either(model.ping)
          assert.strictEqual(result._tag === "Left" ? result.left.reason : "alive", verdict)
          assert.deepStrictEqual(
            (yield* server.requests).map(({ auth, method, path }) => [method, path, auth]),
            [["GET", "/v1/models", "x-api-key"]]
          )
        })))
    }
  })

  it.effect("shows the key in no rendering of any failure, and sends it on to no other address", () =>
    Effect.scoped(Effect.gen(function*() {
      const elsewhere = yield* FakeProvider.make
      const replies = [
        FakeProvider.status(401, { type: "error", error: { type: key, message: `bad key ${key}` } }),
        FakeProvider.status(500, `key ${key}`),
        FakeProvider.status(200, `key ${key}`),
        FakeProvider.reset(),
        FakeProvider.reset("half"),
        FakeProvider.hang(),
        FakeProvider.status(307, undefined, { location: `${elsewhere.baseUrl}/messages` })
      ]
      for (const client of [NodeHttpClient.layerUndici, FetchHttpClient.layer]) {
        for (const reply of replies) {
          const { model } = yield* connect([reply], {
            timeout: "200 millis",
            firstTextTimeout: "200 millis",
            headers: { "x-upstream": Redacted.make(key) }
          }).pipe(Effect.provide(client))
          for (const asked of [model.generateText(question), Stream.runDrain(model.streamText(question))]) {
            const exit = yield* Effect.exit(asked)
            assert.isTrue(Exit.isFailure(exit))
            if (!Exit.isFailure(exit)) continue
            const renderings = [
              Cause.pretty(exit.cause, { renderErrorCause: true }),
              JSON.stringify(exit),
              inspect(exit, { depth: 12, showHidden: true })
            ]
            for (const rendering of renderings) assert.notInclude(rendering, key)
          }
        }
      }
      assert.deepStrictEqual(yield* elsewhere.requests, [])
    })))
})
