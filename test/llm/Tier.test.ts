import { assert, describe, it } from "@effect/vitest"
import type * as Llm from "causeway-mcp/llm/Llm"
import * as Target from "causeway-mcp/llm/Target"
import * as Tier from "causeway-mcp/llm/Tier"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Stream from "effect/Stream"

const modelOf = (model: string): Llm.Model => ({
  provider: "acme",
  model,
  generateText: () => Effect.dieMessage("nobody asks it"),
  generateObject: () => Effect.dieMessage("nobody asks it"),
  streamText: () => Stream.dieMessage("nobody asks it"),
  ping: Effect.void
})

const target = (id: string, options: Target.Options = {}): Target.Target =>
  Effect.runSync(Target.make(modelOf(id), { ...options, id }))

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
const seeded = (seed: number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}

const situation = (of: Partial<Tier.Situation> = {}): Tier.Situation => ({
  request: { messages: [{ role: "user", text: "How are rates?" }] },
  inputTokens: 100,
  now: 0,
  random: seeded(1),
  ...of
})

const forTenant = (tenant: string) => situation({ request: { ...situation().request, tenant } })

const ids = (targets: ReadonlyArray<Target.Target>): ReadonlyArray<string> => targets.map(({ id }) => id)

/** How often each target came first. */
const firsts = (
  strategy: Tier.Strategy,
  targets: ReadonlyArray<Target.Target>,
  times: number,
  of: (time: number) => Tier.Situation
): { readonly [id: string]: number } => {
  const counts: { [id: string]: number } = {}
  for (const { id } of targets) counts[id] = 0
  for (let time = 0; time < times; time++) {
    const id = strategy.order(targets, of(time))[0]?.id ?? "none"
    counts[id] = (counts[id] ?? 0) + 1
  }
  return counts
}

const busy = (target: Target.Target, calls: number): Target.Target => {
  for (let call = 0; call < calls; call++) target.limits.tryTake(0, 0)
  return target
}

const quick = (target: Target.Target, elapsedMs: number, now = 0): Target.Target => {
  target.record.answered(now, elapsedMs, undefined)
  return target
}

const priceOf = (inputPerMillion: number, outputPerMillion: number) => ({
  provider: "acme",
  model: "any",
  from: "2026-11-01",
  inputPerMillion,
  outputPerMillion
})

const strategies: ReadonlyArray<readonly [string, () => Tier.Strategy]> = [
  ["ordered", Tier.ordered],
  ["weighted", Tier.weighted],
  ["roundRobin", Tier.roundRobin],
  ["leastInFlight", Tier.leastInFlight],
  ["peakEwma", Tier.peakEwma],
  ["cheapest", Tier.cheapest],
  ["headroom", Tier.headroom],
  ["sticky", () => Tier.sticky()]
]

describe("Tier.make", () => {
  it("asks in the order given unless told otherwise", () => {
    const one = target("one")
    assert.strictEqual(Tier.make([one]).strategy.name, "ordered")
    assert.strictEqual(Tier.make([one], Tier.cheapest()).strategy.name, "cheapest")
  })
})

for (const [name, make] of strategies) {
  describe(`Tier.${name}`, () => {
    it("bears its name", () => {
      assert.strictEqual(make().name, name)
    })

    it("returns every target, each once", () => {
      FastCheck.assert(
        FastCheck.property(
          FastCheck.array(
            FastCheck.record({
              weight: FastCheck.double({ min: 0.01, max: 100, noNaN: true }),
              calls: FastCheck.nat(5),
              latency: FastCheck.option(FastCheck.nat(5_000)),
              failures: FastCheck.nat(3)
            }),
            { maxLength: 7 }
          ),
          FastCheck.integer(),
          FastCheck.string(),
          (of, seed, tenant) => {
            const targets = of.map(({ calls, failures, latency, weight }, index) => {
              const made = busy(target(`t${index}`, { weight, limits: { concurrency: 10 } }), calls)
              if (latency !== null) quick(made, latency)
              for (let failure = 0; failure < failures; failure++) made.record.failed(0, 1)
              return made
            })
            const strategy = make()
            const random = seeded(seed)
            for (let time = 0; time < 3; time++) {
              const order = strategy.order(targets, { ...forTenant(tenant), random })
              assert.deepStrictEqual([...ids(order)].sort(), [...ids(targets)].sort())
            }
          }
        ),
        { numRuns: 50 }
      )
    })

    it("gives the same order for the same numbers", () => {
      const targets = ["a", "b", "c", "d", "e"].map((id) => target(id))
      const orders = () => {
        const strategy = make()
        const random = seeded(42)
        return Array.from({ length: 20 }, () => ids(strategy.order(targets, situation({ random }))))
      }
      assert.deepStrictEqual(orders(), orders())
    })

    it("stays in bounds whatever the numbers are", () => {
      const targets = ["a", "b", "c"].map((id) => target(id))
      for (const random of [() => 0, () => 1 - 2 ** -53]) {
        assert.lengthOf(new Set(make().order(targets, situation({ random }))), 3)
      }
    })
  })
}

