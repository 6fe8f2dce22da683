import { assert, describe, it } from "@effect/vitest"
import type { SessionEvent } from "causeway-mcp/session/SessionStore"
import * as Preferences from "causeway-mcp/toolbox/Preferences"
import * as FastCheck from "effect/FastCheck"

const now = Date.parse("2026-11-22T12:00:00Z")
const day = 86_400_000

const said = (
  ...texts: ReadonlyArray<string | readonly [daysAgo: number, text: string]>
): ReadonlyArray<SessionEvent> =>
  texts.map((entry, n) => {
    const [daysAgo, text] = typeof entry === "string" ? [0, entry] : entry
    return { eventId: `e${n}`, type: "question", text, occurredAt: new Date(now - daysAgo * day).toISOString() }
  })

const names = (preferences: ReadonlyArray<Preferences.Preference>) => preferences.map((preference) => preference.name)

describe("Preferences.derive", () => {
  it("halves an event's weight every seven days", () => {
    const { companies } = Preferences.derive(said([0, "about Acme"], [7, "about Globex"], [14, "about Initech"]), now)
    assert.deepStrictEqual(companies, [
      { name: "Acme", weight: 1 },
      { name: "Globex", weight: 0.5 },
      { name: "Initech", weight: 0.25 }
    ])
  })

  it("takes time in proportion to a text, whatever marks it holds", () => {
    const texts = ["'", "'s", ".", "-'"].map((marks) => `about A${marks.repeat(1_000_000)}x`)
    const { companies } = Preferences.derive(said(...texts, "about Acme's"), now)
    assert.deepStrictEqual(names(companies), ["Acme"])
  }, 5_000)

  it("takes another half-life", () => {
    const { companies } = Preferences.derive(said([1, "about Acme"]), now, { halfLife: "1 day" })
    assert.deepStrictEqual(companies, [{ name: "Acme", weight: 0.5 }])
  })

  it("counts a term once per event, whatever its case", () => {
    const { topics } = Preferences.derive(said("inflation, Inflation, INFLATION and CPI"), now)
    assert.deepStrictEqual(topics, [{ name: "inflation", weight: 1 }])
  })

  it("reads names as capitalised words, not the first word of a sentence", () => {
    const { companies } = Preferences.derive(
      said("What did Acme Corp say? Compare Globex's margins. Revenue matters. Is TSLA cheap on Monday?"),
      now
    )
    assert.sameMembers(names(companies) as Array<string>, ["Acme Corp", "Globex", "TSLA"])
  })

  it("looks for the companies listed, whole names only and in any case", () => {
    const { companies } = Preferences.derive(said("at&t and META, but no metaphor; Acme is not listed"), now, {
      companies: ["AT&T", "Meta", "Globex"]
    })
    assert.deepStrictEqual(names(companies), ["AT&T", "Meta"])
  })

  it("finds topics of several words, in the singular and the plural", () => {
    const { topics } = Preferences.derive(said("Will central banks follow with rate cuts?"), now)
    assert.include(names(topics), "interest rates")
  })

  it("takes other topics in place of its own", () => {
    const { topics } = Preferences.derive(said("palladium price and inflation"), now, {
      topics: { metals: ["palladium"] }
    })
    assert.deepStrictEqual(names(topics), ["metals"])
  })

  it("adds words that come back and are no names", () => {
    const { topics } = Preferences.derive(said("lithium at Acme", "more lithium from Acme", "cobalt"), now)
    assert.deepStrictEqual(topics, [{ name: "lithium", weight: 2 }])
  })

  it("reads the form that answers should have", () => {
    const { formats } = Preferences.derive(said("short bullets please", "as a chart", "brief"), now)
    assert.deepStrictEqual(formats, [
      { name: "short", weight: 2 },
      { name: "bullets", weight: 1 },
      { name: "chart", weight: 1 }
    ])
  })

  it("gives at most as many of each sort as asked for", () => {
    const { companies } = Preferences.derive(said("about Acme", "about Globex", "about Initech"), now, { limit: 2 })
    assert.lengthOf(companies, 2)
  })

  it("counts an event of unknown date or of the future as one of now", () => {
    assert.strictEqual(Preferences.recency("no date", now), 1)
    assert.strictEqual(Preferences.recency("2027-01-01T00:00:00Z", now), 1)
  })

  it("gives the same for the same events, for any text", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(FastCheck.fullUnicodeString({ maxLength: 200 }), { maxLength: 5 }),
        (texts) => {
          const events = said(...texts)
          const first = Preferences.derive(events, now)
          assert.deepStrictEqual(Preferences.derive(events, now), first)
          for (const { weight } of [...first.topics, ...first.companies, ...first.formats]) {
            assert.isAbove(weight, 0)
            assert.isAtMost(weight, events.length)
          }
        }
      )
    )
  })
})
