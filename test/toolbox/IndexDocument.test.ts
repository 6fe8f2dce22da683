import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as IndexDocument from "causeway-mcp/toolbox/IndexDocument"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { answer, caller, documents, documentStoreDown, failure, leaks } from "./harness.js"

const name = "index_document"
const tools = ToolRegistry.layer(Toolkit.make(IndexDocument.make()))
const memory = Layer.provideMerge(tools, documents)
const document = {
  id: "acme-q3",
  text: "Acme Corp reported revenue of $4.2 billion for the third quarter.",
  title: "Acme, third quarter",
  uri: "https://example.com/acme",
  publishedAt: "2026-11-01",
  metadata: { company: "Acme Corp", year: 2026, audited: false }
}

const answering = (outcomes: ReadonlyArray<DocumentStore.Outcome>) =>
  Layer.effect(
    DocumentStore.DocumentStore,
    Effect.map(DocumentStore.DocumentStore, (store) => ({ ...store, index: () => Effect.succeed(outcomes) }))
  ).pipe(Layer.provide(documentStoreDown))

/** A store in memory whose embedder answers so. */
const embedding = (answer: Effect.Effect<ReadonlyArray<Float32Array>, Embedder.EmbedderError>) =>
  DocumentStore.layerMemory.pipe(
    Layer.provide(Layer.succeed(Embedder.Embedder, { id: "other", dimensions: 3, embed: () => answer })),
    Layer.provide(Logger.remove(Logger.defaultLogger))
  )

