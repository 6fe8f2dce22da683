import { assert, describe, it } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as MirrorDocumentStore from "causeway-mcp/document/MirrorDocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as PgListener from "causeway-mcp/document/PgListener"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Killable from "./killable.js"
import * as Postgres from "./postgres.js"

const { missing } = Postgres
if (missing !== undefined) {
  // A reporter shows no reason for what it skips.
  process.stderr.write(`MirrorDocumentStore over a server: ${Postgres.isRequired ? "" : "skipped, "}${missing}\n`)
  describe("MirrorDocumentStore over a server", () => {
    it("finds a server to test", (test) => Postgres.isRequired ? assert.fail(missing) : test.skip(missing))
  })
}

/** Only whoever is told of an outage by a log line needs it; these are many. */
const quiet = Effect.provide(Logger.remove(Logger.defaultLogger))

/** A mirror over a store with connections of its own, as another process would have one. */
const instance = (server: Killable.Killable, options: MirrorDocumentStore.Options) =>
  Effect.gen(function*() {
    const asked = { searches: 0 }
    const url = Redacted.make(`postgres://postgres@127.0.0.1:${server.port}/postgres`)
    const below = yield* Effect.map(
      Layer.build(
        PgDocumentStore.layer().pipe(Layer.provide([Layer.fresh(server.client), PgListener.layer({ url })]))
      ),
      Context.get(DocumentStore.DocumentStore)
    )
    const counted = DocumentStore.DocumentStore.of({
      ...below,
      search: (query) =>
        Effect.suspend(() => {
          asked.searches++
          return below.search(query)
        })
    })
    const mirror = yield* Effect.map(
      Layer.build(MirrorDocumentStore.layer(Layer.succeed(DocumentStore.DocumentStore, counted), options)),
      Context.get(DocumentStore.DocumentStore)
    )
    const embedder = yield* Embedder.Embedder
    const search = (text: string, query: Partial<DocumentStore.Query> = {}) =>
      Effect.gen(function*() {
        const [vector] = yield* embedder.embed([text])
        const before = asked.searches
        const hits = yield* mirror.search({ tenant: "t", text, vector, limit: 100, ...query })
        return { isCopy: asked.searches === before, hits }
      })
    /** Searches again and again, until the copy answers and gives what is wanted. */
    const byCopy = (text: string, isWanted: (hits: ReadonlyArray<DocumentStore.Hit>) => boolean = () => true) =>
      Effect.gen(function*() {
        for (;;) {
          const { hits, isCopy } = yield* search(text)
          if (isCopy && isWanted(hits)) return hits
          yield* Effect.sleep("2 millis")
        }
      }).pipe(Effect.timeout("30 seconds"))
    return { below, mirror, search, byCopy }
  }).pipe(Effect.provide(Embedder.layerHash))

const brief = (hits: ReadonlyArray<DocumentStore.Hit>) =>
  hits.map(({ passage, score, signals }) => ({
    passage,
    score: score.toFixed(4),
    bm25: signals.bm25.toFixed(6),
    cosine: signals.cosine.toFixed(4)
  }))

const note = (id: string, state: number) => ({
  id,
  text: `Heron ${id} in state ${state} of many.`,
  version: state,
  metadata: { state },
  ...(state % 3 === 0 ? { title: `Herons ${state % 5}`, publishedAt: "2026-11-01T09:00:00Z" } : {})
})

/** As a client does that is to lose nothing. */
const insisting = <A>(write: Effect.Effect<A, DocumentStore.DocumentStoreError>) =>
  Effect.retry(write, { schedule: Schedule.spaced("20 millis"), while: ({ isRetryable }) => isRetryable })

const random = (seed: number) => (sides: number) => (seed = (seed * 48_271) % 2_147_483_647) % sides

