import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as Llm from "causeway-mcp/llm/Llm"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as ExtractiveLlm from "causeway-mcp/provider/ExtractiveLlm"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import type * as SummarizeBatch from "causeway-mcp/toolbox/SummarizeBatch"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  acme,
  both,
  globex,
  holding,
  isOverall,
  isWhole,
  lists,
  long,
  name,
  notes,
  refused,
  scripted,
  shown,
  summarise,
  withScript,
  withTool
} from "./batch.js"
import { call, caller, documentStoreDown, failure, leaks } from "./harness.js"

const quoting = ExtractiveLlm.layer

describe("SummarizeBatch, when all goes well", () => {
  it.effect("summarises each document and what they say together", () =>
    Effect.gen(function*() {
      const { calibration, confidence, data, degraded, sources } = yield* summarise(both)
      assert.deepStrictEqual(data, {
        summaries: [
          { id: "acme-q3", title: "Acme, third quarter", summary: "Sum of.", model: "scripted" },
          { id: "globex-q3", summary: "Sum of.", model: "scripted" }
        ],
        overall: "Together of [acme-q3] [globex-q3].",
        failures: []
      })
      assert.closeTo(confidence, 0.85, 1e-9)
      assert.strictEqual(calibration, "uncalibrated")
      assert.isUndefined(degraded)
      assert.deepStrictEqual(
        sources.map(({ confidence, id, kind, publishedAt, title }) => ({ confidence, id, kind, publishedAt, title })),
        [
          {
            id: "acme-q3",
            kind: "document-store",
            title: "Acme, third quarter",
            publishedAt: "2026-11-12T00:00:00.000Z",
            confidence: 0.85
          },
          {
            id: "globex-q3",
            kind: "document-store",
            title: undefined,
            publishedAt: "2026-11-02T00:00:00.000Z",
            confidence: 0.85
          },
          { id: "scripted", kind: "model", title: "Model of test", publishedAt: undefined, confidence: undefined }
        ]
      )
    }).pipe(Effect.provide(withScript())))

  it.effect("asks by the long-context route, for the caller's tenant and so that a cache may answer", () =>
    Effect.gen(function*() {
      yield* summarise({ ...both, instruction: "The outlook", maxWordsPerDocument: 40 })
      const script = yield* TestLlm.TestLlm
      const requests = (yield* script.requests).map(({ request }) => request)
      assert.lengthOf(requests, 3)
      for (const request of requests) {
        assert.strictEqual(request.task, "longContextBatch")
        assert.strictEqual(request.tenant, caller.tenant)
        assert.strictEqual(request.temperature, 0)
        assert.strictEqual(request.messages.at(-1)?.text, "The outlook")
      }
      const [first] = requests
      assert.deepStrictEqual(first?.context, [{
        id: "acme-q3",
        title: "Acme, third quarter",
        text: acme.text,
        publishedAt: "2026-11-12T00:00:00.000Z"
      }])
      assert.include(first?.messages[0]?.text, "at most 40 words")
      assert.strictEqual(first?.maxTokens, 220)
    }).pipe(Effect.provide(withScript())))

  it.effect("counts an id that is given twice once, and keeps the order", () =>
    Effect.gen(function*() {
      const { data } = yield* summarise({ documentIds: ["globex-q3", "acme-q3", "globex-q3"] })
      assert.deepStrictEqual(data.summaries.map(({ id }) => id), ["globex-q3", "acme-q3"])
      const script = yield* TestLlm.TestLlm
      assert.lengthOf(yield* script.requests, 3)
    }).pipe(Effect.provide(withScript())))

  it.effect("asks nothing more of a single document", () =>
    Effect.gen(function*() {
      const { data } = yield* summarise({ documentIds: ["acme-q3"] })
      assert.strictEqual(data.overall, data.summaries[0]?.summary)
      const script = yield* TestLlm.TestLlm
      assert.lengthOf(yield* script.requests, 1)
    }).pipe(Effect.provide(withScript())))

  it.effect("summarises what passes filters, whatever it says, the newest first", () =>
    Effect.gen(function*() {
      const { data } = yield* summarise({ filters: { type: "earnings-call" } })
      assert.deepStrictEqual(data.summaries.map(({ id }) => id), ["acme-q3", "globex-q3"])
      assert.isUndefined(data.note)
      const few = yield* summarise({ filters: {}, limit: 2 })
      assert.deepStrictEqual(few.data.summaries.map(({ id }) => id), ["acme-q3", "globex-q3"])
      assert.include(few.data.note, "More documents pass the filters than the 2")
    }).pipe(Effect.provide(withScript({ documents: holding(...notes, globex, acme) }))))

  it.effect("says that nothing passes the filters, without asking a model", () =>
    Effect.gen(function*() {
      const { confidence, data, sources } = yield* summarise({ filters: { company: "Initech" } })
      assert.deepStrictEqual([data.summaries, data.failures], [[], []])
      assert.include(data.overall, "No document passes")
      assert.strictEqual(confidence, 0)
      assert.deepStrictEqual(sources.map(({ id }) => id), ["document-store"])
      const script = yield* TestLlm.TestLlm
      assert.lengthOf(yield* script.requests, 0)
    }).pipe(Effect.provide(withScript())))

  it.effect("tells how far it has come, naming each document", () =>
    Effect.gen(function*() {
      const { progress } = yield* call(name, both)
      assert.deepStrictEqual(progress.map(({ progress, total }) => [progress, total]), [[0, 3], [1, 3], [2, 3], [3, 3]])
      assert.deepStrictEqual(progress.slice(1, 3).map(({ message }) => message), [
        "Summarised \"Acme, third quarter\" (1 of 2)",
        "Summarised \"globex-q3\" (2 of 2)"
      ])
    }).pipe(Effect.provide(withScript({ options: { concurrency: 1 } }))))

  it.effect("cuts a long title where it tells of it", () =>
    Effect.gen(function*() {
      const { progress } = yield* call(name, { documentIds: ["acme-q3"] })
      assert.isTrue(progress.every(({ message = "" }) => message.length < 120))
      assert.include(progress[1]?.message, "tttt…")
    }).pipe(Effect.provide(withScript({ documents: holding({ ...acme, title: "t".repeat(500) }) }))))

  it.effect("puts no more questions at once than it may", () =>
    Effect.gen(function*() {
      let open = 0
      let most = 0
      const model = yield* Llm.Llm
      const watched: Llm.Model = {
        ...model,
        generateText: (request) =>
          Effect.acquireUseRelease(
            Effect.sync(() => {
              most = Math.max(most, ++open)
            }),
            () => Effect.zipRight(Effect.repeatN(Effect.yieldNow(), 200), model.generateText(request)),
            () =>
              Effect.sync(() => {
                open--
              })
          )
      }
      yield* Effect.provide(
        summarise({ filters: {} }),
        withTool({
          documents: holding(...notes, { id: "book", text: long(100) }, { id: "sequel", text: long(90) }),
          model: Layer.succeed(Llm.Llm, watched),
          options: { concurrency: 2, contextTokens: 1500 }
        })
      )
      assert.strictEqual(most, 2)
      assert.strictEqual(open, 0)
    }).pipe(Effect.provide(scripted())))
})

