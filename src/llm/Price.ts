/**
 * What models cost, as versioned data, and what a call cost by it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Chat from "./Chat.js"

/**
 * US dollars for a million tokens, from a day on. Cached input costs what input
 * costs unless given, and so does writing to the cache.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Price = Schema.Struct({
  provider: Schema.NonEmptyString,
  model: Schema.NonEmptyString,
  /** The first day it holds, as `2026-11-01`. */
  from: Schema.String.pipe(Schema.pattern(/^\d{4}-\d{2}-\d{2}$/u)),
  inputPerMillion: Schema.NonNegative.pipe(Schema.finite()),
  cachedInputPerMillion: Schema.optionalWith(Schema.NonNegative.pipe(Schema.finite()), { exact: true }),
  cacheWritePerMillion: Schema.optionalWith(Schema.NonNegative.pipe(Schema.finite()), { exact: true }),
  outputPerMillion: Schema.NonNegative.pipe(Schema.finite()),
  /** What is charged depends on more than tokens, for example on the hour or the prompt's length: a cost by this price is `estimated`. */
  isApproximate: Schema.optionalWith(Schema.Boolean, { exact: true })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Price extends Schema.Schema.Type<typeof Price> {}

/**
 * Prices with the name of their edition.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Table = Schema.Struct({ version: Schema.NonEmptyString, prices: Schema.Array(Price) })

/**
 * @since 0.1.0
 * @category models
 */
export interface Table extends Schema.Schema.Type<typeof Table> {}

/**
 * Why something is no price table; `path` says where, with the places of rows
 * counted from 0.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidTable extends Schema.TaggedError<InvalidTable>("causeway/Price/InvalidTable")("InvalidTable", {
  path: Schema.Array(Schema.String),
  description: Schema.String
}) {
  override get message() {
    return `${this.path.length === 0 ? "the price table" : this.path.join(".")}: ${this.description}`
  }
}

const decodeTable = Schema.decodeUnknown(Table)

/**
 * Reads a price table, for example one an operator keeps in a file. Fails when a
 * figure is negative or no number, a day is not in the calendar, or one model
 * has two prices from the same day.
 *
 * @since 0.1.0
 * @category constructors
 */
export const check = (input: unknown): Effect.Effect<Table, InvalidTable> =>
  decodeTable(input).pipe(
    Effect.mapError((error) => {
      const issue = ParseResult.ArrayFormatter.formatErrorSync(error)[0]
      return new InvalidTable({
        path: (issue?.path ?? []).map(String),
        description: issue?.message ?? "is not a price table"
      })
    }),
    Effect.flatMap((table) => {
      const wrong = wrongRow(table)
      return wrong === undefined ? Effect.succeed(table) : Effect.fail(wrong)
    })
  )

const rowKey = (row: Price): string => JSON.stringify([row.provider, row.model, row.from])

const wrongRow = (table: Table): InvalidTable | undefined => {
  const seen = new Set<string>()
  for (const [place, row] of table.prices.entries()) {
    const path = ["prices", String(place), "from"]
    // A day that the calendar does not have is either no date at all or turns into another one.
    const date = new Date(`${row.from}T00:00:00Z`)
    if (Number.isNaN(date.getTime()) || date.toISOString().slice(0, 10) !== row.from) {
      return new InvalidTable({ path, description: `${row.from} is not a day in the calendar` })
    }
    const key = rowKey(row)
    if (seen.has(key)) {
      return new InvalidTable({
        path,
        description: `${row.provider}/${row.model} already has a price from ${row.from}`
      })
    }
    seen.add(key)
  }
  return undefined
}

const modelKey = (row: Price): string => JSON.stringify([row.provider, row.model])

/**
 * One table with an operator's own prices put in: a model that has any price in
 * `overrides` has only those. The versions are joined by `+`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const merge = (self: Table, overrides: Table): Table => {
  const replaced = new Set(overrides.prices.map(modelKey))
  return {
    version: `${self.version}+${overrides.version}`,
    prices: [...self.prices.filter((row) => !replaced.has(modelKey(row))), ...overrides.prices]
  }
}

/**
 * The price of a model on a day: the latest that has begun, of the same
 * provider and model; `undefined` when there is none. A provider's `*` is for
 * all its models that have no price of their own.
 *
 * @since 0.1.0
 * @category combinators
 */
export const find = (
  table: Table,
  of: { readonly provider: string; readonly model: string; readonly day: string }
): Price | undefined => latest(table, of.provider, of.model, of.day) ?? latest(table, of.provider, "*", of.day)

