import { assert, describe, it } from "@effect/vitest"
import * as Best from "causeway-mcp/document/internal/Best"
import * as Filter from "causeway-mcp/document/internal/Filter"
import * as Fusion from "causeway-mcp/document/internal/Fusion"
import * as InvertedIndex from "causeway-mcp/document/internal/InvertedIndex"
import * as MemoryIndex from "causeway-mcp/document/internal/MemoryIndex"
import * as VectorColumns from "causeway-mcp/document/internal/VectorColumns"
import * as VectorKernel from "causeway-mcp/document/internal/VectorKernel"
import * as WordNumbers from "causeway-mcp/document/internal/WordNumbers"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"

const dimensions = 5

const makeRandom = (seed: number) => {
  let state = seed >>> 0
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
  return { next, below: (most: number) => Math.floor(next() * most) }
}

type Random = ReturnType<typeof makeRandom>

interface Held {
  readonly prepared: MemoryIndex.Prepared
  readonly words: ReadonlyArray<ReadonlyArray<string>>
}

/** Few words and few vectors, so that many passages are equally good; now and then a word comes very often. */
const document = ({ below, next }: Random, id: string): Held => {
  const words = Array.from({ length: below(20) === 0 ? below(30) : below(3) }, () => {
    const length = below(10) === 0 ? 0 : 1 + below(12)
    const tokens = Array.from({ length }, () => `w${Math.floor(200 ** next())}`)
    return below(25) === 0 ? [...tokens, ...Array<string>(10 + below(50)).fill(`w${below(4)}`)] : tokens
  })
  return {
    words,
    prepared: {
      version: undefined,
      words,
      vectors: words.map(() =>
        VectorColumns.unit(Float32Array.from({ length: dimensions }, () => below(3) === 0 ? below(3) - 1 : 0))
      ),
      entry: {
        id,
        fingerprint: id,
        title: "",
        uri: undefined,
        publishedAt: below(3) === 0 ? undefined : below(10) * 86_400_000,
        indexedAt: "2026-11-22T09:00:00.000Z",
        metadata: { group: below(30), even: below(2) === 0, ["__proto__"]: below(2) === 0 ? "x" : "y" },
        passages: words.map((tokens) => ({ text: tokens.join(" "), start: 0, end: tokens.join(" ").length }))
      }
    }
  }
}

const compiled = (filter: Filter.Filter): Filter.Compiled => {
  const read = Either.getOrThrow(Filter.compile(filter))
  if (read === undefined) throw new Error("nothing can match")
  return read
}

const filterOf = ({ below }: Random, count: number): Filter.Filter => {
  const ids = (length: number) => Array.from({ length }, () => `d${below(count)}`)
  switch (below(9)) {
    case 0:
      return { metadata: { group: below(32) } }
    case 1:
      return { metadata: { even: true, group: { min: 3, max: below(30) + 3 } } }
    case 2:
      return { since: "1970-01-03", until: `1970-01-0${4 + below(5)}` }
    case 3:
      return { documentIds: ids(3) }
    case 4:
      return { documentIds: ids(2 * count), metadata: { even: false } }
    case 5:
      return { metadata: Object.fromEntries([["__proto__", "x"]]) }
    default:
      return {}
  }
}

/** The product as it is defined: every step rounded to 32 bits, in order. */
const product = (query: Float32Array, vector: Float32Array): number => {
  let sum = 0
  for (const [d, value] of query.entries()) {
    if (value !== 0) sum = Math.fround(sum + Math.fround(value * (vector[d] ?? 0)))
  }
  return sum
}

type Candidate = Fusion.Candidate

const best = (
  candidates: ReadonlyArray<Candidate>,
  score: (candidate: Candidate) => number
): ReadonlyArray<Candidate> =>
  candidates.filter((candidate) => score(candidate) > 0)
    .sort((a, b) => score(b) - score(a) || Fusion.byIdentity(a, b))
    .slice(0, Fusion.poolSize)

