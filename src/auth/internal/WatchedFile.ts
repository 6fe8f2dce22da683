/**
 * Keeps what a file holds, and reads it again when the file changes.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import { readFile, stat } from "node:fs/promises"

/** @internal */
export interface Options<A, E extends Error> {
  readonly parse: (text: string) => Either.Either<A, E>
  readonly unreadable: () => E
  /** For the log: `The API keys`. */
  readonly name: string
}

/** Which version of a file it is; a file put in another's place is another. */
const versionOf = (path: string) =>
  Effect.map(
    Effect.tryPromise(() => stat(path)),
    ({ ino, mtimeMs, size }) => `${ino} ${mtimeMs} ${size}`
  )

/**
 * Reads the file, and looks every two seconds whether it has changed. A version
 * that cannot be used is logged once and changes nothing.
 *
 * @internal
 */
export const make = <A, E extends Error>(
  path: string,
  { name, parse, unreadable }: Options<A, E>
): Effect.Effect<() => A, E, Scope.Scope> =>
  Effect.gen(function*() {
    const read = Effect.tryPromise({ try: () => readFile(path, "utf8"), catch: unreadable }).pipe(Effect.flatMap(parse))
    let version = yield* Effect.mapError(versionOf(path), unreadable)
    let current = yield* read

    const look = Effect.gen(function*() {
      const found = yield* Effect.orElseSucceed(versionOf(path), () => "absent")
      if (found === version) return
      version = found
      const changed = yield* Effect.either(read)
      if (Either.isRight(changed)) {
        current = changed.right
        yield* Effect.logInfo(`${name} were read again`)
      } else {
        yield* Effect.logError(`${name} stay as they were: ${changed.left.message}`)
      }
    })
    yield* look.pipe(Effect.delay("2 seconds"), Effect.forever, Effect.forkScoped)
    return () => current
  })
