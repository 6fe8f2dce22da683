import { assert, describe, it } from "@effect/vitest"
import type { Passage } from "causeway-mcp/document/Document"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as DocumentStoreLaws from "causeway-mcp/testing/DocumentStoreLaws"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

type Store = DocumentStore.DocumentStore["Type"]

const memory = Layer.provideMerge(DocumentStore.layerMemory, Embedder.layerHash)

/** A store in memory of which something is wrong. */
const broken = (fault: (store: Store) => Partial<Store>) =>
  Layer.effect(
    DocumentStore.DocumentStore,
    Effect.map(DocumentStore.DocumentStore, (store) => ({ ...store, ...fault(store) }))
  ).pipe(Layer.provideMerge(memory))

const faults: ReadonlyArray<readonly [fault: string, law: string, (store: Store) => Partial<Store>]> = [
  [
    "gives spans that are off by one",
    "tells where each passage stands",
    (store) => ({
      get: (tenant, id) =>
        Effect.map(store.get(tenant, id), (passages) =>
          passages.map(({ span = { start: 0, end: 0 }, ...passage }) => ({
            ...passage,
            span: { start: span.start + 1, end: span.end + 1 }
          })))
    })
  ],
  [
    "forgets versions",
    "takes a higher version and keeps it",
    (store) => ({
      index: (tenant, documents) => store.index(tenant, documents.map(({ version: _, ...document }) => document))
    })
  ],
  [
    "takes a batch one document at a time",
    "takes of one id in a batch the highest version",
    (store) => ({
      index: (tenant, documents) =>
        Effect.map(
          Effect.forEach(documents, (document) => store.index(tenant, [document])),
          (outcomes) => outcomes.flat()
        )
    })
  ],
  [
    "fails a batch for one document",
    "refuses every kind of bad document",
    (store) => ({
      index: (tenant, documents) =>
        documents.some(({ text }) => text === "")
          ? new DocumentStore.DocumentStoreError({ method: "index", reason: new DocumentStore.Unavailable({}) })
          : store.index(tenant, documents)
    })
  ],
  [
    "starts each page anew",
    "walks through everything exactly once",
    (store) => ({ list: (tenant, { after: _, ...options }) => store.list(tenant, options) })
  ],
  [
    "walks by number and not by place",
    "gives what stayed exactly once in a walk",
    (store) => {
      let at = 0
      return {
        list: (tenant, { limit, ...options }) => {
          if (options.after === undefined) at = 0
          const from = at
          at += limit
          return Effect.map(
            store.list(tenant, { ...options, after: undefined, limit: 1000 }),
            (all) => all.slice(from, from + limit)
          )
        }
      }
    }
  ],
  [
    "takes a date that is none for no date",
    "fails as invalid, by the field's name",
    (store) => ({
      search: (query) => Effect.catchAll(store.search(query), () => Effect.succeed([]))
    })
  ],
  [
    "takes a range for no condition",
    "filters by a range of numbers",
    (store) => ({
      search: ({ filter: _, ...query }) => store.search(query)
    })
  ],
  [
    "passes on what comes of NaN",
    "searches by words alone for a vector that is not of finite numbers",
    (store) => ({
      search: (query) =>
        Effect.map(
          store.search(query),
          (hits) => query.vector === undefined ? hits : hits.map((hit) => ({ ...hit, score: Number.NaN }))
        )
    })
  ],
  [
    "cuts the names of tenants",
    "takes a tenant's name of 2,000 bytes",
    (store) => ({ index: (tenant, documents) => store.index(tenant.slice(0, 500), documents) })
  ],
  [
    "hands out what it keeps",
    "keeps what is stored apart",
    (store) => {
      const kept = new Map<string, ReadonlyArray<Passage>>()
      return {
        get: (tenant, id) =>
          Effect.map(store.get(tenant, id), (passages) => {
            const known = kept.get(`${tenant} ${id}`) ?? passages
            kept.set(`${tenant} ${id}`, known)
            return known
          })
      }
    }
  ],
  [
    "remembers what a filter let through",
    "sees what a document became",
    (store) => {
      const known = new Map<string, ReadonlyArray<DocumentStore.Hit>>()
      return {
        search: (query) => {
          const key = JSON.stringify([query.tenant, query.text, query.filter])
          return known.has(key)
            ? Effect.succeed(known.get(key) ?? [])
            : Effect.tap(store.search(query), (hits) => Effect.sync(() => known.set(key, hits)))
        }
      }
    }
  ],
  [
    "takes filters of one beginning for one",
    "tells filters apart",
    (store) => ({ search: ({ filter: { until: _, ...filter } = {}, ...query }) => store.search({ ...query, filter }) })
  ],
  [
    "shows its score as a share",
    "lowers the share alike",
    (store) => ({
      search: (query) =>
        Effect.map(
          store.search(query),
          (hits) => hits.map((hit) => ({ ...hit, signals: { ...hit.signals, bm25Share: hit.score } }))
        )
    })
  ],
  [
    "weighs words by what was removed, too",
    "weighs words by what is stored now",
    (store) => {
      const removed = new Set<string>()
      return {
        remove: (tenant, ids) => Effect.sync(() => ids.filter((id) => !removed.has(id) && removed.add(id)).length),
        search: (query) =>
          Effect.map(store.search(query), (hits) => hits.filter(({ passage }) => !removed.has(passage.documentId)))
      }
    }
  ],
  [
    "orders ids as people do",
    "breaks ties by document id, then position",
    (store) => ({
      search: (query) =>
        Effect.map(
          store.search(query),
          (hits) =>
            [...hits].sort((a, b) => b.score - a.score || a.passage.documentId.localeCompare(b.passage.documentId))
        )
    })
  ],
  [
    "searches by words alone where there are some",
    "puts the nearer of two passages first",
    (store) => ({
      search: (query) => store.search(query.text === "" ? query : { ...query, vector: undefined })
    })
  ],
  [
    "tells a change twice",
    "tells each write once, in order",
    (store) => ({
      changes: (options) => Stream.flatMap(store.changes(options), (change) => Stream.make(change, change))
    })
  ],
  [
    "tells changes from the first one always",
    "goes on exactly after a revision",
    (store) => ({
      changes: (options) => store.changes(options === undefined ? undefined : { ...options, after: 0 })
    })
  ],
  [
    "tells a tenant of what is another's",
    "never tells a tenant of another's changes",
    (store) => ({
      changes: (options) =>
        store.changes(options === undefined ? undefined : { tenant: `${options.tenant}'`, after: 0 })
    })
  ],
  [
    "tells of a state before it can be read",
    "tells of a document only when it can be read",
    (store) => ({
      changes: (options) =>
        Stream.map(store.changes(options), (change) => ({ ...change, version: (change.version ?? 0) + 1 }))
    })
  ]
]

const passed = (name: string) =>
  Effect.forEach(
    DocumentStoreLaws.laws.filter((law) => law.name.startsWith(name)),
    (law) => Effect.map(Effect.exit(law.check), Exit.isSuccess)
  )

describe("DocumentStoreLaws", () => {
  for (const [fault, law, store] of faults) {
    it.effect(`catches a store that ${fault}`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* Effect.provide(passed(law), memory), [true])
        assert.deepStrictEqual(yield* Effect.provide(passed(law), broken(store)), [false])
      }))
  }

  it("says each law once", () => {
    const names = DocumentStoreLaws.laws.map(({ name }) => name)
    assert.strictEqual(new Set(names).size, names.length)
  })
})
