import { assert, describe, it } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as Llm from "causeway-mcp/llm/Llm"
import * as TokenEstimate from "causeway-mcp/llm/TokenEstimate"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import {
  acme,
  both,
  holding,
  isOfGroups,
  isOfParts,
  isOverall,
  isPart,
  isWhole,
  lists,
  long,
  notes,
  refused,
  scripted,
  shown,
  summarise,
  untilAsked,
  withScript,
  withTool
} from "./batch.js"

const book = { id: "book", title: "The book", text: long(300) }
const facts = Array.from({ length: 300 }, (_, n) => `Fact${n}`)

const factsIn = (request: Chat.Request): ReadonlyArray<string> =>
  (request.context ?? []).flatMap(({ text }) => text.match(/Fact\d+/gu) ?? [])

/** A faithful model: its summary names every fact it was shown. */
const faithful = (request: Chat.Request): TestLlm.Step =>
  TestLlm.text(factsIn(request).join(" ") || "No facts stand there.")

const small = { contextTokens: 1500 }
const ofBook = { documentIds: ["book"] }

const requests = Effect.flatMap(
  TestLlm.TestLlm,
  (script) => Effect.map(script.requests, (all) => all.map(({ request }) => request))
)

const sorted = (all: Iterable<string>) => [...all].sort()

