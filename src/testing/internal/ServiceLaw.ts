/**
 * One promise of a service, or of its instances together, and how it is written
 * down.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"

/**
 * @since 0.1.0
 * @category testing
 */
export interface Law<in out Id> {
  /** Finishes the sentence "it …". */
  readonly name: string
  readonly check: Effect.Effect<void, unknown, Id>
}

/**
 * @since 0.1.0
 * @category testing
 */
export interface SharedLaw<in out Id> {
  /** Finishes the sentence "it …". */
  readonly name: string
  readonly check: (layer: (prefix: string) => Layer.Layer<Id, unknown>) => Effect.Effect<void, unknown>
}

/**
 * Writes a law about one instance.
 *
 * @since 0.1.0
 * @category testing
 */
export const law = <Id, Service>(tag: Context.Tag<Id, Service>) =>
(
  name: string,
  check: (service: Service) => Effect.Effect<void, unknown>
): Law<Id> => ({ name, check: Effect.flatMap(tag, check) })

/**
 * Writes a law about several: `open` builds one more until the check ends, and
 * `prefix` is one that nobody used before.
 *
 * @since 0.1.0
 * @category testing
 */
export const sharedLaw = <Id, Service>(tag: Context.Tag<Id, Service>) =>
(
  name: string,
  check: (
    open: (prefix: string) => Effect.Effect<Service, unknown, Scope.Scope>,
    prefix: string
  ) => Effect.Effect<void, unknown, Scope.Scope>
): SharedLaw<Id> => ({
  name,
  check: (layer) =>
    Effect.scoped(check(
      (prefix) => Effect.map(Layer.build(layer(prefix)), Context.get(tag)),
      `law-${randomUUID()}:`
    ))
})
