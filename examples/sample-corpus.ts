/**
 * Puts the sample corpus into an empty embedded index, so that a first start
 * has something to answer from.
 */
import type { Document } from "causeway-mcp/document/Document"
import { DocumentStore } from "causeway-mcp/document/DocumentStore"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readdir, readFile } from "node:fs/promises"
import { isEmbedded } from "./documents.js"

const folder = new URL("./corpus/", import.meta.url)

/** `auto` fills an empty embedded index, `always` adds the corpus to any store, `never` leaves it out. */
const setting = Config.literal("auto", "always", "never", "")("SAMPLE_CORPUS").pipe(
  Config.withDefault("auto"),
  Config.map((value) => value === "" ? "auto" : value)
)

const read = Effect.promise(async () => {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".jsonl") && name !== "questions.jsonl").sort()
  const files = await Promise.all(names.map((name) => readFile(new URL(name, folder), "utf8")))
  // The corpus is part of this project, and a test checks each of its lines.
  return files.flatMap((file) =>
    file.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Document)
  )
})

/** The tenant of the local caller. */
const tenant = "default"

/** Documents are written in their order, so the first without the last is a start that was killed on the way. */
const isUnfinished = (documents: ReadonlyArray<Document>) =>
  Effect.gen(function*() {
    const store = yield* DocumentStore
    const [first, last] = [documents.at(0), documents.at(-1)]
    if (first === undefined || last === undefined) return false
    if ((yield* store.size(tenant)).documents === 0) return true
    return (yield* store.get(tenant, first.id)).length > 0 && (yield* store.get(tenant, last.id)).length === 0
  })

/** Indexes the sample corpus where it belongs, before the server answers its first question. */
export const layer = Layer.effectDiscard(Effect.gen(function*() {
  const wanted = yield* setting
  if (wanted === "never" || (wanted === "auto" && !(yield* isEmbedded))) return
  const store = yield* DocumentStore
  const documents = yield* read
  if (wanted === "auto" && !(yield* isUnfinished(documents))) return
  const outcomes = yield* store.index(tenant, documents)
  const indexed = outcomes.filter((outcome) => outcome.status === "indexed").length
  yield* Effect.logInfo(`documents: indexed the sample corpus, ${indexed} documents (fiction; see examples/corpus)`)
}))
