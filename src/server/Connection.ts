/**
 * One peer on a pipe: what it settled in its handshake, and which of its
 * requests are being answered.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import type { Principal } from "../auth/Principal.js"
import * as Dispatcher from "../protocol/Dispatcher.js"
import * as JsonRpc from "../protocol/JsonRpc.js"
import { invalidRequest } from "../protocol/McpError.js"
import type { RequestId } from "../protocol/McpSchema.js"

/**
 * The peer's side of a connection.
 *
 * @since 0.1.0
 * @category models
 */
export interface Connection {
  /** Takes one message as text; text that is not JSON is answered with a parse error. */
  readonly receiveText: (text: string) => void
  /** Takes one message, parsed. */
  readonly receive: (message: unknown) => void
  /** Succeeds when no request of this peer is being answered. */
  readonly idle: Effect.Effect<void>
}

/**
 * Whom the connection serves.
 *
 * @since 0.1.0
 * @category models
 */
export interface Peer {
  readonly caller: Principal
  /** Takes one encoded message without a line end; must not throw. */
  readonly send: (json: string) => void
  /** Whether the peer reads too slowly: notifications are then dropped, answers never. Never unless given. */
  readonly isBehind?: (() => boolean) | undefined
  /** Milliseconds that a call which has been interrupted may take to end when the scope closes; 1000 unless given. */
  readonly patience?: number | undefined
}

const interruptMillis = 1000

/** Deeper nesting than this is refused before it is parsed. */
const maxDepth = 128

/** Whether anything may still be said for a request: nothing after its answer, or once it was cancelled. */
interface Voice {
  isSilent: boolean
}

/** A string id and a number id never meet: `1` is not `"1"`. */
const keyOf = (id: RequestId): string => (typeof id === "number" ? `n${id}` : `s${id}`)

/** The id of a request, before it is known to be a good one. */
const claimedId = (message: unknown): RequestId | undefined =>
  JsonRpc.isObject(message) && typeof message.method === "string" && JsonRpc.isId(message.id) ? message.id : undefined

/**
 * Interrupts, and waits no longer than that: a call may have made itself
 * uninterruptible. By the machine's time, which a test cannot stop.
 */
const interrupt = (fibers: ReadonlyArray<Fiber.RuntimeFiber<unknown>>, millis: number): Effect.Effect<void> =>
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
      fiber.unsafeInterruptAsFork(FiberId.none)
    }
  })

/**
 * Opens a connection. When the scope closes, requests in flight are interrupted
 * and nothing more is sent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  dispatcher: Dispatcher.Dispatcher<Principal>,
  peer: Peer
): Effect.Effect<Connection, never, Scope.Scope> =>
  Effect.gen(function*() {
    const runtime = yield* Effect.runtime()
    const fork = Runtime.runFork(runtime)
    const inFlight = new Map<string, { readonly fiber: Fiber.RuntimeFiber<unknown>; readonly voice: Voice }>()
    const waiting = new Set<() => void>()
    let handshake: Dispatcher.Handshake | undefined
    let isOpen = true
    let unnamed = 0

    const send = (json: string | undefined): void => {
      if (isOpen && json !== undefined) peer.send(json)
    }

    const settle = (key: string): void => {
      inFlight.delete(key)
      if (inFlight.size === 0) {
        for (const resume of waiting) resume()
        waiting.clear()
      }
    }

    const run = (key: string, exchange: Dispatcher.Exchange, voice: Voice): void => {
      const fiber = fork(exchange.reply)
      const answer = (exit: Exit.Exit<Dispatcher.Reply>): void => {
        settle(key)
        if (voice.isSilent) return
        voice.isSilent = true
        if (Exit.isSuccess(exit)) send(exit.value.body)
      }
      inFlight.set(key, { fiber, voice })
      const exit = fiber.unsafePoll()
      if (exit !== null) answer(exit)
      else fiber.addObserver(answer)
    }

    const receive = (message: unknown): void => {
      if (!isOpen) return
      const claimed = inFlight.size === 0 ? undefined : claimedId(message)
      // Before anything else: a request that is refused must neither run nor settle a handshake.
      if (claimed !== undefined && inFlight.has(keyOf(claimed))) {
        return send(
          JsonRpc.error(claimed, invalidRequest("This id belongs to a request that is still being answered"))
        )
      }
      const voice: Voice = { isSilent: false }
      const exchange = dispatcher.line(message, handshake, {
        caller: peer.caller,
        notify: (json) => {
          if (!voice.isSilent && peer.isBehind?.() !== true) send(json)
        }
      })
      if (exchange.handshake !== undefined) handshake = exchange.handshake
      if (exchange.cancels !== undefined) {
        const cancelled = inFlight.get(keyOf(exchange.cancels))
        if (cancelled !== undefined) {
          cancelled.voice.isSilent = true
          fork(Fiber.interruptFork(cancelled.fiber))
        }
      }
      const key = exchange.id === undefined ? `u${unnamed++}` : keyOf(exchange.id)
      if (Exit.isExit(exchange.reply)) {
        // The guard forgets what the effect succeeds with.
        const exit = exchange.reply as Exit.Exit<Dispatcher.Reply>
        if (Exit.isSuccess(exit)) send(exit.value.body)
        return
      }
      run(key, exchange, voice)
    }

    const receiveText = (text: string): void => {
      if (JsonRpc.depthOf(text, maxDepth) > maxDepth) return send(Dispatcher.tooDeep.body)
      let message: unknown
      try {
        message = JSON.parse(text)
      } catch {
        return send(dispatcher.unparsable.body)
      }
      receive(message)
    }

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isOpen = false
        // A copy: a call that ends leaves the map.
        return interrupt([...inFlight.values()].map(({ fiber }) => fiber), peer.patience ?? interruptMillis)
      })
    )

    return {
      receive,
      receiveText,
      idle: Effect.async<void>((resume) => {
        const done = () => resume(Effect.void)
        if (inFlight.size === 0) return done()
        waiting.add(done)
        return Effect.sync(() => waiting.delete(done))
      })
    }
  })
