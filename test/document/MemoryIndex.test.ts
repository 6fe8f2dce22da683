import { assert, describe, it } from "@effect/vitest"
import * as Arena from "causeway-mcp/document/internal/Arena"
import * as Best from "causeway-mcp/document/internal/Best"
import * as Filter from "causeway-mcp/document/internal/Filter"
import * as Fusion from "causeway-mcp/document/internal/Fusion"
import * as InvertedIndex from "causeway-mcp/document/internal/InvertedIndex"
import * as MemoryIndex from "causeway-mcp/document/internal/MemoryIndex"
import * as SortedDocuments from "causeway-mcp/document/internal/SortedDocuments"
import * as VectorColumns from "causeway-mcp/document/internal/VectorColumns"
import * as VectorKernel from "causeway-mcp/document/internal/VectorKernel"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"

/** The same numbers every time, from 0 to 1. */
const generator = (seed: number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
}

/** Some words far more common than others; texts of different lengths. */
const makeTexts = (count: number, seed = 1): ReadonlyArray<ReadonlyArray<string>> => {
  const random = generator(seed)
  return Array.from(
    { length: count },
    () => Array.from({ length: 5 + Math.floor(random() * 40) }, () => `w${Math.floor(900 ** random())}`)
  )
}

/** BM25 by its definition, of every text that holds a term. */
const scores = (texts: ReadonlyArray<ReadonlyArray<string>>, terms: ReadonlyArray<string>): Map<number, number> => {
  const average = texts.reduce((sum, tokens) => sum + tokens.length, 0) / texts.length
  const found = new Map<number, number>()
  for (const term of terms) {
    const weight = Fusion.idf(texts.length, texts.filter((tokens) => tokens.includes(term)).length)
    for (const [slot, tokens] of texts.entries()) {
      const frequency = tokens.filter((token) => token === term).length
      if (frequency === 0) continue
      found.set(slot, (found.get(slot) ?? 0) + Fusion.termScore(weight, frequency, tokens.length, average))
    }
  }
  return found
}

describe("InvertedIndex", () => {
  it("computes BM25, also after removals and under slots that are used again", () => {
    const index = InvertedIndex.make()
    index.add(0, ["a", "b", "a"])
    index.add(3, ["a", "z"])
    index.add(2, ["c", "d", "e", "f"])
    index.remove(3)
    index.add(3, ["b", "c"])
    const question = index.ask(["a", "c", "q"])
    const weights = [Fusion.idf(3, 1), Fusion.idf(3, 2), Fusion.idf(3, 0)] as const
    assert.closeTo(question.ceiling, Fusion.ceiling(weights), 1e-12)
    const found = new Map<number, number>()
    question.best(10, undefined, (slot, score) => found.set(slot, score))
    assert.deepStrictEqual([...found.keys()].sort(), [0, 2, 3])
    assert.closeTo(found.get(0) ?? 0, Fusion.termScore(weights[0], 2, 3, 3), 1e-12)
    assert.closeTo(found.get(3) ?? 0, Fusion.termScore(weights[1], 1, 2, 3), 1e-12)
    assert.closeTo(found.get(2) ?? 0, Fusion.termScore(weights[1], 1, 4, 3), 1e-12)
    for (const [slot, score] of found) assert.strictEqual(question.score(slot), score)
  })

  it("finds the best without reading everything, the same as with", () => {
    const texts = makeTexts(4_000)
    const index = InvertedIndex.make()
    for (const [slot, tokens] of texts.entries()) index.add(slot, tokens)
    let fewest = 1
    for (
      const terms of [["w700", "w2", "w1"], ["w300", "w301", "w3", "w1"], ["w1"], [
        "w850",
        "w40",
        "w9",
        "w5",
        "w2",
        "w1"
      ]]
    ) {
      for (const passes of [undefined, (slot: number) => slot % 3 === 0]) {
        const all = scores(texts, terms)
        const wanted = 20
        const expected = [...all].filter(([slot]) => passes === undefined || passes(slot)).sort((a, b) =>
          b[1] - a[1] || a[0] - b[0]
        ).slice(0, wanted)
        const best = Best.make(wanted, (slot, that) => slot < that, passes)
        const question = index.ask(terms)
        let given = 0
        question.best(wanted, passes, (slot, score) => {
          given++
          best.offer(slot, score)
        })
        fewest = Math.min(fewest, given / all.size)
        const found = [...best.slots()].sort((a, b) => question.score(b) - question.score(a) || a - b)
        assert.deepStrictEqual(found, expected.map(([slot]) => slot))
        for (const [slot, score] of expected) assert.closeTo(question.score(slot), score, 1e-9)
      }
    }
    assert.isBelow(fewest, 0.1)
  })

  it("is after any removals what it would be without the removed", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.integer({ min: 0, max: 1_000_000 }), (seed) => {
        const random = generator(seed)
        const texts = makeTexts(120, seed)
        const index = InvertedIndex.make()
        const held = new Map<number, ReadonlyArray<string>>()
        for (const tokens of texts) {
          const slot = Math.floor(random() * 40)
          if (held.delete(slot)) index.remove(slot)
          if (random() < 0.8) {
            index.add(slot, tokens)
            held.set(slot, tokens)
          }
          index.tidy()
        }
        const left = [...held]
        const terms = ["w1", "w2", "w5", "w30", "w200"]
        const expected = scores(left.map(([, tokens]) => tokens), terms)
        const question = index.ask(terms)
        for (const [n, [slot]] of left.entries()) {
          assert.closeTo(question.score(slot), expected.get(n) ?? 0, 1e-9)
        }
      }),
      { numRuns: 50 }
    )
  })

  it("is the same after it gave back the memory of most of its passages", () => {
    const texts = makeTexts(30_000)
    const index = InvertedIndex.make()
    for (const [slot, tokens] of texts.entries()) index.add(slot, tokens)
    for (let slot = 0; slot < texts.length; slot++) {
      if (slot % 20 === 7) continue
      index.remove(slot)
      index.tidy()
    }
    const left = texts.filter((_, slot) => slot % 20 === 7)
    const terms = ["w1", "w8", "w90"]
    const expected = scores(left, terms)
    const question = index.ask(terms)
    for (let n = 0; n < left.length; n++) assert.closeTo(question.score(n * 20 + 7), expected.get(n) ?? 0, 1e-9)
  })
})

