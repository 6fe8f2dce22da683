/**
 * A ready-made tool that records what a user did, so that later answers can
 * take it into account.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Moment from "../document/Moment.js"
import { SessionStore } from "../session/SessionStore.js"
import * as Evidence from "../tool/Evidence.js"
import * as Tool from "../tool/Tool.js"
import * as ToolCall from "../tool/ToolCall.js"
import type * as ToolError from "../tool/ToolError.js"
import * as Failure from "./internal/Failure.js"
import * as Fields from "./internal/Fields.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** `record_session_event` unless given. */
  readonly name?: string | undefined
  readonly title?: string | undefined
  readonly description?: string | undefined
  /** All of these are needed to see and to call the tool; none unless given. */
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
  eventId: Fields.words({
    maxLength: 200,
    description: "A fresh id of your choosing; the same id again changes nothing, so a call may be repeated",
    examples: ["evt-2026-11-22-0001"]
  }),
  type: Fields.words({
    maxLength: 64,
    description: "What sort of event it is",
    examples: ["question", "view", "feedback"]
  }),
  text: Fields.storable({
    minLength: 0,
    maxLength: 4000,
    description: "What happened, in words; may be empty",
    examples: ["Asked for Acme Corp's margins as a table"]
  }),
  occurredAt: Fields.optional(Fields.moment("When it happened; now unless given"))
})

/**
 * What the tool answers.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Data = Schema.Struct({
  outcome: Schema.Literal("recorded", "duplicate").annotations({
    description: "`duplicate`: this event id was recorded before, and nothing changed"
  }),
  userId: Schema.String,
  eventId: Schema.String
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Data extends Schema.Schema.Type<typeof Data> {}

/**
 * Makes the tool. Idempotent by event id among the events the store keeps. Its
 * confidence is 1: the store says itself what it did. Fails as
 * `temporarily_unavailable` when the store does not answer.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Tool.ToolHandler<
  Tool.Tool<string, typeof Parameters.Type, Evidence.Evidence<Data>, never, "idempotent">,
  ToolError.ToolError,
  SessionStore | ToolCall.ToolCall
> =>
  Tool.make(options.name ?? "record_session_event", {
    title: options.title ?? "Record a session event",
    description: options.description ??
      "Records one thing a user did (a question, a view, feedback) in the session history that profiles and answers " +
        "are derived from. Safe to repeat with the same eventId. Returns whether it was recorded or a duplicate.",
    safety: "idempotent",
    scopes: options.scopes ?? [],
    parameters: Parameters,
    success: Data
  }).implement(({ userId, eventId, type, text, occurredAt }) =>
    Effect.gen(function*() {
      const { tenant } = yield* ToolCall.caller
      const store = yield* SessionStore
      const at = Moment.normal(occurredAt) ?? new Date(yield* Clock.currentTimeMillis).toISOString()
      const outcome = yield* store.append({ tenant, userId }, { eventId, type, text, occurredAt: at }).pipe(
        Effect.mapError(Failure.sessionStore)
      )
      const source = yield* Evidence.source({
        id: eventId,
        kind: "session-store",
        title: `Session history of ${userId}`,
        ...(outcome === "recorded" ? { publishedAt: at } : {})
      })
      return Evidence.make({ data: { outcome, userId, eventId }, confidence: 1, sources: [source] })
    })
  ).pipe(Tool.requires(["session-store"]))
