/**
 * Random work by tenants who use the same ids and say much the same, held
 * against a model that is too simple to be wrong.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Chunker from "causeway-mcp/document/Chunker"
import type { Document, MetadataValue } from "causeway-mcp/document/Document"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Fusion from "causeway-mcp/document/internal/Fusion"
import * as Tokenizer from "causeway-mcp/document/Tokenizer"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { randomUUID } from "node:crypto"

const words = [
  "okapi",
  ...["tapir", "gecko", "newt", "heron", "vole", "ibex", "yak", "lemur", "stork", "otter", "wombat"]
] as const

const dimensions = 8

/** No number below 0, so that a cosine is 0 exactly or well above. */
const vectorOf = (text: string): Float32Array => {
  const vector = new Float32Array(dimensions)
  for (const [n, word] of words.entries()) {
    const count = text.split(word).length - 1
    vector[n % dimensions] = (vector[n % dimensions] ?? 0) + count
  }
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  return length === 0 ? vector : vector.map((value) => value / length)
}

/**
 * The embedder that the store under test must be built with.
 *
 * @since 0.1.0
 */
export const embedder: Layer.Layer<Embedder.Embedder> = Layer.succeed(Embedder.Embedder, {
  id: "test-wall-8",
  dimensions,
  embed: (texts) => Effect.sync(() => texts.map(vectorOf))
})

interface Held {
  readonly document: Document
  version: number | undefined
}

interface Tenant {
  readonly name: string
  readonly documents: Map<string, Held>
  readonly changes: Array<{ readonly documentId: string; readonly kind: string; readonly version: number | undefined }>
  followed: number
}

const contentOf = ({ version: _, ...content }: Document): string => JSON.stringify(content)

const makeRandom = (seed: number) => {
  let state = seed >>> 0
  const below = (most: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 4_294_967_296) * most)
  }
  const pick = <A>(items: readonly [A, ...ReadonlyArray<A>]): A => items[below(items.length)] ?? items[0]
  return { below, pick }
}

type Random = ReturnType<typeof makeRandom>

const filler = "It goes on for a while about this and that. "

const makeDocument = ({ below, pick }: Random, tenant: string): Document => {
  const said = Array.from({ length: 1 + below(4) }, () => pick(words)).join(" ")
  const text = below(12) === 0 ? `${said}. ${filler.repeat(45)}The ${pick(words)} ends it.` : `A ${said}.`
  return {
    id: `d${below(20)}`,
    text,
    ...(below(3) === 0 ? { title: pick(words) } : {}),
    ...(below(2) === 0 ? { publishedAt: `2026-0${1 + below(9)}-01T00:00:00.000Z` } : {}),
    ...(below(2) === 0 ? { version: below(6) } : {}),
    metadata: { owner: tenant, group: below(3), even: below(2) === 0 }
  }
}

const makeFilter = ({ below, pick }: Random): DocumentStore.Filter | undefined =>
  pick<DocumentStore.Filter | undefined>([
    undefined,
    undefined,
    undefined,
    { metadata: { group: below(4) } },
    { metadata: { even: true, group: [0, 2] } },
    { metadata: { group: { min: 1 } } },
    { since: "2026-04-01" },
    { until: "2026-06-01", metadata: { even: false } },
    { documentIds: ["d1", "d2", "d3", "d19", "d99"] }
  ])

const isRange = (condition: DocumentStore.Condition): condition is DocumentStore.Range =>
  typeof condition === "object" && !Array.isArray(condition)

const holds = (value: MetadataValue | undefined, condition: DocumentStore.Condition): boolean =>
  isRange(condition)
    ? typeof value === "number" && value >= (condition.min ?? -Infinity) && value <= (condition.max ?? Infinity)
    : [condition].flat().some((wanted) => wanted === value)

const passes = (document: Document, filter: DocumentStore.Filter | undefined): boolean => {
  const at = document.publishedAt === undefined ? undefined : Date.parse(document.publishedAt)
  return Object.entries(filter?.metadata ?? {}).every(([key, wanted]) => holds(document.metadata?.[key], wanted)) &&
    (filter?.since === undefined || (at !== undefined && at >= Date.parse(filter.since))) &&
    (filter?.until === undefined || (at !== undefined && at < Date.parse(filter.until))) &&
    (filter?.documentIds === undefined || filter.documentIds.includes(document.id))
}

