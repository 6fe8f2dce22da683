import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Retriever from "causeway-mcp/document/Retriever"
import * as Llm from "causeway-mcp/llm/Llm"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as ExtractiveLlm from "causeway-mcp/provider/ExtractiveLlm"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Answer from "causeway-mcp/toolbox/Answer"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import {
  answer,
  call,
  caller,
  documents,
  documentsUnreachable,
  failure,
  finds,
  leaks,
  sessionStoreDown
} from "./harness.js"

const name = "answer_market_question"
const question = "What was Acme Corp's gross margin in the third quarter?"

const acme = {
  id: "acme-q3",
  title: "Acme, third quarter",
  text: "Acme Corp reported a gross margin of 41% in the third quarter. Its revenue was $4.2 billion.",
  uri: "https://example.com/acme",
  publishedAt: "2026-11-12T00:00:00.000Z",
  confidence: 0.8,
  metadata: { company: "Acme Corp" }
}
const globex = {
  id: "globex-q3",
  title: "Globex, third quarter",
  text: "Globex reported a gross margin of 22% in the third quarter.",
  confidence: 0.4,
  metadata: { company: "Globex" }
}

const events: ReadonlyArray<SessionStore.SessionEvent> = [
  {
    eventId: "e1",
    type: "question",
    text: "How do Acme's margins compare? As a table.",
    occurredAt: "2026-11-21T00:00:00.000Z"
  },
  {
    eventId: "e2",
    type: "view",
    text: "Read the Acme report: gross margin of 41% in the third quarter.",
    occurredAt: "2026-11-22T00:00:00.000Z"
  }
]

const history = Layer.effect(
  SessionStore.SessionStore,
  Effect.gen(function*() {
    const store = yield* SessionStore.makeMemory()
    yield* Effect.forEach(events, (event) => store.append({ tenant: caller.tenant, userId: "ada" }, event))
    return store
  })
)

const withTool = <ER, RR, EM, RM>(parts: {
  readonly retriever: Layer.Layer<Retriever.Retriever, ER, RR>
  readonly model: Layer.Layer<TestLlm.TestLlm | Llm.Llm, EM, RM>
  readonly sessions?: Layer.Layer<SessionStore.SessionStore>
  readonly options?: Answer.Options
}) =>
  ToolRegistry.layer(Toolkit.make(Answer.make(parts.options))).pipe(
    Layer.provideMerge(parts.retriever),
    Layer.provideMerge(parts.model),
    Layer.provideMerge(parts.sessions ?? history)
  )

const says = (...steps: ReadonlyArray<TestLlm.Step>) => TestLlm.layer({ steps })
/** A scripted model and the extractive one in its place. */
const extractive = Layer.merge(TestLlm.layer(), ExtractiveLlm.layer)
const margin = TestLlm.text("The gross margin was 41% [acme-q3].")

const ask = (args: object = {}, by?: Principal.Principal) => answer<Answer.Data>(name, { question, ...args }, by)

