/**
 * What a server offers now of one kind: it changes as a whole, and says so.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import { Changes } from "../change/Changes.js"
import type { Change } from "../protocol/Change.js"

/**
 * Something that clients may be shown, ready to be used.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry<out Description> {
  readonly description: Description
  /** All of these are needed to see and to use it. */
  readonly scopes: ReadonlyArray<string>
  /** What its handler needs: provided where it was registered. */
  readonly services: Context.Context<unknown>
}

/**
 * Items made ready by their keys, and everything that is wrong with them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Compiled<out Entry> {
  readonly entries: ReadonlyMap<string, Entry>
  readonly problems: ReadonlyArray<string>
}

/**
 * What sets one kind of catalog apart.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Kind<in Items, in out Entry, out View, out E> {
  readonly compile: (items: Items, services: Context.Context<unknown>) => Effect.Effect<Compiled<Entry>>
  readonly refuse: (problems: readonly [string, ...ReadonlyArray<string>]) => E
  /** What is made of the entries once. */
  readonly view: (entries: ReadonlyMap<string, Entry>) => View
  readonly changed: Change
}

/**
 * Entries in the order of registration, as they are now.
 *
 * @since 0.1.0
 * @category models
 */
export interface Catalog<in Items, out View, out E> {
  /** The same object as long as nothing changes. */
  readonly view: View
  /**
   * Adds items, or replaces those of the same keys, and announces it, unless
   * there are none. Changes nothing when one of them cannot be served. `R` is
   * what the handlers need; it is taken from where this runs.
   */
  readonly add: <R>(items: Items) => Effect.Effect<void, E, R>
  /** Takes an entry away and announces it; false when there was none. */
  readonly remove: (key: string) => Effect.Effect<boolean>
}

/** The services of whoever registers something; not the span around it, which ends long before the calls. */
const servicesHere = <R>(): Effect.Effect<Context.Context<unknown>, never, R> =>
  Effect.map(Effect.context<R>(), (context) =>
    // Whoever registers says in `R` which services the erased handlers need.
    Context.omit(Tracer.ParentSpan)(context as Context.Context<unknown>))

/**
 * Makes catalogs of one kind, each with its first items. Fails with every problem
 * found. Changes are announced when `Changes` is provided where a catalog is made.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make =
  <Items, Entry, View, E>(kind: Kind<Items, Entry, View, E>) =>
  <R>(items: Items): Effect.Effect<Catalog<Items, View, E>, E, R> => {
    const compile = <R1>(items: Items): Effect.Effect<ReadonlyMap<string, Entry>, E, R1> =>
      servicesHere<R1>().pipe(
        Effect.flatMap((services) => kind.compile(items, services)),
        Effect.flatMap(({ entries, problems: [first, ...rest] }) =>
          first === undefined ? Effect.succeed(entries) : Effect.fail(kind.refuse([first, ...rest]))
        )
      )

    return Effect.gen(function*() {
      const announce = Option.match(yield* Effect.serviceOption(Changes), {
        onNone: () => Effect.void,
        onSome: ({ publish }) => publish(kind.changed)
      })
      let entries = yield* compile<R>(items)
      let view = kind.view(entries)

      /** Replaces the entries at once, and says so. */
      const change = (edit: (entries: Map<string, Entry>) => void): Effect.Effect<void> =>
        Effect.uninterruptible(Effect.suspend(() => {
          const edited = new Map(entries)
          edit(edited)
          entries = edited
          view = kind.view(entries)
          return announce
        }))

      return {
        get view() {
          return view
        },
        add: <R2>(items: Items) =>
          Effect.flatMap(compile<R2>(items), (added) =>
            added.size === 0 ? Effect.void : change((entries) => {
              for (const [key, entry] of added) entries.set(key, entry)
            })),
        remove: (key) =>
          Effect.suspend(() =>
            entries.has(key) ? Effect.as(change((entries) => void entries.delete(key)), true) : Effect.succeed(false)
          )
      }
    })
  }
