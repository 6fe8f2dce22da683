import { assert, describe, it } from "@effect/vitest"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as Policy from "causeway-mcp/policy/Policy"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

describe("Policy", () => {
  it("lets the later of two policies count", () => {
    const policy = Policy.all(Policy.standard, Policy.timeout("5 seconds"), Policy.attemptTimeout("1 second"))
    assert.deepStrictEqual(policy.timeout, Option.some(Duration.seconds(5)))
    assert.deepStrictEqual(policy.attemptTimeout, Option.some(Duration.seconds(1)))
    assert.deepStrictEqual(policy.retry, Option.none())
  })

  it("allows 30 seconds and one try unless told otherwise", () => {
    assert.deepStrictEqual(Policy.standard.timeout, Option.some(Duration.seconds(30)))
    assert.isFalse(Policy.isRepeating(Policy.standard))
  })

  it("tells a policy from other values, and a repeating one from the rest", () => {
    assert.isTrue(Policy.isPolicy(Policy.none))
    assert.isFalse(Policy.isPolicy({ timeout: Option.none() }))
    assert.isTrue(Policy.isRepeating(Policy.all(Policy.standard, Policy.retry(Backoff.quick))))
  })

  it("can be piped", () => {
    assert.deepStrictEqual(
      Policy.none.pipe((self) => Policy.all(self, Policy.standard)).timeout,
      Policy.standard.timeout
    )
  })

  it("keeps limits of different buckets, and lets the later of the same bucket count", () => {
    const policy = Policy.all(
      Policy.rateLimit({ limit: 1, window: "1 second" }),
      Policy.rateLimit({ limit: 2, window: "1 second", per: ["tenant"] }),
      Policy.rateLimit({ limit: 3, window: "1 second", per: ["tool", "caller"] }),
      Policy.rateLimit({ limit: 4, window: "1 second", name: "dollars" })
    )
    assert.deepStrictEqual(policy.rateLimits.map(({ limit }) => limit), [2, 3, 4])
  })

  it("keeps one fallback of each kind, and each half of a size limit", () => {
    const policy = Policy.all(
      Policy.fallback({ tool: "a", why: "x" }),
      Policy.fallback("stale"),
      Policy.fallback({ tool: "b", why: "y" }),
      Policy.sizeLimit({ input: 1 }),
      Policy.sizeLimit({ result: 2 })
    )
    assert.deepStrictEqual(policy.fallbacks, [{ _tag: "Stale" }, { _tag: "Tool", tool: "b", why: "y" }])
    assert.deepStrictEqual(policy.sizeLimit, Option.some({ input: 1, result: 2 }))
  })

  it("does not take what is undefined for a wish to have no bound", () => {
    const policy = Policy.all(Policy.standard, Policy.sizeLimit({ input: undefined, result: 5 }))
    assert.deepStrictEqual(policy.sizeLimit, Option.some({ input: 1024 * 1024, result: 5 }))
    assert.deepStrictEqual(
      Policy.all(policy, Policy.sizeLimit({ input: 7, result: undefined })).sizeLimit,
      Option.some({ input: 7, result: 5 })
    )
  })

  it("halves the confidence of kept answers after four times as long as they are kept", () => {
    const of = (cache: Policy.Cache) => Duration.toMillis(Policy.halfLifeOf(cache))
    assert.strictEqual(of({ timeToLive: "1 second" }), 4000)
    assert.strictEqual(of({ timeToLive: "1 second", staleFor: "1 hour" }), 4000)
    assert.strictEqual(of({ timeToLive: "1 second", halfLife: "3 seconds" }), 3000)
    assert.strictEqual(of({ timeToLive: 0, staleFor: "2 seconds" }), 8000)
  })

  it("tells that a cache and coalescing repeat, and that nothing else but a retry does", () => {
    assert.isTrue(Policy.isRepeating(Policy.coalesce))
    assert.isTrue(Policy.isRepeating(Policy.cache({ timeToLive: "1 second" })))
    const others = Policy.all(
      Policy.standard,
      Policy.idempotent(),
      Policy.rateLimit({ limit: 1, window: "1 second" }),
      Policy.circuitBreaker(),
      Policy.minConfidence(0.5),
      Policy.fallback("stale"),
      Policy.priority("critical")
    )
    assert.isFalse(Policy.isRepeating(others))
  })
})
