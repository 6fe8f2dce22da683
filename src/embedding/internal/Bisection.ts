/**
 * Finds the texts that are the reason why a batch is refused, by asking for its
 * halves, and theirs.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { EmbedderError } from "../Embedder.js"
import type { Item } from "./TextLine.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Settings {
  readonly embed: (
    texts: ReadonlyArray<string>
  ) => Effect.Effect<Exit.Exit<ReadonlyArray<Float32Array>, EmbedderError>>
  /** Whether one of several texts may be the reason for a failure. */
  readonly isRefused: (error: EmbedderError) => boolean
  /** Whether anybody still wants the vector of a text. */
  readonly isWaiting: (item: Item) => boolean
  readonly give: (items: ReadonlyArray<Item>, vectors: ReadonlyArray<Float32Array>) => void
  readonly spoil: (items: ReadonlyArray<Item>, cause: Cause.Cause<EmbedderError>) => void
}

/** What a batch has shown so far. */
interface Seen {
  /** Whether it has been asked for only as a whole. */
  isWhole: boolean
  /** Whether the embedder took any text of it since. */
  isAnyTaken: boolean
}

/** Why the rest of a batch need not be asked for, if there is a reason. */
type Verdict = Cause.Cause<EmbedderError> | undefined

/** Nobody has a reason to refuse this one. */
const harmless = "text"

const marked = ({ cause, description, embedder, isRetryable }: EmbedderError, isRefusal: boolean): EmbedderError =>
  new EmbedderError({ embedder, description, isRetryable, isRefusal, ...(cause === undefined ? {} : { cause }) })

/**
 * Makes a function that gives every text of a batch its vector or spoils it. A
 * batch of several texts that is refused is asked for by halves, which takes some
 * `2 log2(n)` requests for one bad text among `n`. Where the embedder does not say
 * whether a text is to blame, it is when another is taken: one of the batch, or
 * else a word that nobody would refuse. When that is not taken either, the rest
 * of the batch is not asked for.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  { embed, give, isRefused, isWaiting, spoil }: Settings
): (items: ReadonlyArray<Item>) => Effect.Effect<void> => {
  const spoiled = (items: ReadonlyArray<Item>, cause: Cause.Cause<EmbedderError>): Verdict => {
    spoil(items, cause)
    return cause
  }

  const alone = (item: Item, error: EmbedderError, seen: Seen): Effect.Effect<Verdict> =>
    Effect.map(
      error.isRefusal === true || seen.isAnyTaken ? Effect.succeed(undefined) : embed([harmless]),
      (exit) => {
        if (exit === undefined || exit._tag === "Success") {
          seen.isAnyTaken = true
          spoil([item], Cause.fail(marked(error, true)))
          return undefined
        }
        const { cause } = exit
        const isFinal = Cause.isFailType(cause) && !cause.error.isRetryable
        return spoiled([item], isFinal ? Cause.fail(marked(error, false)) : cause)
      }
    )

  const ask = (items: ReadonlyArray<Item>, seen: Seen): Effect.Effect<Verdict> =>
    Effect.flatMap(embed(items.map(({ text }) => text)), (exit) => {
      if (exit._tag === "Success") {
        seen.isAnyTaken = true
        give(items, exit.value)
        return Effect.succeed(undefined)
      }
      const { cause } = exit
      const [first, ...rest] = items
      if (!Cause.isFailType(cause) || !isRefused(cause.error) || first === undefined) {
        return Effect.succeed(spoiled(items, cause))
      }
      if (rest.length > 0) return halves(items, seen)
      return seen.isWhole ? Effect.succeed(spoiled(items, cause)) : alone(first, cause.error, seen)
    })

  const halves = (items: ReadonlyArray<Item>, seen: Seen): Effect.Effect<Verdict> =>
    Effect.gen(function*() {
      seen.isWhole = false
      const middle = Math.ceil(items.length / 2)
      const first = items.slice(0, middle).filter(isWaiting)
      const verdict = first.length === 0 ? undefined : yield* ask(first, seen)
      const second = items.slice(middle).filter(isWaiting)
      if (second.length === 0) return verdict
      // What is not one text's fault would befall the rest of them as well.
      return verdict === undefined ? yield* ask(second, seen) : spoiled(second, verdict)
    })

  return (items) => Effect.suspend(() => Effect.asVoid(ask(items, { isWhole: true, isAnyTaken: false })))
}
