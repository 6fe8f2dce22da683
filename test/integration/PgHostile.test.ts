import { assert, describe, it, layer } from "@effect/vitest"
import type { Document } from "causeway-mcp/document/Document"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Directory from "../document/directory.js"
import * as Postgres from "./postgres.js"

const { missing } = Postgres
if (missing !== undefined) {
  // A reporter shows no reason for what it skips.
  process.stderr.write(`Hostile questions to a server: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("hostile questions to a server", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

const meta = [
  "'",
  "\"",
  "\\",
  "{",
  "}",
  ",",
  "%",
  "_",
  "$1",
  "::int",
  "--",
  "/*",
  ";",
  "\u2028",
  "\u{1f9ff}",
  "NULL",
  "\\x00"
]

const dates = [
  ...["0001-01-01", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00-14:00"],
  ...["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999-14:00", "9999-12-31T23:59:59.999999999Z"],
  ...["0000-01-01", "-000001-01-01T00:00:00Z", "+275760-09-13T00:00:00.000Z", "275760-09-13", "10000-01-01"],
  ...[
    "2026-02-29",
    "2024-02-29",
    "1582-10-10",
    "1900-02-29",
    "1969-12-31T23:59:59.999Z",
    "2026-06-30T23:59:60Z",
    "BC",
    ""
  ]
]

const numbers = [
  0,
  -0,
  1,
  -1,
  0.1,
  5e-324,
  -5e-324,
  1e308,
  -1e308,
  1.7976931348623157e308,
  -1.7976931348623157e308,
  2 ** 53
]

const ids = ["x".repeat(512), "\u{1f9ff}".repeat(256), "é".repeat(512), "a", " a", "a ", "A", "á", "a\u0301"]

/** JSON, in which Postgres keeps facts, has no -0. */
const documents: ReadonlyArray<Document> = [
  ...ids.map((id) => ({ id, text: `Named ${id.length} heron.` })),
  ...meta.map((text, n) => ({
    id: `m${n}${text}`,
    text: `heron ${text} vole`,
    title: text,
    metadata: { [text]: text }
  })),
  ...dates.map((publishedAt, n) => ({ id: `t${n}`, text: "A dated heron.", publishedAt })),
  ...numbers.map((n, at) => ({ id: `n${at}`, text: "A counted heron.", metadata: { n: n + 0 } })),
  { id: "x".repeat(513), text: "heron" },
  { id: "\u{1f9ff}".repeat(257), text: "heron" },
  { id: "half \ud83e", text: "heron" },
  { id: "v", text: "heron", version: Number.MAX_SAFE_INTEGER }
]

const range = (min: number, max: number): DocumentStore.Filter => ({ metadata: { n: { min, max } } })

/** What a type forbids may come from a client all the same. */
const foreign = (filter: unknown): DocumentStore.Filter => filter as DocumentStore.Filter

const filters: ReadonlyArray<DocumentStore.Filter> = [
  ...dates.flatMap((date) => [{ since: date }, { until: date }, { since: date, until: "9999-12-31T23:59:59.999Z" }]),
  ...numbers.flatMap((n) => [range(n, n), range(-Infinity, n), range(n, Infinity), { metadata: { n } }]),
  range(1e308, -1e308),
  range(-Infinity, Infinity),
  range(Number.NaN, 1),
  { metadata: { n: Array.from({ length: 1_000 }, (_, n) => n === 999 ? 1e308 : n + 0.5) } },
  { metadata: { n: Array.from({ length: 1_000 }, (_, n) => `${n}'"\\{}`) } },
  { metadata: Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`k${n}`, [n, "x"]])) },
  { documentIds: Array.from({ length: 5_000 }, (_, n) => n === 0 ? "v" : `${n}'"\\{},`) },
  { documentIds: ["é".repeat(2_001), "v", "a\0", "\ud800"] },
  { documentIds: ids },
  ...meta.map((text) => ({ metadata: { [text]: [text, `${text}${text}`] } })),
  { metadata: { "a\0": 1 } },
  { metadata: { n: "\ud800" } },
  foreign({ metadata: { n: { min: { min: 0 }, max: 1 } } }),
  foreign({ metadata: { n: { min: [0], max: "1" } } }),
  foreign({ metadata: { n: [[1], 1] } }),
  foreign({ metadata: { n: [null, 1] } }),
  foreign({ metadata: { n: null } }),
  foreign({ metadata: { n: { $gt: 1 } } }),
  foreign({ metadata: { n: 1n } }),
  foreign({ since: 5 }),
  foreign({ documentIds: "v" }),
  foreign({ documentIds: [1, null, "v"] })
]

