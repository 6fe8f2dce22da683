/**
 * Guesses how many tokens a text is, before any model has counted them.
 *
 * @since 0.1.0
 */
import type * as Chat from "./Chat.js"

const space = 0
const line = 1
const lower = 2
const upper = 3
const digit = 4
const mark = 5
/** Letters of the Latin script that ASCII lacks. */
const latin = 6
const kinds = 13
/** A row of the table of costs begins every 16 places. */
const rowBits = 4

/** The kinds of letters whose cost does not depend on what stands before them, in hundredths of a token. */
const scripts = [
  { kind: latin, cost: 120 },
  /** Greek, Cyrillic */
  { kind: 7, cost: 55 },
  /** Hebrew, Arabic and their neighbours */
  { kind: 8, cost: 80 },
  /** India, South-East Asia */
  { kind: 9, cost: 95 },
  /** Chinese, Japanese */
  { kind: 10, cost: 100 },
  /** Korean */
  { kind: 11, cost: 125 },
  /** Signs, pictures, the rest */
  { kind: 12, cost: 125 }
] as const

// Views answer with a number and nothing else, which keeps the one hot loop quick.
const kindOfAscii: DataView = (() => {
  const table = new Uint8Array(128).fill(mark)
  table.fill(line, 0, 33)
  table[9] = space
  table[32] = space
  table.fill(digit, 48, 58)
  table.fill(upper, 65, 91)
  table.fill(lower, 97, 123)
  return new DataView(table.buffer)
})()

/** By blocks of 128 characters, which is as fine as a guess needs. */
const kindOfBlock: DataView = (() => {
  const table = new Uint8Array(512).fill(12)
  table.fill(latin, 0x0080 >> 7, 0x0280 >> 7)
  table.fill(7, 0x0380 >> 7, 0x0580 >> 7)
  table.fill(8, 0x0580 >> 7, 0x0900 >> 7)
  table.fill(9, 0x0900 >> 7, 0x1100 >> 7)
  table.fill(10, 0x2e80 >> 7, 0xa000 >> 7)
  table.fill(11, 0xac00 >> 7, 0xd780 >> 7)
  table.fill(10, 0xf900 >> 7, 0xfb00 >> 7)
  table.fill(10, 0xff00 >> 7)
  return new DataView(table.buffer)
})()

/**
 * What a character costs after another, in hundredths of a token. Fitted to
 * counts of four vocabularies in use (two of OpenAI's, DeepSeek's, Qwen's) over
 * prose, JSON, code, tables and random letters, so that the sum is a little above
 * the largest of the four.
 */
const costs: DataView = (() => {
  const table = new Uint8Array(kinds << rowBits)
  const set = (kind: number, otherwise: number, after: ReadonlyArray<readonly [kind: number, cost: number]>): void => {
    for (let before = 0; before < kinds; before++) table[before << rowBits | kind] = otherwise
    for (const [before, cost] of after) table[before << rowBits | kind] = cost
  }
  // The blank before a word belongs to the word, and the first letters come with it.
  set(space, 45, [[space, 2], [line, 2]])
  set(line, 20, [[line, 2]])
  set(lower, 120, [[space, 5], [line, 5], [lower, 21], [mark, 40]])
  set(upper, 20, [[space, 10], [line, 10], [lower, 120], [upper, 35]])
  // Some vocabularies have no numbers, only digits.
  set(digit, 80, [])
  set(mark, 120, [[space, 40], [line, 40], [mark, 20]])
  for (const { cost, kind } of scripts) set(kind, cost, [])
  return new DataView(table.buffer)
})()

/**
 * The tokens of a text, guessed from its letters: on the high side, so that a
 * limit reserved by it holds. Takes time linear in the text.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ofText = (text: string): number => Math.ceil(hundredths(text) / 100)

const hundredths = (text: string): number => {
  let sum = 0
  let row = space << rowBits
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    const kind = code < 128 ? kindOfAscii.getUint8(code) : kindOfBlock.getUint8(code >> 7)
    sum += costs.getUint8(row | kind)
    row = kind << rowBits
  }
  return sum
}

/** The role, and the marks where a message begins and ends. */
const aroundMessage = 400

/** The tags and the names of their attributes. */
const aroundPassage = 1_500

/** The rules of citing. */
const aroundPassages = 10_000

/** The instruction to answer in JSON only. */
const aroundSchema = 4_000

/**
 * The input tokens of a request: its messages, passages and schema, and what
 * is put around them.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ofRequest = (request: Chat.Request & { readonly schema?: unknown }): number => {
  let sum = aroundMessage
  for (const message of request.messages) sum += hundredths(message.text) + aroundMessage
  if (request.context !== undefined && request.context.length > 0) {
    sum += aroundPassages
    for (const passage of request.context) {
      sum += aroundPassage + hundredths(passage.text) + hundredths(passage.id) +
        hundredths(passage.title ?? "") + hundredths(passage.publishedAt ?? "")
    }
  }
  return Math.ceil((sum + ofSchema(request.schema)) / 100)
}

/** A schema is asked with again and again, and nobody changes it. */
const ofSchemas = new WeakMap<object, number>()

const ofSchema = (schema: unknown): number => {
  if (typeof schema !== "object" || schema === null) return schema === undefined ? 0 : aroundSchema
  const known = ofSchemas.get(schema)
  if (known !== undefined) return known
  const sum = aroundSchema + hundredths(JSON.stringify(schema))
  ofSchemas.set(schema, sum)
  return sum
}
