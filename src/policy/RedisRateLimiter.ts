/**
 * Counts for several instances in Redis, by its clock, and never over the limit.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as RedisConnection from "../redis/RedisConnection.js"
import * as RedisTrouble from "../redis/RedisTrouble.js"
import * as Buckets from "./internal/Buckets.js"
import * as LocalShare from "./internal/LocalShare.js"
import * as RedisAway from "./internal/RedisAway.js"
import * as SharedBuckets from "./internal/SharedBuckets.js"
import type { Verdict } from "./RateLimiter.js"
import { RateLimiter } from "./RateLimiter.js"

/**
 * What is done while Redis does not answer in time: `local` counts in this
 * process, each instance its share of every limit; `open` lets every call
 * through; `closed` refuses every call.
 *
 * @since 0.1.0
 * @category configuration
 */
export type Outage = { readonly mode: "local"; readonly instances: number } | { readonly mode: "open" | "closed" }

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options extends RedisConnection.Options {
  /** Without braces; `causeway:limit:` unless given. */
  readonly keyPrefix?: string | undefined
  /** The longest a call waits for Redis; 50 milliseconds unless given. */
  readonly deadline?: Duration.DurationInput | undefined
  /** `local` with 2 instances unless given. */
  readonly outage?: Outage | undefined
}

const words: Record<Outage["mode"], string> = {
  local: "calls are limited to this instance's share",
  open: "calls are not limited",
  closed: "limited calls are refused"
}

/** When to come again, when nobody can say, in milliseconds. */
const closedRetry = 1000

/**
 * Makes the limiter on a connection of its own, which ends with the scope. It
 * opens also while Redis is away, and goes back to counting there by itself. An
 * outage and its end are logged once each.
 *
 * Several buckets of one take are taken in one script, so that none is taken from
 * when another refuses; in a cluster, where they may lie on several nodes, one
 * after the other, and given back when a later one refuses.
 *
 * While Redis is away, a take waits for nothing. In `local` mode a bucket begins
 * with its share of what was left by the last answer for it, and what was taken
 * meanwhile is told to Redis with the next take from it, once: when that is lost
 * too, it is not told again. A reply that comes too late is made good: what was
 * taken for a call that did not run is given back, and what was also counted here
 * is not told again. A take whose reply never comes may have been counted, and is
 * then had too little, never too much.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<Context.Tag.Service<RateLimiter>, RedisTrouble.Trouble, Scope.Scope> =>
  Effect.gen(function*() {
    const outage: Outage = options.outage ?? { mode: "local", instances: 2 }
    const instances = outage.mode === "local" ? outage.instances : 1
    if (!(Number.isInteger(instances) && instances > 0)) {
      return yield* Effect.fail(
        new RedisTrouble.Misconfigured({ description: "the number of instances must be whole and above zero" })
      )
    }
    const clock = yield* Effect.clock
    const away = yield* RedisAway.open({
      options,
      user: "the rate limiter",
      prefix: "causeway:limit:",
      scripts: SharedBuckets.scripts,
      deadline: options.deadline ?? "50 millis"
    })
    const { desk, fall } = away
    const shared = SharedBuckets.make(desk)
    const local = outage.mode === "local" ? LocalShare.make(instances) : undefined
    const now = (): number => Number(clock.unsafeCurrentTimeNanos() / 1000n)
    let isForeignTold = false

    yield* away.watch({ probe: shared.probe, meanwhile: words[outage.mode] })

    const named = (takes: SharedBuckets.Takings): SharedBuckets.Takings =>
      Arr.map(takes, (one) => ({ ...one, key: desk.keyOf(one.key) }))

    const meanwhile = (takes: SharedBuckets.Takings): Verdict => {
      if (local !== undefined) return local.take(takes, now())
      const isAllowed = outage.mode === "open"
      const buckets = Arr.map(takes, ({ capacity }) => ({
        remaining: isAllowed ? capacity : 0,
        fullAfterMs: 0
      }))
      return isAllowed
        ? { isAllowed, retryAfterMs: 0, buckets, counted: "none" }
        : { isAllowed, retryAfterMs: closedRetry, buckets, refusedBy: 0, counted: "none" }
    }

    const giveBack = (takes: ReadonlyArray<Buckets.Taking>): Effect.Effect<void> =>
      Effect.catchAll(shared.give(takes), (trouble) => Effect.sync(() => fall(trouble)))

    /** After a late reply: `given` is what the call was told instead, and nothing when it did not wait. */
    const settle = (takes: SharedBuckets.Takings, given: Verdict | undefined) => (late: Verdict | undefined) => {
      if (late?.isAllowed !== true) return Effect.void
      if (given?.isAllowed !== true) return giveBack(takes)
      return local === undefined ? Effect.void : giveBack(local.known(takes))
    }

    const foreign = (takes: SharedBuckets.Takings): Effect.Effect<Verdict> => {
      const verdict = Effect.sync(() => meanwhile(takes))
      if (isForeignTold) return verdict
      isForeignTold = true
      const news = `${desk.name}: a key under the rate limiter's prefix holds something else; ${
        words[outage.mode]
      } there`
      return Effect.zipRight(Effect.logWarning(news), verdict)
    }

    const ask = (takes: SharedBuckets.Takings): Effect.Effect<Verdict> =>
      Effect.suspend(() => {
        let given: Verdict | undefined
        const told = local === undefined ? [] : local.tell(takes, now())
        return Effect.matchEffect(
          desk.ask(shared.take(takes, told), (late) => settle(takes, given)(late)),
          {
            onFailure: (trouble) => {
              fall(trouble)
              given = meanwhile(takes)
              return Exit.succeed(given)
            },
            onSuccess: (verdict) => {
              if (verdict === undefined) {
                local?.untold(takes, told)
                return foreign(takes)
              }
              local?.learn(takes, verdict, now())
              return Exit.succeed(verdict)
            }
          }
        )
      })

    return {
      take: (takes) => {
        for (const one of takes) {
          const wrong = Buckets.problem(one, 0)
          if (wrong !== undefined) return Exit.die(wrong)
        }
        const known = named(takes)
        return away.isAway() ? Exit.succeed(meanwhile(known)) : ask(known)
      },
      give: (one) =>
        Effect.suspend(() => {
          const wrong = Buckets.problem(one, -Infinity)
          if (wrong !== undefined) return Exit.die(wrong)
          const known = { ...one, key: desk.keyOf(one.key) }
          if (!away.isAway()) desk.fork(giveBack([known]))
          else local?.give(known, now())
          return Exit.void
        })
    }
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<RateLimiter, RedisTrouble.Trouble> =>
  Layer.scoped(RateLimiter, make(options))

/**
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<RateLimiter, RedisTrouble.Trouble | ConfigError.ConfigError> =>
  Layer.scoped(RateLimiter, Effect.flatMap(Config.unwrap(options), make))
