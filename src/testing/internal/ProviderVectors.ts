/**
 * The vectors that a fake provider gives: made from the text alone, so that a
 * test can tell whose they are.
 *
 * @since 0.1.0
 */
import { createHash } from "node:crypto"

/** How long vectors are where nobody says. */
const usual = 8

/**
 * The numbers of a text, from -1 to 1 and not all zero.
 *
 * @since 0.1.0
 * @category constructors
 */
export const of = (text: string, dimensions: number = usual): ReadonlyArray<number> => {
  const numbers: Array<number> = []
  for (let block = 0; numbers.length < dimensions; block++) {
    const bytes = createHash("sha256").update(`${block}\n${text}`).digest()
    for (let at = 0; at < bytes.length && numbers.length < dimensions; at += 4) {
      numbers.push((bytes.readUInt32LE(at) / 2 ** 32) * 2 - 1)
    }
  }
  return numbers
}

type Body = { readonly [field: string]: unknown } | undefined

/**
 * The texts of a request.
 *
 * @since 0.1.0
 * @category combinators
 */
export const inputs = (request: Body): ReadonlyArray<string> =>
  typeof request?.input === "string"
    ? [request.input]
    : Array.isArray(request?.input)
    ? request.input.filter((text) => typeof text === "string")
    : []

/**
 * One vector of an answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Item {
  readonly object: "embedding"
  readonly index?: unknown
  readonly embedding: unknown
}

/**
 * The vectors of a request's texts in order, as long as it or else `dimensions`
 * says.
 *
 * @since 0.1.0
 * @category constructors
 */
export const items = (request: Body, dimensions?: number): ReadonlyArray<Item> => {
  const length = typeof request?.dimensions === "number" ? request.dimensions : dimensions
  return inputs(request).map((text, index) => ({ object: "embedding", index, embedding: of(text, length) }))
}

/**
 * A whole answer around vectors.
 *
 * @since 0.1.0
 * @category constructors
 */
export const around = (request: Body, data: unknown): { readonly [field: string]: unknown } => {
  const tokens = Math.ceil(inputs(request).join("").length / 4)
  return {
    object: "list",
    data,
    ...(typeof request?.model === "string" ? { model: request.model } : {}),
    usage: { prompt_tokens: tokens, total_tokens: tokens }
  }
}

/**
 * A whole, honest answer.
 *
 * @since 0.1.0
 * @category constructors
 */
export const body = (request: Body, dimensions?: number): { readonly [field: string]: unknown } =>
  around(request, items(request, dimensions))
