import { assert, describe, it } from "@effect/vitest"
import * as RedisSessionStore from "causeway-mcp/session/RedisSessionStore"
import type * as SessionStore from "causeway-mcp/session/SessionStore"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { inspect } from "node:util"
import * as RedisServer from "./redis.js"
import * as RedisCluster from "./redisCluster.js"
import { collected, event, failure, ids, open, urlOf, user } from "./redisSession.js"

const timeout = "500 millis"

/** Each has a cluster of its own, and nearly all that they do is to wait until its nodes agree. */
const together = { concurrent: true }

const durable = ["--appendonly", "yes", "--appendfsync", "always"]

/** Asks until the answer is a success, for half a minute: nodes take seconds to agree that one of them is gone. */
const atLast = <A, E>(effect: Effect.Effect<A, E>) =>
  effect.pipe(Effect.retry(Schedule.spaced("50 millis")), Effect.timeout("30 seconds"))

/** The store's key of the user of these tests, as far as it decides about the slot. */
const tag = "causeway:session:{acme:ada}"

const openAt = (node: RedisServer.RedisServer | undefined, more: Partial<RedisSessionStore.Options> = {}) =>
  open({ url: urlOf(node?.port ?? 0), cluster: true, commandTimeout: timeout, ...more })

const seen = (error: SessionStore.SessionStoreError) =>
  [inspect(error, { depth: 10 }), JSON.stringify(error), String(error.stack)].join("\n")