describe("SummarizeBatch, and what it takes", () => {
  it.effect("takes ids or filters, and not both", () =>
    Effect.gen(function*() {
      for (
        const [args, words] of [
          [{}, "give either documentIds or filters"],
          [{ ...both, filters: {} }, "give either documentIds or filters"],
          [{ ...both, limit: 3 }, "limit: goes with filters only"],
          [{ documentIds: [] }, "documentIds"],
          [{ documentIds: Array.from({ length: 101 }, (_, n) => `d${n}`) }, "documentIds"],
          [{ filters: {}, limit: 101 }, "not a whole number from 1 to 100"],
          [{ ...both, maxWordsPerDocument: 5 }, "not a whole number from 20 to 500"],
          [{ ...both, tenant: "globex" }, "tenant"]
        ] as const
      ) {
        const body = yield* refused(args)
        assert.strictEqual(body.code, "invalid_input")
        assert.include(body.message, words)
      }
    }).pipe(Effect.provide(withScript())))

  it.effect("knows no documents of another tenant, by id or by filters", () =>
    Effect.gen(function*() {
      const spy = Principal.make({ id: "spy", tenant: "globex", scopes: ["*"] })
      const body = yield* failure(name, both, spy)
      assert.deepInclude(body, { code: "not_found", retryable: false })
      assert.notInclude(JSON.stringify(body), "41%")
      const found = yield* call<SummarizeBatch.Data>(name, { filters: {} }, spy)
      assert.deepStrictEqual(found.answered?.data.summaries, [])
    }).pipe(Effect.provide(withScript())))
})

