/**
 * What calls cost, who may spend how much, and which answers are given again for
 * nothing. The models follow a script and say what they used.
 */
import * as Budget from "causeway-mcp/llm/Budget"
import * as CachingLlm from "causeway-mcp/llm/CachingLlm"
import * as CoalescingLlm from "causeway-mcp/llm/CoalescingLlm"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as Price from "causeway-mcp/llm/Price"
import * as PriceTable from "causeway-mcp/llm/PriceTable"
import * as ResponseCache from "causeway-mcp/llm/ResponseCache"
import * as Target from "causeway-mcp/llm/Target"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { main } from "./program.js"

main(
  Effect.gen(function*() {
    const model = yield* TestLlm.make({
      provider: "mistral",
      model: "mistral-small-latest",
      otherwise: () => TestLlm.text("In May 2027.", { usage: { inputTokens: 1000, outputTokens: 100 } })
    })

    // #region price
    const ours = yield* Price.check({
      version: "our contract of 2026",
      prices: [{
        provider: "mistral",
        model: "mistral-small-latest",
        from: "2026-01-01",
        inputPerMillion: 0.25,
        outputPerMillion: 1.25
      }]
    })
    const price = Price.find(Price.merge(PriceTable.table, ours), {
      provider: "mistral",
      model: "mistral-small-latest",
      day: "2026-11-22"
    })
    const target = yield* Target.make(model, price === undefined ? {} : { price })
    // #endregion price

    // #region budget
    const budget = Budget.make({ total: 20, perTenant: 0.002, tenants: { research: 5 }, period: "1 day" })
    const chain = yield* LlmChain.make([target], { budget })
    const question = {
      messages: [{ role: "user" as const, text: "When does the plant open?" }],
      maxTokens: 1000,
      tenant: "sales"
    }
    const answer = yield* chain.generateText(question)
    assert.deepEqual(answer.cost, { certainty: "exact", usd: 0.000375 })

    yield* chain.generateText(question)
    const error = yield* Effect.flip(chain.generateText(question))
    assert.equal(error.reason, "BudgetExceeded")
    assert(error.retryAfterMs !== undefined && error.retryAfterMs <= 86_400_000)
    assert.equal((yield* chain.generateText({ ...question, tenant: "research" })).provider, "mistral")
    assert.equal(yield* budget.left("sales"), 0.00125)
    // #endregion budget

    // #region cache
    const cache = yield* ResponseCache.memory({ capacity: 1000, timeToLive: "10 minutes" })
    const llm = yield* CoalescingLlm.make(CachingLlm.make(chain, cache))
    const precise = { ...question, tenant: "research", temperature: 0 }
    yield* llm.generateText(precise)
    const again = yield* llm.generateText(precise)
    assert.equal(again.isCached, true)
    assert.deepEqual(again.cost, { certainty: "exact", usd: 0 })
    // #endregion cache

    const unpriced = yield* LlmChain.make([model])
    assert.equal((yield* unpriced.generateText(question)).cost?.certainty, "unknown")
    console.log(
      "a call cost 0.0375 cents, a tenant was stopped before it overspent, an answer was given again for nothing"
    )
  }).pipe(Effect.scoped)
)
