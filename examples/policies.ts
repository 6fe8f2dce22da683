/**
 * Chooses by the environment how often calls may be made, and where they are
 * counted: for all instances in Redis, or in this process.
 */
import * as IdempotencyStore from "causeway-mcp/policy/IdempotencyStore"
import * as Policy from "causeway-mcp/policy/Policy"
import * as RateLimiter from "causeway-mcp/policy/RateLimiter"
import * as RedisIdempotencyStore from "causeway-mcp/policy/RedisIdempotencyStore"
import * as RedisRateLimiter from "causeway-mcp/policy/RedisRateLimiter"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { announce, redisCluster, redisUrl } from "./settings.js"

const rateLimit = Config.integer("RATE_LIMIT").pipe(
  Config.validate({ message: "write how many calls a minute, 0 for no limit", validation: (limit) => limit >= 0 }),
  Config.withDefault(600),
  Config.withDescription("Calls a minute of one caller, all tools together; 0 for no limit")
)

// #region policy
/** What holds for the calls of all tools. */
export const serverPolicy = Effect.map(rateLimit, (limit) =>
  limit === 0 ? Policy.standard : Policy.all(
    Policy.standard,
    Policy.rateLimit({ limit, window: "1 minute", burst: Math.min(limit, 200), per: ["caller"] })
  ))
// #endregion policy

/** Counts calls, and remembers those that were sent with a key. */
export const Counting = Layer.unwrapEffect(Effect.gen(function*() {
  const url = yield* redisUrl
  if (Option.isNone(url)) return Layer.merge(RateLimiter.layerMemory, IdempotencyStore.layerMemory)
  yield* announce("limits: counted in Redis for all instances, and in this process while Redis does not answer")
  const redis = { url: url.value, ...(yield* redisCluster) }
  return Layer.merge(RedisRateLimiter.layer(redis), RedisIdempotencyStore.layer(redis))
}))
