/**
 * What the sample corpus does to an index that holds something already.
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readFileSync } from "node:fs"
import * as SampleCorpus from "../../examples/sample-corpus.js"

const store = DocumentStore.layerMemory.pipe(Layer.provide(Embedder.layerHash))

const settings = ConfigProvider.fromMap(new Map([["SAMPLE_CORPUS", ""]]))

const fill = Layer.build(SampleCorpus.layer).pipe(Effect.scoped, Effect.withConfigProvider(settings))

const sizeAfter = (ids: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { index, size } = yield* DocumentStore.DocumentStore
    yield* index("default", ids.map((id) => ({ id, text: "Something that was there before." })))
    yield* fill
    return (yield* size("default")).documents
  }).pipe(Effect.provide(store))

const firstId = () => {
  const [line = ""] = readFileSync(new URL("../../examples/corpus/filings.jsonl", import.meta.url), "utf8").split("\n")
  return String((JSON.parse(line) as { readonly id: unknown }).id)
}

describe("sample corpus", () => {
  it.effect("fills an empty index, and takes an empty setting for none", () =>
    Effect.map(sizeAfter([]), (documents) => assert.strictEqual(documents, 188)))

  it.effect("is completed when an earlier start was killed on the way", () =>
    Effect.map(sizeAfter([firstId()]), (documents) => assert.strictEqual(documents, 188)))

  it.effect("stays away from an index of other documents", () =>
    Effect.map(sizeAfter(["mine"]), (documents) => assert.strictEqual(documents, 1)))
})
