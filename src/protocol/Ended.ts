/**
 * Tells an effect that has ended already, so that it needs no fiber.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/**
 * Whether there is nothing to wait for; unlike `Exit.isExit` it remembers the types.
 *
 * @since 0.1.0
 * @category guards
 */
export const isExit = <A, E, R>(effect: Effect.Effect<A, E, R>): effect is Exit.Exit<A, E> => Exit.isExit(effect)