describe("Tier.ordered", () => {
  it("keeps the order given", () => {
    assert.deepStrictEqual(ids(Tier.ordered().order([target("b"), target("a")], situation())), ["b", "a"])
  })
})

describe("Tier.weighted", () => {
  it("puts each first in proportion to its weight", () => {
    const targets = [target("a", { weight: 6 }), target("b", { weight: 3 }), target("c", { weight: 1 })]
    const random = seeded(7)
    const counts = firsts(Tier.weighted(), targets, 10_000, () => situation({ random }))
    // Within five standard deviations of 10,000 draws.
    assert.approximately(counts["a"] ?? 0, 6_000, 245)
    assert.approximately(counts["b"] ?? 0, 3_000, 230)
    assert.approximately(counts["c"] ?? 0, 1_000, 150)
  })

  it("draws the second from those that are left, by their weights", () => {
    const targets = [target("a", { weight: 100 }), target("b", { weight: 3 }), target("c", { weight: 1 })]
    const random = seeded(7)
    const seconds = Array.from({ length: 4_000 }, () => Tier.weighted().order(targets, situation({ random })))
      .filter((order) => order[0]?.id === "a")
      .map((order) => order[1]?.id)
    assert.approximately(seconds.filter((id) => id === "b").length / seconds.length, 0.75, 0.04)
  })
})

describe("Tier.roundRobin", () => {
  it("puts each first equally often, and the others behind it in turn", () => {
    const targets = [target("a"), target("b"), target("c")]
    const strategy = Tier.roundRobin()
    assert.deepStrictEqual(
      Array.from({ length: 4 }, () => ids(strategy.order(targets, situation())).join("")),
      ["abc", "bca", "cab", "abc"]
    )
    assert.deepStrictEqual(firsts(Tier.roundRobin(), targets, 300, () => situation()), { a: 100, b: 100, c: 100 })
  })

  it("keeps its turn for itself", () => {
    const targets = [target("a"), target("b")]
    Tier.roundRobin().order(targets, situation())
    assert.deepStrictEqual(ids(Tier.roundRobin().order(targets, situation())), ["a", "b"])
  })
})

describe("Tier.leastInFlight", () => {
  it("puts the one with the fewest calls under way first", () => {
    const targets = [busy(target("a"), 3), busy(target("b"), 1), busy(target("c"), 2)]
    assert.deepStrictEqual(ids(Tier.leastInFlight().order(targets, situation())), ["b", "c", "a"])
  })

  it("lets the heavier carry more", () => {
    const targets = [busy(target("light", { weight: 1 }), 2), busy(target("heavy", { weight: 4 }), 4)]
    assert.strictEqual(Tier.leastInFlight().order(targets, situation())[0]?.id, "heavy")
  })

  it("shares out by weight when all are idle", () => {
    const targets = [target("a", { weight: 3 }), target("b", { weight: 1 })]
    const random = seeded(3)
    const counts = firsts(Tier.leastInFlight(), targets, 4_000, () => situation({ random }))
    assert.approximately(counts["a"] ?? 0, 3_000, 140)
  })
})

describe("Tier.peakEwma", () => {
  it("prefers the quicker of two", () => {
    const targets = [quick(target("slow"), 900), quick(target("fast"), 100)]
    const counts = firsts(Tier.peakEwma(), targets, 200, (time) => situation({ random: seeded(time) }))
    assert.deepStrictEqual(counts, { slow: 0, fast: 200 })
  })

  it("never puts the worst of several first, and the best most often", () => {
    const targets = [100, 200, 300, 400].map((elapsed) => quick(target(`t${elapsed}`), elapsed))
    const random = seeded(11)
    const counts = firsts(Tier.peakEwma(), targets, 6_000, () => situation({ random }))
    // Of six pairs the best is in three, the second leads two, the third one.
    assert.approximately(counts["t100"] ?? 0, 3_000, 200)
    assert.approximately(counts["t200"] ?? 0, 2_000, 190)
    assert.approximately(counts["t300"] ?? 0, 1_000, 150)
    assert.strictEqual(counts["t400"], 0)
  })

  it("asks the rest from the best to the worst", () => {
    const targets = [400, 100, 300, 200].map((elapsed) => quick(target(`t${elapsed}`), elapsed))
    for (let seed = 0; seed < 20; seed++) {
      const [, ...rest] = ids(Tier.peakEwma().order(targets, situation({ random: seeded(seed) })))
      assert.deepStrictEqual(rest, [...rest].sort())
    }
  })

  it("counts calls under way and failures against a target", () => {
    const loaded = [busy(quick(target("loaded"), 100), 4), quick(target("idle"), 300)]
    assert.strictEqual(Tier.peakEwma().order(loaded, situation())[0]?.id, "idle")
    const failing = quick(target("failing"), 100)
    for (let failure = 0; failure < 9; failure++) failing.record.failed(0, 1)
    assert.strictEqual(Tier.peakEwma().order([failing, quick(target("sound"), 300)], situation())[0]?.id, "sound")
  })

  it("takes a target nobody has asked for as quick as the others in the middle", () => {
    const cold = target("cold")
    const targets = [quick(target("fast"), 100), quick(target("middling"), 500), quick(target("slow"), 900), cold]
    const random = seeded(5)
    const counts = firsts(Tier.peakEwma(), targets, 6_000, () => situation({ random }))
    assert.approximately(counts["fast"] ?? 0, 3_000, 200)
    assert.strictEqual(counts["slow"], 0)
    assert.isAbove(counts["cold"] ?? 0, 500)
    assert.isBelow(counts["cold"] ?? 0, 2_300)
  })

  it("comes back to a target that was slow, once nobody remembers", () => {
    const slow = quick(target("slow"), 9_000, 0)
    const other = target("other")
    let now = 0
    let backAt = Infinity
    for (; now < 60_000 && backAt === Infinity; now += 500) {
      quick(other, 100, now)
      if (Tier.peakEwma().order([slow, other], situation({ now, random: seeded(now) }))[0] === slow) backAt = now
    }
    assert.isAbove(backAt, 30_000)
    assert.isBelow(backAt, 35_000)
  })

  it("spreads calls evenly over targets nobody knows", () => {
    const targets = ["a", "b", "c"].map((id) => target(id))
    const random = seeded(9)
    const counts = firsts(Tier.peakEwma(), targets, 3_000, () => situation({ random }))
    for (const id of ids(targets)) assert.approximately(counts[id] ?? 0, 1_000, 150)
  })
})

