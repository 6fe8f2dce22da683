import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, describe, layer } from "@effect/vitest"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as Llm from "causeway-mcp/llm/Llm"
import type * as LlmError from "causeway-mcp/llm/LlmError"
import * as Capabilities from "causeway-mcp/provider/Capabilities"
import * as OpenAiCompatible from "causeway-mcp/provider/OpenAiCompatible"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { choice, cited, connect, eventually, failure, key, partialOf, question } from "./providerModel.js"

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

    it.effect("sends how to sample and where to stop", () =>
      Effect.gen(function*() {
        const { model, requests } = yield* connect([FakeProvider.text("ok")])
        yield* model.generateText({ ...question, topP: 0.9, seed: 7, stop: ["END"] })
        const [request] = yield* requests
        assert.strictEqual(request?.body?.top_p, 0.9)
        assert.strictEqual(request?.body?.seed, 7)
        assert.deepStrictEqual(request?.body?.stop, ["END"])
      }))

    it.effect("tells what is known of the model, by the row of its vendor", () =>
      Effect.gen(function*() {
        const { model } = yield* connect([], { capabilities: Capabilities.forModel("openai", "gpt-4o") })
        assert.deepStrictEqual(model.traits, { contextTokens: 128_000, maxOutputTokens: 16_384, json: "schema" })
        const unknown = yield* connect([])
        assert.deepStrictEqual(unknown.model.traits, {
          contextTokens: undefined,
          maxOutputTokens: undefined,
          json: "prompt"
        })
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
        const none = [
          undefined,
          null,
          [],
          { prompt_tokens: -1, completion_tokens: "5", cost: 0 },
          { prompt_tokens: 1e12, completion_tokens: 2e9, cost: "1" },
          { prompt_tokens_details: { cached_tokens: -3 }, prompt_cache_hit_tokens: "4", cost: -1 }
        ]
        for (const usage of none) {
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

    const flawed: ReadonlyArray<
      readonly [flaw: Chat.Flaw, what: string, status: number, body: unknown, partial: string | undefined]
    > = [
      ["empty", "no content but thinking", 200, choice({ content: null, reasoning_content: "hm" }), undefined],
      ["empty", "spaces", 200, choice({ content: " \n\t " }), undefined],
      ["empty", "no message", 200, { choices: [{}] }, undefined],
      [
        "empty",
        "a tool call",
        200,
        choice({ content: null, tool_calls: [{ function: { name: "", arguments: "{" } }] }, "tool_calls"),
        undefined
      ],
      ["truncated", "an answer at its length", 200, choice({ content: "half" }, "length"), "half"],
      ["truncated", "Mistral's word for it", 200, choice({ content: "half" }, "model_length"), "half"],
      ["refusal", "a refusal beside an empty text", 200, choice({ content: null, refusal: "No." }), "No."],
      ["guardrail", "Portkey's 246", 246, choice({ content: "answered" }), "answered"]
    ]
    for (const [flaw, what, status, body, partial] of flawed) {
      it.effect(`tells ${flaw} of ${what}, with the text and the usage there were`, () =>
        Effect.gen(function*() {
          const usage = { prompt_tokens: 7, completion_tokens: 2 }
          const error = yield* failure(FakeProvider.status(status, { ...(body as object), usage }))
          assert.strictEqual(error.reason, "Degraded")
          assert.strictEqual(error.flaw, flaw)
          assert.strictEqual(partialOf(error), partial)
          assert.deepStrictEqual(error.usage, { inputTokens: 7, outputTokens: 2 })
          if (partial !== undefined) assert.notInclude(JSON.stringify(error), partial)
        }))
    }

    it.effect("gives the text of a tool call that has one", () =>
      Effect.gen(function*() {
        const { model } = yield* connect([
          FakeProvider.status(200, choice({ content: "yes", tool_calls: [{}] }, "tool_calls"))
        ])
        assert.strictEqual((yield* model.generateText(question)).text, "yes")
      }))

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
          assert.strictEqual(error.phase, "answer")
          yield* eventually(Effect.map(server.aborted, (aborted) => aborted > before))
        }))
    }

    for (const after of ["request", "half"] as const) {
      it.effect(`fails as Transient when the connection breaks after the ${after}`, () =>
        Effect.gen(function*() {
          const error = yield* failure(FakeProvider.reset(after))
          assert.strictEqual(error.reason, "Transient")
          assert.match(error.description, /\((?:ECONNRESET|UND_ERR_SOCKET)\)$/u)
          assert.strictEqual(error.phase, "answer")
        }))
    }

    it.effect("fails as Transient when nobody listens", () =>
      Effect.gen(function*() {
        const server = yield* Effect.scoped(FakeProvider.make)
        const error = yield* failure(FakeProvider.text("x"), { baseUrl: server.baseUrl })
        assert.strictEqual(error.reason, "Transient")
        assert.include(error.description, "ECONNREFUSED")
        assert.strictEqual(error.phase, "connect")
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

    const withoutJson = [["refusal", "I am sorry, I cannot."], [
      "invalidJson",
      "Forty millimetres, on Friday."
    ]] as const
    for (const [flaw, text] of withoutJson) {
      it.effect(`fails as Degraded, by ${flaw}, when an object was asked for and prose came`, () =>
        Effect.gen(function*() {
          const { model } = yield* connect([FakeProvider.text(text)])
          const error = yield* Effect.flip(model.generateObject({ ...question, schema: { type: "object" } }))
          assert.strictEqual(error.reason, "Degraded")
          assert.strictEqual(error.flaw, flaw)
          assert.strictEqual(partialOf(error), text)
          assert.strictEqual(error.usage?.inputTokens, 12)
        }))
    }

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
      ["a header name with a space", { headers: { "x a": "1" } }, "headers"],
      ["a time of nothing", { timeout: 0 }, "timeout"]
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
})
