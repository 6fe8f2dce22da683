/** Reads the judged collections the benches measure on, and measures. */
import type { Document } from "causeway-mcp/document/Document"
import type * as DocumentStore from "causeway-mcp/document/DocumentStore"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"

export interface Question {
  readonly id: string
  readonly text: string
  /** Documents judged relevant. */
  readonly relevant: ReadonlySet<string>
}

export interface Collection {
  readonly name: string
  readonly documents: ReadonlyArray<Document>
  readonly questions: (split: "train" | "test") => ReadonlyArray<Question>
}

export const folders = { scifact: "scifact", financebench: "financebench-pages" } as const

export type Name = keyof typeof folders

export const isName = (text: string): text is Name => Object.hasOwn(folders, text)

interface Row {
  readonly [key: string]: unknown
}

const rows = (text: string): ReadonlyArray<Row> =>
  text.split("\n").filter((line) => line !== "").map((line): Row => JSON.parse(line))

/** A collection without a `train` split has only a test split. */
export const read = (data: string, name: Name): Collection => {
  const folder = join(data, folders[name])
  const relevant = new Map<string, Set<string>>()
  for (const row of rows(readFileSync(join(folder, "qrels.jsonl"), "utf8"))) {
    if (Number(row["score"]) <= 0) continue
    const id = String(row["query-id"])
    relevant.set(id, (relevant.get(id) ?? new Set()).add(String(row["corpus-id"])))
  }
  const questions = rows(readFileSync(join(folder, "queries.jsonl"), "utf8"))
  return {
    name,
    documents: rows(gunzipSync(readFileSync(join(folder, "corpus.jsonl.gz"))).toString("utf8")).map((row) => ({
      id: String(row["_id"]),
      title: String(row["title"]),
      text: String(row["text"])
    })),
    questions: (split) =>
      questions.filter((row) => (row["split"] ?? "test") === split).flatMap((row) => {
        const id = String(row["_id"])
        const judged = relevant.get(id)
        return judged === undefined ? [] : [{ id, text: String(row["text"]), relevant: judged }]
      })
  }
}

/** The documents of a ranking of passages, each at the place of its best passage. */
export const documentsOf = (hits: ReadonlyArray<DocumentStore.Hit>): ReadonlyArray<string> => [
  ...new Set(hits.map((hit) => hit.passage.documentId))
]

export const ndcg10 = (ranking: ReadonlyArray<string>, relevant: ReadonlySet<string>): number => {
  const gain = (n: number): number => 1 / Math.log2(n + 2)
  const found = ranking.slice(0, 10).reduce((sum, id, n) => relevant.has(id) ? sum + gain(n) : sum, 0)
  const ideal = Array.from({ length: Math.min(10, relevant.size) }, (_, n) => gain(n)).reduce((a, b) => a + b, 0)
  return found / ideal
}

export const recall10 = (ranking: ReadonlyArray<string>, relevant: ReadonlySet<string>): number =>
  ranking.slice(0, 10).filter((id) => relevant.has(id)).length / relevant.size

export const mean = (values: ReadonlyArray<number>): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)

export const quantile = (values: ReadonlyArray<number>, q: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN
