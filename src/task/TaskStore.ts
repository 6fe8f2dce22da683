/**
 * Keeps the calls that became tasks, so that any instance can answer for them
 * and a restart loses no result, behind one contract that memory and Postgres
 * both honour.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Principal } from "../auth/Principal.js"
import type { InputRequired, ToolResult } from "../protocol/McpSchema.js"
import { isFinal, type State } from "../protocol/McpTask.js"
import * as TaskRow from "./internal/TaskRow.js"
import * as TaskText from "./internal/TaskText.js"

/**
 * The store did not answer; trying again may help.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unavailable extends Schema.TaggedError<Unavailable>("causeway/TaskStore/Unavailable")("Unavailable", {
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  get isRetryable() {
    return true
  }
  override get message() {
    return "the task store did not answer"
  }
}

/**
 * The store holds as many tasks as it may; some must expire first.
 *
 * @since 0.1.0
 * @category errors
 */
export class Full extends Schema.TaggedError<Full>("causeway/TaskStore/Full")("Full", { maxTasks: Schema.Number }) {
  get isRetryable() {
    return true
  }
  override get message() {
    return `the task store holds ${this.maxTasks} tasks, which is its limit; try again when some have expired`
  }
}

/**
 * A value of the task cannot be written as JSON.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unstorable extends Schema.TaggedError<Unstorable>("causeway/TaskStore/Unstorable")("Unstorable", {
  /** For example `the result`. */
  what: Schema.String
}) {
  get isRetryable() {
    return false
  }
  override get message() {
    return `${this.what} cannot be written as JSON`
  }
}

/**
 * What is stored was written by another version of this program, or cannot be
 * used with these settings.
 *
 * @since 0.1.0
 * @category errors
 */
export class Incompatible extends Schema.TaggedError<Incompatible>("causeway/TaskStore/Incompatible")("Incompatible", {
  description: Schema.String
}) {
  get isRetryable() {
    return false
  }
  override get message() {
    return this.description
  }
}

/**
 * @since 0.1.0
 * @category errors
 */
export class TaskStoreError extends Schema.TaggedError<TaskStoreError>("causeway/TaskStore/TaskStoreError")(
  "TaskStoreError",
  {
    method: Schema.Literal("open", "create", "get", "ask", "answer", "finish", "cancel", "renew", "sweep", "ping"),
    reason: Schema.Union(Unavailable, Full, Unstorable, Incompatible)
  }
) {
  get isRetryable() {
    return this.reason.isRetryable
  }
  override get message() {
    return `TaskStore.${this.method}: ${this.reason.message}`
  }
}

/**
 * One run of a task's call. Only the last run of a task may change it: what an
 * earlier one still says is not heard.
 *
 * @since 0.1.0
 * @category models
 */
export interface Run {
  readonly taskId: string
  readonly number: number
}

/**
 * A call that becomes a task.
 *
 * @since 0.1.0
 * @category models
 */
export interface NewTask {
  /** See `ownerOf`. */
  readonly owner: string
  readonly tool: string
  /** Any JSON, or `undefined`. */
  readonly arguments: unknown
  /** What the call is run again with: any JSON, which the store does not look into. */
  readonly memo: unknown
  /** Milliseconds for which the task is kept, 1 or more; `null` without end. */
  readonly ttlMs: number | null
  /** Milliseconds, 1 or more. */
  readonly pollIntervalMs: number
  /** Milliseconds within which the run must be renewed, or counts as lost. */
  readonly leaseMillis: number
}

/**
 * Questions by their keys, as they stand on the wire.
 *
 * @since 0.1.0
 * @category models
 */
export type Requests = NonNullable<InputRequired["inputRequests"]>

/**
 * How a task's call ended.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome =
  | { readonly status: "completed"; readonly result: ToolResult }
  | {
    readonly status: "failed"
    readonly error: { readonly code: number; readonly message: string; readonly data?: unknown }
  }

/**
 * The last question of a task was answered: its call must be run again, by
 * whoever is told so.
 *
 * @since 0.1.0
 * @category models
 */
