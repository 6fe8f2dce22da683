/**
 * Turns what goes wrong between the store and Postgres into the store's error,
 * once.
 *
 * @since 0.1.0
 */
import * as Migrator from "@effect/sql/Migrator"
import { SqlError } from "@effect/sql/SqlError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { DocumentStoreError, Incompatible, Unavailable } from "../DocumentStore.js"

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

const isForeign = (error: unknown): error is SqlError | Migrator.MigrationError =>
  error instanceof SqlError || error instanceof Migrator.MigrationError

/**
 * Gives statements `deadline` to finish, and makes their failure, or its
 * passing, `Unavailable`. A caller does not wait for the cancelling of what
 * came too late.
 *
 * @since 0.1.0
 * @category combinators
 */
export const within = (method: Method, deadline: Duration.DurationInput) =>
<A, R>(
  effect: Effect.Effect<A, DocumentStoreError | SqlError | Migrator.MigrationError, R>
): Effect.Effect<A, DocumentStoreError, R> =>
  effect.pipe(
    Effect.mapError((error) => isForeign(error) ? unavailable(method, error) : error),
    // The driver makes a defect of a failing COMMIT or ROLLBACK, the migrator of a failing migration; a lost
    // connection is neither's bug.
    Effect.catchSomeDefect((defect) =>
      isForeign(defect) ? Option.some(Effect.fail(unavailable(method, defect))) : Option.none()
    ),
    Effect.disconnect,
    Effect.timeoutFail({ duration: deadline, onTimeout: () => unavailable(method) })
  )
