import { assert, describe, it } from "@effect/vitest"
import * as Audit from "causeway-mcp/middleware/Audit"
import * as Prometheus from "causeway-mcp/telemetry/Prometheus"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

const event = (requestId: string): Audit.CallEvent => ({
  ...{ event: "call", time: "t", requestId, caller: "c", tenant: "t", tool: "x", isKnown: true, isTask: false },
  ...{ outcome: "answered", durationMs: 1, isDegraded: false, isCached: false }
})

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "audit-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

const idsIn = (text: string): ReadonlyArray<unknown> =>
  text.split("\n").slice(0, -1).map((line) => JSON.parse(line).requestId)

const ids = (path: string) => Effect.map(Effect.promise(() => readFile(path, "utf8").catch(() => "")), idsIn)

/** Writes one event, and waits until it is in the file that has the name. */
const writer = (path: string, options: Audit.FileOptions = {}) =>
  Effect.map(Layer.build(Audit.layerFile(path, options)), (context) => {
    const log = Context.get(context, Audit.AuditLog)
    return {
      log,
      write: (id: string) => {
        log.write(event(id))
        return Effect.repeat(Effect.zipRight(Effect.sleep("2 millis"), ids(path)), {
          until: (found) => found.includes(id)
        }).pipe(Effect.timeout("5 seconds"), Effect.orDie)
      }
    }
  })

const dropped = (): number => Number(/^causeway_audit_dropped_total (.+)$/mu.exec(Prometheus.render())?.[1] ?? 0)

const logging = () => {
  const lines: Array<string> = []
  return {
    lines,
    layer: Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => void lines.push(String(message))))
  }
}

const settle = Effect.replicateEffect(Effect.yieldNow(), 30)

describe("Audit.layerFile", () => {
  it.scopedLive("begins a new file when somebody has moved or removed its own", () =>
    Effect.gen(function*() {
      const home = yield* folder
      const path = join(home, "audit.jsonl")
      const { write } = yield* writer(path)
      yield* write("1")
      yield* Effect.promise(() => rename(path, `${path}.old`))
      yield* write("2")
      yield* Effect.promise(() => rm(path))
      yield* write("3")
      assert.deepStrictEqual(yield* ids(`${path}.old`), ["1"])
      assert.deepStrictEqual(yield* ids(path), ["3"])
    }))

  it.scopedLive("goes on behind a file that somebody has emptied", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "audit.jsonl")
      const { write } = yield* writer(path, { maxBytes: 400, keep: 1 })
      yield* write("1")
      yield* write("2")
      yield* Effect.promise(() => truncate(path, 0))
      yield* write("3")
      assert.deepStrictEqual(yield* ids(path), ["3"])
      assert.deepStrictEqual(yield* ids(`${path}.1`), [])
    }))

  it.scopedLive("loses no older file, and no event, where it can begin no other one", () => {
    const { layer, lines } = logging()
    return Effect.gen(function*() {
      const home = yield* folder
      const path = join(home, "audit.jsonl")
      // Nothing can be renamed to a folder that is not empty.
      yield* Effect.promise(() => mkdir(join(`${path}.2`, "in the way"), { recursive: true }))
      yield* Effect.promise(() => writeFile(`${path}.1`, "older\n"))
      const { write } = yield* writer(path, { maxBytes: 200, keep: 2 })
      for (const id of ["1", "2", "3", "4"]) yield* write(id)
      assert.deepStrictEqual(yield* ids(path), ["1", "2", "3", "4"])
      assert.strictEqual(yield* Effect.promise(() => readFile(`${path}.1`, "utf8")), "older\n")
      assert.lengthOf(lines, 1)
      assert.match(lines[0] ?? "", /is large enough, and no other can be begun beside it \(E[A-Z]+\): it goes on$/u)
      yield* Effect.promise(() => rm(`${path}.2`, { recursive: true }))
      yield* write("5")
      assert.deepStrictEqual(yield* ids(`${path}.1`), ["1", "2", "3", "4"])
      assert.strictEqual(yield* Effect.promise(() => readFile(`${path}.2`, "utf8")), "older\n")
      assert.deepStrictEqual((yield* Effect.promise(() => readdir(home))).sort(), [
        "audit.jsonl",
        "audit.jsonl.1",
        "audit.jsonl.2"
      ])
    }).pipe(Effect.provide(layer))
  })

  it.scopedLive("keeps events in their order over many files", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "audit.jsonl")
      const scope = yield* Scope.make()
      const { log } = yield* Scope.extend(writer(path, { maxBytes: 200_000, keep: 50 }), scope)
      for (let n = 0; n < 5000; n++) log.write(event(String(n)))
      yield* Scope.close(scope, Exit.void)
      const all: Array<unknown> = []
      for (let n = 50; n >= 0; n--) all.push(...(yield* ids(n === 0 ? path : `${path}.${n}`)))
      assert.deepStrictEqual(all, Array.from({ length: 5000 }, (_, n) => String(n)))
      assert.isAtLeast((yield* Effect.promise(() => stat(`${path}.1`))).size, 1000)
    }))
})

