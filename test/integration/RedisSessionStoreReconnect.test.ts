import { assert, it } from "@effect/vitest"
import type * as SessionStore from "causeway-mcp/session/SessionStore"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as RedisServer from "./redis.js"
import { client, event, eventually, failure, ids, open, urlOf, user } from "./redisSession.js"

const timeout = "500 millis"
const writers = 8
const events = 5000

/** All keys that hold a text, in their names or in what is kept under them. */
const found = (port: number, text: string) =>
  Effect.scoped(Effect.flatMap(client(port), (redis) =>
    Effect.promise(async () => {
      const keys: Array<string> = []
      for await (const batch of redis.scanStream({ count: 1000 })) keys.push(...(batch as ReadonlyArray<string>))
      const kept = await Promise.all(keys.map(async (key) => [key, String(await redis.dump(key))]))
      return kept.filter((parts) => parts.some((part) => part.includes(text))).map(([key]) => key)
    })))

RedisServer.suite("RedisSessionStore, when appends are tried again", () => {
  it.scopedLive(
    "records 5,000 events once each, in order and none lost, through cuts, hangs and crashes",
    () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.make(["--appendonly", "yes", "--appendfsync", "always"])
        const stores = yield* Effect.replicateEffect(
          open({ url: urlOf(server.port), commandTimeout: timeout, retention: { maxEvents: events } }),
          2
        )
        let recorded = 0
        let failures = 0
        const acknowledged: Array<string> = []

        const append = (store: SessionStore.SessionStore["Type"], id: string) =>
          store.append(user, event(id)).pipe(
            Effect.tapError((error) => {
              failures++
              return error.reason._tag === "Unavailable" ? Effect.void : Effect.die(error)
            }),
            Effect.retry(Schedule.spaced("10 millis")),
            Effect.map(() => {
              acknowledged.push(id)
              recorded++
            })
          )

        const writing = yield* Effect.fork(Effect.forEach(
          Array.from({ length: writers }, (_, index) => index),
          (writer) =>
            Effect.forEach(
              Array.from({ length: events / writers }, (_, index) => `${writer}-${index}`),
              (id) => append(stores[writer % 2] ?? assert.fail("no store"), id),
              { discard: true }
            ),
          { concurrency: writers, discard: true }
        ))

        const cut = Effect.scoped(Effect.flatMap(client(server.port), (redis) =>
          Effect.promise(() =>
            redis.client("KILL", "TYPE", "normal", "SKIPME", "yes")
          )))
        const hang = Effect.zipRight(Effect.zipRight(server.pause, Effect.sleep("700 millis")), server.resume)
        const crash = Effect.zipRight(server.kill, server.start)
        const disturbances = [cut, hang, crash, cut, crash, hang, cut, crash, cut]
        for (const [index, disturb] of disturbances.entries()) {
          const after = (index + 1) * events / (disturbances.length + 1)
          yield* Effect.sync(() =>
            recorded
          ).pipe(
            Effect.filterOrFail((count) => count >= after),
            Effect.retry(Schedule.spaced("5 millis")),
            Effect.timeout("60 seconds")
          )
          yield* disturb
        }
        yield* Fiber.join(writing)

        assert.isAbove(failures, disturbances.length)
        const kept = ids(yield* eventually(stores[0]?.history(user) ?? assert.fail("no store")))
        assert.lengthOf(kept, events)
        assert.strictEqual(new Set(kept).size, events)
        assert.sameMembers([...kept], acknowledged)
        for (let writer = 0; writer < writers; writer++) {
          // Newest first: what one writer appended later stands before what it appended earlier.
          const own = kept.filter((id) => id.startsWith(`${writer}-`))
          assert.deepStrictEqual(own, Array.from(own, (_, index) => `${writer}-${own.length - 1 - index}`))
        }
        const redis = yield* client(server.port)
        assert.strictEqual(yield* Effect.promise(() => redis.scard("causeway:session:{acme:ada}:ids")), events)
      }),
    180_000
  )

  it.scopedLive(
    "leaves nothing of a forgotten user in Redis, neither in names nor in values",
    () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.make()
        const store = yield* open({ url: urlOf(server.port) })
        const other = { tenant: "acme", userId: "grace" }
        for (let index = 0; index < 250; index++) yield* store.append(user, event(`mine-${index}`))
        yield* store.append(other, event("theirs"))
        assert.lengthOf(yield* found(server.port, "mine-"), 2)
        yield* store.forget(user)
        for (const text of ["mine-", "ada"]) assert.deepStrictEqual(yield* found(server.port, text), [])
        assert.lengthOf(yield* found(server.port, "theirs"), 2)
      }),
    60_000
  )

  it.scopedLive(
    "erases a user once and for all though appends raced with it, also from two instances",
    () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.make()
        const [one, two] = yield* Effect.all([open({ url: urlOf(server.port) }), open({ url: urlOf(server.port) })])
        for (let round = 0; round < 20; round++) {
          yield* Effect.forEach(
            Array.from({ length: 20 }, (_, index) => index),
            (index) =>
              index === 10 ? one.forget(user) : (index % 2 === 0 ? one : two).append(user, event(`race-${index}`)),
            { concurrency: "unbounded", discard: true }
          )
          const left = ids(yield* two.history(user))
          assert.strictEqual(new Set(left).size, left.length)
          const redis = yield* client(server.port)
          const counted = yield* Effect.promise(() => redis.scard("causeway:session:{acme:ada}:ids"))
          assert.strictEqual(counted, left.length)
          yield* two.forget(user)
          assert.deepStrictEqual(yield* found(server.port, "race-"), [])
        }
      }),
    60_000
  )

  it.scopedLive(
    "says that an erasure failed while Redis is away, and erases when it is asked again",
    () =>
      Effect.gen(function*() {
        const server = yield* RedisServer.make(["--appendonly", "yes", "--appendfsync", "always"])
        const store = yield* open({ url: urlOf(server.port), commandTimeout: timeout })
        yield* store.append(user, event("mine"))
        yield* server.kill
        const { error, ms } = yield* failure(store.forget(user))
        assert.strictEqual(error.message, "SessionStore.forget: the session store did not answer")
        assert.isTrue(error.isRetryable)
        assert.isBelow(ms, 1000)
        yield* server.start
        yield* eventually(store.ping)
        assert.lengthOf(yield* found(server.port, "mine"), 2)
        yield* store.forget(user)
        assert.deepStrictEqual(yield* found(server.port, "mine"), [])
      }),
    60_000
  )
})
