/**
 * The calls of this process that wait for an answer, by the keys of their
 * questions.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

/** @internal */
export interface Waiting {
  /** Waits under a key for as long as it runs; `send` is run once an answer would be taken. */
  readonly wait: <E>(key: string, send: Effect.Effect<void, E>) => Effect.Effect<unknown, E>
  /** Hands in an answer; false when nobody waits under the key. */
  readonly answer: (key: string, response: unknown) => boolean
  readonly has: (key: string) => boolean
  readonly size: () => number
}

/** @internal */
export const make = (): Waiting => {
  const calls = new Map<string, Deferred.Deferred<unknown>>()
  return {
    wait: (key, send) =>
      Effect.acquireUseRelease(
        Effect.tap(Deferred.make<unknown>(), (answered) => Effect.sync(() => calls.set(key, answered))),
        (answered) => Effect.zipRight(send, Deferred.await(answered)),
        (answered) =>
          Effect.sync(() => {
            if (calls.get(key) === answered) calls.delete(key)
          })
      ),
    answer: (key, response) => {
      const answered = calls.get(key)
      if (answered === undefined) return false
      calls.delete(key)
      Deferred.unsafeDone(answered, Effect.succeed(response))
      return true
    },
    has: (key) => calls.has(key),
    size: () => calls.size
  }
}
