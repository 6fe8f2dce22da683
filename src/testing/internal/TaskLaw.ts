/**
 * One promise of a task store, and how it is written down.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import type { ToolResult } from "../../protocol/McpSchema.js"
import type { State } from "../../protocol/McpTask.js"
import * as TaskStore from "../../task/TaskStore.js"

/**
 * @since 0.1.0
 * @category testing
 */
export type Store = TaskStore.TaskStore["Type"]

/**
 * @since 0.1.0
 * @category testing
 */
export interface Law {
  readonly name: string
  readonly check: (one: Store, other: Store) => Effect.Effect<void, unknown>
}

/**
 * What a law has at hand: two handles on one store, and an owner nobody was before.
 *
 * @since 0.1.0
 * @category testing
 */
export interface Bench {
  readonly store: Store
  readonly other: Store
  readonly owner: string
  /** A task of the law's owner, kept for an hour, with a lease of 30 seconds, unless told otherwise. */
  readonly begin: (task?: Partial<TaskStore.NewTask>) => Effect.Effect<TaskStore.Run, TaskStore.TaskStoreError>
  /** The same, but it waits for answers to these keys. */
  readonly beginAsking: (
    keys: ReadonlyArray<string>,
    task?: Partial<TaskStore.NewTask>
  ) => Effect.Effect<TaskStore.Run, unknown>
  /** What the owner sees; fails the law when that is nothing. */
  readonly see: (run: TaskStore.Run) => Effect.Effect<State, TaskStore.TaskStoreError>
  /** That nothing is to be seen. */
  readonly seeNothing: (run: TaskStore.Run) => Effect.Effect<void, TaskStore.TaskStoreError>
  /** Answers as the owner. */
  readonly answer: (
    run: TaskStore.Run,
    responses: { readonly [key: string]: unknown },
    store?: Store
  ) => Effect.Effect<TaskStore.Answered, TaskStore.TaskStoreError>
}

/**
 * Milliseconds of a law's leases, unless it says otherwise.
 *
 * @since 0.1.0
 * @category testing
 */
export const lease = 30_000

/**
 * @since 0.1.0
 * @category testing
 */
export const result = (text: string, more: Partial<ToolResult> = {}): ToolResult => ({
  _tag: "Complete",
  content: [{ type: "text", text }],
  isError: false,
  ...more
})

/**
 * A question under each key.
 *
 * @since 0.1.0
 * @category testing
 */
export const questions = (keys: ReadonlyArray<string>): TaskStore.Requests =>
  Object.fromEntries(
    keys.map((key) => [key, { method: "elicitation/create", params: { message: `What is ${key}?` } }])
  )

/**
 * Texts that have broken stores before.
 *
 * @since 0.1.0
 * @category testing
 */
export const hostile: ReadonlyArray<string> = [
  ...["", " ", "{}", "\"", "\\", "\\\"", "'; drop table causeway_tasks; --", "$1", "${x}", "?", "%s", "[]", "null"],
  ...["a\nb", "a\r\nb", "a\u0000b", "\u0000", "\\u0000", "\u001f", "\u2028", "\u2029", "\ufffe", "\uffff"],
  ...["🙂", "e\u0301", "\u00e9", "\ud800", "\udc00", "\\ud800", "x\ud800y", "\u202eabc"],
  ...["__proto__", "constructor", "toString", "hasOwnProperty", "x".repeat(5_000), "🙂".repeat(500)]
]

/**
 * Writes a law.
 *
 * @since 0.1.0
 * @category testing
 */
export const law = (name: string, body: (bench: Bench) => Effect.Effect<void, unknown>): Law => ({
  name,
  check: (store, other) =>
    Effect.suspend(() => {
      const owner = TaskStore.ownerOf({ tenant: `law-${randomUUID()}`, id: randomUUID() })
      const begin: Bench["begin"] = (task) =>
        Effect.map(
          store.create({
            owner,
            tool: "count_herons",
            arguments: { year: 2026 },
            memo: { steps: {} },
            ttlMs: 3_600_000,
            pollIntervalMs: 1_000,
            leaseMillis: lease,
            ...task
          }),
          ({ run }) => run
        )
      return body({
        store,
        other,
        owner,
        begin,
        beginAsking: (keys, task) =>
          Effect.tap(begin(task), (run) =>
            Effect.map(store.ask(run, questions(keys), "memo"), (asked) => assert.equal(asked, true))),
        see: (run) =>
          Effect.map(store.get(run.taskId, owner), (found) => {
            assert.ok(Option.isSome(found), "the task is not to be seen")
            return found.value
          }),
        seeNothing: (run) =>
          Effect.map(store.get(run.taskId, owner), (found) => assert.deepEqual(found, Option.none())),
        answer: (run, responses, at = store) => at.answer(run.taskId, owner, responses, lease)
      })
    })
})