export interface Again {
  readonly _tag: "Again"
  readonly run: Run
  readonly tool: string
  readonly arguments: unknown
  readonly memo: unknown
  /** Every answer to the questions that were open, by their keys: untrusted. */
  readonly responses: { readonly [key: string]: unknown }
}

/**
 * What became of answers: there is no such task; no open question was answered
 * and nothing changed; some were, and others are still open; or none is.
 *
 * @since 0.1.0
 * @category models
 */
export type Answered =
  | { readonly _tag: "Unknown" }
  | { readonly _tag: "Ignored" }
  | { readonly _tag: "Waiting" }
  | Again

/**
 * Whose a task is, as one text; no two principals' are the same unless both
 * tenant and id are.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ownerOf = (principal: Pick<Principal, "id" | "tenant">): string =>
  JSON.stringify([principal.tenant, principal.id])

/**
 * Tasks end `completed`, `failed` or `cancelled`, and then change no more. Every
 * change is made at once or not at all, also when several instances try. Time is
 * the `Clock`'s; a task whose time to live has passed is as if it never was.
 *
 * @since 0.1.0
 * @category tags
 */
export class TaskStore extends Context.Tag("causeway/TaskStore")<TaskStore, {
  /** Stores a task whose first run begins now. What it gives survives this process if the store does. */
  readonly create: (
    task: NewTask
  ) => Effect.Effect<{ readonly run: Run; readonly state: State }, TaskStoreError>
  /**
   * Shows a task; `None` when there is none, or it is somebody else's. One whose
   * run was not renewed in time is failed from now on.
   */
  readonly get: (taskId: string, owner: string) => Effect.Effect<Option.Option<State>, TaskStoreError>
  /**
   * Ends a run with questions, at least one, whose answers the next run needs:
   * the task is `input_required`. False when the run is no longer the task's, or
   * the task has ended.
   */
  readonly ask: (run: Run, requests: Requests, memo: unknown) => Effect.Effect<boolean, TaskStoreError>
  /**
   * Takes the first answer to each open question, and no others. Says `Again` to
   * one caller only: to whoever brought the last answer. That run's lease begins now.
   */
  readonly answer: (
    taskId: string,
    owner: string,
    responses: { readonly [key: string]: unknown },
    leaseMillis: number
  ) => Effect.Effect<Answered, TaskStoreError>
  /** Ends a task that is `working` in this run. False when it is not, and then nothing changes: the first end counts. */
  readonly finish: (run: Run, outcome: Outcome) => Effect.Effect<boolean, TaskStoreError>
  /** Cancels a task unless it has ended. */
  readonly cancel: (
    taskId: string,
    owner: string
  ) => Effect.Effect<"cancelled" | "ended" | "unknown", TaskStoreError>
  /** Lets runs go on for as long again; gives those that still count. The others should stop. */
  readonly renew: (
    runs: ReadonlyArray<Run>,
    leaseMillis: number
  ) => Effect.Effect<ReadonlyArray<Run>, TaskStoreError>
  /** Deletes expired tasks, 1,000 at most, and says how many. To be run now and then by every instance. */
  readonly sweep: Effect.Effect<number, TaskStoreError>
  /** Succeeds when the store can answer. */
  readonly ping: Effect.Effect<void, TaskStoreError>
}>() {}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface MemoryOptions {
  /** How many tasks are kept at once, ended ones too; 10,000 unless given. `create` fails as `Full` beyond. */
  readonly maxTasks?: number | undefined
}

