import { assert, describe, it } from "@effect/vitest"
import * as Chat from "causeway-mcp/llm/Chat"
import * as FastCheck from "effect/FastCheck"

// Whole numbers, so that a sum does not depend on its order.
const figure = FastCheck.option(FastCheck.nat(1_000_000), { nil: undefined })
const usage: FastCheck.Arbitrary<Chat.Usage> = FastCheck.record({
  inputTokens: figure,
  outputTokens: figure,
  cachedInputTokens: figure,
  cacheWriteTokens: figure,
  reportedUsd: figure
})
const cost: FastCheck.Arbitrary<Chat.Cost> = FastCheck.record({
  certainty: FastCheck.constantFrom<Array<Chat.Cost["certainty"]>>("exact", "estimated", "unknown"),
  usd: FastCheck.nat(1_000_000)
})

const rank = (self: Chat.Cost): number => ["exact", "estimated", "unknown"].indexOf(self.certainty)

describe("Chat.addCost", () => {
  it("is associative and commutative, and adding nothing changes nothing", () => {
    FastCheck.assert(FastCheck.property(cost, cost, cost, (a, b, c) => {
      assert.deepStrictEqual(
        Chat.addCost(Chat.addCost(a, b), c),
        Chat.addCost(a, Chat.addCost(b, c))
      )
      assert.deepStrictEqual(Chat.addCost(a, b), Chat.addCost(b, a))
      assert.deepStrictEqual(Chat.addCost(a, Chat.noCost), a)
    }))
  })

  it("is as uncertain as the less certain side, and never less than a side", () => {
    FastCheck.assert(FastCheck.property(cost, cost, (a, b) => {
      const sum = Chat.addCost(a, b)
      assert.strictEqual(rank(sum), Math.max(rank(a), rank(b)))
      assert.strictEqual(sum.usd, a.usd + b.usd)
    }))
  })
})

describe("Chat.addUsage", () => {
  it("is associative and commutative, and adding nothing known changes no figure", () => {
    FastCheck.assert(FastCheck.property(usage, usage, usage, (a, b, c) => {
      assert.deepStrictEqual(
        Chat.addUsage(Chat.addUsage(a, b), c),
        Chat.addUsage(a, Chat.addUsage(b, c))
      )
      assert.deepStrictEqual(Chat.addUsage(a, b), Chat.addUsage(b, a))
      assert.deepStrictEqual(Chat.addUsage(a, {}), Chat.addUsage({}, a))
    }))
  })

  it("keeps what only one side knows, and leaves out what neither knows", () => {
    assert.deepStrictEqual(
      Chat.addUsage({ inputTokens: 3 }, { inputTokens: 4, outputTokens: 5 }),
      { inputTokens: 7, outputTokens: 5 }
    )
    assert.deepStrictEqual(Chat.addUsage({ inputTokens: undefined }, {}), {})
  })
})
