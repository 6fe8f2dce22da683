import { assert, describe, it } from "@effect/vitest"
import * as AuthObserver from "causeway-mcp/auth/AuthObserver"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Audit from "causeway-mcp/middleware/Audit"
import * as Observer from "causeway-mcp/middleware/Observer"
import * as Policy from "causeway-mcp/policy/Policy"
import * as Prometheus from "causeway-mcp/telemetry/Prometheus"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Bench from "./bench.js"

const registryWith = <E>(log: Layer.Layer<Audit.AuditLog, E>, options?: Audit.Options) =>
  Effect.flatMap(
    // For as long as the test goes on.
    Layer.build(Observer.layer(Audit.observer(options)).pipe(Layer.provide(log))),
    (context) =>
      Bench.registry([
        Bench.handler(Policy.none, ({ text }) => text === "bug" ? Effect.die("bug") : Evidence.computed("t", "answer"))
      ]).pipe(Effect.provide(context))
  )

/** Keeps what is written, and may be told to fail. */
const sink = () => {
  const events: Array<Audit.Event> = []
  const state = { isDown: false, tries: 0 }
  const write = (batch: ReadonlyArray<Audit.Event>) =>
    Effect.suspend(() => {
      state.tries += 1
      if (state.isDown) return Effect.fail({ message: "the sink is down" })
      events.push(...batch)
      return Effect.void
    })
  return { events, state, write }
}

const settle = Effect.replicateEffect(Effect.yieldNow(), 20)

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "audit-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

const dropped = (): number => Number(/^causeway_audit_dropped_total (.+)$/mu.exec(Prometheus.render())?.[1] ?? 0)

