/**
 * One connection to Postgres of one's own, with a deadline on everything, that
 * notices its end.
 *
 * @since 0.1.0
 */
import * as ConfigError from "effect/ConfigError"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import type * as Pg from "pg"

/**
 * The connection is no more, or never was.
 *
 * @since 0.1.0
 * @category errors
 */
export class Lost extends Data.TaggedError("Lost")<{
  /** In few words, without anything of the settings. */
  readonly why: string
}> {}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Settings {
  readonly url: string
  /** Milliseconds, for opening and for every answer. */
  readonly connectTimeout: number
  readonly applicationName: string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface PgLine {
  /** Runs a statement and forgets what it gives. */
  readonly ask: (statement: string) => Effect.Effect<void, Lost>
  /** Fails when the connection has ended. */
  readonly check: Effect.Effect<void, Lost>
  /** When anything last came from the server, milliseconds of a clock that does not jump. */
  readonly heardAt: () => number
}

/**
 * The package `pg`, which only those need who listen.
 *
 * @since 0.1.0
 * @category constructors
 */
export const driver: Effect.Effect<typeof Pg, ConfigError.ConfigError> = Effect.tryPromise({
  try: () => import("pg"),
  catch: () => ConfigError.Unsupported(["pg"], "the package pg is missing; install pg 8")
})

/**
 * A name as it stands in a statement.
 *
 * @since 0.1.0
 * @category combinators
 */
export const quoted = (name: string): string => `"${name.replaceAll("\"", "\"\"")}"`

/** Of a foreign error no more than its code: its message may name users and hosts. */
const whyOf = (error: unknown): string => {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined
  if (code === "25006") return "it is a replica, which hears nothing: give the primary"
  if (code === "28P01" || code === "28000") return "it refuses the user or the password"
  if (code === "3D000") return "it has no such database"
  return code ?? "the connection was closed"
}

/**
 * Opens a connection that is closed with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const open = (pg: typeof Pg, settings: Settings, on: {
  readonly onNotification: (channel: string, payload: string) => void
  readonly onEnd: () => void
}): Effect.Effect<PgLine, Lost, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Effect.clock
    // Our own, so that a connection that no longer answers can be dropped without a farewell.
    const socket = new Net.Socket()
    let lost: Lost | undefined
    let isOpen = false
    const now = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
    let heardAt = now()
    const end = (error: unknown): void => {
      if (lost !== undefined) return
      lost = new Lost({ why: whyOf(error) })
      on.onEnd()
    }
    const client = yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          const made = new pg.Client({
            connectionString: settings.url,
            application_name: settings.applicationName,
            keepAlive: true,
            keepAliveInitialDelayMillis: 10_000,
            stream: () => socket
          })
          made.on("error", end)
          made.on("end", () => end(undefined))
          made.on("notification", ({ channel, payload = "" }) => {
            heardAt = now()
            on.onNotification(channel, payload)
          })
          return made
        },
        catch: (error) => new Lost({ why: whyOf(error) })
      }),
      (made) =>
        Effect.promise(() => lost === undefined && isOpen ? made.end().catch(() => undefined) : Promise.resolve()).pipe(
          Effect.interruptible,
          Effect.timeoutOption("500 millis"),
          Effect.zipRight(Effect.sync(() => {
            socket.destroy()
          }))
        )
    )

    const inTime = <A>(answer: () => Promise<A>): Effect.Effect<void, Lost> =>
      Effect.tryPromise({ try: answer, catch: (error) => new Lost({ why: whyOf(error) }) }).pipe(
        Effect.timeoutFail({
          duration: settings.connectTimeout,
          onTimeout: () => new Lost({ why: "it did not answer in time" })
        }),
        Effect.tap(() => {
          heardAt = now()
        }),
        // Whatever went wrong, the connection is not used again.
        Effect.tapError((error) => Effect.sync(() => lost ??= error))
      )

    yield* inTime(() => client.connect())
    isOpen = true
    return {
      ask: (statement) => inTime(() => client.query(statement)),
      check: Effect.suspend(() => lost === undefined ? Effect.void : Effect.fail(lost)),
      heardAt: () => heardAt
    }
  })
