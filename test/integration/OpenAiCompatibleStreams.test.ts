import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, describe, layer } from "@effect/vitest"
import type * as LlmError from "causeway-mcp/llm/LlmError"
import * as Capabilities from "causeway-mcp/provider/Capabilities"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { choice, cited, collect, connect, eventually, partialOf, question, streamed, watch } from "./providerModel.js"

const environment = Layer.merge(FakeProvider.layer, NodeHttpClient.layerUndici)

layer(environment, { excludeTestServices: true })("OpenAiCompatible", (it) => {
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
      ["[DONE] without a finish reason, where that is enough", [event("a"), done], "a"],
      ["two [DONE]", [event("a", "stop"), done, done], "a"],
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

    it.effect("puts a character together that was cut between two events", () =>
      Effect.gen(function*() {
        const [high = "", low = ""] = ["\ud83c", "\udf0a"]
        const result = yield* streamed(
          FakeProvider.stream([event(`a${high}`), event(`${low}b`, "stop")], { gapMs: 20 })
        )
        assert.strictEqual(result.done?.text, "a🌊b")
        assert.deepStrictEqual(result.texts, ["a", "🌊b"])
      }))

    const broken: ReadonlyArray<
      readonly [what: string, reason: LlmError.Reason, text: string, pieces: ReadonlyArray<string | Uint8Array>]
    > = [
      ["the connection ends without a finish reason", "Transient", "half", [event("half")]],
      ["[DONE] comes without a finish reason, where that is no end", "Transient", "half", [event("half"), done]],
      ["nothing comes at all", "Transient", "", []],
      ["half a character is never made whole", "Malformed", "half", [event("half\ud83c", "stop"), done]],
      ["a page comes in place of events", "Malformed", "", ["\n<html>sorry</html>"]],
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
          const capabilities = { ...Capabilities.table.generic, endsWithDone: false }
          const result = yield* streamed(FakeProvider.stream(pieces, { gapMs: 5 }), { capabilities })
          assert.strictEqual(result.error?.reason, reason)
          assert.strictEqual(partialOf(result.error) ?? "", text)
          // Text that arrives in one piece with what breaks the answer is kept back.
          assert.include([text, ""], result.text)
          assert.isUndefined(result.done)
        }))
    }

    it.effect("fails as Transient when the connection breaks in mid-stream", () =>
      Effect.gen(function*() {
        const result = yield* streamed(FakeProvider.stream([event("half")], { gapMs: 20, end: "reset" }))
        assert.strictEqual(result.error?.reason, "Transient")
        assert.strictEqual(result.error?.phase, "idle")
        assert.strictEqual(result.text, "half")
        assert.strictEqual(partialOf(result.error), "half")
      }))

    it.effect("keeps back a text that comes in one piece with what breaks it, and its end counts all the same", () =>
      Effect.gen(function*() {
        const cut = yield* streamed(FakeProvider.stream([`${event("half")}data: {\n\n`]))
        assert.strictEqual(cut.error?.reason, "Malformed")
        assert.strictEqual(cut.text, "")
        assert.strictEqual(partialOf(cut.error), "half")
        const ended = yield* streamed(FakeProvider.stream([`${event("all", "stop")}data: {\n\n`]))
        assert.strictEqual(ended.text, "all")
        assert.strictEqual(ended.done?.text, "all")
      }))

    it.effect("breaks nothing by junk and errors after the finish reason, and reads the usage behind them", () =>
      Effect.gen(function*() {
        const usage = event("", null, { choices: [], usage: { prompt_tokens: 3 } })
        for (const junk of ["data: {\n\n", "data: 5\n\n", "data: {\"error\":{\"code\":502}}\n\n"]) {
          for (
            const pieces of [[event("all", "stop") + junk + usage + done], [event("all", "stop"), junk, usage, done]]
          ) {
            const result = yield* streamed(FakeProvider.stream(pieces, { gapMs: 10 }))
            assert.isUndefined(result.error)
            assert.deepStrictEqual(result.texts, ["all"])
            assert.deepStrictEqual(result.done?.usage, { inputTokens: 3 })
          }
        }
        const bytes = [event("all", "stop"), Uint8Array.of(0xff, 0x0a)]
        assert.strictEqual((yield* streamed(FakeProvider.stream(bytes, { gapMs: 10 }))).done?.text, "all")
      }))

    it.effect("tells the usage there was with what broke", () =>
      Effect.gen(function*() {
        const usage = { choices: [{ delta: { content: "half" } }], usage: { prompt_tokens: 3, completion_tokens: 1 } }
        const result = yield* streamed(
          FakeProvider.stream([event("", null, usage)], { gapMs: 20, end: "reset" })
        )
        assert.deepStrictEqual(result.error?.usage, { inputTokens: 3, outputTokens: 1 })
      }))

    it.effect("takes the usage from the last chunk that has one", () =>
      Effect.gen(function*() {
        const told = (prompt_tokens: unknown) => ({ usage: { prompt_tokens } })
        const result = yield* streamed(FakeProvider.stream([
          event("a", null, told(1)),
          event("b", "stop", told(2)),
          event("", null, { choices: [], usage: null }),
          event("", null, { choices: [], usage: { prompt_tokens: "x" } }),
          done
        ]))
        assert.deepStrictEqual(result.done?.usage, { inputTokens: 2 })
      }))

    it.effect("fails as TimedOut when no text comes, also while comments do", () =>
      Effect.gen(function*() {
        const pings = Array.from({ length: 100 }, () => ": keep-alive\n\n")
        const result = yield* streamed(FakeProvider.stream([event(""), ...pings], { gapMs: 20 }), {
          firstTextTimeout: "200 millis"
        })
        assert.strictEqual(result.error?.reason, "TimedOut")
        assert.strictEqual(result.error?.phase, "firstToken")
      }))

    it.effect("fails as TimedOut when the text stops, also while comments come", () =>
      Effect.gen(function*() {
        const pings = Array.from({ length: 100 }, () => ": keep-alive\n\n")
        const result = yield* streamed(FakeProvider.stream([event("half"), ...pings], { gapMs: 20 }), {
          idleTimeout: "200 millis"
        })
        assert.strictEqual(result.error?.reason, "TimedOut")
        assert.strictEqual(result.error?.phase, "idle")
        assert.strictEqual(partialOf(result.error), "half")
        assert.strictEqual(result.text, "half")
      }))

    it.effect("fails as TimedOut when the whole stream takes too long, however busy it is", () =>
      Effect.gen(function*() {
        const pieces = Array.from({ length: 200 }, () => event("x"))
        const result = yield* streamed(FakeProvider.stream(pieces, { gapMs: 20 }), { streamTimeout: "300 millis" })
        assert.strictEqual(result.error?.reason, "TimedOut")
        assert.strictEqual(result.error?.phase, "total")
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

    it.effect("fails as TimedOut in its headers when no response comes", () =>
      Effect.gen(function*() {
        const result = yield* streamed(FakeProvider.hang("request"), { firstTextTimeout: "100 millis" })
        assert.strictEqual(result.error?.reason, "TimedOut")
        assert.strictEqual(result.error?.phase, "headers")
      }))

    it.effect("tells an observer each phase, anew after each text and not for what is none", () =>
      Effect.gen(function*() {
        const { model } = yield* connect([
          FakeProvider.stream([
            ": wait\n\n",
            event("", null, { choices: [{ delta: { role: "assistant" } }] }),
            event("a"),
            ": wait\n\n",
            event("b"),
            event("", "stop"),
            event("", null, { choices: [], usage: { prompt_tokens: 1 } }),
            done
          ], { gapMs: 30 })
        ])
        const { observer, seen } = watch()
        const result = yield* collect(model.streamText(question, observer))
        assert.deepStrictEqual(seen, ["headers", "firstToken", "idle", "idle"])
        assert.deepStrictEqual(result.texts, ["a", "b"])
        assert.isAbove(result.done?.attempts[0]?.firstTokenMs ?? 0, 50)
      }))

    it.effect("leaves a silent stream to its observer", () =>
      Effect.gen(function*() {
        const pings = Array.from({ length: 20 }, () => ": keep-alive\n\n")
        const { model } = yield* connect([
          FakeProvider.stream([...pings, event("a", "stop"), done], { gapMs: 20 })
        ], { firstTextTimeout: "50 millis" })
        const { observer, seen } = watch()
        const result = yield* collect(model.streamText(question, observer))
        assert.strictEqual(result.done?.text, "a")
        assert.deepStrictEqual(seen, ["headers", "firstToken", "idle"])
      }))

    it.effect("is complete for its observer though the connection stays open after the finish reason", () =>
      Effect.gen(function*() {
        const { model } = yield* connect([FakeProvider.stream([event("all", "stop")], { end: "hang" })])
        const startedAt = performance.now()
        const result = yield* collect(model.streamText(question, watch().observer))
        assert.strictEqual(result.done?.text, "all")
        assert.isBelow(performance.now() - startedAt, 1500)
      }))

    it.effect("uses a connection again whose stream came to its end", () =>
      Effect.gen(function*() {
        const server = yield* FakeProvider.make
        const { model } = yield* connect([], { baseUrl: server.baseUrl })
        yield* server.script("*", FakeProvider.text("one two three"))
        const before = yield* server.aborted
        for (let i = 0; i < 10; i++) assert.isDefined((yield* collect(model.streamText(question))).done)
        // The client may open a second one before it has noticed that the first is free.
        assert.isAtMost(yield* server.connections, 2)
        assert.strictEqual(yield* server.aborted, before)
      }).pipe(Effect.scoped))
  })

  describe("streams that are gathered", () => {
    const { event } = FakeProvider
    const options = { wire: "stream" } as const

    it.effect("answers as from a whole reply, and knows when the first text came", () =>
      Effect.gen(function*() {
        const { model, requests } = yield* connect([FakeProvider.text("It rains [a].")], options)
        const answer = yield* model.generateText(cited)
        assert.strictEqual(answer.text, "It rains [a].")
        assert.deepStrictEqual(answer.citations, ["a"])
        assert.strictEqual(answer.usage.inputTokens, 12)
        assert.isDefined(answer.attempts[0]?.firstTokenMs)
        assert.strictEqual((yield* requests)[0]?.body?.stream, true)
      }))

    it.effect("answers with an object", () =>
      Effect.gen(function*() {
        const { model } = yield* connect([FakeProvider.json({ price: 12 })], options)
        const answer = yield* model.generateObject({ ...question, schema: { type: "object" } })
        assert.deepStrictEqual(answer.value, { price: 12 })
      }))

    it.effect("tells an observer the phases of a stream", () =>
      Effect.gen(function*() {
        const { model } = yield* connect(
          [FakeProvider.stream([event("a"), event("b", "stop")], { gapMs: 20 })],
          options
        )
        const { observer, seen } = watch()
        yield* model.generateText(question, observer)
        assert.deepStrictEqual(seen, ["headers", "firstToken", "idle", "idle"])
      }))

    const failures: ReadonlyArray<
      readonly [what: string, reply: FakeProvider.Reply, reason: LlmError.Reason, phase: string | undefined]
    > = [
      ["silence before the headers", FakeProvider.hang(), "TimedOut", "headers"],
      ["silence before the first text", FakeProvider.hang("headers"), "TimedOut", "firstToken"],
      ["silence in mid-text", FakeProvider.stream([event("half")], { end: "hang" }), "TimedOut", "idle"],
      ["a cut in mid-text", FakeProvider.stream([event("half")]), "Transient", undefined],
      ["a rate limit", FakeProvider.status(429), "RateLimited", undefined],
      ["an answer at its length", FakeProvider.text("half", { finishReason: "length" }), "Degraded", undefined]
    ]
    for (const [what, reply, reason, phase] of failures) {
      it.effect(`fails as ${reason} on ${what}`, () =>
        Effect.gen(function*() {
          const { model } = yield* connect([reply], {
            ...options,
            firstTextTimeout: "150 millis",
            idleTimeout: "150 millis"
          })
          const error = yield* Effect.flip(model.generateText(question))
          assert.strictEqual(error.reason, reason)
          assert.strictEqual(error.phase, phase)
          if (what.includes("mid-text")) assert.strictEqual(partialOf(error), "half")
        }))
    }

    it.effect("reads whole JSON where the provider does not stream, whatever it calls it", () =>
      Effect.gen(function*() {
        for (const type of ["application/json", "text/event-stream", "text/plain", ""]) {
          const { model } = yield* connect([
            FakeProvider.status(200, JSON.stringify(choice({ content: "whole" })), { "content-type": type })
          ], options)
          assert.strictEqual((yield* model.generateText(question)).text, "whole")
        }
      }))

    it.effect("reads whole JSON behind comments, wherever the network cut them", () =>
      Effect.gen(function*() {
        const body = JSON.stringify(choice({ content: "whole: {}" }))
        const cuts = [
          [`\n: PROCESSING {\n\n${body}`],
          [": PRO", "CESSING {\r\n", "\r\n: [", "]\n", `  ${body.slice(0, 9)}`, body.slice(9)]
        ]
        for (const pieces of cuts) {
          const { model } = yield* connect([FakeProvider.stream(pieces, { gapMs: 5 })], options)
          assert.strictEqual((yield* model.generateText(question)).text, "whole: {}")
        }
      }))

    it.effect("reads a stream where nobody asked for one, whatever it is called", () =>
      Effect.gen(function*() {
        for (const contentType of ["text/event-stream", "application/json", "text/html"]) {
          const { model } = yield* connect([
            FakeProvider.stream([": hi\n\n", event("a"), event("b", "stop"), "data: [DONE]\n\n"], { contentType })
          ])
          assert.strictEqual((yield* model.generateText(question)).text, "ab")
        }
      }))

    it.effect("takes a stream that nobody asked for and that broke off for no answer", () =>
      Effect.gen(function*() {
        const { model } = yield* connect([FakeProvider.stream([event("half")])])
        const error = yield* Effect.flip(model.generateText(question))
        assert.strictEqual(error.reason, "Transient")
        assert.strictEqual(partialOf(error), "half")
      }))
  })
})
