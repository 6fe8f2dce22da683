import { assert, describe, it } from "@effect/vitest"
import * as Llm from "causeway-mcp/llm/Llm"
import type { JsonSchema } from "causeway-mcp/protocol/JsonSchema"
import * as ExtractiveLlm from "causeway-mcp/provider/ExtractiveLlm"
import * as Literals from "causeway-mcp/provider/internal/Literals"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"

const string = { type: "string" } as const
const number = { type: "number" } as const

const object = (properties: Record<string, JsonSchema>, required: ReadonlyArray<string> = Object.keys(properties)) => ({
  type: "object",
  properties,
  required,
  additionalProperties: false
})

const run = (text: string, schema: JsonSchema, context: ReadonlyArray<string> = []) =>
  Effect.runSync(Effect.either(ExtractiveLlm.model.generateObject({
    messages: [{ role: "user", text }],
    context: context.map((text, index) => ({ id: `p${index}`, text })),
    schema
  })))

const value = (text: string, schema: JsonSchema, context: ReadonlyArray<string> = []): unknown => {
  const result = run(text, schema, context)
  if (result._tag === "Left") throw new Error(result.left.message)
  return result.right.value
}

/** The value of one property, or `undefined` when it is not found. */
const one = (name: string, schema: JsonSchema, text: string, context: ReadonlyArray<string> = []): unknown => {
  const found = value(text, object({ [name]: schema }, []), context)
  return (found as Record<string, unknown>)[name]
}

