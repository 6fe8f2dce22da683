import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Retriever from "causeway-mcp/document/Retriever"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as SemanticSearch from "causeway-mcp/toolbox/SemanticSearch"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as TestClock from "effect/TestClock"
import { answer, call, caller, documents, documentsUnreachable, failure, finds, leaks } from "./harness.js"

const name = "search_relevant_market_intel"
const withTool = (options?: SemanticSearch.Options) => ToolRegistry.layer(Toolkit.make(SemanticSearch.make(options)))
const memory = Layer.provideMerge(withTool(), documents)

const corpus = [
  {
    id: "acme-q3",
    title: "Acme, third quarter",
    text: "Acme Corp reported a gross margin of 41% in the third quarter, up from 38%.",
    uri: "https://example.com/acme",
    publishedAt: "2026-11-12",
    metadata: { company: "Acme Corp", period: "2026-Q3", type: "earnings-call" }
  },
  {
    id: "globex-q3",
    title: "Globex, third quarter",
    text: "Globex reported a gross margin of 22% in the third quarter.",
    publishedAt: "2026-10-12",
    metadata: { company: "Globex", period: "2026-Q3", type: "filing" }
  },
  { id: "undated", title: "Note", text: "A note on gross margin in general.", metadata: { type: "note" } }
]

const fill = Effect.gen(function*() {
  yield* TestClock.setTime(Date.parse("2026-11-22T00:00:00Z"))
  const store = yield* DocumentStore.DocumentStore
  yield* store.index(caller.tenant, corpus)
})

const idsOf = (args: object) =>
  Effect.map(
    answer<SemanticSearch.Data>(name, { query: "gross margin third quarter", ...args }),
    ({ data }) => data.passages.map((passage) => passage.documentId).sort()
  )

