import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as RedisServer from "./redis.js"
import * as RedisCluster from "./redisCluster.js"
import { event, ids, open, urlOf } from "./redisSession.js"

const users = Array.from({ length: 24 }, (_, index) => ({ tenant: "acme", userId: `u${index}` }))
const perUser = 100
const total = users.length * perUser

RedisServer.suite("RedisSessionStore on a cluster, when appends are tried again", () => {
  it.scopedLive(
    "records 2,400 events once each, in order and none lost, while slots move and nodes crash and hang",
    () =>
      Effect.gen(function*() {
        const cluster = yield* RedisCluster.make({ args: ["--appendonly", "yes", "--appendfsync", "always"] })
        const stores = yield* Effect.forEach(
          cluster.owners,
          ({ port }) => open({ url: urlOf(port), cluster: true, commandTimeout: "500 millis" })
        )
        let recorded = 0
        let failures = 0

        const writing = yield* Effect.fork(Effect.forEach(
          users,
          (user, index) => {
            const store = stores[index % stores.length] ?? assert.fail("no store")
            return Effect.forEach(
              Array.from({ length: perUser }, (_, count) => event(`${count}`)),
              (one) =>
                store.append(user, one).pipe(
                  Effect.tapError((error) => {
                    failures++
                    return error.reason._tag === "Unavailable" ? Effect.void : Effect.die(error)
                  }),
                  Effect.retry(Schedule.spaced("20 millis")),
                  Effect.map(() => void recorded++)
                ),
              { discard: true }
            )
          },
          { concurrency: 8, discard: true }
        ))

        const move = (user: number) =>
          Effect.gen(function*() {
            const { other, owner, slot } = yield* cluster.find(`causeway:session:{acme:u${user}}`)
            const { begin, end } = RedisCluster.migration(slot, owner, other, cluster.owners)
            yield* begin
            yield* end
          })
        const node = (index: number) => cluster.owners[index] ?? assert.fail("no node")
        const crash = (index: number) => Effect.zipRight(node(index).kill, node(index).start)
        const hang = (index: number) =>
          Effect.zipRight(Effect.zipRight(node(index).pause, Effect.sleep("700 millis")), node(index).resume)
        const disturbances = [move(9), crash(1), move(17), hang(2), crash(0), hang(1), move(22), crash(2)]
        for (const [index, disturb] of disturbances.entries()) {
          const after = (index + 1) * total / (disturbances.length + 1)
          yield* Effect.sync(() => recorded).pipe(
            Effect.filterOrFail((count) => count >= after),
            Effect.retry(Schedule.spaced("5 millis")),
            Effect.timeout("60 seconds")
          )
          yield* disturb
          // A slot is moved by commands that nodes refuse while one of them is not there.
          yield* RedisCluster.whole(cluster.owners)
        }
        yield* Fiber.join(writing)

        assert.isAbove(failures, 0)
        for (const [index, user] of users.entries()) {
          // Another instance than the one that wrote.
          const store = stores[(index + 1) % stores.length] ?? assert.fail("no store")
          const kept = ids(yield* Effect.retry(store.history(user), Schedule.spaced("50 millis")))
          assert.deepStrictEqual(kept, Array.from({ length: perUser }, (_, count) => `${perUser - 1 - count}`))
        }
      }),
    180_000
  )
})
