/**
 * Asks a store: one question after the other in several ways, and many at once.
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
  /** How many the tenant has that is asked. */
  readonly documents: number
  readonly queries: number
  /** What the median of a hybrid search may be at 10,000 passages, milliseconds. */
  readonly budget: number | undefined
}

const limit = 10
const lengths = [3, 6, 12]
const warmUp = 20
const atOnce = 16

type Arm = "both" | "words" | "vector"

/** Questions of these lengths in turn with their vectors; no two calls with another `from` give the same. */
const questionsOf = ({ corpus, documents }: Settings, from: number, count: number, of = lengths) =>
  Effect.gen(function*() {
    const embedder = yield* Embedder.Embedder
    const texts = Array.from(
      { length: count },
      (_, n) => corpus.question(from * 10_000 + n, of[n % of.length] ?? 6, documents)
    )
    const vectors = yield* embedder.embed(texts)
    return texts.map((text, n) => ({ text, vector: vectors[n] }))
  })

type Question = Effect.Effect.Success<ReturnType<typeof questionsOf>>[number]

const ask = ({ text, vector }: Question, arm: Arm, filter?: DocumentStore.Filter) =>
  Effect.flatMap(DocumentStore.DocumentStore, (store) =>
    store.search({
      tenant: Corpus.tenants.asked,
      text: arm === "vector" ? "" : text,
      vector: arm === "words" ? undefined : vector,
      limit,
      filter
    }))

/** A time of finding the wrong thing is worth nothing. */
const check = (hits: ReadonlyArray<DocumentStore.Hit>, filter: DocumentStore.Filter | undefined): void => {
  for (const { passage: { documentId, metadata } } of hits) {
    const passes = filter === undefined ||
      (filter === Corpus.few ? metadata["company"] === "company-07" : Number(metadata["priority"]) >= 5)
    if (!passes || !documentId.startsWith(`${Corpus.tenants.asked}-`)) throw new Error(`${documentId} was found`)
  }
}

const oneByOne = (questions: ReadonlyArray<Question>, arm: Arm, filter?: DocumentStore.Filter) =>
  Effect.map(
    Effect.forEach(questions, (question) =>
      Effect.map(Figures.timed(ask(question, arm, filter)), ([millis, hits]) => {
        check(hits, filter)
        return { millis, isEmpty: hits.length === 0 }
      })),
    (found) => found.slice(warmUp)
  )

const crowd = (questions: ReadonlyArray<Question>) =>
  Effect.forEach(
    questions,
    // Each waits for its turn behind the others, also where a search is one turn of the event loop.
    (question) => Figures.timed(Effect.zipRight(Effect.yieldNow(), ask(question, "both"))),
    { concurrency: atOnce }
  )

/**
 * Measures searches; `stage` stands before the figures' names.
 *
 * @since 0.1.0
 */
export const search = (settings: Settings, stage = "") =>
  Effect.gen(function*() {
    const { budget, queries, report } = settings
    const told = budget === undefined ? {} : { budget }
    const show = (name: string, found: ReadonlyArray<{ millis: number; isEmpty: boolean }>, more = told): void => {
      const empty = found.filter(({ isEmpty }) => isEmpty).length
      report(
        empty === found.length
          ? { name: stage + name, unit: "ms", note: "finds nothing" }
          : Figures.ofTimes(stage + name, found.map(({ millis }) => millis), {
            ...more,
            ...(empty === 0 ? {} : { note: `${empty} of ${found.length} found nothing` })
          })
      )
    }
    const all: Array<{ millis: number; isEmpty: boolean }> = []
    for (const [n, length] of lengths.entries()) {
      const found = yield* oneByOne(yield* questionsOf(settings, n, queries + warmUp, [length]), "both")
      show(`hybrid search, ${length} words`, found)
      all.push(...found)
    }
    show("hybrid search, all of these", all)
    const mixed = (from: number, arm: Arm, filter?: DocumentStore.Filter) =>
      Effect.flatMap(questionsOf(settings, from, queries + warmUp), (questions) => oneByOne(questions, arm, filter))
    show("hybrid, 1 % pass the filter", yield* mixed(3, "both", Corpus.few))
    show("hybrid, 95 % pass the filter", yield* mixed(4, "both", Corpus.most))
    show("by words alone", yield* mixed(5, "words"), {})
    show("by the vector alone", yield* mixed(6, "vector"), {})
    const [millis, times] = yield* Figures.timed(crowd(yield* questionsOf(settings, 7, queries)))
    report({ name: `${stage}${atOnce} at once: searches`, unit: "/s", value: times.length / millis * 1_000 })
    report(Figures.ofTimes(`${stage}${atOnce} at once: each`, times.map(([each]) => each)))
  })

/**
 * The passages found for a hundred questions, by the vector alone and by both.
 *
 * @since 0.1.0
 */
export const best = (settings: Settings) =>
  Effect.gen(function*() {
    const questions = yield* questionsOf(settings, 8, 100)
    const found = (arm: Arm) =>
      Effect.forEach(questions, (question) =>
        Effect.map(
          ask(question, arm),
          (hits) => hits.map(({ passage: { documentId, position } }) => `${documentId} ${position}`)
        ))
    return { vector: yield* found("vector"), both: yield* found("both") }
  })
