import { assert, describe, it } from "@effect/vitest"
import * as Asking from "causeway-mcp/ask/Asking"
import * as Principal from "causeway-mcp/auth/Principal"
import type { McpError } from "causeway-mcp/protocol/McpError"
import { invalidParams } from "causeway-mcp/protocol/McpError"
import * as TaskStore from "causeway-mcp/task/TaskStore"
import type { Request } from "causeway-mcp/toolkit/ToolRegistry"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HashMap from "effect/HashMap"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Bench from "./TaskBench.js"
import { answer as accept } from "./TaskBench.js"

describe("TaskRunner.call", () => {
  it.scoped("gives the registry's own Exit for a tool that never is a task, and for none", () =>
    Effect.gen(function*() {
      const exit = Exit.succeed(Bench.result("three"))
      const { runner } = yield* Bench.make({ plain: { call: () => exit } })
      assert.strictEqual(runner.call(Bench.request("plain"), { clientKnowsTasks: true }), exit)
      assert.strictEqual(runner.call(Bench.request("plain"), { clientKnowsTasks: false }), exit)
      const error = yield* Effect.flip(runner.call(Bench.request("nothing"), { clientKnowsTasks: true }))
      assert.strictEqual(error.message, "Unknown tool")
    }))

  it.scoped("leaves a tool that may be a task to the registry when the client knows no tasks", () =>
    Effect.gen(function*() {
      const seen: Array<Request> = []
      const call = (request: Request) => {
        seen.push(request)
        return Exit.succeed(Bench.result("three"))
      }
      const { runner } = yield* Bench.make({
        early: { task: Bench.atOnce, call },
        late: { task: Bench.whenTold, call }
      })
      for (const name of ["early", "late"]) {
        const request = Bench.request(name)
        const reply = yield* runner.call(request, { clientKnowsTasks: false })
        assert.strictEqual(Bench.textOf(reply), "three")
        assert.strictEqual(seen.pop(), request)
      }
    }))

  it.scoped("refuses a client that knows no tasks when there is no other way, and names what it lacks", () =>
    Effect.gen(function*() {
      const call = () => Effect.dieMessage("it must not be called")
      const { runner } = yield* Bench.make({
        early: { task: { support: "required", begins: "atOnce" }, call },
        late: { task: { support: "required", begins: "whenTold" }, call }
      })
      for (const name of ["early", "late"]) {
        const error = yield* Effect.flip(runner.call(Bench.request(name), { clientKnowsTasks: false }))
        assert.strictEqual(error.code, -32021)
        assert.deepStrictEqual(error.data, {
          requiredCapabilities: { extensions: { "io.modelcontextprotocol/tasks": {} } }
        })
      }
    }))

  it.scoped("makes no task for a caller who may not use the tool", () =>
    Effect.gen(function*() {
      const { runner } = yield* Bench.make({
        closed: {
          task: { support: "required", begins: "atOnce" },
          scopes: ["herons:count"],
          call: () => Exit.succeed(Bench.result("refused", true))
        }
      })
      const stranger = Bench.request("closed", { caller: Principal.make({ id: "s" }) })
      for (const clientKnowsTasks of [true, false]) {
        assert.strictEqual(Bench.textOf(yield* runner.call(stranger, { clientKnowsTasks })), "refused")
      }
    }))
})

