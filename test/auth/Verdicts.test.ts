import { assert, describe, it } from "@effect/vitest"
import { Invalid, Unavailable } from "causeway-mcp/auth/Authenticator"
import * as Claims from "causeway-mcp/auth/internal/Claims"
import * as Verdicts from "causeway-mcp/auth/internal/Verdicts"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"

const good = (until: number): Verdicts.Verdict => ({ exit: Exit.succeed(Principal.make({ id: "ada" })), until })
const bad: Verdicts.Verdict = { exit: Exit.fail(new Invalid({ description: "no" })), until: Infinity }

const make = (ask: (token: string) => Effect.Effect<Verdicts.Verdict>, most = 10) =>
  Effect.gen(function*() {
    const asked: Array<string> = []
    const verdicts = yield* Verdicts.make({
      clock: yield* Effect.clock,
      atOnce: (token) => (token === "odd" ? Exit.fail(new Invalid({ description: "odd" })) : undefined),
      ask: (token) =>
        Effect.suspend(() => {
          asked.push(token)
          return ask(token)
        }),
      keepMillis: 60_000,
      most,
      mostWaiting: 20
    })
    return { asked, verdicts }
  })

describe("Verdicts", () => {
  it.scoped("asks once for equal tokens that come at once", () =>
    Effect.gen(function*() {
      const { asked, verdicts } = yield* make(() => Effect.delay(Effect.succeed(good(Infinity)), "1 second"))
      const fiber = yield* Effect.fork(
        Effect.all(Array.from({ length: 100 }, () => verdicts.of("a")), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(asked, ["a"])
    }))

  it.scoped("answers at once while it keeps a verdict, and asks again after a minute", () =>
    Effect.gen(function*() {
      const { asked, verdicts } = yield* make(() => Effect.succeed(good(Infinity)))
      yield* verdicts.of("a")
      yield* TestClock.adjust(59_999)
      assert.isTrue(Exit.isExit(verdicts.of("a")))
      yield* TestClock.adjust(1)
      yield* verdicts.of("a")
      assert.strictEqual(asked.length, 2)
    }))

  it.scoped("never keeps a verdict past the end of its token", () =>
    Effect.gen(function*() {
      const { verdicts } = yield* make(() => Effect.succeed(good(5000)))
      yield* verdicts.of("a")
      yield* TestClock.adjust(4999)
      assert.isTrue(Exit.isExit(verdicts.of("a")))
      yield* TestClock.adjust(1)
      assert.isFalse(Exit.isExit(verdicts.of("a")))
    }))

  it.scoped("keeps only so many, and no wrong token drives out a right one", () =>
    Effect.gen(function*() {
      const { asked, verdicts } = yield* make((token) => Effect.succeed(token === "right" ? good(Infinity) : bad))
      yield* verdicts.of("right")
      for (let n = 0; n < 100; n++) yield* Effect.exit(verdicts.of(`wrong ${n}`))
      assert.isTrue(Exit.isExit(verdicts.of("right")))
      assert.isTrue(Exit.isExit(verdicts.of("wrong 99")))
      yield* Effect.exit(verdicts.of("wrong 0"))
      assert.strictEqual(asked.filter((token) => token === "wrong 0").length, 2)
    }))

  it.scoped("refuses at once what need not be asked for", () =>
    Effect.gen(function*() {
      const { asked, verdicts } = yield* make(() => Effect.succeed(bad))
      assert.isTrue(Exit.isExit(verdicts.of("odd")))
      assert.strictEqual(asked.length, 0)
    }))

  it.scoped("is not available for more than so many different tokens at once", () =>
    Effect.gen(function*() {
      const { asked, verdicts } = yield* make(() => Effect.never)
      for (let n = 0; n < 20; n++) yield* Effect.fork(verdicts.of(`a ${n}`))
      yield* TestClock.adjust("1 second")
      const refusal = yield* Effect.flip(verdicts.of("one more"))
      assert.instanceOf(refusal, Unavailable)
      assert.strictEqual(asked.length, 20)
    }))

  it.scoped("keeps nothing of what was being asked for when all was forgotten", () =>
    Effect.gen(function*() {
      const { verdicts } = yield* make(() => Effect.delay(Effect.succeed(good(Infinity)), "1 second"))
      const fiber = yield* Effect.fork(verdicts.of("a"))
      yield* Effect.yieldNow()
      verdicts.forget()
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.isFalse(Exit.isExit(verdicts.of("a")))
    }))
})

describe("Claims.principalOf", () => {
  const scopesOf = (claims: Claims.Claims, options: Claims.Options = {}) =>
    [...Claims.principalOf({ sub: "ada", ...claims }, options, undefined)?.scopes ?? []].sort()

  const cases: ReadonlyArray<readonly [string, Claims.Claims, Claims.Options, ReadonlyArray<string>]> = [
    ["a text of scopes", { scope: "a  b" }, {}, ["a", "b"]],
    ["a list of scopes", { scp: ["a", "b", 3] }, {}, ["a", "b"]],
    ["both claims", { scope: "a", scp: "b" }, {}, ["a", "b"]],
    ["the claims that are named alone", { scope: "a", permissions: ["b"] }, { scopeClaims: ["permissions"] }, ["b"]],
    ["what a scope implies, in any number of steps", { scope: "x" }, { implies: { x: ["y"], y: ["z", "x"] } }, [
      "x",
      "y",
      "z"
    ]],
    ["nothing for everything", { scope: "*" }, {}, []],
    ["everything where a scope implies it", { scope: "admin" }, { implies: { admin: ["*"] } }, ["*", "admin"]],
    ["nothing of an inherited name", { scope: "constructor toString" }, { implies: {} }, ["constructor", "toString"]],
    ["nothing of an odd claim", { scope: { a: 1 }, scp: null }, {}, []]
  ]
  for (const [what, claims, options, expected] of cases) {
    it(`grants ${what}`, () => assert.deepStrictEqual(scopesOf(claims, options), expected))
  }

  it("reads the tenant from its claim, and knows nobody who lacks it", () => {
    const options = { tenantClaim: "org" }
    const tenantOf = (claims: Claims.Claims) => Claims.principalOf({ sub: "ada", ...claims }, options, 5)?.tenant
    assert.strictEqual(tenantOf({ org: "acme" }), "acme")
    for (const org of [undefined, "", 3, null, "a\nb", "x".repeat(257), ["acme"]]) {
      assert.isUndefined(tenantOf({ org }))
    }
    assert.isUndefined(Claims.principalOf({ sub: "ada" }, { tenantClaim: "constructor" }, 5))
  })

  it("knows nobody without a name that fits on a line", () => {
    for (const sub of [undefined, "", 3, "a\u2028b", "a\r\nb", "x".repeat(257)]) {
      assert.isUndefined(Claims.principalOf({ sub }, {}, undefined))
    }
  })
})
