import { assert, describe, it, layer } from "@effect/vitest"
import * as Changes from "causeway-mcp/change/Changes"
import * as RedisChanges from "causeway-mcp/change/RedisChanges"
import * as ChangesLaws from "causeway-mcp/testing/ChangesLaws"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { inspect } from "node:util"
import * as RedisServer from "./redis.js"
import { client, collected, eventually, urlOf } from "./redisSession.js"

const open = (options: RedisChanges.Options) =>
  Effect.provide(RedisChanges.make(options), Logger.remove(Logger.defaultLogger))

const updated = (uri: string): Changes.Event => ({ _tag: "ResourceUpdated", uri })

const hear = (changes: Changes.Changes["Type"]) => {
  const heard: Array<Changes.Event> = []
  changes.listen((event) => void heard.push(event))
  return heard
}

const until = (isSo: () => boolean) => eventually(Effect.suspend(() => (isSo() ? Effect.void : Effect.fail("not yet"))))

/** Publishes a marker until it is heard there. */
const connected = (from: Changes.Changes["Type"], heard: ReadonlyArray<Changes.Event>) =>
  Effect.suspend(() => {
    const before = heard.length
    return Effect.raceFirst(
      until(() => heard.length > before),
      Effect.forever(Effect.zipRight(from.publish({ _tag: "ToolsChanged" }), Effect.sleep("20 millis")))
    )
  })

RedisServer.suite("RedisChanges on a server", () => {
  // The laws are not about time, and the machine may be busy.
  const commandTimeout = "10 seconds"

  const silent = (options: RedisChanges.Options) =>
    Layer.provide(RedisChanges.layer({ commandTimeout, ...options }), Logger.remove(Logger.defaultLogger))

  const served = Layer.unwrapEffect(
    Effect.map(RedisServer.RedisServer, ({ port }) => silent({ url: urlOf(port) }))
  )

  layer(Layer.provideMerge(served, RedisServer.layer()), { excludeTestServices: true })("obeys the laws:", (it) => {
    for (const { check, name } of ChangesLaws.laws) it.effect(name, () => check)

    for (const { check, name } of ChangesLaws.sharedLaws) {
      it.effect(`${name}, between instances`, () =>
        Effect.flatMap(
          RedisServer.RedisServer,
          ({ port }) => check((prefix) => silent({ url: urlOf(port), prefix }))
        ))
    }

    it.scoped("passes over whatever else is published on its channel, and kinds of events it does not know", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const redis = yield* client(port)
        const heard = hear(yield* open({ url: urlOf(port), prefix: "foreign:" }))
        const publish = (text: string) => Effect.promise(() => redis.publish("foreign:changes:0", text))
        yield* eventually(Effect.filterOrFail(publish(""), (receivers) => receivers === 1))
        const texts = ["{", "null", "[]", "{}", "{\"from\":1,\"events\":[]}", "{\"from\":\"x\",\"events\":{}}"]
        for (const text of texts) yield* publish(text)
        yield* publish(JSON.stringify({
          from: "x",
          events: [{ _tag: "Unheard" }, null, { _tag: "ResourceUpdated" }, { ...updated("a"), more: 1 }]
        }))
        yield* until(() => heard.length > 0)
        assert.deepStrictEqual(heard, [updated("a")])
      }))

    it.scoped("keeps to its database, though Redis shares channels between them", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const [here, there, elsewhere] = yield* Effect.all([
          open({ url: urlOf(port, { db: 3 }), prefix: "db:" }),
          open({ url: urlOf(port, { db: 3 }), prefix: "db:" }),
          open({ url: urlOf(port), prefix: "db:" })
        ])
        const heard = hear(there)
        yield* connected(here, heard)
        const beyond = hear(elsewhere)
        yield* here.publish(updated("a"))
        yield* until(() => heard.some((event) => event._tag === "ResourceUpdated"))
        assert.deepStrictEqual(beyond, [])
      }))

    it.scoped("reads its settings from the configuration", () =>
      Effect.gen(function*() {
        const { port } = yield* RedisServer.RedisServer
        const here = yield* RedisChanges.layerConfig({
          url: Config.redacted("REDIS_URL"),
          prefix: Config.string("PREFIX")
        }).pipe(
          Layer.build,
          Effect.withConfigProvider(
            ConfigProvider.fromMap(new Map([["REDIS_URL", Redacted.value(urlOf(port))], ["PREFIX", "configured:"]]))
          ),
          Effect.map(Context.get(Changes.Changes))
        )
        yield* connected(here, hear(yield* open({ url: urlOf(port), prefix: "configured:" })))
      }))
  })
})

RedisServer.suite("RedisChanges, when Redis fails", () => {
  it.scopedLive("tells its own listeners at once while the server is away, and warns once", () => {
    const logs = collected()
    return Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const [here, there] = yield* Effect.all([
        Effect.provide(RedisChanges.make({ url: urlOf(server.port) }), logs.layer),
        open({ url: urlOf(server.port) })
      ])
      const [own, other] = [hear(here), hear(there)]
      yield* connected(here, other)
      yield* server.kill
      own.length = 0
      const [took] = yield* Effect.timed(
        Effect.forEach(Array.from({ length: 5000 }, (_, index) => updated(`${index}`)), here.publish)
      )
      assert.lengthOf(own, 5000)
      assert.isBelow(Duration.toMillis(took), 1000)
      yield* Effect.sleep("500 millis")
      yield* server.start
      other.length = 0
      yield* connected(here, other)
      yield* until(() => logs.lines.length > 1)
      assert.deepStrictEqual(logs.lines.map((line) => line.split(" ")[0]), ["WARN", "INFO"])
    })
  })

  it.scopedLive("forgets what was published long before the server came back", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      yield* server.kill
      const [here, there] = yield* Effect.all([open({ url: urlOf(server.port) }), open({ url: urlOf(server.port) })])
      const heard = hear(there)
      yield* here.publish(updated("old"))
      yield* Effect.sleep("3500 millis")
      yield* server.start
      yield* connected(here, heard)
      assert.isFalse(heard.some((event) => event._tag === "ResourceUpdated"))
    }))

  it.scopedLive("brings what was published when the server was about to come back", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const [here, there] = yield* Effect.all([open({ url: urlOf(server.port) }), open({ url: urlOf(server.port) })])
      const heard = hear(there)
      yield* connected(here, heard)
      // The connection of the publisher alone is cut.
      const redis = yield* client(server.port)

      yield* Effect.promise(() => redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
      yield* here.publish(updated("a"))
      yield* until(() => heard.some((event) => event._tag === "ResourceUpdated"))
    }))

  it.scopedLive("publishes without waiting while the server hangs", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const [here, there] = yield* Effect.all([open({ url: urlOf(server.port) }), open({ url: urlOf(server.port) })])
      const heard = hear(there)
      yield* connected(here, heard)
      yield* server.pause
      const [took] = yield* Effect.timed(here.publish(updated("a")))
      assert.isBelow(Duration.toMillis(took), 200)
      yield* server.resume
      yield* until(() => heard.some((event) => event._tag === "ResourceUpdated" && event.uri === "a"))
    }))
})

describe("RedisChanges, given settings it cannot use", () => {
  it.effect("refuses the URL when it is built, without repeating it", () =>
    Effect.gen(function*() {
      const url = Redacted.make("http://:correct-horse@127.0.0.1")
      const error = yield* Effect.flip(Effect.scoped(Layer.build(RedisChanges.layer({ url }))))
      assert.include(error.message, "the Redis URL cannot be read")
      assert.notInclude(inspect(error, { depth: 5 }), "correct-horse")
    }))
})
