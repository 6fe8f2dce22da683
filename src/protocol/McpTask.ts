/**
 * A tool call that goes on after its first answer, as the tasks extension
 * (`io.modelcontextprotocol/tasks`, SEP-2663) shows it.
 *
 * @since 0.1.0
 */
import { isObject } from "./JsonRpc.js"
import type { ClientCapabilities, InputRequired, ToolResult } from "./McpSchema.js"

/**
 * The name of the extension, in capabilities.
 *
 * @since 0.1.0
 * @category models
 */
export const extension = "io.modelcontextprotocol/tasks"

/**
 * What is known of every task. Times are ISO 8601.
 *
 * @since 0.1.0
 * @category models
 */
export interface Task {
  /** Unguessable. */
  readonly taskId: string
  /** A sentence about the state. */
  readonly statusMessage?: string | undefined
  readonly createdAt: string
  readonly lastUpdatedAt: string
  /** Milliseconds from its creation for which it is kept at least; `null` without end. */
  readonly ttlMs: number | null
  /** How long a client should wait between two looks, in milliseconds, 1 or more. */
  readonly pollIntervalMs?: number | undefined
}

/**
 * A task and the state it is in. The last three states are final.
 *
 * @since 0.1.0
 * @category models
 */
export type State =
  & Task
  & (
    | { readonly status: "working" }
    | {
      readonly status: "input_required"
      /** Every question that is still open. */
      readonly inputRequests: NonNullable<InputRequired["inputRequests"]>
    }
    /** What the call would have answered, also when that is a tool's failure. */
    | { readonly status: "completed"; readonly result: ToolResult }
    /** The call ended with an error of the protocol; never a tool's failure. */
    | {
      readonly status: "failed"
      readonly error: { readonly code: number; readonly message: string; readonly data?: unknown }
    }
    | { readonly status: "cancelled" }
  )

/**
 * @since 0.1.0
 * @category models
 */
export type Status = State["status"]

/**
 * The answer to a call that became a task.
 *
 * @since 0.1.0
 * @category models
 */
export interface Created {
  readonly _tag: "Task"
  readonly task: State
}

/**
 * Answers to a task's questions; untrusted.
 *
 * @since 0.1.0
 * @category models
 */
export interface Update {
  readonly taskId: string
  readonly inputResponses: { readonly [key: string]: { readonly [field: string]: unknown } }
}

/**
 * Whether a state can change no more.
 *
 * @since 0.1.0
 * @category guards
 */
export const isFinal = (status: Status): boolean => status !== "working" && status !== "input_required"

/**
 * The fields of a task and its state as JSON text without the braces; `result`
 * writes what a call answered.
 *
 * @since 0.1.0
 * @category encoding
 */
export const fields = (state: State, result: (result: ToolResult) => string): string => {
  const { createdAt, lastUpdatedAt, pollIntervalMs, status, statusMessage, taskId, ttlMs } = state
  const common = JSON.stringify({ taskId, status, statusMessage, createdAt, lastUpdatedAt, ttlMs, pollIntervalMs })
  const own = state.status === "completed"
    ? `,"result":${result(state.result)}`
    : state.status === "failed"
    ? `,"error":${JSON.stringify(state.error)}`
    : state.status === "input_required"
    ? `,"inputRequests":${JSON.stringify(state.inputRequests)}`
    : ""
  return common.slice(1, -1) + own
}

/**
 * Whether a client that declares these capabilities knows tasks.
 *
 * @since 0.1.0
 * @category guards
 */
export const isKnown = ({ extensions }: ClientCapabilities): boolean =>
  isObject(extensions) && Object.hasOwn(extensions, extension)
