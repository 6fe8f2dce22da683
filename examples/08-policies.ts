/**
 * Policies around handlers: tried again when that may help, ended when it takes
 * too long, limited, shared, kept and run once; and refused by the compiler where
 * repeating would do harm.
 */
import * as Principal from "causeway-mcp/auth/Principal"
import * as Protect from "causeway-mcp/middleware/Protect"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as IdempotencyStore from "causeway-mcp/policy/IdempotencyStore"
import * as Policy from "causeway-mcp/policy/Policy"
import * as RateLimiter from "causeway-mcp/policy/RateLimiter"
import * as ResultCache from "causeway-mcp/policy/ResultCache"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as ToolError from "causeway-mcp/tool/ToolError"
import * as Plan from "causeway-mcp/toolkit/Plan"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import assert from "node:assert/strict"
import { main } from "./program.js"

const success = Schema.Struct({ euros: Schema.Number })
let tries = 0

// #region retry
const patiently = Policy.all(
  Policy.retry(Backoff.quick),
  Policy.attemptTimeout("2 seconds"),
  Policy.timeout("5 seconds")
)

const Price = Tool.make("share_price_of_oskavolt", {
  description: "Gives the present share price of Oskavolt, in euros",
  success,
  safety: "readOnly"
}).implement(() =>
  Effect.suspend(() =>
    ++tries < 3 ? ToolError.unavailable({ source: "exchange" }) : Evidence.computed("price", { euros: 12.5 })
  )
).pipe(Protect.by(patiently))
// #endregion retry

// #region timeout
const Forecast = Tool.make("forecast_of_oskavolt", {
  description: "Forecasts the share price of Oskavolt a year ahead, in euros",
  success,
  safety: "readOnly"
}).implement(() => Effect.never).pipe(Protect.by(Policy.timeout("200 millis")))
// #endregion timeout

// #region effectful
const Buy = Tool.make("buy_share_of_oskavolt", {
  description: "Buys one share of Oskavolt at the present price",
  success,
  safety: "effectful"
}).implement(() => Evidence.computed("purchase", { euros: 12.5 }))

// @ts-expect-error: a tool that is not safe to repeat takes no policy that may run it twice
Buy.pipe(Protect.by(patiently))
// #endregion effectful

// #region once
const BuyOnce = Buy.pipe(Protect.by(Policy.idempotent({ keep: "1 hour" })))
// #endregion once

let rows = 0
let isExchangeUp = true

// #region shared
const sharedAndKept = Policy.all(
  Policy.coalesce,
  Policy.cache({ timeToLive: "30 seconds", staleFor: "5 minutes" }),
  Policy.circuitBreaker(),
  Policy.fallback("stale"),
  Policy.fallback({ tool: "forecast_of_oskavolt", why: "it needs no exchange" })
)

const Closing = Tool.make("closing_price_of_company", {
  description: "Gives the last closing price of a company, in euros",
  parameters: { symbol: Schema.String },
  success,
  safety: "readOnly",
  isPublic: true // the same for every caller, so all may share what is kept
}).implement(() =>
  Effect.suspend(() =>
    isExchangeUp
      ? Effect.zipRight(Effect.sleep("20 millis"), Evidence.computed("price", { euros: 10 + ++rows }))
      : ToolError.unavailable({ source: "exchange" })
  )
).pipe(Protect.by(sharedAndKept))
// #endregion shared

// #region levels
const prices = Toolkit.make(Price, Forecast, Closing).pipe(
  Toolkit.protect(Policy.concurrency({ limit: 8, upstream: "exchange" }))
)

const tools = Toolkit.merge(prices, Toolkit.make(BuyOnce))

const policy = Policy.all(
  Policy.standard,
  Policy.rateLimit({ limit: 20, window: "1 minute", per: ["caller"] }),
  Policy.rateLimit({ limit: 1000, burst: 40, window: "1 minute", per: ["tenant"], name: "tenant" })
)

const Server = McpServer.layerTools(tools, { name: "broker", version: "1.0.0", policy }).pipe(
  Layer.provide(Layer.mergeAll(RateLimiter.layerMemory, ResultCache.layerMemory, IdempotencyStore.layerMemory))
)
// #endregion levels

const plan = () => {
  // #region plan
  const text = Plan.render(Plan.ofToolkit(tools, policy))
  // #endregion plan
  return text
}

interface Client {
  readonly request: (method: string, params: { readonly [key: string]: unknown }) => Effect.Effect<unknown, unknown>
}

const call = ({ request }: Client, name: string, args = {}, meta = {}) =>
  Effect.map(request("tools/call", { name, arguments: args, _meta: meta }), (result) => {
    const { _meta, structuredContent } = Object(result)
    return { evidence: Object(structuredContent), error: Object(Object(_meta)["dev.causeway/error"]) }
  })

main(
  Effect.scoped(Effect.gen(function*() {
    const client = yield* MemoryTransport.make()

    const price = yield* call(client, "share_price_of_oskavolt")
    assert.deepEqual(price.evidence.data, { euros: 12.5 })
    assert.equal(tries, 3)

    const forecast = yield* call(client, "forecast_of_oskavolt")
    assert.equal(forecast.error.code, "timed_out")

    const closing = call(client, "closing_price_of_company", { symbol: "OSKV" })
    yield* Effect.all(Array.from({ length: 5 }, () => closing), { concurrency: "unbounded" })
    assert.equal(rows, 1)

    // #region kept
    const kept = yield* call(client, "closing_price_of_company", { symbol: "OSKV" })
    assert.equal(kept.evidence.sources[0].cached, true)
    assert(kept.evidence.confidence < 1)
    // #endregion kept

    isExchangeUp = false
    const other = yield* call(client, "closing_price_of_company", { symbol: "ZINC" })
    assert.equal(other.error.fallback.tool, "forecast_of_oskavolt")

    // #region keys
    const meta = { "dev.causeway/idempotencyKey": "order-17" }
    const first = yield* call(client, "buy_share_of_oskavolt", {}, meta)
    const again = yield* call(client, "buy_share_of_oskavolt", {}, meta)
    assert.deepEqual(again, first)
    // #endregion keys

    // #region limited
    const greedy = yield* MemoryTransport.make({ caller: Principal.make({ id: "greedy", scopes: ["*"] }) })
    const answers = yield* Effect.all(Array.from({ length: 25 }, () => call(greedy, "buy_share_of_oskavolt")))
    const refused = answers.flatMap(({ error }) => (error.code === undefined ? [] : [error]))
    assert.equal(refused.length, 5)
    assert.equal(refused[0].code, "rate_limited")
    assert(refused[0].retryAfterMs > 0)
    // #endregion limited

    assert.match(plan(), /closing_price_of_company \(readOnly\)\n/)
    assert.match(plan(), /concurrency +8 calls at once, 32 waiting for 10s, on exchange +toolkit/)

    console.log("answered at the third try; one run for five calls; 5 of 25 calls were refused")
  })).pipe(Effect.provide(Server))
)