describe("ExtractiveLlm.generateObject", () => {
  it("reads labelled values in several notations", () => {
    const schema = object({ company: string, closingPrice: number, isListed: { type: "boolean" } })
    const expected = { company: "Acme Corp.", closingPrice: 12.5, isListed: true }
    for (
      const text of [
        "Company: Acme Corp.\nClosing price: 12.50\nIs listed: yes",
        "company = Acme Corp.; closing_price = $12.50; isListed = true",
        "- **Company**: Acme Corp.\n- **Closing Price (USD)**: 12.50 per share\n- **Is Listed**: Yes",
        "{\"company\": \"Acme Corp.\", \"closingPrice\": 12.5, \"isListed\": true}",
        "Company: Acme Corp., Closing price: 12,50 €, Is listed: yes",
        "| Company | Acme Corp. |\n| Closing price | 12.50 |\n| Is listed | yes |",
        "Please extract the fields.\n\nCompany: Acme Corp. Closing price: 12.5 Is listed: on"
      ]
    ) assert.deepStrictEqual(value(text, schema), expected, text)
  })

  it("fails as Unsupported and names what the text does not state", () => {
    const result = run("Company: Acme", object({ company: string, price: number, address: object({ city: string }) }))
    assert.isTrue(result._tag === "Left")
    if (result._tag !== "Left") return
    assert.strictEqual(result.left.reason, "Unsupported")
    assert.strictEqual(
      result.left.description,
      "the text does not state price, address.city; a model provider is needed for this"
    )
  })

  it("leaves optional properties out and says null for required ones that may be", () => {
    assert.deepStrictEqual(value("Nothing here.", object({ a: string }, [])), {})
    assert.deepStrictEqual(value("Nothing here.", object({ a: { anyOf: [string, { type: "null" }] } })), { a: null })
    assert.deepStrictEqual(value("Nothing here.", object({ a: { type: ["number", "null"] } })), { a: null })
  })

  it("looks into the passages when the message does not state it", () => {
    assert.strictEqual(one("price", number, "Extract the price.", ["Weather is fine.", "Price: 9.75"]), 9.75)
  })

  it("does not take an instruction for a statement", () => {
    assert.isUndefined(one("price", number, "Extract the price as a number with 2 decimals."))
    assert.isUndefined(one("isProfitable", { type: "boolean" }, "Tell me whether the company is profitable."))
    assert.isUndefined(one("profitable", { type: "boolean" }, "Is Acme now profitable?"))
    assert.isUndefined(one("company", string, "Return JSON with company: string, price: number"))
    assert.isUndefined(
      one("mood", { enum: ["good", "bad"] }, "Classify the mood as good or bad: the soup was lukewarm.")
    )
  })

  it("reads what follows the colon of an instruction", () => {
    assert.strictEqual(one("price", number, "Extract the price: the price rose to 12.50 dollars."), 12.5)
  })

  it("finds numbers near the name, the title or the words of the description", () => {
    assert.strictEqual(one("price", number, "In 2025 the price rose to 12.50 dollars."), 12.5)
    assert.strictEqual(one("employees", { type: "integer" }, "Acme has 1,234 employees in 3 offices."), 1234)
    assert.strictEqual(one("hc", { ...number, title: "Head count" }, "The head count reached 77."), 77)
    assert.strictEqual(
      one(
        "x",
        { ...number, description: "Number of warehouses in Ohio" },
        "There are 14 warehouses in Ohio. It has 3 dogs."
      ),
      14
    )
    assert.strictEqual(one("revenue", number, "Revenue in 2025 was $5.2 million, up 12%."), 5_200_000)
    assert.strictEqual(one("revenueGrowth", number, "Revenue growth was 12% on $5.2 million."), 12)
    assert.strictEqual(one("margin", { ...number, maximum: 1 }, "Margin: 12.5%"), 0.125)
    assert.strictEqual(one("year", { type: "integer" }, "The year was 2025."), 2025)
  })

  it("does not take the number of another field, or one out of bounds", () => {
    const both = object({ price: number, quantity: number }, [])
    assert.deepStrictEqual(value("The price and the quantity were agreed: 12.5.", both), { quantity: 12.5 })
    assert.isUndefined(one("age", { type: "integer", minimum: 0, maximum: 150 }, "Age: 4711"))
    assert.isUndefined(one("count", { type: "integer" }, "Count: 1.5"))
  })

  it("takes a member of an enumeration that is mentioned alone, and not one that is denied", () => {
    const mood = { type: "string", enum: ["positive", "negative", "in_between"] }
    assert.strictEqual(one("mood", mood, "The review was Positive throughout."), "positive")
    assert.strictEqual(one("mood", mood, "The review was in between."), "in_between")
    assert.strictEqual(one("mood", mood, "Mood: negative, although some say positive"), "negative")
    assert.isUndefined(one("mood", mood, "It was positive and negative."))
    assert.isUndefined(one("mood", mood, "It was not positive."))
    assert.isUndefined(one("mood", mood, "It was positively odd."))
    assert.strictEqual(one("mood", { anyOf: [{ const: "up" }, { const: "down" }] }, "Shares went up."), "up")
    assert.strictEqual(one("kind", { const: "quote" }, "Anything."), "quote")
  })

  it("reads booleans that a sentence states or denies", () => {
    const listed = { type: "boolean" }
    assert.strictEqual(one("profitable", listed, "Acme is now profitable."), true)
    assert.strictEqual(one("profitable", listed, "Acme is not profitable."), false)
    assert.strictEqual(one("profitable", listed, "Profitable: no"), false)
    assert.isUndefined(one("profitable", listed, "A profitable year for somebody."))
  })

  it("reads dates that stand by their name, and no day that could be read two ways", () => {
    const date = { type: "string", format: "date" }
    assert.strictEqual(one("publishedAt", date, "It was published on March 3rd, 2026 in Ohio."), "2026-03-03")
    assert.strictEqual(one("date", date, "Date: 5 November 2026"), "2026-11-05")
    assert.strictEqual(one("dueDate", date, "Due date: 2026-11-22"), "2026-11-22")
    assert.isUndefined(one("date", date, "Date: 03/04/2026"))
    assert.isUndefined(one("date", date, "Date: 31 February 2026"))
    const instant = { type: "string", format: "date-time" }
    assert.strictEqual(one("at", instant, "At: 2026-11-22T09:00:00Z"), "2026-11-22T09:00:00Z")
    assert.isUndefined(one("at", instant, "At: 2026-11-22"))
  })

  it("reads lists of strings, numbers and enumeration members", () => {
    const strings = { type: "array", items: string }
    assert.deepStrictEqual(one("tags", strings, "Tags: steel, anvils and birds"), ["steel", "anvils", "birds"])
    assert.deepStrictEqual(one("tags", strings, "Tags:\n- steel\n- big birds\n\nMore"), ["steel", "big birds"])
    assert.deepStrictEqual(one("tags", strings, "\"tags\": [\"steel\", \"birds\"]"), ["steel", "birds"])
    assert.deepStrictEqual(one("scores", { type: "array", items: number }, "Scores: 1, 2.5, n/a"), [1, 2.5])
    const regions = { type: "array", items: { enum: ["north", "south", "east"] } }
    assert.deepStrictEqual(one("regions", regions, "Sales in the South and the north grew."), ["south", "north"])
    assert.isUndefined(one("regions", regions, "There are north, south and east."))
    assert.isUndefined(one("tags", { ...strings, minItems: 3 }, "Tags: a, b"))
    assert.isUndefined(one("tags", strings, "No list at all."))
  })

  it("reads names, quotations, addresses of mail and of pages", () => {
    assert.strictEqual(one("company", string, "The company is Acme Corp and it sells anvils."), "Acme Corp")
    assert.strictEqual(one("title", string, "The title \"Birds of Ohio\" sold well."), "Birds of Ohio")
    assert.isUndefined(one("company", string, "The company is growing fast."))
    assert.strictEqual(one("contact", { ...string, format: "email" }, "Write to jo@acme.example."), "jo@acme.example")
    assert.isUndefined(one("contact", { ...string, format: "email" }, "a@acme.example, b@acme.example"))
    assert.strictEqual(
      one("site", { ...string, format: "uri" }, "See https://acme.example/x."),
      "https://acme.example/x"
    )
    assert.isUndefined(one("code", { ...string, minLength: 5 }, "Code: AB"))
  })

  it("reads groups one level deep and keeps two groups apart", () => {
    const person = object({ name: string })
    assert.deepStrictEqual(
      value("Buyer:\n  Name: Ann\nSeller:\n  Name: Bob", object({ buyer: person, seller: person })),
      { buyer: { name: "Ann" }, seller: { name: "Bob" } }
    )
    assert.deepStrictEqual(
      value("Buyer name: Ann. Seller name: Bob.", object({ buyer: person, seller: person })),
      { buyer: { name: "Ann" }, seller: { name: "Bob" } }
    )
    assert.deepStrictEqual(value("City: Rome", object({ address: object({ city: string }) })), {
      address: { city: "Rome" }
    })
    assert.isTrue(run("Name: Ann", object({ buyer: person, seller: person }))._tag === "Left")
    assert.deepStrictEqual(value("Nothing.", object({ buyer: person }, [])), {})
  })

  it("follows references into definitions", () => {
    const schema = { ...object({ price: { $ref: "#/$defs/Price" } }), $defs: { Price: number } }
    assert.deepStrictEqual(value("Price: 3", schema), { price: 3 })
  })

  it("cannot fill what is no object, or too large", () => {
    for (
      const schema of [
        { type: "string" },
        {},
        object(Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`p${i}`, string])))
      ]
    ) {
      const result = run("x", schema)
      assert.isTrue(result._tag === "Left" && result.left.reason === "Unsupported")
    }
  })

  it("treats names from outside as names", () => {
    const properties = JSON.parse(
      "{\"__proto__\":{\"type\":\"string\"},\"constructor\":{\"type\":\"string\"},\"a(+*\":{\"type\":\"number\"}}"
    )
    const found = value("Proto: x\nConstructor: y\nA: 5", object(properties, []))
    assert.deepStrictEqual(Object.entries(found as object), [["__proto__", "x"], ["constructor", "y"], ["a(+*", 5]])
    assert.isUndefined(Reflect.get({}, "x"))
  })

  it.effect("fills an Effect schema through Llm.object", () =>
    Effect.gen(function*() {
      const Quote = Schema.Struct({
        company: Schema.NonEmptyString,
        price: Schema.Number,
        shares: Schema.optional(Schema.Int),
        trend: Schema.Literal("up", "down")
      })
      const request = {
        messages: [{ role: "user" as const, text: "Company: Acme\nPrice: $1,250.75\nThe trend went down." }]
      }
      const answer = yield* Llm.object(ExtractiveLlm.model, request, Quote)
      assert.deepStrictEqual(answer.value, { company: "Acme", price: 1250.75, trend: "down" })
    }))

  const names = ["company", "price", "closing_price", "tags", "note", "contact", "inner"]
  const word = FastCheck.constantFrom(
    ...names,
    "is",
    "Acme",
    "Corp.",
    "12.5%",
    "\"quoted text\"",
    "a@b.example",
    "https://x.example",
    "12",
    "and",
    "[1]",
    "{",
    "}",
    "3 March 2026",
    "ünï",
    "🌊"
  )
  const text = FastCheck.array(
    FastCheck.tuple(
      FastCheck.oneof(word, FastCheck.string({ maxLength: 8 })),
      FastCheck.constantFrom(" ", ": ", " = ", "\n", "; ", ", ", "\n- ", " | ", ". ")
    ),
    { maxLength: 40 }
  ).map((parts) => parts.flat().join(""))

  const leaves = (value: unknown): ReadonlyArray<unknown> =>
    typeof value === "object" && value !== null ? Object.values(value).flatMap(leaves) : [value]

  it("never invents: every string and every digit it gives stands in a text", () => {
    const schema = object({
      company: string,
      note: { type: "string", title: "closing price" },
      price: number,
      tags: { type: "array", items: string },
      contact: { type: "string", format: "email" },
      inner: object({ note: string, site: { type: "string", format: "uri" } }, [])
    }, [])
    let found = 0
    FastCheck.assert(
      FastCheck.property(text, FastCheck.array(text, { maxLength: 2 }), (message, context) => {
        const all = [message, ...context]
        for (const leaf of leaves(value(message, schema, context))) {
          found++
          const written = all.some((text) => text.includes(String(leaf)))
          const isNumber = typeof leaf === "number" &&
            all.some((text) => Literals.numbers(text).some((token) => token.value === leaf))
          assert.isTrue(written || isNumber, String(leaf))
        }
      }),
      { numRuns: 500 }
    )
    assert.isAbove(found, 100)
  })

  it("reads a megabyte of hostile text in reasonable time", () => {
    const schema = object(
      Object.fromEntries([
        ["price", { ...number, description: "the price of the company shares" }],
        ["company", string],
        ["mood", { enum: ["good", "bad"] }],
        ["when", { type: "string", format: "date" }],
        ["mail", { type: "string", format: "email" }],
        ["tags", { type: "array", items: string }],
        ["inner", object({ price: number, name: string })]
      ]),
      []
    )
    const pieces = [
      "price ",
      "price: ",
      "company is ",
      "1,",
      "1'111'",
      "a@",
      "a.",
      "https://",
      ": ",
      "\n- ",
      "not ",
      "    ",
      "[",
      "2026-",
      "\"",
      "inner:\n "
    ]
    for (const piece of pieces) {
      const text = piece.repeat(Math.ceil(1_000_000 / piece.length))
      const startedAt = performance.now()
      run(text, schema, [text])
      assert.isBelow(performance.now() - startedAt, 8000, JSON.stringify(piece))
    }
  }, 120_000)
})

