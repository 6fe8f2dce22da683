/**
 * Measures the document store on PGlite, and on every PostgreSQL server of this
 * machine: documents indexed per second, searches one by one and many at once,
 * with the index on vectors and without, and opening again.
 *
 *   npx tsx test/bench/pg-search.ts [passages] [queries] [only servers whose name contains this]
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Postgres from "../integration/postgres.js"

const passages = Number(process.argv[2] ?? 10_000)
const queries = Number(process.argv[3] ?? 200)
const only = process.argv[4] ?? ""

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

/** One passage of about 1,000 characters each. */
const part = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({
    id: `document-${from + n}`,
    title: text(5),
    text: text(145),
    metadata: { group: (from + n) % 20 }
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

type Store = Context.Tag.Service<DocumentStore.DocumentStore>

/** Milliseconds of processor time that each session of this database has used; none where that cannot be known. */
const sessions = Effect.map(
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql<{ readonly pid: number }>`select pid from pg_stat_activity where datname = current_database()`
  ),
  (found) =>
    new Map(found.flatMap(({ pid }): ReadonlyArray<[number, number]> => {
      const path = `/proc/${pid}/schedstat`
      return Fs.existsSync(path) ? [[pid, Number(Fs.readFileSync(path, "utf8").split(" ")[0]) / 1e6]] : []
    }))
)

/** What they used since then, without those that have ended. */
const usedSince = (before: ReadonlyMap<number, number>) =>
  Effect.map(sessions, (now) => [...now].reduce((sum, [pid, millis]) => sum + millis - (before.get(pid) ?? 0), 0))

const kinds = [["open", undefined], ["1 of 20", { metadata: { group: 3 } }], ["19 of 20", {
  metadata: { group: { min: 1 } }
}]] as const

const measureSearch = (name: string, store: Store) =>
  Effect.gen(function*() {
    const embedder = yield* Embedder.Embedder
    const isServer = name !== "PGlite"
    for (const [kind, filter] of kinds) {
      for (const length of [3, 6, 12]) {
        const times: Array<number> = []
        const before = { own: process.cpuUsage(), server: yield* sessions }
        for (let n = 0; n < queries; n++) {
          const question = text(length)
          const [vector] = yield* embedder.embed([question])
          const { millis, value } = yield* timed(
            store.search({ tenant: "tenant", text: question, vector, limit: 10, filter })
          )
          if (value.length === 0) console.log("nothing found")
          times.push(millis)
        }
        // On a busy machine the processor time says more.
        const { system, user } = process.cpuUsage(before.own)
        const own = ((system + user) / 1_000 / queries).toFixed(1)
        const server = isServer ? ((yield* usedSince(before.server)) / queries).toFixed(1) : "-"
        times.sort((a, b) => a - b)
        console.log(
          `${name}: search, ${length} words, ${kind}: p50 ${quantile(times, 0.5)} p95 ${quantile(times, 0.95)} ms, ` +
            `processor time of this process ${own} ms, of the server ${server} ms`
        )
      }
    }
  })

/** How many of many searches are answered in time. */
const measureCrowd = (name: string, store: Store) =>
  Effect.gen(function*() {
    const embedder = yield* Embedder.Embedder
    const asked = yield* Effect.forEach(Array.from({ length: 60 }, () => text(6)), (question) =>
      Effect.map(embedder.embed([question]), ([vector]) => ({ question, vector })))
    const results = yield* Effect.forEach(asked, ({ question, vector }) =>
      timed(Effect.either(
        TimeLimit.within(store.search({ tenant: "tenant", text: question, vector, limit: 10 }), "1500 millis")
      )), { concurrency: "unbounded" })
    const answered = results.filter(({ value }) =>
      Either.isRight(value)
    ).map(({ millis }) => millis)
      .sort((a, b) => a - b)
    console.log(
      `${name}: 60 searches at once, 1.5 s each: ${answered.length} answered, the first after ${
        quantile(answered, 0)
      } ms, the last after ${quantile(answered, 1)} ms`
    )
  })

/** The first ten of searches by vector, as the index finds them and as all do. */
const measureIndex = (name: string, exact: Store) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const embedder = yield* Embedder.Embedder
    const ask = (store: Store, question: string) =>
      Effect.flatMap(embedder.embed([question]), ([vector]) =>
        Effect.map(
          store.search({ tenant: "tenant", text: question, vector, limit: 10 }),
          (hits) => hits.map(({ passage }) => passage.documentId)
        ))
    const questions = Array.from({ length: 50 }, () => text(6))
    const expected = yield* Effect.forEach(questions, (question) => ask(exact, question))
    const { millis } = yield* timed(Effect.zipRight(
      Layer.build(PgDocumentStore.layer()),
      Effect.repeat(
        sql`select from pg_index where indexrelid = to_regclass('causeway_vectors_hnsw_384') and indisvalid`,
        { until: (rows) => rows.length > 0, schedule: Schedule.spaced("1 second") }
      )
    ))
    // Its statistics come last.
    yield* sql`analyze causeway_vectors`
    const [size] = yield* sql<{ readonly size: string }>`
      select pg_size_pretty(pg_relation_size('causeway_vectors_hnsw_384')) as size`
    console.log(`${name}: index on vectors built in ${(millis / 1_000).toFixed(0)} s, ${size?.size}`)
    const found = yield* Effect.forEach(questions, (question) => ask(exact, question))
    const shared = found.map((ids, n) => ids.filter((id) => expected[n]?.includes(id)).length / ids.length)
    console.log(`${name}: of the ten best, ${
      (100 * shared.reduce((sum, share) => sum + share, 0) / shared.length).toFixed(0)
    } % are those without it`)
    yield* measureSearch(`${name} with index`, exact)
  })

