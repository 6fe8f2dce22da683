/**
 * Opens Redis for what can do without it: while it does not answer in time, nobody
 * waits for it, and it is tried at intervals until it does.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type * as RedisTrouble from "../../redis/RedisTrouble.js"
import * as RedisDesk from "./RedisDesk.js"

/**
 * In a cluster each node is away by itself, and its connection knows: then nothing
 * falls here, and nothing is tried.
 *
 * @since 0.1.0
 * @category models
 */
export interface Away {
  readonly desk: RedisDesk.Desk
  readonly isAway: () => boolean
  /** Something went wrong: nobody waits any more. Unless it was the call that had no time. */
  readonly fall: (trouble: RedisTrouble.Trouble) => void
  /** Tries at intervals while Redis is away, until the scope closes. */
  readonly watch: (settings: Watching) => Effect.Effect<void, never, Scope.Scope>
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Watching {
  /** Succeeds when Redis does what it is needed for. */
  readonly probe: Effect.Effect<unknown, RedisTrouble.Trouble>
  /** For the log, what is done meanwhile: `calls are counted in this process`. */
  readonly meanwhile: string
}

const pause = "100 millis"
/** For so many pauses it must have answered for the outage to be over; to the log, that is. */
const calmPauses = 10

/**
 * Begins to connect, and succeeds at once: also while Redis is away.
 *
 * @since 0.1.0
 * @category constructors
 */
export const open = (
  settings: Omit<RedisDesk.Settings, "report">
): Effect.Effect<Away, RedisTrouble.Misconfigured, Scope.Scope> =>
  Effect.gen(function*() {
    const fallen = yield* Queue.sliding<RedisTrouble.Trouble>(1)
    let isAway = false

    const set = (trouble: RedisTrouble.Trouble): void => {
      if (isAway) return
      isAway = true
      fallen.unsafeOffer(trouble)
    }

    const desk = yield* RedisDesk.make({
      ...settings,
      report: (_, trouble) => {
        if (trouble !== undefined) set(trouble)
      }
    })

    const untilBack = (probe: Watching["probe"]): Effect.Effect<void> =>
      Effect.matchEffect(probe, {
        onFailure: () => Effect.zipRight(Effect.sleep(pause), untilBack(probe)),
        onSuccess: () =>
          Effect.sync(() => {
            isAway = false
          })
      })

    const untilCalm = (probe: Watching["probe"], pauses = calmPauses): Effect.Effect<void> =>
      isAway
        ? Effect.flatMap(untilBack(probe), () => untilCalm(probe))
        : pauses === 0
        ? Effect.asVoid(Queue.takeAll(fallen))
        : Effect.flatMap(Effect.sleep(pause), () => untilCalm(probe, pauses - 1))

    return {
      desk,
      isAway: () => isAway,
      fall: (trouble) => {
        if (!desk.isCluster && trouble !== RedisDesk.hurried) set(trouble)
      },
      watch: ({ meanwhile, probe }) =>
        desk.isCluster ? Effect.void : Queue.take(fallen).pipe(
          Effect.flatMap((trouble) => {
            const news = trouble._tag === "Unavailable" ? "it does not answer in time" : trouble.message
            return Effect.logWarning(`${desk.name}: ${news}; ${meanwhile} until it does`)
          }),
          Effect.zipRight(Effect.suspend(() => untilCalm(desk.ask(probe)))),
          Effect.zipRight(Effect.logInfo(`${desk.name} answers again`)),
          Effect.forever,
          Effect.forkScoped,
          Effect.asVoid
        )
    }
  })