/** What the rules of versions make of one document. */
const take = (tenant: Tenant, document: Document): string => {
  const held = tenant.documents.get(document.id)
  const { version } = document
  if (held !== undefined && contentOf(held.document) === contentOf(document)) {
    held.version = version === undefined || held.version === undefined ? version : Math.max(version, held.version)
    return "unchanged"
  }
  if (held?.version !== undefined && version !== undefined && version <= held.version) {
    return version === held.version ? "refused" : "outdated"
  }
  tenant.documents.set(document.id, { document, version })
  tenant.changes.push({ documentId: document.id, kind: "indexed", version })
  return "indexed"
}

const cut = (document: Document) =>
  Chunker.chunk(document).map(({ position, text }) => {
    const whole = Chunker.embedded(document.title, text)
    return { document, position, tokens: Tokenizer.tokens(whole), vector: vectorOf(whole) }
  })

const known = new WeakMap<Document, ReturnType<typeof cut>>()

const passagesOf = (tenant: Tenant) =>
  [...tenant.documents.values()].flatMap(({ document }) => {
    const passages = known.get(document) ?? cut(document)
    known.set(document, passages)
    return passages
  })

/** Every passage a search may find, with what the arms see in it, by the definitions alone. */
const expected = (tenant: Tenant, query: DocumentStore.Query): ReadonlyMap<string, Fusion.Candidate> => {
  const all = passagesOf(tenant)
  const average = all.reduce((sum, { tokens }) => sum + tokens.length, 0) / all.length
  const terms = Tokenizer.terms(query.text)
  const weights = terms.map((term) => Fusion.idf(all.length, all.filter(({ tokens }) => tokens.includes(term)).length))
  const found = all.filter(({ document }) => passes(document, query.filter)).map((passage) => ({
    documentId: passage.document.id,
    position: passage.position,
    bm25: terms.reduce((sum, term, n) => {
      const count = passage.tokens.filter((token) => token === term).length
      return count === 0 ? sum : sum + Fusion.termScore(weights[n] ?? 0, count, passage.tokens.length, average)
    }, 0),
    cosine: query.vector?.reduce((sum, value, d) => sum + value * (passage.vector[d] ?? 0), 0) ?? 0
  })).filter(({ bm25, cosine }) => bm25 > 0 || cosine > 0)
  return new Map(found.map((candidate) => [`${candidate.documentId}#${candidate.position}`, candidate]))
}

/** The order that follows from what the arms saw. */
const order = (hits: ReadonlyArray<DocumentStore.Hit>): ReadonlyArray<string> =>
  Fusion.fuse(
    hits.map(({ passage: { documentId, position }, signals }) => ({ documentId, position, ...signals })),
    { lexicalWeight: 0.5, ceiling: 1, limit: 100 }
  ).map(({ candidate }) => `${candidate.documentId}#${candidate.position}`)

const listOf = (tenant: Tenant, filter: DocumentStore.Filter | undefined): ReadonlyArray<string> =>
  [...tenant.documents.values()].map(({ document }) => document).filter((document) => passes(document, filter)).sort((
    a,
    b
  ) => (b.publishedAt ?? "").localeCompare(a.publishedAt ?? "") || (a.id < b.id ? -1 : 1)).map(({ id }) => id)

/**
 * What was seen: passages, documents and changes that were handed out, none of
 * which was another tenant's.
 *
 * @since 0.1.0
 */
export interface Seen {
  readonly searches: number
  readonly rows: number
  readonly changes: number
}

/**
 * Does so many random operations for five tenants and dies where the store and
 * the model part. The same seed does the same.
 *
 * @since 0.1.0
 */
