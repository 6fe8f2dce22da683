/**
 * Vectors from spelling and from the company words keep: 284 hashed dimensions
 * beside 100 from a table of word vectors, which is a file of this package.
 *
 * It knows that `car` and `automobile` are used alike; it is no language model:
 * the order of words does not count.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { readFile } from "node:fs/promises"
import * as Embedder from "./Embedder.js"
import * as Spelling from "./internal/Spelling.js"
import * as Turns from "./internal/Turns.js"
import * as WordTable from "./internal/WordTable.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** Another table than the package's own, written by the same program. Its digest stands in the embedder's id. */
  readonly table?: string | undefined
}

const name = "causeway-sif-384-v1"

/**
 * @since 0.1.0
 * @category configuration
 */
export const dimensions = 384

/** The same from src/embedding and from dist/embedding; not at once, since a bundle may not know where it is. */
const own = () => new URL("../../src/embedding/data/words-100d.bin", import.meta.url)

/** Of the smooth inverse frequency. */
const a = 1e-3

/** How much of a large English text is the word of this rank, by Zipf's law as Mandelbrot corrected it. */
const share = (rank: number): number => 0.06 / (rank + 2.7)

const lengthOf = (values: Float64Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))

/** The vector of a text. Only what is exact everywhere is done, in one order: the same text gives the same bits. */
const vectorOf = ({ common, ranks, scales, steps }: WordTable.WordTable): (text: string) => Float32Array => {
  const width = common.length
  /** Of a word as it stands or, when nobody knows it, without its last `s`. */
  const rankOf = (word: string): number | undefined => ranks.get(word) ?? ranks.get(Spelling.single(word))
  const rarities = Float64Array.from(
    { length: ranks.size + 1 },
    (_, rank) => Spelling.rounded(Math.log(1 + (rank + 30) / 60))
  )
  const smooth = Float64Array.from(scales, (scale, rank) => scale * (a / (a + share(rank))))

  return (text) => {
    const counts = Spelling.counts(text)
    const spelling = new Float64Array(dimensions - width)
    Spelling.hashed(counts, spelling, (word) => rarities[ranks.get(word) ?? ranks.get(`${word}s`) ?? ranks.size] ?? 0)
    const spelt = Spelling.dampen(spelling)

    const company = new Float64Array(width)
    for (const [word, count] of counts) {
      const rank = rankOf(word)
      if (rank === undefined) continue
      const weight = count * (smooth[rank] ?? 0)
      for (let at = 0, from = rank * width; at < width; at++) {
        company[at] = (company[at] ?? 0) + weight * (steps[from + at] ?? 0)
      }
    }
    let along = 0
    for (let at = 0; at < width; at++) along += (company[at] ?? 0) * (common[at] ?? 0)
    for (let at = 0; at < width; at++) company[at] = (company[at] ?? 0) - along * (common[at] ?? 0)
    const meant = lengthOf(company)

    // Both halves count the same; a half that saw nothing leaves the other alone.
    const halves = spelt > 0 && meant > 0 ? Math.SQRT2 : 1
    const vector = new Float32Array(dimensions)
    if (spelt > 0) { for (const [at, value] of spelling.entries()) vector[at] = value / (spelt * halves) }
    if (meant > 0) {
      for (const [at, value] of company.entries()) vector[spelling.length + at] = value / (meant * halves)
    }
    return vector
  }
}

/**
 * Reads the table, some 4 MB, once. The id names this version and the table's
 * digest. Smooth inverse frequency: Arora, Liang, Ma, "A simple but
 * tough-to-beat baseline for sentence embeddings" (ICLR 2017). Fails, not
 * retryable, when the table is absent, damaged or of another version.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<Embedder.Embedding, Embedder.EmbedderError> =>
  Effect.gen(function*() {
    const refused = (description: string, cause?: unknown) =>
      new Embedder.EmbedderError({
        embedder: name,
        description,
        isRetryable: false,
        ...(cause === undefined ? {} : { cause })
      })
    const bytes = yield* Effect.tryPromise({
      try: () => readFile(options.table ?? own()),
      catch: (cause) =>
        refused("the word table could not be read; it may have been left out of the installation", cause)
    })
    const table = yield* Either.mapLeft(WordTable.decode(bytes), (description) => refused(description))
    if (table.dimensions >= dimensions) {
      return yield* refused(`the word table has ${table.dimensions} dimensions, and fewer than ${dimensions} fit`)
    }
    return {
      id: `${name}-${table.digest.slice(0, 8)}`,
      dimensions,
      lexicalWeight: 0.75,
      embed: Turns.embed(vectorOf(table))
    }
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<Embedder.Embedder, Embedder.EmbedderError> =>
  Layer.effect(Embedder.Embedder, make(options))

/**
 * The embedded default: this embedder, or `Embedder.layerHash` when the
 * package's table was left out of an installation, which is logged. A store
 * tells the two apart by their ids and refuses to mix them.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOrHash: Layer.Layer<Embedder.Embedder> = Layer.catchAll(
  layer(),
  (error) => Layer.unwrapEffect(Effect.as(Effect.logWarning("embedding by spelling alone", error), Embedder.layerHash))
)
