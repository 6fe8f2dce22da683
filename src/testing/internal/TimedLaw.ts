/**
 * One promise of a service about time, and how it is written down.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * Lets time pass: `TestClock.adjust` for a service on the `Clock`, `Effect.sleep`
 * for one with a server.
 *
 * @since 0.1.0
 * @category testing
 */
export type Pass = (duration: Duration.DurationInput) => Effect.Effect<void>

/**
 * @since 0.1.0
 * @category testing
 */
export interface TimedLaw<in out Id> {
  /** Finishes the sentence "it …". */
  readonly name: string
  readonly check: (pass: Pass) => Effect.Effect<void, unknown, Id>
}

/**
 * Writes a law about time.
 *
 * @since 0.1.0
 * @category testing
 */
export const timedLaw = <Id, Service>(tag: Context.Tag<Id, Service>) =>
(
  name: string,
  check: (service: Service, pass: Pass) => Effect.Effect<void, unknown>
): TimedLaw<Id> => ({ name, check: (pass) => Effect.flatMap(tag, (service) => check(service, pass)) })

/**
 * Keys that a store could take for others, or for commands.
 *
 * @since 0.1.0
 * @category testing
 */
export const hostileKeys: ReadonlyArray<string> = [
  ...["", " ", "{}", "{a}:{b}", "{a}", "}{", ":", "a:b", "a", "*", "?", "[a-z]", "a\nb", "a\r\nDEL *", "a\u0000b"],
  ...["%7b", "%7b;", "🙂", "e\u0301", "\u00e9", "\ud800", "\udc00", "\\ud800", "'; DROP TABLE users; --", "../../etc"],
  ...["__proto__", "constructor", "toString", "A", "x".repeat(64), "x".repeat(65), "x".repeat(66), "🙂".repeat(5000)]
]
