import { assert, describe, it } from "@effect/vitest"
import * as Asking from "causeway-mcp/ask/Asking"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as SummarizeBatch from "causeway-mcp/toolbox/SummarizeBatch"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { holding, long, name, notes, scripted, shown, withTool } from "./batch.js"
import { caller } from "./harness.js"

const six = { documentIds: notes.map(({ id }) => id) }
const one = { documentIds: ["note-0"] }

/** Calls as a server does for a client that knows tasks, and counts how often the call asked to be one. */
const callAsTask = (args: object, mayBegin: boolean) =>
  Effect.gen(function*() {
    const registry = yield* ToolRegistry.ToolRegistry
    const begun = { count: 0 }
    const result = registry.call({
      name,
      arguments: args,
      caller,
      requestId: 1,
      isTask: true,
      reportProgress: () => undefined,
      log: () => undefined,
      beginTask: Effect.sync(() => {
        begun.count++
        return mayBegin
      }),
      meta: {},
      asking: { memo: Asking.nothing, responses: {}, clientCapabilities: {} }
    })
    return { begun, fiber: yield* Effect.fork(Effect.orDie(result)) }
  })

const dataOf = (fiber: Fiber.Fiber<unknown>) =>
  Effect.map(Fiber.join(fiber), (result): SummarizeBatch.Data => {
    const { data } = JSON.parse(Object(result).structuredJson)
    return data
  })

const taking = (delay: `${number} seconds`) =>
  scripted((request) => TestLlm.text(`Sum of ${shown(request).join(" ")}.`, { delay }))

const tool = (delay: `${number} seconds`) =>
  withTool({ documents: holding(...notes), model: taking(delay), options: { concurrency: 1 } })

describe("SummarizeBatch, as a task", () => {
  it.effect("goes on as one when the documents are many, and then has all the time it needs", () =>
    Effect.gen(function*() {
      const { begun, fiber } = yield* callAsTask(six, true)
      yield* TestClock.adjust("10 minutes")
      const data = yield* dataOf(fiber)
      assert.lengthOf(data.summaries, 6)
      assert.deepStrictEqual(data.failures, [])
      assert.isAtLeast(begun.count, 1)
    }).pipe(Effect.provide(tool("70 seconds"))))

  it.effect("is none when the documents are few and quick", () =>
    Effect.gen(function*() {
      const { begun, fiber } = yield* callAsTask(one, true)
      yield* TestClock.adjust("2 seconds")
      assert.lengthOf((yield* dataOf(fiber)).summaries, 1)
      assert.strictEqual(begun.count, 0)
    }).pipe(Effect.provide(tool("2 seconds"))))

  it.effect("goes on as one when it takes longer than five seconds", () =>
    Effect.gen(function*() {
      const { begun, fiber } = yield* callAsTask({ documentIds: ["note-0", "note-1"] }, true)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(begun.count, 1)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual((yield* dataOf(fiber)).failures, [])
    }).pipe(Effect.provide(tool("15 seconds"))))

  it.effect("goes on as one when a document has to be read in parts", () =>
    Effect.gen(function*() {
      const { begun, fiber } = yield* callAsTask({ documentIds: ["book"] }, true)
      assert.lengthOf((yield* dataOf(fiber)).summaries, 1)
      assert.strictEqual(begun.count, 1)
    }).pipe(
      Effect.provide(withTool({
        documents: holding({ id: "book", text: long(100) }),
        model: scripted(),
        options: { contextTokens: 1500 }
      }))
    ))

  it.effect("answers in half a minute with what is done when it may not be one", () =>
    Effect.gen(function*() {
      const { fiber } = yield* callAsTask(six, false)
      yield* TestClock.adjust("25 seconds")
      const data = yield* dataOf(fiber)
      assert.deepStrictEqual(data.summaries.map(({ id }) => id), ["note-0", "note-1", "note-2"])
      assert.deepStrictEqual(data.failures.map(({ reason }) => reason), ["timed_out", "timed_out", "timed_out"])
    }).pipe(Effect.provide(tool("5 seconds"))))

  it.effect("is handed out by a server to a client that knows tasks, and waited for by another", () =>
    Effect.scoped(Effect.gen(function*() {
      const call = { name, arguments: six }
      const capabilities = { extensions: { "io.modelcontextprotocol/tasks": {} } }
      const client = yield* MemoryTransport.make({ capabilities, caller })
      const { resultType, taskId } = yield* client.request("tools/call", call)
      assert.strictEqual(resultType, "task")
      const done = yield* Effect.zipRight(Effect.yieldNow(), client.request("tasks/get", { taskId })).pipe(
        Effect.repeat({ until: ({ status }) => status !== "working" })
      )
      assert.strictEqual(done.status, "completed")
      assert.lengthOf(Object(Object(done.result).structuredContent).data.summaries, 6)

      const patient = yield* MemoryTransport.make({ caller })
      const waited = yield* patient.request("tools/call", call)
      assert.lengthOf(Object(waited.structuredContent).data.summaries, 6)
    })).pipe(
      Effect.provide(
        McpServer.layerTools(Toolkit.make(SummarizeBatch.make()), { name: "batch", version: "1.0.0" }).pipe(
          Layer.provide(TaskStore.layerMemory),
          Layer.provide(holding(...notes)),
          Layer.provide(scripted())
        )
      )
    ))
})