/**
 * Makes a store in this process's memory: it ends with the process, and no other
 * process sees it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeMemory = (options: MemoryOptions = {}): Effect.Effect<Context.Tag.Service<TaskStore>> =>
  Effect.sync(() => {
    const maxTasks = Math.max(1, Math.trunc(options.maxTasks ?? 10_000))
    const rows = new Map<string, TaskRow.TaskRow>()

    const at = <A>(change: (now: number) => A): Effect.Effect<A> => Effect.map(Clock.currentTimeMillis, change)
    const written = <A>(method: TaskStoreError["method"], text: Either.Either<A, string>) =>
      Effect.mapError(text, (what) => new TaskStoreError({ method, reason: new Unstorable({ what }) }))
    const put = (row: TaskRow.TaskRow): TaskRow.TaskRow => {
      rows.set(row.id, row)
      return row
    }
    const live = (taskId: string, now: number): TaskRow.TaskRow | undefined => {
      const row = rows.get(taskId)
      return row !== undefined && !TaskRow.isExpired(row, now) ? row : undefined
    }
    const owned = (taskId: string, owner: string, now: number): TaskRow.TaskRow | undefined => {
      const row = live(taskId, now)
      return row?.owner === owner ? row : undefined
    }
    const runningIn = (run: Run, now: number): TaskRow.TaskRow | undefined => {
      const row = live(run.taskId, now)
      return row?.run === run.number && row.status === "working" ? row : undefined
    }
    const sweep = (now: number, most: number): number => {
      let swept = 0
      for (const row of rows.values()) {
        if (swept >= most) break
        if (TaskRow.isExpired(row, now) && rows.delete(row.id)) swept += 1
      }
      return swept
    }

    return {
      create: Effect.fnUntraced(function*(task) {
        const texts = yield* written("create", TaskText.call(task))
        const now = yield* Clock.currentTimeMillis
        if (rows.size >= maxTasks) sweep(now, rows.size)
        if (rows.size >= maxTasks) {
          return yield* new TaskStoreError({ method: "create", reason: new Full({ maxTasks }) })
        }
        const row = put(TaskRow.fresh(task, texts, now))
        return { run: { taskId: row.id, number: row.run }, state: TaskRow.toState(row) }
      }),
      get: (taskId, owner) =>
        at((now) => {
          const row = owned(taskId, owner, now)
          if (row === undefined) return Option.none()
          return Option.some(TaskRow.toState(
            TaskRow.isLapsed(row, now) ? put(TaskRow.ended(row, "failed", TaskRow.lapsedOutcome, now)) : row
          ))
        }),
      ask: (run, requests, memo) =>
        Effect.flatMap(written("ask", TaskText.round(requests, memo)), (round) =>
          at((now) => {
            const row = runningIn(run, now)
            if (row === undefined || round.open.length === 0) return false
            put(TaskRow.asked(row, round, now))
            return true
          })),
      answer: (taskId, owner, responses, leaseMillis) =>
        Effect.flatMap(written("answer", TaskText.answers(responses)), (answers) =>
          at((now): Answered => {
            const row = owned(taskId, owner, now)
            if (row === undefined) return { _tag: "Unknown" }
            const answered = TaskRow.answered(row, answers, leaseMillis, now)
            if (answered === undefined) return { _tag: "Ignored" }
            put(answered)
            return answered.open.length > 0 ? { _tag: "Waiting" } : TaskRow.again(answered)
          })),
      finish: (run, outcome) =>
        Effect.flatMap(written("finish", TaskText.outcome(outcome)), (text) =>
          at((now) => {
            const row = runningIn(run, now)
            if (row === undefined) return false
            put(TaskRow.ended(row, outcome.status, text, now))
            return true
          })),
      cancel: (taskId, owner) =>
        at((now) => {
          const row = owned(taskId, owner, now)
          if (row === undefined) return "unknown"
          if (isFinal(row.status)) return "ended"
          put(TaskRow.ended(row, "cancelled", null, now))
          return "cancelled"
        }),
      renew: (runs, leaseMillis) =>
        at((now) =>
          runs.filter((run) => {
            const row = runningIn(run, now)
            if (row !== undefined) put({ ...row, lease: now + leaseMillis })
            return row !== undefined
          })
        ),
      sweep: at((now) => sweep(now, 1_000)),
      ping: Effect.void
    }
  })

/**
 * A store in memory with the default limit.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<TaskStore> = Layer.effect(TaskStore, makeMemory())