describe("Tier.cheapest", () => {
  const targets = [
    target("unpriced"),
    target("long", { price: priceOf(10, 1) }),
    target("short", { price: priceOf(1, 10) })
  ]
  const asking = (inputTokens: number, maxTokens: number) =>
    situation({ inputTokens, request: { ...situation().request, maxTokens } })

  it("puts the one first that costs least for the request at hand, and those without a price last", () => {
    assert.deepStrictEqual(ids(Tier.cheapest().order(targets, asking(1_000, 10))), ["short", "long", "unpriced"])
    assert.deepStrictEqual(ids(Tier.cheapest().order(targets, asking(10, 1_000))), ["long", "short", "unpriced"])
  })

  it("reckons with a usual answer when the request sets no length", () => {
    assert.strictEqual(Tier.cheapest().order(targets, situation({ inputTokens: 10 }))[0]?.id, "long")
  })

  it("keeps the order given among equals", () => {
    const equals = [
      target("b"),
      target("a"),
      target("d", { price: priceOf(1, 1) }),
      target("c", { price: priceOf(1, 1) })
    ]
    assert.deepStrictEqual(ids(Tier.cheapest().order(equals, situation())), ["d", "c", "b", "a"])
  })
})

describe("Tier.headroom", () => {
  it("puts the one first that has most of its limits left", () => {
    const targets = [
      busy(target("half", { limits: { concurrency: 4 } }), 2),
      busy(target("full", { limits: { concurrency: 2 } }), 2),
      busy(target("ample", { limits: { requestsPerMinute: 120 } }), 1)
    ]
    assert.deepStrictEqual(ids(Tier.headroom().order(targets, situation())), ["ample", "half", "full"])
  })
})

describe("Tier.sticky", () => {
  const names = Array.from({ length: 2_000 }, (_, index) => `tenant ${index}`)
  const targets = ["a", "b", "c", "d"].map((id) => target(id))
  const firstOf = (among: ReadonlyArray<Target.Target>, tenant: string) =>
    Tier.sticky().order(among, forTenant(tenant))[0]?.id

  it("gives the same order for the same tenant, whatever else there is", () => {
    for (const tenant of names.slice(0, 50)) {
      assert.deepStrictEqual(
        ids(Tier.sticky().order(targets, forTenant(tenant))),
        ids(Tier.sticky().order([...targets].reverse(), { ...forTenant(tenant), random: seeded(9), now: 5 }))
      )
    }
  })

  it("shares the tenants out evenly, or by weight", () => {
    const counts = firsts(Tier.sticky(), targets, 2_000, (time) => forTenant(names[time] ?? ""))
    for (const id of ids(targets)) assert.approximately(counts[id] ?? 0, 500, 100)
    const weighed = [target("a", { weight: 3 }), target("b", { weight: 1 })]
    const byWeight = firsts(Tier.sticky(), weighed, 2_000, (time) => forTenant(names[time] ?? ""))
    assert.approximately(byWeight["a"] ?? 0, 1_500, 100)
  })

  it("moves only the tenants of a target that is removed, each to its second choice", () => {
    const left = targets.filter(({ id }) => id !== "b")
    for (const tenant of names) {
      const before = Tier.sticky().order(targets, forTenant(tenant))
      const expected = before[0]?.id === "b" ? before[1]?.id : before[0]?.id
      assert.strictEqual(firstOf(left, tenant), expected)
    }
  })

  it("goes by another key when it is given one", () => {
    const strategy = Tier.sticky((request) => request.messages[0]?.text ?? "")
    const orders = new Set(
      names.slice(0, 100).map((tenant) => ids(strategy.order(targets, forTenant(tenant))).join())
    )
    assert.strictEqual(orders.size, 1)
  })
})
