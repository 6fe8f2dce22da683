/**
 * The words that tell of topics and of forms of answer, and those that tell of
 * nothing.
 *
 * @since 0.1.0
 */
import * as Tokenizer from "../../document/Tokenizer.js"

/**
 * Topics of market research, each with the words and phrases that tell of it.
 *
 * @since 0.1.0
 * @category constants
 */
export const topics: ReadonlyMap<string, ReadonlyArray<string>> = new Map([
  ["earnings", ["earnings", "eps", "quarterly results", "net income", "profit"]],
  ["revenue", ["revenue", "sales", "turnover", "top line"]],
  ["margins", ["margin", "gross margin", "operating margin", "profitability"]],
  ["guidance", ["guidance", "outlook", "forecast"]],
  ["valuation", ["valuation", "price target", "multiple", "pe ratio", "ebitda"]],
  ["dividends", ["dividend", "buyback", "share repurchase", "payout"]],
  ["mergers and acquisitions", ["merger", "acquisition", "takeover", "acquire", "m&a deal"]],
  ["interest rates", [
    "interest rate",
    "rate cut",
    "rate hike",
    "central bank",
    "federal reserve",
    "ecb",
    "bond yield"
  ]],
  ["inflation", ["inflation", "cpi", "consumer price"]],
  ["regulation", ["regulation", "regulator", "antitrust", "compliance", "lawsuit"]],
  ["supply chain", ["supply chain", "inventory", "logistics", "shortage", "tariff"]],
  ["energy", ["energy", "oil", "gas price", "renewable", "solar", "electricity"]],
  ["semiconductors", ["semiconductor", "chip", "chipmaker", "foundry", "gpu"]],
  ["artificial intelligence", ["artificial intelligence", "ai", "machine learning", "large language model"]],
  ["electric vehicles", ["electric vehicle", "ev", "battery"]],
  ["health care", ["health care", "healthcare", "pharma", "drug", "clinical trial", "biotech"]],
  ["banking", ["bank", "lender", "loan", "credit", "deposit"]],
  ["currencies", ["currency", "foreign exchange", "forex", "exchange rate"]],
  ["crypto", ["crypto", "cryptocurrency", "bitcoin", "stablecoin"]],
  ["real estate", ["real estate", "housing", "mortgage", "property market"]]
])

/**
 * Forms of answer, each with the words that ask for it.
 *
 * @since 0.1.0
 * @category constants
 */
export const formats: ReadonlyMap<string, ReadonlyArray<string>> = new Map([
  ["table", ["table", "tabular", "spreadsheet", "csv"]],
  ["chart", ["chart", "graph", "plot", "diagram"]],
  ["bullets", ["bullet", "bulleted", "bullet point"]],
  ["short", ["short", "brief", "briefly", "concise", "tldr", "one sentence", "shorter"]],
  ["detailed", ["detailed", "detail", "depth", "comprehensive", "thorough", "longer"]],
  ["json", ["json"]],
  ["sources", ["source", "citation", "reference"]]
])

const ordinary: ReadonlySet<string> = new Set(
  ("ask asked asking compare comparison could explain find get give given go going had hello hi let list look looked make " +
    "need new one open opened please put question read report said say search see send show summarise summarize summary " +
    "tell thank thanks today tomorrow two use used user using view viewed want wanted week well write yesterday year yes " +
    "quarter month day monday tuesday wednesday thursday friday saturday sunday january february march april june july " +
    "august september october november december q1 q2 q3 q4 fy ceo cfo eps ebitda pdf csv json api usd eur gbp gdp cpi ai " +
    "ev m&a ipo etf id url tldr ok much many like also still since year-on-year")
    .split(" ")
)

/**
 * Whether a word is part of asking rather than of what is asked about: a stop
 * word, a day, a verb of asking, a common abbreviation.
 *
 * @since 0.1.0
 * @category guards
 */
export const isOrdinary = (word: string): boolean => {
  const lower = word.toLowerCase()
  return ordinary.has(lower) || ordinary.has(Tokenizer.stem(lower)) || Tokenizer.tokens(lower).length === 0
}