/** What a search gives, by the definitions alone: everything is scored and sorted. */
const expected = (documents: Iterable<Held>, query: MemoryIndex.Query) => {
  const all = [...documents].flatMap(({ prepared: { entry, vectors }, words }) =>
    words.map((tokens, position) => ({ entry, position, tokens, vector: vectors[position] ?? new Float32Array() }))
  )
  const average = all.reduce((sum, { tokens }) => sum + tokens.length, 0) / all.length
  const weights = query.terms.map((term) =>
    Fusion.idf(all.length, all.filter(({ tokens }) => tokens.includes(term)).length)
  )
  const terms = query.terms.map((term, n) => ({ term, weight: weights[n] ?? 0 })).sort((a, b) => b.weight - a.weight)
  const unit = query.vector === undefined ? undefined : VectorColumns.unit(query.vector)
  const isPassing = Filter.passing(query.filter)
  const candidates = all.filter(({ entry }) => isPassing(entry)).map((passage): Candidate => {
    let bm25 = 0
    for (const { term, weight } of terms) {
      const frequency = passage.tokens.filter((token) => token === term).length
      if (frequency > 0) bm25 += Fusion.termScore(weight, frequency, passage.tokens.length, average)
    }
    const cosine = unit === undefined ? 0 : product(unit, passage.vector)
    return { documentId: passage.entry.id, position: passage.position, bm25, cosine }
  })
  const pool = new Set([...best(candidates, ({ bm25 }) => bm25), ...best(candidates, ({ cosine }) => cosine)])
  return Fusion.fuse([...pool], { ...query, ceiling: Fusion.ceiling(weights) }).map((
    { candidate: { documentId, position }, score, signals }
  ) => [documentId, position, score, signals])
}

const check = (seed: number, simd: boolean, isRestored: boolean): { readonly hits: number; readonly most: number } => {
  const random = makeRandom(seed)
  const count = 300 + random.below(900)
  const model = new Map<string, Held>()
  let index = MemoryIndex.make(VectorKernel.make({ dimensions, simd }))
  const seen = { hits: 0, most: 0 }
  const change = () => {
    const id = `d${random.below(count)}`
    if (random.below(4) === 0) {
      assert.strictEqual(index.remove(id), model.delete(id))
      return
    }
    const held = document(random, id)
    assert.isTrue(index.put(held.prepared))
    model.set(id, held)
  }
  /** Everything as a snapshot has it: words by number, vectors from the blocks. */
  const copy = (): void => {
    const dictionary = WordNumbers.make()
    const next = MemoryIndex.make(VectorKernel.make({ dimensions, simd }))
    for (const { entry, version } of index.all()) {
      const words = (index.words(entry, dictionary) ?? []).map((words) => ({ numbers: dictionary, words }))
      const numbers = index.vectors(entry) ?? new Float32Array()
      const vectors = words.map((_, n) => numbers.slice(n * dimensions, (n + 1) * dimensions))
      assert.isTrue(next.put({ entry, version, words, vectors }))
    }
    index = next
  }
  for (let n = 0; n < 2 * count; n++) change()
  for (let turn = 0; turn < 12; turn++) {
    for (let n = 0; n < 40; n++) change()
    if (isRestored && turn % 4 === 1) copy()
    const query: MemoryIndex.Query = {
      terms: [...new Set(Array.from({ length: random.below(7) }, () => `w${Math.floor(260 ** random.next())}`))],
      vector: random.below(3) === 0
        ? undefined
        : Float32Array.from({ length: dimensions }, () => random.below(2) === 0 ? 0 : random.next() - 0.3),
      filter: compiled(filterOf(random, count)),
      limit: [1, 7, 100, 1e9, Infinity, 0, Number.NaN][random.below(7)] ?? 1,
      lexicalWeight: [0, 0.3, 0.5, 0.9, 1][random.below(5)] ?? 0.5
    }
    const found = index.search(query)
    assert.deepStrictEqual(
      found.map(({ passage, score, signals }) => [passage.documentId, passage.position, score, signals]),
      expected(model.values(), query)
    )
    for (const { passage } of found) {
      assert.strictEqual(passage.text, model.get(passage.documentId)?.prepared.entry.passages[passage.position]?.text)
    }
    seen.hits += found.length
    seen.most = Math.max(seen.most, found.length)
  }
  const passages = [...model.values()].reduce((sum, { words }) => sum + words.length, 0)
  assert.deepStrictEqual(index.size(), { documents: model.size, passages })
  for (const [id] of model) index.remove(id)
  assert.deepStrictEqual(index.size(), { documents: 0, passages: 0 })
  return seen
}

