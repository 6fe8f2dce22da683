/**
 * What holds after every call of a chain over sockets: in time, within its
 * tries, nothing held, nothing owed, nothing told.
 */
import { assert } from "@effect/vitest"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as LlmError from "causeway-mcp/llm/LlmError"
import * as Target from "causeway-mcp/llm/Target"
import * as Effect from "effect/Effect"
import { inspect } from "node:util"
import type { Provider, Told, World } from "./harness.js"
import { eventually, inTime, line, millis } from "./harness.js"
import type * as Ledger from "./ledger.js"

/** What a reason costs whom, in milliseconds at least. */
const cooldowns: { readonly [reason: string]: readonly ["target" | "account", number] } = {
  RateLimited: ["target", 1000],
  QuotaExhausted: ["account", 600_000],
  AuthRejected: ["account", 300_000],
  ModelUnavailable: ["target", 600_000],
  Untrusted: ["account", 300_000]
}

/** What a breaker is told, by the reason; of all others it is told nothing. */
const verdicts: { readonly [reason: string]: Ledger.Verdict } = {
  Transient: "connection",
  TimedOut: "connection",
  StreamBroken: "connection",
  Malformed: "failed",
  Untrusted: "failed",
  Degraded: "succeeded"
}

/** A model for which there is no money was let in, and left again. What breaks a stream counts as what it is. */
const verdictsOf = (told: Told, name: string): ReadonlyArray<Ledger.Verdict> =>
  told.attempts.filter(({ provider }) => provider === name).flatMap(({ outcome, reason }) => {
    const broken = reason === "StreamBroken" ? told.error?.cause : undefined
    return outcome === "answered"
      ? ["succeeded"]
      : outcome === "skipped" && reason !== "budget"
      ? []
      : [verdicts[(broken instanceof LlmError.LlmError ? broken.reason : reason) ?? ""] ?? "ignored"]
  })

const triesOf = (told: Told, { name }: Provider): ReadonlyArray<Chat.Attempt> =>
  told.attempts.filter(({ outcome, provider }) => provider === name && outcome !== "skipped")

/** Nothing is held of anyone, and no connection is in use: it can be left alone. */
export const isQuiet = (world: World): Effect.Effect<void> =>
  Effect.gen(function*() {
    for (const { leaves, name, places, server, target } of world.providers) {
      assert.strictEqual(target.limits.inFlight, 0, `${name} has calls under way`)
      assert.deepStrictEqual(places.filter((place) => place.ended === undefined), [], `${name} has places taken`)
      assert.deepStrictEqual(leaves.filter(({ verdict }) => verdict === "open"), [], `${name} has leaves open`)
      yield* Effect.orDie(eventually(Effect.map(server.active, (active) => active === 0), `${name} is still asked`))
    }
    assert.strictEqual(world.budget.counts.open, 0, "money is put aside")
  })

/** A minute without calls pays for everything: the limits are all free again. Only for the end, since it is a step in time. */
export const isFreeAgain = (world: World): Effect.Effect<void> =>
  Effect.map(millis, (now) => {
    for (const { name, target } of world.providers) {
      assert.strictEqual(target.limits.headroom(now + 61_000), 1, `${name} never has its limits back`)
    }
  })

/** No key stands anywhere in what the caller was told. */
export const keepsSecrets = (told: Told, providers: ReadonlyArray<Provider>): void => {
  const { error } = told
  const shown = [
    inspect(error, { depth: 12, showHidden: true }),
    inspect(told.attempts, { depth: 12 }),
    JSON.stringify(error) ?? "",
    JSON.stringify(told.answer) ?? "",
    String(error?.stack),
    String(error)
  ].join("\n")
  for (const { key, name } of providers) assert.notInclude(shown, key, `the key of ${name}`)
  assert.notInclude(shown, "Bearer ")
}

