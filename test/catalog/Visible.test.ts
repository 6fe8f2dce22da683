import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Visible from "causeway-mcp/catalog/Visible"

const visible = Visible.make([
  { scopes: [], description: "open" },
  { scopes: ["a"], description: "a" },
  { scopes: ["a", "b"], description: "both" },
  { scopes: ["a b"], description: "spaced" }
])

const seenBy = (...scopes: ReadonlyArray<string>) => visible(Principal.make({ id: "x", scopes }))

describe("Visible.make", () => {
  it("shows what needs no scope that the caller lacks, in order", () => {
    assert.deepStrictEqual(seenBy(), ["open"])
    assert.deepStrictEqual(seenBy("a"), ["open", "a"])
    assert.deepStrictEqual(seenBy("b", "a"), ["open", "a", "both"])
    assert.deepStrictEqual(seenBy("a b"), ["open", "spaced"])
    assert.deepStrictEqual(seenBy("*"), ["open", "a", "both", "spaced"])
  })

  it("gives the same array to all who may see the same", () => {
    assert.strictEqual(seenBy("a"), seenBy("other", "a"))
    assert.strictEqual(seenBy("b", "a"), seenBy("a", "b"))
    const open = Visible.make([{ scopes: [], description: 1 }])
    assert.strictEqual(open(Principal.make({ id: "y" })), open(Principal.local))
  })
})