describe("SummarizeBatch, when something fails", () => {
  it.effect("reports an unknown document and summarises the others", () =>
    Effect.gen(function*() {
      const { confidence, data, degraded } = yield* summarise({ documentIds: ["acme-q3", "nowhere", "globex-q3"] })
      assert.deepStrictEqual(data.summaries.map(({ id }) => id), ["acme-q3", "globex-q3"])
      assert.deepStrictEqual(data.failures.map(({ id, reason }) => [id, reason]), [["nowhere", "not_found"]])
      assert.closeTo(confidence, 0.85 * 2 / 3, 1e-9)
      assert.include(degraded?.reason, "1 of 3 documents could not be summarised")
    }).pipe(Effect.provide(withScript())))

  it.effect("reports what the model failed at, by code, and keeps the rest", () =>
    Effect.gen(function*() {
      const reasons: ReadonlyArray<TestLlm.Step> = [
        TestLlm.fail("Transient"),
        TestLlm.fail("ContentBlocked"),
        TestLlm.fail("BudgetExceeded", { retryAfterMs: 60_000 }),
        TestLlm.fail("Degraded")
      ]
      const at = (request: Chat.Request) => isWhole(request) ? Number(shown(request)[0]?.slice(5)) : Number.NaN
      const { data, degraded } = yield* Effect.provide(
        summarise({ documentIds: notes.map(({ id }) => id) }),
        withTool({
          documents: holding(...notes),
          model: scripted((request) => reasons[at(request)] ?? lists(request))
        })
      )
      assert.deepStrictEqual(data.summaries.map(({ id }) => id), ["note-4", "note-5"])
      assert.deepStrictEqual(data.failures.map(({ id, reason }) => [id, reason]), [
        ["note-0", "temporarily_unavailable"],
        ["note-1", "degraded_only"],
        ["note-2", "budget_exceeded"],
        ["note-3", "degraded_only"]
      ])
      assert.strictEqual(data.overall, "Together of [note-4] [note-5].")
      assert.deepStrictEqual(degraded?.missing, ["model"])
      assert.notInclude(JSON.stringify(data.failures), "scripted")
    }))

  for (
    const [what, steps, body] of [
      ["one of them may be tried again", [
        TestLlm.fail("ContentBlocked"),
        TestLlm.fail("Transient", { retryAfterMs: 900 })
      ], {
        code: "temporarily_unavailable",
        retryable: true,
        retryAfterMs: 900,
        source: "model"
      }],
      ["none may be tried again", [TestLlm.fail("AuthRejected"), TestLlm.fail("AuthRejected")], {
        code: "degraded_only",
        retryable: false,
        source: "model"
      }]
    ] as const
  ) {
    it.effect(`fails when every document does, and ${what}`, () =>
      Effect.gen(function*() {
        const failed = yield* refused(both)
        assert.deepInclude(failed, body)
        assert.include(failed.message, "None of the 2 documents")
        assert.lengthOf(Object(failed.details).failures, 2)
      }).pipe(Effect.provide(withTool({ model: TestLlm.layer({ steps }), options: { concurrency: 1 } }))))
  }

  it.effect("is temporarily unavailable while the document store is", () =>
    Effect.gen(function*() {
      for (const args of [both, { filters: {} }]) {
        const body = yield* refused(args)
        assert.deepInclude(body, { code: "temporarily_unavailable", source: "document-store", retryable: true })
        assert.isFalse(leaks(body))
      }
    }).pipe(Effect.provide(withScript({ documents: documentStoreDown }))))

  it.effect("quotes the summaries when no model says what they say together", () =>
    Effect.gen(function*() {
      const { confidence, data, degraded } = yield* summarise(both)
      assert.strictEqual(data.overall, "Sum of. [acme-q3] Sum of. [globex-q3]")
      assert.closeTo(confidence, 0.85 * 0.9, 1e-9)
      assert.include(degraded?.reason, "the overall summary is quoted")
    }).pipe(
      Effect.provide(
        withTool({ model: scripted((request) => isOverall(request) ? TestLlm.fail("Transient") : lists(request)) })
      )
    ))

  it.effect("names models that failed before the one that answered, and is a little less sure", () =>
    Effect.gen(function*() {
      const inner = yield* Llm.Llm
      const after: Llm.Model = {
        ...inner,
        generateText: (request) =>
          Effect.map(inner.generateText(request), (answer): Chat.TextAnswer => ({
            ...answer,
            isCached: true,
            attempts: [
              { provider: "deepseek", model: "chat", outcome: "failed", reason: "RateLimited", elapsedMs: 1 },
              ...answer.attempts
            ]
          }))
      }
      const { confidence, degraded, sources } = yield* Effect.provide(
        summarise(both),
        withTool({ model: Layer.succeed(Llm.Llm, after) })
      )
      assert.closeTo(confidence, 0.85 * 0.95, 1e-9)
      assert.isUndefined(degraded)
      assert.deepStrictEqual(
        sources.filter(({ kind }) => kind === "model").map(({ cached, title }) => [title, cached]),
        [
          ["Model of test, after deepseek (RateLimited)", true]
        ]
      )
    }).pipe(Effect.provide(scripted())))
})

