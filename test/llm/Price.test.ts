import { assert, describe, it } from "@effect/vitest"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as Price from "causeway-mcp/llm/Price"
import * as PriceTable from "causeway-mcp/llm/PriceTable"
import * as Capabilities from "causeway-mcp/provider/Capabilities"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"

const row = (provider: string, model: string, from: string, inputPerMillion = 1): Price.Price => ({
  provider,
  model,
  from,
  inputPerMillion,
  outputPerMillion: 10
})

const table = (...prices: ReadonlyArray<Price.Price>): Price.Table => ({ version: "test", prices })

const price: Price.Price = {
  provider: "p",
  model: "m",
  from: "2026-01-01",
  inputPerMillion: 2,
  cachedInputPerMillion: 0.5,
  cacheWritePerMillion: 3,
  outputPerMillion: 8
}

const estimate = { inputTokens: 1_000_000, outputTokens: 1_000_000 }

describe("Price.find", () => {
  const prices = table(
    row("p", "m", "2026-06-01", 2),
    row("p", "m", "2026-01-01", 1),
    row("p", "*", "2026-01-01", 9),
    row("q", "m", "2026-01-01", 5)
  )
  const inputOn = (model: string, day: string, provider = "p") =>
    Price.find(prices, { provider, model, day })?.inputPerMillion

  it("takes the latest price that has begun, in whatever order the rows stand", () => {
    assert.strictEqual(inputOn("m", "2026-05-31"), 1)
    assert.strictEqual(inputOn("m", "2026-06-01"), 2)
    assert.strictEqual(inputOn("m", "2030-01-01"), 2)
  })

  it("takes a provider's star for models without a price of their own, and for no other provider's", () => {
    assert.strictEqual(inputOn("other", "2026-02-01"), 9)
    assert.isUndefined(inputOn("other", "2026-02-01", "q"))
  })

  it("finds nothing before the first price began, nor under the names of Object's own members", () => {
    assert.isUndefined(inputOn("m", "2025-12-31"))
    assert.isUndefined(inputOn("constructor", "2026-02-01", "__proto__"))
  })
})

describe("Price.costOf", () => {
  it("is exact by reported usage, with cached and written tokens at their own price", () => {
    const usage = {
      inputTokens: 1_000_000,
      cachedInputTokens: 400_000,
      cacheWriteTokens: 100_000,
      outputTokens: 500_000
    }
    assert.deepStrictEqual(Price.costOf(price, usage, estimate), {
      certainty: "exact",
      usd: 0.5 * 2 + 0.4 * 0.5 + 0.1 * 3 + 0.5 * 8
    })
  })

  it("is unknown without a price, also for a call that used nothing", () => {
    assert.deepStrictEqual(Price.costOf(undefined, { inputTokens: 5, outputTokens: 5 }, estimate), {
      certainty: "unknown",
      usd: 0
    })
  })

  it("puts what the provider reports before the table, unless it is zero", () => {
    const usage = { inputTokens: 1_000_000, outputTokens: 1_000_000 }
    assert.deepStrictEqual(Price.costOf(undefined, { reportedUsd: 0.25 }, estimate), { certainty: "exact", usd: 0.25 })
    assert.deepStrictEqual(Price.costOf(price, { ...usage, reportedUsd: 0.25 }, estimate).usd, 0.25)
    assert.deepStrictEqual(Price.costOf(price, { ...usage, reportedUsd: 0 }, estimate), { certainty: "exact", usd: 10 })
    assert.strictEqual(Price.costOf(undefined, { reportedUsd: 0 }, estimate).certainty, "unknown")
  })

  it("estimates the figures that are absent or cannot be true", () => {
    const absurd: ReadonlyArray<Chat.Usage> = [
      {},
      { inputTokens: -1, outputTokens: Number.NaN },
      { inputTokens: 1e12, outputTokens: Number.POSITIVE_INFINITY, reportedUsd: 1e12 },
      { inputTokens: 0, outputTokens: 0, reportedUsd: -3 }
    ]
    // Input that had to be estimated is taken at its dearest.
    for (const usage of absurd) {
      assert.deepStrictEqual(Price.costOf(price, usage, estimate), { certainty: "estimated", usd: 3 + 8 })
    }
    assert.deepStrictEqual(Price.costOf(price, { inputTokens: 1_000_000 }, estimate), {
      certainty: "estimated",
      usd: 2 + 8
    })
  })

  it("believes an answer of no tokens when the estimate has none either", () => {
    assert.deepStrictEqual(
      Price.costOf(price, { inputTokens: 1_000_000, outputTokens: 0 }, { inputTokens: 1, outputTokens: 0 }),
      { certainty: "exact", usd: 2 }
    )
  })

  it("counts no more cached tokens than there is input, and says that it is an estimate", () => {
    assert.deepStrictEqual(
      Price.costOf(price, { inputTokens: 1_000_000, cachedInputTokens: 2_000_000, outputTokens: 1_000_000 }, estimate),
      { certainty: "estimated", usd: 0.5 + 8 }
    )
  })

  it("is an estimate by an approximate price, and unknown when neither usage nor estimate says anything", () => {
    const usage = { inputTokens: 1_000_000, outputTokens: 1_000_000 }
    assert.deepStrictEqual(Price.costOf({ ...price, isApproximate: true }, usage, estimate), {
      certainty: "estimated",
      usd: 10
    })
    assert.deepStrictEqual(
      Price.costOf(price, { inputTokens: 1_000_000 }, { inputTokens: 0, outputTokens: Number.NaN }),
      { certainty: "unknown", usd: 2 }
    )
  })

  it("is never negative, infinite or no number, whatever it is given", () => {
    const any = FastCheck.oneof(
      FastCheck.double(),
      FastCheck.integer(),
      FastCheck.constantFrom(0, -0, 1e12, -1, Number.MAX_VALUE, Number.NaN, Number.POSITIVE_INFINITY)
    )
    const figure = FastCheck.option(any, { nil: undefined })
    const usage = FastCheck.record({
      inputTokens: figure,
      outputTokens: figure,
      cachedInputTokens: figure,
      cacheWriteTokens: figure,
      reportedUsd: figure
    })
    const prices = FastCheck.option(
      FastCheck.record({
        provider: FastCheck.constant("p"),
        model: FastCheck.constant("m"),
        from: FastCheck.constant("2026-01-01"),
        inputPerMillion: any,
        cachedInputPerMillion: any,
        cacheWritePerMillion: any,
        outputPerMillion: any
      }),
      { nil: undefined }
    )
    const tokens = FastCheck.record({ inputTokens: any, outputTokens: any })
    FastCheck.assert(
      FastCheck.property(prices, usage, tokens, (price, usage, tokens) => {
        const cost = Price.costOf(price, usage, tokens)
        assert.isTrue(Number.isFinite(cost.usd) && cost.usd >= 0, String(cost.usd))
        const most = Price.atMost(price, tokens)
        assert.isTrue(most === undefined || (Number.isFinite(most) && most >= 0), String(most))
      }),
      { numRuns: 2_000 }
    )
  })
})

