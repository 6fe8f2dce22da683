import { assert, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Server } from "node:net"
import { createServer } from "node:net"
import * as RedisServer from "./redis.js"
import { client, collected, event, eventually, failure, ids, open, urlOf, user } from "./redisSession.js"

const timeout = "500 millis"

/** Holds up the event loop where its timers come before what there is to read. */
const heldUp = (ms: number) =>
  Effect.async<void>((resume) => {
    setImmediate(() => {
      const end = performance.now() + ms
      while (performance.now() < end);
      resume(Effect.void)
    })
  })

RedisServer.suite("RedisSessionStore, when Redis fails", () => {
  it.scopedLive("fails in time after a crash, works again after a restart, and doubles nothing", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const store = yield* open({ url: urlOf(server.port), commandTimeout: timeout })
      yield* store.append(user, event("1"))
      yield* server.kill
      const { error, ms } = yield* failure(store.append(user, event("2")))
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.strictEqual(error.method, "append")
      assert.isTrue(error.isRetryable)
      assert.isBelow(ms, 1000)
      yield* server.start
      assert.strictEqual(yield* eventually(store.append(user, event("2"))), "recorded")
      assert.strictEqual(yield* store.append(user, event("2")), "duplicate")
      assert.deepStrictEqual(ids(yield* store.history(user)), ["2"])
    }))

  it.scopedLive("fails every call in flight when the server crashes, in time", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const store = yield* open({ url: urlOf(server.port), commandTimeout: timeout })
      yield* store.ping
      yield* server.pause
      const calls = yield* Effect.fork(failure(
        Effect.validateAll(Array.from({ length: 50 }, (_, index) => event(`${index}`)), (given) =>
          store.append(user, given), { concurrency: "unbounded" }).pipe(
            Effect.mapError(([first, ...rest]) => {
              assert.lengthOf(rest, 49)
              return first
            })
          )
      ))
      yield* Effect.yieldNow()
      yield* server.kill
      const { error, ms } = yield* Fiber.join(calls)
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.isBelow(ms, 1000)
    }))

  it.scopedLive("fails in time while the server hangs, and works again when it goes on", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const store = yield* open({ url: urlOf(server.port), commandTimeout: timeout })
      yield* store.append(user, event("1"))
      yield* server.pause
      const first = yield* failure(store.history(user))
      assert.strictEqual(first.error.reason._tag, "Unavailable")
      assert.isBelow(first.ms, 1000)
      // Once it is known to hang, nobody waits for it any more.
      yield* Effect.sleep("10 millis")
      const second = yield* failure(store.history(user))
      assert.isBelow(second.ms, 400)
      yield* server.resume
      assert.deepStrictEqual(ids(yield* eventually(store.history(user))), ["1"])
    }))

  it.scopedLive("learns that the server hangs also when nobody waited for its answer so long", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const store = yield* open({ url: urlOf(server.port), commandTimeout: timeout })
      yield* store.ping
      yield* server.pause
      yield* Effect.timeoutOption(store.history(user), "50 millis")
      yield* Effect.sleep("600 millis")
      assert.isBelow((yield* failure(store.history(user))).ms, 400)
      yield* server.resume
      yield* eventually(store.ping)
    }))

  it.scopedLive("keeps its connection when this process was held up, and not the server", () => {
    const { layer, lines } = collected()
    return Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const store = yield* open({ url: urlOf(server.port), commandTimeout: timeout })
      yield* store.ping
      const call = yield* Effect.fork(Effect.exit(store.append(user, event("1"))))
      yield* Effect.yieldNow()
      yield* heldUp(700)
      assert.isTrue(Exit.isFailure(yield* Fiber.join(call)))
      yield* heldUp(0)
      assert.deepStrictEqual(ids(yield* store.history(user)), ["1"])
      assert.deepStrictEqual(lines, [])
    }).pipe(Effect.provide(layer))
  })

  it.scopedLive("does not carry out later an erasure that it reported as failed", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const store = yield* open({ url: urlOf(server.port), commandTimeout: timeout })
      yield* store.ping
      yield* server.pause
      yield* Effect.flip(store.forget(user))
      yield* server.kill
      yield* Effect.flip(store.forget(user))
      yield* server.start
      yield* eventually(store.ping)
      const redis = yield* client(server.port)
      const done = yield* Effect.promise(() => redis.info("commandstats"))
      assert.include(done, "cmdstat_ping:")
      assert.notInclude(done, "cmdstat_del:")
    }))

  it.scopedLive("builds while the server is away, and works as soon as it is there", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      yield* server.kill
      const store = yield* open({ url: urlOf(server.port), commandTimeout: timeout })
      const { error, ms } = yield* failure(store.ping)
      assert.strictEqual(error.message, "SessionStore.ping: the session store did not answer")
      assert.isBelow(ms, 1000)
      yield* server.start
      yield* eventually(store.ping)
    }))

  it.scopedLive("waits for the first connection instead of failing the first call", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      for (let index = 0; index < 20; index++) {
        yield* Effect.scoped(Effect.flatMap(open({ url: urlOf(server.port) }), (store) => store.ping))
      }
    }))

  it.scopedLive("fails in time when nothing answers at the address", () =>
    Effect.gen(function*() {
      // Accepts connections and says nothing, as a blocked server does.
      const silent = yield* Effect.acquireRelease(
        Effect.async<Server>((resume) => {
          const server = createServer()
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const address = silent.address()
      const port = typeof address === "object" && address !== null ? address.port : assert.fail()
      const store = yield* open({ url: urlOf(port), commandTimeout: timeout })
      const { error, ms } = yield* failure(store.ping)
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.isBelow(ms, 1000)
    }))

  it.scopedLive("warns once per outage, however many attempts it takes", () => {
    const { layer, lines } = collected()
    return Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const store = yield* open({ url: urlOf(server.port), commandTimeout: timeout })
      yield* store.ping
      yield* server.kill
      yield* Effect.flip(store.ping)
      yield* Effect.sleep("1 second")
      yield* Effect.flip(store.ping)
      yield* server.start
      yield* eventually(store.ping)
      const kinds = lines.map((line) => line.split(" ")[0])
      assert.deepStrictEqual(kinds, ["WARN", "INFO"])
    }).pipe(Effect.provide(layer))
  })

  it.scopedLive("treats a full server as unavailable and still reads", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const redis = yield* client(server.port)
      const store = yield* open({ url: urlOf(server.port) })
      yield* store.append(user, event("1"))
      yield* Effect.promise(() => redis.config("SET", "maxmemory", "1"))
      const error = yield* Effect.flip(store.append(user, event("2")))
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.deepStrictEqual(ids(yield* store.history(user)), ["1"])
      yield* Effect.promise(() => redis.config("SET", "maxmemory", "0"))
      assert.strictEqual(yield* store.append(user, event("2")), "recorded")
    }))

  it.scopedLive("connects anew when its server has become a replica", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const redis = yield* client(server.port)
      const store = yield* open({ url: urlOf(server.port) })
      yield* store.ping
      const connections = Effect.map(
        Effect.promise(() => redis.info("stats")),
        (stats) => Number(/total_connections_received:(\d+)/.exec(stats)?.[1])
      )
      const before = yield* connections
      yield* Effect.promise(() => redis.replicaof("127.0.0.1", 1))
      assert.strictEqual((yield* Effect.flip(store.append(user, event("1")))).reason._tag, "Unavailable")
      // After a failover another connection may find the new primary under the same name.
      yield* eventually(Effect.filterOrFail(connections, (now) => now > before))
      yield* Effect.promise(() => redis.replicaof("NO", "ONE"))
      assert.strictEqual(yield* eventually(store.append(user, event("1"))), "recorded")
    }))

  it.scopedLive("closes within a second, whether the server answers, hangs or is away", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const closing = (before: Effect.Effect<void>) =>
        Effect.gen(function*() {
          const scope = yield* Scope.make()
          const store = yield* Scope.extend(open({ url: urlOf(server.port), commandTimeout: timeout }), scope)
          yield* store.ping
          yield* before
          const [took] = yield* Effect.timed(Scope.close(scope, Exit.void))
          assert.isBelow(Duration.toMillis(took), 1000)
          assert.strictEqual((yield* Effect.flip(store.ping)).reason._tag, "Unavailable")
        })
      yield* closing(Effect.void)
      yield* closing(server.pause)
      yield* server.resume
      yield* closing(server.kill)
    }))
})
