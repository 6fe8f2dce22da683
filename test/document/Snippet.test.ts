import { assert, describe, it } from "@effect/vitest"
import * as Snippet from "causeway-mcp/document/Snippet"
import * as Tokenizer from "causeway-mcp/document/Tokenizer"
import * as FastCheck from "effect/FastCheck"

const marked = ({ highlights, text }: Snippet.Snippet) => highlights.map(({ end, start }) => text.slice(start, end))

const filler = (count: number) => Array.from({ length: count }, (_, n) => `Filler ${n} tells nothing.`).join(" ")

const isHalf = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at)
  return code >= 0xdc00 && code < 0xe000 && text.charCodeAt(at - 1) >= 0xd800 && text.charCodeAt(at - 1) < 0xdc00
}

const piece = FastCheck.oneof(
  FastCheck.constantFrom(
    "margin",
    "Margins",
    "gross",
    " ",
    "  ",
    "\n",
    ". ",
    ", ",
    "$",
    "3.5%",
    "1,234.5",
    "10-K",
    "gross-margin",
    "😀",
    "毛利率は上昇",
    "ทดสอบ",
    "café",
    "e\u0301",
    "İ",
    "ﬁ",
    "\ud800",
    "\udc00",
    "-",
    "."
  ),
  FastCheck.string({ maxLength: 8, unit: "binary" })
)
const texts = FastCheck.array(piece, { maxLength: 120 }).map((pieces) => pieces.join(""))
const queries = FastCheck.oneof(FastCheck.constant("gross margin 3.5% 毛利 10-K 😀 café"), texts)