describe("Answer, when all goes well", () => {
  it.effect("answers with citations from what was found, never surer than the best of them", () =>
    Effect.gen(function*() {
      const { calibration, confidence, data, degraded, sources } = yield* ask()
      assert.deepStrictEqual(data, {
        answer: "The gross margin was 41% [acme-q3].",
        citations: [{
          id: "acme-q3",
          title: "Acme, third quarter",
          uri: "https://example.com/acme",
          publishedAt: "2026-11-12T00:00:00.000Z",
          quote: "Acme Corp reported a gross margin of 41% in the third quarter."
        }],
        followUps: ["What does \"Globex, third quarter\" say on this?"],
        model: "scripted",
        attempts: [{ provider: "test", model: "scripted", outcome: "answered", elapsedMs: 0 }]
      })
      assert.closeTo(confidence, 0.8 * 0.9, 1e-9)
      assert.strictEqual(calibration, "uncalibrated")
      assert.isUndefined(degraded)
      assert.deepStrictEqual(sources.map(({ confidence, id, kind }) => ({ confidence, id, kind })), [
        { id: "acme-q3", kind: "document-store", confidence: 0.8 },
        { id: "scripted", kind: "model", confidence: undefined }
      ])
    }).pipe(Effect.provide(withTool({ retriever: finds([acme, globex]), model: says(margin) }))))

  it.effect("gives the model passages and history under ids, and the question as it was put", () =>
    Effect.gen(function*() {
      yield* ask({ userId: "ada" })
      const script = yield* TestLlm.TestLlm
      const [asked] = yield* script.requests
      assert.deepStrictEqual(asked?.request.context?.map((passage) => passage.id), [
        "acme-q3",
        "globex-q3",
        "history:e2",
        "history:e1"
      ])
      assert.strictEqual(asked?.request.task, "default")
      assert.strictEqual(asked?.request.messages.at(-1)?.text, question)
      const system = asked?.request.messages[0]?.text
      assert.include(system, "no facts about the market")
      assert.include(system, "table")
    }).pipe(Effect.provide(withTool({ retriever: finds([acme, globex]), model: says(margin) }))))

  it.effect("reads no history unless a user is named", () =>
    Effect.gen(function*() {
      yield* ask()
      const script = yield* TestLlm.TestLlm
      const [asked] = yield* script.requests
      assert.deepStrictEqual(asked?.request.context?.map((passage) => passage.id), ["acme-q3"])
    }).pipe(Effect.provide(withTool({ retriever: finds([acme]), model: says(margin), sessions: sessionStoreDown }))))

  it.effect("joins the passages of one document in the order of the text", () =>
    Effect.gen(function*() {
      const { data } = yield* ask()
      assert.lengthOf(data.citations, 1)
      const script = yield* TestLlm.TestLlm
      const [asked] = yield* script.requests
      assert.deepStrictEqual(asked?.request.context?.map((passage) => passage.text), ["first\n\nsecond"])
    }).pipe(
      Effect.provide(withTool({
        retriever: finds([
          { ...acme, text: "second", position: 4 },
          { ...acme, text: "first", position: 1 }
        ]),
        model: says(margin)
      }))
    ))

  it.effect("cites the session history by its event", () =>
    Effect.gen(function*() {
      const { confidence, data, sources } = yield* ask({ userId: "ada" })
      assert.deepStrictEqual(data.citations.map((citation) => citation.id), ["history:e2"])
      assert.strictEqual(sources[0]?.kind, "session-store")
      assert.isAtMost(confidence, 0.4)
    }).pipe(
      Effect.provide(withTool({ retriever: finds([acme]), model: says(TestLlm.text("You read 41% [history:e2].")) }))
    ))

  it.effect("is less sure, and says why, when a newer document gives other figures", () =>
    Effect.gen(function*() {
      const { confidence, data } = yield* ask()
      assert.closeTo(confidence, 0.8 * 0.9 * 0.7, 1e-9)
      assert.include(data.note, "acme-restated")
    }).pipe(
      Effect.provide(withTool({
        retriever: finds([acme, {
          ...acme,
          id: "acme-restated",
          text: "Acme Corp restated its gross margin to 39% in the third quarter.",
          publishedAt: "2026-11-20T00:00:00.000Z",
          confidence: 0.5
        }]),
        model: says(margin)
      }))
    ))

  for (
    const [why, other] of [
      ["another company's", { metadata: { company: "Globex" } }],
      ["an older document's", { publishedAt: "2026-11-01T00:00:00.000Z" }],
      ["figures on another matter", { text: "Acme Corp hired 39 engineers in Ohio." }]
    ] as const
  ) {
    it.effect(`is as sure as before when the other figures are ${why}`, () =>
      Effect.gen(function*() {
        const { confidence, data } = yield* ask()
        assert.closeTo(confidence, 0.8 * 0.9, 1e-9)
        assert.isUndefined(data.note)
      }).pipe(
        Effect.provide(withTool({
          retriever: finds([acme, {
            ...acme,
            id: "other",
            text: "Acme Corp restated its gross margin to 39% in the third quarter.",
            publishedAt: "2026-11-20T00:00:00.000Z",
            confidence: 0.5,
            ...other
          }]),
          model: says(margin)
        }))
      ))
  }

  it.effect("works end to end over stores in memory, without a generating model", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const { confidence: _, ...document } = acme
      yield* store.index(caller.tenant, [document])
      const { confidence, data, sources } = yield* ask({ userId: "ada", filters: { company: "Acme Corp" } })
      assert.include(data.answer, "41%")
      assert.include(data.answer, "[acme-q3]")
      assert.strictEqual(data.model, "extractive")
      assert.isAbove(confidence, 0)
      assert.isAtMost(confidence, sources[0]?.confidence ?? 0)
    }).pipe(Effect.provide(withTool({ retriever: documents, model: extractive }).pipe(Layer.provideMerge(documents)))))

  it.effect("quotes documents, not what the user asked before", () =>
    Effect.gen(function*() {
      const { confidence, data, degraded } = yield* ask({ userId: "ada" })
      assert.deepStrictEqual(data.citations.map((citation) => citation.id), ["acme-q3"])
      assert.strictEqual(confidence, 0.8)
      assert.isUndefined(degraded)
    }).pipe(Effect.provide(withTool({ retriever: finds([acme]), model: extractive }))))

  it.effect("quotes documents alone also when a chain of models ends in quoting", () =>
    Effect.gen(function*() {
      const { confidence, data, degraded } = yield* answer<Answer.Data>(name, {
        question: "Acme gross margin third quarter, read report",
        userId: "ada"
      })
      assert.deepStrictEqual(data.citations.map((citation) => citation.id), ["acme-q3"])
      assert.deepStrictEqual(data.attempts?.map(({ outcome, provider }) => ({ outcome, provider })), [
        { provider: "down", outcome: "failed" },
        { provider: "extractive", outcome: "answered" }
      ])
      assert.deepStrictEqual(degraded?.missing, ["model"])
      assert.closeTo(confidence, 0.8 * 0.9, 1e-9)
    }).pipe(
      Effect.provide(withTool({
        retriever: finds([acme]),
        model: Layer.provideMerge(
          Layer.scoped(
            Llm.Llm,
            Effect.gen(function*() {
              const down = yield* TestLlm.make({ provider: "down", otherwise: () => TestLlm.fail("AuthRejected") })
              return yield* LlmChain.make([down, ExtractiveLlm.model])
            }).pipe(Effect.orDie)
          ),
          TestLlm.layer()
        )
      }))
    ))

  it.effect("reports its steps in order", () =>
    Effect.gen(function*() {
      const { progress } = yield* call(name, { question, userId: "ada" })
      assert.deepStrictEqual(progress.map((update) => update.progress), [1, 2, 3, 4])
      assert.isTrue(progress.every((update) => update.total === 4 && update.message !== undefined))
    }).pipe(Effect.provide(withTool({ retriever: finds([acme]), model: says(margin) }))))
})

