import { assert, describe, it } from "@effect/vitest"
import * as Calibration from "causeway-mcp/document/Calibration"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Retriever from "causeway-mcp/document/Retriever"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Questions from "../../examples/calibrate/questions.js"
import * as Run from "../../examples/calibrate/run.js"

const stores = Layer.provideMerge(DocumentStore.layerMemory, Embedder.layerHash)

const metals = ["copper", "zinc", "nickel", "lithium", "cobalt", "silver", "gold", "iron", "tin", "lead"]
const places = ["Chile", "Peru", "Norway", "Ghana", "Japan"]

/** A document for each metal and place, and a question for each that it alone answers. */
const pairs = metals.flatMap((metal) => places.map((place) => ({ metal, place, id: `${metal}-${place}` })))

const fill = Effect.gen(function*() {
  const store = yield* DocumentStore.DocumentStore
  yield* store.index(
    "t",
    pairs.map(({ id, metal, place }) => ({ id, text: `A smelter of ${metal} in ${place} reopens in spring.` }))
  )
})

const questions: ReadonlyArray<Questions.Question> = pairs.map(({ id, metal, place }) => ({
  text: `When does the ${metal} smelter in ${place} reopen?`,
  relevant: new Set([id])
}))

const options = { tenant: "t", corpus: "metals", isLexical: false }

const refusal = (given: ReadonlyArray<Questions.Question>, tenant = "t") =>
  Effect.map(Effect.flip(Run.fit(given, { ...options, tenant })), (error) => error.message)

describe("npm run calibrate", () => {
  it.effect("fits a model that a retriever of that corpus then claims", () =>
    Effect.gen(function*() {
      yield* fill
      const asked: Array<number> = []
      const { hits, model, relevant } = yield* Run.fit(questions, {
        ...options,
        onQuestion: (n) => Effect.sync(() => void asked.push(n))
      })
      assert.lengthOf(asked, 50)
      assert.deepStrictEqual([hits, relevant, model.questions], [500, 50, 50])
      assert.isAbove(model.auc, 0.9)
      const embedder = yield* Embedder.Embedder
      assert.deepInclude(model, { corpus: "metals", embedder: embedder.id, id: `metals/${embedder.id}/1970-01-01` })
      const written = Schema.encodeSync(Schema.parseJson(Calibration.Model))(model)
      const retriever = yield* Retriever.make({
        corpus: "metals",
        calibrations: [yield* Calibration.fromJson(written)]
      })
      const found = yield* retriever.retrieve({ tenant: "t", query: "zinc smelter in Peru", limit: 3 })
      assert.deepStrictEqual(found.calibration, { id: model.id, fittedOn: model.fittedOn, ece: model.ece })
      assert.isAbove(found.passages[0]?.confidence ?? 0, 0.6)
    }).pipe(Effect.provide(stores)))

  it.effect("fits one for words alone, which is claimed while the embedder fails", () =>
    Effect.gen(function*() {
      yield* fill
      const { model } = yield* Run.fit(questions, { ...options, isLexical: true })
      assert.notProperty(model, "embedder")
      assert.strictEqual(model.weights[Calibration.features.indexOf("cosine")], 0)
    }).pipe(Effect.provide(stores)))

  it.effect("counts a copy of a relevant document as relevant", () =>
    Effect.gen(function*() {
      yield* fill
      const store = yield* DocumentStore.DocumentStore
      yield* store.index(
        "t",
        pairs.map(({ id, metal, place }) => ({
          id: `copy-${id}`,
          text: `A smelter of ${metal} in ${place} reopens in spring.`,
          publishedAt: "2026-11-20"
        }))
      )
      assert.strictEqual((yield* Run.fit(questions, options)).relevant, 50)
    }).pipe(Effect.provide(stores)))

  it.effect("refuses too few questions, unknown documents, and questions that hit nothing", () =>
    Effect.gen(function*() {
      yield* fill
      assert.include(yield* refusal(questions.slice(0, 19)), "19 judged questions are too few")
      assert.include(yield* refusal([]), "0 judged questions are too few")
      const lost = questions.map((question, n) => n < 7 ? { ...question, relevant: new Set([`lost-${n}`]) } : question)
      assert.include(yield* refusal(lost), "7 of 50 documents")
      assert.include(yield* refusal(lost), "lost-0, lost-1, lost-2, lost-3, lost-4, …")
      assert.include(yield* refusal(questions, "nobody"), "50 of 50 documents")
      const none = questions.map((question) => ({ ...question, relevant: new Set<string>() }))
      assert.include(yield* refusal(none), "None of the 500 hits is relevant")
    }).pipe(Effect.provide(stores)))

  it.effect("refuses to count some questions without vectors", () =>
    Effect.gen(function*() {
      yield* fill
      const message = yield* Effect.updateService(refusal(questions), Embedder.Embedder, (embedder) => ({
        ...embedder,
        embed: () => Effect.fail(new Embedder.EmbedderError({ embedder: "e", description: "down", isRetryable: true }))
      }))
      assert.include(message, "embedder did not answer")
    }).pipe(Effect.provide(stores)))
})

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "causeway-questions-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