describe("IndexDocument", () => {
  it.effect("indexes a document of the caller's tenant, and finds it unchanged the second time", () =>
    Effect.gen(function*() {
      const first = yield* answer<IndexDocument.Data>(name, document)
      assert.deepStrictEqual(first.data, { id: "acme-q3", outcome: "indexed", passages: 1 })
      assert.deepInclude(first.sources[0], {
        id: "acme-q3",
        kind: "document-store",
        title: "Acme, third quarter",
        uri: "https://example.com/acme",
        publishedAt: "2026-11-01T00:00:00.000Z"
      })
      const second = yield* answer<IndexDocument.Data>(name, document)
      assert.strictEqual(second.data.outcome, "unchanged")
      const store = yield* DocumentStore.DocumentStore
      const [passage] = yield* store.get(caller.tenant, "acme-q3")
      assert.deepStrictEqual(passage?.metadata, document.metadata)
      assert.lengthOf(yield* store.get("other", "acme-q3"), 0)
    }).pipe(Effect.provide(memory)))

  it.effect("keeps a later version, says so, and is no failure", () =>
    Effect.gen(function*() {
      const at = (version: number, text: string) => answer<IndexDocument.Data>(name, { ...document, text, version })
      assert.strictEqual((yield* at(3, "The third state.")).data.outcome, "indexed")
      const late = yield* at(2, "The second state.")
      assert.deepStrictEqual(late.data, { id: "acme-q3", outcome: "outdated", passages: 1 })
      assert.strictEqual(late.confidence, 1)
      assert.isUndefined(late.sources[0]?.title)
      const store = yield* DocumentStore.DocumentStore
      assert.deepInclude((yield* store.get(caller.tenant, "acme-q3"))[0], { text: "The third state.", version: 3 })
      assert.strictEqual((yield* at(4, "The fourth state.")).data.outcome, "indexed")
    }).pipe(Effect.provide(memory)))

  it.effect("refuses another content of the version that is stored, and a version that is none", () =>
    Effect.gen(function*() {
      yield* answer<IndexDocument.Data>(name, { ...document, version: 1 })
      const other = yield* failure(name, { ...document, text: "Something else.", version: 1 })
      assert.strictEqual(other.code, "invalid_input")
      assert.match(other.message, /^The document acme-q3 was refused: .*version 1/)
      for (const version of [-1, 1.5, 2 ** 53, "3"]) {
        const body = yield* failure(name, { ...document, version })
        assert.strictEqual(body.code, "invalid_input", String(version))
        assert.include(body.message, "version")
      }
    }).pipe(Effect.provide(memory)))

  it.effect("passes on why the store refused a document", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, document)
      assert.strictEqual(body.code, "invalid_input")
      assert.include(body.message, "no words in it")
    }).pipe(
      Effect.provide(Layer.provide(tools, answering([{ id: "acme-q3", status: "refused", reason: "no words in it" }])))
    ))

  it.effect("says that the document store is unavailable, and nothing from inside it", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, document)
      assert.deepInclude(body, { code: "temporarily_unavailable", source: "document-store", retryable: true })
      assert.isFalse(leaks(body))
    }).pipe(Effect.provide(Layer.provide(tools, documentStoreDown))))

  it.effect("says that trying again will not help when the store is set up wrongly", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, document)
      assert.deepInclude(body, { code: "degraded_only", source: "document-store", retryable: false })
    }).pipe(
      Effect.provide(Layer.provide(
        tools,
        Layer.effect(
          DocumentStore.DocumentStore,
          Effect.map(DocumentStore.DocumentStore, (store) => ({
            ...store,
            index: () =>
              new DocumentStore.DocumentStoreError({
                method: "index",
                reason: new DocumentStore.Incompatible({ description: "other vectors" })
              })
          }))
        ).pipe(Layer.provide(documentStoreDown))
      ))
    ))

  for (
    const [isRetryable, code, sentence] of [
      [true, "temporarily_unavailable", "the embedder, which makes documents searchable, did not answer"],
      [false, "degraded_only", "The embedder, which makes documents searchable, cannot be used as it is set up now"]
    ] as const
  ) {
    it.effect(`says ${code} of the embedder, not of the store, when ${isRetryable ? "it is down" : "it is set up wrongly"}`, () =>
      Effect.gen(function*() {
        const failed = yield* failure("index_document", { id: "a", text: "Text." })
        assert.deepInclude(failed, { code, source: "embedder", retryable: isRetryable })
        assert.include(failed.message, sentence)
        assert.notInclude(JSON.stringify(failed), "secret")
        assert.notProperty(failed, "fallback")
      }).pipe(Effect.provide(Layer.provide(
        tools,
        embedding(Effect.fail(
          new Embedder.EmbedderError({ embedder: "e", description: "secret", isRetryable, isRefusal: false })
        ))
      ))))
  }

  it.effect("names the document whose text the embedder refuses", () =>
    Effect.gen(function*() {
      const failed = yield* failure("index_document", { id: "acme-q3", text: "Text." })
      assert.deepInclude(failed, { code: "invalid_input", retryable: false })
      assert.include(failed.message, "the embedder other refused the document \"acme-q3\": too long")
    }).pipe(Effect.provide(Layer.provide(
      tools,
      embedding(Effect.fail(
        new Embedder.EmbedderError({ embedder: "e", description: "too long", isRetryable: false, isRefusal: true })
      ))
    ))))

  it.effect("needs the scope documents:write", () =>
    Effect.gen(function*() {
      const body = yield* failure(name, document, Principal.make({ id: "reader", tenant: "acme" }))
      assert.strictEqual(body.code, "insufficient_scope")
    }).pipe(Effect.provide(memory)))

  it.effect("refuses metadata that is no fact, blank text, and a day that is in no calendar", () =>
    Effect.gen(function*() {
      const nested = yield* failure(name, { ...document, metadata: { company: { name: "Acme" } } })
      assert.strictEqual(nested.code, "invalid_input")
      const odd = yield* failure(name, { ...document, metadata: JSON.parse("{\"__proto__\": \"x\"}") })
      assert.strictEqual(odd.code, "invalid_input")
      const many = Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`k${n}`, n]))
      assert.include((yield* failure(name, { ...document, metadata: many })).message, "more than 64")
      const blank = yield* failure(name, { ...document, text: " \n " })
      assert.include(blank.message, "text: is blank")
      const dated = yield* failure(name, { ...document, publishedAt: "2026-02-30" })
      assert.include(dated.message, "publishedAt: not a date")
    }).pipe(Effect.provide(memory)))
})
