/**
 * One call on its way through the stack: what it brings, and what may come of it.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Inputs, Paused } from "../../ask/Asking.js"
import * as TimeLimit from "../../policy/TimeLimit.js"
import type { McpError } from "../../protocol/McpError.js"
import type { ToolResult } from "../../protocol/McpSchema.js"
import type { Noted } from "../../protocol/Quota.js"
import type { Call } from "../../tool/ToolCall.js"
import * as ToolCodec from "../../tool/ToolCodec.js"
import type { Body, ToolError } from "../../tool/ToolError.js"
import { toBody } from "../../tool/ToolError.js"
import type { Cited, Observation } from "../Observer.js"

/**
 * A call, as a registry hands it to the stack.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request extends Omit<Call, "toolName" | "deadline"> {
  readonly name: string
  readonly arguments: unknown
  /** Answers of the client to earlier questions, and what was computed before them. */
  readonly asking: Inputs
  /** Whether nobody waits for the call, or `beginTask` may bring that about: the server's own timeout is not for it. */
  readonly isTask?: boolean | undefined
  /** How many milliseconds the client waits, as its transport was told; see `ClientTimeout` for what `meta` says. */
  readonly timeoutMs?: number | undefined
  /** Where that goes which the transport says beside the answer: what is left of the limits, and when to come again. */
  readonly noted?: Noted | undefined
}

/**
 * One call under way. Private to the stack.
 *
 * @since 0.1.0
 * @category models
 */
export interface Visit {
  readonly request: Request
  readonly observation: Observation | undefined
  /** Decoded arguments, once they are. */
  input: unknown
  /** When the answer is of no more use, in milliseconds of the clock's nanoseconds; set once there is something to wait for. */
  limit: number
  /** What makes it equal to other calls, once somebody asked. */
  key: string | undefined
  /** Why the handler cannot be run, although a kept answer may do. */
  hindrance: Failed | undefined
  /** Whether the handler was begun. */
  isBegun: boolean
}

/**
 * An answer, encoded.
 *
 * @since 0.1.0
 * @category models
 */
export interface Answered {
  readonly _tag: "Answered"
  readonly result: ToolResult
  /** What the handler gave; absent when it did not run for this call. */
  readonly value?: unknown
  readonly confidence: number | undefined
  /** Those of evidence. */
  readonly sources?: ReadonlyArray<Cited> | undefined
  readonly isDegraded: boolean
  /** Whether it was kept or shared. */
  readonly isCached: boolean
}

/**
 * Why there is no answer, as the client is told.
 *
 * @since 0.1.0
 * @category models
 */
export class Failed {
  readonly _tag = "Failed"
  readonly body: Body
  constructor(body: Body) {
    this.body = body
  }
  get result(): ToolResult {
    return ToolCodec.fromBody(this.body)
  }
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const failed = (error: ToolError): Failed => new Failed(toBody(error))

/**
 * What comes of a call: an answer, or questions to the client.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome = Answered | Paused

/**
 * The end of a call, inside the stack.
 *
 * @since 0.1.0
 * @category models
 */
export type Ending = Effect.Effect<Outcome, Failed | McpError>

/**
 * What stands further in.
 *
 * @since 0.1.0
 * @category models
 */
export type Next = (visit: Visit) => Ending

/**
 * One part of the stack, around what stands further in.
 *
 * @since 0.1.0
 * @category models
 */
export type Step = (next: Next) => Next

/**
 * Whether the call carries anything of an earlier run of itself: what comes of it
 * may depend on what the client answered.
 *
 * @since 0.1.0
 * @category guards
 */
export const isResumed = ({ request: { asking: { memo } } }: Visit): boolean => {
  for (const key in memo.answers) if (Object.hasOwn(memo.answers, key)) return true
  for (const key in memo.steps) if (Object.hasOwn(memo.steps, key)) return true
  return memo.open.length > 0
}

/**
 * Milliseconds that do not jump with the date.
 *
 * @since 0.1.0
 * @category accessors
 */
export const millisOf = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6

/**
 * Lets what is waited for on the way know when the call is over.
 *
 * @since 0.1.0
 * @category combinators
 */
export const limited = (ending: Ending, limit: number): Ending =>
  Effect.locallyWith(ending, TimeLimit.current, (around) => Math.min(around, limit))

/**
 * A call that fails with these words.
 *
 * @since 0.1.0
 * @category constructors
 */
export const refuse = (error: ToolError): Exit.Exit<never, Failed> => Exit.fail(failed(error))

/**
 * How long to wait, in words.
 *
 * @since 0.1.0
 * @category constructors
 */
export const when = (millis: number): string => {
  const seconds = Math.max(1, Math.ceil(millis / 1000))
  if (seconds === 1) return "in a second"
  return seconds < 120 ? `in ${seconds} seconds` : `in ${Math.ceil(seconds / 60)} minutes`
}