export const run = (
  operations: number,
  seed = 1
): Effect.Effect<Seen, DocumentStore.DocumentStoreError, DocumentStore.DocumentStore> =>
  Effect.gen(function*() {
    const store = yield* DocumentStore.DocumentStore
    const random = makeRandom(seed)
    const home = randomUUID()
    const made = (name: string): Tenant => ({
      name: `wall-${home}-${name}`,
      documents: new Map(),
      changes: [],
      followed: 0
    })
    const tenants = [made("a"), made("b"), made("c"), made("d"), made("e")] as const
    const seen = { searches: 0, rows: 0, changes: 0 }

    const own = (tenant: Tenant, rows: ReadonlyArray<DocumentStore.Hit["passage"]>): void => {
      seen.rows += rows.length
      for (const { metadata } of rows) assert.strictEqual(metadata["owner"], tenant.name)
    }

    const index = (tenant: Tenant) =>
      Effect.gen(function*() {
        const batch = Array.from({ length: 1 + random.below(3) }, () => makeDocument(random, tenant.name))
        const again = [...tenant.documents.values()].at(random.below(20))
        if (again !== undefined && random.below(4) === 0) batch.push({ ...again.document, version: random.below(8) })
        const winners = new Map<string, Document>()
        for (const document of batch) {
          const earlier = winners.get(document.id)?.version
          const isLower = earlier !== undefined && document.version !== undefined && document.version < earlier
          if (!isLower) winners.set(document.id, document)
        }
        const statuses = new Map([...winners.values()].map((document) => [document.id, take(tenant, document)]))
        const outcomes = yield* store.index(tenant.name, batch)
        assert.deepStrictEqual(
          outcomes.map(({ id, status }) => [id, status]),
          batch.map(({ id }) => [id, statuses.get(id)])
        )
      })

    const remove = (tenant: Tenant) =>
      Effect.gen(function*() {
        const ids = Array.from({ length: 1 + random.below(2) }, () => `d${random.below(22)}`)
        const gone = ids.filter((id) => tenant.documents.delete(id))
        for (const documentId of gone) tenant.changes.push({ documentId, kind: "removed", version: undefined })
        assert.strictEqual(yield* store.remove(tenant.name, ids), gone.length)
      })

    const search = (tenant: Tenant) =>
      Effect.gen(function*() {
        const text = Array.from({ length: 1 + random.below(3) }, () => random.pick(words)).join(" ")
        const arm = random.below(3)
        const query = {
          tenant: tenant.name,
          text: arm === 1 ? "" : text,
          vector: arm === 0 ? undefined : vectorOf(text),
          limit: 100,
          filter: makeFilter(random)
        }
        const hits = yield* store.search(query)
        own(tenant, hits.map(({ passage }) => passage))
        seen.searches++
        const model = expected(tenant, query)
        const found = hits.map(({ passage }) => `${passage.documentId}#${passage.position}`)
        assert.deepStrictEqual([...found].sort(), [...model.keys()].sort())
        assert.deepStrictEqual(found, order(hits))
        for (const [n, { signals }] of hits.entries()) {
          assert.closeTo(signals.bm25, model.get(found[n] ?? "")?.bm25 ?? Number.NaN, 1e-5)
          assert.closeTo(signals.cosine, model.get(found[n] ?? "")?.cosine ?? Number.NaN, 1e-5)
        }
      })

    const get = (tenant: Tenant) =>
      Effect.gen(function*() {
        const id = `d${random.below(22)}`
        const held = tenant.documents.get(id)
        const passages = yield* store.get(tenant.name, id)
        own(tenant, passages)
        assert.deepStrictEqual(
          passages.map(({ text, version }) => [text, version]),
          held === undefined ? [] : Chunker.chunk(held.document).map(({ text }) => [text, held.version])
        )
      })

    const list = (tenant: Tenant) =>
      Effect.gen(function*() {
        const filter = makeFilter(random)
        const all = listOf(tenant, filter)
        const limit = 1 + random.below(12)
        const listed = yield* store.list(tenant.name, { limit, filter })
        assert.deepStrictEqual(listed.map(({ id }) => id), all.slice(0, limit))
        const after = listed.at(-1)
        const rest = yield* store.list(tenant.name, { limit: 1_000, filter, after })
        assert.deepStrictEqual(rest.map(({ id }) => id), all.slice(listed.length))
        seen.rows += listed.length + rest.length
      })

    const size = (tenant: Tenant) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* store.size(tenant.name), {
          documents: tenant.documents.size,
          passages: passagesOf(tenant).length,
          revision: tenant.changes.length
        })
      })

    const follow = (tenant: Tenant) =>
      Effect.gen(function*() {
        yield* size(tenant)
        const { changes, followed, name } = tenant
        if (followed === changes.length) return
        const told = yield* store.changes({ tenant: name, after: followed }).pipe(
          Stream.take(changes.length - followed),
          Stream.runCollect
        )
        assert.deepStrictEqual(
          Chunk.toReadonlyArray(told).map((change) => [
            change.tenant,
            change.revision,
            change.documentId,
            change.kind,
            change.version
          ]),
          changes.slice(followed).map(({ documentId, kind, version }, n) => [
            name,
            followed + n + 1,
            documentId,
            kind,
            version
          ])
        )
        seen.changes += told.length
        tenant.followed = changes.length
      })

    for (let n = 0; n < operations; n++) {
      // the test runner wants a turn now and then
      if (n % 256 === 0) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      const tenant = random.pick(tenants)
      const kind = random.below(100)
      yield* kind < 30
        ? index(tenant)
        : kind < 40
        ? remove(tenant)
        : kind < 70
        ? search(tenant)
        : kind < 80
        ? get(tenant)
        : kind < 90
        ? list(tenant)
        : kind < 97
        ? size(tenant)
        : follow(tenant)
    }
    yield* Effect.forEach(tenants, follow, { discard: true })
    return seen
  })