const write = (path: string, ...rows: ReadonlyArray<unknown>) =>
  Effect.promise(() =>
    writeFile(path, rows.map((row) => typeof row === "string" ? row : JSON.stringify(row)).join("\n"))
  )

const plain = (all: ReadonlyArray<Questions.Question>) =>
  all.map(({ relevant, text }) => ({ text, relevant: [...relevant] }))

describe("the questions of npm run calibrate", () => {
  it.scoped("are read from lines of JSON", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "questions.jsonl")
      yield* write(path, { question: "One?", relevant: ["a", 7], note: "more" }, "", { question: "Two?", relevant: [] })
      assert.deepStrictEqual(plain(yield* Questions.load(path)), [
        { text: "One?", relevant: ["a", "7"] },
        { text: "Two?", relevant: [] }
      ])
    }))

  it.scoped("are read from a folder of queries and judgements, of one split where there are several", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "set")
      yield* Effect.promise(() => mkdir(path))
      yield* write(
        join(path, "queries.jsonl"),
        { _id: "1", text: "One?", split: "train" },
        { _id: 2, text: "Two?", split: "test" },
        { _id: "3", text: "Nobody judged this", split: "train" }
      )
      yield* write(
        join(path, "qrels.jsonl"),
        { "query-id": 1, "corpus-id": "a", score: 1 },
        { "query-id": "1", "corpus-id": "b", score: 0 },
        { "query-id": "2", "corpus-id": "c", score: "2" }
      )
      assert.deepStrictEqual(plain(yield* Questions.load(path)), [
        { text: "One?", relevant: ["a"] },
        { text: "Two?", relevant: ["c"] }
      ])
      assert.deepStrictEqual(plain(yield* Questions.load(path, "train")), [{ text: "One?", relevant: ["a"] }])
    }))

  for (
    const [what, line, words] of [
      ["is no JSON", "{", "line 2"],
      ["has no documents", { question: "Two?" }, "relevant"],
      ["asks nothing", { question: " ", relevant: [] }, "blank"]
    ] as const
  ) {
    it.scoped(`are refused with the line that ${what}`, () =>
      Effect.gen(function*() {
        const path = join(yield* folder, "questions.jsonl")
        yield* write(path, { question: "One?", relevant: [] }, line)
        const { message } = yield* Effect.flip(Questions.load(path))
        assert.include(message, "line 2")
        assert.include(message, words)
      }))
  }

  it.scoped("are refused when the file is not there", () =>
    Effect.gen(function*() {
      const { message } = yield* Effect.flip(Questions.load(join(yield* folder, "none.jsonl")))
      assert.include(message, "does not exist")
    }))
})
