import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Observer from "causeway-mcp/middleware/Observer"
import * as CallLog from "causeway-mcp/ops/CallLog"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolError from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

const tool = (name: string) => Tool.make(name, { description: "Says so", success: Schema.String, safety: "readOnly" })

const call = (
  log: Context.Tag.Service<CallLog.CallLog>,
  options: {
    readonly name?: string
    readonly isKnown?: boolean
    readonly id?: string | number
    readonly caller?: string
    readonly isTask?: boolean
    readonly steps?: ReadonlyArray<readonly [Observer.Step, Observer.Doing, number?]>
    readonly ended?: Partial<Observer.Ended>
  } = {}
): void => {
  const { caller = "ada", ended, id = 1, isKnown = true, isTask = false, name = "say", steps = [] } = options
  const observation = log.observer.begin({
    tool: isKnown ? tool(name) : undefined,
    name,
    caller: Principal.make({ id: caller }),
    requestId: id,
    meta: {},
    arguments: { secret: "sk-secret" },
    isTask
  })
  for (const [step, doing, millis] of steps) observation?.step?.(step, doing, millis)
  observation?.end({ outcome: "answered", isDegraded: false, isCached: false, millis: 1, ...ended })
}

const none = Array.from({ length: 179 }, () => 0)

describe("CallLog", () => {
  it.effect("tells of a call what an operator wants to know, and nothing of its arguments", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_000_000)
      const log = yield* CallLog.make()
      call(log, {
        id: "req-1",
        steps: [["rateLimit", "taken"], ["cache", "miss"], ["retry", "again"], ["retry", "again"], [
          "concurrency",
          "waited",
          12.4
        ]],
        ended: { outcome: "failed", code: "timed_out", millis: 250 }
      })
      call(log, { ended: { confidence: 0.5, isDegraded: true, isCached: true } })
      const [second, first] = log.recent()
      assert.deepStrictEqual(first, {
        number: 1,
        at: 999_750,
        tool: "say",
        isKnown: true,
        outcome: "failed",
        code: "timed_out",
        millis: 250,
        confidence: undefined,
        isDegraded: false,
        isCached: false,
        isTask: false,
        caller: "ada",
        requestId: "req-1",
        steps: ["retry again ×2", "concurrency waited 12 ms"]
      })
      assert.deepInclude(second, { number: 2, confidence: 0.5, isDegraded: true, isCached: true, steps: [] })
      assert.notInclude(JSON.stringify(log.recent()), "sk-secret")
    }))

  it.effect("keeps the last calls, the youngest first", () =>
    Effect.gen(function*() {
      const log = yield* CallLog.make({ calls: 3 })
      assert.deepStrictEqual(log.recent(), [])
      for (let id = 1; id <= 7; id++) {
        call(log, { id })
        assert.deepStrictEqual(
          log.recent().map(({ requestId }) => Number(requestId)),
          [id, id - 1, id - 2].filter((each) => each > 0)
        )
      }
    }))

  it.effect("notes eight things of one call at most", () =>
    Effect.gen(function*() {
      const log = yield* CallLog.make()
      const steps = (["overload", "authorize", "validate", "requirements", "idempotency", "rateLimit"] as const)
        .flatMap((step) => [[step, "refused"], [step, "waited"]] as const)
      call(log, { steps: [...steps, ...steps] })
      assert.lengthOf(log.recent()[0]?.steps ?? [], 8)
      assert.strictEqual(log.recent()[0]?.steps[0], "overload refused ×2")
    }))

  it.effect("counts calls and failures in steps of five seconds, and forgets them after a quarter of an hour", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_700_000_000_000)
      const log = yield* CallLog.make()
      call(log)
      call(log, { ended: { outcome: "failed", code: "internal" } })
      call(log, { ended: { outcome: "error", code: "-32603" } })
      call(log, { ended: { outcome: "interrupted" } })
      const points = log.points()
      assert.deepStrictEqual(points?.calls, [...none, 4])
      assert.deepStrictEqual(points?.failures, [...none, 2])
      assert.strictEqual(points?.until, 1_700_000_005_000)

      yield* TestClock.adjust("5 seconds")
      call(log)
      assert.deepStrictEqual(log.points()?.calls, [...none.slice(1), 4, 1])
      yield* TestClock.adjust("14 minutes")
      assert.deepInclude(log.total(), { calls: 5, failures: 2 })
      yield* TestClock.adjust("55 seconds")
      assert.deepInclude(log.total(), { calls: 1, failures: 0 })
      call(log)
      assert.deepStrictEqual(log.points()?.calls, [1, ...none.slice(1), 1])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(log.total(), { calls: 0, failures: 0, p50: null, p99: null })
    }))

  it.effect("goes on when the clock is set back", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_700_000_000_000)
      const log = yield* CallLog.make()
      call(log)
      yield* TestClock.setTime(1_699_999_000_000)
      assert.strictEqual(log.total().calls, 0)
      call(log)
      assert.strictEqual(log.total().calls, 1)
      assert.strictEqual(log.points()?.calls.at(-1), 1)
    }))

  for (
    const [what, millis] of [
      ["short", (index: number) => 0.2 + index / 1000],
      ["usual", (index: number) => 5 + index * 0.7],
      ["long", (index: number) => 1000 + index * 250]
    ] as const
  ) {
    it.effect(`tells percentiles of ${what} calls within a tenth`, () =>
      Effect.gen(function*() {
        const log = yield* CallLog.make()
        for (let index = 0; index < 1000; index++) call(log, { ended: { millis: millis((index * 7) % 1000) } })
        const { p50, p99 } = log.total()
        assert.isBelow(Math.abs((p50 ?? 0) / millis(499) - 1), 0.1)
        assert.isBelow(Math.abs((p99 ?? 0) / millis(989) - 1), 0.1)
        assert.deepStrictEqual([log.points()?.p50.at(-1), log.points()?.p99.at(-1)], [p50, p99])
        assert.isNull(log.points()?.p50[0])
      }))
  }

  it.effect("takes any time there is, and times neither tasks nor tools that do not exist", () =>
    Effect.gen(function*() {
      const log = yield* CallLog.make()
      call(log, { isTask: true, ended: { millis: 5000 } })
      call(log, { isKnown: false, ended: { outcome: "error", millis: 0 } })
      assert.deepStrictEqual(log.total(), { calls: 2, failures: 1, p50: null, p99: null })
      for (const millis of [0, -1, Infinity, NaN]) call(log, { ended: { millis } })
      assert.deepInclude(log.total(), { calls: 6 })
      assert.isAbove(log.total().p99 ?? 0, 300_000)
    }))

  it.effect("has figures of each tool, of the first so many", () =>
    Effect.gen(function*() {
      const log = yield* CallLog.make({ tools: 2 })
      for (const name of ["one", "two", "three", "one"]) call(log, { name })
      assert.deepStrictEqual(log.totals().map(({ calls, tool }) => [tool, calls]), [["one", 2], ["two", 1]])
      assert.strictEqual(log.points("one")?.calls.at(-1), 2)
      assert.isUndefined(log.points("three"))
      assert.strictEqual(log.total().calls, 4)
    }))

  it.effect("keeps no more for a hundred thousand hostile names", () =>
    Effect.gen(function*() {
      const log = yield* CallLog.make()
      for (let index = 0; index < 100_000; index++) {
        call(log, { isKnown: false, name: `${index}-${"<script>".repeat(4)}`, ended: { outcome: "error" } })
      }
      assert.lengthOf(log.recent(), 200)
      assert.deepStrictEqual(log.totals(), [])
      assert.strictEqual(log.total().calls, 100_000)
    }))

  it.effect("keeps no long text alive by a piece of it", () =>
    Effect.gen(function*() {
      setFlagsFromString("--expose-gc")
      const collect = runInNewContext("gc") as () => void
      const log = yield* CallLog.make()
      collect()
      const before = process.memoryUsage().heapUsed
      for (let index = 0; index < 200; index++) {
        const long = JSON.parse(`"${String(index).padStart(4, "0")}${"x".repeat(250_000)}"`) as string
        // As the registry gives a name that it does not know.
        call(log, { isKnown: false, name: long.slice(0, 128), id: long.slice(0, 1024), caller: long.slice(0, 500) })
      }
      collect()
      assert.isBelow(process.memoryUsage().heapUsed - before, 5_000_000)
      const [last] = log.recent()
      assert.deepStrictEqual([last?.tool.length, last?.requestId.length, last?.caller.length], [128, 64, 64])
    }))

  it.effect("takes settings that are out of their range for the nearest, or the usual ones", () =>
    Effect.gen(function*() {
      for (const [calls, most] of [[0, 200], [-1, 200], [NaN, 200], [2.9, 2]] as const) {
        const log = yield* CallLog.make({ calls })
        for (let index = 0; index < 201; index++) call(log)
        assert.lengthOf(log.recent(), most)
      }
    }))
})

