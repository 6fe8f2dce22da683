import { assert, layer } from "@effect/vitest"
import * as RedisSessionStore from "causeway-mcp/session/RedisSessionStore"
import * as SessionStore from "causeway-mcp/session/SessionStore"
import * as SessionStoreLaws from "causeway-mcp/testing/SessionStoreLaws"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as RedisServer from "./redis.js"
import { client, event, ids, open, urlOf, user } from "./redisSession.js"

RedisServer.suite("RedisSessionStore on a server", () => {
  // The laws are not about time, and the machine may be busy.
  const commandTimeout = "10 seconds"

  const served = Layer.unwrapEffect(
    Effect.map(RedisServer.RedisServer, ({ port }) => RedisSessionStore.layer({ url: urlOf(port), commandTimeout }))
  )

  layer(Layer.provideMerge(served, RedisServer.layer()), { excludeTestServices: true })("obeys the laws:", (it) => {
    for (const { check, name } of SessionStoreLaws.laws) it.effect(name, () => check)

    for (const { check, name } of SessionStoreLaws.retentionLaws) {
      it.effect(name, () =>
        Effect.flatMap(RedisServer.RedisServer, ({ port }) =>
          check({
            layer: (retention) => RedisSessionStore.layer({ url: urlOf(port), retention, commandTimeout }),
            pass: Effect.sleep
          })), { concurrent: true })
    }

    it.scoped("uses two keys for a user, in one slot of a cluster, and both expire", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const store = yield* open({ url: urlOf(port), keyPrefix: "two:" })
        yield* store.append({ tenant: "a{b}", userId: "c:d" }, event("1"))
        const keys = (yield* Effect.promise(() => redis.keys("two:*"))).sort()
        assert.deepStrictEqual(keys, ["two:{a%7b;b%7d;:c%3a;d}:events", "two:{a%7b;b%7d;:c%3a;d}:ids"])
        for (const key of keys) {
          const left = yield* Effect.promise(() => redis.pttl(key))
          assert.isTrue(left > 0 && left <= Duration.toMillis("30 days"), `${left}`)
        }
      }))

    it.scoped("leaves nothing behind of a user it forgot", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const store = yield* open({ url: urlOf(port), keyPrefix: "gone:" })
        yield* store.append(user, event("1"))
        yield* store.forget(user)
        assert.deepStrictEqual(yield* Effect.promise(() => redis.keys("gone:*")), [])
      }))

    it.scoped("goes on when the server has lost its scripts", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const store = yield* open({ url: urlOf(port), keyPrefix: "scripts:" })
        yield* store.append(user, event("1"))
        yield* Effect.promise(() => redis.script("FLUSH"))
        assert.strictEqual(yield* store.append(user, event("2")), "recorded")
        assert.strictEqual(yield* store.append(user, event("1")), "duplicate")
        assert.deepStrictEqual(ids(yield* store.history(user)), ["2", "1"])
      }))

    for (const evicted of ["events", "ids"]) {
      it.scoped(`loses and doubles nothing more when Redis evicts a user's ${evicted} alone`, () =>
        Effect.gen(function*() {
          const { port } = yield* RedisServer.RedisServer
          const redis = yield* client(port)
          const store = yield* open({ url: urlOf(port), keyPrefix: `evict-${evicted}:` })
          for (const id of ["1", "2"]) yield* store.append(user, event(id))
          yield* Effect.promise(() => redis.del(`evict-${evicted}:{acme:ada}:${evicted}`))
          const left = ids(yield* store.history(user))
          assert.strictEqual(yield* store.append(user, event("2")), left.includes("2") ? "duplicate" : "recorded")
          assert.strictEqual(yield* store.append(user, event("3")), "recorded")
          assert.deepStrictEqual(ids(yield* store.history(user)), left.includes("2") ? ["3", "2", "1"] : ["3", "2"])
        }))
    }

    it.scoped("passes over an entry that is no event", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const store = yield* open({ url: urlOf(port), keyPrefix: "foreign:" })
        yield* store.append(user, event("1"))
        yield* Effect.promise(() => redis.lpush("foreign:{acme:ada}:events", "not ours", "\"x\"\n{\"eventId\":1}"))
        assert.strictEqual(yield* store.append(user, event("2")), "recorded")
        assert.deepStrictEqual(ids(yield* store.history(user)), ["2", "1"])
      }))

    it.scoped("says that its keys hold something else, and does not call that retryable", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const store = yield* open({ url: urlOf(port), keyPrefix: "taken:" })
        yield* Effect.promise(() => redis.set("taken:{acme:ada}:events", "x"))
        const error = yield* Effect.flip(store.history(user))
        assert.strictEqual(error.reason._tag, "Misconfigured")
        assert.isFalse(error.isRetryable)
      }))

    it.scoped("shares what it keeps with another instance, and records an event once between them", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const stores = yield* Effect.all([
          open({ url: urlOf(port), keyPrefix: "shared:" }),
          open({ url: urlOf(port), keyPrefix: "shared:" })
        ])
        const outcomes = yield* Effect.forEach(
          Array.from({ length: 200 }, (_, index) => index),
          (index) => (stores[index % 2] ?? stores[0]).append(user, event(`e${index % 50}`)),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(outcomes.filter((outcome) => outcome === "recorded"), 50)
        assert.lengthOf(yield* stores[1].history(user), 50)
      }))

    it.scoped("keeps to its database", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const store = yield* open({ url: urlOf(port, { db: 3 }), keyPrefix: "db:" })
        const other = yield* open({ url: urlOf(port), keyPrefix: "db:" })
        yield* store.append(user, event("1"))
        assert.deepStrictEqual(yield* other.history(user), [])
      }))

    it.scoped("refuses a database that the server does not have, and writes to no other", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const store = yield* open({ url: urlOf(port, { db: 99 }), keyPrefix: "nowhere:" })
        // The driver goes on with database 0 once it is connected, some calls later.
        for (let call = 0; call < 20; call++) {
          const error = yield* Effect.flip(store.append(user, event("1")))
          assert.strictEqual(error.message, "SessionStore.append: Redis has no database with the number in the URL")
          yield* Effect.sleep("5 millis")
        }
        assert.deepStrictEqual(yield* Effect.promise(() => redis.keys("nowhere:*")), [])
      }))

    it.scoped("reads its settings from the configuration", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const store = yield* RedisSessionStore.layerConfig({
          url: Config.redacted("REDIS_URL"),
          retention: { maxEvents: Config.integer("SESSION_EVENTS") }
        }).pipe(
          Layer.build,
          Effect.withConfigProvider(ConfigProvider.fromMap(
            new Map([["REDIS_URL", Redacted.value(urlOf(port))], ["SESSION_EVENTS", "1"]])
          )),
          Effect.map(Context.get(SessionStore.SessionStore))
        )
        for (const id of ["1", "2"]) yield* store.append({ ...user, tenant: "config" }, event(id))
        assert.deepStrictEqual(ids(yield* store.history({ ...user, tenant: "config" })), ["2"])
      }))
  })
})
