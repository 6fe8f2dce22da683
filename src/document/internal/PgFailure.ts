/**
 * Turns what goes wrong between the store and Postgres into the store's error,
 * once.
 *
 * @since 0.1.0
 */
import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TimeLimit from "../../policy/TimeLimit.js"
import { DocumentStoreError, Incompatible, Invalid, Unavailable } from "../DocumentStore.js"

type Method = DocumentStoreError["method"]

/**
 * @since 0.1.0
 * @category errors
 */
export const unavailable = (method: Method, cause?: unknown): DocumentStoreError =>
  new DocumentStoreError({ method, reason: cause === undefined ? new Unavailable({}) : new Unavailable({ cause }) })

/**
 * @since 0.1.0
 * @category errors
 */
export const incompatible = (method: Method, description: string): DocumentStoreError =>
  new DocumentStoreError({ method, reason: new Incompatible({ description }) })

/**
 * @since 0.1.0
 * @category errors
 */
export const invalid = (method: Method, description: string): DocumentStoreError =>
  new DocumentStoreError({ method, reason: new Invalid({ description }) })

const isForeign = (error: unknown): error is SqlError | Migrator.MigrationError =>
  error instanceof SqlError || error instanceof Migrator.MigrationError

/**
 * Inside the caller's transaction the connection is the caller's, who goes on
 * with it or gives it back: what is left of ours must not come after.
 */
const unlessInside = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    Effect.serviceOption(SqlClient.TransactionConnection),
    (own) => Option.isSome(own) ? effect : Effect.disconnect(effect)
  )

/** A timer counts no further than this many milliseconds. */
const longest = 2 ** 31 - 1

/**
 * Gives statements `deadline` to finish, or until the caller's `TimeLimit` when
 * that is sooner, and makes their failure, or its passing, `Unavailable`. A
 * caller does not wait for the cancelling of what came too late, except inside a
 * transaction of their own. Inside, `TimeLimit` is what is left of both.
 *
 * @since 0.1.0
 * @category combinators
 */
export const within = (method: Method, deadline: Duration.DurationInput) =>
<A, R>(
  effect: Effect.Effect<A, DocumentStoreError | SqlError | Migrator.MigrationError, R>
): Effect.Effect<A, DocumentStoreError, R> => {
  const translated = effect.pipe(
    Effect.mapError((error) => isForeign(error) ? unavailable(method, error) : error),
    // The driver makes a defect of a failing COMMIT or ROLLBACK, the migrator of a failing migration; a lost
    // connection is neither's bug.
    Effect.catchSomeDefect((defect) =>
      isForeign(defect) ? Option.some(Effect.fail(unavailable(method, defect))) : Option.none()
    ),
    unlessInside
  )
  return TimeLimit.within(
    Effect.flatMap(TimeLimit.remaining, (left) =>
      left <= 0
        ? Effect.fail(unavailable(method))
        : Effect.timeoutFail(translated, {
          duration: Math.min(left, longest),
          onTimeout: () => unavailable(method)
        })),
    deadline
  )
}
