/**
 * Whether Redis answers in time: while it does not, nobody waits for it, and it is
 * tried at intervals until it does.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type * as RedisTrouble from "../../redis/RedisTrouble.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Away {
  readonly isAway: () => boolean
  /** Something went wrong: nobody waits any more. */
  readonly fall: (trouble: RedisTrouble.Trouble) => void
  /** Tries at intervals while Redis is away, until the scope closes. */
  readonly watch: (settings: Settings) => Effect.Effect<void, never, Scope.Scope>
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Settings {
  /** Succeeds when Redis does in time what it is needed for. */
  readonly probe: Effect.Effect<unknown, RedisTrouble.Trouble>
  /** For the log: `Redis at 127.0.0.1:6379`. */
  readonly name: string
  /** For the log, what is done meanwhile: `calls are counted in this process`. */
  readonly meanwhile: string
}

const pause = "100 millis"
/** So long it must have answered for the outage to be over; to the log, that is. */
const calm = "1 second"

/**
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Away> = Effect.map(Queue.sliding<RedisTrouble.Trouble>(1), (fallen) => {
  let isAway = false

  const untilBack = (probe: Settings["probe"]): Effect.Effect<void> =>
    Effect.matchEffect(probe, {
      onFailure: () => Effect.zipRight(Effect.sleep(pause), untilBack(probe)),
      onSuccess: () =>
        Effect.sync(() => {
          isAway = false
        })
    })

  const untilCalm = (probe: Settings["probe"]): Effect.Effect<void> =>
    Effect.zipRight(untilBack(probe), Effect.sleep(calm)).pipe(
      Effect.zipRight(Queue.takeAll(fallen)),
      Effect.flatMap(() => isAway ? untilCalm(probe) : Effect.void)
    )

  return {
    isAway: () => isAway,
    fall: (trouble) => {
      if (isAway) return
      isAway = true
      fallen.unsafeOffer(trouble)
    },
    watch: ({ meanwhile, name, probe }) =>
      Queue.take(fallen).pipe(
        Effect.flatMap((trouble) => {
          const news = trouble._tag === "Unavailable" ? "it does not answer in time" : trouble.message
          return Effect.logWarning(`${name}: ${news}; ${meanwhile} until it does`)
        }),
        Effect.zipRight(untilCalm(probe)),
        Effect.zipRight(Effect.logInfo(`${name} answers again`)),
        Effect.forever,
        Effect.forkScoped,
        Effect.asVoid
      )
  }
})
