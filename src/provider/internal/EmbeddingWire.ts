/**
 * What the `/embeddings` endpoint is asked and what its answers hold.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as LlmError from "../../llm/LlmError.js"
import type { Reply } from "./HttpCall.js"
import * as HttpFailure from "./HttpFailure.js"
import * as Replies from "./Replies.js"
import * as VendorError from "./VendorError.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Shape {
  readonly provider: string
  readonly model: string
  readonly dimensions: number
  readonly sendDimensions: boolean
}

/**
 * The body of a request. Numbers are asked for as text: servers and gateways
 * that ignore or spoil base64 are many, and some give a wrong length for it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const encode = (shape: Shape, texts: ReadonlyArray<string>): string =>
  JSON.stringify({
    model: shape.model,
    input: texts,
    encoding_format: "float",
    ...(shape.sendDimensions ? { dimensions: shape.dimensions } : {})
  })

/** A number with all its digits, a comma, a line break and the blanks of a pretty print. */
const bytesOfNumber = 48
const bytesAround = 256 * 1024

/**
 * The most bytes that the answer to so many texts may have.
 *
 * @since 0.1.0
 * @category combinators
 */
export const maxBytes = (dimensions: number, texts: number): number =>
  texts * (dimensions * bytesOfNumber + 1024) + bytesAround

/** Arrays and objects of an honest answer are two for each text and a few around them. */
const maxBrackets = (texts: number): number => 16 * texts + 256

const hasTooMany = (text: string, most: number): boolean => {
  let found = 0
  for (const bracket of ["[", "{"]) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) if (++found > most) return true
  }
  return false
}

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * The vector of length 1 in the same direction, or what is wrong with the
 * numbers. They are brought near 1 first, so that no square is out of range.
 */
const unit = (numbers: ReadonlyArray<unknown>, dimensions: number): Either.Either<Float32Array, string> => {
  if (numbers.length !== dimensions) {
    return Either.left(`a vector has ${numbers.length} numbers where ${dimensions} were expected`)
  }
  let largest = 0
  for (const number of numbers) {
    if (typeof number !== "number" || !Number.isFinite(number)) {
      return Either.left("a vector holds something that is no finite number")
    }
    largest = Math.max(largest, Math.abs(number))
  }
  if (largest === 0) return Either.left("a vector is zero, and points nowhere")
  let square = 0
  const vector = new Float64Array(dimensions)
  for (let at = 0; at < dimensions; at++) {
    const value = Number(numbers[at]) / largest
    vector[at] = value
    square += value * value
  }
  const length = Math.sqrt(square)
  return Either.right(Float32Array.from(vector, (value) => value / length))
}

/**
 * Which text each item is of, or what is wrong. An endpoint may leave all indices
 * out, and keeps to the order then; one that leaves out a single index means 0,
 * which some encodings do not write.
 */
const indicesOf = (items: ReadonlyArray<Fields>): Either.Either<ReadonlyArray<number>, string> => {
  const told = items.map(({ index }) => index ?? undefined)
  const absent = told.filter((index) => index === undefined).length
  if (absent === items.length) return Either.right([...items.keys()])
  if (absent > 1) return Either.left("some vectors do not say which text they are of")
  const seen = new Set<number>()
  for (const index of told.map((index) => index ?? 0)) {
    if (typeof index !== "number" || !Number.isInteger(index) || index < 0 || index >= items.length) {
      return Either.left("a vector is of no text that was sent")
    }
    if (seen.has(index)) return Either.left("two vectors are of the same text")
    seen.add(index)
  }
  return Either.right([...seen])
}

const vectorsOf = (body: unknown, shape: Shape, count: number): Either.Either<ReadonlyArray<Float32Array>, string> => {
  const items = isFields(body) && Array.isArray(body.data) ? body.data.filter(isFields) : undefined
  if (items === undefined) return Either.left("the answer holds no list of vectors")
  if (items.length !== count) return Either.left(`${items.length} vectors came for ${count} texts`)
  return Either.flatMap(indicesOf(items), (indices) => {
    const vectors = new Array<Float32Array>(count)
    for (const [at, index] of indices.entries()) {
      const numbers = items[at]?.embedding
      if (!Array.isArray(numbers)) return Either.left("a vector is no list of numbers")
      const vector = unit(numbers, shape.dimensions)
      if (Either.isLeft(vector)) return Either.left(vector.left)
      vectors[index] = vector.right
    }
    return Either.right(vectors)
  })
}

const parse = (text: string): Either.Either<unknown, undefined> => {
  try {
    return Either.right(JSON.parse(text))
  } catch {
    return Either.left(undefined)
  }
}

/**
 * The vectors in a reply, of length 1 and in the order of the texts, or the error
 * it is. A reply that cannot be read is `Malformed`; one that can be read and
 * holds other vectors than were asked for is `Degraded`, and would be so again.
 *
 * @since 0.1.0
 * @category combinators
 */
export const decode = (
  shape: Shape,
  count: number,
  reply: Reply,
  now: number
): Either.Either<ReadonlyArray<Float32Array>, LlmError.LlmError> => {
  const { provider } = shape
  if (reply.status >= 300) {
    return Either.left(Replies.failure({ errorOf: VendorError.fromBody }, provider, reply, now))
  }
  if (reply.text.trim() === "") return Either.left(HttpFailure.malformed(provider, "the answer has no body"))
  if (hasTooMany(reply.text, maxBrackets(count))) {
    return Either.left(HttpFailure.malformed(provider, "the answer has more parts than vectors need"))
  }
  const body = parse(reply.text)
  if (Either.isLeft(body)) return Either.left(HttpFailure.malformed(provider, "the answer is no JSON"))
  const error = VendorError.fromBody(body.right, false)
  if (error !== undefined) return Either.left(Replies.failed(provider, reply.status, error, reply.headers, now))
  return Either.mapLeft(
    vectorsOf(body.right, shape, count),
    (description) => new LlmError.LlmError({ reason: "Degraded", provider, description })
  )
}
