/**
 * Remembers the vectors of texts by what they say, so that the same text is not
 * sent to a remote model twice.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { createHash } from "node:crypto"
import * as TimeLimit from "../policy/TimeLimit.js"
import type { Embedding } from "./Embedder.js"
import { Embedder, EmbedderError } from "./Embedder.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** How many vectors are kept, the latest used last to go; 10,000 unless given, some 1.5 MB per thousand at 384 dimensions. */
  readonly capacity?: number | undefined
}

/** Texts by their digests. */
type Texts = ReadonlyMap<string, string>
type Vectors = Map<string, Float32Array>

/** One call of the embedder underneath, for as long as anyone waits for it. */
interface Run {
  readonly keys: ReadonlyArray<string>
  /** The `TimeLimit` of whoever began it. */
  readonly limit: number
  readonly result: Deferred.Deferred<Vectors, EmbedderError>
  waiters: number
  isOver: boolean
  fiber: Fiber.RuntimeFiber<void> | undefined
}

/** Over the UTF-16 units: as UTF-8, texts with different halves of characters would be one. */
const digest = (text: string): string => createHash("sha256").update(text, "utf16le").digest("base64")

/**
 * The same embedder behind a cache, by a digest of the text. Texts asked for
 * several times at once, in one call or several, are embedded once; a failure is
 * not remembered. A caller who goes away does not take the vector from others,
 * and who joined a call that another's text or shorter time made fail is asked
 * for once more. Every vector is a copy, so nobody can damage another's. A
 * capacity that is no whole number above zero throws a `RangeError`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (embedder: Embedding, options: Options = {}): Embedding => {
  const capacity = options.capacity ?? 10_000
  if (!Number.isSafeInteger(capacity) || capacity < 1) {
    throw new RangeError(`capacity has to be a whole number above zero; it is ${capacity}`)
  }
  // A map keeps its keys in the order they were put in: the first is the one that was used longest ago.
  const kept: Vectors = new Map()
  const running = new Map<string, Run>()

  const failure = (description: string, isRetryable: boolean) =>
    new EmbedderError({ embedder: embedder.id, description, isRetryable, isRefusal: false })

  const use = (key: string): Float32Array | undefined => {
    const vector = kept.get(key)
    if (vector !== undefined) {
      kept.delete(key)
      kept.set(key, vector)
    }
    return vector
  }

  const keep = (key: string, vector: Float32Array): void => {
    kept.set(key, vector)
    if (kept.size <= capacity) return
    const oldest = kept.keys().next()
    if (oldest.done !== true) kept.delete(oldest.value)
  }

  const over = (run: Run): void => {
    run.isOver = true
    for (const key of run.keys) if (running.get(key) === run) running.delete(key)
  }

  /** What a run came to; its vectors are kept when there is one for each text. */
  const outcome = (
    run: Run,
    exit: Exit.Exit<ReadonlyArray<Float32Array>, EmbedderError>
  ): Exit.Exit<Vectors, EmbedderError> => {
    if (Exit.isFailure(exit)) {
      return Cause.isInterruptedOnly(exit.cause)
        ? Exit.fail(failure("the embedder was stopped before it had an answer", true))
        : Exit.failCause(exit.cause)
    }
    const vectors: Vectors = new Map()
    for (const [at, key] of run.keys.entries()) {
      const vector = exit.value[at]
      // A copy also lets go of a larger buffer that the vector may be a view of.
      if (vector !== undefined) vectors.set(key, vector.slice())
    }
    if (vectors.size !== run.keys.length || exit.value.length !== run.keys.length) {
      return Exit.fail(failure(`${exit.value.length} vectors came for ${run.keys.length} texts`, false))
    }
    for (const [key, vector] of vectors) keep(key, vector)
    return Exit.succeed(vectors)
  }

  const begin = (run: Run, texts: ReadonlyArray<string>): Effect.Effect<void> =>
    Effect.exit(Effect.interruptible(Effect.suspend(() => embedder.embed(texts)))).pipe(
      Effect.map((exit) => {
        over(run)
        Deferred.unsafeDone(run.result, outcome(run, exit))
      }),
      // It ends with its last waiter, who may be another than whoever began it.
      Effect.forkDaemon,
      Effect.map((fiber) => {
        run.fiber = fiber
      })
    )

  const leave = (run: Run): void => {
    run.waiters--
    if (run.waiters > 0 || run.isOver) return
    over(run)
    run.fiber?.unsafeInterruptAsFork(run.fiber.id())
  }

  /** The vectors of a run, or nothing when it failed for a reason that may be another's alone. */
  const joined = (
    run: Run,
    texts: Texts,
    limit: number,
    isLast: boolean
  ): Effect.Effect<Vectors | undefined, EmbedderError> => {
    const waited = Deferred.await(run.result)
    const bounded = run.limit <= limit ?
      waited :
      Effect.flatMap(TimeLimit.remaining, (duration) =>
        Effect.timeoutFail(waited, {
          duration,
          onTimeout: () => failure("no vector came within the time left for this call", true)
        }))
    if (isLast) return bounded
    const mayBeAnothers = (error: EmbedderError) =>
      error.isRetryable ? run.limit < limit : run.keys.some((key) => !texts.has(key))
    return Effect.catchIf(bounded, mayBeAnothers, () => Effect.succeed(undefined))
  }

  const gather = (texts: Texts, isLast: boolean): Effect.Effect<Vectors, EmbedderError> =>
    // Nothing may come between looking a run up and counting as its waiter.
    Effect.uninterruptibleMask((restore) =>
      Effect.withFiberRuntime((fiber) => {
        const limit = fiber.getFiberRef(TimeLimit.current)
        const found: Vectors = new Map()
        const missing = new Map<string, string>()
        const runs = new Set<Run>()
        for (const [key, text] of texts) {
          const vector = use(key)
          const run = running.get(key)
          if (vector !== undefined) found.set(key, vector)
          // Asked once more, a text is not put in with another's again, which may be as bad.
          else if (run !== undefined && (!isLast || run.keys.every((key) => texts.has(key)))) runs.add(run)
          else missing.set(key, text)
        }
        const own: Run | undefined = missing.size === 0 ? undefined : {
          keys: [...missing.keys()],
          limit,
          result: Deferred.unsafeMake(fiber.id()),
          waiters: 0,
          isOver: false,
          fiber: undefined
        }
        if (own !== undefined) {
          runs.add(own)
          for (const key of own.keys) running.set(key, own)
        }
        if (runs.size === 0) return Effect.succeed(found)
        for (const run of runs) run.waiters++
        const wait = Effect.forEach(runs, (run) => joined(run, texts, limit, isLast || run === own), {
          concurrency: "unbounded"
        })
        const all = Effect.onExit(restore(wait), () =>
          Effect.sync(() => {
            for (const run of runs) leave(run)
          }))
        const begun = own === undefined ? Effect.void : begin(own, [...missing.values()])
        return Effect.flatMap(Effect.zipRight(begun, all), (results) => {
          for (const vectors of results) {
            for (const [key, vector] of vectors ?? []) if (texts.has(key)) found.set(key, vector)
          }
          const rest = new Map([...texts].filter(([key]) => !found.has(key)))
          return rest.size === 0 ? Effect.succeed(found) : Effect.map(
            restore(gather(rest, true)),
            (more) => new Map([...found, ...more])
          )
        })
      })
    )

  return {
    ...embedder,
    embed: (texts) =>
      Effect.suspend(() => {
        const keys = texts.map(digest)
        const wanted = new Map(keys.map((key, at) => [key, texts[at] ?? ""]))
        return Effect.map(gather(wanted, false), (vectors) =>
          keys.map((key) => {
            const vector = vectors.get(key)
            if (vector === undefined) throw new Error("a text was gathered without its vector")
            return vector.slice()
          }))
      })
  }
}

/**
 * Puts a cache before the embedder of a layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  inner: Layer.Layer<Embedder, E, R>,
  options?: Options
): Layer.Layer<Embedder, E, R> =>
  Layer.provide(Layer.effect(Embedder, Effect.map(Embedder, (embedder) => make(embedder, options))), inner)
