import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, layer } from "@effect/vitest"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as Llm from "causeway-mcp/llm/Llm"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import type * as LlmError from "causeway-mcp/llm/LlmError"
import * as Capabilities from "causeway-mcp/provider/Capabilities"
import * as OpenAiCompatible from "causeway-mcp/provider/OpenAiCompatible"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"

const key = "sk-test-4f9a8b7c6d5e"
const question: Chat.Request = { messages: [{ role: "user", text: "What now?" }] }
const cited: Chat.Request = {
  ...question,
  context: [{ id: "a", text: "Now it rains." }, { id: "b", text: "Then sun." }]
}

let count = 0

/** A model under a name of its own, so that tests at once do not share a script. */
const connect = (replies: ReadonlyArray<FakeProvider.Reply>, options: Partial<OpenAiCompatible.Options> = {}) =>
  Effect.gen(function*() {
    const server = yield* FakeProvider.FakeProvider
    const name = `m${count++}`
    yield* server.script(name, ...replies)
    const model = yield* OpenAiCompatible.make({
      provider: "fake",
      model: name,
      baseUrl: server.baseUrl,
      apiKey: Redacted.make(key),
      ...options
    })
    const requests = Effect.map(server.requests, (all) => all.filter((request) => request.model === name))
    return { model, name, requests, server }
  })

const failure = (reply: FakeProvider.Reply, options: Partial<OpenAiCompatible.Options> = {}) =>
  Effect.flatMap(connect([reply], options), ({ model }) => Effect.flip(model.generateText(question)))

/** Polls until a condition holds, for at most five seconds. */
const eventually = (condition: Effect.Effect<boolean>) =>
  Effect.flatMap(condition, (holds) => holds ? Effect.void : Effect.fail("not yet")).pipe(
    Effect.retry(Schedule.intersect(Schedule.spaced("20 millis"), Schedule.recurs(250)))
  )

const collect = (stream: Stream.Stream<Chat.Delta, LlmError.LlmError>) => {
  const texts: Array<string> = []
  let done: Chat.TextAnswer | undefined
  return Effect.map(
    Effect.either(Stream.runForEach(stream, (delta) =>
      Effect.sync(() => {
        if (delta._tag === "Text") texts.push(delta.text)
        else done = delta.answer
      }))),
    (result) => ({ text: texts.join(""), done, error: result._tag === "Left" ? result.left : undefined })
  )
}

const streamed = (reply: FakeProvider.Reply, options: Partial<OpenAiCompatible.Options> = {}) =>
  Effect.flatMap(connect([reply], options), ({ model }) => collect(model.streamText(cited)))

const choice = (message: unknown, finish: unknown = "stop") => ({ choices: [{ message, finish_reason: finish }] })

const environment = Layer.merge(FakeProvider.layer, NodeHttpClient.layerUndici)

