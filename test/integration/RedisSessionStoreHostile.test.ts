import { assert, it } from "@effect/vitest"
import * as RedisSessionStore from "causeway-mcp/session/RedisSessionStore"
import * as Effect from "effect/Effect"
import * as RedisServer from "./redis.js"
import { client, collected, event, eventually, failure, ids, open, urlOf, user } from "./redisSession.js"

RedisServer.suite("RedisSessionStore, when Redis is not what it should be", () => {
  it.scopedLive("fails as retryable while the server only reads, logs that once, and writes when it does again", () => {
    const { layer, lines } = collected()
    return Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const master = yield* RedisServer.make()
      const redis = yield* client(server.port)
      const store = yield* RedisSessionStore.make({ url: urlOf(server.port), commandTimeout: "500 millis" })
      yield* store.append(user, event("1"))
      yield* Effect.promise(() => redis.call("REPLICAOF", "127.0.0.1", String(master.port)))
      for (let call = 0; call < 20; call++) {
        const { error } = yield* failure(store.append(user, event("2")))
        assert.strictEqual(error.reason._tag, "Unavailable")
        yield* Effect.sleep("40 millis")
      }
      yield* Effect.promise(() => redis.call("REPLICAOF", "NO", "ONE"))
      assert.strictEqual(yield* eventually(store.append(user, event("2"))), "recorded")
      assert.isAtMost(lines.length, 2, lines.join("\n"))
    }).pipe(Effect.provide(layer))
  }, 30_000)

  it.scopedLive("gives nothing for a limit that is no number", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const store = yield* open({ url: urlOf(server.port) })
      yield* store.append(user, event("1"))
      assert.deepStrictEqual(yield* store.history(user, { limit: NaN }), [])
      assert.deepStrictEqual(ids(yield* store.history(user, { limit: 1.5 })), ["1"])
      assert.deepStrictEqual(ids(yield* store.history(user, { limit: Infinity })), ["1"])
    }))

  it.scopedLive("says that the server lacks a command, and does not call that retryable", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make(["--rename-command", "EVALSHA", "", "--rename-command", "EVAL", ""])
      const store = yield* open({ url: urlOf(server.port) })
      const { error } = yield* failure(store.append(user, event("1")))
      assert.strictEqual(
        error.message,
        "SessionStore.append: this Redis does not have the commands that the session store needs"
      )
      assert.isFalse(error.isRetryable)
    }))

  it.scopedLive(
    "keeps 20,000 events of a user, and lets go of all but a few at once when told to",
    () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.make()
        const redis = yield* client(server.port)
        const options = { url: urlOf(server.port), commandTimeout: "5 seconds" } as const
        const store = yield* open({ ...options, retention: { maxEvents: 20_000 } })
        yield* Effect.forEach(
          Array.from({ length: 20_500 }, (_, n) => event(`${n}`)),
          (one) => store.append(user, one),
          {
            concurrency: 256,
            discard: true
          }
        )
        assert.deepStrictEqual(ids(yield* store.history(user, { limit: 2 })), ["20499", "20498"])
        assert.strictEqual((yield* store.history(user)).length, 20_000)
        assert.strictEqual(yield* store.append(user, event("500")), "duplicate")
        assert.strictEqual(yield* store.append(user, event("499")), "recorded")
        yield* Effect.promise(() => redis.config("RESETSTAT"))
        const frugal = yield* open({ ...options, retention: { maxEvents: 100 } })
        assert.strictEqual(yield* frugal.append(user, event("x")), "recorded")
        // The server does nothing else while it lets go of them.
        const calls = yield* Effect.promise(() => redis.info("commandstats"))
        assert.notInclude(calls, "cmdstat_rpop")
        assert.include(calls, "cmdstat_sadd:calls=101")
        const kept = ids(yield* frugal.history(user))
        assert.deepStrictEqual([kept.length, kept[0], kept[1], kept[99]], [100, "x", "499", "20402"])
        assert.strictEqual(yield* frugal.append(user, event("20402")), "duplicate")
        assert.strictEqual(yield* frugal.append(user, event("20401")), "recorded")
      }),
    60_000
  )

  it.scopedLive("fails at once beyond 64 MiB that a server which hangs does not take", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const store = yield* open({ url: urlOf(server.port), commandTimeout: "2 seconds" })
      yield* store.ping
      yield* server.pause
      const text = "x".repeat(60_000)
      let late = 0
      const flood = yield* Effect.fork(Effect.forEach(
        Array.from({ length: 4000 }, (_, n) => ({ ...event(`${n}`), text })),
        (one) => Effect.map(failure(store.append(user, one)), ({ ms }) => late += ms > 1500 ? 1 : 0),
        { concurrency: "unbounded", discard: true }
      ))
      yield* flood.await
      // Some 64 MiB and what the sockets hold; without a bound all 240 MB would wait.
      assert.isBelow(late * text.length, 120_000_000)
      assert.isAbove(late, 0)
      yield* server.resume
      yield* eventually(store.ping)
    }), 60_000)
})
