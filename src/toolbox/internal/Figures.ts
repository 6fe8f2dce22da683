/**
 * Reads numbers with their units and scales, and says whether two are the same.
 *
 * @since 0.1.0
 */

/**
 * A number with its unit.
 *
 * @since 0.1.0
 * @category models
 */
export interface Quantity {
  /** With its scale: 4.2 billion is 4.2e9. */
  readonly value: number
  /** By how much it may be off for being rounded. */
  readonly tolerance: number
  /** `percent`, `points`, a currency, or empty for a plain number. */
  readonly unit: string
  /** As it is written. */
  readonly text: string
}

const scales: { readonly [word: string]: number } = {
  thousand: 1e3,
  k: 1e3,
  million: 1e6,
  millions: 1e6,
  mn: 1e6,
  mm: 1e6,
  mio: 1e6,
  m: 1e6,
  billion: 1e9,
  billions: 1e9,
  bn: 1e9,
  b: 1e9,
  trillion: 1e12,
  trillions: 1e12,
  tn: 1e12,
  trn: 1e12
}

const currencies: { readonly [word: string]: string } = {
  $: "$",
  us$: "$",
  usd: "$",
  dollar: "$",
  dollars: "$",
  "€": "€",
  eur: "€",
  euro: "€",
  euros: "€",
  "£": "£",
  gbp: "£",
  pounds: "£",
  "¥": "¥",
  jpy: "¥",
  yen: "¥",
  chf: "chf",
  sek: "sek",
  nok: "nok",
  dkk: "dkk",
  cny: "cny",
  rmb: "cny",
  inr: "inr",
  "₹": "inr",
  c$: "c$",
  cad: "c$",
  a$: "a$",
  aud: "a$",
  hk$: "hk$"
}

const percent = new Set(["%", "percent", "per cent", "pct"])
const points = new Set(["percentage points", "percentage point", "points", "point", "pp", "bps", "basis points"])

/** No number whose currency is not known, as in NT$5 or R$ 5: it would pass for a plain one. */
const quantity =
  /(?<![\p{L}\p{N}\p{Sc}.,/'’+-]|\p{Sc}\s)(?:(US\$|C\$|A\$|HK\$|[$€£¥₹]|(?:USD|EUR|GBP|CHF|JPY|SEK|NOK|DKK|CNY|RMB|INR|CAD|AUD)\s?)\s?)?(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?![\p{N}]|[.,/:]\d|['’]\d)(?:[\s-]?(thousand|millions?|billions?|trillions?|mn|mm|mio|bn|tn|trn|[kmb])(?!\p{L}))?(?:\s?(%)|[\s-](percentage points?|basis points|per\s?cent|pct|points?|pp|bps|dollars?|euros?|pounds|yen|USD|EUR|GBP|CHF|JPY|SEK|NOK|DKK|CNY|RMB|INR|CAD|AUD)(?!\p{L}))?(?!\s?[-–—]\s?[$€£]?\d|[\p{L}])/giu

/**
 * A quantity and where it stands in a text.
 *
 * @since 0.1.0
 * @category models
 */
export interface Found extends Quantity {
  readonly start: number
  readonly end: number
}

const unitOf = (sign: string | undefined, behind: string | undefined): string | undefined => {
  const [first, second] = [sign, behind].map((text) => text?.trim().toLowerCase().replace(/\s+/gu, " "))
  if (second !== undefined && (percent.has(second) || second === "per cent")) {
    return first === undefined
      ? "percent"
      : undefined
  }
  if (second !== undefined && points.has(second)) {
    return first === undefined
      ? `points${second.includes("b") ? "/100" : ""}`
      : undefined
  }
  const mine = first === undefined ? undefined : currencies[first]
  const theirs = second === undefined ? undefined : currencies[second]
  return mine !== undefined && theirs !== undefined && mine !== theirs ? undefined : mine ?? theirs ?? ""
}

/**
 * The quantities of a text in their order, whatever they are of. Left out: years,
 * ranges, and numbers that can be read in two ways.
 *
 * @since 0.1.0
 * @category constructors
 */
export const inText = (text: string): ReadonlyArray<Found> =>
  [...text.matchAll(quantity)].flatMap((match): ReadonlyArray<Found> => {
    const [whole, sign, digits = "", scale, mark, word] = match
    const unit = unitOf(sign, mark ?? word)
    const decimals = /\.(\d+)$/u.exec(digits)?.[1]?.length ?? 0
    // 4.200 is four, or four thousand where the point parts thousands
    const isAmbiguous = decimals === 3 && !digits.includes(",") && scale === undefined
    const isYear = unit === "" && scale === undefined && /^(?:19|20)\d\d$/u.test(digits)
    if (unit === undefined || isAmbiguous || isYear) return []
    const factor = scale === undefined ? 1 : scales[scale.toLowerCase()] ?? 1
    return [{
      value: Number(digits.replaceAll(",", "")) * factor,
      tolerance: 0.5 * 10 ** -decimals * factor,
      unit,
      text: whole.trim(),
      start: match.index,
      end: match.index + whole.length
    }]
  })

/**
 * Whether two quantities are of one unit and agree as far as the rougher one is
 * exact: $4.2 billion and $4,213 million do, $4.2 billion and $4.1 billion do not.
 *
 * @since 0.1.0
 * @category guards
 */
export const agree = (self: Quantity, that: Quantity): boolean =>
  self.unit === that.unit && Math.abs(self.value - that.value) <= Math.max(self.tolerance, that.tolerance) * (1 + 1e-9)

const scaled = (quantity: Quantity, factor: number): Quantity => ({
  ...quantity,
  value: quantity.value * factor,
  tolerance: quantity.tolerance * factor
})

/**
 * Whether two quantities agree, also when one of them leaves out that it counts
 * thousands, millions or billions, as a table's text does.
 *
 * @since 0.1.0
 * @category guards
 */
export const mayAgree = (self: Quantity, that: Quantity): boolean =>
  [1, 1e3, 1e6, 1e9].some((factor) => agree(scaled(self, factor), that) || agree(self, scaled(that, factor)))
