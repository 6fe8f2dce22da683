/**
 * One promise of a session store, and how it is written down.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { randomUUID } from "node:crypto"
import * as SessionStore from "../../session/SessionStore.js"

/**
 * @since 0.1.0
 * @category testing
 */
export interface Law {
  readonly name: string
  readonly check: Effect.Effect<void, unknown, SessionStore.SessionStore>
}

/**
 * @since 0.1.0
 * @category testing
 */
export interface RetentionLaw {
  readonly name: string
  readonly check: (subject: RetentionSubject) => Effect.Effect<void, unknown>
}

/**
 * How to build the store under test, and how time passes for it.
 *
 * @since 0.1.0
 * @category testing
 */
export interface RetentionSubject {
  readonly layer: (retention: SessionStore.Retention) => Layer.Layer<SessionStore.SessionStore, unknown>
  /** Lets time pass: `TestClock.adjust` for a store on the `Clock`, `Effect.sleep` for a server. */
  readonly pass: (duration: Duration.Duration) => Effect.Effect<void>
}

/**
 * A user nobody was before.
 *
 * @since 0.1.0
 * @category testing
 */
export const freshUser = Effect.sync((): SessionStore.User => ({ tenant: randomUUID(), userId: randomUUID() }))

/**
 * An event that says no more than its id, unless told otherwise.
 *
 * @since 0.1.0
 * @category testing
 */
export const event = (eventId: string, more: Partial<SessionStore.SessionEvent> = {}): SessionStore.SessionEvent => ({
  eventId,
  type: "question",
  text: `about ${eventId}`,
  occurredAt: "2026-01-01T00:00:00.000Z",
  ...more
})

/**
 * The ids of events, in their order.
 *
 * @since 0.1.0
 * @category testing
 */
export const ids = (events: ReadonlyArray<SessionStore.SessionEvent>) => events.map(({ eventId }) => eventId)

/**
 * Writes a law.
 *
 * @since 0.1.0
 * @category testing
 */
export const law = (
  name: string,
  check: (
    store: SessionStore.SessionStore["Type"],
    user: SessionStore.User
  ) => Effect.Effect<void, unknown, SessionStore.SessionStore>
): Law => ({
  name,
  check: Effect.gen(function*() {
    return yield* check(yield* SessionStore.SessionStore, yield* freshUser)
  })
})

/**
 * Writes a law about retention.
 *
 * @since 0.1.0
 * @category testing
 */
export const retentionLaw = (
  name: string,
  retention: SessionStore.Retention,
  check: (
    store: SessionStore.SessionStore["Type"],
    user: SessionStore.User,
    pass: RetentionSubject["pass"]
  ) => Effect.Effect<void, unknown>
): RetentionLaw => ({
  name,
  check: ({ layer, pass }) =>
    Effect.gen(function*() {
      return yield* check(yield* SessionStore.SessionStore, yield* freshUser, pass)
    }).pipe(Effect.provide(layer(retention)))
})