describe("a task from the start", () => {
  it.scoped("is working when its call is answered, and completed when the call ends", () =>
    Effect.gen(function*() {
      const { call, changed, see } = yield* Bench.make({
        count: { task: Bench.atOnce, call: () => Effect.delay(Effect.succeed(Bench.result("three")), "10 minutes") }
      })
      const reply = yield* call("count")
      const taskId = Bench.idOf(reply)
      if (reply._tag === "Task") {
        assert.deepStrictEqual(reply.task, yield* see(taskId))
        assert.strictEqual(reply.task.status, "working")
        assert.strictEqual(reply.task.ttlMs, 3_600_000)
        assert.strictEqual(reply.task.pollIntervalMs, 1_000)
      }
      yield* TestClock.adjust("599 seconds")
      assert.strictEqual((yield* see(taskId)).status, "working")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* changed, taskId)
      const state = yield* see(taskId)
      assert.strictEqual(state.status, "completed")
      assert.strictEqual(Bench.textOf(state), "three")
    }))

  it.scoped("goes on when the fiber of its request has ended", () =>
    Effect.gen(function*() {
      const { begin, changed, see } = yield* Bench.make({
        count: { task: Bench.atOnce, call: () => Effect.delay(Effect.succeed(Bench.result("three")), "1 second") }
      })
      const fiber = yield* Effect.fork(begin("count"))
      const taskId = yield* Fiber.join(fiber)
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 second")
      yield* changed
      assert.strictEqual((yield* see(taskId)).status, "completed")
    }))

  it.scoped("completes with a tool's failure, and fails with a protocol error", () =>
    Effect.gen(function*() {
      const { begin, changed, see } = yield* Bench.make({
        unlucky: { task: Bench.atOnce, call: () => Exit.succeed(Bench.result("no herons", true)) },
        wrong: { task: Bench.atOnce, call: () => Exit.fail(invalidParams("No such year", { year: 1 })) }
      })
      const unlucky = yield* begin("unlucky")
      yield* changed
      const completed = yield* see(unlucky)
      assert.isTrue(completed.status === "completed" && completed.result.isError)
      const wrong = yield* begin("wrong")
      yield* changed
      const failed = yield* see(wrong)
      assert.strictEqual(failed.status, "failed")
      if (failed.status === "failed") {
        assert.deepStrictEqual(failed.error, { code: -32602, message: "No such year", data: { year: 1 } })
      }
    }))

  it.scoped("fails with an incident that is in the log when the call has a defect or gives no JSON", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const log = Logger.make(({ cause, message }) => {
        lines.push(`${String(message)} ${String(cause)}`)
      })
      yield* Effect.gen(function*() {
        const { begin, changed, see } = yield* Bench.make({
          broken: { task: Bench.atOnce, call: () => Effect.die(new Error("a secret path")) },
          thrown: {
            task: Bench.atOnce,
            call: () => {
              throw new Error("a secret path")
            }
          },
          circular: {
            task: Bench.atOnce,
            call: () => Exit.succeed({ ...Bench.result("a secret path"), _meta: { big: 1n } })
          }
        })
        for (const name of ["broken", "thrown", "circular"]) {
          const taskId = yield* begin(name)
          yield* changed
          const state = yield* see(taskId)
          assert.strictEqual(state.status, "failed")
          if (state.status !== "failed") return
          assert.strictEqual(state.error.code, -32603)
          const incident = /^Internal error; incident ([0-9a-f]{8})$/.exec(state.error.message)?.[1]
          assert.isDefined(incident)
          assert.isTrue(lines.some((line) => line.includes(`incident ${incident}`) && line.includes(name)))
        }
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, log)))
    }))

  it.scoped("hears nothing of progress and log, and is told that it is a task", () =>
    Effect.gen(function*() {
      const heard: Array<unknown> = []
      const { begin, changed, see } = yield* Bench.make({
        count: {
          task: Bench.atOnce,
          call: (request) =>
            Effect.map(request.beginTask, (begun) => {
              request.reportProgress({ progress: 1 })
              request.log({ level: "info", data: "counting" })
              return Bench.result(`${begun} ${request.isTask}`)
            })
        }
      })
      const taskId = yield* begin("count", {
        reportProgress: (update) => heard.push(update),
        log: (message) => heard.push(message)
      })
      yield* changed
      assert.strictEqual(Bench.textOf(yield* see(taskId)), "true true")
      assert.deepStrictEqual(heard, [])
    }))

  it.scoped("is refused as a tool's failure when as many run as may, until one has ended", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { begin, call, changed } = yield* Bench.make({
        wait: { task: Bench.atOnce, call: () => Effect.as(Deferred.await(gate), Bench.result("done")) }
      }, { maxRunning: 2, pollInterval: "250 millis" })
      yield* begin("wait")
      yield* begin("wait")
      for (let n = 0; n < 2; n++) {
        const body = Bench.bodyOf(yield* call("wait"))
        assert.strictEqual(body?.code, "rate_limited")
        assert.strictEqual(body?.retryAfterMs, 250)
        assert.include(body?.message, "2 tasks")
      }
      yield* Deferred.succeed(gate, undefined)
      yield* changed
      yield* changed
      yield* begin("wait")
      yield* begin("wait")
    }))
})

