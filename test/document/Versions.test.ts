import { assert, describe, it } from "@effect/vitest"
import * as Versions from "causeway-mcp/document/internal/Versions"

describe("Versions.winners", () => {
  it("takes the highest version of each id, and of equal or absent ones the last", () => {
    const document = (id: string, version: number | undefined, text: string) => ({ id, version, text })
    const won = Versions.winners([
      document("a", 2, "two"),
      document("b", undefined, "first"),
      document("a", 3, "three"),
      document("a", 3, "three again"),
      document("a", 1, "one"),
      document("b", undefined, "second"),
      document("c", 7, "versioned"),
      document("c", undefined, "not")
    ])
    assert.deepStrictEqual([...won].map(([id, { text }]) => `${id} ${text}`), ["a three again", "b second", "c not"])
  })
})

describe("Versions.judge", () => {
  const cases: ReadonlyArray<
    readonly [given: number | undefined, stored: number | undefined, isSame: boolean, verdict: string]
  > = [
    [undefined, undefined, true, "Keep undefined"],
    [undefined, 4, true, "Keep undefined"],
    [4, undefined, true, "Keep 4"],
    [3, 4, true, "Keep 4"],
    [5, 4, true, "Keep 5"],
    [undefined, undefined, false, "Write"],
    [undefined, 4, false, "Write"],
    [4, undefined, false, "Write"],
    [5, 4, false, "Write"],
    [3, 4, false, "Outdated"],
    [0, 1, false, "Outdated"],
    [4, 4, false, "Refuse"],
    [0, 0, false, "Refuse"]
  ]
  for (const [given, stored, isSame, expected] of cases) {
    it(`answers ${expected} to ${isSame ? "the same" : "other"} content of version ${given} over ${stored}`, () => {
      const verdict = Versions.judge({ version: given }, { version: stored }, isSame)
      assert.strictEqual(verdict._tag === "Keep" ? `Keep ${verdict.version}` : verdict._tag, expected)
    })
  }

  it("writes what is not stored", () => {
    assert.deepStrictEqual(Versions.judge({ version: 0 }, undefined, false), { _tag: "Write" })
  })
})