describe("Answer, when little is known", () => {
  it.effect("says honestly that the index holds nothing, without asking a model", () =>
    Effect.gen(function*() {
      const { confidence, data, degraded, sources } = yield* ask()
      assert.include(data.answer, "holds nothing")
      assert.deepStrictEqual(data.citations, [])
      assert.strictEqual(data.model, "none")
      assert.isAtMost(confidence, 0.1)
      assert.isUndefined(degraded)
      assert.deepStrictEqual(sources.map((source) => source.id), ["document-store"])
    }).pipe(Effect.provide(withTool({ retriever: finds([]), model: says() }))))

  it.effect("counts passages below the floor as nothing", () =>
    Effect.gen(function*() {
      const { confidence, data } = yield* ask()
      assert.strictEqual(data.model, "none")
      assert.isAtMost(confidence, 0.1)
    }).pipe(
      Effect.provide(withTool({ retriever: finds([acme]), model: says(), options: { floor: 0.9 } }))
    ))

  it.effect("is of little confidence when a generating model cites nothing, and says so", () =>
    Effect.gen(function*() {
      const { confidence, data, degraded, sources } = yield* ask()
      assert.deepStrictEqual(data.citations, [])
      assert.closeTo(confidence, 0.3, 1e-9)
      assert.include(degraded?.reason, "cited none")
      assert.deepStrictEqual(sources.map((source) => source.id), ["acme-q3", "scripted"])
    }).pipe(
      Effect.provide(withTool({ retriever: finds([acme]), model: says(TestLlm.text("It was 41% [made-up].")) }))
    ))

  it.effect("is of hardly any confidence when there is nothing to quote", () =>
    Effect.gen(function*() {
      const { confidence, data } = yield* answer<Answer.Data>(name, { question: "Who won the cup final?" })
      assert.strictEqual(data.answer, ExtractiveLlm.notAnswered)
      assert.isAtMost(confidence, 0.1)
    }).pipe(Effect.provide(withTool({ retriever: finds([acme]), model: extractive }))))

  it.effect("says that meaning was not compared", () =>
    Effect.gen(function*() {
      const { confidence, degraded } = yield* ask()
      assert.deepStrictEqual(degraded?.missing, ["embedder"])
      assert.closeTo(confidence, 0.72, 1e-9)
    }).pipe(Effect.provide(withTool({ retriever: finds([acme], { lexicalOnly: true }), model: says(margin) }))))
})

