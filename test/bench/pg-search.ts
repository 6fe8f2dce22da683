/**
 * Measures the document store on PGlite, and on every PostgreSQL server of this
 * machine: documents indexed per second, searches of 10,000 passages, and
 * opening again.
 *
 *   npx tsx test/bench/pg-search.ts [passages] [queries]
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Postgres from "../integration/postgres.js"

const passages = Number(process.argv[2] ?? 10_000)
const queries = Number(process.argv[3] ?? 200)

/** The same numbers every time. */
const random = (() => {
  let state = 42
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
})()

/** A word as common as in prose once stop words are gone: the one of rank r about 1/r of the time, r from 50 to 30,000. */
const word = (): string => `w${Math.floor(50 * 600 ** random()).toString(36)}q`

const text = (length: number): string => Array.from({ length }, word).join(" ")

const documents = Array.from({ length: passages }, (_, n) => ({
  id: `document-${n}`,
  title: text(5),
  // About 1,000 characters: one passage.
  text: text(145),
  metadata: { group: n % 20 }
}))

const quantile = (sorted: ReadonlyArray<number>, q: number): string =>
  (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0).toFixed(1)

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(
    Effect.timed(effect),
    ([duration, value]) => ({
      millis: Number(duration.value._tag === "Nanos" ? duration.value.nanos : 0n) / 1e6,
      value
    })
  )

const measure = (name: string) =>
  Effect.gen(function*() {
    const store = yield* DocumentStore.DocumentStore
    const embedder = yield* Embedder.Embedder
    const rates: Array<string> = []
    for (let at = 0; at < passages; at += passages / 4) {
      const part = documents.slice(at, at + passages / 4)
      const { millis } = yield* timed(store.index("tenant", part))
      rates.push((part.length / millis * 1_000).toFixed(0))
    }
    console.log(`${name}: documents/s by quarter ${rates.join(", ")}`)
    const single = yield* Effect.forEach(documents.slice(0, 20), (document) =>
      Effect.map(timed(store.index("tenant", [{ ...document, text: `${document.text} anew` }])), ({ millis }) =>
        millis))
    console.log(`${name}: one document replaced, p50 ${
      quantile(single.sort((a, b) => a - b), 0.5)
    } ms`)
    console.log(`${name}: ${JSON.stringify(yield* store.size("tenant"))}`)
    // What the store does on PGlite, and a server by itself within a minute.
    yield* Effect.flatMap(SqlClient.SqlClient, (sql) => sql`vacuum (analyze)`)
    for (const [kind, filter] of [["open", undefined], ["1 of 20", { metadata: { group: 3 } }]] as const) {
      for (const length of [3, 6, 12]) {
        const times: Array<number> = []
        const before = process.cpuUsage()
        for (let n = 0; n < queries; n++) {
          const question = text(length)
          const [vector] = yield* embedder.embed([question])
          const { millis, value } = yield* timed(
            store.search({ tenant: "tenant", text: question, vector, limit: 10, filter })
          )
          if (value.length === 0) console.log("nothing found")
          times.push(millis)
        }
        // On a busy machine the processor time says more; a server's is not in it.
        const { system, user } = process.cpuUsage(before)
        const processor = ((system + user) / 1_000 / queries).toFixed(1)
        times.sort((a, b) => a - b)
        console.log(
          `${name}: search, ${length} words, ${kind}: p50 ${quantile(times, 0.5)} p95 ${quantile(times, 0.95)} ms, ` +
            `processor time of this process ${processor} ms`
        )
      }
    }
  })

const on = <E, R>(name: string, client: Layer.Layer<SqlClient.SqlClient, E, R>) =>
  measure(name).pipe(Effect.provide(PgDocumentStore.layer.pipe(
    Layer.provideMerge(Layer.merge(client, Embedder.layerHash))
  )))

await Effect.gen(function*() {
  const parent = yield* Effect.acquireRelease(
    Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "causeway-bench-"))),
    (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
  )
  const client = Pglite.layer({ dataDir: Path.join(parent, "data") })
  const open = Effect.scoped(Layer.build(PgDocumentStore.layer.pipe(Layer.provide([client, Embedder.layerHash]))))
  console.log(`PGlite: first opening ${(yield* timed(open)).millis.toFixed(0)} ms`)
  yield* on("PGlite", client)
  for (let n = 0; n < 3; n++) {
    console.log(`PGlite: opening again and closing ${(yield* timed(open)).millis.toFixed(0)} ms`)
  }
  for (const { bin, name } of Postgres.found) {
    yield* on(name, Layer.unwrapEffect(Effect.map(Postgres.Server, ({ empty }) => empty))).pipe(
      Effect.provide(Postgres.layer(bin))
    )
  }
}).pipe(Effect.scoped, Effect.runPromise)