describe("Arena", () => {
  it("gives regions that never overlap, and keeps what is in them while pages are emptied", () => {
    const arena = Arena.make()
    const random = generator(5)
    const held: Array<{ address: number; readonly cells: number; readonly mark: number }> = []
    let emptied = 0
    const write = ({ address, cells, mark }: (typeof held)[number]): void => {
      arena.numbers(address).fill(mark, Arena.offsetOf(address), Arena.offsetOf(address) + 2 * cells)
    }
    for (let n = 1; n <= 60_000; n++) {
      const isGrowing = n < 30_000
      if (random() < (isGrowing ? 0.8 : 0.1) || held.length === 0) {
        const cells = n % 997 === 0 ? 5_000 : 1 + Math.floor(random() * 40)
        const region = { address: arena.allocate(cells), cells: Arena.roundedUp(cells), mark: n }
        assert.isAbove(region.address, 0)
        write(region)
        held.push(region)
      } else {
        const at = Math.floor(random() * held.length)
        const gone = held[at]
        const last = held.pop()
        if (gone === undefined || last === undefined) continue
        if (at < held.length) held[at] = last
        arena.free(gone.address, gone.cells)
      }
      const sparse = arena.sparse()
      if (sparse === undefined) continue
      emptied++
      for (const region of held) {
        if (sparse[Arena.pageOf(region.address)] === 1) {
          region.address = arena.move(region.address, region.cells, region.cells)
        }
      }
      arena.drop(sparse)
    }
    assert.isAbove(emptied, 0)
    for (const { address, cells, mark } of held) {
      const numbers = arena.numbers(address)
      for (let at = 0; at < 2 * cells; at++) assert.strictEqual(numbers[Arena.offsetOf(address) + at], mark)
    }
  })

  it("wastes at most a third of what is asked for", () => {
    for (let cells = 1; cells < 10_000; cells++) {
      assert.isAtLeast(Arena.roundedUp(cells), cells)
      assert.isBelow(Arena.roundedUp(cells), cells * 1.5 + 1)
      assert.strictEqual(Arena.roundedUp(Arena.roundedUp(cells)), Arena.roundedUp(cells))
    }
  })
})

describe("Best", () => {
  it("keeps what sorting would put first", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.array(FastCheck.oneof(FastCheck.integer({ min: -2, max: 6 }), FastCheck.constant(Number.NaN))),
      FastCheck.integer({ min: 1, max: 12 }),
      FastCheck.integer({ min: 1, max: 4 }),
      (given, wanted, nth) => {
        const passes = (slot: number) => slot % nth === 0
        const best = Best.make(wanted, (slot, that) => slot < that, passes)
        for (const [slot, score] of given.entries()) best.offer(slot, score)
        const expected = [...given.entries()].filter(([slot, score]) => score > 0 && passes(slot)).sort((a, b) =>
          b[1] - a[1] || a[0] - b[0]
        ).slice(0, wanted).map(([slot]) => slot)
        assert.deepStrictEqual([...best.slots()].sort((a, b) => a - b), expected.sort((a, b) => a - b))
      }
    ))
  })
})

