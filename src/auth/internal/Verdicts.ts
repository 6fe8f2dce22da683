/**
 * Keeps the verdicts on tokens for a while, and asks once for equal tokens that
 * come at once.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"
import type { Refusal } from "../Authenticator.js"
import { Unavailable } from "../Authenticator.js"
import type { Principal } from "../Principal.js"
import { sha256 } from "./Digest.js"

/**
 * `until` is when a verdict ends by itself, in milliseconds since the epoch.
 *
 * @internal
 */
export interface Verdict {
  readonly exit: Exit.Exit<Principal, Refusal>
  readonly until: number
}

/** @internal */
export interface Verdicts {
  /** Already an `Exit` when the verdict is known. */
  readonly of: (token: string) => Effect.Effect<Principal, Refusal>
  /** Forgets all; what is being asked for is not kept. */
  readonly forget: () => void
}

/** @internal */
export interface Options {
  readonly clock: Clock.Clock
  /** Refuses without asking; `undefined` for what has to be asked for. */
  readonly atOnce: (token: string) => Exit.Exit<never, Refusal> | undefined
  /** Finds a verdict anew. A verdict that is not to be kept ends at 0. */
  readonly ask: (token: string) => Effect.Effect<Verdict>
  readonly keepMillis: number
  readonly most: number
  /** Different tokens that are asked for at once, at most. */
  readonly mostWaiting: number
}

type Kept = Map<string, Verdict>

/**
 * Equal tokens share a question, and whoever began it may leave: it goes on in
 * the scope for the others.
 *
 * @internal
 */
export const make = (options: Options): Effect.Effect<Verdicts, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const { ask, atOnce, clock, keepMillis, most, mostWaiting } = options
    /** Apart, so that a flood of wrong tokens drives out no right one. */
    const good: Kept = new Map()
    const bad: Kept = new Map()
    const waiting = new Map<string, Deferred.Deferred<Principal, Refusal>>()
    let era = 0

    const keep = (key: string, verdict: Verdict): void => {
      const now = clock.unsafeCurrentTimeMillis()
      const until = Math.min(verdict.until, now + keepMillis)
      if (until <= now) return
      const kept = Exit.isSuccess(verdict.exit) ? good : bad
      kept.delete(key)
      kept.set(key, { exit: verdict.exit, until })
      const [oldest] = kept.keys()
      if (kept.size > most && oldest !== undefined) kept.delete(oldest)
    }

    const known = (key: string): Exit.Exit<Principal, Refusal> | undefined => {
      const found = good.get(key) ?? bad.get(key)
      if (found === undefined) return undefined
      if (found.until > clock.unsafeCurrentTimeMillis()) return found.exit
      good.delete(key)
      bad.delete(key)
      return undefined
    }

    const begin = (key: string, token: string): Effect.Effect<Principal, Refusal> =>
      Effect.suspend(() => {
        const asked = waiting.get(key)
        if (asked !== undefined) return Deferred.await(asked)
        if (waiting.size >= mostWaiting) return Exit.fail(new Unavailable({}))
        const answer = Deferred.unsafeMake<Principal, Refusal>(FiberId.none)
        waiting.set(key, answer)
        const began = era
        return ask(token).pipe(
          Effect.exit,
          Effect.flatMap((exit) => {
            waiting.delete(key)
            if (Exit.isSuccess(exit) && began === era) keep(key, exit.value)
            return Deferred.done(answer, Exit.flatMap(exit, (verdict) => verdict.exit))
          }),
          // Where the scope has closed there is nobody to ask any more.
          Effect.onInterrupt(() => {
            waiting.delete(key)
            return Deferred.fail(answer, new Unavailable({}))
          }),
          Effect.interruptible,
          Effect.forkIn(scope),
          Effect.zipRight(Deferred.await(answer))
        )
      })

    return {
      of: (token) => {
        const key = sha256(token)
        return known(key) ?? atOnce(token) ?? begin(key, token)
      },
      forget: () => {
        era += 1
        good.clear()
        bad.clear()
      }
    }
  })