describe("Answer, when something is down", () => {
  it.effect("answers from the session history alone without the document store", () =>
    Effect.gen(function*() {
      const { confidence, data, degraded, sources } = yield* ask({ userId: "ada" })
      assert.deepStrictEqual(data.citations.map((citation) => citation.id), ["history:e2"])
      assert.deepStrictEqual(degraded?.missing, ["document-store"])
      assert.isAtMost(confidence, 0.4)
      assert.isAbove(confidence, 0)
      assert.deepStrictEqual(sources.map((source) => source.kind), ["session-store", "model"])
    }).pipe(
      Effect.provide(withTool({
        retriever: documentsUnreachable,
        model: says(TestLlm.text("You read of 41% [history:e2]."))
      }))
    ))

  it.effect("quotes the session history when there is no generating model either", () =>
    Effect.gen(function*() {
      const { confidence, data } = yield* ask({ userId: "ada" })
      assert.include(data.answer, "[history:e2]")
      assert.closeTo(confidence, 0.3, 1e-9)
    }).pipe(Effect.provide(withTool({ retriever: documentsUnreachable, model: extractive }))))

  for (
    const [what, args] of [["no user is named", {}], ["nothing is known of the user", { userId: "nobody" }]] as const
  ) {
    it.effect(`fails with a fallback without the document store when ${what}`, () =>
      Effect.gen(function*() {
        const body = yield* failure(name, { question, ...args })
        assert.deepInclude(body, { code: "temporarily_unavailable", source: "document-store", retryable: true })
        assert.strictEqual(body.fallback?.tool, "fetch_user_preference_profile")
        assert.isFalse(leaks(body))
      }).pipe(Effect.provide(withTool({ retriever: documentsUnreachable, model: says() }))))
  }

  it.effect("fails when documents and history are both down", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, { question, userId: "ada" })
      assert.deepInclude(body, { code: "temporarily_unavailable", source: "document-store" })
    }).pipe(
      Effect.provide(withTool({ retriever: documentsUnreachable, model: says(), sessions: sessionStoreDown }))
    ))

  it.effect("answers from documents without the history and says so", () =>
    Effect.gen(function*() {
      const { confidence, data, degraded } = yield* ask({ userId: "ada" })
      assert.lengthOf(data.citations, 1)
      assert.deepStrictEqual(degraded?.missing, ["session-store"])
      assert.closeTo(confidence, 0.72, 1e-9)
    }).pipe(Effect.provide(withTool({ retriever: finds([acme]), model: says(margin), sessions: sessionStoreDown }))))

  it.effect("quotes the passages when the model fails, with the trail of tries", () =>
    Effect.gen(function*() {
      const { confidence, data, degraded, sources } = yield* ask({ userId: "ada" })
      assert.strictEqual(data.model, "extractive")
      assert.include(data.answer, "41%")
      assert.deepStrictEqual(degraded?.missing, ["model"])
      assert.closeTo(confidence, 0.8 * 0.9, 1e-9)
      assert.deepStrictEqual(data.attempts?.map(({ outcome, provider, reason }) => ({ outcome, provider, reason })), [
        { provider: "test", outcome: "failed", reason: "Transient" },
        { provider: "extractive", outcome: "answered", reason: undefined }
      ])
      assert.deepStrictEqual(sources.map((source) => source.id), ["acme-q3", "extractive"])
    }).pipe(Effect.provide(withTool({ retriever: finds([acme]), model: says(TestLlm.fail("Transient")) }))))

  it.effect("does without a search that takes longer than its share, and not before", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(ask({ userId: "ada" }))
      yield* TestClock.adjust("1499 millis")
      assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
      yield* TestClock.adjust("1 millis")
      const { degraded } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(degraded?.missing, ["document-store"])
    }).pipe(
      Effect.provide(withTool({
        retriever: Layer.succeed(Retriever.Retriever, { retrieve: () => Effect.never }),
        model: says(TestLlm.text("You read of 41% [history:e2]."))
      }))
    ))

  it.effect("does without a search that takes longer than its share, and not before, nor for a store that cannot be interrupted", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(ask({ userId: "ada" }))
      yield* TestClock.adjust("1499 millis")
      assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
      yield* TestClock.adjust("1 millis")
      const { degraded } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(degraded?.missing, ["document-store"])
    }).pipe(
      Effect.provide(withTool({
        retriever: Layer.succeed(Retriever.Retriever, {
          retrieve: () => Effect.uninterruptible(Effect.delay(Effect.die("too late"), "1 hour"))
        }),
        model: says(TestLlm.text("You read of 41% [history:e2]."))
      }))
    ))

  it.effect("lets the store know by when it has to answer", () =>
    Effect.gen(function*() {
      const { data } = yield* ask()
      assert.strictEqual(data.model, "none")
    }).pipe(
      Effect.provide(withTool({
        retriever: Layer.succeed(Retriever.Retriever, {
          retrieve: () =>
            Effect.flatMap(TimeLimit.remaining, (remaining) => {
              assert.strictEqual(remaining, 1500)
              return Effect.succeed({ passages: [], calibration: "uncalibrated" as const, lexicalOnly: false })
            })
        }),
        model: says()
      }))
    ))

  it.effect("says that the copy of the documents that answered is behind, and is as sure as before", () =>
    Effect.gen(function*() {
      const { confidence, degraded } = yield* ask()
      assert.include(degraded?.reason, "region west")
      assert.include(degraded?.reason, "5s behind")
      assert.closeTo(confidence, 0.72, 1e-9)
    }).pipe(
      Effect.provide(withTool({
        retriever: finds([acme], { origin: { region: "west", behindMillis: 5000 } }),
        model: says(margin)
      }))
    ))

  it.effect("does without a history that takes longer than its share", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(ask({ userId: "ada" }))
      yield* TestClock.adjust("500 millis")
      const { data, degraded } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(data.citations.map((citation) => citation.id), ["acme-q3"])
      assert.deepStrictEqual(degraded?.missing, ["session-store"])
    }).pipe(
      Effect.provide(withTool({
        retriever: finds([acme]),
        model: says(margin),
        sessions: Layer.effect(
          SessionStore.SessionStore,
          Effect.map(SessionStore.makeMemory(), (store) => ({ ...store, history: () => Effect.never }))
        )
      }))
    ))

  it.effect("quotes in time when the model hangs until near the deadline", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(ask())
      yield* TestClock.adjust("29750 millis")
      const { data, degraded } = yield* Fiber.join(fiber)
      assert.strictEqual(data.model, "extractive")
      assert.deepStrictEqual(degraded?.missing, ["model"])
      const script = yield* TestLlm.TestLlm
      assert.strictEqual(yield* script.interrupted, 1)
    }).pipe(Effect.provide(withTool({ retriever: finds([acme]), model: says(TestLlm.hang) }))))

  it.effect("interrupts the model with the call", () =>
    Effect.gen(function*() {
      const script = yield* TestLlm.TestLlm
      const fiber = yield* Effect.fork(ask())
      yield* Effect.repeat(Effect.zipRight(Effect.yieldNow(), script.requests), {
        until: (requests) => requests.length === 1
      })
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(yield* script.interrupted, 1)
    }).pipe(Effect.provide(withTool({ retriever: finds([acme]), model: says(TestLlm.hang) }))))
})

