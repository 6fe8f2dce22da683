/**
 * Limits in a policy: calls per caller and tool, money for a whole tenant, and
 * what a client is told when it has had enough; and a bucket taken from by hand.
 */
import * as Protect from "causeway-mcp/middleware/Protect"
import * as Policy from "causeway-mcp/policy/Policy"
import * as RateLimiter from "causeway-mcp/policy/RateLimiter"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import assert from "node:assert/strict"
import { main } from "./program.js"

const lengthOf = (input: unknown): number => String(Object(input).text).length

// #region policy
const limits = Policy.all(
  Policy.rateLimit({ limit: 3, window: "1 minute" }),
  Policy.rateLimit({ name: "characters", limit: 1000, window: "1 day", per: ["tenant"], cost: lengthOf })
)

const Translate = Tool.make("translation_into_danish", {
  description: "Translates a short English text into Danish",
  parameters: { text: Schema.String },
  success: Schema.Struct({ text: Schema.String }),
  safety: "readOnly"
}).implement(({ text }) => Evidence.computed("translation", { text: `på dansk: ${text}` }))
  .pipe(Protect.by(limits))
// #endregion policy

// #region layer
const Server = McpServer.layerTools(Toolkit.make(Translate), { name: "translator", version: "1.0.0" }).pipe(
  Layer.provide(RateLimiter.layerMemory)
)
// #endregion layer

const called = Effect.gen(function*() {
  const client = yield* MemoryTransport.make()
  const failureOf = (text: string) =>
    Effect.map(
      client.request("tools/call", { name: "translation_into_danish", arguments: { text } }),
      ({ _meta }) => Object(_meta)["dev.causeway/error"]
    )
  assert.equal(yield* failureOf("good morning"), undefined)
  assert.equal(yield* failureOf("good evening"), undefined)

  const long = yield* failureOf("x".repeat(990))
  assert.equal(long.code, "rate_limited")
  assert.equal(long.details.limit, "characters")

  // What one limit refuses is not taken from the others.
  assert.equal(yield* failureOf("good night"), undefined)
  const fourth = yield* failureOf("goodbye")
  assert.equal(fourth.details.limit, "calls")
  assert.ok(fourth.retryAfterMs > 19_000 && fourth.retryAfterMs <= 20_000)
}).pipe(Effect.scoped, Effect.provide(Server))

const taken = Effect.gen(function*() {
  // #region take
  const limiter = yield* RateLimiter.RateLimiter
  const calls = { key: "calls:acme", amount: 1, capacity: 10, perSecond: 10 / 60 }
  const cents = { key: "cents:acme", amount: 4, capacity: 100, perSecond: 100 / 86_400 }

  const verdict = yield* limiter.take([calls, cents])
  assert.equal(verdict.isAllowed, true)
  assert.deepEqual(verdict.buckets.map(({ remaining }) => remaining), [9, 96])

  // In the end it has cost one cent: three are given back.
  yield* limiter.give({ ...cents, amount: 3 })
  // #endregion take

  const [{ remaining }] = (yield* limiter.take([{ ...cents, amount: 0 }])).buckets
  assert.ok(remaining >= 99 && remaining < 99.1)
}).pipe(Effect.provide(RateLimiter.layerMemory))

main(Effect.zipRight(
  Effect.zipRight(called, taken),
  Effect.sync(() => console.log("three calls a minute were let through, and a text too many was not"))
))
