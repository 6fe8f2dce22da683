/**
 * Folders of documents, and stores that remember what they were given.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import type { Document } from "causeway-mcp/document/Document"
import type { DocumentStoreError, Outcome } from "causeway-mcp/document/DocumentStore"
import { DocumentStore } from "causeway-mcp/document/DocumentStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

type Index = (documents: ReadonlyArray<Document>) => Effect.Effect<ReadonlyArray<Outcome>, DocumentStoreError>

/** A store that only indexes. */
export const storeOf = (index: Index) => Layer.mock(DocumentStore, { index: (_tenant, documents) => index(documents) })

/** A store of one tenant in a map, that remembers how large each batch was. */
export const makeStore = () => {
  const kept = new Map<string, Document>()
  const batches: Array<number> = []
  const index: Index = (documents) =>
    Effect.sync(() => {
      batches.push(documents.length)
      return documents.map((document): Outcome => {
        if (document.text.includes("unwanted")) return { id: document.id, status: "refused", reason: "not wanted here" }
        const isSame = JSON.stringify(kept.get(document.id)) === JSON.stringify(document)
        kept.set(document.id, document)
        return { id: document.id, status: isSame ? "unchanged" : "indexed", passages: 1 }
      })
    })
  return { kept, batches, layer: storeOf(index) }
}

/** Writes files into a fresh folder that goes with the scope. */
export const folderOf = (files: Record<string, string | Uint8Array>) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const root = yield* fs.makeTempDirectoryScoped()
    for (const [name, content] of Object.entries(files)) {
      const path = paths.join(root, name)
      yield* fs.makeDirectory(paths.dirname(path), { recursive: true })
      yield* typeof content === "string" ? fs.writeFileString(path, content) : fs.writeFile(path, content)
    }
    return root
  })

/** So many lines of JSONL, each a document. */
export const lines = (count: number, from = 0): string =>
  Array.from({ length: count }, (_, i) => `${JSON.stringify({ id: `d${from + i}`, text: `text ${from + i}` })}\n`)
    .join("")

/** Reasons by paths below the root. */
export const refusalsBelow = (
  root: string,
  summary: { readonly refusals: ReadonlyArray<{ where: string; reason: string }> }
) => Object.fromEntries(summary.refusals.map(({ reason, where }) => [where.slice(root.length + 1), reason]))
