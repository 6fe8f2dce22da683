import { assert, describe, it } from "@effect/vitest"
import * as RedisIdempotencyStore from "causeway-mcp/policy/RedisIdempotencyStore"
import * as RedisRateLimiter from "causeway-mcp/policy/RedisRateLimiter"
import * as RedisResultCache from "causeway-mcp/policy/RedisResultCache"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Net from "node:net"
import * as RedisServer from "./redis.js"
import { client, urlOf } from "./redisSession.js"

const deaf = Effect.provide(Logger.remove(Logger.defaultLogger))

/** Reads commands as a Redis does, and answers what `answer` says of their names; not at all where that is nothing. */
const fake = (answer: (name: string) => string | undefined) =>
  Effect.acquireRelease(
    Effect.async<{ readonly port: number; readonly server: Net.Server; readonly sockets: Set<Net.Socket> }>(
      (resume) => {
        const sockets = new Set<Net.Socket>()
        const server = Net.createServer((socket) => {
          sockets.add(socket)
          socket.on("error", () => undefined).on("data", (chunk: Buffer) => {
            for (const [, name = ""] of chunk.toString("latin1").matchAll(/\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n/gu)) {
              const reply = answer(name.toLowerCase())
              if (reply !== undefined) socket.write(reply)
            }
          })
        })
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          resume(Effect.succeed({ port: typeof address === "object" ? address?.port ?? 0 : 0, server, sockets }))
        })
      }
    ),
    ({ server, sockets }) =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
        server.close()
      })
  )

const info = "redis_version:7.0.15\r\nloading:0\r\n"
const healthy = (name: string): string | undefined =>
  name === "info" ? `$${info.length}\r\n${info}\r\n` : ["evalsha", "eval", "set", "get", "mget", "del"].includes(name)
    ? undefined
    : "+OK\r\n"

const replies = [
  "-MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk: sesame\r\n",
  "-LOADING Redis is loading the dataset in memory\r\n",
  "-READONLY You can't write against a read only replica. script: sesame\r\n",
  "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
  "-NOSCRIPT No matching script. Please use EVAL.\r\n",
  "-BUSY Redis is busy running a script.\r\n",
  "-ERR sesame\r\n",
  "+OK\r\n",
  ":1\r\n",
  "$-1\r\n",
  "*-1\r\n",
  "*0\r\n",
  "*1\r\n:7\r\n",
  "*4\r\n:0\r\n:0\r\n:-5\r\n:0\r\n",
  "*4\r\n:9\r\n:0\r\n:0\r\n:0\r\n",
  "*4\r\n:0\r\n:0\r\n$3\r\n1e3\r\n:0\r\n",
  "*1\r\n$8\r\nanswered\r\n",
  "*2\r\n$7\r\nrunning\r\n$4\r\nsoon\r\n",
  undefined
]

const take = { key: "a", amount: 1, capacity: 10, perSecond: 1e-4 }

/** A machine that is busy is slower than the deadline, by this much. */
const slack = 500

describe("The stores of policies on a Redis that answers", () => {
  for (const reply of replies) {
    const what = reply === undefined ? "nothing, with its connection open" : JSON.stringify(reply.slice(0, 30))
    it.scopedLive(`${what} do as they were told, in time, and repeat nothing of it`, () =>
      Effect.gen(function*() {
        const { port } = yield* fake((name) => healthy(name) ?? reply)
        const url = Redacted.make(`redis://127.0.0.1:${port}`)
        for (const mode of ["local", "open", "closed"] as const) {
          const outage = mode === "local" ? { mode, instances: 2 } : { mode }
          const limiter = yield* RedisRateLimiter.make({ url, outage })
          const [took, verdict] = yield* Effect.timed(limiter.take([take]))
          assert.isBelow(Duration.toMillis(took), 50 + slack)
          assert.strictEqual(verdict.counted, mode === "local" ? "local" : "none", JSON.stringify(verdict))
          assert.strictEqual(verdict.isAllowed, mode !== "closed")
        }
        const cache = yield* RedisResultCache.make({ url })
        const [tookCache, found] = yield* Effect.timed(
          Effect.zipRight(
            cache.set("a", { json: "1", madeAt: 0 }, 1000),
            Effect.zipLeft(cache.get("a"), cache.forget("b"))
          )
        )
        assert.isTrue(Option.isNone(found))
        assert.isBelow(Duration.toMillis(tookCache), 150 + slack)
        const store = yield* RedisIdempotencyStore.make({ url, commandTimeout: "200 millis" })
        const [tookClaim, claim] = yield* Effect.timed(Effect.either(store.claim("a", "f", 1000)))
        assert.isBelow(Duration.toMillis(tookClaim), 200 + slack)
        assert.strictEqual(claim._tag, "Left")
        if (claim._tag === "Left") assert.notInclude(`${claim.left.message} ${claim.left.cause}`, "sesame")
      }).pipe(deaf))
  }
})

RedisServer.suite("RedisRateLimiter on a server whose clock is set back", () => {
  it.scopedLive("goes on filling a bucket from then on, and gives no more than that", () =>
    Effect.gen(function*() {
      const server = yield* RedisServer.make()
      const redis = yield* client(server.port)
      const limiter = yield* RedisRateLimiter.make({
        url: urlOf(server.port),
        keyPrefix: "clock:",
        deadline: "10 seconds",
        commandTimeout: "10 seconds"
      })
      // Ten tokens were used, an hour from now.
      const [seconds] = yield* Effect.promise(() => redis.time())
      const ahead = `${(Number(seconds) + 3600) * 1_000_000} 10000000 20`
      yield* Effect.promise(() => redis.set("clock:a", ahead, "PX", 3_600_000))
      const bucket = { key: "a", amount: 1, capacity: 10, perSecond: 20 }
      const first = yield* limiter.take([bucket])
      assert.isFalse(first.isAllowed)
      assert.isAtMost(first.retryAfterMs, 60)
      yield* Effect.sleep(first.retryAfterMs + 10)
      const then = yield* limiter.take([{ ...bucket, amount: 0 }])
      assert.isAtLeast(then.buckets[0].remaining, 1)
      assert.isBelow(then.buckets[0].remaining, 10)
      assert.isTrue((yield* limiter.take([bucket])).isAllowed)
    }).pipe(deaf))
})