describe("SummarizeBatch, of documents that are too long", () => {
  it.effect("reads every part of them, and makes one summary of all", () =>
    Effect.gen(function*() {
      const { confidence, data, degraded } = yield* summarise(ofBook)
      const [summary] = data.summaries
      assert.deepStrictEqual(sorted(summary?.summary.split(" ") ?? []), sorted(facts))
      assert.isAbove(summary?.parts?.total ?? 0, 5)
      assert.strictEqual(summary?.parts?.read, summary?.parts?.total)
      assert.isUndefined(summary?.isPartial)
      assert.isUndefined(degraded)
      assert.closeTo(confidence, 0.85 * 0.9, 1e-9)
      const all = yield* requests
      const parts = all.filter(isPart)
      assert.lengthOf(parts, summary?.parts?.total ?? 0)
      // Each fact stands in one part.
      assert.deepStrictEqual(sorted(parts.flatMap(factsIn)), sorted(facts))
      assert.isAbove(all.filter(isOfParts).length, 1)
      for (const request of parts) {
        assert.isAtMost(TokenEstimate.ofRequest(request) + (request.maxTokens ?? 0), small.contextTokens)
      }
    }).pipe(
      Effect.provide(withTool({ documents: holding(book), model: scripted(faithful), options: small }))
    ))

  it.effect("reads them at once where they fit", () =>
    Effect.gen(function*() {
      yield* summarise(ofBook)
      const [only, ...others] = yield* requests
      assert.deepStrictEqual(others, [])
      assert.deepStrictEqual(only === undefined ? [] : factsIn(only), facts)
    }).pipe(Effect.provide(withScript({ documents: holding(book) }))))

  it.effect("goes by the window that the model says it has", () =>
    Effect.gen(function*() {
      const model = yield* Llm.Llm
      const narrow = Layer.succeed(Llm.Llm, { ...model, traits: { contextTokens: 1500 } })
      const { data } = yield* Effect.provide(summarise(ofBook), withTool({ documents: holding(book), model: narrow }))
      assert.isAbove(data.summaries[0]?.parts?.total ?? 0, 5)
      const wide = yield* Effect.provide(
        summarise(ofBook),
        withTool({ documents: holding(book), model: narrow, options: { contextTokens: 100_000 } })
      )
      assert.isUndefined(wide.data.summaries[0]?.parts)
    }).pipe(Effect.provide(scripted())))

  it.effect("reads smaller parts when the model finds them too long after all", () =>
    Effect.gen(function*() {
      const { data } = yield* summarise(ofBook)
      assert.deepStrictEqual(sorted(data.summaries[0]?.summary.split(" ") ?? []), sorted(facts))
      assert.isUndefined(data.summaries[0]?.isPartial)
    }).pipe(
      Effect.provide(withTool({
        documents: holding(book),
        model: scripted((request) =>
          (isWhole(request) || isPart(request)) && factsIn(request).length > 40
            ? TestLlm.fail("ContextTooLong")
            : faithful(request)
        )
      }))
    ))

  it.effect("gives up on what is too long however short it is", () =>
    Effect.gen(function*() {
      const body = yield* refused(ofBook)
      assert.deepInclude(body, { code: "invalid_input", retryable: false })
    }).pipe(
      Effect.provide(withTool({ documents: holding(book), model: scripted(() => TestLlm.fail("ContextTooLong")) }))
    ))

  it.effect("says which are partial when parts could not be read", () =>
    Effect.gen(function*() {
      const { confidence, data, degraded } = yield* summarise(ofBook)
      const [summary] = data.summaries
      const { read = 0, total = 0 } = summary?.parts ?? {}
      assert.strictEqual(read, total - 1)
      assert.isTrue(summary?.isPartial)
      assert.deepStrictEqual(data.failures, [])
      assert.include(degraded?.reason, "of 1 of 1 documents some parts could not be read")
      assert.closeTo(confidence, 0.85 * 0.9 * read / total, 1e-9)
    }).pipe(
      Effect.provide(withTool({
        documents: holding(book),
        options: small,
        model: scripted((request) =>
          isPart(request) && factsIn(request).includes("Fact100") ? TestLlm.fail("Transient") : faithful(request)
        )
      }))
    ))

  it.effect("reports them when no part could be read, and summarises the others", () =>
    Effect.gen(function*() {
      const { data } = yield* summarise({ documentIds: ["book", "acme-q3"] })
      assert.deepStrictEqual(data.summaries.map(({ id }) => id), ["acme-q3"])
      assert.deepStrictEqual(data.failures.map(({ id, reason }) => [id, reason]), [["book", "temporarily_unavailable"]])
    }).pipe(
      Effect.provide(withTool({
        documents: holding(book, acme),
        options: small,
        model: scripted((request) => isPart(request) ? TestLlm.fail("Transient") : lists(request))
      }))
    ))

  it.effect("keeps what was read of each part when nobody puts it together", () =>
    Effect.gen(function*() {
      const { data, degraded } = yield* summarise(ofBook)
      const [summary] = data.summaries
      assert.isTrue(summary?.isPartial)
      assert.strictEqual(summary?.parts?.read, summary?.parts?.total)
      const told = summary?.summary.match(/Fact\d+/gu) ?? []
      assert.isAtLeast(told.length, summary?.parts?.total ?? Infinity)
      assert.include(degraded?.reason, "no model put the summaries of the parts together")
    }).pipe(
      Effect.provide(withTool({
        documents: holding(book),
        options: small,
        model: scripted((request) => isOfParts(request) ? TestLlm.fail("Malformed") : faithful(request))
      }))
    ))

  it.effect("summarises the summaries of many documents in levels", () =>
    Effect.gen(function*() {
      const { data } = yield* summarise({ filters: {}, limit: 100 })
      assert.lengthOf(data.summaries, 40)
      assert.deepStrictEqual(sorted(data.overall.split(" ")), sorted(facts.slice(0, 40)))
      const all = yield* requests
      assert.isAbove(all.filter(isOfGroups).length, 2)
      assert.lengthOf(all.filter(isOverall), 0)
    }).pipe(
      Effect.provide(withTool({
        documents: holding(...Array.from({ length: 40 }, (_, n) => ({ id: `d${n}`, text: `Fact${n} is this.` }))),
        options: { contextTokens: 1000 },
        model: scripted((request) =>
          isWhole(request)
            ? TestLlm.text(`${factsIn(request).join(" ")} ${"and so on ".repeat(20)}`)
            : faithful(request)
        )
      }))
    ))
})