const latest = (table: Table, provider: string, model: string, day: string): Price | undefined => {
  let best: Price | undefined
  for (const row of table.prices) {
    if (row.provider !== provider || row.model !== model || row.from > day) continue
    if (best === undefined || row.from >= best.from) best = row
  }
  return best
}

/** No window is near it: a larger figure is a fault of whoever counted. */
const mostTokens = 100_000_000

/** What no single call costs: a larger figure is a fault of whoever counted. */
const mostUsd = 10_000

const isTokens = (value: unknown): value is number => typeof value === "number" && value >= 0 && value <= mostTokens

/**
 * What a call cost. Reported usage and a price make it `exact`; a figure that
 * had to be estimated makes it `estimated`; without a price it is `unknown`,
 * never zero. What the provider reports to have charged goes before the table,
 * unless it is zero.
 *
 * Reported figures that cannot be true are as if they were absent: negative
 * ones, more than 100 million tokens, more than 10,000 dollars, no input at
 * all, no output where the estimate has some. Of the input, what was cached is
 * at most the input and what was written to the cache at most the rest; more
 * than that makes the cost `estimated`. A figure that is neither reported nor
 * estimated makes it `unknown`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const costOf = (
  price: Price | undefined,
  usage: Chat.Usage,
  estimate: { readonly inputTokens: number; readonly outputTokens: number }
): Chat.Cost => {
  const reported = usage.reportedUsd
  if (typeof reported === "number" && reported > 0 && reported <= mostUsd) return { certainty: "exact", usd: reported }
  if (price === undefined) return unknownCost
  const input = inputCost(price, usage, estimate.inputTokens)
  const output = isTokens(usage.outputTokens) && (usage.outputTokens > 0 || !(estimate.outputTokens > 0))
    ? part("exact", usage.outputTokens * price.outputPerMillion)
    : guess(estimate.outputTokens, price.outputPerMillion)
  const cost = Chat.addCost(input, output)
  return price.isApproximate === true && cost.certainty === "exact" ? { ...cost, certainty: "estimated" } : cost
}

const unknownCost: Chat.Cost = { certainty: "unknown", usd: 0 }

/** A price made without its schema may be anything; what comes of it is still a cost. */
const part = (certainty: Chat.Cost["certainty"], millionths: number): Chat.Cost => {
  const usd = millionths / 1_000_000
  return usd >= 0 && usd <= mostPart ? { certainty, usd } : unknownCost
}

/** Two parts of this size still have a finite sum. */
const mostPart = Number.MAX_VALUE / 4

const guess = (tokens: number, perMillion: number): Chat.Cost =>
  isTokens(tokens) ? part("estimated", tokens * perMillion) : unknownCost

const inputCost = (price: Price, usage: Chat.Usage, estimate: number): Chat.Cost => {
  const input = usage.inputTokens
  if (!isTokens(input) || input === 0) return guess(estimate, dearestInput(price))
  const cached = within(usage.cachedInputTokens, input)
  const written = within(usage.cacheWriteTokens, input - cached)
  const isReported = cached === (usage.cachedInputTokens ?? 0) && written === (usage.cacheWriteTokens ?? 0)
  return part(
    isReported ? "exact" : "estimated",
    (input - cached - written) * price.inputPerMillion +
      cached * (price.cachedInputPerMillion ?? price.inputPerMillion) +
      written * (price.cacheWritePerMillion ?? price.inputPerMillion)
  )
}

const within = (tokens: number | undefined, most: number): number => isTokens(tokens) ? Math.min(tokens, most) : 0

const dearestInput = (price: Price): number =>
  Math.max(
    price.inputPerMillion,
    price.cachedInputPerMillion ?? price.inputPerMillion,
    price.cacheWritePerMillion ?? price.inputPerMillion
  )

/**
 * The most a call can cost, in US dollars: all input at its dearest, an answer
 * of the full length. `undefined` without a price, or when a figure is no
 * number of tokens.
 *
 * @since 0.1.0
 * @category combinators
 */
export const atMost = (
  price: Price | undefined,
  tokens: { readonly inputTokens: number; readonly outputTokens: number }
): number | undefined => {
  if (price === undefined) return undefined
  const usd = (tokens.inputTokens * dearestInput(price) + tokens.outputTokens * price.outputPerMillion) / 1_000_000
  return usd >= 0 && usd <= mostPart && tokens.inputTokens >= 0 && tokens.outputTokens >= 0 ? usd : undefined
}
