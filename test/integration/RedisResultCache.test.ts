import { assert, it, layer } from "@effect/vitest"
import * as RedisResultCache from "causeway-mcp/policy/RedisResultCache"
import * as ResultCache from "causeway-mcp/policy/ResultCache"
import * as ResultCacheLaws from "causeway-mcp/testing/ResultCacheLaws"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as RedisServer from "./redis.js"
import { client, collected, eventually, urlOf } from "./redisSession.js"

const open = (options: RedisResultCache.Options) =>
  Effect.provide(RedisResultCache.make(options), Logger.remove(Logger.defaultLogger))

const minute = 60_000

const kept = (value: unknown): ResultCache.Kept => ({ json: JSON.stringify(value), madeAt: 1_700_000_000_000 })

type Cache = ResultCache.ResultCache["Type"]

/** Keeps and reads until it works. */
const works = (cache: Cache, key: string) =>
  eventually(Effect.zipRight(cache.set(key, kept("back"), minute), Effect.flatten(cache.get(key))))

// The laws are not about haste, and the machine may be busy.
const patient = { commandTimeout: "10 seconds", deadline: "10 seconds" } as const

RedisServer.suite("RedisResultCache on a server", () => {
  const served = Layer.unwrapEffect(
    Effect.map(RedisServer.RedisServer, ({ port }) => RedisResultCache.layer({ url: urlOf(port), ...patient }))
  )

  layer(Layer.provideMerge(served, RedisServer.layer()), { excludeTestServices: true })("obeys the laws:", (it) => {
    for (const { check, name } of ResultCacheLaws.laws) it.effect(name, () => check)

    for (const { check, name } of ResultCacheLaws.timedLaws) it.effect(name, () => check(Effect.sleep))

    for (const { check, name } of ResultCacheLaws.sharedLaws) {
      it.effect(`${name}, between instances`, () =>
        Effect.flatMap(
          RedisServer.RedisServer,
          ({ port }) => check((keyPrefix) => RedisResultCache.layer({ url: urlOf(port), keyPrefix, ...patient }))
        ))
    }

    it.scoped("digests keys, and every entry expires", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const cache = yield* open({ url: urlOf(port), keyPrefix: "keys:", ...patient })
        yield* cache.set("tool\u0000{acme}", kept(1), minute)
        const keys = (yield* Effect.promise(() => redis.keys("keys:*"))).sort()
        assert.lengthOf(keys, 2)
        assert.match(keys[0] ?? "", /^keys:#[\w-]{43}$/u)
        assert.strictEqual(keys[1], "keys:{generations}:now")
        const left = yield* Effect.promise(() => redis.pttl(keys[0] ?? ""))
        assert.isTrue(left > 55_000 && left <= minute, `${left}`)
      }))

    it.scoped("passes over what it did not keep, and what is no JSON", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const cache = yield* open({ url: urlOf(port), keyPrefix: "foreign:", ...patient })
        yield* cache.set("a", kept("good"), minute)
        const good = (yield* Effect.promise(() => redis.get("foreign:a"))) ?? ""
        for (
          const text of ["", "x", "\n", good.slice(0, -1), good.replace("\n", " "), good.replace(/^\S+/u, "other")]
        ) {
          yield* Effect.promise(() => redis.set("foreign:a", text))
          assert.deepStrictEqual(yield* cache.get("a"), Option.none(), JSON.stringify(text))
        }
        yield* Effect.promise(() => redis.set("foreign:a", good))
        assert.deepStrictEqual(yield* cache.get("a"), Option.some(kept("good")))
      }))

    for (const evicted of ["now", "forgotten"]) {
      it.scoped(`brings nothing back that was forgotten when Redis evicts its key ${evicted}`, () =>
        Effect.gen(function*() {
          const { port } = yield* RedisServer.RedisServer
          const redis = yield* client(port)
          const options = { url: urlOf(port), keyPrefix: `evict-${evicted}:`, ...patient }
          const cache = yield* open(options)
          yield* cache.set("tool:a", kept(1), minute)
          yield* cache.forget("tool:")
          yield* Effect.promise(() => redis.del(`evict-${evicted}:{generations}:${evicted}`))
          for (const one of [cache, yield* open(options)]) {
            assert.deepStrictEqual(yield* one.get("tool:a"), Option.none())
            yield* one.set("tool:b", kept(2), minute)
            assert.deepStrictEqual(yield* one.get("tool:b"), Option.some(kept(2)))
          }
        }))
    }

    it.scoped("forgets all once when too many prefixes were forgotten, and stays small", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const cache = yield* open({ url: urlOf(port), keyPrefix: "many:", ...patient })
        yield* cache.set("other", kept(1), minute)
        for (let index = 0; index < 500; index++) yield* cache.forget(`tool ${index}`)
        assert.deepStrictEqual(yield* cache.get("other"), Option.some(kept(1)))
        yield* cache.forget("one more")
        assert.deepStrictEqual(yield* cache.get("other"), Option.none())
        assert.strictEqual(yield* Effect.promise(() => redis.zcard("many:{generations}:forgotten")), 0)
        yield* cache.set("other", kept(2), minute)
        assert.deepStrictEqual(yield* cache.get("other"), Option.some(kept(2)))
      }))

    it.scoped("goes on when the server has lost its scripts", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const cache = yield* open({ url: urlOf(port), keyPrefix: "scripts:", ...patient })
        yield* cache.set("a", kept(1), minute)
        yield* Effect.promise(() => redis.script("FLUSH"))
        yield* cache.forget("a")
        assert.deepStrictEqual(yield* cache.get("a"), Option.none())
      }))

    it.effect("reads its settings from Config", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const settings = RedisResultCache.layerConfig({ url: Config.redacted("REDIS_URL") })
        const provider = ConfigProvider.fromMap(new Map([["REDIS_URL", Redacted.value(urlOf(port))]]))
        yield* Effect.flatMap(ResultCache.ResultCache, (cache) => works(cache, "config")).pipe(
          Effect.provide(Layer.provide(settings, Layer.setConfigProvider(provider)))
        )
      }))
  })
})

