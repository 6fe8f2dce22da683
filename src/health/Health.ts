/**
 * What the server depends on, whether it answers, and since when.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

/**
 * One thing the server depends on, and how to ask whether it answers.
 *
 * @since 0.1.0
 * @category models
 */
export interface HealthCheck<out R = never> {
  /** For example `redis`; the name operators see. */
  readonly name: string
  /** What sort of thing it is, for example `session-store` or `model`. */
  readonly kind: string
  /** Succeeds when the thing answers; any failure means that it does not. */
  readonly check: Effect.Effect<void, unknown, R>
  /** Two seconds unless given. */
  readonly timeout?: Duration.DurationInput | undefined
  /** Whether the server is of no use without it; `false` unless given. */
  readonly required?: boolean | undefined
}

/**
 * What is known of one source.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Source = Schema.Struct({
  name: Schema.String,
  kind: Schema.String,
  status: Schema.Literal("up", "down"),
  since: Schema.String.annotations({ description: "When the status last changed, ISO 8601" }),
  latencyMs: Schema.Number.annotations({ description: "How long the last check took, in milliseconds" }),
  description: Schema.optionalWith(Schema.String, { exact: true })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Source extends Schema.Schema.Type<typeof Source> {}

/**
 * The whole verdict: `"degraded"` when a source is down, `"down"` when a
 * required one is. Sources stand in the order of their checks.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Report = Schema.Struct({
  status: Schema.Literal("up", "degraded", "down"),
  sources: Schema.Array(Source)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Report extends Schema.Schema.Type<typeof Report> {}

/**
 * Whether requests should be sent here: unless a required source is down.
 *
 * @since 0.1.0
 * @category guards
 */
export const isReady = (report: Report): boolean => report.status !== "down"

/**
 * @since 0.1.0
 * @category tags
 */
export class Health extends Context.Tag("causeway/Health")<Health, {
  /**
   * Asks every source at once and gives the verdict, which stands for a second.
   * Callers at the same time share one round of checks, and an interrupted
   * caller does not disturb the others.
   */
  readonly report: Effect.Effect<Report>
}>() {}

const freshFor = Duration.unsafeToNanos("1 second")

/**
 * The message of an error made by this library's rule: a tagged error of a
 * schema that wrote its own sentence and says whether it is retryable. Any other
 * message may hold an address, a query or a secret.
 */
const sentence = (error: unknown): string =>
  error instanceof Error && Schema.isSchema(error.constructor) && Predicate.hasProperty(error, "isRetryable") &&
    Object.hasOwn(Object.getPrototypeOf(error), "message")
    ? error.message
    : "the check failed"

interface Watched<R> {
  readonly check: HealthCheck<R>
  readonly limit: Duration.Duration
  source: Source | undefined
  /** A check that ignores its interruption may still run; a second one beside it would only pile up. */
  running: boolean
}

const ask = <R>(watched: Watched<R>): Effect.Effect<Option.Option<Exit.Exit<void, unknown>>, never, R> =>
  Effect.suspend(() => {
    if (watched.running) return Effect.succeedNone
    watched.running = true
    return Effect.exit(watched.check.check).pipe(
      Effect.ensuring(Effect.sync(() => {
        watched.running = false
      })),
      Effect.disconnect,
      Effect.timeoutOption(watched.limit)
    )
  })

const log = (source: Source, before: Source | undefined, defect: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (source.status === (before?.status ?? "up")) return Effect.void
  const described = Effect.annotateLogs({ source: source.name, kind: source.kind })
  return source.status === "up"
    ? described(Effect.logInfo(`${source.name} answers again`))
    : described(Effect.logWarning(`${source.name} does not answer: ${source.description}`, defect))
}

const observe = <R>(watched: Watched<R>): Effect.Effect<Source, never, R> =>
  Effect.clockWith((clock) =>
    Effect.suspend(() => {
      const { check, limit } = watched
      const began = clock.unsafeCurrentTimeNanos()
      return Effect.flatMap(ask(watched), (answer) => {
        const failure = Option.match(answer, {
          onNone: () => ({
            description: `no answer within ${Duration.toMillis(limit)} ms`,
            defect: Cause.empty
          }),
          // A defect in one check is no reason to lose the verdict on the others.
          onSome: Exit.match({
            onSuccess: () => undefined,
            onFailure: (cause) => ({
              description: Option.match(Cause.failureOption(cause), {
                onNone: () => sentence(undefined),
                onSome: sentence
              }),
              defect: Cause.keepDefects(cause).pipe(Option.getOrElse(() => Cause.empty))
            })
          })
        })
        const status = failure === undefined ? "up" : "down"
        const before = watched.source
        const source: Source = {
          name: check.name,
          kind: check.kind,
          status,
          since: before?.status === status ? before.since : new Date(clock.unsafeCurrentTimeMillis()).toISOString(),
          latencyMs: Math.round(Number(clock.unsafeCurrentTimeNanos() - began) / 1e5) / 10,
          ...(failure === undefined ? {} : { description: failure.description })
        }
        watched.source = source
        return Effect.as(log(source, before, failure?.defect ?? Cause.empty), source)
      })
    })
  )

/**
 * Makes the service. Checks run in the given scope, never in a caller's fiber.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <R>(
  checks: ReadonlyArray<HealthCheck<R>>
): Effect.Effect<Context.Tag.Service<Health>, never, R | Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const context = yield* Effect.context<R>()
    const all = checks.map((check): Watched<R> => ({
      check,
      limit: Duration.decode(check.timeout ?? "2 seconds"),
      source: undefined,
      running: false
    }))
    const round = Effect.map(
      Effect.forEach(all, observe, { concurrency: "unbounded" }),
      (sources): Report => {
        const down = checks.filter((_, index) => sources[index]?.status === "down")
        const status = down.length === 0 ? "up" : down.some((check) => check.required === true) ? "down" : "degraded"
        return { status, sources }
      }
    ).pipe(Effect.provide(context))

    let last: { readonly report: Report; readonly at: bigint } | undefined
    let flight: Deferred.Deferred<Report> | undefined

    return {
      report: Effect.clockWith((clock) =>
        Effect.uninterruptibleMask((restore) => {
          if (last !== undefined && clock.unsafeCurrentTimeNanos() - last.at < freshFor) {
            return Effect.succeed(last.report)
          }
          if (flight !== undefined) return restore(Deferred.await(flight))
          const landing = Deferred.unsafeMake<Report>(FiberId.none)
          flight = landing
          return Effect.interruptible(round).pipe(
            Effect.tap((report) =>
              Effect.sync(() => {
                last = { report, at: clock.unsafeCurrentTimeNanos() }
              })
            ),
            Effect.ensuring(Effect.sync(() => {
              flight = undefined
            })),
            Effect.intoDeferred(landing),
            Effect.forkIn(scope),
            Effect.zipRight(restore(Deferred.await(landing)))
          )
        })
      )
    }
  })

/**
 * Watches the given sources; with none, the verdict is always `"up"`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <R = never>(
  checks: ReadonlyArray<HealthCheck<R>>
): Layer.Layer<Health, never, Exclude<R, Scope.Scope>> => Layer.scoped(Health, make(checks))
