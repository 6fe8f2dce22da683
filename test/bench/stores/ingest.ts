/**
 * Fills a store with the corpus: in batches, and the last of it one document at
 * a time.
 *
 * @since 0.1.0
 */
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Effect from "effect/Effect"
import * as Corpus from "./corpus.js"
import * as Figures from "./figures.js"

/**
 * @since 0.1.0
 */
export interface Settings {
  readonly corpus: Corpus.Corpus
  readonly report: Figures.Report
  /** Those of the tenant that is asked; another has a tenth of them besides. */
  readonly passages: number
}

const batch = 100

/** So many passages at most are indexed one document at a time. */
const singly = 600

interface Held {
  readonly documents: number
  readonly passages: number
  /** Of each call, milliseconds. */
  readonly times: ReadonlyArray<number>
}

/** Indexes a tenant's next documents, so many in a call, until it has so many passages. Making them takes no part of the time. */
const fill = (corpus: Corpus.Corpus, tenant: Corpus.Tenant, size: number, until: number, from?: Held) =>
  Effect.gen(function*() {
    const store = yield* DocumentStore.DocumentStore
    let documents = from?.documents ?? 0
    let passages = from?.passages ?? 0
    const times: Array<number> = []
    while (passages < until) {
      const next = Array.from({ length: size }, (_, n) => corpus.document(tenant, documents + n))
      const [millis, outcomes] = yield* Figures.timed(store.index(tenant, next))
      for (const outcome of outcomes) {
        if (outcome.status !== "indexed") throw new Error(`${outcome.id} is ${outcome.status}`)
        passages += outcome.passages
      }
      times.push(millis)
      documents += size
    }
    return { documents, passages, times }
  })

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

/** What embedding takes of the times below, and a question before it is searched for. */
const embedding = ({ corpus, report }: Settings) =>
  Effect.gen(function*() {
    const embedder = yield* Embedder.Embedder
    const texts = Array.from({ length: 300 }, (_, n) => corpus.document(Corpus.tenants.other, n).text.slice(0, 1_200))
    yield* embedder.embed(texts.slice(0, 100))
    const [millis] = yield* Figures.timed(embedder.embed(texts.slice(100)))
    report({ name: "embedding alone: passages", unit: "/s", value: 200 / millis * 1_000 })
    const questions = Array.from({ length: 300 }, (_, n) => corpus.question(n, 6, 100))
    const times = yield* Effect.forEach(questions, (question) => Figures.timed(embedder.embed([question])))
    report(Figures.ofTimes("embedding alone: a question of 6 words", times.slice(100).map(([millis]) => millis)))
  })

/**
 * Gives how many documents the tenant has that is asked.
 *
 * @since 0.1.0
 */
export const ingest = (settings: Settings) =>
  Effect.gen(function*() {
    const { corpus, passages, report } = settings
    const store = yield* DocumentStore.DocumentStore
    yield* embedding(settings)
    const { asked, other } = Corpus.tenants
    const others = yield* fill(corpus, other, batch, passages / 10)
    const first = yield* fill(corpus, asked, batch, passages - Math.min(singly, passages / 2))
    const millis = sum(others.times) + sum(first.times)
    const rate = (count: number): number => count / millis * 1_000
    const name = `ingest, ${batch} at a time`
    report({ name: `${name}: documents`, unit: "/s", value: rate(others.documents + first.documents) })
    report({ name: `${name}: passages`, unit: "/s", value: rate(others.passages + first.passages) })
    const all = yield* fill(corpus, asked, 1, passages, first)
    report(Figures.ofTimes("ingest, one document", all.times))
    const size = yield* store.size(asked)
    if (size.passages !== all.passages || size.documents !== all.documents) throw new Error("some are not stored")
    return { documents: all.documents, passages: all.passages + others.passages }
  })
