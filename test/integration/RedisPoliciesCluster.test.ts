import { assert, layer } from "@effect/vitest"
import * as RedisIdempotencyStore from "causeway-mcp/policy/RedisIdempotencyStore"
import * as RedisRateLimiter from "causeway-mcp/policy/RedisRateLimiter"
import * as RedisResultCache from "causeway-mcp/policy/RedisResultCache"
import * as IdempotencyStoreLaws from "causeway-mcp/testing/IdempotencyStoreLaws"
import * as RateLimiterLaws from "causeway-mcp/testing/RateLimiterLaws"
import * as ResultCacheLaws from "causeway-mcp/testing/ResultCacheLaws"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RedisServer from "./redis.js"
import * as RedisCluster from "./redisCluster.js"
import { urlOf } from "./redisSession.js"

// What is tested here is not about haste, and the machine may be busy.
const patient = { cluster: true, commandTimeout: "10 seconds", deadline: "10 seconds" } as const

const url = Effect.map(RedisCluster.RedisCluster, ({ owners }) => urlOf(owners[0]?.port ?? 0))

RedisServer.suite("The stores of policies on a cluster", () => {
  const served = Layer.unwrapEffect(Effect.map(url, (url) =>
    Layer.mergeAll(
      RedisRateLimiter.layer({ url, ...patient }),
      RedisResultCache.layer({ url, ...patient }),
      RedisIdempotencyStore.layer({ url, ...patient })
    )))

  layer(Layer.provideMerge(served, RedisCluster.layer()), { excludeTestServices: true })("obey the laws:", (it) => {
    for (const { check, name } of RateLimiterLaws.laws) it.effect(`the limiter ${name}`, () => check)
    for (const { check, name } of ResultCacheLaws.laws) it.effect(`the cache ${name}`, () => check)
    for (const { check, name } of IdempotencyStoreLaws.laws) it.effect(`the store of keys ${name}`, () => check)

    for (const { check, name } of RateLimiterLaws.sharedLaws) {
      it.effect(`the limiter ${name}, between instances`, () =>
        Effect.flatMap(url, (url) => check((keyPrefix) => RedisRateLimiter.layer({ url, keyPrefix, ...patient }))))
    }

    for (const { check, name } of ResultCacheLaws.sharedLaws) {
      it.effect(`the cache ${name}, between instances`, () =>
        Effect.flatMap(url, (url) => check((keyPrefix) => RedisResultCache.layer({ url, keyPrefix, ...patient }))))
    }

    it.scoped("the limiter spreads buckets over the nodes, and counts each once", () =>
      Effect.gen(function*() {
        const limiter = yield* RedisRateLimiter.make({ url: yield* url, keyPrefix: "spread:", ...patient })
        for (let index = 0; index < 60; index++) {
          yield* limiter.take([{ key: `${index}`, amount: 1, capacity: 10, perSecond: 1e-4 }])
        }
        const { owners } = yield* RedisCluster.RedisCluster
        let sum = 0
        for (const { redis } of owners) {
          const keys = yield* Effect.promise(() => redis.keys("spread:*"))
          assert.isAbove(keys.length, 0)
          sum += keys.length
        }
        assert.strictEqual(sum, 60)
      }))
  })
})