const texts = [
  ...["heron", "", " ", "\0", "heron\0vole", "\ud800", "heron \udfff vole", "🧿".repeat(5_000), "\u0301\u0301heron"],
  ...[Array.from({ length: 10_000 }, (_, n) => `w${n}`).join(" "), `heron ${"x".repeat(100_000)}`],
  ...meta.map((text) => `heron ${text} vole`)
]

type Store = Context.Tag.Service<DocumentStore.DocumentStore>

/** What became of a question: what was found, or why not. A defect is none of these. */
const answer = <A>(ask: Effect.Effect<A, DocumentStore.DocumentStoreError>) =>
  Effect.map(Effect.either(ask), Either.mapLeft(({ reason }) => reason._tag))

const brief = (hits: ReadonlyArray<DocumentStore.Hit>) =>
  hits.map(({ passage: { documentId, publishedAt }, signals }) => [documentId, publishedAt, signals.bm25])

const compared = Effect.gen(function*() {
  const store = yield* DocumentStore.DocumentStore
  const memory = Context.get(
    yield* Layer.build(Layer.provide(DocumentStore.layerMemory, Embedder.layerHash)),
    DocumentStore.DocumentStore
  )
  const both = <A>(what: string, ask: (each: Store) => Effect.Effect<A, DocumentStore.DocumentStoreError>) =>
    Effect.gen(function*() {
      const expected = yield* answer(ask(memory))
      assert.deepStrictEqual(yield* answer(ask(store)), expected, what)
    })
  const tenants = ["t", "t'\"\\{}", "é".repeat(1_000), "", " "]
  for (const tenant of tenants) {
    yield* both(`index for ${tenant.slice(0, 9)}`, (each) => each.index(tenant, documents))
    yield* both("size", (each) => each.size(tenant))
  }
  for (const [n, filter] of filters.entries()) {
    const what = `filter ${n}: ${
      JSON.stringify(filter, (_, value) => typeof value === "bigint" ? `${value}` : value)
        .slice(0, 200)
    }`
    yield* both(`list, ${what}`, (each) => each.list("t", { filter, limit: 1_000 }))
    yield* both(what, (each) => Effect.map(each.search({ tenant: "t", text: "heron", limit: 100, filter }), brief))
  }
  for (const text of texts) {
    yield* both(
      `text ${JSON.stringify(text.slice(0, 40))}`,
      (each) => Effect.map(each.search({ tenant: "t", text, limit: 100 }), brief)
    )
  }
  for (const id of [...ids, "é".repeat(2_001), "a\0", "\ud800", ...documents.map(({ id }) => id)]) {
    yield* both(
      `get ${id.slice(0, 20)}`,
      (each) => Effect.map(each.get("t", id), (passages) => passages.map(({ indexedAt: _, ...rest }) => rest))
    )
    yield* both(
      `list after ${id.slice(0, 20)}`,
      (each) => each.list("t", { limit: 3, after: { id, publishedAt: "9999-12-31T23:59:59.999Z" } })
    )
  }
  for (const limit of [0, -1, 0.5, 1.5, 101, 1e308, -1e308, Infinity, -Infinity, Number.NaN]) {
    yield* both(`limit ${limit}`, (each) => Effect.map(each.search({ tenant: "t", text: "heron", limit }), brief))
    yield* both(`list ${limit}`, (each) => each.list("t", { limit }))
  }
  yield* both("remove", (each) => each.remove("t", [...ids, "é".repeat(2_001), "a\0", "\ud800", ...meta]))
  yield* both("rest", (each) => each.list("t", { limit: 1_000 }))
})

const Store = PgDocumentStore.layer().pipe(Layer.provide(Embedder.layerHash))

const title = "answers every one as the store in memory does"

describe("hostile questions to PGlite", () => {
  const Client = Layer.unwrapScoped(Effect.map(Directory.prepared, (dataDir) => Pglite.layer({ dataDir })))
  it.scoped(title, () => Effect.provide(compared, Layer.provide(Store, Client)), 120_000)
})

for (const { bin, name } of Postgres.found) {
  layer(Postgres.layer(bin), { timeout: "60 seconds" })(`hostile questions to ${name}`, (it) => {
    it.scoped(
      title,
      () => Effect.flatMap(Postgres.Server, ({ empty }) => Effect.provide(compared, Layer.provide(Store, empty))),
      120_000
    )
  })
}