const Say = tool("say").implement(() => Evidence.computed("said", "so"))
const Fail = tool("fail").implement(() =>
  Effect.fail(new ToolError.ToolError({ code: "not_found", message: "It is not there" }))
)
const Server = McpServer.layerTools(Toolkit.make(Say, Fail), { name: "test", version: "1" })

describe("CallLog.layer", () => {
  it.scoped("is told of the calls of a server, beside the observer that is there", () =>
    Effect.gen(function*() {
      const told: Array<string> = []
      const Other = Layer.succeed(Observer.CallObserver, {
        begin: ({ name }) => ({ end: ({ outcome }) => void told.push(`${name} ${outcome}`) })
      })
      const context = yield* Layer.build(
        Server.pipe(Layer.provideMerge(CallLog.layer()), Layer.provideMerge(Other))
      )
      const client = yield* Effect.provide(MemoryTransport.make(), context)
      for (const name of ["say", "fail", "nowhere"]) {
        yield* Effect.exit(client.request("tools/call", { name, arguments: {} }))
      }
      const log = Context.get(context, CallLog.CallLog)
      assert.deepStrictEqual(
        log.recent().map(({ code, isKnown, outcome, tool }) => [tool, isKnown, outcome, code]),
        [["nowhere", false, "error", "-32602"], ["fail", true, "failed", "not_found"], [
          "say",
          true,
          "answered",
          undefined
        ]]
      )
      assert.deepStrictEqual(told, ["say answered", "fail failed", "nowhere error"])
    }))
})
