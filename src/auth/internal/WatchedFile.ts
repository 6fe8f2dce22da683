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
  /** `before` is what is kept so far. */
  readonly parse: (text: string, before: A | undefined) => Either.Either<A, E>
  readonly unreadable: () => E
  /** For the log: `The API keys`. */
  readonly name: string
  /** Called after something else is kept. */
  readonly changed: (before: A, after: A) => void
}

/** Which version of a file it is; a file put in another's place is another, and so is one that may be read only now. */
const versionOf = (path: string) =>
  Effect.map(
    Effect.tryPromise(() => stat(path)),
    ({ ctimeMs, ino, mtimeMs, size }) => `${ino} ${ctimeMs} ${mtimeMs} ${size}`
  )

/**
 * Reads the file, and looks every two seconds whether it has changed. A version
 * that cannot be used is logged once and changes nothing; one that cannot be read
 * is tried again each time.
 *
 * @internal
 */
export const make = <A, E extends Error>(
  path: string,
  { changed, name, parse, unreadable }: Options<A, E>
): Effect.Effect<() => A, E, Scope.Scope> =>
  Effect.gen(function*() {
    const text = Effect.tryPromise({ try: () => readFile(path, "utf8"), catch: unreadable })
    let version = yield* Effect.mapError(versionOf(path), unreadable)
    let current = yield* Effect.flatMap(text, (read) => parse(read, undefined))
    let unread: string | undefined

    const stays = ({ message }: E) => Effect.logError(`${name} stay as they were: ${message}`)

    const look = Effect.gen(function*() {
      const found = yield* Effect.orElseSucceed(versionOf(path), () => "absent")
      if (found === version) return
      const read = yield* Effect.either(text)
      if (Either.isLeft(read)) {
        if (unread !== found) yield* stays(read.left)
        unread = found
        return
      }
      unread = undefined
      version = found
      const parsed = parse(read.right, current)
      if (Either.isLeft(parsed)) return yield* stays(parsed.left)
      const before = current
      current = parsed.right
      changed(before, current)
      yield* Effect.logInfo(`${name} were read again`)
    })
    yield* look.pipe(Effect.delay("2 seconds"), Effect.forever, Effect.forkScoped)
    return () => current
  })
