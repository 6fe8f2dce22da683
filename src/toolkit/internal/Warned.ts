/**
 * Tells an operator what could be better about tools.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

/**
 * Logs each, by whatever logs there are. One that writes to the console writes to
 * standard error: standard output may be the protocol's, and nobody may have seen
 * to that yet while layers are built.
 *
 * @since 0.1.0
 * @category combinators
 */
export const log = (warnings: ReadonlyArray<string>): Effect.Effect<void> =>
  warnings.length === 0 ? Effect.void : Effect.consoleWith((console) =>
    Effect.withConsole(
      Effect.forEach(warnings, (warning) => Effect.logWarning(warning), { discard: true }),
      { ...console, log: console.error, unsafe: { ...console.unsafe, log: console.unsafe.error } }
    )
  )