RedisServer.suite("RedisSessionStore, when a cluster fails", () => {
  it.scopedLive(
    "fails at once for the users of a node that crashed, and loses and doubles nothing when it is back",
    () => {
      const { layer, lines } = collected()
      return Effect.gen(function*() {
        const cluster = yield* RedisCluster.make({ args: durable })
        const { other, owner } = yield* cluster.find(tag)
        const store = yield* RedisSessionStore.make({ url: urlOf(other.port), cluster: true, commandTimeout: timeout })
        for (const id of ["1", "2"]) yield* store.append(user, event(id))
        yield* owner.kill
        const first = yield* failure(store.append(user, event("3")))
        assert.strictEqual(first.error.message, "SessionStore.append: the session store did not answer")
        assert.isTrue(first.error.isRetryable)
        assert.isBelow(first.ms, 1000)
        for (let call = 0; call < 20; call++) {
          const { error, ms } = yield* failure(store.history(user))
          assert.strictEqual(error.reason._tag, "Unavailable")
          assert.isBelow(ms, 300)
        }
        yield* owner.start
        assert.strictEqual(yield* atLast(store.append(user, event("3"))), "recorded")
        assert.strictEqual(yield* store.append(user, event("1")), "duplicate")
        assert.deepStrictEqual(ids(yield* store.history(user)), ["3", "2", "1"])
        yield* atLast(store.ping)
        assert.deepStrictEqual(lines.map((line) => line.split(" ")[0]), ["WARN", "INFO"])
        assert.include(lines[0], `a node of the Redis cluster at 127.0.0.1:${other.port}: it does not answer`)
      }).pipe(Effect.provide(layer))
    },
    { timeout: 60_000, ...together }
  )

  it.scopedLive("goes on with the replica that takes the place of a crashed node", () =>
    Effect.gen(function*() {
      const cluster = yield* RedisCluster.make({ replicas: true })
      const { other, owner } = yield* cluster.find(tag)
      const store = yield* openAt(other)
      for (const id of ["1", "2"]) yield* store.append(user, event(id))
      yield* Effect.promise(() => owner.redis.wait(1, 5000))
      yield* owner.kill
      yield* failure(store.append(user, event("3")))
      assert.strictEqual(yield* atLast(store.append(user, event("3"))), "recorded")
      assert.strictEqual(yield* store.append(user, event("2")), "duplicate")
      // Back as a replica it is no owner any more, and must not be asked.
      yield* owner.start
      yield* atLast(store.ping)
      assert.deepStrictEqual(ids(yield* atLast(store.history(user))), ["3", "2", "1"])
    }), { timeout: 90_000, ...together })

  it.scopedLive(
    "fails in time while a node hangs, serves the users of the others, and works again when it goes on",
    () =>
      Effect.gen(function*() {
        const cluster = yield* RedisCluster.make()
        const { other, owner } = yield* cluster.find(tag)
        const store = yield* openAt(other)
        yield* store.append(user, event("1"))
        yield* owner.pause
        const first = yield* failure(store.forget(user))
        assert.strictEqual(first.error.message, "SessionStore.forget: the session store did not answer")
        assert.isBelow(first.ms, 1000)
        yield* Effect.sleep("50 millis")
        // Once it is known to hang, nobody waits for it any more.
        assert.isBelow((yield* failure(store.history(user))).ms, 400)
        yield* owner.resume
        yield* RedisCluster.whole(cluster.owners)
        assert.strictEqual(yield* atLast(store.append(user, event("2"))), "recorded")
      }),
    { timeout: 60_000, ...together }
  )

  it.scopedLive("does not carry out later an erasure that it reported as failed", () =>
    Effect.gen(function*() {
      const cluster = yield* RedisCluster.make({ args: durable })
      const { other, owner } = yield* cluster.find(tag)
      const store = yield* openAt(other)
      yield* store.append(user, event("1"))
      yield* owner.pause
      for (let call = 0; call < 3; call++) yield* Effect.flip(store.forget(user))
      yield* owner.kill
      for (let call = 0; call < 3; call++) yield* Effect.flip(store.forget(user))
      yield* owner.start
      assert.deepStrictEqual(ids(yield* atLast(store.history(user))), ["1"])
      yield* Effect.sleep("1 second")
      assert.deepStrictEqual(ids(yield* store.history(user)), ["1"])
      const done = yield* Effect.promise(() => owner.redis.info("commandstats"))
      assert.include(done, "cmdstat_lrange:")
      assert.notInclude(done, "cmdstat_del:")
    }), { timeout: 60_000, ...together })

  it.scopedLive(
    "does not carry out later an erasure for a node that hung before it was connected to",
    () =>
      Effect.gen(function*() {
        const cluster = yield* RedisCluster.make()
        const { other, owner } = yield* cluster.find(tag)
        yield* (yield* openAt(owner)).append(user, event("1"))
        yield* owner.pause
        const store = yield* openAt(other)
        for (let call = 0; call < 3; call++) yield* Effect.flip(store.forget(user))
        yield* owner.resume
        assert.deepStrictEqual(ids(yield* atLast(store.history(user))), ["1"])
        const done = yield* Effect.promise(() => owner.redis.info("commandstats"))
        assert.notInclude(done, "cmdstat_del:")
      }),
    { timeout: 60_000, ...together }
  )

  it.scopedLive("builds while the whole cluster is away, says so once, and works as soon as it is there", () => {
    const { layer, lines } = collected()
    return Effect.gen(function*() {
      const cluster = yield* RedisCluster.make()
      for (const { kill } of cluster.owners) yield* kill
      const ports = cluster.owners.map(({ port }) => `127.0.0.1:${port}`)
      const store = yield* RedisSessionStore.make({
        url: urlOf(cluster.owners[0]?.port ?? 0),
        cluster: true,
        clusterNodes: ports,
        commandTimeout: timeout
      })
      const { error, ms } = yield* failure(store.ping)
      assert.strictEqual(error.message, "SessionStore.ping: the session store did not answer")
      assert.isBelow(ms, 1000)
      for (const { start } of cluster.owners) yield* start
      yield* atLast(store.ping)
      assert.strictEqual(yield* atLast(store.append(user, event("1"))), "recorded")
      assert.deepStrictEqual(lines.map((line) => line.split(" ")[0]), ["WARN", "INFO"])
    }).pipe(Effect.provide(layer))
  }, { timeout: 60_000, ...together })

  it.scopedLive(
    "finds its way back though every node it knew is gone and a replica has taken each place",
    () =>
      Effect.gen(function*() {
        const cluster = yield* RedisCluster.make({ replicas: true })
        const store = yield* openAt(cluster.owners[0])
        yield* store.append(user, event("1"))
        // One after the other, or no majority is left to promote a replica.
        for (const [index, { kill, redis }] of cluster.owners.entries()) {
          yield* Effect.promise(() => redis.wait(1, 5000))
          yield* kill
          const heir = cluster.replicas[index]
          if (heir === undefined) return assert.fail("no replica")
          yield* atLast(Effect.filterOrFail(
            Effect.promise(() => heir.redis.info("replication")),
            (info) => info.includes("role:master")
          ))
          yield* RedisCluster.whole(cluster.replicas)
        }
        assert.deepStrictEqual(ids(yield* atLast(store.history(user))), ["1"])
      }),
    { timeout: 120_000, ...together }
  )

  it.scopedLive("knows the password on every node, and repeats it nowhere", () => {
    const { layer, lines } = collected()
    const secret = "correct-horse-battery"
    const wrong = "wrong-p4ssword"
    return Effect.gen(function*() {
      const cluster = yield* RedisCluster.make()
      for (const { redis } of cluster.owners) yield* Effect.promise(() => redis.config("SET", "requirepass", secret))
      const { owner } = yield* cluster.find(tag)
      const url = urlOf(cluster.owners[0]?.port ?? 0)
      const store = yield* open({ url, password: Redacted.make(secret), cluster: true, commandTimeout: timeout })
      for (let index = 0; index < 20; index++) yield* store.append({ ...user, userId: `u${index}` }, event("1"))
      yield* owner.kill
      const away = yield* failure(store.append(user, event("1")))
      assert.isFalse(seen(away.error).includes(secret))

      const refused = yield* RedisSessionStore.make({ url, password: Redacted.make(wrong), cluster: true })
      const { error } = yield* failure(refused.append(user, event("1")))
      const said = owner === cluster.owners[0]
        ? "the session store did not answer"
        : "Redis refused the user name or the password"
      assert.strictEqual(error.message, `SessionStore.append: ${said}`)
      assert.isFalse([seen(error), ...lines].some((text) => text.includes(wrong) || text.includes(secret)))
    }).pipe(Effect.provide(layer))
  }, { timeout: 60_000, ...together })

  it.scopedLive("closes within a second, whether the nodes answer, hang or are away", () =>
    Effect.gen(function*() {
      const cluster = yield* RedisCluster.make()
      const all = (what: "kill" | "pause" | "resume") =>
        Effect.forEach(cluster.owners, (node) => node[what], { discard: true })
      const closing = (before: Effect.Effect<void>) =>
        Effect.gen(function*() {
          const scope = yield* Scope.make()
          const store = yield* Scope.extend(openAt(cluster.owners[0]), scope)
          yield* atLast(store.ping)
          yield* before
          const [took] = yield* Effect.timed(Scope.close(scope, Exit.void))
          assert.isBelow(Duration.toMillis(took), 1000)
          assert.strictEqual((yield* Effect.flip(store.history(user))).reason._tag, "Unavailable")
        })
      yield* closing(Effect.void)
      yield* closing(all("pause"))
      yield* all("resume")
      yield* closing(all("kill"))
    }), { timeout: 60_000, ...together })
})

