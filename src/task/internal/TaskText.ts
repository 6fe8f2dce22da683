/**
 * What a task holds of the world outside, as JSON texts. A text survives any
 * column, and whoever reads it cannot change what is stored.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"

/** A text, or the name of what cannot be one. */
type Text<A = string> = Either.Either<A, string>

/**
 * The JSON of a value, `null` for `undefined`.
 *
 * @since 0.1.0
 * @category encoding
 */
export const json = (what: string, value: unknown): Text =>
  Either.try({
    try: () => JSON.stringify(value ?? null),
    catch: () => what
  }).pipe(
    // What JSON leaves out gives no text at all: a function, a symbol.
    Either.filterOrLeft((text: string | undefined) => text !== undefined, () => what)
  )

/**
 * A call: its arguments, `null` when it has none, and its memo.
 *
 * @since 0.1.0
 * @category encoding
 */
export const call = (
  given: { readonly arguments: unknown; readonly memo: unknown }
): Text<{ readonly arguments: string | null; readonly memo: string }> =>
  Either.all({
    arguments: given.arguments === undefined ? Either.right(null) : json("the arguments", given.arguments),
    memo: json("the memo", given.memo)
  })

/**
 * A round of questions, and its keys.
 *
 * @since 0.1.0
 * @category models
 */
export interface Round {
  readonly requests: string
  readonly open: ReadonlyArray<string>
  readonly memo: string
}

/**
 * @since 0.1.0
 * @category encoding
 */
export const round = (requests: { readonly [key: string]: unknown }, memo: unknown): Text<Round> =>
  Either.map(
    Either.all({ requests: json("the questions", requests), memo: json("the memo", memo) }),
    (texts) => ({ ...texts, open: Object.keys(requests).map((key) => JSON.stringify(key)) })
  )

/**
 * @since 0.1.0
 * @category encoding
 */
export const outcome = (
  given: { readonly status: "completed"; readonly result: unknown } | {
    readonly status: "failed"
    readonly error: unknown
  }
): Text => given.status === "completed" ? json("the result", given.result) : json("the error", given.error)

/**
 * The text of each answer, by its key as a JSON string: no database refuses either.
 *
 * @since 0.1.0
 * @category models
 */
export type Answers = { readonly [key: string]: string }

/**
 * @since 0.1.0
 * @category encoding
 */
export const answers = (responses: { readonly [key: string]: unknown }): Text<Answers> =>
  Either.map(
    Either.all(
      Object.entries(responses).map(([key, response]) =>
        Either.map(json("the answers", response), (text) => [JSON.stringify(key), text] as const)
      )
    ),
    Object.fromEntries
  )

/**
 * What `answers` was given.
 *
 * @since 0.1.0
 * @category decoding
 */
export const responses = (given: Answers): { readonly [key: string]: unknown } =>
  // Never by assignment, which a key named `__proto__` would turn into something else.
  Object.fromEntries(Object.entries(given).map(([key, text]) => [JSON.parse(key), JSON.parse(text)]))
