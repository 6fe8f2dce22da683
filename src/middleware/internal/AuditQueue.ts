/**
 * Takes events at once and writes them behind, a few at a time; knows when they
 * cannot be written.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
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

type Written = Effect.Effect<void, { readonly message: string }>

/**
 * A disk that hangs holds up the end of the server no longer than this. Apart from
 * the fiber that waits: an interrupted write would be half a write.
 */
const within = (write: Written): Written =>
  Effect.gen(function*() {
    const ended = yield* Deferred.make<void, { readonly message: string }>()
    const writing = yield* Effect.forkDaemon(Effect.interruptible(Effect.intoDeferred(write, ended)))
    const late = Deferred.fail(ended, { message: "it takes too long" })
    const timer = yield* Effect.forkDaemon(Effect.interruptible(Effect.delay(late, writeWithin)))
    yield* Effect.ensuring(
      Deferred.await(ended),
      Effect.zipRight(Fiber.interruptFork(timer), Fiber.interruptFork(writing))
    )
  })

/**
 * Writes until the scope closes, and then what is left, for two seconds at most.
 * What cannot be written is lost where that is what was chosen; otherwise it is
 * kept and tried again each second, beyond the capacity as long as calls go on
 * that had begun.
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

    const failed = (events: ReadonlyArray<Event>, { message }: { readonly message: string }): Effect.Effect<void> => {
      if (!isKept) {
        waiting = waiting.slice(events.length)
        lost(events.length)
      }
      if (isFailing) return Effect.void
      isFailing = true
      return Effect.logError(
        `The audit cannot be written: ${message}. ${isKept ? "Calls are refused" : "Events are lost"} until it can`
      )
    }
    const written = (events: ReadonlyArray<Event>): Effect.Effect<void> => {
      waiting = waiting.slice(events.length)
      if (!isFailing) return Effect.void
      isFailing = false
      return Effect.logInfo("The audit is written again")
    }

    const next = Effect.suspend(() => {
      const events = waiting.slice(0, batch)
      return Effect.matchEffect(within(options.write(events)), {
        onFailure: (error) => failed(events, error),
        onSuccess: () => written(events)
      })
    })
    const drain: Effect.Effect<void> = Effect.suspend(() =>
      waiting.length === 0
        ? Effect.void
        // A batch is written or not: nobody interrupts it half way.
        : Effect.flatMap(
          Effect.uninterruptible(next),
          () => isFailing ? Effect.zipRight(Effect.sleep(againAfter), drain) : drain
        )
    )

    yield* Effect.addFinalizer(() => {
      isOver = true
      return Effect.zipRight(
        Effect.timeoutOption(Effect.interruptible(Effect.disconnect(drain)), flushWithin),
        Effect.sync(() => lost(waiting.length))
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