for (const { bin, name } of Postgres.found.slice(0, 1)) {
  describe(`MirrorDocumentStore over PgDocumentStore on ${name}`, () => {
    it.scopedLive(
      "shows what another instance wrote, and answers as Postgres does",
      () =>
        Effect.gen(function*() {
          const server = yield* Killable.make(bin)
          const one = yield* instance(server, {})
          const other = yield* instance(server, {})
          yield* one.mirror.index("t", Array.from({ length: 300 }, (_, n) => note(`d${n}`, n % 40)))
          yield* one.byCopy("heron")
          yield* other.byCopy("heron")
          for (const text of ["heron d7 state 3", "herons 2", "many", "unheard of"]) {
            for (const query of [{}, { limit: 10 }, { filter: { metadata: { state: { min: 30 } } } }]) {
              const { hits, isCopy } = yield* other.search(text, query)
              assert.isTrue(isCopy)
              const [vector] = yield* Effect.flatMap(Embedder.Embedder, (embedder) => embedder.embed([text]))
              const found = yield* other.below.search({ tenant: "t", text, vector, limit: 100, ...query })
              assert.deepStrictEqual(brief(hits), brief(found))
            }
          }
          // The other instance is told, within a moment.
          for (let n = 0; n < 20; n++) {
            const text = `Stork number ${n} of twenty`
            yield* one.mirror.index("t", [{ id: "told", text }])
            assert.strictEqual((yield* one.search("stork")).hits[0]?.passage.text, text)
            yield* other.byCopy("stork", ([first]) => first?.passage.text === text)
          }
          yield* one.mirror.remove("t", ["told"])
          assert.deepStrictEqual(
            (yield* one.search("stork number twenty")).hits.filter((hit) => hit.passage.documentId === "told"),
            []
          )
        }).pipe(Effect.provide(Embedder.layerHash), quiet),
      60_000
    )

    it.scopedLive(
      "answers while Postgres is killed, fails when that takes too long, and heals",
      () =>
        Effect.gen(function*() {
          const server = yield* Killable.make(bin)
          const patient = yield* instance(server, { maxBehind: "1 minute" })
          const strict = yield* instance(server, { maxBehind: "1 second" })
          yield* patient.mirror.index("t", Array.from({ length: 50 }, (_, n) => note(`d${n}`, n)))
          yield* patient.byCopy("heron")
          yield* strict.byCopy("heron")
          yield* server.kill(true)
          let behind = 0
          const began = performance.now()
          while (performance.now() - began < 2_500) {
            const { hits, isCopy } = yield* patient.search("heron", { limit: 5 })
            assert.isTrue(isCopy)
            assert.lengthOf(hits, 5)
            behind = hits[0]?.origin?.behindMillis ?? 0
            yield* Effect.sleep("20 millis")
          }
          assert.isAbove(behind, 2_000)
          const error = yield* Effect.flip(strict.search("heron"))
          assert.strictEqual(error._tag === "DocumentStoreError" ? error.reason._tag : error._tag, "Unavailable")
          assert.strictEqual(
            (yield* Effect.flip(patient.mirror.index("t", [note("no", 1)]))).reason._tag,
            "Unavailable"
          )
          yield* server.start
          yield* insisting(strict.mirror.index("t", [{ id: "after", text: "A stork." }]))
          for (const { byCopy } of [strict, patient]) {
            yield* byCopy("stork", ([first]) =>
              first?.passage.documentId === "after" && (first.origin?.behindMillis ?? Infinity) < 1_000)
          }
        }).pipe(quiet),
      90_000
    )

    it.scopedLive(
      "neither loses nor keeps anything wrongly when two instances write at random and Postgres is killed meanwhile",
      () =>
        Effect.gen(function*() {
          const server = yield* Killable.make(bin)
          const one = yield* instance(server, {})
          const other = yield* instance(server, {})
          const instances = [one, other]
          yield* one.mirror.index("t", [note("d0-0", 0)])
          for (const { byCopy } of instances) yield* byCopy("heron")
          let copies = 0
          let writing = true
          const writer = (owner: number) =>
            Effect.gen(function*() {
              const dice = random(100 + owner)
              const { mirror, search } = owner % 2 === 0 ? one : other
              for (let n = 1; writing; n++) {
                const id = `d${owner}-${dice(20)}`
                const isRemoval = dice(4) === 0
                const document = note(id, n)
                if (isRemoval) yield* insisting(mirror.remove("t", [id]))
                else yield* insisting(mirror.index("t", [document]))
                for (let looks = 0; looks < 3; looks++) {
                  // Only this writer writes it. While Postgres is away nobody may know.
                  const looked = yield* Effect.option(search("heron", { filter: { documentIds: [id] } }))
                  yield* Effect.sleep(dice(40))
                  if (looked._tag === "None") continue
                  const { hits, isCopy } = looked.value
                  assert.deepStrictEqual(hits.map(({ passage }) => passage.text), isRemoval ? [] : [document.text])
                  if (isCopy) copies++
                }
              }
            })
          const writers = yield* Effect.fork(Effect.all(Array.from({ length: 4 }, (_, n) => writer(n)), {
            concurrency: "unbounded"
          }))
          for (let n = 0; n < 3; n++) {
            yield* Effect.sleep("1 second")
            yield* server.kill(n % 2 === 0)
            yield* Effect.sleep("500 millis")
            yield* server.start
          }
          yield* Effect.sleep("1 second")
          writing = false
          yield* Fiber.join(writers)
          for (const { below, byCopy } of instances) {
            const listed = yield* insisting(below.list("t", { limit: 1_000 }))
            const states = (found: ReadonlyArray<{ readonly id: string; readonly version?: number | undefined }>) =>
              found.map(({ id, version }) => `${id} ${version}`).sort().join()
            const hits = yield* byCopy("heron", (found) =>
              states(found.map(({ passage: { documentId, version } }) => ({ id: documentId, version }))) ===
                states(listed))
            for (const { passage } of hits) {
              assert.deepStrictEqual(yield* below.get("t", passage.documentId), [passage])
            }
          }
          assert.isAbove(copies, 0)
        }).pipe(quiet),
      120_000
    )
  })
}
