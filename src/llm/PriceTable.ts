/**
 * The price table that is built in, as data.
 *
 * @since 0.1.0
 */
import type * as Price from "./Price.js"

/**
 * US dollars for a million tokens; a cached figure that is left out costs what input costs.
 * `from` is the day a price began where the vendor says so, else the first of the month it was read in.
 */
const row = (
  provider: string,
  model: string,
  from: string,
  [input, output, cached, written]: readonly [input: number, output: number, cached?: number, written?: number],
  more: Pick<Price.Price, "isApproximate"> = {}
): Price.Price => ({
  provider,
  model,
  from,
  inputPerMillion: input,
  outputPerMillion: output,
  ...(cached === undefined ? {} : { cachedInputPerMillion: cached }),
  ...(written === undefined ? {} : { cacheWritePerMillion: written }),
  ...more
})

const approximate = { isApproximate: true } as const

/** DeepSeek charges half of this outside its peak hours, so that a cost by it is the most it can be. */
const deepseek: ReadonlyArray<Price.Price> = [
  row("deepseek", "deepseek-flash", "2026-09-10", [0.3, 1.2, 0.006], approximate),
  row("deepseek", "deepseek-v4-pro", "2026-08-17", [1.32, 3.96, 0.044], approximate)
]

const openai: ReadonlyArray<Price.Price> = [
  row("openai", "gpt-4o", "2026-11-01", [2.5, 10, 1.25]),
  row("openai", "gpt-4o-mini", "2026-11-01", [0.15, 0.6, 0.075]),
  row("openai", "gpt-4.1", "2026-11-01", [2, 8, 0.5]),
  row("openai", "gpt-4.1-mini", "2026-11-01", [0.4, 1.6, 0.1])
]

/** Writing to the cache is at the price for five minutes. */
const anthropic: ReadonlyArray<Price.Price> = [
  row("anthropic", "claude-opus-5-5", "2026-11-01", [4, 20, 0.2, 5]),
  ...["claude-opus-5", "claude-opus-4-8", "claude-opus-4-7", "claude-opus-4-6", "claude-opus-4-5"].map((model) =>
    row("anthropic", model, "2026-11-01", [5, 25, 0.5, 6.25])
  ),
  row("anthropic", "claude-sonnet-5-5", "2026-09-28", [2, 10, 0.2, 2.5]),
  row("anthropic", "claude-sonnet-5-5", "2026-10-07", [2, 10, 0.1, 2.5]),
  row("anthropic", "claude-sonnet-5", "2026-11-01", [2, 10, 0.2, 2.5]),
  row("anthropic", "claude-sonnet-4-6", "2026-11-01", [3, 15, 0.3, 3.75]),
  row("anthropic", "claude-sonnet-4-5", "2026-11-01", [3, 15, 0.3, 3.75]),
  // A prompt of up to 100,000 tokens costs a fifth of this.
  row("anthropic", "claude-haiku-5-5", "2026-10-07", [0.5, 2.5, 0.05, 0.625], approximate),
  row("anthropic", "claude-haiku-4-5", "2026-11-01", [1, 5, 0.1, 1.25])
]

const gemini: ReadonlyArray<Price.Price> = [
  row("gemini", "gemini-2.5-flash", "2026-10-01", [0.3, 2.5, 0.03]),
  // A prompt of up to 200,000 tokens costs half of this, and its answer two thirds.
  row("gemini", "gemini-2.5-pro", "2026-10-01", [2.5, 15, 0.25], approximate),
  row("gemini", "gemini-3.5-flash", "2026-10-01", [1.5, 9]),
  row("gemini", "gemini-3.5-flash-lite", "2026-10-01", [0.3, 2.5])
]

/** At the international address, without thinking; a prompt of more than 256,000 tokens costs three times this. */
const qwen: ReadonlyArray<Price.Price> = [
  row("qwen", "qwen-plus", "2026-11-01", [0.4, 1.2, 0.08, 0.5], approximate)
]

/**
 * Prices for text, in the standard tier of service, by the names this library
 * gives to vendors. The edition rests on what was known of the vendors' own
 * price pages in October and November 2026: read there for DeepSeek and
 * Anthropic, from public transcripts of them for OpenAI, Gemini and Qwen.
 *
 * It has no row for `mistral-small-latest`, of which the sources disagree, nor
 * for what gateways resell: such calls cost `unknown` unless the provider
 * itself reports what it charged. Prices change without notice and contracts
 * differ, so an operator who bills or limits by them should give their own with
 * `Price.merge`.
 *
 * @since 0.1.0
 * @category constants
 */
export const table: Price.Table = {
  version: "2026-11",
  prices: [...deepseek, ...openai, ...anthropic, ...gemini, ...qwen]
}
