import { assert, describe, it } from "@effect/vitest"
import * as Health from "causeway-mcp/health/Health"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"

class Unreachable extends Schema.TaggedError<Unreachable>()("Unreachable", { password: Schema.String }) {
  get isRetryable() {
    return true
  }
  override get message() {
    return "the store did not answer"
  }
}

/** Tagged by a schema, but without a sentence of its own: its message lists its fields. */
class Wordless extends Schema.TaggedError<Wordless>()("Wordless", {
  password: Schema.String,
  isRetryable: Schema.Boolean
}) {}

class Foreign extends Data.TaggedError("Foreign")<{ readonly message: string; readonly isRetryable: boolean }> {}

const secret = "hunter2"

const redis = { name: "redis", kind: "session-store" }

const postgres = { name: "postgres", kind: "document-store" }

const report = Effect.flatMap(Health.Health, (health) => health.report)

const soleSource = Effect.map(report, ({ sources }) => {
  assert.lengthOf(sources, 1)
  return sources[0] ?? assert.fail("no source")
})

const described = (check: Effect.Effect<void, unknown>) =>
  Effect.map(Effect.provide(soleSource, Health.layer([{ ...redis, check }])), (source) => source.description)

/** Asked only when a report is. */
const watch = (check: Effect.Effect<void, unknown>, more?: Partial<Health.HealthCheck>) =>
  Effect.provide(Health.layer([{ ...redis, check, ...more }], { every: 0 }))

/** A check that counts its runs and answers what `up` says. */
const counted = Effect.gen(function*() {
  const runs = yield* Ref.make(0)
  const up = yield* Ref.make(true)
  const check = Effect.zipRight(
    Ref.update(runs, (n) => n + 1),
    Effect.flatMap(Ref.get(up), (yes) => yes ? Effect.void : Effect.fail(new Unreachable({ password: secret })))
  )
  return { check, runs: Ref.get(runs), set: (value: boolean) => Ref.set(up, value) }
})