const measure = (name: string) =>
  Effect.gen(function*() {
    const store = yield* DocumentStore.DocumentStore
    const rates: Array<string> = []
    for (let quarter = 0; quarter < 4; quarter++) {
      let spent = 0
      for (let at = 0; at < passages / 4; at += 1_000) {
        const documents = part(quarter * passages / 4 + at, Math.min(1_000, passages / 4 - at))
        spent += (yield* timed(store.index("tenant", documents))).millis
      }
      rates.push((passages / 4 / spent * 1_000).toFixed(0))
    }
    console.log(`${name}: documents/s by quarter ${rates.join(", ")}`)
    const single = yield* Effect.forEach(part(0, 20), (document) =>
      Effect.map(timed(store.index("tenant", [document])), ({ millis }) => millis))
    console.log(`${name}: one document replaced, p50 ${
      quantile(single.sort((a, b) => a - b), 0.5)
    } ms`)
    console.log(`${name}: ${JSON.stringify(yield* store.size("tenant"))}`)
    // What the store does on PGlite, and a server by itself within a minute.
    yield* Effect.flatMap(SqlClient.SqlClient, (sql) => sql`vacuum (analyze)`)
    yield* measureSearch(name, store)
    yield* measureCrowd(name, store)
    const [vectors] = yield* Effect.flatMap(SqlClient.SqlClient, (sql) =>
      sql`select from pg_attribute where attrelid = 'causeway_vectors'::regclass
        and attname = 'embedding' and format_type(atttypid, null) = 'vector'`)
    if (passages >= 20_000 && vectors !== undefined && name !== "PGlite") {
      yield* measureIndex(name, store)
    }
  }).pipe(Effect.scoped)

const on = <E, R>(name: string, client: Layer.Layer<SqlClient.SqlClient, E, R>) =>
  measure(name).pipe(Effect.provide(
    PgDocumentStore.layer({ indexFrom: Number.POSITIVE_INFINITY }).pipe(
      Layer.provideMerge(Layer.merge(client, Embedder.layerHash))
    )
  ))

await Effect.gen(function*() {
  if ("PGlite".includes(only)) {
    const parent = yield* Effect.acquireRelease(
      Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "causeway-bench-"))),
      (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
    )
    const client = Pglite.layer({ dataDir: Path.join(parent, "data") })
    const open = Effect.scoped(Layer.build(PgDocumentStore.layer().pipe(Layer.provide([client, Embedder.layerHash]))))
    console.log(`PGlite: first opening ${(yield* timed(open)).millis.toFixed(0)} ms`)
    yield* on("PGlite", client)
    for (let n = 0; n < 3; n++) {
      console.log(`PGlite: opening again and closing ${(yield* timed(open)).millis.toFixed(0)} ms`)
    }
  }
  for (const { bin, name } of Postgres.found.filter(({ name }) => name.includes(only))) {
    yield* on(name, Layer.unwrapEffect(Effect.map(Postgres.Server, ({ empty }) => empty))).pipe(
      Effect.provide(Postgres.layer(bin))
    )
  }
}).pipe(Effect.scoped, Effect.runPromise)
