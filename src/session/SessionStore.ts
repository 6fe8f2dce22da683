/**
 * Keeps what each user did of late, behind one contract that memory and Redis
 * both honour.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

/**
 * One thing a user did.
 *
 * @since 0.1.0
 * @category schemas
 */
export const SessionEvent = Schema.Struct({
  eventId: Schema.NonEmptyString,
  /** For example `question`, `view`, `feedback`. */
  type: Schema.NonEmptyString,
  text: Schema.String,
  /** ISO 8601. */
  occurredAt: Schema.String
})

/**
 * @since 0.1.0
 * @category models
 */
export interface SessionEvent extends Schema.Schema.Type<typeof SessionEvent> {}

/**
 * Whose history: ids from outside are never joined into keys unescaped.
 *
 * @since 0.1.0
 * @category models
 */
export interface User {
  readonly tenant: string
  readonly userId: string
}

/**
 * The store did not answer; trying again may help.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unavailable extends Schema.TaggedError<Unavailable>("causeway/SessionStore/Unavailable")("Unavailable", {
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  get isRetryable() {
    return true
  }
  override get message() {
    return "the session store did not answer"
  }
}

/**
 * The store cannot be used with these settings, and will not answer until they
 * are put right.
 *
 * @since 0.1.0
 * @category errors
 */
export class Misconfigured extends Schema.TaggedError<Misconfigured>("causeway/SessionStore/Misconfigured")(
  "Misconfigured",
  { description: Schema.String, cause: Schema.optionalWith(Schema.Defect, { exact: true }) }
) {
  get isRetryable() {
    return false
  }
  override get message() {
    return this.description
  }
}

/**
 * The event is larger than the store keeps; nothing was recorded.
 *
 * @since 0.1.0
 * @category errors
 */
export class TooLarge extends Schema.TaggedError<TooLarge>("causeway/SessionStore/TooLarge")("TooLarge", {
  /** The event's size as JSON in UTF-8. */
  bytes: Schema.Number,
  maxBytes: Schema.Number
}) {
  get isRetryable() {
    return false
  }
  override get message() {
    return `an event of ${this.bytes} bytes is more than the ${this.maxBytes} that the session store keeps; ` +
      "shorten its text, or raise retention.maxEventBytes"
  }
}

/**
 * @since 0.1.0
 * @category errors
 */
export class SessionStoreError extends Schema.TaggedError<SessionStoreError>("causeway/SessionStore/SessionStoreError")(
  "SessionStoreError",
  {
    method: Schema.Literal("open", "append", "history", "forget", "ping"),
    reason: Schema.Union(Unavailable, Misconfigured, TooLarge)
  }
) {
  get isRetryable() {
    return this.reason.isRetryable
  }
  override get message() {
    return `SessionStore.${this.method}: ${this.reason.message}`
  }
}

/**
 * How much is kept, and for how long.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Retention {
  /** Events per user, at least 1; the oldest go first. 200 unless given. */
  readonly maxEvents?: number | undefined
  /** Time since a user's last event after which the history is forgotten. 30 days unless given. */
  readonly timeToLive?: Duration.DurationInput | undefined
  /**
   * The size of one event as JSON in UTF-8, at least 1,024; a larger one is
   * refused. 65,536 unless given. To read a history takes at most `maxEvents`
   * times as much.
   */
  readonly maxEventBytes?: number | undefined
}

/**
 * Which of a user's events to give.
 *
 * @since 0.1.0
 * @category models
 */
export interface Window {
  /** The most events; all that are kept unless given. */
  readonly limit?: number | undefined
  /** ISO 8601; only what happened at this moment or after it. */
  readonly since?: string | undefined
  /** ISO 8601; only what happened before this moment. */
  readonly until?: string | undefined
}

/**
 * @since 0.1.0
 * @category tags
 */
export class SessionStore extends Context.Tag("causeway/SessionStore")<SessionStore, {
  /**
   * Records an event. Idempotent by event id among the events still kept:
   * `"duplicate"` when it was there already, and nothing changes. Starts the
   * user's time to live anew. Fails as `TooLarge` above `maxEventBytes`. After a
   * failure as `Unavailable` it may have been recorded all the same; append it
   * again, with the same id.
   */
  readonly append: (user: User, event: SessionEvent) => Effect.Effect<"recorded" | "duplicate", SessionStoreError>
  /** The latest events, newest first by arrival; empty when the user is unknown or expired. */
  readonly history: (
    user: User,
    options?: Window
  ) => Effect.Effect<ReadonlyArray<SessionEvent>, SessionStoreError>
  /**
   * Erases a user; erasing twice is no error. What is appended at the same time
   * is erased or stays as a whole. Until it has succeeded the user may still be
   * there.
   */
  readonly forget: (user: User) => Effect.Effect<void, SessionStoreError>
  /** Succeeds when the store can answer. */
  readonly ping: Effect.Effect<void, SessionStoreError>
}>() {}

