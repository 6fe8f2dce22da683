import { assert, describe, it } from "@effect/vitest"
import * as Duplicates from "causeway-mcp/document/internal/Duplicates"

const same = (a: string, b: string) => Duplicates.isSame(Duplicates.sketch(a), Duplicates.sketch(b))

const words = (count: number, from = 0) =>
  Array.from(
    { length: count },
    (_, n) => `${String.fromCharCode(97 + (n + from) % 26)}${"x".repeat(Math.floor((n + from) / 26) + 1)}`
  )

describe("Duplicates.isSame", () => {
  it("takes texts that differ in case, punctuation, order and repetition for the same", () => {
    assert.isTrue(same("Bond yields rose, sharply.", "SHARPLY rose bond yields; bond yields"))
  })

  it("asks for nine words in ten to be shared", () => {
    assert.isTrue(same(words(100).join(" "), words(100, 5).join(" ")))
    assert.isFalse(same(words(100).join(" "), words(100, 6).join(" ")))
    assert.isFalse(same(words(100).join(" "), words(89).join(" ")))
  })

  it("keeps apart texts that differ in one number, wherever it stands", () => {
    const text = words(200).join(" ")
    assert.isTrue(same(`${text} 5.1 12`, `12 ${text} 5.1`))
    for (const [a, b] of [["5.1", "5.2"], ["Q1", "Q2"], ["1 4", "2 3"], ["2026", ""], ["1.5", "15"]] as const) {
      assert.isFalse(same(`${text} ${a}`, `${text} ${b}`), `${a} ${b}`)
    }
  })

  it("keeps a loss apart from a gain, however its minus is written, and no dash for one", () => {
    const text = words(200).join(" ")
    for (const [a, b] of [["-5%", "5%"], ["(-5)", "(5)"], ["-$5", "$5"], ["\u22125", "5"], ["-.5", ".5"]] as const) {
      assert.isFalse(same(`${text} ${a}`, `${text} ${b}`), `${a} ${b}`)
    }
    for (const [a, b] of [["-5", "\u22125"], ["3-5", "3 5"], ["q3-5", "q3 5"], ["- 5", "5"], ["5 -", "5"]] as const) {
      assert.isTrue(same(`${text} ${a}`, `${text} ${b}`), `${a} ${b}`)
    }
  })

  it("compares texts without words, in other scripts too", () => {
    assert.isTrue(same("", "?!"))
    assert.isTrue(same("日本銀行", "日本銀行。".slice(0, 4)))
    assert.isFalse(same("日本銀行", "中国銀行"))
  })
})
