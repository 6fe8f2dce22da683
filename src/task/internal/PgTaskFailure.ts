/**
 * Turns what goes wrong between the store and Postgres into the store's error,
 * once.
 *
 * @since 0.1.0
 */
import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Option from "effect/Option"
import { Incompatible, TaskStoreError, Unavailable, Unstorable } from "../TaskStore.js"

type Method = TaskStoreError["method"]

const unavailable = (method: Method, cause?: unknown): TaskStoreError =>
  new TaskStoreError({ method, reason: cause === undefined ? new Unavailable({}) : new Unavailable({ cause }) })

/**
 * @since 0.1.0
 * @category errors
 */
export const incompatible = (method: Method, description: string): TaskStoreError =>
  new TaskStoreError({ method, reason: new Incompatible({ description }) })

/**
 * A text, if what it was made of has one.
 *
 * @since 0.1.0
 * @category combinators
 */
export const written = <A>(method: Method, text: Either.Either<A, string>): Effect.Effect<A, TaskStoreError> =>
  Effect.mapError(text, (what) => new TaskStoreError({ method, reason: new Unstorable({ what }) }))

const isForeign = (error: unknown): error is SqlError | Migrator.MigrationError =>
  error instanceof SqlError || error instanceof Migrator.MigrationError

/** What a caller's transaction takes back must not be what a client was told. */
const apart = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.mapInputContext(effect, (context: Context.Context<R>) =>
    // Its tag is no part of `R`: the client asks for it only if it is there.
    Context.omit(SqlClient.TransactionConnection)(
      context as Context.Context<R | SqlClient.TransactionConnection>
    ) as Context.Context<R>)

/**
 * Runs statements outside any transaction of the caller, gives them `deadline`
 * to finish, and makes their failure, or its passing, `Unavailable`. A caller
 * does not wait for the cancelling of what came too late.
 *
 * @since 0.1.0
 * @category combinators
 */
export const within = (method: Method, deadline: Duration.DurationInput) =>
<A, R>(
  effect: Effect.Effect<A, TaskStoreError | SqlError | Migrator.MigrationError, R>
): Effect.Effect<A, TaskStoreError, R> =>
  effect.pipe(
    apart,
    Effect.mapError((error) => isForeign(error) ? unavailable(method, error) : error),
    // The driver makes a defect of a failing COMMIT or ROLLBACK, the migrator of a failing migration; a lost
    // connection is neither's bug.
    Effect.catchSomeDefect((defect) =>
      isForeign(defect) ? Option.some(Effect.fail(unavailable(method, defect))) : Option.none()
    ),
    Effect.disconnect,
    Effect.timeoutFail({ duration: deadline, onTimeout: () => unavailable(method) })
  )
