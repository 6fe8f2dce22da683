/**
 * Measures a service from outside: how long each of its methods took, and what
 * came of it.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Instrument from "./Instrument.js"
import * as Telemetry from "./Telemetry.js"

const { Label, Metric } = Telemetry

type Outcome = "succeeded" | "failed" | "defect" | "interrupted"

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): Outcome => {
  if (exit._tag === "Success") return "succeeded"
  if (Option.isSome(Cause.failureOption(exit.cause))) return "failed"
  return Cause.isInterruptedOnly(exit.cause) ? "interrupted" : "defect"
}

/** Some values are effects too, and are no work. */
const isWork = (value: unknown): value is Effect.Effect<unknown, unknown, unknown> =>
  Effect.isEffect(value) && !Option.isOption(value) && !Either.isEither(value)

/** The members of an object and of the classes that it is of, those of the nearest first. */
const membersOf = (given: object): ReadonlyMap<string | symbol, PropertyDescriptor> => {
  const found = new Map<string | symbol, PropertyDescriptor>()
  let at: object | null = given
  while (at !== null && at !== Object.prototype) {
    for (const name of Reflect.ownKeys(at)) {
      const descriptor = Object.getOwnPropertyDescriptor(at, name)
      if (descriptor !== undefined && name !== "constructor" && !found.has(name)) found.set(name, descriptor)
    }
    at = Object.getPrototypeOf(at)
  }
  return found
}

/**
 * The same service, of which `causeway_source_duration_seconds` tells by source,
 * method and outcome. Every method that gives an effect is measured, and every
 * effect that `effects` names, such as `ping`; streams and all other members stay
 * as they are. Both names come from the program.
 *
 * @since 0.1.0
 * @category combinators
 */
export const service = <S extends object>(
  source: string,
  given: S,
  effects: ReadonlyArray<string> = ["ping"]
): S => {
  const seconds = Instrument.histogram(
    Metric.sourceDuration,
    "How long sources took, in seconds.",
    Telemetry.sourceSeconds
  )
  const timed = (method: string) => {
    const series = Instrument.keep((outcome: Outcome) =>
      seconds({ [Label.source]: source, [Label.method]: method, [Label.outcome]: outcome })
    )
    series("succeeded")
    return <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.clockWith((clock) => {
        const began = clock.unsafeCurrentTimeNanos()
        return Effect.onExit(work, (exit) =>
          Effect.sync(() => series(outcomeOf(exit))(Number(clock.unsafeCurrentTimeNanos() - began) / 1e9)))
      })
  }
  const measured = Object.create(Object.getPrototypeOf(given))
  for (const [name, descriptor] of membersOf(given)) {
    const { get, set, value } = descriptor
    if (get !== undefined || set !== undefined) {
      // What a class keeps to itself is found on its own instance only.
      Object.defineProperty(measured, name, {
        ...descriptor,
        get: () => Reflect.get(given, name, given),
        set: (to: unknown) => void Reflect.set(given, name, to, given)
      })
    } else if (typeof name === "symbol") {
      Object.defineProperty(measured, name, descriptor)
    } else if (typeof value === "function") {
      let by: ReturnType<typeof timed> | undefined
      const method = function(this: unknown, ...args: ReadonlyArray<unknown>): unknown {
        const result: unknown = Reflect.apply(value, this === measured ? given : this, args)
        // Only then is it known what the method gives.
        return isWork(result) ? (by ??= timed(name))(result) : result
      }
      Object.defineProperty(measured, name, { ...descriptor, value: method })
    } else if (effects.includes(name) && isWork(value)) {
      Object.defineProperty(measured, name, { ...descriptor, value: timed(name)(value) })
    } else {
      Object.defineProperty(measured, name, descriptor)
    }
  }
  return measured
}

/**
 * A layer whose service of this tag is measured, under the name of a source.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <I, S extends object>(
  tag: Context.Tag<I, S>,
  source: string
): <ROut, E, RIn>(self: Layer.Layer<ROut | I, E, RIn>) => Layer.Layer<ROut | I, E, RIn> =>
(self) => Layer.map(self, (context) => Context.add(context, tag, service(source, Context.get(context, tag))))
