import { assert, it } from "@effect/vitest"
import type * as RateLimiter from "causeway-mcp/policy/RateLimiter"
import * as RedisRateLimiter from "causeway-mcp/policy/RedisRateLimiter"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as RedisServer from "./redis.js"
import { client, collected, urlOf } from "./redisSession.js"

type Limiter = RateLimiter.RateLimiter["Type"]

const take = (key: string, amount = 1): RateLimiter.Take => ({ key, amount, capacity: 10, perSecond: 1e-4 })

const open = (options: RedisRateLimiter.Options) =>
  Effect.provide(RedisRateLimiter.make(options), Logger.remove(Logger.defaultLogger))

/** A verdict, and how many milliseconds it took. */
const timed = (limiter: Limiter, one: RateLimiter.Take) =>
  Effect.map(Effect.timed(limiter.take([one])), ([took, verdict]) => ({ ms: Duration.toMillis(took), ...verdict }))

/** How many of so many takes at once were had. */
const had = (limiter: Limiter, key: string, count: number) =>
  Effect.map(
    Effect.forEach(Array.from({ length: count }), () => limiter.take([take(key)]), { concurrency: "unbounded" }),
    (verdicts) => verdicts.filter(({ isAllowed }) => isAllowed).length
  )

/** Asks for nothing until all instances are counted again. */
const back = (limiter: Limiter): Effect.Effect<void> =>
  Effect.flatMap(
    limiter.take([take("back", 0)]),
    ({ counted }) => counted === "shared" ? Effect.void : Effect.zipRight(Effect.sleep("20 millis"), back(limiter))
  ).pipe(Effect.timeout("10 seconds"), Effect.orDie)

const left = (limiter: Limiter, key: string) =>
  Effect.map(limiter.take([take(key, 0)]), ({ buckets }) => Math.floor(buckets[0].remaining))

/** A machine that is busy is slower than the deadline, by this much. */
const slack = 400