describe("Health", () => {
  it.effect("is up when every source answers, and names them in order", () =>
    Effect.gen(function*() {
      const verdict = yield* report
      assert.strictEqual(verdict.status, "up")
      assert.deepStrictEqual(verdict.sources.map((source) => source.name), ["redis", "postgres"])
      assert.isTrue(Health.isReady(verdict))
    }).pipe(Effect.provide(Health.layer([{ ...redis, check: Effect.void }, { ...postgres, check: Effect.void }]))))

  it.effect("is degraded and still ready when a source is down", () =>
    Effect.gen(function*() {
      const verdict = yield* report
      assert.strictEqual(verdict.status, "degraded")
      assert.deepStrictEqual(verdict.sources.map((source) => source.status), ["down", "up"])
      assert.isTrue(Health.isReady(verdict))
    }).pipe(
      Effect.provide(Health.layer([{ ...redis, check: Effect.fail("no") }, { ...postgres, check: Effect.void }]))
    ))

  it.effect("is down and not ready when a required source is", () =>
    Effect.gen(function*() {
      const verdict = yield* report
      assert.strictEqual(verdict.status, "down")
      assert.isFalse(Health.isReady(verdict))
    }).pipe(
      Effect.provide(
        Health.layer([{ ...redis, check: Effect.void }, { ...postgres, check: Effect.fail("no"), required: true }])
      )
    ))

  it.effect("is up without sources", () =>
    Effect.map(Effect.provide(report, Health.layer([])), (verdict) => {
      assert.deepStrictEqual(verdict, { status: "up", sources: [] })
    }))

  it.effect("says since when a source has had its status", () =>
    Effect.gen(function*() {
      const source = yield* counted
      yield* Effect.gen(function*() {
        assert.strictEqual((yield* soleSource).since, "1970-01-01T00:00:00.000Z")
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* soleSource).since, "1970-01-01T00:00:00.000Z")
        yield* source.set(false)
        yield* TestClock.adjust("10 seconds")
        assert.deepInclude(yield* soleSource, { status: "down", since: "1970-01-01T00:00:20.000Z" })
        yield* TestClock.adjust("10 seconds")
        assert.deepInclude(yield* soleSource, { status: "down", since: "1970-01-01T00:00:20.000Z" })
        yield* source.set(true)
        yield* TestClock.adjust("10 seconds")
        assert.deepInclude(yield* soleSource, { status: "up", since: "1970-01-01T00:00:40.000Z" })
      }).pipe(watch(source.check))
    }))

  it.effect("says how long a check took", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(soleSource)
      yield* TestClock.adjust("300 millis")
      assert.strictEqual((yield* Fiber.join(fiber)).latencyMs, 300)
    }).pipe(watch(Effect.sleep("300 millis"))))

  it.effect("keeps its verdict for a second", () =>
    Effect.gen(function*() {
      const source = yield* counted
      yield* Effect.gen(function*() {
        yield* report
        yield* TestClock.adjust("999 millis")
        yield* report
        assert.strictEqual(yield* source.runs, 1)
        yield* TestClock.adjust("1 millis")
        yield* report
        assert.strictEqual(yield* source.runs, 2)
      }).pipe(watch(source.check))
    }))

  it.effect("asks once for many callers at the same time", () =>
    Effect.gen(function*() {
      const runs = yield* Ref.make(0)
      const go = yield* Deferred.make<void>()
      const check = Effect.zipRight(Ref.update(runs, (n) => n + 1), Deferred.await(go))
      yield* Effect.gen(function*() {
        const fibers = yield* Effect.all(Array.from({ length: 50 }, () => Effect.fork(report)))
        yield* Effect.yieldNow()
        yield* Deferred.succeed(go, undefined)
        const verdicts = yield* Fiber.join(Fiber.all(fibers))
        assert.strictEqual(new Set(verdicts).size, 1)
        assert.strictEqual(yield* Ref.get(runs), 1)
      }).pipe(watch(check))
    }))

  it.effect("goes on for the others when the first caller is interrupted", () =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      yield* Effect.gen(function*() {
        const first = yield* Effect.fork(report)
        yield* Effect.yieldNow()
        const second = yield* Effect.fork(report)
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(first)
        yield* Deferred.succeed(go, undefined)
        assert.strictEqual((yield* Fiber.join(second)).status, "up")
      }).pipe(watch(Deferred.await(go)))
    }))

  it.effect("counts a source that does not answer in time as down, and interrupts its check", () =>
    Effect.gen(function*() {
      const interrupted = yield* Ref.make(false)
      yield* Effect.gen(function*() {
        const fiber = yield* Effect.fork(soleSource)
        yield* TestClock.adjust("2 seconds")
        assert.deepInclude(yield* Fiber.join(fiber), {
          status: "down",
          description: "no answer within 2000 ms",
          latencyMs: 2000
        })
        assert.isTrue(yield* Ref.get(interrupted))
      }).pipe(watch(Effect.onInterrupt(Effect.never, () => Ref.set(interrupted, true))))
    }))

  it.effect("gives each check its own time", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(report)
      yield* TestClock.adjust("100 millis")
      const { sources } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(sources.map((source) => source.status), ["down", "up"])
    }).pipe(Effect.provide(Health.layer([
      { ...redis, check: Effect.never, timeout: "50 millis" },
      { ...postgres, check: Effect.sleep("100 millis") }
    ]))))

  it.effect("does not begin a check again while it still runs against its interruption", () =>
    Effect.gen(function*() {
      const runs = yield* Ref.make(0)
      const end = yield* Deferred.make<void>()
      const stubborn = Effect.uninterruptible(
        Effect.zipRight(Ref.update(runs, (n) => n + 1), Deferred.await(end))
      )
      yield* Effect.gen(function*() {
        const first = yield* Effect.fork(soleSource)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual((yield* Fiber.join(first)).status, "down")
        yield* TestClock.adjust("1 seconds")
        assert.strictEqual((yield* soleSource).status, "down")
        assert.strictEqual(yield* Ref.get(runs), 1)
        yield* Deferred.succeed(end, undefined)
        yield* TestClock.adjust("1 seconds")
        assert.strictEqual((yield* soleSource).status, "up")
        assert.strictEqual(yield* Ref.get(runs), 2)
      }).pipe(watch(stubborn))
    }))

  it.effect("repeats the sentence of an error that has one", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* described(Effect.fail(new Unreachable({ password: secret }))),
        "the store did not answer"
      )
    }))

  it.effect("repeats nothing of errors that have none", () =>
    Effect.gen(function*() {
      const others: ReadonlyArray<unknown> = [
        new Wordless({ password: secret, isRetryable: true }),
        new Foreign({ message: secret, isRetryable: true }),
        new Error(secret),
        { message: secret, isRetryable: true },
        secret,
        undefined
      ]
      for (const other of others) {
        assert.strictEqual(yield* described(Effect.fail(other)), "the check failed")
      }
    }))

  it.effect("keeps the verdict on the others when a check has a defect", () =>
    Effect.gen(function*() {
      const { sources, status } = yield* report
      assert.strictEqual(status, "degraded")
      assert.deepStrictEqual(sources.map((source) => source.description), ["the check failed", undefined])
    }).pipe(
      Effect.provide(
        Health.layer([{ ...redis, check: Effect.die(new Error(secret)) }, { ...postgres, check: Effect.void }])
      )
    ))

  it.effect("logs a change of status once", () =>
    Effect.gen(function*() {
      const source = yield* counted
      const lines: Array<unknown> = []
      const logger = Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => lines.push(message)))
      yield* Effect.gen(function*() {
        const look = Effect.zipRight(TestClock.adjust("1 seconds"), report)
        yield* look
        yield* source.set(false)
        yield* look
        yield* look
        yield* source.set(true)
        yield* look
        yield* look
      }).pipe(watch(source.check), Effect.provide(logger))
      assert.deepStrictEqual(lines.flat().filter((line) => typeof line === "string"), [
        "redis does not answer: the store did not answer",
        "redis answers again"
      ])
    }))

  it.effect("takes what its checks need from the layer's context", () => {
    const Store = Context.GenericTag<{ readonly ping: Effect.Effect<void> }>("Store")
    const health = Health.layer([{ ...redis, check: Effect.flatMap(Store, (store) => store.ping) }])
    return Effect.map(
      Effect.provide(report, Layer.provide(health, Layer.succeed(Store, { ping: Effect.void }))),
      (verdict) => assert.strictEqual(verdict.status, "up")
    )
  })

  it.effect("is written as its schema says", () =>
    Effect.gen(function*() {
      const verdict = yield* report
      assert.deepStrictEqual(yield* Schema.decodeUnknown(Health.Report)(JSON.parse(JSON.stringify(verdict))), verdict)
    }).pipe(watch(Effect.fail(new Unreachable({ password: secret })))))
})
