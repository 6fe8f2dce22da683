import { assert, describe, it } from "@effect/vitest"
import * as Authenticator from "causeway-mcp/auth/Authenticator"
import type { AuthObserver } from "causeway-mcp/auth/AuthObserver"
import * as Principal from "causeway-mcp/auth/Principal"
import * as HttpGuard from "causeway-mcp/transport/internal/HttpGuard"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"

const ada = Principal.make({ id: "ada" })
const presented: Authenticator.Presented = { authorization: undefined, header: () => undefined, peer: "192.0.2.1" }

const guard = (
  authenticator: Context.Tag.Service<Authenticator.Authenticator>,
  observer?: Context.Tag.Service<AuthObserver>
) => {
  const ran: Array<Effect.Effect<void>> = []
  const made = HttpGuard.make(authenticator, {
    observer,
    refusals: { note: () => {}, close: () => {} },
    run: (effect) => void ran.push(effect)
  })
  return { ...made, ran }
}

const rejectionOf = <A>(exit: Exit.Exit<A, { readonly status: number; readonly body: string }>) =>
  Exit.isSuccess(exit) ? undefined : Option.getOrUndefined(Cause.failureOption(exit.cause))

describe("HttpGuard", () => {
  const stuck: ReadonlyArray<readonly [string, Effect.Effect<Principal.Principal>]> = [
    ["never answers", Effect.never],
    ["never answers and cannot be interrupted", Effect.uninterruptible(Effect.sleep("1 day").pipe(Effect.as(ada)))],
    ["does not come to an end of its finalizer", Effect.onInterrupt(Effect.never, () => Effect.sleep("1 day"))]
  ]
  for (const [what, verdict] of stuck) {
    it.effect(`answers 503 after ten seconds for an authenticator that ${what}`, () =>
      Effect.gen(function*() {
        const { check } = guard(Authenticator.make(() => verdict))
        const fiber = yield* Effect.fork(Effect.exit(check(presented, undefined)))
        yield* TestClock.adjust("9 seconds")
        assert.isNull(fiber.unsafePoll())
        yield* TestClock.adjust("1 seconds")
        const rejection = rejectionOf(yield* Fiber.join(fiber))
        assert.strictEqual(rejection?.status, 503)
        assert.include(rejection?.body ?? "", "credentials cannot be checked at present")
      }), 2000)
  }

  for (
    const [what, verdict] of [
      ["throws", () => {
        throw new Error("canary")
      }],
      ["dies", () => Effect.zipRight(Effect.yieldNow(), Effect.die("canary"))],
      ["interrupts itself", () => Effect.zipRight(Effect.yieldNow(), Effect.interrupt)]
    ] as const
  ) {
    it.effect(`answers 500 for an authenticator that ${what}, and says nothing of why`, () =>
      Effect.gen(function*() {
        const { check, ran } = guard(Authenticator.make(verdict))
        const rejection = rejectionOf(yield* Effect.exit(check(presented, undefined)))
        assert.strictEqual(rejection?.status, 500)
        assert.notInclude(rejection?.body ?? "", "canary")
        assert.lengthOf(ran, 1)
      }))
  }

  it("lives on when an observer of refusals throws, and says so", () => {
    const { challenged, check, ran } = guard(Authenticator.make(() => Exit.fail(new Authenticator.Missing())), {
      refused: () => {
        throw new Error("the audit is full")
      }
    })
    const verdict = Effect.runSyncExit(check(presented, undefined))
    assert.strictEqual(rejectionOf(verdict)?.status, 401)
    assert.strictEqual(challenged(["a"], ada, undefined)[0], "www-authenticate")
    assert.lengthOf(ran, 2)
  })

  it("takes a caller for revoked when asking for it throws", () => {
    const { isRevoked, ran } = guard({
      ...Authenticator.make(() => Exit.succeed(ada)),
      isRevoked: ({ id }) => {
        if (id === "ada") throw new Error("the list is away")
        return false
      }
    })
    assert.strictEqual(isRevoked?.(ada), true)
    assert.strictEqual(isRevoked?.(Principal.make({ id: "bob" })), false)
    assert.lengthOf(ran, 1)
  })
})
