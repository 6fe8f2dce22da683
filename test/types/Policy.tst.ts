import * as Attempts from "causeway-mcp/policy/Attempts"
import * as Backoff from "causeway-mcp/policy/Backoff"
import type { IdempotencyStore } from "causeway-mcp/policy/IdempotencyStore"
import * as Policy from "causeway-mcp/policy/Policy"
import type { RateLimiter } from "causeway-mcp/policy/RateLimiter"
import type { ResultCache } from "causeway-mcp/policy/ResultCache"
import * as Effect from "effect/Effect"
import { describe, expect, test } from "tstyche"

/** A call that must not be repeated accepts this much. */
declare const once: (policy: Policy.Policy) => void

/** A call that may be repeated accepts any policy. */
declare const oftener: (policy: Policy.Any) => void

class Failure {
  readonly _tag = "Failure"
}

class Late {
  readonly _tag = "Late"
}

describe("Policy", () => {
  test("that only limits time needs nothing", () => {
    expect(Policy.standard).type.toBe<Policy.Policy<never>>()
    expect(Policy.timeout("1 second")).type.toBe<Policy.Policy<never>>()
    expect(Policy.attemptTimeout("1 second")).type.toBe<Policy.Policy<never>>()
    expect(Policy.none).type.toBe<Policy.Policy<never>>()
  })

  test("that retries is marked", () => {
    expect(Policy.retry(Backoff.quick)).type.toBe<Policy.Policy<Policy.Repeats>>()
  })

  test("made of others is marked when one of them is", () => {
    expect(Policy.all(Policy.standard, Policy.timeout("1 second"))).type.toBe<Policy.Policy<never>>()
    expect(Policy.all(Policy.standard, Policy.retry(Backoff.quick))).type.toBe<Policy.Policy<Policy.Repeats>>()
    expect(Policy.all(Policy.retry(Backoff.quick), Policy.standard)).type.toBe<Policy.Policy<Policy.Repeats>>()
    expect(Policy.all()).type.toBe<Policy.Policy<never>>()
  })

  test("that repeats is refused where a call must run once", () => {
    expect(once).type.toBeCallableWith(Policy.standard)
    expect(once).type.not.toBeCallableWith(Policy.retry(Backoff.quick))
    expect(once).type.not.toBeCallableWith(Policy.all(Policy.standard, Policy.retry(Backoff.quick)))
  })

  test("of any kind is accepted where a call may be repeated", () => {
    expect(oftener).type.toBeCallableWith(Policy.standard)
    expect(oftener).type.toBeCallableWith(Policy.retry(Backoff.quick))
  })

  test("says what it needs", () => {
    expect<Policy.Needs<typeof Policy.standard>>().type.toBe<never>()
    expect<Policy.Needs<Policy.Policy<Policy.Repeats>>>().type.toBe<Policy.Repeats>()
  })

  test("that keeps answers or shares runs is marked", () => {
    expect(Policy.coalesce).type.toBe<Policy.Policy<Policy.Repeats>>()
    expect(Policy.cache({ timeToLive: "1 second" })).type.toBe<Policy.Policy<Policy.Repeats, ResultCache>>()
  })

  test("says what has to be provided for it", () => {
    const policy = Policy.all(
      Policy.standard,
      Policy.rateLimit({ limit: 1, window: "1 second" }),
      Policy.idempotent(),
      Policy.circuitBreaker()
    )
    expect(policy).type.toBe<Policy.Policy<never, RateLimiter | IdempotencyStore>>()
    expect<Policy.Services<typeof policy>>().type.toBe<RateLimiter | IdempotencyStore>()
  })

  test("adds its own failure to those of the call", () => {
    const call: Effect.Effect<number, Failure, "Service"> = Effect.never
    expect(Attempts.run(Policy.standard, call, { onTimeout: () => new Late() }))
      .type.toBe<Effect.Effect<number, Failure | Late, "Service">>()
  })

  test("takes no schedule that reads more of an error than its retryability", () => {
    expect(Policy.retry).type.toBeCallableWith(Backoff.patient)
    expect(Policy.retry).type.not.toBeCallableWith(Effect.void)
  })
})