describe("Price.atMost", () => {
  it("takes all input at its dearest and the whole answer", () => {
    assert.strictEqual(Price.atMost(price, { inputTokens: 1_000_000, outputTokens: 500_000 }), 3 + 4)
    assert.isUndefined(Price.atMost(undefined, { inputTokens: 1, outputTokens: 1 }))
    assert.isUndefined(Price.atMost(price, { inputTokens: 1, outputTokens: Number.POSITIVE_INFINITY }))
  })

  it("is never less than a call of that size costs", () => {
    const tokens = FastCheck.nat(1_000_000)
    FastCheck.assert(FastCheck.property(tokens, tokens, tokens, tokens, (input, output, cached, written) => {
      const usage = {
        inputTokens: input,
        outputTokens: output,
        cachedInputTokens: cached,
        cacheWriteTokens: written
      }
      const most = Price.atMost(price, { inputTokens: input, outputTokens: output }) ?? Number.NaN
      const cost = Price.costOf(price, usage, { inputTokens: input, outputTokens: output })
      assert.isTrue(cost.usd <= most * (1 + 1e-12), `${cost.usd} of ${most}`)
    }))
  })
})

describe("Price.check", () => {
  const wrong = (input: unknown) => Effect.flip(Price.check(input))

  it.effect("gives a table that is right back as it was", () =>
    Effect.gen(function*() {
      const right = table(row("p", "m", "2026-01-01"), row("p", "m", "2026-02-28"))
      assert.deepStrictEqual(yield* Price.check(right), right)
    }))

  it.effect("says where a figure is negative, infinite or missing", () =>
    Effect.gen(function*() {
      for (const figure of [-1, Number.NaN, Number.POSITIVE_INFINITY, "1", undefined]) {
        const error = yield* wrong({
          version: "v",
          prices: [row("p", "m", "2026-01-01"), { ...price, outputPerMillion: figure }]
        })
        assert.deepStrictEqual(error.path, ["prices", "1", "outputPerMillion"])
        assert.include(error.message, "prices.1.outputPerMillion: ")
      }
    }))

  it.effect("refuses days that the calendar does not have, two prices from one day, and what is no table", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        (yield* wrong(table(row("p", "m", "2026-02-30")))).message,
        "prices.0.from: 2026-02-30 is not a day in the calendar"
      )
      assert.strictEqual(
        (yield* wrong(table(row("p", "m", "2026-02-01"), row("p", "m", "2026-02-01", 3)))).message,
        "prices.1.from: p/m already has a price from 2026-02-01"
      )
      assert.deepStrictEqual((yield* wrong(null)).path, [])
      assert.deepStrictEqual((yield* wrong({ version: "", prices: [] })).path, ["version"])
    }))
})

describe("Price.merge", () => {
  it("gives a model its overriding prices only, and leaves the others", () => {
    const merged = Price.merge(
      table(row("p", "m", "2026-06-01", 2), row("p", "n", "2026-01-01", 4)),
      { version: "own", prices: [row("p", "m", "2026-01-01", 7)] }
    )
    assert.strictEqual(merged.version, "test+own")
    assert.strictEqual(Price.find(merged, { provider: "p", model: "m", day: "2026-12-01" })?.inputPerMillion, 7)
    assert.strictEqual(Price.find(merged, { provider: "p", model: "n", day: "2026-12-01" })?.inputPerMillion, 4)
  })
})

describe("PriceTable.table", () => {
  it.effect("is a table without a fault", () => Price.check(PriceTable.table))

  it("names providers as this library does, and asks less for cached input than for new", () => {
    const known = new Set<string>([...Capabilities.vendors, "anthropic"])
    for (const row of PriceTable.table.prices) {
      assert.isTrue(known.has(row.provider), row.provider)
      assert.isTrue((row.cachedInputPerMillion ?? 0) <= row.inputPerMillion, row.model)
      assert.isTrue(row.outputPerMillion > row.inputPerMillion, row.model)
    }
  })

  it("has the default models of the vendors it knows on the day of its edition", () => {
    for (const vendor of ["openai", "deepseek", "qwen", "gemini"] as const) {
      const model = Capabilities.table[vendor].models[0]
      assert.isDefined(Price.find(PriceTable.table, { provider: vendor, model, day: "2026-11-22" }), model)
    }
  })
})
