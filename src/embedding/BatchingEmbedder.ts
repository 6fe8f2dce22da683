/**
 * Joins the texts of many callers into the batches that a remote model is asked
 * in.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as TimeLimit from "../policy/TimeLimit.js"
import type { Embedding } from "./Embedder.js"
import { Embedder, EmbedderError } from "./Embedder.js"
import * as Bisection from "./internal/Bisection.js"
import * as TextLine from "./internal/TextLine.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** Texts in one batch at most; 64 unless given. */
  readonly maxTexts?: number | undefined
  /** Characters in one batch at most; a longer text is a batch of its own; 100,000 unless given. */
  readonly maxLength?: number | undefined
  /** How long the first text of a batch waits for others; 5 milliseconds unless given. */
  readonly linger?: Duration.DurationInput | undefined
  /** Batches under way at once; 4 unless given. */
  readonly concurrency?: number | undefined
  /** Whether a failure that is not retryable may be one text's fault; unless given, whenever it does not say that it is none's. */
  readonly isOfOneText?: ((error: EmbedderError) => boolean) | undefined
}

/** Texts that wait at most. */
const maxWaiting = 10_000

/** A call of more texts than may wait is put in line in parts of so many. */
const partSize = 1000

/** A batch under way, and the calls that still wait for any of its texts. */
interface Batch {
  readonly calls: Set<TextLine.Call>
  fiber: Fiber.RuntimeFiber<void> | undefined
}

const positive = (name: string, value: number): number => {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new RangeError(`${name} has to be a whole number above zero; it is ${value}`)
}

