/**
 * What the tests of the session store in Redis have in common.
 *
 * @since 0.1.0
 */
import * as RedisSessionStore from "causeway-mcp/session/RedisSessionStore"
import type * as SessionStore from "causeway-mcp/session/SessionStore"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type { Redis } from "ioredis"
import { inspect } from "node:util"

/** The URL of a server of this test. */
export const urlOf = (port: number, rest: { readonly credentials?: string; readonly db?: number } = {}) =>
  Redacted.make(`redis://${rest.credentials ?? ""}127.0.0.1:${port}${rest.db === undefined ? "" : `/${rest.db}`}`)

/** A user of this test. */
export const user: SessionStore.User = { tenant: "acme", userId: "ada" }

/** An event of this test. */
export const event = (eventId: string): SessionStore.SessionEvent => ({
  eventId,
  type: "question",
  text: "how is the market?",
  occurredAt: "2026-01-01T00:00:00Z"
})

/** The ids of events, in their order. */
export const ids = (events: ReadonlyArray<SessionStore.SessionEvent>) => events.map(({ eventId }) => eventId)

/** A bare client beside the store, to see and to disturb what it keeps. */
export const client = (port: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const { Redis } = await import("ioredis")
      return new Redis({ host: "127.0.0.1", port })
    }),
    (redis: Redis) => Effect.sync(() => redis.disconnect())
  )

/** A store that keeps its warnings out of the test's output. */
export const open = (options: RedisSessionStore.Options) =>
  Effect.provide(RedisSessionStore.make(options), Logger.remove(Logger.defaultLogger))

/** How an effect failed, and after how many milliseconds. */
export const failure = <A>(effect: Effect.Effect<A, SessionStore.SessionStoreError>) =>
  Effect.map(Effect.timed(Effect.flip(effect)), ([took, error]) => ({ ms: Duration.toMillis(took), error }))

/** Asks until the answer is a success, for ten seconds at most. */
export const eventually = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(Effect.retry(Schedule.spaced("20 millis")), Effect.timeout("10 seconds"))

/** Collects what is logged, as text. */
export const collected = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ cause, logLevel, message }) => {
    lines.push(`${logLevel.label} ${inspect(message)} ${inspect(cause)}`)
  })
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}