describe("SortedDocuments", () => {
  it("is what sorting gives, from any place on", () => {
    const document = FastCheck.record({
      id: FastCheck.integer({ min: 0, max: 3_000 }).map(String),
      publishedAt: FastCheck.option(FastCheck.integer({ min: 0, max: 20 }), { nil: undefined })
    })
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(document, { minLength: 600, maxLength: 2_000, size: "max" }),
        document,
        (documents, place) => {
          const sorted = SortedDocuments.make()
          const held = new Map<string, SortedDocuments.Dated>()
          for (const one of documents) {
            const old = held.get(one.id)
            if (old !== undefined) sorted.remove(old)
            if (old !== undefined && one.id.endsWith("3")) held.delete(one.id)
            else {
              sorted.add(one)
              held.set(one.id, one)
            }
          }
          const expected = [...held.values()].sort(SortedDocuments.compare)
          assert.deepStrictEqual([...sorted.after(undefined)], expected)
          assert.deepStrictEqual(
            [...sorted.after(place)],
            expected.filter((one) => SortedDocuments.compare(one, place) > 0)
          )
        }
      ),
      { numRuns: 20 }
    )
  })
})

const dimensions = 6

const prepared = (
  id: string,
  passages: ReadonlyArray<ReadonlyArray<string>>,
  metadata: MemoryIndex.Entry["metadata"] = {}
): MemoryIndex.Prepared => ({
  entry: {
    id,
    fingerprint: id,
    title: "",
    uri: undefined,
    publishedAt: undefined,
    indexedAt: "2026-11-22T09:00:00.000Z",
    metadata,
    passages: passages.map((tokens) => ({ text: tokens.join(" "), start: 0, end: 1 }))
  },
  version: undefined,
  words: passages,
  vectors: passages.map((tokens) =>
    VectorColumns.unit(
      Float32Array.from({ length: dimensions }, (_, d) => Math.sin(tokens.length * 31 + d) + tokens.length % 3)
    )
  )
})

const compiled = (filter: Filter.Filter): Filter.Compiled => {
  const read = Either.getOrThrow(Filter.compile(filter))
  if (read === undefined) throw new Error("nothing can match")
  return read
}

const vector = new Float32Array([1, 0, -1, 2, 0.5, 0])

const ask = (index: MemoryIndex.MemoryIndex, filter: Filter.Filter = {}) =>
  index.search({ terms: ["w3", "w40", "w1"], vector, filter: compiled(filter), limit: 100, lexicalWeight: 0.5 })

describe("MemoryIndex", () => {
  it("asks a filter anew about what has changed since it was asked last", () => {
    const index = MemoryIndex.make(VectorKernel.make({ dimensions }))
    for (let n = 0; n < 50; n++) index.put(prepared(`d${n}`, [["w1"]], { kind: n % 2 === 0 ? "x" : "y" }))
    const count = () => ask(index, { metadata: { kind: "x" } }).length
    assert.strictEqual(count(), 25)
    index.put(prepared("d1", [["w1"], ["w1", "w3"]], { kind: "x" }))
    assert.strictEqual(count(), 27)
    index.put(prepared("d0", [["w1"]], { kind: "y" }))
    index.remove("d2")
    assert.strictEqual(count(), 25)
    for (let n = 0; n < 20; n++) assert.isEmpty(ask(index, { metadata: { kind: `z${n}` } }))
    assert.strictEqual(count(), 25)
    assert.strictEqual(ask(index, { metadata: { kind: ["x", "y"] } }).length, 50)
    assert.strictEqual(ask(index, { metadata: { size: { min: Infinity } } }).length, 0)
  })

  it("finds the same among documents that are named as among all", () => {
    const index = MemoryIndex.make(VectorKernel.make({ dimensions }))
    const texts = makeTexts(2_000, 9)
    for (const [n, tokens] of texts.entries()) index.put(prepared(`d${n}`, [tokens], { few: n % 50 === 0 }))
    const few = Array.from({ length: 40 }, (_, n) => `d${n * 50}`)
    const named = ask(index, { documentIds: few })
    assert.isAbove(named.length, 20)
    assert.deepStrictEqual(named, ask(index, { metadata: { few: true } }))
    const most = texts.map((_, n) => `d${n}`)
    assert.deepStrictEqual(ask(index, { documentIds: most }), ask(index))
  })

  it("gives with SIMD and without exactly the same", () => {
    const [fast, plain] = [true, false].map((simd) => {
      const index = MemoryIndex.make(VectorKernel.make({ dimensions, simd }))
      for (const [n, tokens] of makeTexts(1_500, 3).entries()) index.put(prepared(`d${n % 1_200}`, [tokens, ["w9"]]))
      return ask(index)
    })
    assert.isAbove(fast?.length ?? 0, 50)
    assert.deepStrictEqual(fast, plain)
  })

  it("refuses a document whose vectors find no room, and keeps the one before it", () => {
    const index = MemoryIndex.make(VectorKernel.make({ dimensions, maxBytes: 65_536 }))
    assert.isTrue(index.put(prepared("d", [["w1"]])))
    assert.isFalse(index.put(prepared("d", Array.from({ length: 3_000 }, () => ["w3"]))))
    assert.deepStrictEqual(index.size(), { documents: 1, passages: 1 })
    assert.deepStrictEqual(ask(index).map(({ passage }) => passage.text), ["w1"])
    assert.isTrue(index.put(prepared("d", [["w1"], ["w3"]])))
  })
})
