import { assert, describe, it } from "@effect/vitest"
import * as Revisions from "causeway-mcp/protocol/Revisions"
import * as Option from "effect/Option"

describe("Revisions", () => {
  it("lists what can be claimed and what a handshake can settle, the newest first", () => {
    assert.deepStrictEqual(Revisions.stateless, ["2026-07-28"])
    assert.deepStrictEqual(Revisions.handshake, ["2025-11-25", "2025-06-18", "2025-03-26"])
  })

  it("finds a revision only in its own era", () => {
    assert.isTrue(Option.isSome(Revisions.claimed("2026-07-28")))
    assert.isTrue(Option.isNone(Revisions.settled("2026-07-28")))
    for (const version of Revisions.handshake) {
      assert.isTrue(Option.isSome(Revisions.settled(version)))
      assert.isTrue(Option.isNone(Revisions.claimed(version)))
    }
    for (const version of ["", "__proto__", "constructor", "toString"]) {
      assert.isTrue(Option.isNone(Revisions.claimed(version)))
      assert.isTrue(Option.isNone(Revisions.settled(version)))
    }
  })
})

describe("Revisions.negotiate", () => {
  const settles = (requested: string, version: string) =>
    it(`answers ${JSON.stringify(requested)} with ${version}`, () =>
      assert.strictEqual(Revisions.negotiate(requested).version, version))

  for (const version of Revisions.handshake) settles(version, version)
  settles("2024-11-05", "2025-03-26")
  settles("2026-07-28", "2025-11-25")
  settles("2027-01-01", "2025-11-25")
  settles("2025-01-01", "2025-11-25")
  settles("", "2025-11-25")
  settles("__proto__", "2025-11-25")
})