describe("a task from where its handler says so", () => {
  it.scoped("is none when the call ends before: result, question and error go to the request", () =>
    Effect.gen(function*() {
      const store = yield* TaskStore.makeMemory({ maxTasks: 1 })
      const { call } = yield* Bench.make({
        count: { task: Bench.whenTold, call: () => Effect.delay(Effect.succeed(Bench.result("three")), "29 seconds") },
        ask: { task: Bench.whenTold, call: () => Exit.succeed(Bench.pause(["name"])) },
        wrong: { task: Bench.whenTold, call: () => Exit.fail(invalidParams("No such year")) }
      }, { store })
      const count = yield* Effect.fork(call("count"))
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual(Bench.textOf(yield* Fiber.join(count)), "three")
      assert.deepStrictEqual(yield* call("ask"), Bench.pause(["name"]))
      assert.strictEqual((yield* Effect.flip(call("wrong"))).message, "No such year")
    }))

  it.scoped("takes no place, and gives none back, when the call ends before", () =>
    Effect.gen(function*() {
      const { begin, call } = yield* Bench.make({
        count: { task: Bench.whenTold, call: () => Exit.succeed(Bench.result("three")) },
        wait: { task: Bench.atOnce, call: () => Effect.never }
      }, { maxRunning: 1 })
      yield* call("count")
      yield* begin("wait")
      yield* call("count")
      assert.strictEqual(Bench.bodyOf(yield* call("wait"))?.code, "rate_limited")
    }))

  it.scoped("begins once, is durable by then, and goes on as long as it takes", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const heard: Array<unknown> = []
      const { begin, changed, see } = yield* Bench.make({
        count: {
          task: Bench.whenTold,
          call: (request) =>
            Effect.gen(function*() {
              request.reportProgress({ progress: 1 })
              request.log({ level: "info", data: "before" })
              const begun = yield* Effect.replicateEffect(request.beginTask, 3, { concurrency: "unbounded" })
              request.reportProgress({ progress: 2 })
              request.log({ level: "info", data: "after" })
              yield* Deferred.await(gate)
              yield* Effect.sleep("10 minutes")
              return Bench.result(begun.join())
            })
        }
      })
      const taskId = yield* begin("count", {
        reportProgress: (update) => heard.push(update),
        log: ({ data }) => heard.push(data)
      })
      assert.strictEqual((yield* see(taskId)).status, "working")
      assert.deepStrictEqual(heard, [{ progress: 1 }, "before"])
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("10 minutes")
      yield* changed
      assert.strictEqual(Bench.textOf(yield* see(taskId)), "true,true,true")
    }))

  it.scoped("is interrupted with its request before it begins", () =>
    Effect.gen(function*() {
      const started = yield* Deferred.make<void>()
      const interrupted = yield* Deferred.make<void>()
      const { call } = yield* Bench.make({
        count: {
          task: Bench.whenTold,
          call: () =>
            Deferred.succeed(started, undefined).pipe(
              Effect.zipRight(Effect.never),
              Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
            )
        }
      })
      const fiber = yield* Effect.fork(call("count"))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(fiber)
      yield* Deferred.await(interrupted)
    }))

  it.scoped("goes on when its request is interrupted while the task is being stored", () =>
    Effect.gen(function*() {
      const memory = yield* TaskStore.makeMemory()
      const storing = yield* Deferred.make<void>()
      const proceed = yield* Deferred.make<void>()
      const created = yield* Deferred.make<string>()
      const store: Bench.Store = {
        ...memory,
        create: (task) =>
          Deferred.succeed(storing, undefined).pipe(
            Effect.zipRight(Deferred.await(proceed)),
            Effect.zipRight(memory.create(task)),
            Effect.tap(({ run }) => Deferred.succeed(created, run.taskId))
          )
      }
      const { call, changed, see } = yield* Bench.make({
        count: {
          task: Bench.whenTold,
          call: (request) => Effect.map(request.beginTask, (begun) => Bench.result(String(begun)))
        }
      }, { store })
      const fiber = yield* Effect.fork(call("count"))
      yield* Deferred.await(storing)
      yield* Fiber.interrupt(fiber)
      yield* Deferred.succeed(proceed, undefined)
      yield* changed
      assert.strictEqual(Bench.textOf(yield* see(yield* Deferred.await(created))), "true")
    }))

  it.scoped("is given up after half a minute without beginning, at once and for good", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<boolean>()
      const { call } = yield* Bench.make({
        count: {
          task: Bench.whenTold,
          call: ({ beginTask }) =>
            Effect.sleep("1 minute").pipe(
              Effect.zipRight(Effect.flatMap(beginTask, (begun) => Deferred.succeed(asked, begun))),
              Effect.as(Bench.result("late")),
              Effect.uninterruptible
            )
        }
      })
      const fiber = yield* Effect.fork(call("count"))
      yield* TestClock.adjust("30 seconds")
      const body = Bench.bodyOf(yield* Fiber.join(fiber))
      assert.strictEqual(body?.code, "timed_out")
      assert.include(body?.message, "count did not finish within 30s")
      yield* TestClock.adjust("30 seconds")
      assert.isFalse(yield* Deferred.await(asked))
    }))

  it.scoped("is not given up while the task is being stored", () =>
    Effect.gen(function*() {
      const memory = yield* TaskStore.makeMemory()
      const { begin, changed, see } = yield* Bench.make({
        count: {
          task: Bench.whenTold,
          call: ({ beginTask }) => Effect.map(beginTask, (begun) => Bench.result(String(begun)))
        }
      }, { store: { ...memory, create: (task) => Effect.delay(memory.create(task), "40 seconds") } })
      const fiber = yield* Effect.fork(begin("count"))
      yield* TestClock.adjust("40 seconds")
      const taskId = yield* Fiber.join(fiber)
      yield* changed
      assert.strictEqual(Bench.textOf(yield* see(taskId)), "true")
    }))

  it.scoped("does not begin without a place or a store, and the call simply goes on", () =>
    Effect.gen(function*() {
      const memory = yield* TaskStore.makeMemory()
      const store: Bench.Store = { ...memory, create: () => Effect.fail(Bench.outage("create")) }
      const tools = {
        count: {
          task: Bench.whenTold,
          call: (request: Request) => Effect.map(request.beginTask, (begun) => Bench.result(String(begun)))
        },
        wait: { task: Bench.atOnce, call: () => Effect.never }
      }
      const down = yield* Bench.make(tools, { store })
      assert.strictEqual(Bench.textOf(yield* down.call("count")), "false")
      const full = yield* Bench.make(tools, { maxRunning: 1 })
      yield* full.begin("wait")
      assert.strictEqual(Bench.textOf(yield* full.call("count")), "false")
    }))

  it.scoped("keeps the place of a call that could not begin for another", () =>
    Effect.gen(function*() {
      const memory = yield* TaskStore.makeMemory()
      const isDown = yield* Ref.make(true)
      const store: Bench.Store = {
        ...memory,
        create: (task) =>
          Effect.flatMap(Ref.getAndSet(isDown, false), (down) =>
            down ? Effect.fail(Bench.outage("create")) : memory.create(task))
      }
      const { begin } = yield* Bench.make({
        count: {
          task: Bench.whenTold,
          call: (request) =>
            Effect.zipRight(
              request.beginTask,
              Effect.map(request.beginTask, (b) =>
                Bench.result(String(b)))
            )
        }
      }, { store, maxRunning: 1 })
      yield* begin("count")
    }))
})

