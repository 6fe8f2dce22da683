import { assert, it, layer } from "@effect/vitest"
import * as IdempotencyStore from "causeway-mcp/policy/IdempotencyStore"
import * as RedisIdempotencyStore from "causeway-mcp/policy/RedisIdempotencyStore"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as IdempotencyStoreLaws from "causeway-mcp/testing/IdempotencyStoreLaws"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import * as RedisServer from "./redis.js"
import { client, collected, eventually, urlOf } from "./redisSession.js"

const open = (options: RedisIdempotencyStore.Options) =>
  Effect.provide(RedisIdempotencyStore.make(options), Logger.remove(Logger.defaultLogger))

const minute = 60_000

const failure = <A>(effect: Effect.Effect<A, IdempotencyStore.Unavailable>) =>
  Effect.map(Effect.timed(Effect.flip(effect)), ([took, error]) => ({ ms: Duration.toMillis(took), error }))

RedisServer.suite("RedisIdempotencyStore on a server", () => {
  const commandTimeout = "10 seconds"

  const served = Layer.unwrapEffect(
    Effect.map(RedisServer.RedisServer, ({ port }) => RedisIdempotencyStore.layer({ url: urlOf(port), commandTimeout }))
  )

  layer(Layer.provideMerge(served, RedisServer.layer()), { excludeTestServices: true })("obeys the laws:", (it) => {
    for (const { check, name } of IdempotencyStoreLaws.laws) it.effect(name, () => check)

    for (const { check, name } of IdempotencyStoreLaws.timedLaws) it.effect(name, () => check(Effect.sleep))

    for (const { check, name } of IdempotencyStoreLaws.sharedLaws) {
      it.effect(`${name}, between instances`, () =>
        Effect.flatMap(
          RedisServer.RedisServer,
          ({ port }) =>
            check((keyPrefix) => RedisIdempotencyStore.layer({ url: urlOf(port), keyPrefix, commandTimeout }))
        ))
    }

    it.scoped("uses one key, which expires with the lease, and then with the answer", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const store = yield* open({ url: urlOf(port), keyPrefix: "keys:", commandTimeout })
        const claim = yield* store.claim("acme:a{b}", "f", 20_000)
        assert(claim._tag === "Claimed")
        const [key = ""] = yield* Effect.promise(() => redis.keys("keys:*"))
        assert.match(key, /^keys:#[\w-]{43}$/u)
        const lease = yield* Effect.promise(() => redis.pttl(key))
        assert.isTrue(lease > 15_000 && lease <= 20_000, `${lease}`)
        yield* store.answer("acme:a{b}", claim.token, "1", 100_000)
        const kept = yield* Effect.promise(() => redis.pttl(key))
        assert.isTrue(kept > 95_000 && kept <= 100_000, `${kept}`)
      }))

    it.scoped("goes on when the server has lost its scripts", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const store = yield* open({ url: urlOf(port), keyPrefix: "scripts:", commandTimeout })
        yield* store.claim("a", "f", minute)
        yield* Effect.promise(() => redis.script("FLUSH"))
        assert.strictEqual((yield* store.claim("a", "f", minute))._tag, "Running")
      }))

    it.scoped("does not touch a key that holds something else", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const store = yield* open({ url: urlOf(port), keyPrefix: "foreign:", commandTimeout })
        yield* Effect.promise(() => redis.set("foreign:a", "something else"))
        assert.strictEqual((yield* Effect.flip(store.claim("a", "f", minute)))._tag, "Unavailable")
        assert.strictEqual(yield* Effect.promise(() => redis.get("foreign:a")), "something else")
      }))

    it.effect("reads its settings from Config", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const settings = RedisIdempotencyStore.layerConfig({ url: Config.redacted("REDIS_URL") })
        const provider = ConfigProvider.fromMap(new Map([["REDIS_URL", Redacted.value(urlOf(port))]]))
        const claim = yield* Effect.flatMap(
          IdempotencyStore.IdempotencyStore,
          (store) => store.claim("config", "f", minute)
        ).pipe(Effect.provide(Layer.provide(settings, Layer.setConfigProvider(provider))))
        assert.strictEqual(claim._tag, "Claimed")
      }))
  })
})

RedisServer.suite("RedisIdempotencyStore, when Redis fails", () => {
  const commandTimeout = "500 millis"

  it.scopedLive("fails in time after a crash, and works again after a restart", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const store = yield* open({ url: urlOf(server.port), commandTimeout })
      const claim = yield* store.claim("a", "f", minute)
      assert(claim._tag === "Claimed")
      yield* server.kill
      const { error, ms } = yield* failure(store.claim("b", "f", minute))
      assert.isTrue(error.isRetryable)
      assert.strictEqual(error.message, "the store of idempotency keys did not answer")
      assert.isBelow(ms, 1000)
      yield* server.start
      // What Redis has lost is lost: the late answer changes nothing.
      assert.isFalse(yield* eventually(store.answer("a", claim.token, "1", minute)))
      assert.strictEqual((yield* store.claim("a", "g", minute))._tag, "Claimed")
    }))

  it.scopedLive("fails in time while the server hangs, and gives back what it claimed late", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const store = yield* open({ url: urlOf(server.port), commandTimeout: "10 seconds" })
      yield* store.claim("before", "f", minute)
      yield* server.pause
      const { ms } = yield* TimeLimit.within(failure(store.claim("a", "f", minute)), "100 millis")
      assert.isBelow(ms, 600)
      yield* server.resume
      yield* Effect.sleep("100 millis")
      assert.strictEqual((yield* store.claim("a", "other", minute))._tag, "Claimed")
    }))

  it.scopedLive("refuses new keys while the server is full, and still gives back what it holds", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const redis = yield* client(server.port)
      const store = yield* open({ url: urlOf(server.port), commandTimeout })
      const claim = yield* store.claim("a", "f", minute)
      assert(claim._tag === "Claimed")
      yield* Effect.promise(() => redis.config("SET", "maxmemory", "1"))
      yield* failure(store.claim("b", "f", minute))
      yield* Effect.promise(() => redis.config("SET", "maxmemory", "0"))
      assert.strictEqual((yield* store.claim("a", "f", minute))._tag, "Running")
      yield* store.release("a", claim.token)
      assert.strictEqual((yield* store.claim("a", "f", minute))._tag, "Claimed")
    }))

  it.scopedLive("opens with a wrong password, fails, and repeats it nowhere", () => {
    const { layer, lines } = collected()
    return Effect.gen(function*() {
      const server = yield* RedisServer.make(["--requirepass", "right"])
      const store = yield* RedisIdempotencyStore.make({
        url: urlOf(server.port),
        password: Redacted.make("sesame"),
        commandTimeout
      })
      const { error } = yield* failure(store.claim("a", "f", minute))
      assert.notInclude(inspect(error, { depth: 10 }), "sesame")
      assert.lengthOf(lines, 1)
      assert.include(lines.join("\n"), "refused the user name or the password")
      assert.notInclude(lines.join("\n"), "sesame")
    }).pipe(Effect.provide(layer))
  })
})
