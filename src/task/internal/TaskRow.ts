/**
 * A task as it is stored, how it changes, and what is shown of it.
 *
 * @since 0.1.0
 */
import { Code } from "../../protocol/McpError.js"
import type { InputRequired, ToolResult } from "../../protocol/McpSchema.js"
import type { State, Status } from "../../protocol/McpTask.js"
import * as TaskText from "./TaskText.js"

/**
 * Times are milliseconds since the epoch.
 *
 * @since 0.1.0
 * @category models
 */
export interface TaskRow {
  readonly id: string
  readonly owner: string
  readonly tool: string
  /** JSON; `null` when the call had none. */
  readonly arguments: string | null
  /** JSON. */
  readonly memo: string
  readonly status: Status
  /** The number of the run that may change the task. */
  readonly run: number
  /** JSON: every question of the last round, by its key. */
  readonly requests: string
  /** The keys of that round that have no answer, as JSON strings. */
  readonly open: ReadonlyArray<string>
  /** The answers of that round. */
  readonly answers: TaskText.Answers
  /** JSON: the result of a completed task, the error of a failed one. */
  readonly outcome: string | null
  readonly created: number
  readonly updated: number
  /** `null` for never. */
  readonly expires: number | null
  /** When the run counts as lost; `null` while nothing runs. */
  readonly lease: number | null
  readonly poll: number
}

/**
 * Whether a text can be an id that was given out; keeps what a database refuses
 * away from it.
 *
 * @since 0.1.0
 * @category guards
 */
export const isId = (text: string): boolean => /^[0-9a-f]{40}$/.test(text)

/**
 * @since 0.1.0
 * @category guards
 */
export const isExpired = (row: TaskRow, now: number): boolean => row.expires !== null && row.expires <= now

/**
 * Whether the run counts as lost.
 *
 * @since 0.1.0
 * @category guards
 */
export const isLapsed = (row: TaskRow, now: number): boolean =>
  row.status === "working" && row.lease !== null && row.lease <= now

/** The latest moment that `Date` can write, which is later than any task. */
const latest = 8.64e15

/**
 * A task whose first run begins now, under an id nobody can guess: 160 random bits.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fresh = (
  task: {
    readonly owner: string
    readonly tool: string
    readonly ttlMs: number | null
    readonly pollIntervalMs: number
    readonly leaseMillis: number
  },
  texts: { readonly arguments: string | null; readonly memo: string },
  now: number
): TaskRow => ({
  id: Buffer.from(globalThis.crypto.getRandomValues(new Uint8Array(20))).toString("hex"),
  owner: task.owner,
  tool: task.tool,
  ...texts,
  status: "working",
  run: 1,
  requests: "{}",
  open: [],
  answers: {},
  outcome: null,
  created: now,
  updated: now,
  expires: task.ttlMs === null ? null : Math.min(now + Math.max(1, Math.ceil(task.ttlMs)), latest),
  lease: now + task.leaseMillis,
  poll: Math.min(Math.max(1, Math.ceil(task.pollIntervalMs)), 2 ** 31 - 1)
})

/**
 * Ends a run with questions.
 *
 * @since 0.1.0
 * @category combinators
 */
export const asked = (row: TaskRow, round: TaskText.Round, now: number): TaskRow => ({
  ...row,
  ...round,
  status: "input_required",
  answers: {},
  updated: now,
  lease: null
})

/**
 * Takes the first answer to each open question; `undefined` when there is none
 * to take. Without open questions the next run begins.
 *
 * @since 0.1.0
 * @category combinators
 */
export const answered = (
  row: TaskRow,
  answers: TaskText.Answers,
  leaseMillis: number,
  now: number
): TaskRow | undefined => {
  const taken = row.open.filter((key) => Object.hasOwn(answers, key))
  if (row.status !== "input_required" || taken.length === 0) return undefined
  const left = row.open.filter((key) => !taken.includes(key))
  return {
    ...row,
    open: left,
    answers: { ...row.answers, ...Object.fromEntries(taken.map((key) => [key, answers[key] ?? ""])) },
    updated: now,
    ...(left.length > 0 ? {} : { status: "working", run: row.run + 1, lease: now + leaseMillis })
  }
}

/**
 * Ends a task, and forgets what only another run would need.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ended = (
  row: TaskRow,
  status: "completed" | "failed" | "cancelled",
  outcome: string | null,
  now: number
): TaskRow => ({
  ...row,
  status,
  outcome,
  arguments: null,
  memo: "null",
  requests: "{}",
  open: [],
  answers: {},
  updated: now,
  lease: null
})

/**
 * The outcome of a task whose run is lost, as JSON.
 *
 * @since 0.1.0
 * @category constants
 */
export const lapsedOutcome = JSON.stringify({
  code: Code.InternalError,
  message: "The server that ran this task has gone. The call may be made again."
})

/**
 * What the next run of an answered task is run with.
 *
 * @since 0.1.0
 * @category combinators
 */
export const again = (row: TaskRow) => ({
  _tag: "Again" as const,
  run: { taskId: row.id, number: row.run },
  tool: row.tool,
  arguments: row.arguments === null ? undefined : JSON.parse(row.arguments) as unknown,
  memo: JSON.parse(row.memo) as unknown,
  responses: TaskText.responses(row.answers)
})

const messages: { readonly [status in Status]?: string } = {
  working: "The call is under way.",
  input_required: "The call waits for answers.",
  cancelled: "The client cancelled the task."
}

/**
 * What a client sees of a task.
 *
 * @since 0.1.0
 * @category combinators
 */
export const toState = (row: TaskRow): State => {
  const statusMessage = messages[row.status]
  const task = {
    taskId: row.id,
    ...(statusMessage === undefined ? {} : { statusMessage }),
    createdAt: new Date(row.created).toISOString(),
    lastUpdatedAt: new Date(row.updated).toISOString(),
    ttlMs: row.expires === null ? null : row.expires - row.created,
    pollIntervalMs: row.poll
  }
  const outcome = row.outcome ?? "null"
  // The texts parsed here were written from values of these types.
  switch (row.status) {
    case "input_required": {
      const requests = JSON.parse(row.requests) as NonNullable<InputRequired["inputRequests"]>
      const open = new Set(row.open)
      return {
        ...task,
        status: row.status,
        inputRequests: Object.fromEntries(
          Object.entries(requests).filter(([key]) => open.has(JSON.stringify(key)))
        )
      }
    }
    case "completed":
      return { ...task, status: row.status, result: JSON.parse(outcome) as ToolResult }
    case "failed":
      return { ...task, status: row.status, error: JSON.parse(outcome) as { code: number; message: string } }
    default:
      return { ...task, status: row.status }
  }
}