const partsOf = (texts: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> =>
  Array.from(
    { length: Math.ceil(texts.length / partSize) },
    (_, part) => texts.slice(part * partSize, (part + 1) * partSize)
  )

/**
 * The same embedder, asked in batches. A batch that fails fails for those whose
 * texts were in it, and no others; of a refused batch of several texts its halves
 * are asked for, and theirs, so that one bad text spoils no other and costs some
 * 13 requests among 64. Where the embedder does not say whose fault it is, a text
 * that nobody would refuse decides. A caller who goes away
 * takes no text from others. Callers that wait stand in line in their order; at
 * most 10,000 texts wait, and more fail at once as retryable; a single call may
 * have more, which then join the line part by part. Each caller waits no longer
 * than its `TimeLimit`; a batch may take as long as the most patient of its
 * callers. When the scope closes, whoever still waits fails as retryable. Options
 * out of their range are a defect.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (embedder: Embedding, options: Options = {}): Effect.Effect<Embedding, never, Scope.Scope> =>
  Effect.gen(function*() {
    const line = TextLine.make({
      maxTexts: positive("maxTexts", options.maxTexts ?? 64),
      maxLength: positive("maxLength", options.maxLength ?? 100_000)
    })
    const linger = Duration.toMillis(options.linger ?? "5 millis")
    const slots = yield* Effect.makeSemaphore(positive("concurrency", options.concurrency ?? 4))
    const isOfOneText = options.isOfOneText ?? (({ isRefusal }) => isRefusal !== false)
    /** Open while texts wait, and while they fill a batch. */
    const arrived = yield* Effect.makeLatch(false)
    const filled = yield* Effect.makeLatch(false)
    const calls = new Map<TextLine.Call, Set<Batch>>()
    const underWay = new Set<Fiber.RuntimeFiber<void>>()
    let isClosed = false

    const failure = (description: string, isRetryable: boolean) =>
      new EmbedderError({ embedder: embedder.id, description, isRetryable, isRefusal: false })
    const closed = () => failure("the embedder is closed", true)

    /** Ends a call, once; a batch that nobody waits for any more is given up. */
    const end = (call: TextLine.Call, exit: Exit.Exit<ReadonlyArray<Float32Array>, EmbedderError>): void => {
      const batches = calls.get(call)
      if (batches === undefined) return
      calls.delete(call)
      line.leave(call)
      Deferred.unsafeDone(call.done, exit)
      for (const batch of batches) {
        batch.calls.delete(call)
        if (batch.calls.size === 0) batch.fiber?.unsafeInterruptAsFork(batch.fiber.id())
      }
    }

    const isWaiting = (item: TextLine.Item): boolean => calls.has(item.call)

    const give = (items: ReadonlyArray<TextLine.Item>, vectors: ReadonlyArray<Float32Array>): void => {
      if (vectors.length !== items.length) {
        return spoil(items, Cause.fail(failure(`${vectors.length} vectors came for ${items.length} texts`, false)))
      }
      for (const [at, { call, index }] of items.entries()) {
        const vector = vectors[at]
        if (vector === undefined) continue
        call.vectors[index] = vector
        call.missing--
        if (call.missing === 0) end(call, Exit.succeed(call.vectors))
      }
    }

    const spoil = (items: ReadonlyArray<TextLine.Item>, cause: Cause.Cause<EmbedderError>): void => {
      const exit = Exit.failCause(
        Cause.isInterruptedOnly(cause)
          ? Cause.fail(failure("the embedder was stopped before it had an answer", true))
          : cause
      )
      for (const { call } of items) end(call, exit)
    }

    const ask = Bisection.make({
      embed: (texts) => Effect.exit(Effect.suspend(() => embedder.embed(texts))),
      isRefused: (error) => !error.isRetryable && isOfOneText(error),
      isWaiting,
      give,
      spoil
    })

    const start = (items: ReadonlyArray<TextLine.Item>): Effect.Effect<void> =>
      Effect.suspend(() => {
        const batch: Batch = { calls: new Set(items.map(({ call }) => call)), fiber: undefined }
        for (const call of batch.calls) calls.get(call)?.add(batch)
        const limit = Math.max(...Array.from(batch.calls, (call) => call.limit))
        return Effect.interruptible(ask(items)).pipe(
          Effect.locally(TimeLimit.current, limit),
          Effect.ensuring(slots.release(1)),
          // The finalizer below ends it, after it has told the callers.
          Effect.forkDaemon,
          Effect.map((fiber) => {
            batch.fiber = fiber
            underWay.add(fiber)
            fiber.addObserver(() => underWay.delete(fiber))
            if (batch.calls.size === 0) fiber.unsafeInterruptAsFork(fiber.id())
          })
        )
      })

    /** Until the first text in line has waited for others long enough, or they fill a batch. */
    const lingering = Effect.clockWith((clock) => {
      const first = line.first()
      if (first === undefined || line.isFull()) return Effect.void
      // No longer than once more, should the date have been set back.
      const left = Math.min(linger, first.since + linger - clock.unsafeCurrentTimeMillis())
      if (left <= 0) return Effect.void
      filled.unsafeClose()
      return Effect.timeoutOption(filled.await, left)
    })

    const next = Effect.suspend(() => {
      const items = line.take()
      if (line.first() === undefined) arrived.unsafeClose()
      return items.length === 0 ? slots.release(1) : start(items)
    })

    const dispatcher = yield* Effect.forkDaemon(Effect.forever(
      arrived.await.pipe(
        Effect.zipRight(lingering),
        Effect.zipRight(slots.take(1)),
        Effect.zipRight(Effect.uninterruptible(next))
      )
    ))
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isClosed = true
        for (const call of calls.keys()) end(call, Exit.fail(closed()))
        return Effect.zipRight(
          Fiber.interrupt(dispatcher),
          // Only now: it may have begun a batch before it stopped.
          Effect.suspend(() => Fiber.interruptAll([...underWay]))
        )
      })
    )

    const enter = (texts: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Float32Array>, EmbedderError> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(
          Effect.all([TimeLimit.remaining, Effect.clock]),
          ([left, clock]) =>
            Effect.withFiberRuntime((fiber) => {
              if (isClosed) return Effect.fail(closed())
              const late = () => failure("no vector came within the time left for this call", true)
              if (left === 0) return Effect.fail(late())
              if (line.size() + texts.length > maxWaiting) {
                return Effect.fail(
                  failure(`${line.size()} texts wait already, and no more than ${maxWaiting} may`, true)
                )
              }
              const limit = fiber.getFiberRef(TimeLimit.current)
              const call = line.enter(texts, clock.unsafeCurrentTimeMillis(), limit, fiber.id())
              calls.set(call, new Set())
              arrived.unsafeOpen()
              if (line.isFull()) filled.unsafeOpen()
              const answer = Deferred.await(call.done)
              return Effect.onExit(
                restore(left === Infinity ? answer : Effect.timeoutFail(answer, { duration: left, onTimeout: late })),
                () => Effect.sync(() => end(call, Exit.interrupt(fiber.id())))
              )
            })
        )
      )

    return {
      ...embedder,
      embed: (texts) =>
        texts.length === 0
          ? Effect.succeed([])
          : texts.length <= maxWaiting
          ? enter(texts)
          : Effect.map(Effect.forEach(partsOf(texts), enter), (parts) => parts.flat())
    }
  })

/**
 * Asks the embedder of a layer in batches.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  inner: Layer.Layer<Embedder, E, R>,
  options?: Options
): Layer.Layer<Embedder, E, R> =>
  Layer.provide(Layer.scoped(Embedder, Effect.flatMap(Embedder, (embedder) => make(embedder, options))), inner)
