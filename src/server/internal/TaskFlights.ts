/**
 * The calls that run in this process without anybody waiting: how many there
 * are, how each ends, and that other instances can tell they still run.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Memo, Paused } from "../../ask/Asking.js"
import * as Backoff from "../../policy/Backoff.js"
import { Code, internalError, McpError } from "../../protocol/McpError.js"
import type { ToolResult } from "../../protocol/McpSchema.js"
import type { Outcome, Requests, Run, TaskStore } from "../../task/TaskStore.js"

/**
 * One call that runs here. It is a task's when it has a run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Flight {
  readonly name: string
  run: Run | undefined
  /** The keys of the task's earlier questions, which a client may still answer by mistake. */
  readonly used: ReadonlyArray<string>
  fiber: Fiber.RuntimeFiber<void> | undefined
  /** Whether the call is over and its outcome is being stored. */
  isLanding: boolean
  /** Whether nobody wants the outcome any more. */
  isStopped: boolean
}

/**
 * What the store keeps of a call between two runs.
 *
 * @since 0.1.0
 * @category models
 */
export interface Carried {
  readonly memo: Memo
  /** By the key a client sees, the key the handler asked under. */
  readonly names: { readonly [key: string]: string }
  readonly used: ReadonlyArray<string>
}

/**
 * What a call gave.
 *
 * @since 0.1.0
 * @category models
 */
export type Landing = Exit.Exit<ToolResult | Paused, McpError>

/**
 * @since 0.1.0
 * @category models
 */
export interface TaskFlights {
  /** Takes a place for a task; false when there is none, or the server stops. */
  readonly reserve: () => boolean
  /** Gives a place back that no flight took. */
  readonly release: () => void
  /**
   * Runs a call in a fiber of its own. If it is a task's by then, its outcome is
   * stored and its place given back; otherwise it goes to `land`.
   */
  readonly launch: (
    flight: Flight,
    call: Effect.Effect<ToolResult | Paused, McpError>,
    land: (landing: Landing) => Effect.Effect<void>
  ) => Effect.Effect<void>
  /** Stops the flight of a task that nobody wants any more, if it is here. Does not wait for it. */
  readonly stop: (taskId: string) => Effect.Effect<void>
}

/**
 * A flight that has not begun.
 *
 * @since 0.1.0
 * @category constructors
 */
export const flight = (name: string, run?: Run, used: ReadonlyArray<string> = []): Flight => ({
  name,
  run,
  used,
  fiber: undefined,
  isLanding: false,
  isStopped: false
})

/** A task's keys are never used twice, so that a late answer cannot be taken for one to a later question. */
const rename = (
  requests: Paused["requests"],
  used: ReadonlyArray<string>
): { readonly requests: Requests; readonly names: Carried["names"] } => {
  const taken = new Set([...used, ...Object.keys(requests)])
  const named = Object.entries(requests).map(([key, request]) => {
    let name = key
    if (used.includes(key)) {
      for (let n = 2; taken.has(name); n++) name = `${key}-${n}`
    }
    return { key, name, request }
  })
  return {
    requests: Object.fromEntries(named.map(({ name, request }) => [name, request])),
    names: Object.fromEntries(named.map(({ key, name }) => [name, key]))
  }
}

const failed = (error: McpError): Outcome => ({
  status: "failed",
  error: {
    code: error.code,
    message: error.message,
    ...(error.data === undefined ? {} : { data: error.data })
  }
})

const stopped = failed(
  new McpError({
    code: Code.InternalError,
    message: "The server stopped before the call had ended. The call may be made again."
  })
)

/** For about a minute: an outcome is worth waiting for a database that changes its server. */
const storing = Backoff.make({ first: "200 millis", cap: "5 seconds", times: 15 })

const nameOf = ({ number, taskId }: Run): string => `${taskId} ${number}`

const interrupt = ({ fiber }: Flight): Effect.Effect<void> =>
  fiber === undefined ? Effect.void : Fiber.interruptFork(fiber)

/**
 * Runs to its end in a fiber of its own, whatever becomes of this one. Merely
 * uninterruptible it would be deaf to its own deadline.
 *
 * @since 0.1.0
 * @category combinators
 */
export const apart = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.uninterruptible(Effect.flatMap(Effect.forkDaemon(Effect.interruptible(effect)), Fiber.join))

/** Stays open to interruption inside a finalizer, which is not, so that a deadline can end it. */
const atMost = (duration: Duration.DurationInput) => <A>(effect: Effect.Effect<A>): Effect.Effect<void> =>
  Effect.asVoid(Effect.timeoutOption(Effect.interruptible(Effect.disconnect(effect)), duration))