describe("questions of a task", () => {
  const greet: Bench.Tool = {
    task: Bench.atOnce,
    call: ({ arguments: given, asking, caller, isTask, meta, requestId }) => {
      const run = Asking.start(asking)
      const missing = ["name", "colour"].filter((key) => !run.answers.has(key))
      if (missing.length > 0) {
        return Exit.succeed(
          Bench.pause(missing, { answers: Object.fromEntries(run.answers), steps: { one: run.steps.size + 1 } })
        )
      }
      return Exit.succeed(Bench.result(JSON.stringify({
        answers: Object.fromEntries(run.answers),
        steps: Object.fromEntries(run.steps),
        given,
        caller: caller.id,
        requestId,
        meta,
        capabilities: asking.clientCapabilities,
        isTask
      })))
    }
  }

  it.scoped("fail the task when the client did not declare that it can be asked", () =>
    Effect.gen(function*() {
      const { changed, runner, see } = yield* Bench.make({ greet })
      const asking = { memo: Asking.nothing, responses: {}, clientCapabilities: {} }
      const created = yield* runner.call(Bench.request("greet", { asking }), { clientKnowsTasks: true })
      assert.strictEqual(created._tag, "Task")
      yield* changed
      const state = yield* see(created._tag === "Task" ? created.task.taskId : "")
      assert.deepInclude(state.status === "failed" ? state.error : {}, {
        code: -32021,
        data: { requiredCapabilities: { elicitation: { form: {} } } }
      })
    }))

  it.scoped("are shown until answered, one by one, and then the call is run again with all it needs", () =>
    Effect.gen(function*() {
      const { answer, begin, changed, see } = yield* Bench.make({ greet })
      const taskId = yield* begin("greet")
      yield* changed
      const asked = yield* see(taskId)
      assert.strictEqual(asked.status, "input_required")
      if (asked.status === "input_required") {
        assert.deepStrictEqual(asked.inputRequests, Bench.pause(["name", "colour"]).requests)
      }
      yield* answer(taskId, { colour: accept("grey"), other: accept("x") })
      yield* changed
      const left = yield* see(taskId)
      assert.deepStrictEqual(left.status === "input_required" ? Object.keys(left.inputRequests) : [], ["name"])
      yield* answer(taskId, { name: accept("Ada") })
      yield* Effect.zipRight(changed, changed)
      assert.deepStrictEqual(JSON.parse(Bench.textOf(yield* see(taskId))), {
        answers: { colour: accept("grey"), name: accept("Ada") },
        steps: { one: 1 },
        given: { year: 2026 },
        caller: "ada",
        requestId: 8,
        meta: { from: "update" },
        capabilities: { elicitation: {} },
        isTask: true
      })
    }))

  it.scoped("may be answered at another instance, which then runs the call", () =>
    Effect.gen(function*() {
      const one = yield* Bench.make({ greet })
      const other = yield* Bench.make({ greet }, { store: one.store })
      const taskId = yield* one.begin("greet")
      yield* one.changed
      yield* other.answer(taskId, { name: accept("Ada"), colour: accept("grey") })
      yield* Effect.zipRight(other.changed, other.changed)
      assert.strictEqual((yield* one.see(taskId)).status, "completed")
    }))

  it.scoped("get new keys when they are asked again, so that a late answer is not taken for theirs", () =>
    Effect.gen(function*() {
      const { answer, begin, changed, see } = yield* Bench.make({
        stubborn: {
          task: Bench.atOnce,
          call: ({ asking }) => {
            const name = Asking.start(asking).answers.get("name")
            if (name?.["action"] === "accept") return Exit.succeed(Bench.result(JSON.stringify(name)))
            return Exit.succeed(Bench.pause(name === undefined ? ["name"] : ["name", "name-2"]))
          }
        }
      })
      const keys = (taskId: string) =>
        Effect.map(see(taskId), (state) => state.status === "input_required" ? Object.keys(state.inputRequests) : [])
      const decline = { action: "decline" }
      const taskId = yield* begin("stubborn")
      yield* changed
      assert.deepStrictEqual(yield* keys(taskId), ["name"])
      for (const next of [["name-3", "name-2"], ["name-4", "name-2-2"]]) {
        const open = yield* keys(taskId)
        yield* answer(taskId, Object.fromEntries(open.map((key) => [key, decline])))
        yield* Effect.zipRight(changed, changed)
        assert.deepStrictEqual(yield* keys(taskId), next)
        yield* answer(taskId, Object.fromEntries(open.map((key) => [key, accept("late")])))
        assert.deepStrictEqual(yield* keys(taskId), next)
      }
      yield* answer(taskId, { "name-4": accept("Ada"), "name-2-2": decline })
      yield* Effect.zipRight(changed, changed)
      assert.strictEqual(Bench.textOf(yield* see(taskId)), JSON.stringify(accept("Ada")))
    }))

  it.scoped("take no place while they wait; answers are not taken without one to run the call in", () =>
    Effect.gen(function*() {
      const { answer, begin, changed, runner, see } = yield* Bench.make({
        greet,
        wait: { task: Bench.atOnce, call: () => Effect.never }
      }, { maxRunning: 1 })
      const taskId = yield* begin("greet")
      yield* changed
      const waiting = yield* begin("wait")
      const error = yield* Effect.flip(answer(taskId, { name: accept("Ada"), colour: accept("grey") }))
      assert.strictEqual(error.code, -32603)
      assert.include(error.message, "Send the answers again")
      assert.strictEqual((yield* see(taskId)).status, "input_required")
      yield* runner.handlers.cancel(Bench.context(), waiting)
      yield* changed
      yield* Effect.eventually(answer(taskId, { name: accept("Ada"), colour: accept("grey") }))
      yield* Effect.zipRight(changed, changed)
      assert.strictEqual((yield* see(taskId)).status, "completed")
    }))

  it.scoped("before the task begins stay with the request, and their answers are known in the task", () =>
    Effect.gen(function*() {
      const { begin, call, changed, see } = yield* Bench.make({
        later: {
          task: Bench.whenTold,
          call: ({ asking, beginTask }) => {
            const name = Asking.start(asking).answers.get("name")
            return name === undefined
              ? Exit.succeed(Bench.pause(["name"]))
              : Effect.as(beginTask, Bench.result(JSON.stringify(name)))
          }
        }
      })
      const paused = yield* call("later")
      assert.strictEqual(paused._tag, "Paused")
      if (paused._tag !== "Paused") return
      const taskId = yield* begin("later", {
        asking: { memo: paused.memo, responses: { name: accept("Ada") }, clientCapabilities: {} }
      })
      yield* changed
      assert.strictEqual(Bench.textOf(yield* see(taskId)), JSON.stringify(accept("Ada")))
    }))
})

