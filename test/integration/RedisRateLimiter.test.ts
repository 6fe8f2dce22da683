import { assert, layer } from "@effect/vitest"
import * as RateLimiter from "causeway-mcp/policy/RateLimiter"
import * as RedisRateLimiter from "causeway-mcp/policy/RedisRateLimiter"
import * as RateLimiterLaws from "causeway-mcp/testing/RateLimiterLaws"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { together } from "../bench/limiter-run.js"
import * as RedisServer from "./redis.js"
import { client, urlOf } from "./redisSession.js"

// The laws are not about haste, and the machine may be busy.
const patient = { commandTimeout: "10 seconds", deadline: "10 seconds" } as const

const take = (key: string, amount = 1): RateLimiter.Take => ({ key, amount, capacity: 10, perSecond: 1e-4 })

RedisServer.suite("RedisRateLimiter on a server", () => {
  const served = Layer.unwrapEffect(
    Effect.map(RedisServer.RedisServer, ({ port }) => RedisRateLimiter.layer({ url: urlOf(port), ...patient }))
  )

  layer(Layer.provideMerge(served, RedisServer.layer()), { excludeTestServices: true })("obeys the laws:", (it) => {
    for (const { check, name } of RateLimiterLaws.laws) it.effect(name, () => check)

    for (const { check, name } of RateLimiterLaws.timedLaws) it.effect(name, () => check(Effect.sleep))

    for (const { check, name } of RateLimiterLaws.sharedLaws) {
      it.effect(`${name}, between instances`, () =>
        Effect.flatMap(
          RedisServer.RedisServer,
          ({ port }) => check((keyPrefix) => RedisRateLimiter.layer({ url: urlOf(port), keyPrefix, ...patient }))
        ))
    }

    it.scoped("decides as the limiter in memory does, whatever is asked", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* RedisRateLimiter.make({ url: urlOf(port), keyPrefix: "model:", ...patient })
        // So slowly do they fill that the two clocks make no difference.
        const some = FastCheck.record({
          key: FastCheck.constantFrom("a", "b", "c"),
          amount: FastCheck.oneof(FastCheck.nat(12), FastCheck.constantFrom(0.1, 0.29, 1e-7, 1e12)),
          capacity: FastCheck.constantFrom(1, 10, 10.5),
          perSecond: FastCheck.constantFrom(1e-7, 2e-7)
        })
        const steps = FastCheck.array(
          FastCheck.record({
            takes: FastCheck.array(some, { minLength: 1, maxLength: 4 }),
            isGive: FastCheck.boolean()
          }),
          { maxLength: 20 }
        )
        let run = 0
        yield* Effect.promise(() =>
          FastCheck.assert(
            FastCheck.asyncProperty(steps, (steps) =>
              Effect.gen(function*() {
                const memory = yield* RateLimiter.make()
                run += 1
                for (const { isGive, takes } of steps) {
                  const [first, ...rest] = takes.map((one) => ({ ...one, key: `${one.key}${run}` }))
                  if (first === undefined) continue
                  if (isGive) {
                    for (const limiter of [memory, redis]) yield* limiter.give(first)
                    continue
                  }
                  const [expected, found] = yield* Effect.all([
                    memory.take([first, ...rest]),
                    redis.take([first, ...rest])
                  ])
                  assert.strictEqual(found.isAllowed, expected.isAllowed)
                  assert.deepStrictEqual(
                    found.buckets.map(({ remaining }) => Math.round(remaining * 1e4)),
                    expected.buckets.map(({ remaining }) => Math.round(remaining * 1e4))
                  )
                }
              }).pipe(Effect.runPromise)),
            { numRuns: 60 }
          )
        )
      }))

    it.scoped("uses a key for a bucket, which expires when it is full, and digests what is long or strange", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const limiter = yield* RedisRateLimiter.make({ url: urlOf(port), keyPrefix: "keys:", ...patient })
        yield* limiter.take([{ key: "calls:acme", amount: 5, capacity: 10, perSecond: 0.5 }])
        yield* limiter.take([{ key: "a{b}\r\nDEL x", amount: 5, capacity: 10, perSecond: 0.5 }])
        const keys = (yield* Effect.promise(() => redis.keys("keys:*"))).sort()
        assert.lengthOf(keys, 2)
        assert.match(keys[0] ?? "", /^keys:#[\w-]{43}$/u)
        assert.strictEqual(keys[1], "keys:calls:acme")
        for (const key of keys) {
          const left = yield* Effect.promise(() => redis.pttl(key))
          assert.isTrue(left > 9000 && left <= 10_000, `${left}`)
        }
        yield* limiter.give({ key: "calls:acme", amount: 5, capacity: 10, perSecond: 0.5 })
        yield* limiter.take([{ key: "calls:acme", amount: 0, capacity: 10, perSecond: 0.5 }])
        assert.lengthOf(yield* Effect.promise(() => redis.keys("keys:*")), 1)
      }))

    it.scoped("goes on when the server has lost its scripts", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const limiter = yield* RedisRateLimiter.make({ url: urlOf(port), keyPrefix: "scripts:", ...patient })
        yield* limiter.take([take("a", 4)])
        yield* Effect.promise(() => redis.script("FLUSH"))
        const { buckets, counted } = yield* limiter.take([take("a", 4)])
        assert.strictEqual(counted, "shared")
        assert.strictEqual(Math.floor(buckets[0].remaining), 2)
      }))

    it.scoped("leaves a key alone that holds something else, and counts that bucket here", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const limiter = yield* RedisRateLimiter.make({ url: urlOf(port), keyPrefix: "foreign:", ...patient })
        yield* Effect.promise(() => redis.set("foreign:text", "something else"))
        yield* Effect.promise(() => redis.lpush("foreign:list", "something else"))
        for (const key of ["text", "list"]) {
          const verdict = yield* limiter.take([take("good"), take(key)])
          assert.strictEqual(verdict.counted, "local")
          assert.strictEqual(verdict.buckets[1]?.remaining, 4)
        }
        const good = yield* limiter.take([take("good")])
        assert.strictEqual(good.counted, "shared")
        // What was had without Redis is told to it with the next take.
        assert.strictEqual(Math.floor(good.buckets[0].remaining), 7)
        assert.strictEqual(yield* Effect.promise(() => redis.get("foreign:text")), "something else")
      }))

    it.effect("reads its settings from Config", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const settings = RedisRateLimiter.layerConfig({
          url: Config.redacted("REDIS_URL"),
          keyPrefix: Config.string("PREFIX")
        })
        const provider = ConfigProvider.fromMap(
          new Map([["REDIS_URL", Redacted.value(urlOf(port))], ["PREFIX", "config:"]])
        )
        const verdict = yield* Effect.flatMap(RateLimiter.RateLimiter, (limiter) => limiter.take([take("a")])).pipe(
          Effect.provide(Layer.provide(settings, Layer.setConfigProvider(provider)))
        )
        assert.strictEqual(verdict.counted, "shared")
      }))

    it.effect("refuses settings that make no sense, and repeats none of them", () =>
      Effect.gen(function*() {
        const url = Redacted.make("redis://:sesame@127.0.0.1:1")
        const wrong: ReadonlyArray<Partial<RedisRateLimiter.Options>> = [
          { keyPrefix: "a{b}" },
          { deadline: 0 },
          { deadline: Infinity },
          { outage: { mode: "local", instances: 0 } },
          { outage: { mode: "local", instances: 1.5 } },
          { url: Redacted.make("http://sesame") }
        ]
        for (const options of wrong) {
          const error = yield* Effect.flip(Effect.scoped(RedisRateLimiter.make({ url, ...options })))
          assert.strictEqual(error._tag, "Misconfigured")
          assert.notInclude(error.message, "sesame")
        }
      }))

    for (const perSecond of [1000, 10_000]) {
      it.effect(
        `is never over the limit with two processes at ${perSecond} a second, and hardly under it`,
        () =>
          Effect.gen(function*() {
            const { port } = yield* RedisServer.RedisServer
            const sum = yield* Effect.promise(() =>
              together(2, {
                limiter: "ours",
                port,
                key: `two-${perSecond}`,
                capacity: perSecond,
                perSecond,
                seconds: 3,
                concurrency: 32,
                deadline: "5 seconds",
                outage: { mode: "closed" },
                isClocked: true
              })
            )
            assert.strictEqual(sum.over, 0, JSON.stringify(sum))
            // What the machine is too busy to ask for, nobody can be given.
            if (sum.asked > 1.5 * sum.bound) assert.isBelow(sum.under, 0.01, JSON.stringify(sum))
          }),
        { timeout: 60_000 }
      )
    }
  })
})