/**
 * The retention with its defaults filled in and its numbers made usable, as
 * every store applies it.
 *
 * @since 0.1.0
 * @category configuration
 */
export const resolveRetention = (
  retention: Retention = {}
): { readonly maxEventBytes: number; readonly maxEvents: number; readonly timeToLive: Duration.Duration } => {
  const maxEvents = Math.trunc(retention.maxEvents ?? 200)
  const maxEventBytes = Math.trunc(retention.maxEventBytes ?? 65_536)
  return {
    maxEventBytes: maxEventBytes >= 1024 ? Math.min(maxEventBytes, 16_777_216) : 1024,
    maxEvents: maxEvents >= 1 ? Math.min(maxEvents, 1_000_000) : 1,
    timeToLive: Duration.max(Duration.decode(retention.timeToLive ?? "30 days"), Duration.millis(1))
  }
}

/**
 * An event as JSON, the same whatever else the object holds.
 *
 * @since 0.1.0
 * @category combinators
 */
export const toJson = ({ eventId, occurredAt, text, type }: SessionEvent): string =>
  JSON.stringify({ eventId, type, text, occurredAt })

const encoder = new TextEncoder()

/**
 * Fails as `TooLarge` when an event is larger than `maxBytes`, as every store
 * does before it appends.
 *
 * @since 0.1.0
 * @category guards
 */
export const checkSize = (event: SessionEvent, maxBytes: number): Effect.Effect<void, SessionStoreError> => {
  const { eventId, occurredAt, text, type } = event
  // As JSON no character takes more than six bytes, so that most need not be written out to be measured.
  if ((eventId.length + type.length + text.length + occurredAt.length) * 6 + 100 <= maxBytes) return Effect.void
  return Effect.suspend(() => {
    const bytes = encoder.encode(toJson(event)).length
    return bytes <= maxBytes
      ? Effect.void
      : Effect.fail(new SessionStoreError({ method: "append", reason: new TooLarge({ bytes, maxBytes }) }))
  })
}

/**
 * Takes from a user's events, newest first, what `history` was asked for. An
 * event whose time cannot be read is neither after nor before any moment, and a
 * limit of 0 or less gives none.
 *
 * @since 0.1.0
 * @category combinators
 */
export const select = (
  events: ReadonlyArray<SessionEvent>,
  options: Window = {}
): ReadonlyArray<SessionEvent> => {
  const since = options.since === undefined ? undefined : Date.parse(options.since)
  const until = options.until === undefined ? undefined : Date.parse(options.until)
  const found = events.filter(({ occurredAt }) =>
    (since === undefined || Date.parse(occurredAt) >= since) && (until === undefined || Date.parse(occurredAt) < until)
  )
  return found.slice(0, Math.max(0, options.limit ?? found.length))
}

/**
 * Makes a store in this process's memory: it ends with the process, and no other
 * process sees it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeMemory = (retention?: Retention): Effect.Effect<Context.Tag.Service<SessionStore>> =>
  Effect.sync(() => {
    const { maxEventBytes, maxEvents, timeToLive } = resolveRetention(retention)
    const lifetime = Duration.toMillis(timeToLive)
    // Every append moves its user to the end and starts the same time to live, so the first users expire first.
    const users = new Map<string, { readonly events: Map<string, SessionEvent>; readonly until: number }>()
    const keyOf = (user: User) => JSON.stringify([user.tenant, user.userId])

    const live = (key: string, now: number): Map<string, SessionEvent> | undefined => {
      for (const [first, { until }] of users) {
        if (until > now) break
        users.delete(first)
      }
      const found = users.get(key)
      return found !== undefined && found.until > now ? found.events : undefined
    }

    const add = (user: User, event: SessionEvent, now: number): "recorded" | "duplicate" => {
      const key = keyOf(user)
      const events = live(key, now) ?? new Map<string, SessionEvent>()
      users.delete(key)
      users.set(key, { events, until: now + lifetime })
      if (events.has(event.eventId)) return "duplicate"
      events.set(event.eventId, event)
      for (const id of events.keys()) {
        if (events.size <= maxEvents) break
        events.delete(id)
      }
      return "recorded"
    }

    return {
      append: (user, event) =>
        Effect.zipRight(
          checkSize(event, maxEventBytes),
          Effect.map(Clock.currentTimeMillis, (now) => add(user, event, now))
        ),
      history: (user, options) =>
        Effect.map(
          Clock.currentTimeMillis,
          (now) => select(Array.from(live(keyOf(user), now)?.values() ?? []).reverse(), options)
        ),
      forget: (user) => Effect.sync(() => void users.delete(keyOf(user))),
      ping: Effect.void
    }
  })

/**
 * A store in memory with the default retention.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<SessionStore> = Layer.effect(SessionStore, makeMemory())
