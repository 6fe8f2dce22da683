import { assert, describe, it } from "@effect/vitest"
import * as Asking from "causeway-mcp/ask/Asking"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Sealer from "causeway-mcp/auth/Sealer"
import * as RequestState from "causeway-mcp/server/RequestState"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"

const memo: Asking.Memo = {
  answers: { "ask-1": { action: "accept", content: { name: "Ada" } } },
  steps: { paid: [{ id: 7 }] },
  open: ["ask-2"]
}
const bound: RequestState.Bound = {
  caller: Principal.make({ id: "ada", tenant: "one" }),
  method: "tools/call",
  target: "book_seats",
  arguments: { from: "ZRH", seats: [1, 2], options: { window: true, meal: null } },
  now: 1_000_000
}
const message = "The requestState is not valid for this request, or has expired; send the request again without it"

const refusal = (opened: Either.Either<unknown, { readonly code: number; readonly message: string }>) =>
  Either.isLeft(opened) ? { code: opened.left.code, message: opened.left.message } : opened

const refused = { code: -32602, message }

describe("RequestState", () => {
  it.effect("gives the memo back to the same request", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const token = RequestState.seal(sealer, memo, bound)
      assert.deepStrictEqual(RequestState.open(sealer, token, bound), Either.right(memo))
      const later = { ...bound, caller: Principal.make({ id: "ada", tenant: "one", scopes: ["more"] }) }
      assert.deepStrictEqual(RequestState.open(sealer, token, later), Either.right(memo))
      assert.notInclude(token, "Ada")
    }))
  it.effect("tells a number too large for JSON from nothing", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const token = RequestState.seal(sealer, memo, { ...bound, arguments: { amount: null } })
      const huge = { ...bound, arguments: JSON.parse(`{"amount":1e999}`) as unknown }
      assert.deepStrictEqual(refusal(RequestState.open(sealer, token, huge)), refused)
    }))
  it.effect("may live without end", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const token = RequestState.seal(sealer, memo, { ...bound, timeToLive: Infinity })
      const later = { ...bound, now: bound.now + 1e12 }
      assert.deepStrictEqual(RequestState.open(sealer, token, later), Either.right(memo))
    }))
  it.effect("does not mind the order in which arguments are written", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const token = RequestState.seal(sealer, memo, bound)
      const reordered = { options: { meal: null, window: true }, seats: [1, 2], from: "ZRH" }
      assert.deepStrictEqual(RequestState.open(sealer, token, { ...bound, arguments: reordered }), Either.right(memo))
    }))
  it.effect("is refused for another caller, tenant, method, target or arguments, all in the same words", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const token = RequestState.seal(sealer, memo, bound)
      const others: ReadonlyArray<Partial<RequestState.Bound>> = [
        { caller: Principal.make({ id: "bea", tenant: "one" }) },
        { caller: Principal.make({ id: "ada", tenant: "two" }) },
        { caller: Principal.make({ id: "adao", tenant: "ne" }) },
        { method: "prompts/get" },
        { target: "cancel_seats" },
        { arguments: { from: "ZRH", seats: [2, 1], options: { window: true, meal: null } } },
        { arguments: { from: "ZRH", seats: [1, 2], options: { window: true } } },
        { arguments: { from: "ZRH", seats: [1, "2"], options: { window: true, meal: null } } },
        { arguments: {} },
        { arguments: undefined },
        { now: bound.now + RequestState.defaultTimeToLive }
      ]
      for (const other of others) {
        assert.deepStrictEqual(refusal(RequestState.open(sealer, token, { ...bound, ...other })), refused)
      }
      for (
        const changed of ["", "v1", token.slice(1), `${token}A`, RequestState.seal(yield* Sealer.random, memo, bound)]
      ) {
        assert.deepStrictEqual(refusal(RequestState.open(sealer, changed, bound)), refused)
      }
    }))
  it.effect("opens until it expires: after ten minutes, or the time it was given", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const at = (token: string, after: number) =>
        Either.isRight(RequestState.open(sealer, token, { ...bound, now: bound.now + after }))
      const token = RequestState.seal(sealer, memo, bound)
      assert.deepStrictEqual([at(token, 599_999), at(token, 600_000)], [true, false])
      const short = RequestState.seal(sealer, memo, { ...bound, timeToLive: 10 })
      assert.deepStrictEqual([at(short, 9), at(short, 10)], [true, false])
    }))
  it.effect("is not opened by what was sealed for another purpose, or has another shape", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      // The binding cannot be told from outside, so the sealer is made to ignore it.
      const blind: Sealer.Sealer = {
        seal: (purpose, text) => sealer.seal(purpose, text, []),
        open: (purpose, token) => sealer.open(purpose, token, [])
      }
      const expires = bound.now + 1
      const texts = [
        "",
        "null",
        "[]",
        "{",
        JSON.stringify({ memo }),
        JSON.stringify({ expires: "never", memo }),
        JSON.stringify({ expires }),
        JSON.stringify({ expires, memo: null }),
        JSON.stringify({ expires, memo: { ...memo, answers: { a: 1 } } }),
        JSON.stringify({ expires, memo: { ...memo, answers: [] } }),
        JSON.stringify({ expires, memo: { ...memo, steps: null } }),
        JSON.stringify({ expires, memo: { ...memo, open: [1] } }),
        JSON.stringify({ expires, memo: { ...memo, open: "ask-1" } })
      ]
      for (const text of texts) {
        assert.deepStrictEqual(refusal(RequestState.open(blind, blind.seal("requestState", text, []), bound)), refused)
      }
      const text = JSON.stringify({ expires, memo })
      assert.isTrue(Either.isRight(RequestState.open(blind, blind.seal("requestState", text, []), bound)))
      assert.deepStrictEqual(refusal(RequestState.open(blind, blind.seal("sessionId", text, []), bound)), refused)
    }))
  it.effect("takes __proto__ for a name like any other", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const hostile: Asking.Memo = JSON.parse(
        "{\"answers\":{\"__proto__\":{\"action\":\"accept\"}},\"steps\":{\"__proto__\":[{\"a\":1}]},\"open\":[\"__proto__\"]}"
      )
      const opened = Either.getOrThrow(RequestState.open(sealer, RequestState.seal(sealer, hostile, bound), bound))
      assert.deepStrictEqual(Object.keys(opened.answers), ["__proto__"])
      const run = Asking.start({ memo: opened, responses: {}, clientCapabilities: {} })
      assert.deepStrictEqual([[...run.answers.keys()], [...run.steps.keys()]], [["__proto__"], ["__proto__"]])
      assert.notProperty({}, "action")
      const plain = { ...bound, arguments: JSON.parse("{}") }
      const dressed = { ...bound, arguments: JSON.parse("{\"__proto__\":{\"admin\":true}}") }
      const token = RequestState.seal(sealer, memo, plain)
      assert.deepStrictEqual(refusal(RequestState.open(sealer, token, dressed)), refused)
    }))
  it.effect("opens for those arguments alone that are equal as JSON", () =>
    Effect.map(Sealer.random, (sealer) =>
      FastCheck.assert(
        FastCheck.property(FastCheck.jsonValue(), FastCheck.jsonValue(), (one, other) => {
          const token = RequestState.seal(sealer, memo, { ...bound, arguments: one })
          const opens = (given: unknown) =>
            Either.isRight(RequestState.open(sealer, token, { ...bound, arguments: given }))
          const [same, others] = [one, other].map((value) => JSON.parse(JSON.stringify(value)))
          return opens(same) && (opens(others) === isEqual(same, others))
        })
      )))
  it.effect("has room for the largest memo there may be", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const large: Asking.Memo = { ...memo, steps: { a: ["é".repeat(32 * 1024 - 100)] } }
      const token = RequestState.seal(sealer, large, bound)
      assert.deepStrictEqual(RequestState.open(sealer, token, bound), Either.right(large))
    }))
})

const isEqual = (one: unknown, other: unknown): boolean => {
  try {
    assert.deepStrictEqual(one, other)
    return true
  } catch {
    return false
  }
}
