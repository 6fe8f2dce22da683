/**
 * Makes one model of several: the next is asked when one fails, and the trail of
 * tries comes with the answer and with the error.
 *
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Chat from "./Chat.js"
import type * as Llm from "./Llm.js"
import * as LlmError from "./LlmError.js"

/**
 * A chain that makes no sense: no model, or the same one twice.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidChain extends Schema.TaggedError<InvalidChain>("causeway/LlmChain/InvalidChain")("InvalidChain", {
  description: Schema.String
}) {
  override get message() {
    return this.description
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The chain's name in its own errors; `chain` unless given. */
  readonly name?: string | undefined
  /** The longest one model may take: for a whole answer, or for the first piece of a stream. 20 seconds unless given. */
  readonly attemptTimeout?: Duration.DurationInput | undefined
  /**
   * The longest the whole call may take; no limit unless given. A silent model
   * costs its whole `attemptTimeout`, so choose the two together.
   */
  readonly deadline?: Duration.DurationInput | undefined
}

/**
 * The name a model has in a chain: its provider and its model.
 *
 * @since 0.1.0
 * @category combinators
 */
export const idOf = (model: Llm.Model): string => `${model.provider}/${model.model}`

/**
 * Builds a chain. A model that fails is followed by the next when its error
 * `shouldFailOver` (and when it is itself an exhausted chain); any other error
 * ends the call at once. When the last has failed the error is `Exhausted`, with
 * the smallest `retryAfter` of all; when the deadline passes it is `TimedOut`.
 * A stream changes models only before its first text. Interruption stops the
 * call and asks no further model.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  models: Arr.NonEmptyReadonlyArray<Llm.Model>,
  options: Options = {}
): Effect.Effect<Llm.Model, InvalidChain> =>
  Effect.suspend(() => {
    const ids = models.map(idOf)
    const twice = ids.find((id, index) => ids.indexOf(id) !== index)
    if (ids.length === 0) return Effect.fail(new InvalidChain({ description: "a chain needs at least one model" }))
    if (twice !== undefined) {
      return Effect.fail(new InvalidChain({ description: `the chain names the model ${twice} twice` }))
    }
    return Effect.succeed(unsafeMake(models, options))
  })

const unsafeMake = (models: ReadonlyArray<Llm.Model>, options: Options): Llm.Model => {
  const name = options.name ?? "chain"
  const attemptMs = Duration.toMillis(options.attemptTimeout ?? "20 seconds")
  const deadlineMs = options.deadline === undefined ? Infinity : Duration.toMillis(options.deadline)

  const begin: Effect.Effect<Run> = Effect.map(Clock.currentTimeMillis, (now) => ({
    name,
    attemptMs,
    endsAt: now + deadlineMs,
    trail: [],
    retryAfterMs: Infinity
  }))

  const ask = <A extends Chat.Provenance>(
    use: (model: Llm.Model) => Effect.Effect<A, LlmError.LlmError>
  ): Effect.Effect<A, LlmError.LlmError> =>
    Effect.flatMap(
      begin,
      (run) =>
        Effect.map(inOrder(models, run, use), (answer) => ({ ...answer, attempts: [...run.trail, ...answer.attempts] }))
    )

  return {
    provider: name,
    model: models.map(idOf).join(", "),
    generateText: (request) => ask((model) => model.generateText(request)),
    generateObject: (request) => ask((model) => model.generateObject(request)),
    streamText: (request) =>
      Stream.unwrapScoped(Effect.gen(function*() {
        const run = yield* begin
        const opened = yield* inOrder(models, run, (model) => open(model, request))
        return resume(opened, run)
      })),
    ping: Effect.flatMap(begin, (run) => inOrder(models, run, (model) => model.ping))
  }
}

/** What one call knows of itself while it walks the chain. */
interface Run {
  readonly name: string
  readonly attemptMs: number
  /** Milliseconds since the epoch, or infinity. */
  readonly endsAt: number
  /** Only ever appended to, by the one fiber of the call. */
  readonly trail: Array<Chat.Attempt>
  retryAfterMs: number
}

const inOrder = <A, R>(
  models: ReadonlyArray<Llm.Model>,
  run: Run,
  use: (model: Llm.Model) => Effect.Effect<A, LlmError.LlmError, R>
): Effect.Effect<A, LlmError.LlmError, R> => {
  const next = (index: number): Effect.Effect<A, LlmError.LlmError, R> => {
    const model = models[index]
    if (model === undefined) return Effect.fail(exhausted(run))
    return Effect.flatMap(Clock.currentTimeMillis, (startedAt) => {
      const left = run.endsAt - startedAt
      if (left <= 0) return Effect.fail(tooLate(run, models.slice(index)))
      const limit = Math.min(run.attemptMs, left)
      return within(use(model), model.provider, limit).pipe(
        Effect.catchAll((error) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => {
            note(run, model, error, now - startedAt)
            if (now >= run.endsAt) return Effect.fail(tooLate(run, models.slice(index + 1)))
            return error.shouldFailOver || error.reason === "Exhausted"
              ? next(index + 1)
              : Effect.fail(LlmError.withAttempts(error, [...run.trail]))
          })
        )
      )
    })
  }
  return next(0)
}

