/**
 * Tells which option of a kernel was out of its range.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

/**
 * @since 0.1.0
 * @category models
 */
export interface Fault {
  /** The option, when the kernel named one. */
  readonly name: string | undefined
  readonly description: string
}

/**
 * Makes something of options, where options out of their range throw a
 * `RangeError` whose sentence begins with the option's name. Anything else that
 * is thrown is a defect.
 *
 * @since 0.1.0
 * @category combinators
 */
export const attempt = <A, O extends object>(
  options: O | undefined,
  make: (options?: O) => A
): Effect.Effect<A, Fault> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(make(options))
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      const [first = "", ...rest] = error.message.split(" ")
      return Effect.fail(
        options !== undefined && Object.hasOwn(options, first)
          ? { name: first, description: rest.join(" ") }
          : { name: undefined, description: error.message }
      )
    }
  })
