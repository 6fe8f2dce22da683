/**
 * Takes events at once and writes them behind, a few at a time; knows when they
 * cannot be written.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Instrument from "../../telemetry/Instrument.js"
import * as Telemetry from "../../telemetry/Telemetry.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options<in Event> {
  /** Writes all of these, or none. */
  readonly write: (events: ReadonlyArray<Event>) => Effect.Effect<void, { readonly message: string }>
  /** Events that wait at most, those that are being written among them. */
  readonly capacity: number
  readonly onFull: "drop" | "refuse"
}

/**
 * @since 0.1.0
 * @category models
 */
export interface AuditQueue<in Event> {
  readonly write: (event: Event) => void
  readonly refuses: () => boolean
}

const batch = 512
const againAfter = Duration.seconds(1)
const flushWithin = Duration.seconds(2)
const writeWithin = Duration.seconds(10)

/**
 * Writes until the scope closes, and then what is left, for two seconds at most.
 * What cannot be written is lost where that is what was chosen; otherwise it is
 * kept and tried again each second, beyond the capacity as long as calls go on
 * that had begun.
 *
 * A write that takes longer than ten seconds counts as one that cannot be written
 * for as long as it takes, and no other is begun beside it: each would hold one of
 * the few threads that the process has for its files.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <Event>(options: Options<Event>): Effect.Effect<AuditQueue<Event>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { capacity, onFull } = options
    const isKept = onFull === "refuse"
    const lost = Instrument.counter(Telemetry.Metric.auditDropped, "Events that the audit lost.")()
    const latch = yield* Effect.makeLatch(false)
    let waiting: Array<Event> = []
    let isFailing = false
    let isOver = false

    const failing = (message: string): Effect.Effect<void> => {
      if (isFailing) return Effect.void
      isFailing = true
      return Effect.logError(
        `The audit cannot be written: ${message}. ${isKept ? "Calls are refused" : "Events are lost"} until it can`
      )
    }
    const failed = (events: ReadonlyArray<Event>, { message }: { readonly message: string }): Effect.Effect<void> => {
      if (!isKept) {
        waiting = waiting.slice(events.length)
        lost(events.length)
      }
      return failing(message)
    }
    const written = (events: ReadonlyArray<Event>): Effect.Effect<void> => {
      waiting = waiting.slice(events.length)
      if (!isFailing) return Effect.void
      isFailing = false
      return Effect.logInfo("The audit is written again")
    }

    /** The write under way, in a fiber of its own: nobody ends it half way who waits for it. */
    let writing: Fiber.RuntimeFiber<void> | undefined
    const begin = Effect.suspend(() => {
      const events = waiting.slice(0, batch)
      return Effect.forkDaemon(Effect.interruptible(
        Effect.matchEffect(options.write(events), {
          onFailure: (error) => failed(events, error),
          onSuccess: () => written(events)
        }).pipe(
          // A program's own function may throw, which must not be the end of the audit.
          Effect.catchAllDefect((defect) =>
            Effect.zipRight(
              isFailing ? Effect.void : Effect.logError("What writes the audit hit a defect", Cause.die(defect)),
              failed(events, { message: "what writes it has a defect" })
            )
          ),
          Effect.ensuring(Effect.sync(() => {
            writing = undefined
          }))
        )
      ))
    })
    const next = Effect.gen(function*() {
      const fiber = writing ?? (writing = yield* begin)
      const ended = yield* Effect.timeoutOption(Effect.disconnect(Fiber.await(fiber)), writeWithin)
      if (Option.isSome(ended)) return
      yield* failing("it takes too long")
      yield* Fiber.await(fiber)
    })
    const drain: Effect.Effect<void> = Effect.suspend(() =>
      waiting.length === 0
        ? Effect.void
        : Effect.flatMap(next, () => isFailing ? Effect.zipRight(Effect.sleep(againAfter), drain) : drain)
    )

    yield* Effect.addFinalizer(() => {
      isOver = true
      return Effect.zipRight(
        Effect.timeoutOption(Effect.interruptible(Effect.disconnect(drain)), flushWithin),
        Effect.suspend(() => {
          lost(waiting.length)
          waiting = []
          return writing === undefined ? Effect.void : Fiber.interruptFork(writing)
        })
      )
    })
    yield* Effect.forkScoped(
      Effect.forever(Effect.zipRight(latch.await, Effect.zipRight(Effect.sync(() => latch.unsafeClose()), drain)))
    )

    return {
      write: (event) => {
        if (isOver || (!isKept && waiting.length >= capacity)) return lost(1)
        waiting.push(event)
        if (waiting.length === 1) latch.unsafeOpen()
      },
      refuses: () => isKept && (isFailing || waiting.length >= capacity)
    }
  })
