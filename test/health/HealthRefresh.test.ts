import { assert, describe, it } from "@effect/vitest"
import * as Health from "causeway-mcp/health/Health"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"

const quiet = Logger.remove(Logger.defaultLogger)

/** A source that a test turns off and on, and how often it was asked. */
const source = Effect.gen(function*() {
  const runs = yield* Ref.make(0)
  const up = yield* Ref.make(true)
  return {
    check: {
      name: "redis",
      kind: "session-store",
      check: Effect.zipRight(
        Ref.update(runs, (n) => n + 1),
        Effect.flatMap(Ref.get(up), (isUp) => isUp ? Effect.void : Effect.fail("gone"))
      )
    },
    runs: Ref.get(runs),
    set: (isUp: boolean) => Ref.set(up, isUp)
  }
})

/** Lets what is due run, and no time pass. */
const settle = TestClock.adjust(0)

const status = Effect.map(Health.Health, (health) => health.status("redis"))

describe("Health, by itself", () => {
  it.scoped("knows a source before anybody wants a report", () =>
    Effect.gen(function*() {
      const { check } = yield* source
      const health = yield* Health.make([check])
      assert.strictEqual(health.status("redis"), "unknown")
      yield* settle
      assert.strictEqual(health.status("redis"), "up")
      assert.strictEqual(health.status("postgres"), "unknown")
    }))

  it.effect("asks every five seconds, and every second while something is down", () =>
    Effect.gen(function*() {
      const { check, runs, set } = yield* source
      yield* Effect.gen(function*() {
        yield* settle
        assert.strictEqual(yield* runs, 1)
        yield* TestClock.adjust("4999 millis")
        assert.strictEqual(yield* runs, 1)
        yield* set(false)
        assert.strictEqual(yield* status, "up")
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* runs, 2)
        assert.strictEqual(yield* status, "down")
        yield* TestClock.adjust("3 seconds")
        assert.strictEqual(yield* runs, 5)
        yield* set(true)
        yield* TestClock.adjust("1 seconds")
        assert.strictEqual(yield* status, "up")
        yield* TestClock.adjust("4999 millis")
        assert.strictEqual(yield* runs, 6)
      }).pipe(Effect.provide(Health.layer([check])))
    }).pipe(Effect.provide(quiet)))

  it.effect("asks as often as it is told", () =>
    Effect.gen(function*() {
      const { check, runs, set } = yield* source
      yield* Effect.gen(function*() {
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* runs, 3)
        yield* set(false)
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual(yield* status, "down")
        yield* set(true)
        yield* TestClock.adjust("1 seconds")
        assert.strictEqual(yield* status, "up")
      }).pipe(Effect.provide(Health.layer([check], { every: "30 seconds" })))
    }).pipe(Effect.provide(quiet)))

  it.effect("asks nobody unasked with every: 0, and forgets what it has not asked for long", () =>
    Effect.gen(function*() {
      const { check, runs, set } = yield* source
      yield* set(false)
      yield* Effect.gen(function*() {
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* runs, 0)
        const { report } = yield* Health.Health
        yield* report
        assert.strictEqual(yield* status, "down")
        yield* TestClock.adjust("4999 millis")
        assert.strictEqual(yield* status, "down")
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* status, "unknown")
      }).pipe(Effect.provide(Health.layer([check], { every: 0 })))
    }).pipe(Effect.provide(quiet)))

  it.scoped("shares its round with those who want a report", () =>
    Effect.gen(function*() {
      const runs = yield* Ref.make(0)
      const go = yield* Deferred.make<void>()
      const check = Effect.zipRight(Ref.update(runs, (n) => n + 1), Deferred.await(go))
      const health = yield* Health.make([{ name: "redis", kind: "session-store", check }])
      yield* settle
      const asked = yield* Effect.fork(health.report)
      yield* settle
      yield* Deferred.succeed(go, undefined)
      assert.strictEqual((yield* asked).status, "up")
      assert.strictEqual(yield* Ref.get(runs), 1)
    }))

  it.effect("leaves a source alone that has answered lately, and asks it again when it is down", () =>
    Effect.gen(function*() {
      const { check, runs, set } = yield* source
      yield* Effect.gen(function*() {
        yield* TestClock.adjust("29 seconds")
        assert.strictEqual(yield* runs, 1)
        yield* set(false)
        yield* TestClock.adjust("1 seconds")
        assert.strictEqual(yield* runs, 2)
        assert.strictEqual(yield* status, "down")
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(yield* runs, 4)
      }).pipe(Effect.provide(Health.layer([{ ...check, askAgainAfter: "30 seconds" }])))
    }).pipe(Effect.provide(quiet)))

  it.effect("counts one that is up of several with one name", () =>
    Effect.gen(function*() {
      const one = yield* source
      const other = yield* source
      yield* Effect.gen(function*() {
        yield* one.set(false)
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(yield* status, "up")
        yield* other.set(false)
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual(yield* status, "down")
      }).pipe(Effect.provide(Health.layer([one.check, other.check])))
    }).pipe(Effect.provide(quiet)))

  it.effect("stops asking when its layer is closed", () =>
    Effect.gen(function*() {
      const { check, runs } = yield* source
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(Health.layer([check]), scope)
      yield* TestClock.adjust("5 seconds")
      const before = yield* runs
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* runs, before)
    }))

  it.effect("keeps nobody waiting who asks when its layer is closed, or while it closes", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        Health.layer([{ name: "redis", kind: "session-store", check: Effect.never, timeout: "1 hour" }], { every: 0 }),
        scope
      )
      const { report } = Context.get(context, Health.Health)
      const during = yield* Effect.fork(report)
      yield* settle
      yield* Scope.close(scope, Exit.void)
      yield* settle
      const after = yield* Effect.fork(report)
      yield* settle
      for (const fiber of [during, after]) assert.isNotNull(fiber.unsafePoll())
    }))

  it.effect("asks once for ten thousand who want to know at once, of whom some go away", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let runs = 0
      const check = Effect.zipRight(Effect.sync(() => void runs++), Deferred.await(gate))
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        Health.layer([{ name: "redis", kind: "session-store", check }], { every: 0 }),
        scope
      )
      const { report } = Context.get(context, Health.Health)
      const fibers = yield* Effect.forEach(Array.from({ length: 10_000 }), () => Effect.fork(report))
      yield* settle
      yield* Fiber.interruptAll(fibers.filter((_, n) => n % 3 === 0))
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      const stayed = fibers.filter((_, n) => n % 3 !== 0)
      assert.isTrue(stayed.every((fiber) => fiber.unsafePoll()?._tag === "Success"))
      assert.strictEqual(runs, 1)
      yield* Scope.close(scope, Exit.void)
    }))
})