/**
 * Makes the place where calls run. When the scope closes, they are interrupted
 * and their tasks fail, for which there are two seconds.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly store: Context.Tag.Service<TaskStore>
  readonly publish: (taskId: string) => Effect.Effect<void>
  readonly maxRunning: number
  readonly leaseMillis: number
}): Effect.Effect<TaskFlights, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { leaseMillis, maxRunning, publish, store } = options
    const flights = new Set<Flight>()
    let places = maxRunning
    let isClosed = false

    const release = () => {
      places += 1
    }

    const incident = (name: string, what: string, cause: Cause.Cause<unknown>): Effect.Effect<McpError> =>
      Effect.suspend(() => {
        const id = globalThis.crypto.randomUUID().slice(0, 8)
        return Effect.as(
          Effect.logError(`The task of ${name} ${what}; incident ${id}`, cause),
          internalError(id)
        )
      })

    const finish = (run: Run, outcome: Outcome) => Effect.retry(store.finish(run, outcome), storing)

    const settle = (flight: Flight, run: Run, landing: Landing) => {
      if (Exit.isSuccess(landing)) {
        if (landing.value._tag !== "Paused") return finish(run, { status: "completed", result: landing.value })
        const { names, requests } = rename(landing.value.requests, flight.used)
        const used = [...flight.used, ...Object.keys(requests)]
        const carried: Carried = { memo: landing.value.memo, names, used }
        return Effect.retry(store.ask(run, requests, carried), storing)
      }
      const error = Cause.failureOption(landing.cause)
      return Option.isSome(error)
        ? finish(run, failed(error.value))
        : Effect.flatMap(
          incident(flight.name, "hit a defect", landing.cause),
          (error) => finish(run, failed(error))
        )
    }

    /** What cannot be stored fails the task; what cannot be stored now leaves it to its lease. */
    const keep = (flight: Flight, run: Run, landing: Landing): Effect.Effect<void> =>
      settle(flight, run, landing).pipe(
        Effect.catchIf((error) => error.reason._tag === "Unstorable", (error) =>
          Effect.flatMap(
            incident(flight.name, "gave what cannot be stored", Cause.fail(error)),
            (error) => finish(run, failed(error))
          )),
        Effect.asVoid,
        Effect.catchAll((error) => Effect.logError(`The outcome of a task of ${flight.name} is lost`, error))
      )

    const launch: TaskFlights["launch"] = (flight, call, land) =>
      Effect.suspend(() => {
        flights.add(flight)
        // Before anybody hears of it, since who hears may want the place.
        const over = Effect.sync(() => {
          flights.delete(flight)
          if (flight.run !== undefined) release()
        })
        const landed = Effect.flatMap(Effect.exit(Effect.interruptible(call)), (landing) => {
          flight.isLanding = true
          const { isStopped, run } = flight
          if (run === undefined) return Effect.ensuring(land(landing), over)
          if (isStopped) return over
          return Effect.zipRight(Effect.ensuring(apart(keep(flight, run, landing)), over), publish(run.taskId))
        })
        // Uninterruptible from the start, so that a flight stopped before its first step is landed, too.
        return Effect.uninterruptible(Effect.map(Effect.forkDaemon(landed), (fiber) => {
          flight.fiber = fiber
        }))
      })

    const halt = (flight: Flight): Effect.Effect<void> => {
      if (flight.isLanding || flight.isStopped) return Effect.void
      flight.isStopped = true
      return interrupt(flight)
    }

    const beat = Effect.suspend(() => {
      const active: Array<readonly [Flight, Run]> = []
      for (const flight of flights) {
        if (flight.run !== undefined && !flight.isStopped) active.push([flight, flight.run])
      }
      if (active.length === 0) return Effect.void
      return store.renew(active.map(([, run]) => run), leaseMillis).pipe(
        Effect.flatMap((renewed) => {
          const counting = new Set(renewed.map(nameOf))
          const lost = active.filter(([, run]) => !counting.has(nameOf(run)))
          return Effect.forEach(lost, ([flight]) => halt(flight), { discard: true })
        }),
        Effect.catchAll((error) => Effect.logWarning("The leases of running tasks were not renewed", error))
      )
    })

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isClosed = true
        return Effect.forEach(flights, (flight) => {
          const { fiber, isLanding, run } = flight
          if (isLanding) return fiber === undefined ? Effect.void : Fiber.await(fiber)
          const halted = halt(flight)
          return run === undefined ? halted : Effect.zipRight(
            halted,
            Effect.zipRight(Effect.ignoreLogged(store.finish(run, stopped)), publish(run.taskId))
          )
        }, { concurrency: 16, discard: true }).pipe(atMost("2 seconds"))
      })
    )
    yield* Effect.forkScoped(
      Effect.forever(Effect.zipRight(Effect.sleep(Duration.millis(leaseMillis / 3)), beat))
    )

    return {
      reserve: () => {
        if (isClosed || places <= 0) return false
        places -= 1
        return true
      },
      release,
      launch,
      stop: (taskId) =>
        Effect.suspend(() => {
          for (const flight of flights) if (flight.run?.taskId === taskId) return halt(flight)
          return Effect.void
        })
    }
  })