const within = <A, R>(
  self: Effect.Effect<A, LlmError.LlmError, R>,
  provider: string,
  millis: number
): Effect.Effect<A, LlmError.LlmError, R> =>
  millis === Infinity ? self : Effect.timeoutFail(self, {
    duration: millis,
    onTimeout: () =>
      new LlmError.LlmError({ reason: "TimedOut", provider, description: `no answer within ${Math.round(millis)} ms` })
  })

/** A model that is a chain itself brings its own trail; any other is one attempt. */
const note = (run: Run, model: Llm.Model, error: LlmError.LlmError, elapsedMs: number): void => {
  if (error.retryAfterMs !== undefined) run.retryAfterMs = Math.min(run.retryAfterMs, error.retryAfterMs)
  if (error.attempts !== undefined && error.attempts.length > 0) run.trail.push(...error.attempts)
  else {
    run.trail.push({
      provider: model.provider,
      model: model.model,
      outcome: "failed",
      reason: error.reason,
      elapsedMs: Math.max(0, elapsedMs)
    })
  }
}

const summary = (trail: ReadonlyArray<Chat.Attempt>): string =>
  trail.map((attempt) => `${attempt.provider}/${attempt.model} ${attempt.reason ?? attempt.outcome}`).join(", ")

const retryAfterOf = (run: Run): { readonly retryAfterMs?: number } =>
  run.retryAfterMs === Infinity ? {} : { retryAfterMs: run.retryAfterMs }

const exhausted = (run: Run): LlmError.LlmError =>
  new LlmError.LlmError({
    reason: "Exhausted",
    provider: run.name,
    description: `every model failed: ${summary(run.trail)}`,
    ...retryAfterOf(run),
    attempts: [...run.trail]
  })

const tooLate = (run: Run, skipped: ReadonlyArray<Llm.Model>): LlmError.LlmError => {
  const attempts: ReadonlyArray<Chat.Attempt> = [
    ...run.trail,
    ...skipped.map((model) => ({
      provider: model.provider,
      model: model.model,
      outcome: "skipped" as const,
      reason: "TimedOut",
      elapsedMs: 0
    }))
  ]
  return new LlmError.LlmError({
    reason: "TimedOut",
    provider: run.name,
    description: `the deadline passed before a model answered: ${summary(attempts)}`,
    ...retryAfterOf(run),
    attempts
  })
}

/** A stream that has shown its first text: from here on no other model may take over. */
interface Opened {
  readonly model: Llm.Model
  readonly startedAt: number
  readonly first: Chunk.Chunk<Chat.Delta>
  readonly pull: Effect.Effect<Chunk.Chunk<Chat.Delta>, Option.Option<LlmError.LlmError>>
}

const open = (model: Llm.Model, request: Chat.Request): Effect.Effect<Opened, LlmError.LlmError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const startedAt = yield* Clock.currentTimeMillis
      const attempt = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
      const start = Effect.flatMap(Stream.toPull(model.streamText(request)), (pull) =>
        Effect.map(untilText(pull, model), (first) => ({ model, startedAt, first, pull })))
      return yield* restore(Scope.extend(start, attempt)).pipe(
        Effect.onError((cause) =>
          Scope.close(attempt, Exit.failCause(cause))
        )
      )
    })
  )

const untilText = (pull: Opened["pull"], model: Llm.Model): Effect.Effect<Opened["first"], LlmError.LlmError> =>
  Effect.matchEffect(pull, {
    onFailure: (end) => Effect.fail(Option.getOrElse(end, () => unfinished(model))),
    onSuccess: (chunk) => Chunk.some(chunk, shows) ? Effect.succeed(chunk) : untilText(pull, model)
  })

const shows = (delta: Chat.Delta): boolean => delta._tag === "Done" || delta.text !== ""

const unfinished = (model: Llm.Model): LlmError.LlmError =>
  new LlmError.LlmError({
    reason: "Malformed",
    provider: model.provider,
    description: "the stream ended before the answer was complete"
  })

const resume = (opened: Opened, run: Run): Stream.Stream<Chat.Delta, LlmError.LlmError> => {
  let isDone = Chunk.some(opened.first, (delta) => delta._tag === "Done")
  const pull = Effect.matchEffect(opened.pull, {
    onFailure: (end) => Effect.fail(Option.isSome(end) || isDone ? end : Option.some(unfinished(opened.model))),
    onSuccess: (chunk) => {
      if (Chunk.some(chunk, (delta) => delta._tag === "Done")) isDone = true
      return Effect.succeed(chunk)
    }
  })
  const rest = run.endsAt === Infinity ?
    pull :
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.timeoutFail(pull, {
        duration: Math.max(0, run.endsAt - now),
        onTimeout: () =>
          Option.some(
            new LlmError.LlmError({
              reason: "TimedOut",
              provider: opened.model.provider,
              description: "the deadline passed while the answer was streaming"
            })
          )
      }))
  return Stream.concat(Stream.fromChunk(opened.first), Stream.repeatEffectChunkOption(rest)).pipe(
    Stream.map((delta): Chat.Delta =>
      delta._tag === "Text"
        ? delta
        : { ...delta, answer: { ...delta.answer, attempts: [...run.trail, ...delta.answer.attempts] } }
    ),
    Stream.catchAll((error) =>
      Stream.fromEffect(Effect.flatMap(Clock.currentTimeMillis, (now) => {
        note(run, opened.model, error, now - opened.startedAt)
        return Effect.fail(LlmError.withAttempts(error, [...run.trail]))
      }))
    )
  )
}