describe("Audit.observer", () => {
  it.scoped("writes who asked for what and how it ended, and nothing of the arguments or the answer", () =>
    Effect.gen(function*() {
      const { events, write } = sink()
      const registry = yield* registryWith(Audit.layer(write))
      const meta = { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` }
      yield* Bench.answer(registry, { arguments: { text: "canary-1" }, meta, requestId: "r1" })
      yield* Bench.answer(registry, { arguments: { text: "bug" } })
      yield* Effect.flip(registry.call(Bench.request({ name: "x".repeat(500) })))
      yield* settle
      const common = { event: "call", time: "1970-01-01T00:00:00.000Z", caller: "ada", tenant: "heronry" } as const
      const plain = { isTask: false, isDegraded: false, isCached: false, durationMs: 0 }
      assert.deepStrictEqual(JSON.parse(JSON.stringify(events)), [
        {
          ...common,
          ...plain,
          ...{ requestId: "r1", tool: "echo_text", isKnown: true, outcome: "answered", confidence: 1 },
          ...{ sources: ["computation:t"], traceId: "a".repeat(32), argumentsBytes: 19 }
        },
        {
          ...common,
          ...plain,
          ...{ requestId: 7, tool: "echo_text", isKnown: true, outcome: "failed", code: "internal", argumentsBytes: 14 }
        },
        {
          ...common,
          ...plain,
          ...{
            requestId: 7,
            tool: "x".repeat(128),
            isKnown: false,
            outcome: "error",
            code: "-32602",
            argumentsBytes: 2
          }
        }
      ])
    }))

  it.scoped("writes a digest of the arguments where that was asked for, the same for equal ones", () =>
    Effect.gen(function*() {
      const { events, write } = sink()
      const registry = yield* registryWith(Audit.layer(write), { arguments: "sha256" })
      yield* Bench.answer(registry, { arguments: { text: "a", n: 1 } })
      yield* Bench.answer(registry, { arguments: { n: 1, text: "a" } })
      yield* Bench.answer(registry, { arguments: { n: 2, text: "a" } })
      yield* settle
      const digests = events.map((event) => event.event === "call" ? event.argumentsSha256 : undefined)
      assert.match(String(digests[0]), /^[0-9a-f]{64}$/u)
      assert.strictEqual(digests[1], digests[0])
      assert.notStrictEqual(digests[2], digests[0])
    }))

  it.scoped("names what an answer cites, also when it was kept, as far as it can be trusted", () =>
    Effect.gen(function*() {
      const { events, write } = sink()
      const context = yield* Layer.build(Observer.layer(Audit.observer()).pipe(Layer.provide(Audit.layer(write))))
      const source = (id: string) => Evidence.source({ id, kind: "document-store" })
      const registry = yield* Bench.registry([
        Bench.handler(Policy.cache({ timeToLive: "1 minute" }), () =>
          Effect.gen(function*() {
            const first = yield* source("10-K 2025")
            const rest = yield* Effect.forEach(Array.from({ length: 39 }), (_, n) => source(`${n}`.repeat(200)))
            return Evidence.make({ data: "answer", confidence: 0.5, sources: [first, ...rest] })
          }))
      ]).pipe(Effect.provide(context))
      for (let n = 0; n < 2; n++) yield* Bench.answer(registry)
      yield* settle
      const [first, second] = events
      if (first?.event !== "call" || second?.event !== "call") return assert.fail("two calls")
      assert.strictEqual(first.sources?.[0], "document-store:10-K 2025")
      assert.strictEqual(first.sources?.[1], `document-store:${"0".repeat(128)}`)
      assert.deepStrictEqual([first.sources?.length, first.sourcesLeftOut], [32, 8])
      assert.isTrue(second.isCached)
      assert.deepStrictEqual(second.sources, first.sources)

      const observer = yield* Audit.observer().pipe(Effect.provideService(Audit.AuditLog, {
        write: (event) => void events.push(event),
        refuses: () => false
      }))
      const begun = { ...Bench.request(), tool: undefined, isTask: false }
      const forged = [{ id: 7, kind: "cache" }, null, { id: "good", kind: "cache" }] as unknown as ReadonlyArray<
        Observer.Cited
      >
      observer.begin(begun)?.end({
        ...{ outcome: "answered", isDegraded: false, isCached: true, millis: 1, sources: forged }
      })
      const last = events.at(-1)
      assert.deepStrictEqual(last?.event === "call" && last.sources, ["cache:good"])
    }))

  it.scoped("goes on when the log is down, counts what is lost, and says so once", () =>
    Effect.gen(function*() {
      const { events, state, write } = sink()
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      const before = dropped()
      yield* Effect.gen(function*() {
        const registry = yield* registryWith(Audit.layer(write))
        state.isDown = true
        for (let n = 0; n < 3; n++) {
          assert.strictEqual(Bench.dataOf(yield* Bench.answer(registry)), "answer")
          yield* settle
          yield* TestClock.adjust("1 second")
          yield* settle
        }
        assert.strictEqual(dropped() - before, 3)
        state.isDown = false
        yield* Bench.answer(registry)
        yield* settle
        assert.lengthOf(events, 1)
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      assert.deepStrictEqual(lines, [
        "The audit cannot be written: the sink is down. Events are lost until it can",
        "The audit is written again"
      ])
    }))

  it.scoped("refuses calls while the log is down where that was chosen, keeps what had begun, and heals", () =>
    Effect.gen(function*() {
      const { events, state, write } = sink()
      const registry = yield* registryWith(Audit.layer(write, { onFull: "refuse" }))
      state.isDown = true
      assert.strictEqual(Bench.dataOf(yield* Bench.answer(registry, { requestId: "first" })), "answer")
      yield* settle
      const refused = Bench.bodyOf(yield* Bench.answer(registry, { requestId: "second" }))
      assert.deepInclude(refused, { code: "temporarily_unavailable", retryAfterMs: 5000 })
      state.isDown = false
      yield* TestClock.adjust("1 second")
      yield* settle
      assert.strictEqual(Bench.dataOf(yield* Bench.answer(registry, { requestId: "third" })), "answer")
      yield* settle
      assert.deepStrictEqual(events.map((event) => event.event === "call" && event.requestId), ["first", "third"])
    }))

  it.scoped("holds no more than it may while the log is slow", () =>
    Effect.gen(function*() {
      const before = dropped()
      const slow = yield* Deferred.make<void>()
      const registry = yield* registryWith(Audit.layer(() => Deferred.await(slow), { capacity: 5 }))
      yield* Effect.addFinalizer(() => Deferred.succeed(slow, undefined))
      yield* Bench.answer(registry)
      yield* settle
      for (let n = 0; n < 20; n++) yield* Bench.answer(registry)
      // One of the five is being written.
      assert.strictEqual(dropped() - before, 16)
    }))

  it.effect("ends although the log hangs", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const registry = yield* Scope.extend(registryWith(Audit.layer(() => Effect.never)), scope)
      yield* Bench.answer(registry)
      yield* settle
      yield* Bench.answer(registry)
      const before = dropped()
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settle
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(closing)
      // The first may have been written, the second was not.
      assert.strictEqual(dropped() - before, 2)
    }))

  it.scoped("writes refusals of callers beside calls", () =>
    Effect.gen(function*() {
      const { events, write } = sink()
      const context = yield* Layer.build(AuthObserver.layer(Audit.refusals).pipe(Layer.provide(Audit.layer(write))))
      Context.get(context, AuthObserver.AuthObserver).refused({
        ...{ reason: "insufficientScope", status: 403, peer: "192.0.2.1", caller: Principal.make({ id: "eve" }) }
      })
      yield* settle
      assert.deepStrictEqual(JSON.parse(JSON.stringify(events)), [{
        ...{ event: "refusal", time: "1970-01-01T00:00:00.000Z", reason: "insufficientScope", status: 403 },
        ...{ peer: "192.0.2.1", caller: "eve", tenant: "default" }
      }])
    }))
})

describe("Audit.refusals", () => {
  it.scoped("writes a hundred in a second at most, and how many there were besides", () =>
    Effect.gen(function*() {
      const { events, write } = sink()
      const context = yield* Layer.build(Layer.provideMerge(AuthObserver.layer(Audit.refusals), Audit.layer(write)))
      const { refused } = Context.get(context, AuthObserver.AuthObserver)
      const one = { reason: "invalid", status: 401, peer: "192.0.2.1", caller: undefined } as const
      for (let n = 0; n < 10_000; n++) refused(one)
      yield* settle
      assert.lengthOf(events, 100)
      yield* TestClock.adjust("1 second")
      refused(one)
      refused(one)
      yield* settle
      assert.deepStrictEqual(events.slice(100).map((event) => event.event === "refusal" && event.leftOut), [
        9900,
        undefined
      ])
    }))
})

describe("Audit.layerLog", () => {
  it.scoped("writes a structured line for each call", () =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ annotations, message }) =>
        void lines.push([String(message), Object.fromEntries(annotations)])
      )
      yield* Effect.gen(function*() {
        const registry = yield* registryWith(Audit.layerLog)
        yield* Bench.answer(registry)
        yield* settle
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      assert.strictEqual(Object(lines[0])[0], "audit")
      assert.deepInclude(Object(lines[0])[1], { caller: "ada", outcome: "answered" })
    }))
})

describe("Audit.layerFile", () => {
  const written = (path: string) =>
    Effect.map(
      Effect.promise(() => readFile(path, "utf8")),
      (text) => text.split("\n").slice(0, -1).map((line): Audit.CallEvent => JSON.parse(line))
    )

  const writing = <A>(path: string, options: Audit.FileOptions, run: (log: Context.Tag.Service<Audit.AuditLog>) => A) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Audit.layerFile(path, options), scope)
      run(Context.get(context, Audit.AuditLog))
      yield* Scope.close(scope, Exit.void)
    })

  const event = (requestId: string): Audit.CallEvent => ({
    ...{ event: "call", time: "t", requestId, caller: "c", tenant: "t", tool: "x", isKnown: true, isTask: false },
    ...{ outcome: "answered", durationMs: 1, isDegraded: false, isCached: false }
  })

  it.scopedLive("writes what is left when it ends, one line an event, for the owner alone", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "audit.jsonl")
      yield* writing(path, {}, (log) => {
        log.write(event("a\r\n\u2028\u001b[31m"))
        log.write({ ...event("b"), code: undefined })
      })
      const text = yield* Effect.promise(() => readFile(path, "utf8"))
      assert.lengthOf(text.split("\n"), 3)
      for (const character of ["\u2028", "\u001b", "\r"]) assert.notInclude(text, character)
      assert.strictEqual((yield* written(path))[0]?.requestId, "a\r\n\u2028\u001b[31m")
      assert.strictEqual((yield* Effect.promise(() => stat(path))).mode & 0o777, 0o600)
    }))

  it.scopedLive("goes on at the end of a file, after half a line that a crash left", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "audit.jsonl")
      yield* Effect.promise(() => writeFile(path, "{\"event\":\"ca"))
      yield* writing(path, {}, (log) => log.write(event("next")))
      const lines = (yield* Effect.promise(() => readFile(path, "utf8"))).split("\n")
      assert.strictEqual(lines[0], "{\"event\":\"ca")
      assert.strictEqual(JSON.parse(lines[1] ?? "").requestId, "next")
    }))

  it.scopedLive("begins another file when one is large, and keeps so many", () =>
    Effect.gen(function*() {
      const home = yield* folder
      const path = join(home, "audit.jsonl")
      for (const id of ["1", "2", "3", "4"]) {
        yield* writing(path, { maxBytes: 100, keep: 2 }, (log) => log.write(event(id)))
      }
      assert.deepStrictEqual((yield* Effect.promise(() => readdir(home))).sort(), [
        "audit.jsonl",
        "audit.jsonl.1",
        "audit.jsonl.2"
      ])
      assert.deepStrictEqual((yield* written(path)).map(({ requestId }) => requestId), ["4"])
      assert.deepStrictEqual((yield* written(`${path}.2`)).map(({ requestId }) => requestId), ["2"])
    }))

  it.scopedLive.skipIf(process.platform !== "linux")(
    "refuses calls on a full disk, or loses events, as was chosen",
    () =>
      Effect.gen(function*() {
        const lines: Array<string> = []
        const logger = Logger.make(({ message }) => void lines.push(String(message)))
        for (const onFull of ["refuse", "drop"] as const) {
          const before = dropped()
          yield* Effect.gen(function*() {
            const registry = yield* registryWith(Audit.layerFile("/dev/full", { onFull }))
            assert.strictEqual(Bench.dataOf(yield* Bench.answer(registry)), "answer")
            yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => lines.length > 0, times: 200 })
            const second = yield* Bench.answer(registry)
            assert.strictEqual(second.isError, onFull === "refuse")
          }).pipe(Effect.scoped, Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
          assert.strictEqual(lines.length, 1)
          assert.include(lines.pop(), "The audit cannot be written: /dev/full: the disk is full.")
          assert.strictEqual(dropped() - before, onFull === "refuse" ? 1 : 2)
        }
      })
  )

  it.scopedLive("says why it cannot begin", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "missing", "audit.jsonl")
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Audit.layerFile(path))))
      assert.strictEqual(error.message, `${path}: its folder is not there`)
    }))
})