const six = { documentIds: notes.map(({ id }) => id) }
const slow = (request: Chat.Request) => TestLlm.text(`Sum of ${shown(request).join(" ")}.`, { delay: "4 seconds" })

describe("SummarizeBatch, and its time", () => {
  it.effect("answers with what is done before the deadline, and says what is not", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(summarise({ documentIds: [...six.documentIds, "note-a", "note-b"] }))
      yield* TestClock.adjust("29 seconds")
      const { data, degraded } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(data.summaries.map(({ id }) => id), ["note-0", "note-1", "note-2", "note-3", "note-4"])
      assert.deepStrictEqual(data.failures.map(({ id, reason }) => [id, reason]), [
        ["note-5", "timed_out"],
        ["note-a", "timed_out"],
        ["note-b", "timed_out"]
      ])
      assert.include(data.failures[2]?.message, "before this document was reached")
      assert.strictEqual(data.overall, "Sum of note-0 note-1 note-2 note-3 note-4.")
      assert.include(degraded?.reason, "3 of 8 documents")
      const script = yield* TestLlm.TestLlm
      assert.lengthOf(yield* script.requests, 7)
      assert.strictEqual(yield* script.interrupted, 1)
    }).pipe(
      Effect.provide(withTool({
        documents: holding(...notes),
        model: scripted(slow),
        options: { concurrency: 1 }
      }))
    ))

  it.effect("quotes the summaries when nobody says in time what they say together", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(summarise(both))
      yield* TestClock.adjust("29900 millis")
      const { data } = yield* Fiber.join(fiber)
      assert.strictEqual(data.overall, "Sum of. [acme-q3] Sum of. [globex-q3]")
    }).pipe(
      Effect.provide(withTool({ model: scripted((request) => isOverall(request) ? TestLlm.hang : lists(request)) }))
    ))

  it.effect("fails in time, to be tried again, when nothing is done", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(refused(both))
      yield* TestClock.adjust("29900 millis")
      const body = yield* Fiber.join(fiber)
      assert.deepInclude(body, { code: "timed_out", retryable: true, source: "model" })
      assert.include(body.message, "None of the 2 documents")
    }).pipe(Effect.provide(withTool({ model: scripted(() => TestLlm.hang) }))))

  it.effect("gives a question no more than its own time", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(summarise({ documentIds: ["note-0", "note-1"] }))
      yield* TestClock.adjust("3250 millis")
      const { data } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(data.failures.map(({ id, reason }) => [id, reason]), [["note-0", "timed_out"]])
    }).pipe(
      Effect.provide(withTool({
        documents: holding(...notes),
        model: scripted((request) => shown(request).includes("note-0") ? TestLlm.hang : lists(request)),
        options: { modelTimeout: "3 seconds" }
      }))
    ))

  it.effect("waits for no store that does not answer", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(refused(both))
      yield* TestClock.adjust("5 seconds")
      assert.deepInclude(yield* Fiber.join(fiber), { code: "temporarily_unavailable", source: "document-store" })
    }).pipe(
      Effect.provide(withScript({
        documents: Layer.mock(DocumentStore.DocumentStore, {
          get: () => Effect.uninterruptible(Effect.delay(Effect.die("too late"), "1 hour"))
        })
      }))
    ))

  it.effect("ends every question to the model with the call", () =>
    Effect.gen(function*() {
      const script = yield* TestLlm.TestLlm
      const fiber = yield* Effect.fork(summarise(six))
      yield* untilAsked(4)
      yield* Fiber.interrupt(fiber)
      yield* Effect.repeat(Effect.zipRight(Effect.yieldNow(), script.interrupted), { until: (count) => count === 4 })
      assert.lengthOf(yield* script.requests, 4)
    }).pipe(Effect.provide(withTool({ documents: holding(...notes), model: scripted(() => TestLlm.hang) }))))
})
