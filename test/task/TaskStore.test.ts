import { assert, describe, it, layer } from "@effect/vitest"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as TaskStoreLaws from "causeway-mcp/testing/TaskStoreLaws"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"

const owner = TaskStore.ownerOf({ tenant: "heronry", id: "ada" })

const task = (ttlMs: number | null): TaskStore.NewTask => ({
  owner,
  tool: "count_herons",
  arguments: {},
  memo: {},
  ttlMs,
  pollIntervalMs: 1_000,
  leaseMillis: 30_000
})

layer(TaskStore.layerMemory)("TaskStore.layerMemory", (it) => {
  for (const { check, name } of TaskStoreLaws.laws) {
    it.effect(name, () => Effect.flatMap(TaskStore.TaskStore, (store) => check(store, store)))
  }
})

describe("TaskStore.makeMemory", () => {
  it.effect("refuses one task more than its limit, in words a client can act on", () =>
    Effect.gen(function*() {
      const store = yield* TaskStore.makeMemory({ maxTasks: 3 })
      const kept = yield* Effect.replicateEffect(store.create(task(60_000)), 3)
      const error = yield* Effect.flip(store.create(task(60_000)))
      assert.strictEqual(error.reason._tag, "Full")
      assert.isTrue(error.isRetryable)
      assert.strictEqual(
        error.message,
        "TaskStore.create: the task store holds 3 tasks, which is its limit; try again when some have expired"
      )
      for (const { run } of kept) assert.isTrue(Option.isSome(yield* store.get(run.taskId, owner)))
    }))

  it.effect("makes room of what has expired and of nothing else", () =>
    Effect.gen(function*() {
      const store = yield* TaskStore.makeMemory({ maxTasks: 3 })
      const unfinished = yield* store.create(task(60_000))
      const finished = yield* store.create(task(60_000))
      yield* store.finish(finished.run, { status: "failed", error: { code: 1, message: "broken" } })
      yield* store.create(task(1_000))
      assert.strictEqual((yield* Effect.flip(store.create(task(1_000)))).reason._tag, "Full")
      yield* TestClock.adjust("1 second")
      yield* store.create(task(1_000))
      assert.strictEqual((yield* Effect.flip(store.create(task(1_000)))).reason._tag, "Full")
      assert.isTrue(Option.isSome(yield* store.get(unfinished.run.taskId, owner)))
      assert.isTrue(Option.isSome(yield* store.get(finished.run.taskId, owner)))
    }))

  it.effect("holds 10,000 tasks unless told otherwise, and sweeps 1,000 at a time", () =>
    Effect.gen(function*() {
      const store = yield* TaskStore.makeMemory()
      yield* Effect.replicateEffect(store.create(task(1_000)), 10_000, { discard: true })
      assert.strictEqual((yield* Effect.flip(store.create(task(1_000)))).reason._tag, "Full")
      yield* TestClock.adjust("1 second")
      for (let n = 0; n < 10; n++) assert.strictEqual(yield* store.sweep, 1_000)
      assert.strictEqual(yield* store.sweep, 0)
    }))
})
