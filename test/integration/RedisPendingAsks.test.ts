import { assert, describe, it, layer } from "@effect/vitest"
import * as PendingAsks from "causeway-mcp/ask/PendingAsks"
import * as RedisPendingAsks from "causeway-mcp/ask/RedisPendingAsks"
import * as PendingAsksLaws from "causeway-mcp/testing/PendingAsksLaws"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import * as RedisServer from "./redis.js"
import { client, collected, eventually, urlOf } from "./redisSession.js"

type Service = PendingAsks.PendingAsks["Type"]

const open = (options: RedisPendingAsks.Options) =>
  Effect.provide(RedisPendingAsks.make(options), Logger.remove(Logger.defaultLogger))

/** Waits under the key, and goes on when the question has been sent. */
const begun = (asks: Service, key: string) =>
  Effect.gen(function*() {
    const sent = yield* Deferred.make<void>()
    const waiting = yield* Effect.forkScoped(asks.wait(key, Effect.asVoid(Deferred.succeed(sent, undefined))))
    yield* Deferred.await(sent)
    return waiting
  })

const failure = <A>(effect: Effect.Effect<A, PendingAsks.PendingAsksError>) =>
  Effect.map(Effect.timed(Effect.flip(effect)), ([took, error]) => ({ ms: Duration.toMillis(took), error }))

RedisServer.suite("RedisPendingAsks on a server", () => {
  // The laws are not about time, and the machine may be busy.
  const commandTimeout = "10 seconds"

  const served = Layer.unwrapEffect(
    Effect.map(RedisServer.RedisServer, ({ port }) => RedisPendingAsks.layer({ url: urlOf(port), commandTimeout }))
  )

  layer(Layer.provideMerge(served, RedisServer.layer()), { excludeTestServices: true })("obeys the laws:", (it) => {
    for (const { check, name } of PendingAsksLaws.laws) it.effect(name, () => check)

    for (const { check, name } of PendingAsksLaws.sharedLaws) {
      it.effect(`${name}, between instances`, () =>
        Effect.flatMap(
          RedisServer.RedisServer,
          ({ port }) => check((prefix) => RedisPendingAsks.layer({ url: urlOf(port), prefix, commandTimeout }))
        ))
    }

    it.scoped("passes over whatever else is published on its channel", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const asks = yield* open({ url: urlOf(port), prefix: "foreign:" })
        const waiting = yield* begun(asks, "key")
        for (
          const text of ["", "\n", "key\n1", "\"key\"", "\"key\"\n", "\"key\"\n{", "[\"key\"]\n1", "\"other\"\n1", "{"]
        ) {
          assert.strictEqual(yield* Effect.promise(() => redis.publish("foreign:answers:0", text)), 1)
        }
        yield* Effect.promise(() => redis.publish("foreign:answers:0", "\"key\"\n\"right\""))
        assert.strictEqual(yield* Fiber.join(waiting), "right")
      }))

    it.scoped("sends nothing through Redis that is answered where it is waited for", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const asks = yield* open({ url: urlOf(port), prefix: "local:" })
        const seen: Array<string> = []
        redis.on("message", (_, text) => void seen.push(text))
        // The driver loses a subscription that is asked for before it is ready.
        yield* Effect.promise(() => redis.ping())
        yield* Effect.promise(() => redis.subscribe("local:answers:0"))
        assert.strictEqual(yield* asks.wait("key", Effect.orDie(asks.answer("key", "own"))), "own")
        yield* asks.answer("nobody's", "sent")
        yield* eventually(Effect.suspend(() => (seen.length > 0 ? Effect.void : Effect.fail("not yet"))))
        assert.deepStrictEqual(seen, ["\"nobody's\"\n\"sent\""])
      }))

    it.scoped("refuses an answer of over a megabyte, and the call waits on", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const [here, there] = yield* Effect.all([
          open({ url: urlOf(port), prefix: "large:" }),
          open({ url: urlOf(port), prefix: "large:" })
        ])
        const waiting = yield* begun(here, "key")
        for (const asks of [here, there]) {
          const error = yield* Effect.flip(asks.answer("key", "x".repeat(1024 * 1024 - 1)))
          assert.strictEqual(error._tag, "PendingAsksError")
          assert.strictEqual(error.method, "answer")
        }
        yield* there.answer("key", "small")
        assert.strictEqual(yield* Fiber.join(waiting), "small")
      }))

    it.scoped("keeps to its database, though Redis shares channels between them", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const [here, there, elsewhere] = yield* Effect.all([
          open({ url: urlOf(port, { db: 3 }) }),
          open({ url: urlOf(port, { db: 3 }) }),
          open({ url: urlOf(port) })
        ])
        const waiting = yield* begun(here, "key")
        yield* elsewhere.answer("key", "foreign")
        yield* there.answer("key", "own")
        assert.strictEqual(yield* Fiber.join(waiting), "own")
      }))

    it.scoped("says that the Redis user may not subscribe, and sends no question", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        yield* Effect.promise(() =>
          redis.call("ACL", "SETUSER", "mute", "on", ">pw", "+@all", "-subscribe", "~*", "&*")
        )
        const logs = collected()
        const asks = yield* Effect.provide(
          RedisPendingAsks.make({ url: urlOf(port, { credentials: "mute:pw@" }), prefix: "mute:" }),
          logs.layer
        )
        let sent = 0
        const { error } = yield* failure(asks.wait("key", Effect.sync(() => void sent++)))
        assert.strictEqual(error.method, "wait")
        assert.include(inspect(error, { depth: 5 }), "may not run the commands that the exchange of answers needs")
        assert.strictEqual(sent, 0)
        assert.lengthOf(logs.lines, 1)
      }))

    it.scoped("reads its settings from the configuration", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const here = yield* RedisPendingAsks.layerConfig({
          url: Config.redacted("REDIS_URL"),
          prefix: Config.string("PREFIX")
        }).pipe(
          Layer.build,
          Effect.withConfigProvider(
            ConfigProvider.fromMap(new Map([["REDIS_URL", Redacted.value(urlOf(port))], ["PREFIX", "configured:"]]))
          ),
          Effect.map(Context.get(PendingAsks.PendingAsks))
        )
        const there = yield* open({ url: urlOf(port), prefix: "configured:" })
        const waiting = yield* begun(here, "key")
        yield* there.answer("key", 1)
        assert.strictEqual(yield* Fiber.join(waiting), 1)
      }))
  })
})

