import { assert, describe, it } from "@effect/vitest"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as Metered from "causeway-mcp/telemetry/Metered"
import * as Prometheus from "causeway-mcp/telemetry/Prometheus"
import * as RuntimeMetrics from "causeway-mcp/telemetry/RuntimeMetrics"
import { Metric } from "causeway-mcp/telemetry/Telemetry"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"

const seriesOf = (source: string): ReadonlyArray<string> =>
  Prometheus.render().split("\n").filter((line) =>
    line.startsWith(`${Metric.sourceDuration}_`) && line.includes(`source="${source}"`) && !line.includes("_bucket")
  )

const of = (what: "count" | "sum", source: string, method: string, outcome: string, value: number): string =>
  `${Metric.sourceDuration}_${what}{method="${method}",outcome="${outcome}",source="${source}"} ${value}`

describe("Metered.service", () => {
  it.effect("tells how long methods took, and what came of them", () =>
    Effect.gen(function*() {
      const store = Metered.service("t-outcomes", {
        get: (id: number) => Effect.as(Effect.sleep("2 seconds"), id),
        fail: () => Effect.fail("no"),
        die: () => Effect.die("no"),
        ping: Effect.void
      })
      const got = yield* Effect.fork(store.get(4))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(got), 4)
      assert.strictEqual(yield* Effect.flip(store.fail()), "no")
      yield* Effect.exit(store.die())
      yield* store.ping
      const interrupted = yield* Effect.fork(store.get(5))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(interrupted)
      assert.includeMembers([...seriesOf("t-outcomes")], [
        of("count", "t-outcomes", "get", "succeeded", 1),
        of("sum", "t-outcomes", "get", "succeeded", 2),
        of("sum", "t-outcomes", "get", "interrupted", 1),
        of("count", "t-outcomes", "fail", "failed", 1),
        of("count", "t-outcomes", "die", "defect", 1),
        of("count", "t-outcomes", "ping", "succeeded", 1)
      ])
    }))

  it.effect("leaves streams, values and what gives no effect as they are", () =>
    Effect.gen(function*() {
      const some = Option.some(1)
      const given = { changes: () => Stream.make(1, 2), found: () => some, size: 3, later: Effect.succeed(1) }
      const service = Metered.service("t-values", given)
      assert.deepStrictEqual([...(yield* Stream.runCollect(service.changes()))], [1, 2])
      assert.strictEqual(service.found(), some)
      assert.strictEqual(service.size, 3)
      assert.strictEqual(service.later, given.later)
      assert.deepStrictEqual(seriesOf("t-values"), [])
    }))

  it("calls methods on the service that they belong to", () => {
    const service = Metered.service("t-this", {
      n: 2,
      twice() {
        return this.n * 2
      }
    })
    assert.strictEqual(service.twice(), 4)
  })

  it.effect("measures a class, which keeps what it has to itself", () =>
    Effect.gen(function*() {
      class Base {
        inherited(): Effect.Effect<string> {
          return Effect.succeed("base")
        }
      }
      class Kept extends Base {
        #count = 0
        get count(): number {
          return this.#count
        }
        set count(to: number) {
          this.#count = to
        }
        add(by: number): Effect.Effect<number> {
          return Effect.sync(() => this.#count += by)
        }
      }
      const given = new Kept()
      const service = Metered.service("t-class", given)
      assert.instanceOf(service, Kept)
      assert.strictEqual(yield* service.add(2), 2)
      assert.strictEqual(yield* service.inherited(), "base")
      assert.strictEqual(service.count, 2)
      service.count = 5
      assert.strictEqual(given.count, 5)
      assert.includeMembers([...seriesOf("t-class")], [
        of("count", "t-class", "add", "succeeded", 1),
        of("count", "t-class", "inherited", "succeeded", 1)
      ])
    }))

  it.effect("measures the service of a layer", () =>
    Effect.gen(function*() {
      const store = yield* SessionStore.SessionStore
      yield* store.history({ tenant: "t", userId: "u" })
      yield* store.ping
      assert.include(seriesOf("t-sessions"), of("count", "t-sessions", "history", "succeeded", 1))
      assert.include(seriesOf("t-sessions"), of("count", "t-sessions", "ping", "succeeded", 1))
    }).pipe(Effect.provide(Metered.layer(SessionStore.SessionStore, "t-sessions")(SessionStore.layerMemory))))
})

describe("RuntimeMetrics", () => {
  it.scopedLive("tells of the process under the names that others use", () =>
    Effect.gen(function*() {
      yield* RuntimeMetrics.make({ version: "1.2.3", every: "20 millis" })
      const text = Prometheus.render()
      const valueOf = (name: string): number => Number(new RegExp(`^${name} (.+)$`, "mu").exec(text)?.[1])
      assert.include(text, "causeway_build_info{version=\"1.2.3\"} 1")
      assert.isAbove(valueOf("process_resident_memory_bytes"), 10_000_000)
      assert.isAbove(valueOf("process_cpu_seconds_total"), 0)
      assert.closeTo(valueOf("process_start_time_seconds"), Date.now() / 1000 - process.uptime(), 5)
      assert.isAbove(valueOf("nodejs_heap_size_used_bytes"), 1_000_000)
      if (process.platform === "linux") assert.isAbove(valueOf("process_open_fds"), 2)
      for (const percentile of ["50", "99", "100"]) {
        assert.include(text, `causeway_event_loop_delay_seconds{percentile="${percentile}"} `)
      }
    }))

  it.scopedLive("sees that the event loop was held up", () =>
    Effect.gen(function*() {
      yield* RuntimeMetrics.make({ every: "400 millis" })
      yield* Effect.sleep("50 millis")
      const until = performance.now() + 150
      while (performance.now() < until);
      const worst = Effect.sync(() =>
        Number(/^causeway_event_loop_delay_seconds\{percentile="100"\} (.+)$/mu.exec(Prometheus.render())?.[1])
      )
      const seen = yield* Effect.repeat(Effect.delay(worst, "20 millis"), {
        until: (delay) => delay >= 0.1,
        times: 100
      })
      assert.isAtLeast(seen, 0.1)
    }))
})