describe("RedisSessionStore, given settings of a cluster that it cannot use", () => {
  const settings: ReadonlyArray<readonly [Partial<RedisSessionStore.Options>, string, string?]> = [
    [{ cluster: true }, "a Redis cluster has no database but 0; end the URL before it", "redis://:hunter2@127.0.0.1/1"],
    [{ clusterNodes: ["127.0.0.1:1"] }, "nodes of a Redis cluster are given, but the option cluster is not true"],
    ...["", "127.0.0.1", "redis://:hunter2@127.0.0.1:1", "hunter2@127.0.0.1:1", "127.0.0.1:0", "127.0.0.1:99999"].map(
      (node) =>
        [
          { cluster: true, clusterNodes: [node] },
          "a node of the Redis cluster cannot be read; write host:port, and [address]:port for IPv6"
        ] as const
    )
  ]
  for (const [options, message, url = "redis://:hunter2@127.0.0.1"] of settings) {
    it.effect(`refuses ${JSON.stringify(options)} when it is built, without repeating it`, () =>
      Effect.gen(function*() {
        const built = yield* Effect.either(Effect.scoped(RedisSessionStore.make({
          url: Redacted.make(url),
          ...options
        })))
        const error = Either.isLeft(built) ? built.left : assert.fail("it was built")
        assert.strictEqual(error.message, `SessionStore.open: ${message}`)
        assert.isFalse(seen(error).includes("hunter2"))
      }))
  }
})