RedisServer.suite("RedisPendingAsks, when Redis fails", () => {
  it.scopedLive("builds while the server is away, fails to wait and to answer in time, and works when it is there", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      yield* server.kill
      const [here, there] = yield* Effect.all([open({ url: urlOf(server.port) }), open({ url: urlOf(server.port) })])
      let sent = 0
      const send = Effect.sync(() => void sent++)
      const [waited, answered] = yield* Effect.all(
        [failure(here.wait("key", send)), failure(there.answer("key", 1))],
        { concurrency: 2 }
      )
      assert.strictEqual(waited.error.method, "wait")
      assert.strictEqual(answered.error.method, "answer")
      assert.strictEqual(sent, 0)
      for (const { ms } of [waited, answered]) assert.isTrue(ms > 2900 && ms < 4500, `${ms}`)
      yield* server.start
      const waiting = yield* eventually(begun(here, "key"))
      yield* eventually(there.answer("key", "back"))
      assert.strictEqual(yield* Fiber.join(waiting), "back")
    }))

  it.scopedLive("lets calls wait through an outage, and answers those of this instance meanwhile", () => {
    const logs = collected()
    return Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const here = yield* Effect.provide(RedisPendingAsks.make({ url: urlOf(server.port) }), logs.layer)
      const there = yield* open({ url: urlOf(server.port) })
      const first = yield* begun(here, "first")
      const second = yield* begun(here, "second")
      yield* server.kill
      yield* here.answer("first", "local")
      assert.strictEqual(yield* Fiber.join(first), "local")
      yield* Effect.sleep("500 millis")
      yield* server.start
      // A new question is sent only when this instance hears again.
      yield* eventually(here.wait("third", Effect.orDie(here.answer("third", "heard"))))
      yield* eventually(there.answer("second", "remote"))
      assert.strictEqual(yield* Fiber.join(second), "remote")
      yield* eventually(Effect.suspend(() => (logs.lines.length > 1 ? Effect.void : Effect.fail("not yet"))))
      assert.deepStrictEqual(logs.lines.map((line) => line.split(" ")[0]), ["WARN", "INFO"])
    })
  })

  it.scopedLive("brings an answer that came while the server was away for a moment", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const asks = yield* open({ url: urlOf(server.port) })
      yield* begun(asks, "other")
      yield* server.kill
      const answering = yield* Effect.fork(asks.answer("nobody's", "late"))
      yield* Effect.sleep("200 millis")
      yield* server.start
      yield* Fiber.join(answering)
    }))

  it.scopedLive("keeps its subscription while the server hangs, and hears what comes after", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const [here, there] = yield* Effect.all([open({ url: urlOf(server.port) }), open({ url: urlOf(server.port) })])
      const waiting = yield* begun(here, "key")
      yield* server.pause
      const answering = yield* Effect.fork(there.answer("key", "in the end"))
      yield* Effect.sleep("300 millis")
      yield* server.resume
      yield* Fiber.join(answering)
      assert.strictEqual(yield* Fiber.join(waiting), "in the end")
    }))
})

describe("RedisPendingAsks, given settings it cannot use", () => {
  it.effect("refuses the URL when it is built, without repeating it", () =>
    Effect.gen(function*() {
      const url = Redacted.make("http://:correct-horse@127.0.0.1")
      const error = yield* Effect.flip(Effect.scoped(Layer.build(RedisPendingAsks.layer({ url }))))
      assert.include(inspect(error, { depth: 5 }), "the Redis URL cannot be read")
      assert.notInclude(inspect(error, { depth: 5 }), "correct-horse")
    }))
})