RedisServer.suite("RedisRateLimiter, when Redis fails", () => {
  it.scopedLive("counts its share while the server is away, and goes back by itself", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const limiter = yield* open({ url: urlOf(server.port) })
      yield* back(limiter)
      yield* server.kill
      const first = yield* timed(limiter, take("a"))
      assert.strictEqual(first.counted, "local")
      assert.isTrue(first.isAllowed)
      assert.isBelow(first.ms, 50 + slack)
      assert.strictEqual(yield* had(limiter, "a", 100), 4)
      assert.isTrue(Exit.isExit(limiter.take([take("a")])), "nobody waits for what is known to be away")
      yield* server.start
      yield* back(limiter)
      // Redis has lost what it knew, and is told what was had meanwhile.
      assert.strictEqual(yield* left(limiter, "a"), 5)
      assert.strictEqual(yield* left(limiter, "a"), 5)
    }))

  it.scopedLive("begins with its share of what was left", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const limiter = yield* open({ url: urlOf(server.port), outage: { mode: "local", instances: 3 } })
      yield* back(limiter)
      yield* limiter.take([take("a", 4)])
      yield* server.kill
      assert.strictEqual(yield* had(limiter, "a", 100), 2)
      assert.strictEqual(yield* had(limiter, "b", 100), 3)
    }))

  it.scopedLive("waits no longer than its deadline while the server hangs, and makes good what comes late", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const limiter = yield* open({ url: urlOf(server.port), commandTimeout: "10 seconds" })
      yield* back(limiter)
      yield* limiter.take([take("a"), take("b", 10)])
      yield* server.pause
      const calls = yield* Effect.forEach(["a", "a", "b"], (key) => timed(limiter, take(key)), {
        concurrency: "unbounded"
      })
      for (const { counted, ms } of calls) {
        assert.strictEqual(counted, "local")
        assert.isBelow(ms, 50 + slack)
      }
      assert.deepStrictEqual(calls.map(({ isAllowed }) => isAllowed), [true, true, false])
      const next = yield* timed(limiter, take("a"))
      assert.isBelow(next.ms, 20)
      yield* server.resume
      yield* back(limiter)
      yield* Effect.sleep("50 millis")
      // Two were counted there late, one is told now, and none twice.
      assert.strictEqual(yield* left(limiter, "a"), 6)
      assert.strictEqual(yield* left(limiter, "b"), 0)
    }))

  it.scopedLive("gives back what was taken late for a call that did not run", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const limiter = yield* open({
        url: urlOf(server.port),
        commandTimeout: "10 seconds",
        outage: { mode: "closed" }
      })
      yield* back(limiter)
      yield* server.pause
      const refused = yield* timed(limiter, take("a", 3))
      assert.isFalse(refused.isAllowed)
      assert.isAbove(refused.retryAfterMs, 0)
      assert.isBelow(refused.ms, 50 + slack)
      yield* server.resume
      yield* back(limiter)
      yield* Effect.sleep("50 millis")
      assert.strictEqual(yield* left(limiter, "a"), 10)
    }))

  it.scopedLive("gives back what was taken for a call that was interrupted while it waited", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const limiter = yield* open({ url: urlOf(server.port), deadline: "10 seconds", commandTimeout: "10 seconds" })
      yield* back(limiter)
      yield* server.pause
      const call = yield* Effect.fork(limiter.take([take("a", 3)]))
      yield* Effect.sleep("20 millis")
      const [took] = yield* Effect.timed(Fiber.interrupt(call))
      assert.isBelow(Duration.toMillis(took), slack)
      yield* server.resume
      yield* Effect.sleep("100 millis")
      assert.strictEqual(yield* left(limiter, "a"), 10)
    }))

  it.scopedLive("waits no longer than the call may, and does not blame Redis for it", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const limiter = yield* open({ url: urlOf(server.port), deadline: "10 seconds", commandTimeout: "10 seconds" })
      yield* back(limiter)
      yield* server.pause
      const verdict = yield* TimeLimit.within(timed(limiter, take("a")), "60 millis")
      assert.strictEqual(verdict.counted, "local")
      assert.isBelow(verdict.ms, 60 + slack)
      yield* server.resume
      assert.strictEqual((yield* limiter.take([take("a", 0)])).counted, "shared")
    }))

  it.scopedLive("lets all through or none, as it was told", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      yield* server.kill
      for (const mode of ["open", "closed"] as const) {
        const limiter = yield* open({ url: urlOf(server.port), outage: { mode } })
        const verdict = yield* timed(limiter, take("a", 50))
        assert.strictEqual(verdict.isAllowed, mode === "open")
        assert.strictEqual(verdict.counted, "none")
        assert.isBelow(verdict.ms, 50 + slack)
        assert.strictEqual(yield* had(limiter, "a", 100), mode === "open" ? 100 : 0)
      }
    }))

  for (
    const [what, begin, end] of [
      ["is full", ["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]],
      ["has become a replica", ["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]],
      [
        "may not write",
        ["CONFIG", "SET", "min-replicas-to-write", "1"],
        ["CONFIG", "SET", "min-replicas-to-write", "0"]
      ]
    ] as const
  ) {
    it.scopedLive(`counts its share while the server ${what}`, () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.make()
        const redis = yield* client(server.port)
        const limiter = yield* open({ url: urlOf(server.port) })
        yield* back(limiter)
        yield* Effect.promise(() => redis.call(begin[0], ...begin.slice(1)))
        const verdict = yield* timed(limiter, take("a"))
        assert.strictEqual(verdict.counted, "local")
        assert.isBelow(verdict.ms, 50 + slack)
        yield* Effect.sleep("300 millis")
        assert.strictEqual((yield* limiter.take([take("a")])).counted, "local")
        yield* Effect.promise(() => redis.call(end[0], ...end.slice(1)))
        yield* back(limiter)
      }))
  }

  it.scopedLive("says once that an outage began and once that it is over, and no password", () => {
    const { layer, lines } = collected()
    return Effect.gen(function*() {
      const server = yield* RedisServer.make(["--requirepass", "sesame"])
      const limiter = yield* RedisRateLimiter.make({ url: urlOf(server.port, { credentials: ":sesame@" }) })
      yield* back(limiter)
      for (let round = 0; round < 2; round++) {
        yield* server.kill
        yield* had(limiter, "a", 50)
        yield* Effect.sleep("400 millis")
        yield* had(limiter, "a", 50)
        yield* server.start
        yield* back(limiter)
      }
      yield* Effect.sleep("1500 millis")
      assert.deepStrictEqual(lines.map((line) => line.split(" ")[0]), ["WARN", "INFO"])
      assert.notInclude(lines.join("\n"), "sesame")
    }).pipe(Effect.provide(layer))
  })

  it.scopedLive("says that the password is wrong without repeating it, and counts its share", () => {
    const { layer, lines } = collected()
    return Effect.gen(function*() {
      const server = yield* RedisServer.make(["--requirepass", "right"])
      const limiter = yield* RedisRateLimiter.make({
        url: urlOf(server.port),
        password: Redacted.make("sesame")
      })
      assert.strictEqual((yield* timed(limiter, take("a"))).counted, "local")
      yield* Effect.sleep("300 millis")
      assert.strictEqual((yield* limiter.take([take("a")])).counted, "local")
      assert.lengthOf(lines, 1)
      assert.notInclude(lines.join("\n"), "sesame")
    }).pipe(Effect.provide(layer))
  })

  it.scopedLive("closes within a second, whether the server answers, hangs or is away", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      for (const before of [Effect.void, server.pause, Effect.zipRight(server.resume, server.kill)]) {
        const scope = yield* Scope.make()
        const limiter = yield* Scope.extend(open({ url: urlOf(server.port) }), scope)
        yield* limiter.take([take("a")])
        yield* before
        const [took] = yield* Effect.timed(Scope.close(scope, Exit.void))
        assert.isBelow(Duration.toMillis(took), 1500)
      }
    }))
})
