import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgVectorIndex from "causeway-mcp/document/internal/PgVectorIndex"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as SifEmbedder from "causeway-mcp/embedding/SifEmbedder"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import * as Postgres from "./postgres.js"
import * as Vectors from "./vectors.js"

const [server] = Postgres.found.filter(Vectors.hasVector)

/** English prose that is at hand: what this package says of itself. */
const sentences = ((): ReadonlyArray<string> => {
  const root = fileURLToPath(new URL("../../docs/", import.meta.url))
  return Fs.readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md")).sort()
    .map((name) => Fs.readFileSync(Path.join(root, name), "utf8").replace(/^```[^]*?^```/gm, "").replace(/\s+/g, " "))
    .flatMap((text) => text.match(/[^.!?]{30,400}[.!?]/g) ?? [])
})()

/** More than the least for which the index is used: each sentence alone, with the next, with the next two and so on. */
const count = 5_200

const documents = Array.from({ length: count }, (_, n) => {
  const from = n % sentences.length
  const text = sentences.slice(from, from + 1 + Math.floor(n / sentences.length)).join(" ")
  return { id: `d${n}`, text, metadata: { part: n % 3 } }
})

const questions = Array.from(
  { length: 40 },
  (_, n) => (sentences[n * 37 % sentences.length] ?? "").split(" ").filter((_, at) => at % 3 !== n % 3).join(" ")
)

const share = (found: ReadonlyArray<string>, expected: ReadonlyArray<string>): number =>
  expected.length === 0 ? 1 : expected.filter((id) => found.includes(id)).length / expected.length

const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length

if (server === undefined) {
  const missing = "no PostgreSQL with pgvector found: install it or set PG_BIN"
  process.stderr.write(`Recall of the index on vectors: skipped, ${missing}\n`)
  describe("recall of the index on vectors", () => {
    it("finds a server to test", (test) => test.skip(missing))
  })
} else {
  const Servers = Layer.merge(Postgres.layer(server.bin), SifEmbedder.layerOrHash)

  layer(Servers, { timeout: "60 seconds", excludeTestServices: true })(`recall on ${server.name}`, (it) => {
    it.scoped(
      "is at least 0.95 of what comparing all finds, by vectors alone and with words, filtered or not",
      () =>
        Effect.gen(function*() {
          const { client, createDatabase } = yield* Postgres.Server
          const embedder = yield* Embedder.Embedder
          const database = yield* createDatabase
          const storeOn = (options: PgDocumentStore.Options) =>
            Effect.map(
              Layer.build(PgDocumentStore.layer(options).pipe(Layer.provideMerge(Layer.fresh(client(database))))),
              (context) => ({
                store: Context.get(context, DocumentStore.DocumentStore),
                sql: Context.get(context, SqlClient.SqlClient)
              })
            )
          const { sql, store } = yield* storeOn({ indexFrom: Number.POSITIVE_INFINITY })
          for (let at = 0; at < count; at += 400) yield* store.index("tenant", documents.slice(at, at + 400))
          assert.isAtLeast((yield* store.size("tenant")).passages, count)
          const vectors = yield* embedder.embed(questions)
          const ways = ["", "words"].flatMap((words) =>
            [undefined, { metadata: { part: [0, 2] } }].map((filter) => ({ words, filter }))
          )
          const found = (each: typeof store) =>
            Effect.forEach(ways, ({ filter, words }) =>
              Effect.forEach(questions, (question, n) =>
                Effect.map(
                  each.search({ tenant: "tenant", text: words && question, vector: vectors[n], limit: 100, filter }),
                  (hits) => hits.map(({ passage }) => `${passage.documentId} ${passage.position}`)
                )))
          const exact = yield* found(store)
          const name = PgVectorIndex.nameOf(embedder.dimensions, "vector")
          yield* storeOn({ indexFrom: 5_000 })
          yield* Effect.repeat(Vectors.state(sql, name), {
            until: (index) => index?.isValid === true,
            schedule: Schedule.spaced("50 millis")
          })
          // So few are read as fast without an index, as Postgres knows.
          for (const setting of ["enable_seqscan", "enable_bitmapscan", "enable_sort", "jit"]) {
            yield* sql.unsafe(`alter database ${database} set ${setting} = off`)
          }
          const approximate = yield* Effect.scoped(Effect.flatMap(storeOn({}), (indexed) => found(indexed.store)))
          yield* Vectors.isUsed(sql, name, ways.length * questions.length / 2)
          const recalls = ways.flatMap((_, way) =>
            [10, 100].map((first) =>
              mean(
                questions.map((_, n) =>
                  share(approximate[way]?.[n]?.slice(0, first) ?? [], exact[way]?.[n]?.slice(0, first) ?? [])
                )
              )
            )
          )
          process.stderr.write(
            `recall at 10 and 100 of ${count} vectors of ${embedder.id}: ${
              ways.map(({ filter, words }, n) =>
                `${words === "" ? "vector alone" : "hybrid"}${filter === undefined ? "" : ", filtered"} ` +
                recalls.slice(2 * n, 2 * n + 2).map((recall) => recall.toFixed(3)).join(" ")
              ).join("; ")
            }\n`
          )
          for (const recall of recalls) assert.isAtLeast(recall, 0.95)
        }),
      180_000
    )
  })
}
