/**
 * Answers messages that came by POST, whatever server carries them: with one
 * JSON text, or a stream of events as soon as there is more to say.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import type { Principal } from "../../auth/Principal.js"
import type { Arrival, Headers, Held, Reply } from "../../protocol/Dispatcher.js"
import { isExit } from "../../protocol/Ended.js"
import type * as JsonBounds from "../../protocol/JsonBounds.js"
import * as JsonRpc from "../../protocol/JsonRpc.js"
import type { RequestId } from "../../protocol/McpSchema.js"
import * as Quota from "../../protocol/Quota.js"
import type { Posted } from "../../server/Posted.js"
import * as Refusals from "../../server/Refusals.js"
import * as HttpBody from "./HttpBody.js"
import type { Accepted } from "./HttpGate.js"
import * as HttpOutput from "./HttpOutput.js"
import * as HttpShedding from "./HttpShedding.js"
import * as HttpStreams from "./HttpStreams.js"
import * as TraceHeader from "./TraceHeader.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options<in T> extends HttpStreams.Options<T> {
  readonly bounds: JsonBounds.Bounds
  /** The most calls that have begun and not ended, subscriptions apart. */
  readonly maxInFlight: number
  /** Turns calls away while there is too much to do. */
  readonly shedding?: HttpShedding.Shedding | undefined
  /** What goes with a 403: names and values in turn. Told of each. */
  readonly challenged?:
    | ((scopes: ReadonlyArray<string>, caller: Principal, peer: string | undefined) => ReadonlyArray<string>)
    | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Calls<in T> {
  readonly streams: HttpStreams.Streams<T>
  /** Answers a message; `text` is `undefined` when the body was not UTF-8, `cors` goes with every answer. */
  readonly answer: (
    target: T,
    text: string | undefined,
    headers: Headers,
    accepted: Accepted,
    cors: ReadonlyArray<string>,
    caller: Principal
  ) => void
  /** Whether a call has not ended, subscriptions apart, whether or not anyone still waits for it. */
  readonly isBusy: () => boolean
  /** Interrupts every call and every subscription. */
  readonly interrupt: () => void
}

const idOf = (message: unknown): RequestId | undefined =>
  JsonRpc.isObject(message) && JsonRpc.isId(message.id) ? message.id : undefined

const isCall = (message: unknown): boolean =>
  JsonRpc.isObject(message) && typeof message.method === "string" && message.id !== undefined &&
  !isSubscription(message)

/** How many calls a message begins. An answer begins none, and must pass when the server is busy: a call waits for it. */
const callsIn = (message: unknown): number =>
  Array.isArray(message) ? message.filter(isCall).length : isCall(message) ? 1 : 0

const isSubscription = (message: unknown): boolean =>
  JsonRpc.isObject(message) && message.method === "subscriptions/listen"

/** The end of a request that its client has cancelled by another message. */
const nothing: Reply = { status: 202, body: undefined }

/** How long a cancelled call may take to end before its client gets its answer, which is none. */
const withdrawMillis = 1000

const retry: ReadonlyArray<string> = ["retry-after", "1"]

