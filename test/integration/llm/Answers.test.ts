import { assert, describe, it } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as Check from "causeway-mcp/llm/Check"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as ProviderFaults from "causeway-mcp/testing/ProviderFaults"
import * as Effect from "effect/Effect"
import type { ProviderOptions } from "./harness.js"
import { ask, fine, line, provider, question, value, well, world } from "./harness.js"
import { hold } from "./laws.js"

const policy = ChainPolicy.all(
  ChainPolicy.deadline("8 seconds"),
  ChainPolicy.timeouts({ headers: "4 seconds", firstToken: "4 seconds", idle: "4 seconds", answer: "4 seconds" }),
  ChainPolicy.checks(...Check.standard)
)

const pair = (first: ProviderOptions, second: ProviderOptions = { replies: [well] }, part: ChainPolicy.Part = policy) =>
  Effect.gen(function*() {
    const all = [yield* provider("first", first), yield* provider("second", second)] as const
    return { first: all[0], second: all[1], one: yield* world(all, part) }
  })

describe("answers that are no use", () => {
  it.live("are passed over when they do not keep to the passages", () =>
    Effect.gen(function*() {
      const off =
        "The striker scored twice before half time, and the champions lifted another trophy after penalties " +
        "while thousands celebrated in the stadium with their supporters until midnight, waving scarves and singing."
      const { one } = yield* pair({ replies: [FakeProvider.text(off)] })
      const context = [{
        id: "p-1",
        text: "The rain and the wind are due on Friday, and it is to be wet in the north."
      }]
      const told = yield* ask(one.chain, "text", { ...question, context })
      assert.deepStrictEqual(told.attempts.map(line), [
        "first failed Degraded offContext",
        "second answered (failover)"
      ])
      yield* hold(one, told)
    }).pipe(Effect.scoped), { concurrent: true })

  it.live("are only noted when another model gave them than was asked", () =>
    Effect.gen(function*() {
      const { one } = yield* pair({ model: "gpt-4o", replies: [FakeProvider.text(fine, { model: "llama-3.1-8b" })] })
      const told = yield* ask(one.chain)
      assert.deepStrictEqual(told.attempts.map(line), ["first answered wrongModel"])
      assert.strictEqual(told.answer?.model, "llama-3.1-8b")
      yield* hold(one, told)
    }).pipe(Effect.scoped), { concurrent: true })

  it.live("are corrected by the model that gave them, which is told what is wrong", () =>
    Effect.gen(function*() {
      const { first, one } = yield* pair({ replies: [FakeProvider.json({ day: "Friday", mm: "forty" }), well] })
      const told = yield* ask(one.chain, "object")
      assert.deepStrictEqual(told.attempts.map(line), [
        "first failed Degraded schemaMismatch",
        "first answered (repair)"
      ])
      assert.deepInclude(told.answer, { value })
      const [, correction] = yield* first.server.requests
      assert.match(JSON.stringify(correction?.body?.messages), /\/mm|mm:/u)
      yield* hold(one, told)
    }).pipe(Effect.scoped), { concurrent: true })

  it.live("are asked for once more at twice the length when they were cut off", () =>
    Effect.gen(function*() {
      const { one } = yield* pair({ replies: [FakeProvider.text("Heavy rain", { finishReason: "length" }), well] })
      const told = yield* ask(one.chain, "text", { ...question, maxTokens: 64 })
      assert.deepStrictEqual(told.attempts.map(line), [
        "first failed Degraded truncated",
        "first answered (lengthen)"
      ])
      yield* hold(one, told)
    }).pipe(Effect.scoped), { concurrent: true })

  it.live("fail the call when all models give them, unless the best is wanted", () =>
    Effect.gen(function*() {
      const refusal = FakeProvider.text("I'm sorry, but I can't help with that request.")
      const cut = FakeProvider.text("Heavy rain will", { finishReason: "length" })
      const strict = yield* pair({ replies: [refusal] }, { replies: [cut] })
      const told = yield* ask(strict.one.chain)
      assert.strictEqual(told.error?.reason, "Exhausted")
      assert.deepStrictEqual(told.attempts.map(line), [
        "first failed Degraded refusal",
        "second failed Degraded truncated (failover)"
      ])
      yield* hold(strict.one, told)
      const best = ChainPolicy.all(policy, ChainPolicy.onAllDegraded("best"))
      const lenient = yield* pair({ replies: [refusal] }, { replies: [cut] }, best)
      const given = yield* ask(lenient.one.chain)
      assert.deepInclude(given.answer, { text: "Heavy rain will", flaw: "truncated", provider: "second" })
    }).pipe(Effect.scoped), { concurrent: true })
})

describe("requests that are too long", () => {
  const long = { model: ProviderFaults.model("400-context-openai"), target: { traits: { contextTokens: 8000 } } }

  it.live("go to a larger window, and leave the model that refused them in use", () =>
    Effect.gen(function*() {
      const { one } = yield* pair(long, { replies: [well], target: { traits: { contextTokens: 100_000 } } })
      const told = yield* ask(one.chain)
      assert.deepStrictEqual(told.attempts.map(line), ["first failed ContextTooLong", "second answered (failover)"])
      yield* hold(one, told)
    }).pipe(Effect.scoped), { concurrent: true })

  it.live("go to no smaller window", () =>
    Effect.gen(function*() {
      const { one } = yield* pair(long, { replies: [well], target: { traits: { contextTokens: 4000 } } })
      const told = yield* ask(one.chain)
      assert.strictEqual(told.error?.reason, "Exhausted")
      assert.deepStrictEqual(told.attempts.map(line), ["first failed ContextTooLong", "second skipped contextTooLong"])
      yield* hold(one, told)
    }).pipe(Effect.scoped), { concurrent: true })
})

describe("streams that are held back", () => {
  for (
    const name of ["stream-cut-after-40-tokens", "stream-error-event", "stream-finish-length", "stream-malformed-event"]
  ) {
    it.live(`are made good by the next model even after their first text (${name})`, () =>
      Effect.gen(function*() {
        const buffered = ChainPolicy.all(policy, ChainPolicy.buffered, ChainPolicy.noRetry)
        const { one } = yield* pair({ model: ProviderFaults.model(name) }, { replies: [well] }, buffered)
        const told = yield* ask(one.chain, "stream")
        assert.strictEqual(told.text, fine, told.error?.message)
        assert.strictEqual(told.answer?.provider, "second")
        yield* hold(one, told)
      }).pipe(Effect.scoped), { concurrent: true })
  }
})
