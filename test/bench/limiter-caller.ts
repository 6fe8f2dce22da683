/**
 * One of several processes that take from one bucket as fast as they can, and
 * tell how much they had between two readings of Redis' own clock.
 *
 * @since 0.1.0
 */
import * as Experimental from "@effect/experimental/RateLimiter"
import * as ExperimentalRedis from "@effect/experimental/RateLimiter/Redis"
import type * as RateLimiter from "causeway-mcp/policy/RateLimiter"
import * as RedisRateLimiter from "causeway-mcp/policy/RedisRateLimiter"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Redis } from "ioredis"

/**
 * What a process is told to do.
 *
 * @since 0.1.0
 */
export interface Order {
  /** Ours, or the one of `@effect/experimental`, whose limit is a whole number a second. */
  readonly limiter: "ours" | "experimental"
  readonly port: number
  readonly deadline: Duration.DurationInput
  readonly key: string
  readonly capacity: number
  readonly perSecond: number
  readonly seconds: number
  /** Takes under way at once. */
  readonly concurrency: number
  readonly outage: RedisRateLimiter.Outage
  /** Whether Redis answers at the beginning and the end, so that its clock can be read. */
  readonly isClocked: boolean
}

/**
 * What it saw. Moments are microseconds of Redis' clock.
 *
 * @since 0.1.0
 */
export interface Seen {
  readonly asked: number
  readonly had: number
  readonly from: number
  readonly to: number
  readonly counted: Record<RateLimiter.Verdict["counted"], number>
  /** What was had without Redis. */
  readonly hadAlone: number
  /** Milliseconds. */
  readonly slowest: number
  readonly p99: number
}

type Take = Effect.Effect<Pick<RateLimiter.Verdict, "isAllowed" | "counted">>

const ours = (order: Order) =>
  Effect.map(
    RedisRateLimiter.make({
      url: Redacted.make(`redis://127.0.0.1:${order.port}`),
      keyPrefix: "bench:",
      deadline: order.deadline,
      outage: order.outage
    }),
    (limiter) => (key: string): Take =>
      Effect.suspend(() => limiter.take([{ key, amount: 1, capacity: order.capacity, perSecond: order.perSecond }]))
  )

const experimental = ({ perSecond, port }: Order) =>
  Effect.map(
    Layer.build(Layer.provide(Experimental.layer, ExperimentalRedis.layerStore({ host: "127.0.0.1", port }))),
    (context) => (key: string): Take =>
      Experimental.RateLimiter.pipe(
        Effect.flatMap((limiter) =>
          limiter.consume({ algorithm: "token-bucket", key, limit: perSecond, window: "1 second" })
        ),
        Effect.match({
          onFailure: () => ({ isAllowed: false, counted: "shared" as const }),
          onSuccess: () => ({ isAllowed: true, counted: "shared" as const })
        }),
        Effect.provide(context)
      )
  )

/** Code that runs for the first time is slow, and a bucket that runs over is no fault of the limiter's. */
const warmUp = 1500

const run = (order: Order): Effect.Effect<Seen> =>
  Effect.gen(function*() {
    const { concurrency, isClocked, key, port, seconds } = order
    const take = yield* order.limiter === "ours" ? ours(order) : experimental(order)
    const clock = new Redis({ host: "127.0.0.1", port, retryStrategy: () => 100 })
    clock.on("error", () => undefined)
    const time = async () => {
      if (!isClocked) return performance.now() * 1000
      const [whole = 0, rest = 0] = await clock.time()
      return Number(whole) * 1e6 + Number(rest)
    }
    const all = (one: Effect.Effect<void>) =>
      Effect.all(Array.from({ length: concurrency }, () => one), { concurrency: "unbounded", discard: true })
    const warm = performance.now() + warmUp
    yield* all(Effect.gen(function*() {
      while (performance.now() < warm) yield* take(`${key}:warm`)
    }))
    const counted = { shared: 0, local: 0, none: 0 }
    const waits: Array<number> = []
    let had = 0
    let hadAlone = 0
    const from = yield* Effect.promise(time)
    const end = performance.now() + seconds * 1000
    const one = Effect.gen(function*() {
      while (performance.now() < end) {
        const began = performance.now()
        const verdict = yield* take(key)
        waits.push(performance.now() - began)
        counted[verdict.counted] += 1
        if (verdict.isAllowed) {
          had += 1
          if (verdict.counted !== "shared") hadAlone += 1
        }
        // Without Redis a take waits for nothing, and others have to have their turn.
        if (verdict.counted !== "shared") yield* Effect.sleep("1 millis")
      }
    })
    yield* all(one)
    const to = yield* Effect.promise(time)
    clock.disconnect()
    waits.sort((one, other) => one - other)
    return {
      asked: waits.length,
      had,
      from,
      to,
      counted,
      hadAlone,
      slowest: waits.at(-1) ?? 0,
      p99: waits[Math.floor(waits.length * 0.99)] ?? 0
    }
  }).pipe(Effect.scoped, Effect.orDie)

process.once("message", (order: Order) => {
  Effect.runPromise(run(order)).then((seen) => process.send?.(seen, () => process.exit(0)))
})
process.send?.("ready")
