import { assert, layer } from "@effect/vitest"
import * as RedisChanges from "causeway-mcp/change/RedisChanges"
import * as RedisSlot from "causeway-mcp/redis/RedisSlot"
import * as RedisSessionStore from "causeway-mcp/session/RedisSessionStore"
import * as SessionStoreLaws from "causeway-mcp/testing/SessionStoreLaws"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as RedisServer from "./redis.js"
import * as RedisCluster from "./redisCluster.js"
import { collected, event, eventually, ids, open, urlOf, user } from "./redisSession.js"

// What is tested here is not about time, and the machine may be busy.
const commandTimeout = "10 seconds"

const everyUser = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ tenant: "acme", userId: `u${index}` }))

const urlOfNode = (cluster: RedisCluster.RedisCluster, index: number) => urlOf(cluster.owners[index]?.port ?? 0)

RedisServer.suite("RedisSessionStore on a cluster", () => {
  const served = Layer.unwrapEffect(
    Effect.map(
      RedisCluster.RedisCluster,
      (cluster) => RedisSessionStore.layer({ url: urlOfNode(cluster, 0), cluster: true, commandTimeout })
    )
  )

  layer(Layer.provideMerge(served, RedisCluster.layer()), { excludeTestServices: true })("obeys the laws:", (it) => {
    for (const { check, name } of SessionStoreLaws.laws) it.effect(name, () => check)

    for (const { check, name } of SessionStoreLaws.retentionLaws) {
      it.effect(name, () =>
        Effect.flatMap(RedisCluster.RedisCluster, (cluster) =>
          check({
            layer: (retention) =>
              RedisSessionStore.layer({ url: urlOfNode(cluster, 1), cluster: true, retention, commandTimeout }),
            pass: Effect.sleep
          })), { concurrent: true })
    }

    it.scoped("finds the slot of a key as the server does", () =>
      Effect.gen(function*() {
        const { owners } = yield* RedisCluster.RedisCluster
        const keys = ["", "a", "{a}b", "x{a}b", "{}a", "a{}{b}", "{a", "a}b{c}", "{{a}}", "é{日本}🙂", "{🙂}", "{a}{b}"]
        for (const key of keys) {
          const slot = yield* Effect.promise(async () => Number(await owners[0]?.redis.cluster("KEYSLOT", key)))
          assert.strictEqual(RedisSlot.of(key), slot, key)
        }
      }))

    it.scoped("spreads users over the nodes, and keeps both keys of a user on one", () =>
      Effect.gen(function*() {
        const cluster = yield* RedisCluster.RedisCluster
        const store = yield* open({ url: urlOfNode(cluster, 2), cluster: true, keyPrefix: "spread:", commandTimeout })
        yield* Effect.forEach(everyUser(60), (one) => store.append(one, event("1")), { concurrency: 10 })
        for (const { redis } of cluster.owners) {
          const keys = yield* Effect.promise(() => redis.keys("spread:*"))
          assert.isAbove(keys.length, 0)
          assert.strictEqual(keys.filter((key) => key.endsWith(":ids")).length, keys.length / 2)
        }
        yield* Effect.forEach(everyUser(60), (one) => store.forget(one), { concurrency: 10 })
        assert.deepStrictEqual(yield* cluster.keys("spread:*"), [])
      }))

    it.scoped("goes on when every node has lost its scripts", () =>
      Effect.gen(function*() {
        const cluster = yield* RedisCluster.RedisCluster
        const store = yield* open({ url: urlOfNode(cluster, 0), cluster: true, keyPrefix: "scripts:", commandTimeout })
        for (const one of everyUser(20)) yield* store.append(one, event("1"))
        for (const { redis } of cluster.owners) yield* Effect.promise(() => redis.script("FLUSH"))
        for (const one of everyUser(20)) assert.strictEqual(yield* store.append(one, event("1")), "duplicate")
      }))

    it.scoped("asks the other nodes given when there is nothing at the URL", () =>
      Effect.gen(function*() {
        const cluster = yield* RedisCluster.RedisCluster
        const store = yield* open({
          url: urlOf(1),
          cluster: true,
          clusterNodes: ["127.0.0.1:1", `localhost:${cluster.owners[2]?.port}`],
          keyPrefix: "seeds:",
          commandTimeout
        })
        assert.strictEqual(yield* store.append(user, event("1")), "recorded")
        yield* store.ping
      }))

    it.scoped("records and gives what it should while a user's slot moves to another node, and afterwards", () =>
      Effect.gen(function*() {
        const cluster = yield* RedisCluster.RedisCluster
        const { lines, layer } = collected()
        const store = yield* Effect.provide(
          RedisSessionStore.make({ url: urlOfNode(cluster, 0), cluster: true, keyPrefix: "move:", commandTimeout }),
          layer
        )
        const key = "move:{acme:ada}"
        const { other, owner, slot } = yield* cluster.find(key)
        const move = RedisCluster.migration(slot, owner, other, cluster.owners)
        for (const id of ["1", "2"]) yield* store.append(user, event(id))
        yield* move.begin
        assert.strictEqual(yield* store.append(user, event("3")), "recorded")
        yield* move.key(`${key}:events`)
        // What needs one key finds it; what needs both waits until both are in one place.
        assert.deepStrictEqual(ids(yield* store.history(user)), ["3", "2", "1"])
        const waiting = yield* Effect.fork(store.append(user, event("4")))
        yield* Effect.sleep("100 millis")
        assert.strictEqual(waiting.unsafePoll(), null)
        yield* move.key(`${key}:ids`)
        assert.strictEqual(yield* Fiber.join(waiting), "recorded")
        assert.strictEqual(yield* store.append(user, event("1")), "duplicate")
        yield* move.end
        assert.strictEqual(yield* store.append(user, event("5")), "recorded")
        assert.strictEqual(yield* store.append(user, event("4")), "duplicate")
        assert.deepStrictEqual(ids(yield* store.history(user)), ["5", "4", "3", "2", "1"])
        assert.lengthOf(yield* Effect.promise(() => other.redis.keys("move:*")), 2)
        yield* store.forget(user)
        assert.deepStrictEqual(yield* cluster.keys("move:*"), [])
        assert.deepStrictEqual(lines, [])
      }))

    it.scoped("follows a slot that has moved behind its back, with many calls at once", () =>
      Effect.gen(function*() {
        const cluster = yield* RedisCluster.RedisCluster
        const store = yield* open({ url: urlOfNode(cluster, 0), cluster: true, keyPrefix: "behind:", commandTimeout })
        const moving = { tenant: "behind", userId: "ada" }
        const { other, owner, slot } = yield* cluster.find("behind:{behind:ada}")
        const move = RedisCluster.migration(slot, owner, other, cluster.owners)
        const given = Array.from({ length: 180 }, (_, index) => event(`e${index}`))
        let recorded = 0
        const appends = yield* Effect.fork(Effect.forEach(
          given,
          (one) => Effect.tap(store.append(moving, one), () => Effect.sync(() => void recorded++)),
          { concurrency: 4 }
        ))
        yield* eventually(Effect.filterOrFail(Effect.sync(() => recorded), (count) => count > 30))
        yield* Effect.zipRight(move.begin, move.end)
        assert.isBelow(recorded, 180)
        assert.deepStrictEqual(yield* Fiber.join(appends), given.map(() => "recorded" as const))
        const kept = ids(yield* store.history(moving))
        assert.lengthOf(kept, 180)
        assert.strictEqual(new Set(kept).size, 180)
        assert.lengthOf(yield* Effect.promise(() => other.redis.keys("behind:*")), 2)
      }))

    it.scoped("says that the option is missing, or too much", () =>
      Effect.gen(function*() {
        const cluster = yield* RedisCluster.RedisCluster
        const { other } = yield* cluster.find("single:{single:ada}")
        const single = yield* open({ url: urlOf(other.port), keyPrefix: "single:" })
        const moved = yield* Effect.flip(single.history({ tenant: "single", userId: "ada" }))
        assert.strictEqual(
          moved.message,
          "SessionStore.history: this Redis is a node of a cluster; set the option cluster to true, or give the " +
            "address of a single server or of a proxy"
        )
        const server = yield* RedisServer.make()
        const tooMuch = yield* open({ url: urlOf(server.port), cluster: true })
        const none = yield* Effect.flip(tooMuch.history(user))
        assert.strictEqual(none.message, "SessionStore.history: this Redis is no cluster; leave out the option cluster")
        assert.isFalse(none.isRetryable)
      }))

    it.scoped("carries changes from an instance at one node to an instance at another", () =>
      Effect.gen(function*() {
        const cluster = yield* RedisCluster.RedisCluster
        const [one, other] = yield* Effect.all([
          RedisChanges.make({ url: urlOfNode(cluster, 0), cluster: true }),
          RedisChanges.make({ url: urlOfNode(cluster, 1), cluster: true })
        ])
        const heard: Array<string> = []
        other.listen(({ _tag }) => void heard.push(_tag))
        yield* eventually(Effect.filterOrFail(one.publish({ _tag: "ToolsChanged" }), () => heard.length > 0))
        assert.include(heard, "ToolsChanged")
      }))
  })
})
