import { assert, describe, it } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"

const Day = Schema.String.pipe(
  Schema.pattern(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/),
  Schema.filter((text) => !Number.isNaN(Date.parse(text)))
)

const CorpusDocument = Schema.Struct({
  id: Schema.String.pipe(Schema.pattern(/^(news|filing|note)-[a-z0-9-]+$/)),
  title: Schema.NonEmptyTrimmedString,
  text: Schema.NonEmptyTrimmedString,
  publishedAt: Day,
  uri: Schema.optionalWith(Schema.String.pipe(Schema.startsWith("https://corpus.example/")), { exact: true }),
  metadata: Schema.Struct({
    company: Schema.NonEmptyTrimmedString,
    type: Schema.Literal("news", "filing", "note"),
    topic: Schema.NonEmptyTrimmedString,
    source: Schema.NonEmptyTrimmedString,
    ticker: Schema.optionalWith(Schema.String.pipe(Schema.pattern(/^[A-Z]{4}$/)), { exact: true }),
    period: Schema.optionalWith(Schema.String.pipe(Schema.pattern(/^(FY)?\d{4}(-(Q[1-4]|H1))?$/)), { exact: true })
  })
})

const Question = Schema.Struct({
  question: Schema.NonEmptyTrimmedString,
  expected: Schema.NonEmptyArray(Schema.String),
  note: Schema.String
})

const folder = new URL("../../examples/corpus/", import.meta.url)

const read = <A, I>(name: string, schema: Schema.Schema<A, I>): ReadonlyArray<A> => {
  const decode = Schema.decodeUnknownSync(Schema.parseJson(schema), { onExcessProperty: "error" })
  return readFileSync(new URL(name, folder), "utf8").trimEnd().split("\n").map((line, index) => {
    try {
      return decode(line)
    } catch (cause) {
      throw new Error(`${name}:${index + 1}: ${String(cause)}`, { cause })
    }
  })
}

const files = [["news.jsonl", "news"], ["filings.jsonl", "filing"], ["notes.jsonl", "note"]] as const

const documents = files.flatMap(([name]) => read(name, CorpusDocument))
const ids = new Set(documents.map((document) => document.id))
const readme = readFileSync(new URL("README.md", folder), "utf8")

const syndicated = [
  ["news-halvorn-q3-2026-corrant", "news-halvorn-q3-2026-tallis"],
  ["news-pylonaire-fire-gridlines", "news-pylonaire-fire-tallis"],
  ["news-quaystone-brasswell-larkfield", "news-quaystone-brasswell-tallis"]
]

const countWords = (text: string): number => text.split(/\s+/).filter((word) => word !== "").length

const sentences = (text: string): ReadonlyArray<string> =>
  text.split(/(?<=[.!?])["”]?\s+/).map((sentence) => sentence.toLowerCase().replace(/[^\p{L}\p{N}\s]/gu, "").trim())

describe("examples/corpus", () => {
  it("has enough documents of each kind, each in the file of its kind", () => {
    assert.isAtLeast(documents.length, 180)
    for (const [name, type] of files) {
      const inFile = read(name, CorpusDocument)
      assert.isAtLeast(inFile.length, 45)
      assert.isTrue(inFile.every((document) => document.metadata.type === type && document.id.startsWith(`${type}-`)))
    }
  })

  it("has unique ids and unique addresses", () => {
    const uris = documents.flatMap((document) => document.uri ?? [])
    assert.strictEqual(ids.size, documents.length)
    assert.strictEqual(new Set(uris).size, uris.length)
  })

  it("is dated between June 2024 and 15 November 2026", () => {
    const dates = documents.map((document) => document.publishedAt).sort()
    assert.isAtLeast(Date.parse(dates[0] ?? ""), Date.parse("2024-06-01"))
    assert.isBelow(Date.parse(dates.at(-1) ?? ""), Date.parse("2026-11-16"))
  })

  it("has texts of 60 to 180 words", () => {
    const odd = documents.filter((document) => countWords(document.text) < 60 || countWords(document.text) > 180)
    assert.deepStrictEqual(odd.map((document) => document.id), [])
  })

  it("gives each company one ticker and at least ten documents", () => {
    const companies = Object.entries(Arr.groupBy(documents, (document) => document.metadata.company))
      .filter(([company]) => company !== "several")
    assert.strictEqual(companies.length, 13)
    for (const [company, group] of companies) {
      assert.strictEqual(new Set(group.map((document) => document.metadata.ticker)).size, 1, company)
      assert.isAtLeast(group.length, 10, company)
    }
  })

  it("shares no sentence of more than eight words between documents, save the syndicated ones", () => {
    const holders = new Map<string, Set<string>>()
    for (const { id, text } of documents) {
      for (const sentence of sentences(text).filter((sentence) => countWords(sentence) > 8)) {
        holders.set(sentence, (holders.get(sentence) ?? new Set()).add(id))
      }
    }
    const shared = [...holders.values()].filter((group) => group.size > 1).map((group) => [...group].sort().join(" "))
    assert.deepStrictEqual([...new Set(shared)].sort(), syndicated.map((pair) => pair.join(" ")))
  })

  it("asks thirty different questions whose documents exist", () => {
    const questions = read("questions.jsonl", Question)
    assert.strictEqual(new Set(questions.map((question) => question.question)).size, 30)
    const unknown = questions.flatMap((question) => question.expected.filter((id) => !ids.has(id)))
    assert.deepStrictEqual(unknown, [])
  })

  it("names only documents that exist on its page, and counts them right", () => {
    const named = [...readme.matchAll(/`((?:news|filing|note)-[a-z0-9-]+)`/g)].map((match) => match[1] ?? "")
    assert.isAtLeast(named.length, 60)
    assert.deepStrictEqual(named.filter((id) => !ids.has(id)), [])
    assert.include(readme, `${documents.length} documents`)
    for (const [name] of files) assert.include(readme, `\`${name}\` | ${read(name, CorpusDocument).length} |`)
  })
})