describe("Snippet", () => {
  it("is the stretch with most of the query's words, with each of them marked", () => {
    const text = `${filler(40)} The gross margin of the third quarter was 41%. ${filler(40)} A margin is a margin.`
    const snippet = Snippet.make("How did the gross margins develop in the third quarter?", text)
    assert.include(snippet.text, "The gross margin of the third quarter was 41%.")
    assert.deepStrictEqual(marked(snippet), ["gross", "margin", "third", "quarter"])
    assert.isAtMost(snippet.text.length, 300)
    assert.strictEqual(text.slice(snippet.span.start, snippet.span.end), snippet.text)
  })

  it("begins with the sentence of its first word when there is room", () => {
    const text = `${filler(40)} After a weak spring, the margin rose. ${filler(40)}`
    assert.isTrue(Snippet.make("margin", text).text.startsWith("After a weak spring, the margin rose."))
  })

  it("is the beginning of a text that holds no word of the query", () => {
    const text = `  ${filler(40)}`
    const { highlights, span } = Snippet.make("zebra", text)
    assert.deepStrictEqual(highlights, [])
    assert.strictEqual(span.start, 2)
    assert.match(Snippet.make("", text).text, /^Filler 0 .*[a-z0-9.]$/u)
  })

  it("is the whole text when that is short, and nothing of an empty one", () => {
    assert.strictEqual(Snippet.make("margin", "The margin rose.").text, "The margin rose.")
    assert.deepStrictEqual(Snippet.make("margin", ""), { text: "", span: { start: 0, end: 0 }, highlights: [] })
    assert.strictEqual(Snippet.make("margin", " \n ").text, "")
  })

  for (
    const [what, query, text, expected] of [
      ["other forms of a word", "trading policies", "He trades by a policy.", ["trades", "policy"]],
      ["numbers as they are written", "1234.5", "It was 1,234.5 and not 1,234.", ["1,234.5"]],
      ["percentages", "3.5%", "Up 3.5% in a year, 3.5 in all.", ["3.5%", "3.5"]],
      ["tickers and forms", "$AAPL 10K", "The 10-K of AAPL ($AAPL).", ["10-K", "AAPL", "$AAPL"]],
      ["one part of words with a hyphen", "margin", "A gross-margin story.", ["margin"]],
      ["accents and letter case", "CAFE", "A Café here.", ["Café"]],
      ["accents of two characters", "café", "A cafe\u0301 here.", ["cafe\u0301"]],
      ["scripts without spaces", "毛利率", "第三四半期の毛利率は上昇した。", ["毛利率"]],
      ["no stop words", "the of", "The price of oil.", []]
    ] as const
  ) {
    it(`marks ${what}`, () => assert.deepStrictEqual(marked(Snippet.make(query, text)), [...expected]))
  }

  it("cuts between words", () => {
    const text = `${filler(20)} margin ${filler(20)}`
    const { span } = Snippet.make("margin", text, { maxLength: 60 })
    for (const at of [span.start, span.end]) assert.isTrue(/\s/u.test(text.charAt(at - 1) + text.charAt(at)))
  })

  it("takes a length below 40 for 40", () => {
    const { text } = Snippet.make("margin", `${filler(20)} margin`, { maxLength: 1 })
    assert.isAbove(text.length, 1)
    assert.isAtMost(text.length, 40)
    assert.isAtMost(Snippet.make("margin", filler(20), { maxLength: Number.NaN }).text.length, 40)
  })

  it("marks the same words for one query and many texts as for each alone", () => {
    const of = Snippet.forQuery("gross margin")
    for (const text of ["Gross margin.", filler(30), "A margin."]) {
      assert.deepStrictEqual(of(text), Snippet.make("gross margin", text))
    }
  })

  it("is a slice, no longer than it may be, that never halves a character", () => {
    FastCheck.assert(
      FastCheck.property(queries, texts, FastCheck.integer({ min: 40, max: 120 }), (query, text, most) => {
        const { span, text: slice } = Snippet.make(query, text, { maxLength: most })
        assert.isTrue(0 <= span.start && span.start <= span.end && span.end <= text.length)
        assert.strictEqual(slice, text.slice(span.start, span.end))
        assert.isAtMost(slice.length, most)
        assert.isFalse(isHalf(text, span.start) || isHalf(text, span.end))
      })
    )
  })

  const characters = (text: string) =>
    new Set([
      text.length,
      ...Array.from(new Intl.Segmenter("und", { granularity: "grapheme" }).segment(text), ({ index }) => index)
    ])

  const written: ReadonlyArray<readonly [string, string]> = [
    ["Thai vowels", "ที่นี่มีกำไรขั้นต้นสูงขึ้นมาก".repeat(10)],
    ["families", `${"x".repeat(20)}${"👨‍👩‍👧‍👦".repeat(40)}`],
    ["accents of their own", "e\u0301".repeat(200)],
    ["flags", "🇩🇪".repeat(60)],
    ["skins", "👍🏽".repeat(80)],
    ["Hindi", "लाभ मार्जिन बढ़ा".repeat(20).replaceAll(" ", "")],
    ["Korean letters", "한글".repeat(80)],
    ["ends of lines", "margin\r\n".repeat(40)],
    ["signs before words", "❤️margin กำไร ".repeat(30)]
  ]
  for (const [what, text] of written) {
    it(`cuts no character in two, nor marks half of one, in a text of ${what}`, () => {
      const ends = characters(text)
      for (const query of ["กำไร", "margin", "zebra", "ที่", "नि", "한", "e\u0301".repeat(200)]) {
        for (let maxLength = 40; maxLength < 80; maxLength++) {
          const { highlights, span, text: slice } = Snippet.make(query, text, { maxLength })
          assert.isTrue(ends.has(span.start) && ends.has(span.end), `${query} ${maxLength}: ${slice}`)
          assert.isAbove(slice.length, 0)
          assert.isAtMost(slice.length, maxLength)
          if (what === "signs before words") continue
          for (const { end, start } of highlights) {
            assert.isTrue(ends.has(span.start + start) && ends.has(span.start + end), `${query}: ${slice}`)
          }
        }
      }
    })
  }

  it("marks stretches that are inside, rising, apart, not empty, and hold a word of the query", () => {
    FastCheck.assert(FastCheck.property(queries, texts, (query, text) => {
      const wanted = new Set(Tokenizer.terms(query))
      const { highlights, text: slice } = Snippet.make(query, text, { maxLength: 80 })
      let last = 0
      for (const { end, start } of highlights) {
        assert.isTrue(start >= last && start < end && end <= slice.length)
        assert.isFalse(isHalf(slice, start) || isHalf(slice, end))
        assert.isTrue(Tokenizer.tokens(slice.slice(start, end)).some((token) => wanted.has(token)))
        last = end
      }
    }))
  })

  it("finds every word that a search finds", () => {
    const words = FastCheck.array(
      FastCheck.constantFrom(
        "margin",
        "10-K",
        "3.5%",
        "1,234.5",
        "$aapl",
        "gross-margin",
        "毛利率",
        "a.b",
        "Q3",
        "café",
        "x"
      ),
      { minLength: 1, maxLength: 12 }
    )
    FastCheck.assert(FastCheck.property(words, FastCheck.constantFrom(" ", ", ", " (", "\n"), (parts, by) => {
      const text = parts.join(by)
      const found = marked(Snippet.make(text, text, { maxLength: 10_000 })).flatMap((word) => Tokenizer.tokens(word))
      assert.deepStrictEqual(new Set(found), new Set(Tokenizer.tokens(text)))
    }))
  })

  const large: ReadonlyArray<readonly [string, (length: number) => string]> = [
    ["one word", (length) => "a".repeat(length)],
    ["one number", (length) => "1.".repeat(length / 2)],
    ["spaces", (length) => " ".repeat(length)],
    ["the query's word", (length) => "margin ".repeat(length / 7)],
    ["characters without spaces", (length) => "毛利".repeat(length / 2)],
    ["halves of characters", (length) => "\ud800".repeat(length)]
  ]
  for (const [what, make] of large) {
    it(`takes time linear in a text of ${what}`, () => {
      const millis = (length: number): number => {
        const text = make(length)
        const before = process.cpuUsage()
        Snippet.make("margin 毛利 1.1", text)
        const { user } = process.cpuUsage(before)
        return user / 1000
      }
      millis(10_000)
      const short = Math.min(millis(125_000), millis(125_000), millis(125_000))
      // Eight times the text: a quadratic step would take 64 times as long.
      assert.isBelow(Math.min(millis(1_000_000), millis(1_000_000)), 30 * Math.max(short, 20))
    })
  }
})