describe("TaskRunner.handlers", () => {
  it.scoped("knows no task of another caller, nor one that never was, and echoes little of its id", () =>
    Effect.gen(function*() {
      const { begin, runner: { handlers, read } } = yield* Bench.make({
        wait: { task: Bench.atOnce, call: () => Effect.never }
      })
      const taskId = yield* begin("wait")
      const strangers = [Bench.context(Bench.eve), Bench.context(Principal.make({ id: "ada" }))]
      const asked = [
        ...strangers.map((context) => ({ context, taskId })),
        { context: Bench.context(), taskId: "x".repeat(10_000) },
        { context: Bench.context(), taskId: "__proto__" }
      ]
      for (const { context, taskId } of asked) {
        for (
          const question of [
            handlers.get(context, taskId),
            handlers.update(context, { taskId, inputResponses: {} }),
            handlers.cancel(context, taskId)
          ]
        ) {
          const error = yield* Effect.flip(question)
          assert.strictEqual(error.code, -32602)
          assert.strictEqual(error.message, `Unknown task: ${taskId.slice(0, 64)}`)
        }
        assert.deepStrictEqual(yield* read(taskId, context.caller), Option.none())
      }
      assert.deepStrictEqual(
        yield* read(taskId, Bench.ada),
        Option.some(yield* handlers.get(Bench.context(), taskId))
      )
    }))

  it.scoped("cancels a task for good and interrupts its call; cancelling again is no error", () =>
    Effect.gen(function*() {
      const interrupted = yield* Deferred.make<void>()
      const { begin, changed, runner: { handlers }, see } = yield* Bench.make({
        wait: {
          task: Bench.atOnce,
          call: () => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
        }
      })
      const taskId = yield* begin("wait")
      yield* Effect.yieldNow()
      yield* handlers.cancel(Bench.context(), taskId)
      assert.strictEqual(yield* changed, taskId)
      yield* Deferred.await(interrupted)
      const state = yield* see(taskId)
      assert.strictEqual(state.status, "cancelled")
      yield* handlers.cancel(Bench.context(), taskId)
      yield* handlers.update(Bench.context(), { taskId, inputResponses: { a: {} } })
      assert.deepStrictEqual(yield* see(taskId), state)
    }))

  it.scoped("says in a sentence that the store is down, and nothing of its cause", () =>
    Effect.gen(function*() {
      const memory = yield* TaskStore.makeMemory()
      const store: Bench.Store = {
        ...memory,
        create: () => Effect.fail(Bench.outage("create")),
        get: () => Effect.fail(Bench.outage("get")),
        answer: () => Effect.fail(Bench.outage("answer")),
        cancel: () => Effect.fail(Bench.outage("cancel"))
      }
      const { call, runner: { handlers, read } } = yield* Bench.make({
        count: { task: Bench.atOnce, call: () => Exit.succeed(Bench.result("three")) }
      }, { store, maxRunning: 1 })
      const questions: ReadonlyArray<Effect.Effect<unknown, McpError>> = [
        call("count"),
        call("count"),
        handlers.get(Bench.context(), "a"),
        handlers.update(Bench.context(), { taskId: "a", inputResponses: {} }),
        handlers.update(Bench.context(), { taskId: "a", inputResponses: {} }),
        handlers.cancel(Bench.context(), "a")
      ]
      for (const question of questions) {
        const error = yield* Effect.flip(question)
        assert.strictEqual(error.code, -32603)
        assert.match(error.message, /^TaskStore\.\w+: the task store did not answer$/)
        assert.isUndefined(error.data)
      }
      assert.deepStrictEqual(yield* read("a", Bench.ada), Option.none())
    }))
})

