import { assert, describe, it } from "@effect/vitest"
import * as Ask from "causeway-mcp/ask/Ask"
import * as TaskRunner from "causeway-mcp/server/TaskRunner"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolCall from "causeway-mcp/tool/ToolCall"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Bench from "./TaskBench.js"

const tool = <const Name extends string>(name: Name, options: Partial<Tool.TaskOptions>) =>
  Tool.make(name, {
    description: "A tool that serves the tests of the task runner",
    parameters: { heron: Schema.String },
    success: Schema.String,
    safety: "effectful",
    task: options.support ?? "optional",
    taskBegins: options.begins ?? "atOnce"
  })

const Name = Ask.form("Who counts?", Schema.Struct({ name: Schema.String }), { key: "name" })
const Sure = Ask.form("Sure?", Schema.Struct({ sure: Schema.Boolean }), { key: "sure" })

const arguments_ = { heron: "grey" }

/** A runner over a registry of handlers, as a server has it. */
const make = <R>(toolkit: Toolkit.Toolkit<R>) =>
  Effect.gen(function*() {
    const registry = yield* ToolRegistry.make(toolkit)
    return yield* Bench.make({}, { registry, store: yield* TaskStore.TaskStore })
  }).pipe(Effect.provide(TaskStore.layerMemory))

const asking = { memo: { answers: {}, steps: {}, open: [] }, responses: {}, clientCapabilities: { elicitation: {} } }

const dataOf = (text: string | undefined): unknown => JSON.parse(text ?? "null").data

describe("TaskRunner with handlers", () => {
  it.scoped("lets a call run longer than the registry's timeout once it is a task", () =>
    Effect.gen(function*() {
      const { begin, changed, see } = yield* make(Toolkit.make(
        tool("early", {}).implement(({ heron }) => Effect.delay(Evidence.computed("early", heron), "10 minutes")),
        tool("late", { begins: "whenTold" }).implement(({ heron }) =>
          Effect.gen(function*() {
            yield* Effect.sleep("20 seconds")
            yield* ToolCall.continueAsTask
            yield* Effect.sleep("10 minutes")
            return yield* Evidence.computed("late", heron)
          })
        )
      ))
      for (const name of ["early", "late"]) {
        const call = yield* Effect.fork(begin(name, { arguments: arguments_ }))
        yield* TestClock.adjust("20 seconds")
        const taskId = yield* Fiber.join(call)
        yield* TestClock.adjust("5 minutes")
        assert.strictEqual((yield* see(taskId)).status, "working")
        yield* TestClock.adjust("5 minutes")
        yield* changed
        const state = yield* see(taskId)
        assert.strictEqual(state.status === "completed" ? dataOf(state.result.structuredJson) : state.status, "grey")
      }
    }))

  it.scoped("holds a call that never becomes a task to the registry's timeout", () =>
    Effect.gen(function*() {
      const { call } = yield* make(Toolkit.make(tool("late", { begins: "whenTold" }).implement(() => Effect.never)))
      const fiber = yield* Effect.fork(call("late", { arguments: arguments_ }))
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(Bench.bodyOf(yield* Fiber.join(fiber))?.code, "timed_out")
    }))

  it.scoped("asks before and within a task, runs each step once, and completes", () =>
    Effect.gen(function*() {
      const counted = yield* Ref.make(0)
      const { answer, begin, call, changed, see } = yield* make(Toolkit.make(
        tool("count_herons", { support: "required", begins: "whenTold" }).implement(({ heron }) =>
          Effect.gen(function*() {
            const { name } = yield* Name
            const isTask = yield* ToolCall.continueAsTask
            const count = yield* Ask.step("count", Ref.updateAndGet(counted, (n) => n + 1))
            const { sure } = yield* Sure
            return yield* Evidence.computed("count", [name, heron, isTask, count, sure].join())
          }).pipe(Effect.catchTag("NotAnswered", () => Evidence.computed("count", "declined")))
        )
      ))
      const paused = yield* call("count_herons", { arguments: arguments_, asking })
      assert.strictEqual(paused._tag, "Paused")
      if (paused._tag !== "Paused") return
      assert.deepStrictEqual(Object.keys(paused.requests), ["name"])
      const accept = (content: object) => ({ action: "accept", content })
      const taskId = yield* begin("count_herons", {
        arguments: arguments_,
        asking: { ...asking, memo: paused.memo, responses: { name: accept({ name: "Ada" }) } }
      })
      yield* changed
      const waiting = yield* see(taskId)
      assert.deepStrictEqual(waiting.status === "input_required" ? Object.keys(waiting.inputRequests) : [], ["sure"])
      yield* answer(taskId, { sure: accept({ sure: "perhaps" }) })
      yield* Effect.zipRight(changed, changed)
      const again = yield* see(taskId)
      const [key = ""] = again.status === "input_required" ? Object.keys(again.inputRequests) : []
      assert.notStrictEqual(key, "sure")
      yield* answer(taskId, { [key]: accept({ sure: true }) })
      yield* Effect.zipRight(changed, changed)
      const state = yield* see(taskId)
      assert.strictEqual(
        state.status === "completed" ? dataOf(state.result.structuredJson) : state.status,
        "Ada,grey,true,1,true"
      )
    }))

  it.scoped("completes a task whose arguments are wrong with what is wrong about them", () =>
    Effect.gen(function*() {
      const { begin, changed, see } = yield* make(Toolkit.make(
        tool("early", {}).implement(() => Effect.dieMessage("it must not be called"))
      ))
      const taskId = yield* begin("early", { arguments: { heron: 7 } })
      yield* changed
      const state = yield* see(taskId)
      assert.isTrue(state.status === "completed" && state.result.isError)
      assert.include(Bench.textOf(state), "heron")
    }))

  it.scoped("calls a handler whose client knows no tasks as if there were none", () =>
    Effect.gen(function*() {
      const registry = yield* ToolRegistry.make(Toolkit.make(
        tool("late", { begins: "whenTold" }).implement(() =>
          Effect.flatMap(ToolCall.continueAsTask, (isTask) => Evidence.computed("late", String(isTask)))
        )
      ))
      const runner = yield* TaskRunner.make({ registry, store: yield* TaskStore.TaskStore })
      const reply = yield* runner.call(Bench.request("late", { arguments: arguments_ }), { clientKnowsTasks: false })
      assert.strictEqual(reply._tag === "Complete" ? dataOf(reply.structuredJson) : reply._tag, "false")
    }).pipe(Effect.provide(TaskStore.layerMemory)))
})
