/**
 * An answer made of two others: its confidence, its sources, and what it says
 * when one of them was missing.
 */
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as MemoryTransport from "causeway-mcp/transport/MemoryTransport"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import assert from "node:assert/strict"
import { main } from "./program.js"

// #region links
const shares = (symbol: string) =>
  Effect.map(
    Evidence.source({ id: `holding/${symbol}`, kind: "session-store", title: "Your holdings" }),
    (source) => Evidence.make({ data: 40, confidence: 1, sources: [source] })
  )

const livePrice = (symbol: string) =>
  Effect.map(
    Evidence.source({ id: `exchange/${symbol}`, kind: "web" }),
    (source) => Evidence.make({ data: 12.5, confidence: 0.95, sources: [source] })
  )

const lastPrice = (symbol: string) =>
  Effect.map(
    Evidence.source({ id: `close/${symbol}`, kind: "cache", cached: true, publishedAt: "2026-11-20T17:30:00Z" }),
    (source) => Evidence.make({ data: 12, confidence: 0.95, sources: [source] })
  )
// #endregion links

// #region tool
const Value = Tool.make("value_of_holding", {
  description: "Values the shares you hold in one company, in euros",
  parameters: { symbol: Schema.String, isExchangeOpen: Schema.Boolean },
  success: Schema.Struct({ euros: Schema.Number }),
  safety: "readOnly"
}).implement(({ symbol, isExchangeOpen }) =>
  Effect.gen(function*() {
    const price = isExchangeOpen
      ? yield* livePrice(symbol)
      : Evidence.degrade(
        yield* lastPrice(symbol),
        { reason: "the exchange did not answer, so this is the last closing price", missing: ["exchange"] },
        0.5
      )
    return Evidence.combine(yield* shares(symbol), price, (count, euros) => ({ euros: count * euros }))
  })
)
// #endregion tool

const Server = McpServer.layerTools(Toolkit.make(Value), { name: "portfolio", version: "1.0.0" })

const Envelope = Evidence.envelope(Schema.Struct({ euros: Schema.Number }))

main(
  Effect.scoped(Effect.gen(function*() {
    const client = yield* MemoryTransport.make()
    const value = (isExchangeOpen: boolean) =>
      client.request("tools/call", { name: "value_of_holding", arguments: { symbol: "OSKV", isExchangeOpen } }).pipe(
        Effect.flatMap((result) => Schema.decodeUnknown(Envelope)(result.structuredContent))
      )

    // #region check
    const live = yield* value(true)
    assert.equal(live.data.euros, 500)
    assert.equal(live.confidence, 0.95) // the weaker of 1 and 0.95
    assert.deepEqual(live.sources.map((source) => source.id), ["holding/OSKV", "exchange/OSKV"])
    assert.equal(live.degraded, undefined)

    const stale = yield* value(false)
    assert.equal(stale.data.euros, 480)
    assert.equal(stale.confidence.toFixed(4), "0.4275") // 0.95, halved, and 0.9 of that since its source is cached
    assert.deepEqual(stale.degraded?.missing, ["exchange"])
    // #endregion check

    console.log(JSON.stringify(stale, null, 2))
  })).pipe(Effect.provide(Server))
)
