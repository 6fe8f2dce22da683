import { assert, describe, it } from "@effect/vitest"
import * as Cursor from "causeway-mcp/server/Cursor"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"

const names = ["a", "b", "c", "d"]

describe("Cursor", () => {
  it("reads back the offset it wrote", () => {
    for (const offset of [1, 2, 3]) {
      assert.deepStrictEqual(Cursor.decode(Cursor.encode(offset, names), names), Either.right(offset))
    }
    assert.deepStrictEqual(Cursor.decode(undefined, names), Either.right(0))
  })
  it("refuses a cursor of a list that has changed, and an offset outside of it", () => {
    assert.isTrue(Either.isLeft(Cursor.decode(Cursor.encode(1, names), ["a", "b"])))
    assert.isTrue(Either.isLeft(Cursor.decode(Cursor.encode(9, names), names)))
  })
  it("refuses anything that it did not write, and never throws", () => {
    FastCheck.assert(FastCheck.property(FastCheck.string({ maxLength: 100 }), (text) => {
      const decoded = Cursor.decode(text, names)
      return Either.isLeft(decoded) && decoded.left.code === -32602
    }))
  })
})