describe("SemanticSearch", () => {
  it.effect("returns the passages that fit, with age, source and confidence", () =>
    Effect.gen(function*() {
      yield* fill
      const { calibration, confidence, data, degraded, sources } = yield* answer<SemanticSearch.Data>(name, {
        query: "What was Acme Corp's gross margin in the third quarter?"
      })
      const [first] = data.passages
      assert.deepInclude(first, {
        documentId: "acme-q3",
        title: "Acme, third quarter",
        publishedAt: "2026-11-12T00:00:00.000Z",
        ageDays: 10,
        agedFrom: "published",
        highlights: ["Acme", "Corp", "gross", "margin", "third", "quarter"],
        uri: "https://example.com/acme",
        metadata: { company: "Acme Corp", period: "2026-Q3", type: "earnings-call" }
      })
      assert.strictEqual(confidence, Math.max(...data.passages.map((passage) => passage.confidence)))
      assert.strictEqual(calibration, "uncalibrated")
      // The text is short enough to be read whole.
      assert.notProperty(first, "snippet")
      assert.deepStrictEqual(data.searched, { returned: data.passages.length, limit: 8, lexicalOnly: false })
      assert.isUndefined(degraded)
      assert.deepInclude(sources[0], {
        id: "acme-q3",
        kind: "document-store",
        title: "Acme, third quarter",
        uri: "https://example.com/acme",
        publishedAt: "2026-11-12T00:00:00.000Z",
        confidence: first?.confidence ?? NaN
      })
    }).pipe(Effect.provide(memory)))

  it.effect("narrows by each filter", () =>
    Effect.gen(function*() {
      yield* fill
      assert.deepStrictEqual(yield* idsOf({}), ["acme-q3", "globex-q3", "undated"])
      assert.deepStrictEqual(yield* idsOf({ filters: { company: "Globex" } }), ["globex-q3"])
      assert.deepStrictEqual(yield* idsOf({ filters: { company: ["Globex", "Acme Corp"] } }), ["acme-q3", "globex-q3"])
      assert.deepStrictEqual(yield* idsOf({ filters: { type: "note" } }), ["undated"])
      assert.deepStrictEqual(yield* idsOf({ filters: { period: "2026-Q3", type: "filing" } }), ["globex-q3"])
      assert.deepStrictEqual(yield* idsOf({ filters: { since: "2026-11-01" } }), ["acme-q3"])
      assert.deepStrictEqual(yield* idsOf({ filters: { until: "2026-11-01T00:00:00Z" } }), ["globex-q3"])
      assert.lengthOf(yield* idsOf({ limit: 1 }), 1)
    }).pipe(Effect.provide(memory)))

  it.effect("finds nothing of another tenant and says that nothing fits", () =>
    Effect.gen(function*() {
      yield* fill
      const other = Principal.make({ id: "spy", tenant: "globex", scopes: ["*"] })
      const { confidence, data, degraded, sources } = yield* answer<SemanticSearch.Data>(
        name,
        { query: "gross margin" },
        other
      )
      assert.deepStrictEqual(data.passages, [])
      assert.strictEqual(confidence, 0)
      assert.include(data.note, "Nothing in the index fits")
      assert.isUndefined(degraded)
      assert.deepStrictEqual(sources.map(({ id, kind }) => ({ id, kind })), [
        { id: "document-store", kind: "document-store" }
      ])
    }).pipe(Effect.provide(memory)))

  it.effect("advises to drop the filters when they leave nothing", () =>
    Effect.gen(function*() {
      yield* fill
      const { data } = yield* answer<SemanticSearch.Data>(name, { query: "margin", filters: { company: "Initech" } })
      assert.include(data.note, "filters")
    }).pipe(Effect.provide(memory)))

  it.effect("passes on the calibration of the retriever", () =>
    Effect.gen(function*() {
      const { calibration } = yield* answer<SemanticSearch.Data>(name, { query: "anything" })
      assert.deepStrictEqual(calibration, { id: "ours/1", fittedOn: "our questions", ece: 0.02 })
    }).pipe(Effect.provide(Layer.provide(
      withTool(),
      finds([{ id: "a", text: "one", confidence: 0.9 }], {
        calibration: { id: "ours/1", fittedOn: "our questions", ece: 0.02 }
      })
    ))))

  it.effect("gives the stretch of a long text that speaks of the query, and each of its words once", () =>
    Effect.gen(function*() {
      const { data } = yield* answer<SemanticSearch.Data>(name, { query: "gross margin" })
      const [passage] = data.passages
      assert.include(passage?.snippet, "The gross margin rose; the Margin of a rival fell.")
      assert.isAtMost(passage?.snippet?.length ?? 0, 300)
      assert.deepStrictEqual(passage?.highlights, ["gross", "margin"])
      assert.include(passage?.text, passage?.snippet ?? "nothing")
    }).pipe(Effect.provide(Layer.provide(
      withTool(),
      finds([{
        id: "a",
        confidence: 0.5,
        text: `${"Nothing is told here. ".repeat(40)}The gross margin rose; the Margin of a rival fell. ` +
          "Nor is it here. ".repeat(40)
      }])
    ))))

  it.effect("counts the age of what has no date from when it was indexed, and says so", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.parse("2026-11-25T12:00:00Z"))
      const { data } = yield* answer<SemanticSearch.Data>(name, { query: "anything" })
      assert.deepInclude(data.passages[0], { ageDays: 3.5, agedFrom: "indexed" })
      assert.notProperty(data.passages[0], "publishedAt")
    }).pipe(Effect.provide(Layer.provide(withTool(), finds([{ id: "a", text: "one", confidence: 0.5 }])))))

  it.effect("says which copy of the documents answered and who judged", () =>
    Effect.gen(function*() {
      const { data, degraded } = yield* answer<SemanticSearch.Data>(name, { query: "anything" })
      assert.deepInclude(data.searched, { region: "west", behindSeconds: 0.04, rerankedBy: "judge-1" })
      assert.isUndefined(degraded)
    }).pipe(Effect.provide(Layer.provide(
      withTool(),
      finds([{ id: "a", text: "one", confidence: 0.5 }], {
        origin: { region: "west", behindMillis: 40 },
        rerankedBy: "judge-1"
      })
    ))))

  for (
    const [behindMillis, words] of [[61_200, "1m 2s behind"], [undefined, "behind by a time nobody knows"]] as const
  ) {
    it.effect(`notes that the copy that answered may be ${words}, and is as sure as before`, () =>
      Effect.gen(function*() {
        const { confidence, data, degraded } = yield* answer<SemanticSearch.Data>(name, { query: "anything" })
        assert.include(degraded?.reason, "region west")
        assert.include(degraded?.reason, words)
        assert.strictEqual(data.searched.behindSeconds, behindMillis === undefined ? undefined : 61.2)
        assert.strictEqual(confidence, 0.5)
      }).pipe(Effect.provide(Layer.provide(
        withTool(),
        finds([{ id: "a", text: "one", confidence: 0.5 }], { origin: { region: "west", behindMillis } })
      ))))
  }

  it.effect("lets the store know by when it has to answer", () =>
    Effect.gen(function*() {
      yield* answer<SemanticSearch.Data>(name, { query: "anything" })
      assert.strictEqual(yield* Ref.get(yield* Seen), 1500)
    }).pipe(
      Effect.provide(
        withTool({ searchTimeout: "1500 millis" }).pipe(
          Layer.provide(Layer.effect(
            Retriever.Retriever,
            Effect.map(Seen, (seen) => ({
              retrieve: () =>
                Effect.as(Effect.flatMap(TimeLimit.remaining, (remaining) => Ref.set(seen, remaining)), {
                  passages: [],
                  calibration: "uncalibrated" as const,
                  lexicalOnly: false
                })
            }))
          )),
          Layer.provideMerge(Layer.effect(Seen, Ref.make(Infinity)))
        )
      )
    ))

  it.effect("goes by words alone when the query cannot be embedded, and says so", () =>
    Effect.gen(function*() {
      const { data, degraded } = yield* answer<SemanticSearch.Data>(name, { query: "gross margin" })
      assert.isTrue(data.searched.lexicalOnly)
      assert.deepStrictEqual(degraded?.missing, ["embedder"])
    }).pipe(
      Effect.provide(Layer.provide(
        withTool(),
        Retriever.layer().pipe(
          Layer.provide(DocumentStore.layerMemory),
          Layer.provide(Layer.succeed(Embedder.Embedder, {
            id: "broken",
            dimensions: 3,
            embed: () => new Embedder.EmbedderError({ embedder: "broken", description: "down", isRetryable: true })
          }))
        )
      ))
    ))

  it.effect("names one source per document and the best confidence of its passages", () =>
    Effect.gen(function*() {
      const { confidence, data, sources } = yield* answer<SemanticSearch.Data>(name, { query: "anything" })
      assert.lengthOf(data.passages, 3)
      assert.deepStrictEqual(sources.map(({ confidence, id }) => ({ confidence, id })), [
        { id: "a", confidence: 0.7 },
        { id: "b", confidence: 0.5 }
      ])
      assert.strictEqual(confidence, 0.7)
    }).pipe(
      Effect.provide(Layer.provide(
        withTool(),
        finds([
          { id: "a", text: "one", confidence: 0.4 },
          { id: "b", text: "two", confidence: 0.5 },
          { id: "a", text: "three", confidence: 0.7, position: 1 }
        ])
      ))
    ))

  it.effect("says that the document store is unavailable and which tool can stand in", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, { query: "gross margin" })
      assert.deepInclude(body, { code: "temporarily_unavailable", source: "document-store", retryable: true })
      assert.strictEqual(body.fallback?.tool, "fetch_user_preference_profile")
      assert.isFalse(leaks(body))
    }).pipe(Effect.provide(Layer.provide(withTool(), documentsUnreachable))))

  it.effect("names the fallback tool it was told to", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, { query: "gross margin" })
      assert.strictEqual(body.fallback?.tool, "profile")
    }).pipe(Effect.provide(Layer.provide(withTool({ fallbackTool: "profile" }), documentsUnreachable))))

  it.effect("gives up on a store that does not answer, and interrupts it", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(failure(name, { query: "gross margin" }))
      yield* Deferred.await(yield* Started)
      yield* TestClock.adjust("5 seconds")
      const body = yield* Fiber.join(fiber)
      assert.deepInclude(body, { code: "temporarily_unavailable", source: "document-store" })
      yield* Deferred.await(yield* Stopped)
    }).pipe(Effect.provide(Layer.provideMerge(withTool(), hanging))))

  it.effect("stops searching when the call is interrupted", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(call(name, { query: "gross margin" }))
      yield* Deferred.await(yield* Started)
      yield* Fiber.interrupt(fiber)
      yield* Deferred.await(yield* Stopped)
    }).pipe(Effect.provide(Layer.provideMerge(withTool(), hanging))))

  it.effect("reports that it searches and what it found", () =>
    Effect.gen(function*() {
      yield* fill
      const { progress } = yield* call(name, { query: "gross margin" })
      assert.deepStrictEqual(progress.map((update) => update.progress), [0, 1])
    }).pipe(Effect.provide(memory)))

  it.effect("refuses arguments out of bounds and names each", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, {
        query: "  ",
        limit: 51,
        filters: { company: [], since: "soon", until: "2026-13-45" },
        extra: 1
      })
      assert.strictEqual(body.code, "invalid_input")
      for (const field of ["query", "limit", "filters.company", "filters.since", "filters.until", "extra"]) {
        assert.include(body.message, `${field}: `)
      }
    }).pipe(Effect.provide(memory)))

  it.effect("describes every field, with its bounds, to the model", () =>
    Effect.gen(function*() {
      const registry = yield* ToolRegistry.ToolRegistry
      const { annotations, inputSchema } = Option.getOrThrow(registry.find(name))
      assert.deepInclude(annotations, { readOnlyHint: true, openWorldHint: false })
      assert.deepInclude(inputSchema, { type: "object", required: ["query"], additionalProperties: false })
      const properties = inputSchema.properties as Record<string, Record<string, unknown>>
      assert.deepInclude(properties.query, { type: "string", minLength: 1, maxLength: 2000 })
      assert.deepInclude(properties.limit, { type: "integer", minimum: 1, maximum: 50 })
      const filters = properties.filters?.properties as Record<string, Record<string, unknown>>
      for (const [field, schema] of [...Object.entries(properties), ...Object.entries(filters)]) {
        assert.isString(schema.description, field)
      }
      assert.isArray(properties.query?.examples)
    }).pipe(Effect.provide(memory)))
})

/** The time that a search was given, in milliseconds. */
class Seen extends Context.Tag("test/Seen")<Seen, Ref.Ref<number>>() {}

/** Done once a search has begun, and once it was interrupted. */
class Started extends Context.Tag("test/Started")<Started, Deferred.Deferred<void>>() {}
class Stopped extends Context.Tag("test/Stopped")<Stopped, Deferred.Deferred<void>>() {}

const hanging = Layer.effect(
  Retriever.Retriever,
  Effect.gen(function*() {
    const started = yield* Started
    const stopped = yield* Stopped
    return {
      retrieve: () =>
        Deferred.succeed(started, undefined).pipe(
          Effect.zipRight(Effect.never),
          Effect.onInterrupt(() => Deferred.succeed(stopped, undefined))
        )
    }
  })
).pipe(
  Layer.provideMerge(Layer.effect(Started, Deferred.make<void>())),
  Layer.provideMerge(Layer.effect(Stopped, Deferred.make<void>()))
)