describe("Literals.numbers", () => {
  const values = (text: string) => Literals.numbers(text).map((token) => token.value)

  it("reads separators, signs, currencies and magnitudes", () => {
    const forms: ReadonlyArray<readonly [string, ReadonlyArray<number>]> = [
      ["1,234,567.89", [1234567.89]],
      ["1.234.567,89", [1234567.89]],
      ["1'234'567.5 and 1\u202f234", [1234567.5, 1234]],
      ["12,5 and 12.50", [12.5, 12.5]],
      ["-5% and −5 and +5", [-5, -5, 5]],
      ["$12.5, USD 3, €7 and -$4", [12.5, 3, 7, -4]],
      ["5 million, $3.3bn, $2k, 1.1 million", [5_000_000, 3_300_000_000, 2000, 1_100_000]],
      ["12kg at 7.", [12, 7]]
    ]
    for (const [text, expected] of forms) assert.deepStrictEqual(values(text), expected, text)
  })

  it("leaves out what only looks like a number", () => {
    for (
      const text of [
        "A320",
        "3rd",
        "2026-11-22",
        "12:30",
        "10-20",
        "1.2.3",
        "10-K",
        "1,23,456",
        "5m",
        "v2",
        "03/04/2026",
        "192.168.0.1"
      ]
    ) {
      assert.deepStrictEqual(values(text), [], text)
    }
  })
})