describe("a runner among others", () => {
  it.scoped("stops a call whose task was cancelled at another instance, or has expired", () =>
    Effect.gen(function*() {
      const stopped = yield* Ref.make(HashMap.empty<string, true>())
      const tools = {
        wait: {
          task: Bench.atOnce,
          call: ({ meta }: Request) =>
            Effect.onInterrupt(Effect.never, () => Ref.update(stopped, HashMap.set(String(meta["who"]), true as const)))
        }
      }
      const one = yield* Bench.make(tools, { timeToLive: "1 minute" })
      const other = yield* Bench.make(tools, { store: one.store })
      const cancelled = yield* one.begin("wait", { meta: { who: "cancelled" } })
      yield* one.begin("wait", { meta: { who: "expired" } })
      yield* other.runner.handlers.cancel(Bench.context(), cancelled)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([...HashMap.keys(yield* Ref.get(stopped))], ["cancelled"])
      yield* TestClock.adjust("50 seconds")
      assert.strictEqual(HashMap.size(yield* Ref.get(stopped)), 2)
    }))

  it.scoped("fails the task of an instance that shows no life for half a minute", () =>
    Effect.gen(function*() {
      const memory = yield* TaskStore.makeMemory()
      const cut: Bench.Store = { ...memory, renew: () => Effect.fail(Bench.outage("renew")) }
      const tools = { wait: { task: Bench.atOnce, call: () => Effect.never } }
      const gone = yield* Bench.make(tools, { store: cut })
      const other = yield* Bench.make(tools, { store: memory })
      const taskId = yield* gone.begin("wait")
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual((yield* other.see(taskId)).status, "working")
      yield* TestClock.adjust("1 second")
      const state = yield* other.see(taskId)
      assert.isTrue(state.status === "failed" && state.error.code === -32603 && /again/.test(state.error.message))
    }))

  it.scoped("stores an outcome when the store is back, whether it failed at once or never answered", () =>
    Effect.gen(function*() {
      const memory = yield* TaskStore.makeMemory()
      const silence = Effect.never.pipe(
        Effect.timeoutFail({ duration: "5 seconds", onTimeout: () => Bench.outage("finish") })
      )
      const failures = [Effect.fail(Bench.outage("finish")), silence, silence]
      const store: Bench.Store = {
        ...memory,
        finish: (run, outcome) => Effect.suspend(() => failures.pop() ?? memory.finish(run, outcome))
      }
      const { begin, changed, see } = yield* Bench.make({
        count: { task: Bench.atOnce, call: () => Exit.succeed(Bench.result("three")) }
      }, { store })
      const taskId = yield* begin("count")
      yield* TestClock.adjust("15 seconds")
      assert.strictEqual(yield* changed, taskId)
      assert.strictEqual(Bench.textOf(yield* see(taskId)), "three")
      assert.deepStrictEqual(failures, [])
    }))

  it.scoped("deletes expired tasks now and then", () =>
    Effect.gen(function*() {
      const memory = yield* TaskStore.makeMemory()
      const swept = yield* Ref.make(0)
      const store: Bench.Store = {
        ...memory,
        sweep: Effect.tap(memory.sweep, (count) => Ref.update(swept, (sum) => sum + count))
      }
      const { begin } = yield* Bench.make({
        count: { task: Bench.atOnce, call: () => Exit.succeed(Bench.result("three")) }
      }, { store, timeToLive: "90 seconds" })
      yield* Effect.replicateEffect(begin("count"), 1_500)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Ref.get(swept), 0)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Ref.get(swept), 1_500)
    }))

  it.effect("fails what runs when it is closed, and says so; what has ended stays", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const interrupted = yield* Deferred.make<void>()
      const { begin, call, changed, see } = yield* Scope.extend(
        Bench.make({
          count: { task: Bench.atOnce, call: () => Exit.succeed(Bench.result("three")) },
          wait: {
            task: Bench.atOnce,
            call: () => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
          }
        }),
        scope
      )
      const ended = yield* begin("count")
      yield* changed
      const running = yield* begin("wait")
      yield* Effect.yieldNow()
      yield* Scope.close(scope, Exit.void)
      yield* Deferred.await(interrupted)
      assert.strictEqual((yield* see(ended)).status, "completed")
      const state = yield* see(running)
      assert.isTrue(
        state.status === "failed" && state.error.code === -32603
          && state.error.message === "The server stopped before the call had ended. The call may be made again."
      )
      assert.strictEqual(Bench.bodyOf(yield* call("wait"))?.code, "rate_limited")
    }))

  it.effect("closes within two seconds, whatever a call or the store does", () =>
    Effect.gen(function*() {
      const memory = yield* TaskStore.makeMemory()
      const store: Bench.Store = { ...memory, finish: () => Effect.never }
      const scope = yield* Scope.make()
      const { begin } = yield* Scope.extend(
        Bench.make({
          deaf: { task: Bench.atOnce, call: () => Effect.uninterruptible(Effect.never) },
          count: { task: Bench.atOnce, call: () => Exit.succeed(Bench.result("three")) }
        }, { store }),
        scope
      )
      yield* begin("deaf")
      yield* begin("count")
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1999 millis")
      assert.isTrue(Option.isNone(yield* Fiber.poll(closing)))
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(closing)
    }))
})
