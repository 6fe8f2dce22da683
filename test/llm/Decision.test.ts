import { assert, describe, it } from "@effect/vitest"
import * as Decision from "causeway-mcp/llm/Decision"
import * as LlmError from "causeway-mcp/llm/LlmError"
import * as Duration from "effect/Duration"

const error = (reason: LlmError.Reason, phase?: LlmError.LlmError["phase"]): LlmError.LlmError =>
  new LlmError.LlmError({
    reason,
    provider: "acme",
    description: "it did not answer",
    ...(phase === undefined ? {} : { phase })
  })

interface Row {
  readonly next: Decision.Decision["next"]
  readonly again?: true
  readonly cooldown?: readonly [scope: "target" | "account", atLeastMs: number, upToMs?: number]
  readonly health: Decision.Decision["health"]
}

const minute = 60_000

const rows: { readonly [R in LlmError.Reason]: Row } = {
  RateLimited: { next: "yes", cooldown: ["target", 1_000], health: "nothing" },
  QuotaExhausted: { next: "yes", cooldown: ["account", 10 * minute, 60 * minute], health: "nothing" },
  AuthRejected: { next: "yes", cooldown: ["account", 5 * minute], health: "nothing" },
  ModelUnavailable: { next: "yes", cooldown: ["target", 10 * minute], health: "nothing" },
  ContextTooLong: { next: "larger", health: "nothing" },
  ContentBlocked: { next: "no", health: "nothing" },
  RequestRejected: { next: "no", health: "nothing" },
  Transient: { next: "yes", again: true, health: "connection" },
  TimedOut: { next: "yes", health: "connection" },
  Malformed: { next: "yes", health: "failure" },
  Degraded: { next: "yes", health: "success" },
  Unsupported: { next: "yes", health: "nothing" },
  Untrusted: { next: "yes", cooldown: ["account", 5 * minute], health: "failure" },
  StreamBroken: { next: "no", health: "connection" },
  BudgetExceeded: { next: "yes", health: "nothing" },
  Exhausted: { next: "yes", health: "nothing" }
}

const rowOf = (decision: Decision.Decision): Row => {
  const { again, cooldown, health, next } = decision
  const upTo = cooldown?.upTo
  return {
    next,
    ...(again ? { again } : {}),
    ...(cooldown === undefined ? {} : {
      cooldown: upTo === undefined
        ? [cooldown.scope, Duration.toMillis(cooldown.atLeast)]
        : [cooldown.scope, Duration.toMillis(cooldown.atLeast), Duration.toMillis(upTo)]
    }),
    health
  }
}

describe("Decision.standard", () => {
  for (const reason of LlmError.Reason.literals) {
    it(`decides on ${reason} as the table says`, () => {
      assert.deepStrictEqual(rowOf(Decision.standard(error(reason))), rows[reason])
    })
  }

  it("does not hold waiting in our own queue against the provider", () => {
    assert.deepStrictEqual(rowOf(Decision.standard(error("TimedOut", "queue"))), { next: "yes", health: "nothing" })
  })

  for (const phase of ["connect", "headers", "firstToken", "idle", "answer"] as const) {
    it(`holds time that ran out in the phase ${phase} against the provider`, () => {
      assert.deepStrictEqual(rowOf(Decision.standard(error("TimedOut", phase))), rows.TimedOut)
    })
  }

  it("asks the same model again only after what may pass at once", () => {
    const again = LlmError.Reason.literals.filter((reason) => Decision.standard(error(reason)).again)
    assert.deepStrictEqual(again, ["Transient"])
  })
})

describe("Decision.pastContentRules", () => {
  it("puts to the next model what one provider's rules forbid", () => {
    assert.deepStrictEqual(rowOf(Decision.pastContentRules(error("ContentBlocked"))), {
      next: "yes",
      health: "nothing"
    })
  })

  it("decides on all else as the standard does", () => {
    for (const reason of LlmError.Reason.literals.filter((reason) => reason !== "ContentBlocked")) {
      assert.deepStrictEqual(
        Decision.pastContentRules(error(reason, "queue")),
        Decision.standard(error(reason, "queue"))
      )
    }
  })
})

describe("Decision.standard of a broken stream", () => {
  it("is over for the call, and for the model what broke it", () => {
    const broken = new LlmError.LlmError({
      reason: "StreamBroken",
      provider: "acme",
      description: "the stream failed",
      cause: error("RateLimited")
    })
    assert.deepStrictEqual(Decision.standard(broken), { ...Decision.standard(error("RateLimited")), next: "no" })
  })
})
