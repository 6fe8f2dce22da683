/**
 * The requests of one peer that are being answered.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import type { Exchange, Reply } from "../../protocol/Dispatcher.js"
import * as JsonRpc from "../../protocol/JsonRpc.js"
import { Code, McpError } from "../../protocol/McpError.js"
import type { RequestId } from "../../protocol/McpSchema.js"

/**
 * Takes what a message is answered with, once; `undefined` when it is not
 * answered.
 *
 * @internal
 */
export type Deliver = (reply: Reply | undefined) => void

/** @internal */
export interface InFlight {
  /** Whether a request with this id is being answered. */
  readonly has: (id: RequestId) => boolean
  readonly isEmpty: () => boolean
  /** How many there are, subscriptions apart. */
  readonly requests: () => number
  readonly run: (exchange: Exchange, deliver: Deliver) => void
  /** Delivers nothing for this id, from now on; an id that is not there is ignored. */
  readonly cancel: (id: RequestId) => void
  readonly endSubscriptions: () => void
  /** Ends the subscriptions, and waits for their results no longer than that. */
  readonly finish: (millis: number) => Effect.Effect<void>
  /** Interrupts all, and waits no longer than that: a call may have made itself uninterruptible. */
  readonly interrupt: (millis: number) => Effect.Effect<void>
  readonly idle: Effect.Effect<void>
}

interface Entry {
  /** Absent only while it is being started. */
  fiber: Fiber.RuntimeFiber<unknown> | undefined
  isCancelled: boolean
  readonly end: (() => void) | undefined
  readonly deliver: Deliver
}

/**
 * The answer to a request that ended itself without one.
 *
 * @internal
 */
export const unanswered = (id: RequestId | undefined): Reply | undefined =>
  id === undefined ? undefined : {
    status: 500,
    body: JsonRpc.error(id, new McpError({ code: Code.InternalError, message: "Internal error" }))
  }

/** A string id and a number id never meet: `1` is not `"1"`. */
const keyOf = (id: RequestId): string => (typeof id === "number" ? `n${id}` : `s${id}`)

/**
 * Waits until all have ended, and no longer than that. By the machine's time,
 * which a test cannot stop.
 */
const ended = (fibers: ReadonlyArray<Fiber.RuntimeFiber<unknown>>, millis: number): Effect.Effect<void> =>
  fibers.length === 0 ? Effect.void : Effect.async<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    let left = fibers.length
    for (const fiber of fibers) {
      fiber.addObserver(() => {
        left -= 1
        if (left > 0) return
        clearTimeout(timer)
        resume(Effect.void)
      })
    }
  })

const fibersOf = (entries: ReadonlyArray<Entry>): ReadonlyArray<Fiber.RuntimeFiber<unknown>> =>
  entries.flatMap(({ fiber }) => (fiber === undefined ? [] : [fiber]))

/** @internal */
export const make: Effect.Effect<InFlight> = Effect.map(Effect.runtime<never>(), (runtime) => {
  const fork = Runtime.runFork(runtime)
  const entries = new Map<string, Entry>()
  const waiting = new Set<() => void>()
  let requests = 0
  let unnamed = 0

  const subscriptions = (): ReadonlyArray<Entry> => [...entries.values()].filter(({ end }) => end !== undefined)

  return {
    has: (id) => entries.has(keyOf(id)),
    isEmpty: () => entries.size === 0,
    requests: () => requests,
    run: (exchange, deliver) => {
      const key = exchange.id === undefined ? `u${unnamed++}` : keyOf(exchange.id)
      const entry: Entry = { fiber: undefined, isCancelled: false, end: exchange.end, deliver }
      entries.set(key, entry)
      if (entry.end === undefined) requests += 1
      const fiber = fork(exchange.reply)
      const done = (exit: Exit.Exit<Reply>): void => {
        entries.delete(key)
        if (entry.end === undefined) requests -= 1
        if (!entry.isCancelled) deliver(Exit.isSuccess(exit) ? exit.value : unanswered(exchange.id))
        if (entries.size > 0) return
        for (const resume of waiting) resume()
        waiting.clear()
      }
      entry.fiber = fiber
      const exit = fiber.unsafePoll()
      if (exit !== null) return done(exit)
      fiber.addObserver(done)
      // The peer may have cancelled before there was anything to interrupt.
      if (entry.isCancelled) fiber.unsafeInterruptAsFork(FiberId.none)
    },
    cancel: (id) => {
      const entry = entries.get(keyOf(id))
      if (entry === undefined || entry.isCancelled) return
      entry.isCancelled = true
      entry.deliver(undefined)
      entry.fiber?.unsafeInterruptAsFork(FiberId.none)
    },
    endSubscriptions: () => {
      for (const { end } of subscriptions()) end?.()
    },
    finish: (millis) =>
      Effect.suspend(() => {
        const ending = subscriptions()
        for (const { end } of ending) end?.()
        return ended(fibersOf(ending), millis)
      }),
    interrupt: (millis) =>
      Effect.suspend(() => {
        // A copy: a call that ends leaves the map.
        const fibers = fibersOf([...entries.values()])
        const all = ended(fibers, millis)
        for (const fiber of fibers) fiber.unsafeInterruptAsFork(FiberId.none)
        return all
      }),
    idle: Effect.async<void>((resume) => {
      const done = () => resume(Effect.void)
      if (entries.size === 0) return done()
      waiting.add(done)
      return Effect.sync(() => waiting.delete(done))
    })
  }
})