layer(environment, { excludeTestServices: true })("OpenAiCompatible", (it) => {
  describe("answers", () => {
    it.effect("answers with text, citations, usage and who answered", () =>
      Effect.gen(function*() {
        const { model, name, requests } = yield* connect([FakeProvider.text("It rains [a]. Or [zzz].")])
        const answer = yield* model.generateText({ ...cited, maxTokens: 9, temperature: 0.5 })
        assert.strictEqual(answer.text, "It rains [a]. Or [zzz].")
        assert.deepStrictEqual(answer.citations, ["a"])
        assert.deepStrictEqual(answer.usage, { inputTokens: 12, outputTokens: 6 })
        assert.strictEqual(answer.model, name)
        assert.deepStrictEqual(answer.attempts.map((attempt) => attempt.outcome), ["answered"])
        const [request] = yield* requests
        assert.strictEqual(request?.path, "/v1/chat/completions")
        assert.strictEqual(request?.auth, "authorization: Bearer")
        assert.strictEqual(request?.body?.max_tokens, 9)
        assert.strictEqual(request?.body?.temperature, 0.5)
        assert.isUndefined(request?.body?.stream)
        assert.notInclude(JSON.stringify(request), key)
      }))

    it.effect("answers with an object, decoded by its schema, also out of a code fence", () =>
      Effect.gen(function*() {
        const { model } = yield* connect([FakeProvider.text("```json\n{\"price\": 12.5}\n```")])
        const answer = yield* Llm.object(model, question, Schema.Struct({ price: Schema.Number }))
        assert.deepStrictEqual(answer.value, { price: 12.5 })
      }))

    it.effect("sends extra headers and the key in the header that the capabilities name", () =>
      Effect.gen(function*() {
        const { model, requests } = yield* connect([FakeProvider.text("ok")], {
          capabilities: Capabilities.table.portkey,
          headers: { "X-Title": "tests", "x-portkey-provider": Redacted.make("openai") }
        })
        yield* model.generateText(question)
        const [request] = yield* requests
        assert.strictEqual(request?.auth, "x-portkey-api-key")
        assert.strictEqual(request?.headers["x-title"], "tests")
        assert.strictEqual(request?.headers["x-portkey-provider"], "openai")
        assert.isUndefined(request?.headers.authorization)
      }))

    const readable: ReadonlyArray<readonly [what: string, body: unknown, text: string]> = [
      [
        "content in blocks, without the thinking",
        choice({
          content: [{ type: "thinking", thinking: [{ type: "text", text: "hm" }] }, { type: "text", text: "yes" }]
        }),
        "yes"
      ],
      ["a finish reason that is null or unknown", choice({ content: "yes" }, null), "yes"],
      ["a finish reason nobody knows", choice({ content: "yes" }, "eos_token"), "yes"],
      [
        "a body behind blank lines and comments",
        `\n\n: PROCESSING\n\n${JSON.stringify(choice({ content: "yes" }))}`,
        "yes"
      ]
    ]
    for (const [what, body, text] of readable) {
      it.effect(`reads ${what}`, () =>
        Effect.gen(function*() {
          const { model } = yield* connect([FakeProvider.status(200, body)])
          assert.strictEqual((yield* model.generateText(question)).text, text)
        }))
    }

    it.effect("leaves usage unknown when it is missing, null, negative or no number", () =>
      Effect.gen(function*() {
        for (const usage of [undefined, null, { prompt_tokens: -1, completion_tokens: "5" }, []]) {
          const { model } = yield* connect([FakeProvider.status(200, { ...choice({ content: "x" }), usage })])
          assert.deepStrictEqual((yield* model.generateText(question)).usage, {})
        }
      }))
  })

  describe("failures", () => {
    const statuses: ReadonlyArray<
      readonly [reason: LlmError.Reason, reply: FakeProvider.Reply, retryAfterMs?: number]
    > = [
      ["RateLimited", FakeProvider.status(429, { error: { message: "slow" } }, { "retry-after": "7" }), 7000],
      ["QuotaExhausted", FakeProvider.status(429, { error: { code: "insufficient_quota" } })],
      ["QuotaExhausted", FakeProvider.status(402, "no money")],
      ["AuthRejected", FakeProvider.status(401, { error: `the key ${key} is wrong` })],
      ["ModelUnavailable", FakeProvider.status(404, { error: { code: "model_not_found" } })],
      ["ModelUnavailable", FakeProvider.status(302, undefined, { location: "http://127.0.0.1:1/" })],
      ["ContextTooLong", FakeProvider.status(400, { error: { code: "context_length_exceeded" } })],
      ["ContentBlocked", FakeProvider.status(400, { error: { code: "content_filter" } })],
      ["RequestRejected", FakeProvider.status(422, { detail: [{ msg: "extra" }] })],
      ["Transient", FakeProvider.status(500, "<html>")],
      ["Transient", FakeProvider.status(529)],
      ["Transient", FakeProvider.status(200, { error: { code: 502, message: "upstream" } })],
      ["RateLimited", FakeProvider.status(200, [{ error: { code: "429" } }])],
      ["Degraded", FakeProvider.status(246, choice({ content: "x" }))],
      ["Malformed", FakeProvider.status(200, "<html>hello</html>")],
      ["Malformed", FakeProvider.status(200, "{\"choices\": [{")],
      ["Malformed", FakeProvider.status(200, "")],
      ["Malformed", FakeProvider.status(204)],
      ["Malformed", FakeProvider.status(200, {})],
      ["Malformed", FakeProvider.status(200, [])],
      ["Malformed", FakeProvider.status(200, { choices: [] })],
      ["Malformed", FakeProvider.status(200, { choices: "x" })],
      ["Degraded", FakeProvider.status(200, { choices: [{}] })],
      ["Degraded", FakeProvider.status(200, choice({ content: null, reasoning_content: "hm" }))],
      ["Degraded", FakeProvider.status(200, choice({ content: " \n ".repeat(50) }))],
      ["Degraded", FakeProvider.status(200, choice({ content: "half an ans" }, "length"))],
      ["Degraded", FakeProvider.status(200, choice({ content: null, refusal: "I cannot" }))],
      ["ContentBlocked", FakeProvider.status(200, choice({ content: "" }, "content_filter"))],
      ["Transient", FakeProvider.status(200, choice({ content: "par" }, "insufficient_system_resource"))]
    ]
    statuses.forEach(([reason, reply, retryAfterMs], index) => {
      const told = reply._tag === "Status" ? `${reply.status} ${JSON.stringify(reply.body) ?? "without a body"}` : ""
      it.effect(`fails as ${reason} on ${told.slice(0, 70)} (${index})`, () =>
        Effect.gen(function*() {
          const error = yield* failure(reply)
          assert.strictEqual(error.reason, reason)
          assert.strictEqual(error.provider, "fake")
          assert.strictEqual(error.retryAfterMs, retryAfterMs)
          assert.notInclude(error.message, "html")
        }))
    })

    it.effect("asks once and never again by itself", () =>
      Effect.gen(function*() {
        const { model, requests } = yield* connect([FakeProvider.status(503, undefined, { "retry-after": "0" })])
        yield* Effect.flip(model.generateText(question))
        assert.strictEqual((yield* requests).length, 1)
      }))

    for (const after of ["request", "headers", "half"] as const) {
      it.effect(`fails as TimedOut when the provider falls silent after the ${after}, and closes the connection`, () =>
        Effect.gen(function*() {
          const { model, server } = yield* connect([FakeProvider.hang(after)], { timeout: "150 millis" })
          const before = yield* server.aborted
          const error = yield* Effect.flip(model.generateText(question))
          assert.strictEqual(error.reason, "TimedOut")
          yield* eventually(Effect.map(server.aborted, (aborted) => aborted > before))
        }))
    }

    for (const after of ["request", "half"] as const) {
      it.effect(`fails as Transient when the connection breaks after the ${after}`, () =>
        Effect.gen(function*() {
          const error = yield* failure(FakeProvider.reset(after))
          assert.strictEqual(error.reason, "Transient")
          assert.match(error.description, /\((?:ECONNRESET|UND_ERR_SOCKET)\)$/u)
        }))
    }

    it.effect("fails as Transient when nobody listens", () =>
      Effect.gen(function*() {
        const server = yield* Effect.scoped(FakeProvider.make)
        const error = yield* failure(FakeProvider.text("x"), { baseUrl: server.baseUrl })
        assert.strictEqual(error.reason, "Transient")
        assert.include(error.description, "ECONNREFUSED")
      }))

    it.effect("fails as Malformed on an answer beyond 8 MiB, declared or not, and reads no further", () =>
      Effect.gen(function*() {
        const { server } = yield* connect([])
        const before = yield* server.aborted
        const declared = yield* failure(FakeProvider.status(200, "x", { "content-length": String(9 * 1024 * 1024) }))
        assert.strictEqual(declared.reason, "Malformed")
        const pieces = Array.from({ length: 40 }, () => " ".repeat(1024 * 1024))
        const endless = yield* failure(FakeProvider.stream(pieces, { contentType: "application/json" }))
        assert.strictEqual(endless.reason, "Malformed")
        assert.include(endless.description, "8388608 bytes")
        yield* eventually(Effect.map(server.aborted, (aborted) => aborted === before + 1))
      }))

    it.effect("fails as Malformed on bytes that are not UTF-8", () =>
      Effect.gen(function*() {
        const bytes = Uint8Array.of(0x7b, 0xff, 0x7d)
        const error = yield* failure(FakeProvider.stream([bytes], { contentType: "application/json" }))
        assert.strictEqual(error.reason, "Malformed")
      }))

    it.effect("fails as Degraded when an object was asked for and prose came", () =>
      Effect.gen(function*() {
        const { model } = yield* connect([FakeProvider.text("I am sorry, I cannot.")])
        const error = yield* Effect.flip(model.generateObject({ ...question, schema: { type: "object" } }))
        assert.strictEqual(error.reason, "Degraded")
      }))

    it.effect("closes the connection at once when it is interrupted", () =>
      Effect.gen(function*() {
        const { model, requests, server } = yield* connect([FakeProvider.hang()])
        const before = yield* server.aborted
        const fiber = yield* Effect.fork(model.generateText(question))
        yield* eventually(Effect.map(requests, (seen) => seen.length === 1))
        const exit = yield* Fiber.interrupt(fiber)
        assert.isTrue(Exit.isInterrupted(exit))
        yield* eventually(Effect.map(server.aborted, (aborted) => aborted === before + 1))
      }))
  })

  describe("streams", () => {
    const { event } = FakeProvider
    const done = "data: [DONE]\n\n"

    it.effect("gives the text as it comes and ends with the whole answer", () =>
      Effect.gen(function*() {
        const { model, name, requests } = yield* connect([FakeProvider.text("It rains [b].")])
        const deltas = [...(yield* Stream.runCollect(model.streamText(cited)))]
        const last = deltas.at(-1)
        assert.deepStrictEqual(
          deltas.slice(0, -1).map((d) => d._tag === "Text" ? d.text : "?").join(""),
          "It rains [b]."
        )
        assert.isTrue(last?._tag === "Done")
        if (last?._tag !== "Done") return
        assert.strictEqual(last.answer.text, "It rains [b].")
        assert.deepStrictEqual(last.answer.citations, ["b"])
        assert.deepStrictEqual(last.answer.usage, { inputTokens: 12, outputTokens: 4 })
        assert.strictEqual(last.answer.model, name)
        assert.strictEqual((yield* requests)[0]?.body?.stream, true)
      }))

    const complete: ReadonlyArray<readonly [what: string, pieces: ReadonlyArray<string | Uint8Array>, text: string]> = [
      ["CRLF, comments and blank lines", [
        ": ping\r\n\r\n",
        event("a", null).replaceAll("\n", "\r\n"),
        "\n\n",
        event("b", "stop"),
        done
      ], "ab"],
      ["a finish reason and then the end, without [DONE]", [event("a"), event("b", "stop")], "ab"],
      ["[DONE] without a finish reason", [event("a"), done], "a"],
      [
        "a character cut in two",
        (() => {
          const bytes = new TextEncoder().encode(event("é🌊", "stop"))
          const at = bytes.indexOf(0xf0) + 2
          return [bytes.slice(0, at), bytes.slice(at)]
        })(),
        "é🌊"
      ],
      [
        "several events in one piece, and data after [DONE]",
        [event("a") + event("b", "stop") + done + event("c")],
        "ab"
      ],
      ["role chunks, null choices and usage on its own", [
        event("", null, { choices: [{ delta: { role: "assistant", content: null } }] }),
        event("", null, { choices: null }),
        event("a"),
        event("", "stop"),
        event("", null, { choices: [], usage: { prompt_tokens: 1 } }),
        done
      ], "a"],
      ["a last event without its blank line", [event("a"), event("b", "stop").trimEnd()], "ab"]
    ]
    for (const [what, pieces, text] of complete) {
      it.effect(`reads ${what}`, () =>
        Effect.gen(function*() {
          const result = yield* streamed(FakeProvider.stream(pieces, { gapMs: 5 }))
          assert.isUndefined(result.error)
          assert.strictEqual(result.text, text)
          assert.strictEqual(result.done?.text, text)
        }))
    }

    const broken: ReadonlyArray<
      readonly [what: string, reason: LlmError.Reason, text: string, pieces: ReadonlyArray<string | Uint8Array>]
    > = [
      ["the connection ends without a finish reason", "Transient", "half", [event("half")]],
      ["nothing comes at all", "Transient", "", []],
      ["an error comes in mid-stream", "Transient", "half", [event("half"), "data: {\"error\":{\"code\":502}}\n\n"]],
      ["the first event is a rate limit", "RateLimited", "", [
        "data: {\"error\":{\"code\":429,\"message\":\"x\"}}\n\n"
      ]],
      ["an event is no JSON", "Malformed", "half", [event("half"), "data: {\"cho\n\n"]],
      ["an event is no object", "Malformed", "", ["data: 5\n\n"]],
      ["the text is cut off at its length", "Degraded", "half", [event("half"), event("", "length"), done]],
      ["the answer is empty", "Degraded", "", [event("", "stop"), done]],
      ["the content rules cut it", "ContentBlocked", "x", [event("x"), event("", "content_filter"), done]],
      ["the provider gives up", "Transient", "x", [event("x"), event("", "error"), done]],
      ["bytes are not UTF-8", "Malformed", "", [Uint8Array.of(0x64, 0xff, 0x0a, 0x0a)]]
    ]
    for (const [what, reason, text, pieces] of broken) {
      it.effect(`fails as ${reason} when ${what}`, () =>
        Effect.gen(function*() {
          const result = yield* streamed(FakeProvider.stream(pieces, { gapMs: 5 }))
          assert.strictEqual(result.error?.reason, reason)
          assert.strictEqual(result.text, text)
          assert.isUndefined(result.done)
        }))
    }

    it.effect("fails as Transient when the connection breaks in mid-stream", () =>
      Effect.gen(function*() {
        const result = yield* streamed(FakeProvider.stream([event("half")], { gapMs: 20, end: "reset" }))
        assert.strictEqual(result.error?.reason, "Transient")
        assert.strictEqual(result.text, "half")
      }))

    it.effect("fails as TimedOut when no text comes, also while comments do", () =>
      Effect.gen(function*() {
        const pings = Array.from({ length: 100 }, () => ": keep-alive\n\n")
        const result = yield* streamed(FakeProvider.stream([event(""), ...pings], { gapMs: 20 }), {
          firstTextTimeout: "200 millis"
        })
        assert.strictEqual(result.error?.reason, "TimedOut")
      }))

    it.effect("fails as TimedOut when the text stops, also while comments come", () =>
      Effect.gen(function*() {
        const pings = Array.from({ length: 100 }, () => ": keep-alive\n\n")
        const result = yield* streamed(FakeProvider.stream([event("half"), ...pings], { gapMs: 20 }), {
          idleTimeout: "200 millis"
        })
        assert.strictEqual(result.error?.reason, "TimedOut")
        assert.strictEqual(result.text, "half")
      }))

    it.effect("fails as TimedOut when the whole stream takes too long, however busy it is", () =>
      Effect.gen(function*() {
        const pieces = Array.from({ length: 200 }, () => event("x"))
        const result = yield* streamed(FakeProvider.stream(pieces, { gapMs: 20 }), { streamTimeout: "300 millis" })
        assert.strictEqual(result.error?.reason, "TimedOut")
      }))

    it.effect("is complete when the connection stays open after the finish reason", () =>
      Effect.gen(function*() {
        const result = yield* streamed(FakeProvider.stream([event("all", "stop")], { end: "hang" }), {
          idleTimeout: "200 millis"
        })
        assert.isUndefined(result.error)
        assert.strictEqual(result.done?.text, "all")
      }))

    it.effect("reads a whole answer where the provider does not stream", () =>
      Effect.gen(function*() {
        const result = yield* streamed(FakeProvider.status(200, choice({ content: "It rains [a]." })))
        assert.strictEqual(result.text, "It rains [a].")
        assert.deepStrictEqual(result.done?.citations, ["a"])
      }))

    it.effect("tells a failure that comes before the stream by its status", () =>
      Effect.gen(function*() {
        const result = yield* streamed(FakeProvider.status(429, { error: { message: "x" } }, { "retry-after": "3" }))
        assert.strictEqual(result.error?.reason, "RateLimited")
        assert.strictEqual(result.error?.retryAfterMs, 3000)
      }))

    it.effect("closes the connection when the reader has had enough", () =>
      Effect.gen(function*() {
        const { model, server } = yield* connect([FakeProvider.stream([event("a"), event("b")], { end: "hang" })])
        const before = yield* server.aborted
        yield* Stream.runDrain(Stream.take(model.streamText(question), 1))
        yield* eventually(Effect.map(server.aborted, (aborted) => aborted === before + 1))
      }))
  })

  describe("ping", () => {
    const pinged = (reply: FakeProvider.Reply) =>
      Effect.scoped(Effect.gen(function*() {
        const server = yield* FakeProvider.make
        yield* server.scriptModels(reply)
        const { model } = yield* connect([], { baseUrl: server.baseUrl, pingTimeout: "200 millis" })
        const result = yield* Effect.either(model.ping)
        return result._tag === "Left" ? result.left.reason : "alive"
      }))

    const pings: ReadonlyArray<readonly [what: string, reply: FakeProvider.Reply, verdict: string]> = [
      ["its models", FakeProvider.status(200, { data: [] }), "alive"],
      ["404, since not every vendor lists its models", FakeProvider.status(404), "alive"],
      ["429", FakeProvider.status(429), "alive"],
      ["401", FakeProvider.status(401), "AuthRejected"],
      ["403", FakeProvider.status(403), "AuthRejected"],
      ["500", FakeProvider.status(500), "Transient"],
      ["nothing", FakeProvider.hang(), "TimedOut"],
      ["a broken connection", FakeProvider.reset(), "Transient"]
    ]
    for (const [what, reply, verdict] of pings) {
      it.effect(`is ${verdict} when the provider answers with ${what}`, () =>
        Effect.map(pinged(reply), (result) => assert.strictEqual(result, verdict)))
    }
  })

  describe("the key", () => {
    it.effect("is in no rendering of any failure, and in no span", () =>
      Effect.gen(function*() {
        const spans: Array<string> = []
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
              end: () => {
                spans.push(inspect([name, ...attributes], { depth: 5 }))
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
        const replies = [
          FakeProvider.status(401, { error: { message: `bad key ${key}`, code: key, type: key, param: key } }),
          FakeProvider.status(500, `key ${key}`),
          FakeProvider.status(200, `key ${key}`),
          FakeProvider.reset(),
          FakeProvider.reset("half"),
          FakeProvider.hang()
        ]
        for (const reply of replies) {
          for (const capabilities of [Capabilities.table.generic, Capabilities.table.portkey]) {
            const { model } = yield* connect([reply], {
              timeout: "100 millis",
              firstTextTimeout: "100 millis",
              capabilities,
              headers: { "x-upstream": Redacted.make(key) }
            })
            const whole = model.generateText(question)
            const pieces = Stream.runDrain(model.streamText(question))
            for (const asked of [whole, pieces]) {
              const exit = yield* Effect.exit(Effect.withTracer(asked, tracer))
              assert.isTrue(Exit.isFailure(exit))
              if (!Exit.isFailure(exit)) continue
              const error = Cause.squash(exit.cause)
              const renderings = [
                Cause.pretty(exit.cause, { renderErrorCause: true }),
                String(error),
                JSON.stringify(error),
                JSON.stringify(exit),
                inspect(exit, { depth: 12, showHidden: true })
              ]
              for (const rendering of renderings) assert.notInclude(rendering, key)
            }
          }
        }
        assert.isAbove(spans.length, 20)
        assert.isTrue(spans.some((span) => span.includes("http.client POST")))
        for (const span of spans) assert.notInclude(span, key)
      }))

    it.effect("is not sent on to where a redirect leads, by no HTTP client", () =>
      Effect.scoped(Effect.gen(function*() {
        const elsewhere = yield* FakeProvider.make
        for (const client of [NodeHttpClient.layerUndici, NodeHttpClient.layer, FetchHttpClient.layer]) {
          for (const code of [301, 302, 307, 308]) {
            const error = yield* failure(
              FakeProvider.status(code, undefined, { location: `${elsewhere.baseUrl}/chat/completions` })
            ).pipe(Effect.provide(client))
            assert.strictEqual(error.reason, "ModelUnavailable")
          }
        }
        assert.deepStrictEqual(yield* elsewhere.requests, [])
      })))
  })

  describe("options", () => {
    const wrong: ReadonlyArray<readonly [what: string, options: Partial<OpenAiCompatible.Options>, option: string]> = [
      ["a URL that is none", { baseUrl: "api.example.com/v1" }, "baseUrl"],
      ["another protocol", { baseUrl: "file:///etc/passwd" }, "baseUrl"],
      ["a user in the URL", { baseUrl: `https://me:${key}@api.example.com` }, "baseUrl"],
      ["a query in the URL", { baseUrl: `https://api.example.com/v1?key=${key}` }, "baseUrl"],
      ["the whole path in the URL", { baseUrl: "https://api.example.com/v1/chat/completions" }, "baseUrl"],
      ["an empty key", { apiKey: Redacted.make("  ") }, "apiKey"],
      ["a key in two lines", { apiKey: Redacted.make(`${key}\n${key}`) }, "apiKey"],
      ["a header value in two lines", { headers: { "x-a": `${key}\r\nx-b: 1` } }, "headers"],
      ["a header name with a space", { headers: { "x a": "1" } }, "headers"]
    ]
    for (const [what, options, option] of wrong) {
      it.effect(`refuses ${what} with one error that names ${option} and shows no secret`, () =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(connect([], options))
          assert.isTrue(error._op === "InvalidData" && error.path[0] === option)
          assert.notInclude(String(error), key)
        }))
    }

    it.effect("takes a key with spaces around it and a URL with a slash behind it", () =>
      Effect.gen(function*() {
        const server = yield* FakeProvider.FakeProvider
        const { model, requests } = yield* connect([FakeProvider.text("ok")], {
          apiKey: Redacted.make(`\n${key}\n`),
          baseUrl: `${server.baseUrl}/`
        })
        yield* model.generateText(question)
        assert.strictEqual((yield* requests)[0]?.path, "/v1/chat/completions")
      }))

    it.effect("reads its options through Config", () =>
      Effect.gen(function*() {
        const server = yield* FakeProvider.FakeProvider
        yield* server.script("configured", FakeProvider.text("ok"))
        const provided = OpenAiCompatible.layerConfig({
          provider: Config.succeed("fake"),
          model: Config.string("MODEL"),
          baseUrl: Config.string("URL"),
          apiKey: Config.redacted("KEY")
        }).pipe(
          Layer.provide(
            Layer.setConfigProvider(ConfigProvider.fromMap(
              new Map([["MODEL", "configured"], ["URL", server.baseUrl], ["KEY", key]])
            ))
          )
        )
        const answer = yield* Effect.flatMap(Llm.Llm, (llm) => llm.generateText(question)).pipe(
          Effect.provide(provided)
        )
        assert.strictEqual(answer.text, "ok")
      }))
  })

  describe("in a chain", () => {
    it.effect("answers from the third provider when the first is rate limited and the second is silent", () =>
      Effect.gen(function*() {
        const a = yield* connect([FakeProvider.status(429, undefined, { "retry-after": "60" })])
        const b = yield* connect([FakeProvider.hang()])
        const c = yield* connect([FakeProvider.text("third")])
        const chain = yield* LlmChain.make([a.model, b.model, c.model], { attemptTimeout: "200 millis" })
        const answer = yield* chain.generateText(question)
        assert.strictEqual(answer.text, "third")
        assert.deepStrictEqual(answer.attempts.map((attempt) => attempt.reason), ["RateLimited", "TimedOut", undefined])
      }))
  })
})
