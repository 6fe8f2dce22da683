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
  /**
   * How long an answer counts before it is asked for again, for sources that should
   * not be asked too often; not at all unless given. What is down is asked each time.
   */
  readonly askAgainAfter?: Duration.DurationInput | undefined
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
  /**
   * What is known of a source, or of those of a kind, without asking: `unknown`
   * before the first check, when there is no such source, and when nobody has asked
   * for 5 seconds and nothing asks by itself. Of several, one that is up counts.
   */
  readonly status: (name: string) => Source["status"] | "unknown"
}>() {}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /**
   * How often the sources are asked though nobody wants a report; 5 seconds unless
   * given, and every second at least while one is down, so that what it keeps from
   * working works again soon after it is back. 0: only when a report is asked for.
   */
  readonly every?: Duration.DurationInput | undefined
}

const freshFor = Duration.unsafeToNanos("1 second")
/** How long a verdict counts that nothing refreshes: a source that was down for a moment must not stay so for ever. */
const knownFor = Duration.unsafeToNanos("5 seconds")
const whileDown = Duration.seconds(1)

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
  readonly keptFor: bigint
  source: Source | undefined
  /** When it was last asked, by the clock that does not jump. */
  askedAt: bigint
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
      const { askedAt, check, keptFor, limit, source } = watched
      const began = clock.unsafeCurrentTimeNanos()
      if (source?.status === "up" && began - askedAt < keptFor) return Effect.succeed(source)
      watched.askedAt = began
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
 * Makes the service. Checks run in the given scope, never in a caller's fiber,
 * and begin at once unless `every` is 0.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <R>(
  checks: ReadonlyArray<HealthCheck<R>>,
  options: Options = {}
): Effect.Effect<Context.Tag.Service<Health>, never, R | Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const context = yield* Effect.context<R>()
    const clock = yield* Effect.clock
    const every = Duration.decode(options.every ?? "5 seconds")
    const isRefreshed = Duration.greaterThan(every, Duration.zero)
    const all = checks.map((check): Watched<R> => ({
      check,
      limit: Duration.decode(check.timeout ?? "2 seconds"),
      keptFor: Duration.unsafeToNanos(check.askAgainAfter ?? 0),
      askedAt: 0n,
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

    const known = new Map<string, Array<Watched<R>>>()
    for (const watched of all) {
      const { kind, name } = watched.check
      for (const word of new Set([name, kind])) known.set(word, [...known.get(word) ?? [], watched])
    }

    let last: { readonly report: Report; readonly at: bigint } | undefined
    let flight: Deferred.Deferred<Report> | undefined

    const isYounger = (than: bigint): boolean => last !== undefined && clock.unsafeCurrentTimeNanos() - last.at < than

    /** Joins the round that is under way, or begins one. */
    const refresh = Effect.uninterruptibleMask((restore) => {
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

    if (isRefreshed && all.length > 0) {
      yield* refresh.pipe(
        Effect.flatMap(({ status }) => Effect.sleep(status === "up" ? every : Duration.min(every, whileDown))),
        Effect.forever,
        Effect.forkIn(scope)
      )
    }

    return {
      report: Effect.suspend(() => last !== undefined && isYounger(freshFor) ? Effect.succeed(last.report) : refresh),
      status: (name) => {
        const same = known.get(name)
        if (same === undefined || !(isRefreshed || isYounger(knownFor))) return "unknown"
        let status: Source["status"] | "unknown" = "unknown"
        for (const { source } of same) {
          if (source?.status === "up") return "up"
          status = source?.status ?? status
        }
        return status
      }
    }
  })

/**
 * Watches the given sources; with none, the verdict is always `"up"`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <R = never>(
  checks: ReadonlyArray<HealthCheck<R>>,
  options?: Options
): Layer.Layer<Health, never, Exclude<R, Scope.Scope>> => Layer.scoped(Health, make(checks, options))