describe("MemoryIndex", () => {
  for (const [what, simd, isRestored] of [["SIMD", true, false], ["plain JavaScript", false, true]] as const) {
    it(
      `gives to the bit what scoring and sorting everything gives, whatever came, changed and went, with ${what}`,
      () => {
        let hits = 0
        let most = 0
        FastCheck.assert(
          FastCheck.property(FastCheck.integer({ min: 0, max: 1_000_000_000 }), (seed) => {
            const seen = check(seed, simd, isRestored)
            hits += seen.hits
            most = Math.max(most, seen.most)
          }),
          { numRuns: 12 }
        )
        assert.isAbove(hits, 1_000)
        assert.strictEqual(most, 100)
      },
      120_000
    )
  }
})

/** Texts of words of all frequencies, some taken out and some put elsewhere again. */
const makeIndex = ({ below, next }: Random) => {
  const index = InvertedIndex.make()
  const texts = new Map<number, ReadonlyArray<string>>()
  const count = 600 + below(1_400)
  for (let n = 0; n < count + below(600); n++) {
    const slot = n < count ? n : below(count)
    if (texts.delete(slot)) index.remove(slot)
    index.tidy()
    if (n > count && below(3) === 0) continue
    const tokens = Array.from(
      { length: below(3) === 0 ? 3 : 1 + below(12) },
      () => `w${Math.floor(120 ** (next() ** 2))}`
    )
    index.add(slot, tokens)
    texts.set(slot, tokens)
  }
  return { index, texts }
}

describe("InvertedIndex", () => {
  it("gives the best of those that pass, with ties, without reading everything", () => {
    let given = 0
    let matching = 0
    FastCheck.assert(
      FastCheck.property(FastCheck.integer({ min: 0, max: 1_000_000_000 }), (seed) => {
        const random = makeRandom(seed)
        const { index, texts } = makeIndex(random)
        const average = [...texts.values()].reduce((sum, tokens) => sum + tokens.length, 0) / texts.size
        for (let turn = 0; turn < 25; turn++) {
          const wanted = 1 + random.below(60)
          const asked = [
            ...new Set(Array.from({ length: 2 + random.below(6) }, () => `w${Math.floor(150 ** random.next())}`))
          ]
          const every = 1 + random.below(4)
          const passes = every === 1 ? undefined : (slot: number) => slot % every === 0
          const question = index.ask(asked)
          const isBefore = (slot: number, that: number) => slot < that
          const best = Best.make(wanted, isBefore, passes)
          question.best(wanted, passes, (slot, score) => {
            given++
            best.offer(slot, score)
          })
          const terms = asked.map((term) => ({
            term,
            weight: Fusion.idf(texts.size, [...texts.values()].filter((tokens) => tokens.includes(term)).length)
          })).sort((a, b) => b.weight - a.weight)
          const scores = [...texts].flatMap(([slot, tokens]) => {
            let score = 0
            for (const { term, weight } of terms) {
              const frequency = tokens.filter((token) => token === term).length
              if (frequency > 0) score += Fusion.termScore(weight, frequency, tokens.length, average)
            }
            assert.strictEqual(question.score(slot), score)
            return score === 0 ? [] : [[slot, score] as const]
          })
          matching += scores.length
          const expected = scores.filter(([slot]) => passes === undefined || passes(slot))
            .sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, wanted).map(([slot]) => slot)
          assert.deepStrictEqual([...best.slots()].sort((a, b) => a - b), expected.sort((a, b) => a - b))
        }
      }),
      { numRuns: 12 }
    )
    assert.isBelow(given, 0.8 * matching)
  }, 120_000)
})
