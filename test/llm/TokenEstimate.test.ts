import { assert, describe, it } from "@effect/vitest"
import * as TokenEstimate from "causeway-mcp/llm/TokenEstimate"
import * as FastCheck from "effect/FastCheck"

const english =
  "The central bank left its policy rate unchanged on Thursday, saying that inflation had eased but that it " +
  "needed more evidence before it could lower borrowing costs. Economists had expected a cut of a quarter point. " +
  "Shares of regional lenders fell after the announcement, while long-dated bonds rose. In a statement the governor " +
  "said the outlook remained uncertain and that decisions would be taken meeting by meeting."

const german = "Die Zentralbank ließ ihren Leitzins am Donnerstag unverändert und erklärte, die Teuerung habe zwar " +
  "nachgelassen, man brauche jedoch weitere Belege, bevor man die Kreditkosten senken könne. Volkswirte hatten mit " +
  "einer Senkung um einen Viertelpunkt gerechnet. Die Aktien der Regionalbanken fielen nach der Bekanntgabe, während " +
  "lang laufende Staatsanleihen zulegten. Der Gouverneur sagte, der Ausblick bleibe ungewiss und Entscheidungen " +
  "würden von Sitzung zu Sitzung getroffen."

const chinese =
  "央行周四维持政策利率不变，称通胀有所缓解，但在降低借贷成本之前还需要更多证据。经济学家此前预计将降息四分之一个百分点。" +
  "公告发布后，地区性银行的股价下跌，而长期债券上涨。行长在声明中表示，前景仍不确定，将逐次会议作出决定。"

const json = JSON.stringify({
  type: "object",
  properties: {
    title: { type: "string", description: "A short title" },
    amount: { type: "number", minimum: 0 },
    currency: { type: "string", enum: ["USD", "EUR", "GBP"] },
    items: {
      type: "array",
      items: {
        type: "object",
        properties: { name: { type: "string" }, quantity: { type: "integer" } },
        required: ["name", "quantity"]
      }
    }
  },
  required: ["title", "amount"],
  additionalProperties: false
})

const code = [
  "export const byScore = (targets, scoreOf) => {",
  "  if (targets.length < 2) return targets",
  "  return targets",
  "    .map((target, index) => ({ target, score: scoreOf(target, index) }))",
  "    .sort((a, b) => (a.score === b.score ? 0 : a.score - b.score))",
  "    .map(({ target }) => target)",
  "}",
  ""
].join("\n")

// Counted with the vocabularies o200k, cl100k, DeepSeek V3 and Qwen 3, in this order.
const counted: ReadonlyArray<readonly [string, string, ReadonlyArray<number>]> = [
  ["English prose", english, [76, 76, 76, 76]],
  ["German prose", german, [103, 137, 132, 137]],
  ["Chinese prose", chinese, [84, 125, 63, 65]],
  ["a JSON Schema", json, [93, 90, 100, 90]],
  ["code", code, [85, 85, 89, 85]]
]

/** Any characters, halves of pairs too. */
const anyText = FastCheck.array(FastCheck.nat(0xffff)).map((codes) => String.fromCharCode(...codes))

describe("TokenEstimate.ofText", () => {
  for (const [name, text, counts] of counted) {
    it(`is between 0.9 and 1.6 times what ${name} takes`, () => {
      const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
      assert.isAtLeast(TokenEstimate.ofText(text), 0.9 * mean)
      assert.isAtMost(TokenEstimate.ofText(text), 1.6 * mean)
    })

    if (name !== "Chinese prose") {
      it(`is not below what any vocabulary takes for ${name}`, () => {
        assert.isAtLeast(TokenEstimate.ofText(text), Math.max(...counts))
      })
    }
  }

  it("takes about four letters of English for a token, and one of Chinese", () => {
    assert.approximately(english.length / TokenEstimate.ofText(english), 4, 0.5)
    assert.approximately(chinese.length / TokenEstimate.ofText(chinese), 1, 0.1)
  })

  it("is zero for nothing and at least one for anything", () => {
    assert.strictEqual(TokenEstimate.ofText(""), 0)
    FastCheck.assert(FastCheck.property(anyText.filter((text) => text !== ""), (text) => {
      assert.isAtLeast(TokenEstimate.ofText(text), 1)
    }))
  })

  it("never shrinks when text is added, and grows by no more than two tokens a character", () => {
    FastCheck.assert(FastCheck.property(
      anyText,
      anyText,
      (text, more) => {
        const before = TokenEstimate.ofText(text)
        const after = TokenEstimate.ofText(text + more)
        assert.isAtLeast(after, before)
        assert.isAtMost(after, before + 2 * more.length + 1)
      }
    ))
  })

  it("counts digits more densely than letters", () => {
    assert.isAbove(TokenEstimate.ofText("8412096735"), 2 * TokenEstimate.ofText("abcdefghij"))
  })

  it("counts lone surrogates and zero bytes too", () => {
    assert.isAtLeast(TokenEstimate.ofText("\ud800".repeat(10)), 10)
    assert.isAtLeast(TokenEstimate.ofText("\u0000".repeat(100)), 2)
  })
})

describe("TokenEstimate.ofRequest", () => {
  const request = { messages: [{ role: "user" as const, text: english }] }

  it("is a little more than the text of its messages", () => {
    const more = TokenEstimate.ofRequest(request) - TokenEstimate.ofText(english)
    assert.isAtLeast(more, 4)
    assert.isAtMost(more, 20)
  })

  it("counts every message", () => {
    const twice = TokenEstimate.ofRequest({ messages: [...request.messages, ...request.messages] })
    assert.isAtLeast(twice, 2 * TokenEstimate.ofText(english))
  })

  it("counts passages with what is put around them", () => {
    const more = TokenEstimate.ofRequest({
      ...request,
      context: [{ id: "a", text: german }, { id: "b", title: english, text: german }]
    }) - TokenEstimate.ofRequest(request)
    assert.isAtLeast(more, 2 * TokenEstimate.ofText(german) + TokenEstimate.ofText(english))
  })

  it("counts no rules of citing when there are no passages", () => {
    assert.strictEqual(TokenEstimate.ofRequest({ ...request, context: [] }), TokenEstimate.ofRequest(request))
  })

  it("counts the schema, the same each time", () => {
    const schema: unknown = JSON.parse(json)
    const once = TokenEstimate.ofRequest({ ...request, schema })
    assert.isAtLeast(once - TokenEstimate.ofRequest(request), TokenEstimate.ofText(json))
    assert.strictEqual(TokenEstimate.ofRequest({ ...request, schema }), once)
  })

  it("takes a schema that is only true or false", () => {
    assert.isAbove(TokenEstimate.ofRequest({ ...request, schema: true }), TokenEstimate.ofRequest(request))
  })
})
