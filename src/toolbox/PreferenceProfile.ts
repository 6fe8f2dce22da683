/**
 * A ready-made tool that gives a user's recent events and what they say about
 * the user's preferences.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Principal from "../auth/Principal.js"
import * as Moment from "../document/Moment.js"
import { SessionStore } from "../session/SessionStore.js"
import * as Evidence from "../tool/Evidence.js"
import * as Tool from "../tool/Tool.js"
import * as ToolCall from "../tool/ToolCall.js"
import * as ToolError from "../tool/ToolError.js"
import * as Failure from "./internal/Failure.js"
import * as Fields from "./internal/Fields.js"
import * as Preferences from "./Preferences.js"

/**
 * The name the tool has unless another is chosen; other tools name it as their
 * fallback.
 *
 * @since 0.1.0
 * @category constants
 */
export const defaultName = "fetch_user_preference_profile"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options extends Preferences.Options {
  /** `fetch_user_preference_profile` unless given. */
  readonly name?: string | undefined
  readonly title?: string | undefined
  readonly description?: string | undefined
  /** What a caller needs to read the profile of a user with another id than its own; nothing unless given. */
  readonly scopes?: ReadonlyArray<string> | undefined
}

/**
 * What the tool takes.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Parameters = Schema.Struct({
  userId: Fields.userId,
  windowDays: Fields.optional(Fields.count({
    description: "How many days to look back; 30 unless given",
    min: 1,
    max: 365,
    example: 30
  })),
  limit: Fields.optional(Fields.count({
    description: "The most events to read, newest first; 20 unless given",
    min: 1,
    max: 100,
    example: 20
  }))
})

const Event = Schema.Struct({
  eventId: Schema.String,
  type: Schema.String,
  text: Schema.String,
  occurredAt: Schema.String.annotations({ description: "ISO 8601", examples: ["2026-11-22T09:00:00.000Z"] })
})

/**
 * What the tool answers.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Data = Schema.Struct({
  userId: Schema.String,
  events: Schema.Array(Event).annotations({ description: "The latest events, newest first" }),
  preferences: Preferences.Preferences,
  note: Fields.optional(Schema.String.annotations({ description: "Says so when nothing is known of the user" }))
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Data extends Schema.Schema.Type<typeof Data> {}

/**
 * How sure a profile is: `0.9 w / (w + 2)` of the events' recencies summed to
 * `w`, so one event of today gives 0.3, five give 0.64, and nothing reaches 0.9.
 * Not calibrated.
 *
 * @since 0.1.0
 * @category combinators
 */
export const confidence = (
  events: ReadonlyArray<{ readonly occurredAt: string }>,
  now: number,
  halfLife?: Duration.DurationInput
): number => {
  const weight = events.reduce((sum, event) => sum + Preferences.recency(event.occurredAt, now, halfLife), 0)
  return 0.9 * weight / (weight + 2)
}

const insufficientScope = (scopes: ReadonlyArray<string>): ToolError.ToolError =>
  new ToolError.ToolError({
    code: "insufficient_scope",
    message: `Reading the history of another user needs ${scopes.length === 1 ? "the scope" : "the scopes"} ${
      scopes.join(", ")
    }.`
  })

/**
 * Fails as `insufficient_scope` when the user is not the caller and the caller
 * lacks one of the scopes.
 *
 * @since 0.1.0
 * @category guards
 */
export const mayRead = (
  caller: Principal.Principal,
  userId: string,
  scopes: ReadonlyArray<string> = []
): Effect.Effect<void, ToolError.ToolError> =>
  caller.id === userId || Principal.isAllowed(caller, scopes) ? Effect.void : insufficientScope(scopes)

/**
 * Makes the tool. A user nobody has heard of is no error: no events, confidence
 * 0 and a note. Fails as `temporarily_unavailable` when the store does not
 * answer, and as `insufficient_scope` when the profile is another's and the
 * caller lacks a scope for it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Tool.ToolHandler<
  Tool.Tool<string, typeof Parameters.Type, Evidence.Evidence<Data>, never, "readOnly">,
  ToolError.ToolError,
  SessionStore | ToolCall.ToolCall
> =>
  Tool.make(options.name ?? defaultName, {
    title: options.title ?? "Fetch a user's preference profile",
    description: options.description ??
      "Returns a user's recent session events and the topics, companies and forms of answer they point to. Use it to " +
        "shape an answer to its reader, and in place of the document search while that is unavailable.",
    safety: "readOnly",
    parameters: Parameters,
    success: Data
  }).implement(({ userId, windowDays = 30, limit = 20 }) =>
    Effect.gen(function*() {
      const caller = yield* ToolCall.caller
      yield* mayRead(caller, userId, options.scopes)
      const store = yield* SessionStore
      const now = yield* Clock.currentTimeMillis
      const since = new Date(now - windowDays * 86_400_000).toISOString()
      const found = yield* store.history({ tenant: caller.tenant, userId }, { limit, since }).pipe(
        Effect.mapError(Failure.sessionStore)
      )
      const events = found.map(({ eventId, type, text, occurredAt }) => ({ eventId, type, text, occurredAt }))
      const latest = Moment.normal(events[0]?.occurredAt)
      const source = yield* Evidence.source({
        id: userId,
        kind: "session-store",
        title: `Session history of ${userId}`,
        ...(latest === undefined ? {} : { publishedAt: latest })
      })
      return Evidence.make({
        data: {
          userId,
          events,
          preferences: Preferences.derive(events, now, options),
          ...(events.length > 0 ? {} : {
            note: `Nothing is on record for this user in the last ${windowDays} days; answer without a profile.`
          })
        },
        confidence: confidence(events, now, options.halfLife),
        sources: [source]
      })
    })
  ).pipe(Tool.requires(["session-store"]))
