/** What clients that listen hear, and in what order. */
import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Changes from "causeway-mcp/change/Changes"
import type { Announcement } from "causeway-mcp/protocol/Change"
import type { RequestContext } from "causeway-mcp/protocol/Handlers"
import type * as McpTask from "causeway-mcp/protocol/McpTask"
import * as Listening from "causeway-mcp/server/Listening"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { turn } from "./connectionPeer.js"

const context: RequestContext<Principal.Principal> = {
  caller: Principal.local,
  requestId: 1,
  revision: "2026-07-28",
  clientCapabilities: {},
  meta: {},
  progress: () => {},
  log: () => {}
}

const state = (statusMessage: string): McpTask.State => ({
  taskId: "t",
  status: "working",
  statusMessage,
  createdAt: "2026-01-01T00:00:00.000Z",
  lastUpdatedAt: "2026-01-01T00:00:00.000Z",
  ttlMs: null
})

/** Somebody who listens, and what was said. */
const listener = () => {
  const said: Array<string | undefined> = []
  let acknowledged = 0
  return {
    said,
    acknowledged: () => acknowledged,
    acknowledge: () => {
      acknowledged += 1
    },
    announce: (announcement: Announcement) => {
      said.push(announcement._tag === "TaskState" ? announcement.task.statusMessage : announcement._tag)
    }
  }
}

describe("Listening", () => {
  it.effect("never tells an older state of a task after a newer one, however long each takes to read", () =>
    Effect.gen(function*() {
      const changes = yield* Changes.makeMemory
      const reads: Array<Deferred.Deferred<void>> = []
      let version = 0
      const readTask = () =>
        Effect.gen(function*() {
          const found = state(String(version))
          const read = yield* Deferred.make<void>()
          reads.push(read)
          yield* Deferred.await(read)
          return Option.some(found)
        })
      /** The read that began last ends first. */
      const finishReads = Effect.gen(function*() {
        for (let read = reads.pop(); read !== undefined; read = reads.pop()) {
          yield* Deferred.succeed(read, undefined)
          yield* turn
        }
      })
      const listen = yield* Listening.make({ isVisible: () => true, changes, readTask, most: 2 })
      const client = listener()
      const begun = yield* Effect.fork(listen(context, { taskIds: ["t"] }, client))
      yield* turn
      yield* finishReads
      const stop = yield* Fiber.join(begun)
      for (version = 1; version <= 3; version++) {
        yield* changes.publish({ _tag: "TaskChanged", taskId: "t" })
        yield* turn
      }
      version = 3
      yield* finishReads
      assert.deepStrictEqual(client.said, ["1", "3"])
      stop()
      yield* changes.publish({ _tag: "TaskChanged", taskId: "t" })
      assert.deepStrictEqual(reads, [])
    }))

  it.effect("keeps its limit when several begin at once", () =>
    Effect.gen(function*() {
      const changes = yield* Changes.makeMemory
      const gate = yield* Deferred.make<void>()
      const readTask = () => Effect.as(Deferred.await(gate), Option.some(state("")))
      const listen = yield* Listening.make({ isVisible: () => true, changes, readTask, most: 1 })
      const clients = [listener(), listener()]
      const all = yield* Effect.fork(
        Effect.forEach(clients, (client) => Effect.exit(listen(context, { taskIds: ["t"] }, client)), {
          concurrency: "unbounded"
        })
      )
      yield* turn
      yield* Deferred.succeed(gate, undefined)
      const exits = yield* Fiber.join(all)
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
      assert.strictEqual(clients.filter((client) => client.acknowledged() > 0).length, 1)
    }))

  it.effect("refuses what names too much together with all the others, until one of them ends", () =>
    Effect.gen(function*() {
      const changes = yield* Changes.makeMemory
      const listen = yield* Listening.make({ isVisible: () => true, changes, readTask: undefined, most: 100 })
      const resourceSubscriptions = Array.from({ length: 1000 }, (_, index) => `${"x".repeat(8000)}${index}`)
      const begun = () => Effect.exit(listen(context, { resourceSubscriptions }, listener()))
      const first = yield* begun()
      for (let count = 1; count < 8; count++) assert.isTrue(Exit.isSuccess(yield* begun()))
      assert.isTrue(Exit.isFailure(yield* begun()))
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(listen(context, { toolsListChanged: true }, listener()))))
      if (Exit.isSuccess(first)) first.value()
      assert.isTrue(Exit.isSuccess(yield* begun()))
    }))

  it.effect("stops looking for tasks when it is interrupted, where all else may not be", () =>
    Effect.gen(function*() {
      const changes = yield* Changes.makeMemory
      const listen = yield* Listening.make({ isVisible: () => true, changes, readTask: () => Effect.never, most: 1 })
      const begun = yield* Effect.fork(
        Effect.acquireUseRelease(
          listen(context, { taskIds: ["t"] }, listener()),
          () => Effect.never,
          (stop) => Effect.sync(stop)
        )
      )
      yield* turn
      begun.unsafeInterruptAsFork(begun.id())
      yield* turn
      yield* turn
      assert.isNotNull(begun.unsafePoll(), "it still waits for the store")
    }))
})