/** What came with a message, and what is found out about it. */
interface Noting extends Omit<Arrival<Principal>, "noted">, Quota.Noted {
  noted: Quota.Noted | undefined
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = <T>(options: Options<T>): Calls<T> => {
  const { bounds, challenged, maxInFlight, output, refusals, server, shedding } = options
  const streams = HttpStreams.make(options)
  const running = new Set<Fiber.RuntimeFiber<Reply>>()
  const listening = new Set<Fiber.RuntimeFiber<Reply>>()
  let inFlight = 0

  const refuse = (target: T, reply: Reply, reason: string, headers: ReadonlyArray<string>): void => {
    refusals.note(reply.status, reason, output.peer(target))
    output.reply(target, reply.status, reply.body, headers)
  }

  /** Keeps a subscription whose stream has begun. Apart from what began it, since thousands may be open. */
  const keep = (target: T, held: Held, caller: Principal): void => {
    let isOver = false
    const finish = (): void => {
      isOver = true
      streams.drop(end)
      streams.forget(target)
      output.settle(target)
      output.end(target, HttpOutput.frame(held.last()))
    }
    const end = (): void => held.end()
    held.hold((json) => {
      if (output.isBehind(target)) return false
      output.write(target, HttpOutput.frame(json))
      return true
    }, finish)
    // It may have been ended while it began.
    if (isOver) return
    output.wait(target, () => {
      isOver = true
      held.close()
      streams.drop(end)
      streams.forget(target)
    }, true)
    // The peer may have gone while it began.
    if (!isOver) streams.hold(end, caller)
  }

  const answer: Calls<T>["answer"] = (target, text, headers, accepted, cors, caller) => {
    const parsed = HttpBody.parse(text, bounds, server.unparsable)
    if ("status" in parsed) {
      const { refusal } = parsed
      const reason = refusal === undefined ? "it is not JSON" : Refusals.reasonOf(refusal)
      return refuse(target, parsed, reason, cors)
    }
    const { message } = parsed
    TraceHeader.join(message, headers)
    const away = shedding?.one(message)
    if (away !== undefined) {
      server.turnedAway(message, caller)
      const reply = HttpOutput.failure(503, idOf(message), HttpShedding.words)
      return refuse(target, reply, HttpShedding.words, [...cors, ...away])
    }
    const begun = callsIn(message)
    if (begun > 0 && inFlight + begun > maxInFlight) {
      const reply = HttpOutput.failure(503, idOf(message), "The server is busy")
      return refuse(target, reply, "too many calls are in flight", [...cors, ...retry])
    }

    // Before it begins: a subscription may begin its stream at once.
    const excess = isSubscription(message) ? streams.full() : undefined
    if (excess !== undefined) {
      return refuse(target, HttpOutput.failure(503, idOf(message), excess), excess, cors)
    }

    let isOver = false
    let isStreaming = false
    let session: string | undefined = undefined
    let fiber: Fiber.RuntimeFiber<Reply> | undefined = undefined

    const headersOut = (): ReadonlyArray<string> => {
      const own = session === undefined ? cors : [...cors, "mcp-session-id", session]
      const noted = Quota.headers(arrival)
      return noted.length === 0 ? own : [...own, ...noted]
    }
    const begin = (): void => {
      isStreaming = true
      streams.begin(target, headersOut())
    }
    const notify = (json: string): boolean => {
      if (isOver || accepted === "json") return false
      if (!isStreaming) begin()
      if (output.isBehind(target)) return false
      output.write(target, HttpOutput.frame(json))
      return true
    }
    const finish = (reply: Reply): void => {
      if (isOver) return
      isOver = true
      if (fiber !== undefined) output.settle(target)
      const { body, challenge, refusal, status } = reply
      if (refusal !== undefined) {
        refusals.note(status, Refusals.reasonOf(refusal), output.peer(target), Refusals.isProbe(refusal))
      }
      if (!isStreaming && accepted === "stream" && status === 200 && body !== undefined) begin()
      if (!isStreaming) {
        const more = challenge === undefined ? undefined : challenged?.(challenge, caller, output.peer(target))
        return output.reply(target, status, body, more === undefined ? headersOut() : [...headersOut(), ...more])
      }
      streams.forget(target)
      output.end(target, body === undefined ? undefined : HttpOutput.frame(body))
    }

    // Notes are taken on it, so that a call of which there are none needs nothing to take them on.
    const arrival: Noting = {
      caller,
      notify,
      canStream: accepted !== "json",
      noted: undefined,
      counted: undefined,
      retryAfterMs: undefined
    }
    arrival.noted = arrival

    let posted: Posted
    try {
      posted = server.post(message, headers, arrival)
    } catch (defect) {
      // Outside of a fiber nobody else would report it, and it would end the process.
      options.run(Effect.logError("A request hit a defect", defect))
      return finish(HttpOutput.unanswered(undefined, false))
    }
    session = posted.session
    const { end, id, reply } = posted
    if (posted.held !== undefined && isStreaming) return keep(target, posted.held, caller)

    const conclude = (exit: Exit.Exit<Reply>): void =>
      finish(Exit.isSuccess(exit) ? exit.value : HttpOutput.unanswered(id, streams.isStopping()))
    if (isExit(reply)) return conclude(reply)
    const started = output.run(target, reply)
    const exit = started.unsafePoll()
    if (exit !== null) return conclude(exit)

    fiber = started
    let givingUp: NodeJS.Timeout | undefined = undefined
    const forget = posted.waiting?.(() => {
      // The call may have a question to take back; one that does not end is not waited for.
      givingUp ??= setTimeout(() => finish(nothing), withdrawMillis)
      started.unsafeInterruptAsFork(FiberId.none)
    })
    const group = end === undefined ? running : listening
    const size = end !== undefined ? 0 : Math.max(1, begun)
    group.add(started)
    inFlight += size
    started.addObserver((exit) => {
      group.delete(started)
      inFlight -= size
      forget?.()
      if (end !== undefined) streams.drop(end)
      if (givingUp === undefined) return conclude(exit)
      clearTimeout(givingUp)
      finish(nothing)
    })
    if (end !== undefined) streams.hold(end, caller)
    output.wait(target, () => {
      isOver = true
      streams.forget(target)
      if (posted.cancelledByDisconnect || end !== undefined) started.unsafeInterruptAsFork(FiberId.none)
      else posted.lost?.()
    }, end !== undefined)
  }

  return {
    streams,
    answer,
    isBusy: () => running.size > 0,
    interrupt: () => {
      for (const fiber of [...running, ...listening]) fiber.unsafeInterruptAsFork(FiberId.none)
    }
  }
}