describe("SummarizeBatch, without a generating model", () => {
  const wordy = {
    ...acme,
    text: `${acme.text} ${
      "It then told of many other things. ".repeat(40)
    }The pension fund holds bonds worth $7 billion.`
  }

  it.effect("quotes what leads, and says so", () =>
    Effect.gen(function*() {
      const { confidence, data, degraded, sources } = yield* summarise({ ...both, maxWordsPerDocument: 20 })
      assert.deepInclude(data.summaries[0], { model: "extractive", isPartial: true })
      assert.isTrue(data.summaries[0]?.summary.startsWith("Acme Corp raised its outlook."))
      assert.isTrue(wordy.text.includes(data.summaries[0]?.summary ?? "nothing"))
      // All of it was quoted.
      assert.deepStrictEqual(data.summaries[1], { id: "globex-q3", summary: globex.text, model: "extractive" })
      assert.include(data.overall, "[acme-q3]")
      assert.include(data.overall, "[globex-q3]")
      assert.include(degraded?.reason, "sentences quoted")
      assert.closeTo(confidence, (0.5 + 0.85) / 2, 1e-9)
      assert.deepStrictEqual(sources.filter(({ kind }) => kind === "model").map(({ id }) => id), ["extractive"])
    }).pipe(Effect.provide(withTool({ documents: holding(wordy, globex), model: quoting }))))

  it.effect("quotes what answers the instruction", () =>
    Effect.gen(function*() {
      const { data } = yield* summarise({
        documentIds: ["acme-q3"],
        instruction: "Which bonds does the pension fund hold?",
        maxWordsPerDocument: 20
      })
      assert.strictEqual(data.summaries[0]?.summary, "The pension fund holds bonds worth $7 billion.")
    }).pipe(Effect.provide(withTool({ documents: holding(wordy), model: quoting }))))

  it.effect("quotes also where a chain of models ends in quoting", () =>
    Effect.gen(function*() {
      const { confidence, data, degraded } = yield* summarise({ ...both, maxWordsPerDocument: 20 })
      assert.deepInclude(data.summaries[0], { model: "extractive", isPartial: true })
      assert.isTrue(wordy.text.includes(data.summaries[0]?.summary ?? "nothing"))
      assert.include(data.overall, "[globex-q3]")
      assert.include(degraded?.reason, "sentences quoted")
      assert.closeTo(confidence, (0.5 + 0.85) / 2, 1e-9)
    }).pipe(
      Effect.provide(withTool({
        documents: holding(wordy, globex),
        model: Layer.scoped(
          Llm.Llm,
          Effect.gen(function*() {
            const down = yield* TestLlm.make({ provider: "down", otherwise: () => TestLlm.fail("AuthRejected") })
            return yield* LlmChain.make([down, ExtractiveLlm.model])
          }).pipe(Effect.orDie)
        )
      }))
    ))
})
