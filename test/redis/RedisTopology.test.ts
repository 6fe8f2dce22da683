import { assert, describe, it } from "@effect/vitest"
import * as RedisTopology from "causeway-mcp/redis/RedisTopology"
import * as Option from "effect/Option"

const refused = (message: string, name = "ReplyError") => Object.assign(new Error(message), { name })

describe("RedisTopology.ranges", () => {
  it("reads who has which slots, and who copies them", () => {
    const reply = [
      [0, 5460, ["10.0.0.1", 7000, "id", []], ["10.0.0.2", 7001, "id", ["hostname", "h"]]],
      [5461, 16_383, ["fe80::1", 7002, "id"]]
    ]
    assert.deepStrictEqual(Option.getOrThrow(RedisTopology.ranges(reply, "asked")), [
      { first: 0, last: 5460, owner: { host: "10.0.0.1", port: 7000 }, replicas: [{ host: "10.0.0.2", port: 7001 }] },
      { first: 5461, last: 16_383, owner: { host: "fe80::1", port: 7002 }, replicas: [] }
    ])
  })

  for (const host of ["", "?", null]) {
    it(`takes a node that calls itself ${JSON.stringify(host)} to be where it was found`, () => {
      const found = Option.getOrThrow(RedisTopology.ranges([[0, 16_383, [host, 7000, "id"]]], "asked"))
      assert.deepStrictEqual(found[0]?.owner, { host: "asked", port: 7000 })
    })
  }

  for (const reply of [[], null, "OK", [[0, 1]], [[0, "1", ["a", 1, "id"]]], [[0, 1, ["a", "1", "id"]]]]) {
    it(`does not take ${JSON.stringify(reply)} for the slots of a cluster`, () => {
      assert.isTrue(Option.isNone(RedisTopology.ranges(reply, "asked")))
    })
  }
})

describe("RedisTopology.ranges, of a node that lies", () => {
  const a = ["a", 7000, "id"]
  const lies: ReadonlyArray<readonly [string, unknown]> = [
    ["a slot before the first", [[-1, 5, a]]],
    ["a slot after the last", [[0, 16_384, a]]],
    ["half a slot", [[0, 1.5, a]]],
    ["slots in reverse", [[5, 4, a]]],
    ["port 0", [[0, 5, ["a", 0, "id"]]]],
    ["a port that is none", [[0, 5, ["a", 65_536, "id"]]]],
    ["one lie among truths", [[0, 5, a], [6, 9, ["a", -1, "id"]]]],
    ["more nodes than a cluster has", Array.from({ length: 1001 }, (_, n) => [n, n, [`h${n}`, 1, "id"]])]
  ]
  for (const [what, reply] of lies) {
    it(`believes nothing of ${what}`, () => {
      assert.isTrue(Option.isNone(RedisTopology.ranges(reply, "asked")))
    })
  }

  it("passes over a replica where nobody can be, and takes 1,000 owners", () => {
    const reply = Array.from({ length: 1000 }, (_, n) => [n, n, [`h${n}`, 1, "id"], ["r", 0, "id"], ["r", 2, "id"]])
    const found = Option.getOrThrow(RedisTopology.ranges(reply, "asked"))
    assert.lengthOf(found, 1000)
    assert.deepStrictEqual(found[999]?.replicas, [{ host: "r", port: 2 }])
  })
})

describe("RedisTopology.redirect", () => {
  it("knows a place where nobody can be", () => {
    for (const message of ["MOVED 1 h:0", "MOVED 1 h:65536", "ASK 1 h", "MOVED x h:1", "MOVED "]) {
      assert.deepStrictEqual(RedisTopology.redirect(refused(message), "asked"), { _tag: "Nowhere" }, message)
    }
  })

  it("reads where a command belongs", () => {
    assert.deepStrictEqual(RedisTopology.redirect(refused("MOVED 3999 10.0.0.1:6381"), "asked"), {
      _tag: "Moved",
      slot: 3999,
      to: { host: "10.0.0.1", port: 6381 }
    })
    assert.deepStrictEqual(RedisTopology.redirect(refused("ASK 3999 fe80::1:6381"), "asked"), {
      _tag: "Ask",
      to: { host: "fe80::1", port: 6381 }
    })
    assert.deepStrictEqual(RedisTopology.redirect(refused("MOVED 3999 :6381"), "asked"), {
      _tag: "Moved",
      slot: 3999,
      to: { host: "asked", port: 6381 }
    })
    assert.deepStrictEqual(
      RedisTopology.redirect(refused("TRYAGAIN Multiple keys request during rehashing of slot"), "asked"),
      { _tag: "TryAgain" }
    )
  })

  it("takes nothing else for it, for what was carried out must not be sent again", () => {
    for (
      const error of [
        refused("MOVED 3999 10.0.0.1:6381", "Error"),
        refused("ERR MOVED 3999 10.0.0.1:6381"),
        refused("MOVED"),
        refused("CLUSTERDOWN The cluster is down"),
        refused("Command timed out", "Error"),
        "MOVED 3999 10.0.0.1:6381"
      ]
    ) assert.isUndefined(RedisTopology.redirect(error, "asked"))
  })
})