/** What it cost is what was spent, try by try, and no more is put aside. */
const isPaid = (world: World, told: Told): Effect.Effect<void> =>
  Effect.map(world.budget.watched.left(), (left) => {
    const sum = told.attempts.reduce((sum, { cost }) => sum + (cost?.usd ?? 0), 0)
    const cost = (told.answer ?? told.error)?.cost
    assert.closeTo(cost?.usd ?? Number.NaN, sum, 1e-9, "the cost is not that of the tries")
    assert.closeTo(left, Math.max(0, world.budget.total - sum), 1e-8, "the budget is not what is left")
    for (const { cost, outcome } of told.attempts) {
      if (outcome === "answered") assert.notStrictEqual(cost?.certainty ?? "unknown", "unknown")
      if (outcome === "skipped") assert.isUndefined(cost)
    }
  })

/** A place that was used is settled with what was used; one that was not is given back. */
const isSettled = (told: Told, provider: Provider): void => {
  const sent = triesOf(told, provider).filter(({ phase }) => phase !== "connect")
  const used = provider.places.filter(({ ended }) => ended !== "refunded")
  assert.lengthOf(used, sent.length, `${provider.name}: a place for each try that was sent`)
  for (const [index, { cause, outcome }] of sent.entries()) {
    const ended = used[index]?.ended
    assert.isObject(ended)
    if (outcome !== "answered" || cause === "repair" || cause === "lengthen") continue
    const { inputTokens, outputTokens } = told.answer?.usage ?? {}
    assert.deepStrictEqual(ended, {
      tokens: inputTokens === undefined || outputTokens === undefined ? undefined : inputTokens + outputTokens
    })
  }
}

/** Whoever asked to be left alone is, for as long as it should be, and nobody else. */
const isCooling = (told: Told, { name, target }: Provider, tries: ReadonlyArray<Chat.Attempt>): void => {
  const due = { target: 0, account: 0 }
  for (const { reason = "", retryAfterMs = 0 } of tries) {
    const [scope, atLeast] = cooldowns[reason] ?? []
    if (scope !== undefined) {
      due[scope] = Math.max(due[scope], Math.max(atLeast ?? 0, Math.min(retryAfterMs, 3_600_000)))
    }
  }
  for (const [scope, cooling] of [["target", target.cooling], ["account", target.account.cooling]] as const) {
    if (due[scope] === 0) {
      assert.strictEqual(cooling.until, Number.NEGATIVE_INFINITY, `${name} is left alone as a ${scope}`)
    } else {
      assert.isAtLeast(cooling.until - told.startedAt, due[scope], `${name} is left alone for too short a time`)
      assert.isAtMost(cooling.until - told.endedAt, due[scope], `${name} is left alone for too long`)
    }
  }
}

/** All that holds after the one call of a world, as far as it does not depend on what the call met. */
export const hold = (world: World, told: Told): Effect.Effect<void> =>
  Effect.gen(function*() {
    inTime(told, world.deadlineMs)
    yield* isQuiet(world)
    let sent = 0
    for (const provider of world.providers) {
      const { leaves, name, server, target } = provider
      const tries = triesOf(told, provider)
      const onWire = tries.filter(({ phase }) => phase !== "connect")
      const requests = yield* server.requests
      sent += requests.length
      assert.lengthOf(requests, onWire.length, `${name}: ${told.attempts.map(line).join(", ")}`)
      for (const [index, request] of requests.entries()) {
        assert.isAtLeast(request.at, requests[index - 1]?.at ?? 0)
        assert.match(request.auth ?? "", /^(?:authorization: Bearer|x-api-key)$/u)
      }
      isSettled(told, provider)
      assert.deepStrictEqual(
        leaves.map(({ verdict }) => verdict),
        verdictsOf(told, name),
        `${name}: what its breaker heard`
      )
      assert.strictEqual(Target.status(target, told.endedAt).breaker, "closed")
      isCooling(told, provider, tries)
      // A try that follows at once may find the connection not free yet, and makes another.
      const kept = tries.filter(({ reason }) => reason !== "TimedOut").length
      yield* Effect.orDie(
        eventually(Effect.map(server.connections, (open) => open <= kept), `${name} has sockets open`)
      )
    }
    assert.isAtMost(sent, world.maxAttempts)
    yield* isPaid(world, told)
    keepsSecrets(told, world.providers)
    yield* isFreeAgain(world)
  })
