/**
 * Hears notifications of a Postgres server on a connection of its own, which is
 * opened again whenever it is lost.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Unavailable } from "./DocumentStore.js"
import * as PgLine from "./internal/PgLine.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** The primary: a replica hears nothing. `postgres://user:password@host:port/database`. */
  readonly url: Redacted.Redacted
  /** The longest a connection may take to open; 3 seconds unless given. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /** How long the connection may be silent before it is asked whether it lives; 15 seconds unless given, 50 milliseconds at least. */
  readonly keepAlive?: Duration.DurationInput | undefined
  /** Stands in the server's list of sessions; `causeway-listener` unless given. */
  readonly applicationName?: string | undefined
}

/**
 * A wake-up, no transport: what matters stands in tables and is read from there.
 *
 * @since 0.1.0
 * @category tags
 */
export class PgListener extends Context.Tag("causeway/PgListener")<PgListener, {
  /**
   * Calls `listener` with the payload of every notification on a channel, and with
   * `undefined` whenever the connection was opened (again), since something may
   * have been missed meanwhile; until the function it gives is called. The
   * listener must not throw.
   */
  readonly listen: (channel: string, listener: (payload: string | undefined) => void) => () => void
  /**
   * Succeeds when the server answers on this connection, whatever else is under way there; fails while the connection
   * is not open, and when it ends or says nothing for `connectTimeout`.
   */
  readonly ping: Effect.Effect<void, Unavailable>
}>() {}

type Listener = (payload: string | undefined) => void

const leastPause = 50
const longestPause = 5_000

/** Where the server is, without user and password. */
const whereOf = (url: string): string => {
  const { host } = new URL(url)
  return host === "" ? "Postgres" : `Postgres at ${host}`
}

const read = (options: Options): Effect.Effect<PgLine.Settings, ConfigError.ConfigError> => {
  const url = Redacted.value(options.url)
  const isUrl = URL.canParse(url) && ["postgres:", "postgresql:"].includes(new URL(url).protocol)
  return isUrl
    ? Effect.succeed({
      url,
      connectTimeout: Duration.toMillis(options.connectTimeout ?? "3 seconds"),
      applicationName: options.applicationName ?? "causeway-listener"
    })
    : Effect.fail(ConfigError.InvalidData(["url"], "write a URL that begins with postgres:// or postgresql://"))
}

/**
 * Opens the connection in the background, and again with growing pauses of 50
 * milliseconds to 5 seconds; an outage is logged once, a connection that is lost and
 * comes back at the first attempt is none. Ends with the scope. Fails for a URL that
 * is none, and when the package `pg` is not installed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<Context.Tag.Service<PgListener>, ConfigError.ConfigError, Scope.Scope> =>
  Effect.gen(function*() {
    const settings = yield* read(options)
    const driver = yield* PgLine.driver
    const where = whereOf(settings.url)
    // With none at all it would ask without a pause.
    const keepAlive = Math.max(Duration.toMillis(options.keepAlive ?? "15 seconds"), leastPause)
    const wanted = new Map<string, Set<Listener>>()
    /** Open when there is something to look at: another channel, or the end of the connection. */
    const stir = Effect.unsafeMakeLatch(false)
    let failures = 0
    let open: PgLine.PgLine | undefined

    const tell = (channel: string, payload: string | undefined): void => {
      for (const listener of [...wanted.get(channel) ?? []]) listener(payload)
    }

    const session = Effect.scoped(Effect.gen(function*() {
      const line = yield* PgLine.open(driver, settings, { onNotification: tell, onEnd: () => stir.unsafeOpen() })
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          open = line
        }),
        () =>
          Effect.sync(() => {
            open = undefined
          })
      )
      const heard = new Set<string>()
      const fit = Effect.gen(function*() {
        for (const channel of [...wanted.keys()]) {
          if (heard.has(channel)) continue
          yield* line.ask(`listen ${PgLine.quoted(channel)}`)
          heard.add(channel)
          tell(channel, undefined)
        }
        for (const channel of heard) {
          if (wanted.has(channel)) continue
          yield* line.ask(`unlisten ${PgLine.quoted(channel)}`)
          heard.delete(channel)
        }
      })
      yield* fit
      if (failures > 1) yield* Effect.logInfo(`${where} can be listened to again`)
      failures = 0
      for (;;) {
        yield* stir.close
        yield* line.check
        yield* fit
        const silent = Number(yield* Clock.currentTimeNanos) / 1e6 - line.heardAt()
        if (silent >= keepAlive) yield* line.ask("select 1")
        else yield* Effect.timeoutOption(stir.await, keepAlive - silent)
      }
    }))

    yield* Effect.gen(function*() {
      for (;;) {
        const lost: PgLine.Lost = yield* Effect.flip(session)
        failures++
        if (failures === 2) {
          yield* Effect.logWarning(`${where} cannot be listened to (${lost.why}); trying again until it can`)
        }
        const longest = Math.min(leastPause * 2 ** (failures - 1), longestPause)
        yield* Effect.sleep(failures === 1 ? leastPause : longest * (0.5 + 0.5 * (yield* Random.next)))
      }
    }).pipe(Effect.forkScoped)

    return PgListener.of({
      ping: Effect.suspend(() =>
        open === undefined ? Effect.fail(new Unavailable({})) : Effect.zipRight(open.check, open.ask("select 1")).pipe(
          Effect.mapError(() => {
            // Whoever listens need not wait until it is asked the next time.
            stir.unsafeOpen()
            return new Unavailable({})
          })
        )
      ),
      listen: (channel, listener) => {
        // Two subscriptions of one function are two, each ended by its own.
        const own: Listener = (payload) => listener(payload)
        const listeners = wanted.get(channel)
        if (listeners === undefined) {
          wanted.set(channel, new Set([own]))
          stir.unsafeOpen()
        } else listeners.add(own)
        return () => {
          const left = wanted.get(channel)
          if (left?.delete(own) === true && left.size === 0) {
            wanted.delete(channel)
            stir.unsafeOpen()
          }
        }
      }
    })
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<PgListener, ConfigError.ConfigError> =>
  Layer.scoped(PgListener, make(options))

/**
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<PgListener, ConfigError.ConfigError> =>
  Layer.scoped(PgListener, Effect.flatMap(Config.unwrap(options), make))
