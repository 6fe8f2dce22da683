/**
 * Keeps the keys of an authorization server: fetched when the first is needed,
 * fetched anew for one that is not known, and kept when that fails.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"
import { Unavailable } from "../Authenticator.js"
import type { FetchFailed } from "./JsonFetch.js"

/** @internal */
export interface Options<A> {
  readonly clock: Clock.Clock
  /** Fetches the keys. */
  readonly fetch: Effect.Effect<A, FetchFailed>
  readonly cooldownMillis: number
  /** How long keys serve without being fetched anew. */
  readonly staleMillis: number
  /** Called when keys have come that are not the ones before. */
  readonly changed: () => void
  readonly isSame: (left: A, right: A) => boolean
}

/** @internal */
export interface KeySet<A> {
  /** Keys to try first; fails when there are none that may still serve. */
  readonly current: Effect.Effect<A, Unavailable>
  /**
   * Keys for a token that `tried` does not verify: other ones, or `undefined` when
   * there are none for now. Fails when that cannot be known.
   */
  readonly newer: (tried: A) => Effect.Effect<A | undefined, Unavailable>
}

/** Keys that are older are fetched anew, while they go on serving. */
const freshMillis = 10 * 60_000
/** How long callers are told that there are no keys before they are looked for again. */
const againMillis = 2000

/** @internal */
export const make = <A>(options: Options<A>): Effect.Effect<KeySet<A>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const { changed, clock, cooldownMillis, fetch, isSame, staleMillis } = options
    let keys: A | undefined
    let fetchedAt = -Infinity
    let triedAt = -Infinity
    let hasFailed = false
    let fetching: Deferred.Deferred<A, Unavailable> | undefined

    const unavailable = Exit.fail(new Unavailable({}))
    const now = (): number => clock.unsafeCurrentTimeMillis()
    const take = (found: A): A => {
      fetchedAt = now()
      hasFailed = false
      // The same object as long as they are the same.
      if (keys !== undefined && isSame(keys, found)) return keys
      const hadOthers = keys !== undefined
      keys = found
      if (hadOthers) changed()
      return found
    }

    /** Begins to fetch, whoever waits for it, unless that is being done. */
    const fetchNow: Effect.Effect<Deferred.Deferred<A, Unavailable>> = Effect.suspend(() => {
      if (fetching !== undefined) return Effect.succeed(fetching)
      const found = Deferred.unsafeMake<A, Unavailable>(FiberId.none)
      fetching = found
      triedAt = now()
      return fetch.pipe(
        Effect.map(take),
        Effect.tapError((error) => {
          hasFailed = true
          return Effect.logWarning(`Keys of the authorization server could not be fetched: ${error.message}`)
        }),
        Effect.mapError(() => new Unavailable({})),
        Effect.exit,
        Effect.flatMap((exit) => {
          fetching = undefined
          return Deferred.done(found, exit)
        }),
        Effect.onInterrupt(() => {
          fetching = undefined
          return Deferred.fail(found, new Unavailable({}))
        }),
        Effect.interruptible,
        Effect.forkIn(scope),
        Effect.as(found)
      )
    })
    const fetched = Effect.flatMap(fetchNow, Deferred.await)
    const mayFetch = (pause = cooldownMillis): boolean => fetching !== undefined || Math.abs(now() - triedAt) >= pause

    return {
      current: Effect.suspend(() => {
        const age = now() - fetchedAt
        if (keys === undefined || age >= staleMillis) {
          // Between two tries callers are told at once: they wait for nothing in vain.
          return mayFetch(Math.min(cooldownMillis, againMillis)) ? fetched : unavailable
        }
        if (age < freshMillis || !mayFetch()) return Exit.succeed(keys)
        return Effect.as(fetchNow, keys)
      }),
      newer: (tried) =>
        Effect.suspend(() => {
          if (keys !== undefined && keys !== tried) return Exit.succeed(keys)
          if (mayFetch()) return Effect.map(fetched, (found) => (found === tried ? undefined : found))
          return hasFailed ? unavailable : Exit.succeed(undefined)
        })
    }
  })