describe("Audit.layer", () => {
  /** Begins a write that does not end before it may. */
  const hung = (onFull: "drop" | "refuse") =>
    Effect.gen(function*() {
      const may = yield* Deferred.make<void>()
      const batches: Array<ReadonlyArray<unknown>> = []
      const write = (events: ReadonlyArray<Audit.Event>) =>
        Effect.zipRight(
          Effect.sync(() => void batches.push(events.map((one) => one.event === "call" && one.requestId))),
          Deferred.await(may)
        )
      const context = yield* Layer.build(Audit.layer(write, { onFull, capacity: 3 }))
      return { may, batches, log: Context.get(context, Audit.AuditLog) }
    })

  for (const onFull of ["drop", "refuse"] as const) {
    it.scoped(`begins no second write beside one that hangs, and goes on when it ends (${onFull})`, () => {
      const { layer, lines } = logging()
      return Effect.gen(function*() {
        const before = dropped()
        const { batches, log, may } = yield* hung(onFull)
        log.write(event("1"))
        yield* settle
        log.write(event("2"))
        yield* TestClock.adjust("10 seconds")
        yield* settle
        assert.strictEqual(log.refuses(), onFull === "refuse")
        yield* TestClock.adjust("10 minutes")
        yield* settle
        assert.deepStrictEqual(batches, [["1"]])
        yield* Deferred.succeed(may, undefined)
        yield* settle
        yield* TestClock.adjust("1 second")
        yield* settle
        assert.deepStrictEqual(batches, [["1"], ["2"]])
        assert.isFalse(log.refuses())
        assert.strictEqual(dropped() - before, 0)
        assert.deepStrictEqual(lines.map((line) => line.split(".")[0]), [
          "The audit cannot be written: it takes too long",
          "The audit is written again"
        ])
      }).pipe(Effect.provide(layer))
    })
  }

  it.scoped("goes on after a defect of the function that writes", () => {
    const { layer, lines } = logging()
    return Effect.gen(function*() {
      const events: Array<Audit.Event> = []
      let isBroken = true
      const context = yield* Layer.build(Audit.layer((batch) =>
        Effect.sync(() => {
          if (isBroken) throw new TypeError("bug")
          events.push(...batch)
        })
      ))
      const log = Context.get(context, Audit.AuditLog)
      log.write(event("1"))
      yield* settle
      isBroken = false
      log.write(event("2"))
      yield* TestClock.adjust("1 second")
      yield* settle
      assert.deepStrictEqual(events.map((one) => one.event === "call" && one.requestId), ["2"])
      assert.include(lines[0] ?? "", "What writes the audit hit a defect")
    }).pipe(Effect.provide(layer))
  })
})
