import { assert, describe, it } from "@effect/vitest"
import * as RateHeaders from "causeway-mcp/provider/internal/RateHeaders"

describe("RateHeaders.find", () => {
  const cases: ReadonlyArray<
    readonly [what: string, headers: { readonly [name: string]: string }, found: RateHeaders.Remaining | undefined]
  > = [
    ["OpenAI's", { "x-ratelimit-remaining-requests": "59", "x-ratelimit-remaining-tokens": "149984" }, {
      requests: 59,
      tokens: 149_984
    }],
    ["Anthropic's", {
      "anthropic-ratelimit-requests-remaining": "49",
      "anthropic-ratelimit-tokens-remaining": "90000",
      "anthropic-ratelimit-input-tokens-remaining": "10"
    }, { requests: 49, tokens: 90_000 }],
    ["Anthropic's two kinds of tokens, by the scarcer", {
      "anthropic-ratelimit-input-tokens-remaining": "8000",
      "anthropic-ratelimit-output-tokens-remaining": "500"
    }, { tokens: 500 }],
    ["Mistral's", { "x-ratelimitbysize-remaining-minute": "499000" }, { tokens: 499_000 }],
    ["one that counts requests alone", { "x-ratelimit-remaining": "0" }, { requests: 0 }],
    ["a value that comes twice, by the first", { "x-ratelimit-remaining-requests": "3, 9" }, { requests: 3 }],
    ["none", { "content-type": "application/json" }, undefined],
    ["no numbers", { "x-ratelimit-remaining-requests": "-1", "x-ratelimit-remaining-tokens": "many" }, undefined]
  ]
  for (const [what, headers, found] of cases) {
    it(`reads ${what}`, () => {
      assert.deepStrictEqual(RateHeaders.find(headers), found)
    })
  }
})
