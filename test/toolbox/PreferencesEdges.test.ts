import { assert, describe, it } from "@effect/vitest"
import type { SessionEvent } from "causeway-mcp/session/SessionStore"
import * as Preferences from "causeway-mcp/toolbox/Preferences"

const now = Date.parse("2026-11-22T12:00:00Z")

const event = (text: string, occurredAt = new Date(now).toISOString()): SessionEvent => ({
  eventId: text.slice(0, 20),
  type: "question",
  text,
  occurredAt
})

const names = (preferences: ReadonlyArray<Preferences.Preference>) => preferences.map(({ name }) => name)

describe("Preferences.derive, at its edges", () => {
  it("finds nothing in no events, and in events without words", () => {
    const nothing = { topics: [], companies: [], formats: [] }
    assert.deepStrictEqual(Preferences.derive([], now), nothing)
    assert.deepStrictEqual(
      Preferences.derive(["", " ", "\n", "?!", "\u0000", "\ud800"].map((text) => event(text)), now),
      nothing
    )
  })

  for (
    const when of [
      "2027-11-22T12:00:00Z",
      "9999-12-31T23:59:59Z",
      "99999-01-01T00:00:00Z",
      "yesterday",
      "",
      "NaN",
      "2026-02-30"
    ]
  ) {
    it(`counts an event of ${JSON.stringify(when)} as one of now, and not more`, () => {
      const { companies } = Preferences.derive([event("about Acme", when)], now)
      assert.deepStrictEqual(companies, [{ name: "Acme", weight: 1 }])
    })
  }

  it("leaves out what counts for nothing any more", () => {
    for (const when of ["2025-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"]) {
      assert.deepStrictEqual(Preferences.derive([event("about Acme", when)], now).companies, [])
    }
  })

  it("bears half-lives that are none", () => {
    const events = [event("about Acme"), event("about Globex", "2026-11-21T12:00:00Z")]
    assert.deepStrictEqual(names(Preferences.derive(events, now, { halfLife: 0 }).companies), ["Acme"])
    assert.deepStrictEqual(Preferences.derive(events, now, { halfLife: Infinity }).companies, [
      { name: "Acme", weight: 1 },
      { name: "Globex", weight: 1 }
    ])
  })

  it("gives none for a limit of 0 or less", () => {
    const events = [event("inflation at Acme as a table"), event("inflation at Globex")]
    for (const limit of [0, -1]) {
      assert.deepStrictEqual(Preferences.derive(events, now, { limit }), { topics: [], companies: [], formats: [] })
    }
  })

  it("counts the forms of a word together, and gives the one written first", () => {
    const { topics } = Preferences.derive([event("new policies"), event("a policy"), event("the policy's cost")], now)
    assert.deepStrictEqual(topics, [{ name: "policies", weight: 3 }])
  })

  it("does not trip over the names of what every object has", () => {
    const words = ["constructor", "__proto__", "toString", "hasOwnProperty"]
    const events = [event(words.join(" ")), event(words.join(" "))]
    assert.includeMembers(names(Preferences.derive(events, now).topics), ["constructor", "tostring", "hasownproperty"])
    const own = Preferences.derive(events, now, { topics: JSON.parse(`{"__proto__":["constructor"]}`) as {} })
    assert.include(names(own.topics), "__proto__")
  })

  it("takes marks in the names of companies for what they are", () => {
    const companies = ["C++ (Ltd.)", "[a-z]+", "$^", "Yahoo!", ".*"]
    const found = Preferences.derive([event("I like c++ (ltd.) and Yahoo! too")], now, { companies })
    assert.deepStrictEqual(names(found.companies), ["C++ (Ltd.)", "Yahoo!"])
  })

  it("reads the first 4,000 units of a text, and no half of a word", () => {
    const { companies } = Preferences.derive([event(`${"so ".repeat(1331)}at Globex and Acme`)], now)
    assert.deepStrictEqual(companies, [])
    assert.deepStrictEqual(
      names(Preferences.derive([event(`${"so ".repeat(1329)}at Globex and Acme`)], now).companies),
      [
        "Globex"
      ]
    )
  })

  it("derives the same from 10,000 events every time, and in time", () => {
    const words = "lithium policies trading Acme Globex inflation robots as a table in short".split(" ")
    const events = Array.from({ length: 10_000 }, (_, index) =>
      event(
        Array.from({ length: 12 }, (_, place) => words[(index * 7 + place * 5) % words.length]).join(" "),
        new Date(now - index * 60_000).toISOString()
      ))
    const first = Preferences.derive(events, now)
    assert.deepStrictEqual(Preferences.derive([...events], now), first)
    assert.includeMembers(names(first.topics), ["inflation", "lithium", "robots"])
    assert.includeMembers(names(first.companies), ["Acme", "Globex"])
  }, 15_000)

  const hostile = {
    "one capital letter": "A",
    "capitalised words": "Aa ",
    "possessives": "A's'",
    "spaces": " ",
    "grouped digits": "1,",
    "hyphens": "a-1-",
    "open quotes": "\"(“",
    "words without spaces": "日本",
    "combining marks": "e\u0301",
    "halves of surrogates": "\ud800",
    "expanding ligatures": "\ufdfa",
    "dots": "A.",
    "ends of sentences": ". "
  }
  for (const [what, unit] of Object.entries(hostile)) {
    it(`takes no more than a moment for 100 giant texts of ${what}`, () => {
      const text = unit.repeat(65_536 / unit.length)
      const events = Array.from({ length: 100 }, () => event(text))
      const started = performance.now()
      const { companies, topics } = Preferences.derive(events, now)
      assert.isBelow(performance.now() - started, 5000)
      for (const { name } of [...companies, ...topics]) assert.isAtMost(name.length, 80)
    })
  }
})