describe("Answer, and whose history it reads", () => {
  it.effect("reads another's history only with the scope for it", () =>
    Effect.gen(function*() {
      const bob = Principal.make({ id: "bob", tenant: "acme" })
      const body = yield* failure(name, { question, userId: "ada" }, bob)
      assert.strictEqual(body.code, "insufficient_scope")
      const own = yield* ask({ userId: "ada" }, Principal.make({ id: "ada", tenant: "acme" }))
      assert.strictEqual(own.data.model, "scripted")
    }).pipe(
      Effect.provide(withTool({
        retriever: finds([acme]),
        model: says(margin),
        options: { historyScopes: ["profiles:read"] }
      }))
    ))

  it.effect("asks both stores for the caller's tenant only", () =>
    Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      const { confidence: _, ...document } = acme
      yield* store.index(caller.tenant, [document])
      const spy = Principal.make({ id: "spy", tenant: "globex", scopes: ["*"] })
      const { data } = yield* ask({ userId: "ada" }, spy)
      assert.strictEqual(data.model, "none")
    }).pipe(Effect.provide(withTool({ retriever: documents, model: extractive }).pipe(Layer.provideMerge(documents)))))

  it.effect("keeps a document and an event of the same id apart", () =>
    Effect.gen(function*() {
      const { data, sources } = yield* ask({ userId: "ada" })
      assert.deepStrictEqual(data.citations.map((citation) => citation.id), ["history:e2"])
      assert.strictEqual(sources[0]?.kind, "document-store")
    }).pipe(
      Effect.provide(withTool({
        retriever: finds([{ ...acme, id: "history:e2" }]),
        model: says(TestLlm.text("It was 41% [history:e2]."))
      }))
    ))
})