RedisServer.suite("RedisResultCache, when Redis fails", () => {
  it.scopedLive("finds and keeps nothing after a crash or while the server hangs, at once, and heals by itself", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const cache = yield* open({ url: urlOf(server.port) })
      for (const [begin, end] of [[server.kill, server.start], [server.pause, server.resume]] as const) {
        yield* works(cache, "a")
        yield* begin
        for (let round = 0; round < 5; round++) {
          const [took, found] = yield* Effect.timed(
            Effect.zipRight(cache.set("b", kept(1), minute), Effect.zipLeft(cache.get("a"), cache.forget("c")))
          )
          assert.deepStrictEqual(found, Option.none())
          assert.isBelow(Duration.toMillis(took), 600)
        }
        yield* end
        yield* works(cache, "a")
      }
    }))

  it.scopedLive("reads on while the server is full, or finds nothing, and never fails", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const redis = yield* client(server.port)
      const cache = yield* open({ url: urlOf(server.port) })
      yield* works(cache, "a")
      yield* Effect.promise(() => redis.config("SET", "maxmemory", "1"))
      yield* cache.set("b", kept(1), minute)
      assert.deepStrictEqual(yield* cache.get("b"), Option.none())
      yield* Effect.promise(() => redis.config("SET", "maxmemory", "0"))
      yield* works(cache, "b")
    }))

  it.scopedLive("says once that an outage began and once that it is over, and no password", () => {
    const { layer, lines } = collected()
    return Effect.gen(function*() {
      const server = yield* RedisServer.make(["--requirepass", "sesame"])
      const cache = yield* RedisResultCache.make({ url: urlOf(server.port, { credentials: ":sesame@" }) })
      yield* works(cache, "a")
      yield* server.kill
      for (let round = 0; round < 5; round++) {
        yield* cache.get("a")
        yield* Effect.sleep("100 millis")
      }
      yield* server.start
      yield* works(cache, "a")
      yield* Effect.sleep("1500 millis")
      assert.deepStrictEqual(lines.map((line) => line.split(" ")[0]), ["WARN", "INFO"])
      assert.notInclude(lines.join("\n"), "sesame")
    }).pipe(Effect.provide(layer))
  })
})
