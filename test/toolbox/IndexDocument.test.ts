import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as IndexDocument from "causeway-mcp/toolbox/IndexDocument"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
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
