/**
 * The file of word vectors that `SifEmbedder` reads: its form, and who writes
 * and reads it.
 *
 * Little-endian: magic, version, words, dimensions and bytes of vocabulary, 4
 * bytes each; the common component and each word's scale as 32-bit floats; the
 * words by falling frequency, a line feed between two; their vectors, one
 * signed byte per dimension; SHA-256 of all of that.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import { createHash } from "node:crypto"

/**
 * @since 0.1.0
 * @category models
 */
export interface WordTable {
  readonly dimensions: number
  /** Each word's place by falling frequency, from 0. */
  readonly ranks: ReadonlyMap<string, number>
  /** What one step of a word's bytes is worth, by rank. */
  readonly scales: Float32Array
  /** The words' vectors one after another, by rank, in steps of their scale. */
  readonly steps: Int8Array
  /** The direction that says nothing of a text since all texts share it, of unit length. */
  readonly common: Float32Array
  /** SHA-256 of the table, in hexadecimal digits. */
  readonly digest: string
}

/**
 * The version of the form. Another one is another file.
 *
 * @since 0.1.0
 * @category configuration
 */
export const version = 1

/** "CWT1" */
const magic = 0x31545743
const headLength = 20
const digestLength = 32

const digestOf = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest()

/**
 * The table's bytes. Each vector is rounded to 127 steps either way of its
 * largest value.
 *
 * @since 0.1.0
 * @category combinators
 */
export const encode = (
  words: ReadonlyArray<{ readonly word: string; readonly vector: Float32Array }>,
  common: Float32Array
): Buffer => {
  const dimensions = common.length
  const vocabulary = Buffer.from(words.map(({ word }) => word).join("\n"))
  const scalesAt = headLength + 4 * dimensions
  const vocabularyAt = scalesAt + 4 * words.length
  const stepsAt = vocabularyAt + vocabulary.length
  const digestAt = stepsAt + words.length * dimensions
  const bytes = Buffer.alloc(digestAt + digestLength)
  for (const [n, value] of [magic, version, words.length, dimensions, vocabulary.length].entries()) {
    bytes.writeUInt32LE(value, 4 * n)
  }
  for (const [n, value] of common.entries()) bytes.writeFloatLE(value, headLength + 4 * n)
  vocabulary.copy(bytes, vocabularyAt)
  for (const [rank, { vector }] of words.entries()) {
    const scale = Math.fround(vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127)
    bytes.writeFloatLE(scale, scalesAt + 4 * rank)
    for (const [n, value] of vector.entries()) {
      const step = scale === 0 ? 0 : Math.max(-127, Math.min(127, Math.round(value / scale)))
      bytes.writeInt8(step, stepsAt + rank * dimensions + n)
    }
  }
  digestOf(bytes.subarray(0, digestAt)).copy(bytes, digestAt)
  return bytes
}

/**
 * Reads a table's bytes, or says as a sentence what is wrong with them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const decode = (bytes: Buffer): Either.Either<WordTable, string> => {
  if (bytes.length < headLength + digestLength || bytes.readUInt32LE(0) !== magic) {
    return Either.left("the file is no word table")
  }
  const written = bytes.readUInt32LE(4)
  if (written !== version) {
    return Either.left(`the word table is of version ${written}, and this program reads version ${version}`)
  }
  const digestAt = bytes.length - digestLength
  const digest = digestOf(bytes.subarray(0, digestAt))
  const count = bytes.readUInt32LE(8)
  const dimensions = bytes.readUInt32LE(12)
  const vocabularyLength = bytes.readUInt32LE(16)
  const scalesAt = headLength + 4 * dimensions
  const vocabularyAt = scalesAt + 4 * count
  const stepsAt = vocabularyAt + vocabularyLength
  if (!digest.equals(bytes.subarray(digestAt)) || stepsAt + count * dimensions !== digestAt) {
    return Either.left("the word table is damaged or incomplete")
  }
  const floats = (from: number, length: number): Float32Array =>
    Float32Array.from({ length }, (_, n) => bytes.readFloatLE(from + 4 * n))
  const words = bytes.toString("utf8", vocabularyAt, stepsAt).split("\n")
  return Either.right({
    dimensions,
    ranks: new Map(words.map((word, rank) => [word, rank])),
    scales: floats(scalesAt, count),
    // a copy: the file's other bytes need not stay in memory
    steps: Int8Array.from(new Int8Array(bytes.buffer, bytes.byteOffset + stepsAt, count * dimensions)),
    common: floats(headLength, dimensions),
    digest: digest.toString("hex")
  })
}
