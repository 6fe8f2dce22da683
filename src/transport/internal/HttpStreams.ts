/**
 * Keeps the open event streams of one server: those that belong to a call, and
 * those that have no end of their own and are ended when the server stops.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Principal } from "../../auth/Principal.js"
import type { Reply } from "../../protocol/Dispatcher.js"
import * as JsonRpc from "../../protocol/JsonRpc.js"
import { invalidRequest } from "../../protocol/McpError.js"
import type { McpServer } from "../../server/McpServer.js"
import * as HttpOutput from "./HttpOutput.js"
import type { Refusals } from "./HttpRefusals.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options<in T> {
  readonly server: typeof McpServer.Service
  readonly output: HttpOutput.Output<T>
  readonly refusals: Refusals
  /** Runs what tells the log. */
  readonly run: (effect: Effect.Effect<void>) => unknown
  /** The most streams without an end of their own, by GET and by subscription together. */
  readonly maxStreams: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Streams<in T> {
  /** Answers a GET with what its session was not asked for, until one side ends it. */
  readonly open: (target: T, session: string, caller: Principal, cors: ReadonlyArray<string>) => void
  /** Begins a stream of events. */
  readonly begin: (target: T, headers: ReadonlyArray<string>) => void
  /** The stream was ended, or its reader has gone. */
  readonly forget: (target: T) => void
  /** Why one more stream without an end of its own is not opened. */
  readonly full: () => string | undefined
  /** Remembers what ends such a stream until `drop`; ends it when the caller's credential does or is withdrawn, or the server stops. */
  readonly hold: (end: () => void, caller: Principal) => void
  readonly drop: (end: () => void) => void
  /** Ends the streams of callers of whom it is so. */
  readonly revoke: (isRevoked: (caller: Principal) => boolean) => void
  readonly isStopping: () => boolean
  /** Ends every stream that has no end of its own, and from now on each new one. */
  readonly stop: () => void
  /** Sends a comment down a part of the open streams, so that nothing between takes them for dead: `parts` times for all. */
  readonly keepAlive: () => void
}

/**
 * In how many parts the open streams get their comments: thousands at once would
 * hold up everybody else.
 *
 * @since 0.1.0
 * @category configuration
 */
export const parts = 16

/** The longest a timer can wait; a stream that old ends too. */
const longestMillis = 2 ** 31 - 1
/** How often is asked whether a credential was withdrawn. */
const revocationMillis = 2000

interface Ending {
  readonly caller: Principal
  readonly timer: NodeJS.Timeout | undefined
}

const unknownSession: Reply = {
  status: 404,
  body: JsonRpc.error(undefined, invalidRequest("There is no such session"))
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = <T>({ maxStreams, output, refusals, run, server }: Options<T>): Streams<T> => {
  /** By the part that they get their comments with. An iterator kept from one part to the next would keep what has left. */
  const opened = Array.from({ length: parts }, () => new Set<T>())
  const endings = new Map<() => void, Ending>()
  let isStopping = false
  let begun = 0
  let part = 0

  const begin: Streams<T>["begin"] = (target, headers) => {
    output.open(target, headers)
    begun = (begun + 1) % parts
    opened[begun]?.add(target)
  }
  const forget: Streams<T>["forget"] = (target) => {
    for (const some of opened) if (some.delete(target)) return
  }
  const full = (): string | undefined => endings.size < maxStreams ? undefined : "Too many streams are open"
  const drop = (end: () => void): void => {
    clearTimeout(endings.get(end)?.timer)
    endings.delete(end)
  }
  const hold = (end: () => void, caller: Principal): void => {
    const { expiresAt } = caller
    const left = expiresAt === undefined ? undefined : Math.min(Math.max(0, expiresAt - Date.now()), longestMillis)
    endings.set(end, { caller, timer: left === undefined ? undefined : setTimeout(end, left).unref() })
    if (isStopping) end()
  }

  const open: Streams<T>["open"] = (target, session, caller, cors) => {
    const refuse = ({ body, status }: Reply, reason: string): void => {
      refusals.note(status, reason, output.peer(target))
      output.reply(target, status, body, cors)
    }
    const excess = full()
    if (excess !== undefined) return refuse(HttpOutput.failure(503, undefined, excess), excess)

    const stream: { isOver: boolean; isBegun: boolean; release: (() => void) | undefined } = {
      isOver: false,
      isBegun: false,
      release: undefined
    }
    const beginOnce = (): void => {
      if (stream.isBegun) return
      stream.isBegun = true
      begin(target, cors)
    }
    const leave = (): void => {
      if (stream.isOver) return
      stream.isOver = true
      forget(target)
      drop(finish)
      stream.release?.()
    }
    const finish = (): void => {
      if (stream.isOver) return
      leave()
      output.settle(target)
      output.end(target, undefined)
    }
    const send = (json: string): boolean => {
      if (stream.isOver) return false
      beginOnce()
      if (output.isBehind(target)) {
        finish()
        return false
      }
      output.write(target, HttpOutput.frame(json))
      return true
    }

    try {
      stream.release = server.openStream(session, caller, send)
    } catch (defect) {
      // Outside of a fiber nobody else would report it, and it would end the process.
      run(Effect.logError("A request hit a defect", defect))
      if (stream.isBegun) return finish()
      const { body, status } = HttpOutput.unanswered(undefined, false)
      return output.reply(target, status, body, cors)
    }
    if (stream.release === undefined) return refuse(unknownSession, "there is no such session")
    if (stream.isOver) return stream.release()
    beginOnce()
    output.flush(target)
    output.wait(target, leave, true)
    if (!stream.isOver) hold(finish, caller)
  }

  return {
    open,
    begin,
    forget,
    full,
    hold,
    drop,
    revoke: (isRevoked) => {
      // What ends leaves the map, which a walk through it stands.
      for (const [end, { caller }] of endings) if (isRevoked(caller)) end()
    },
    isStopping: () => isStopping,
    stop: () => {
      isStopping = true
      // A copy: what ends leaves the set.
      for (const end of [...endings.keys()]) end()
    },
    keepAlive: () => {
      part = (part + 1) % parts
      for (const target of opened[part] ?? []) output.remind(target)
    }
  }
}

/**
 * Keeps open streams alive, and ends those of callers whose credentials were
 * withdrawn, within two seconds; until the scope closes.
 *
 * @since 0.1.0
 * @category running
 */
export const tend = <T>(
  streams: Streams<T>,
  keepAliveMillis: number,
  isRevoked: ((caller: Principal) => boolean) | undefined
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.acquireRelease(
    Effect.sync(() => [
      setInterval(streams.keepAlive, keepAliveMillis / parts),
      ...(isRevoked === undefined ? [] : [setInterval(() => streams.revoke(isRevoked), revocationMillis)])
    ]),
    (timers) => Effect.sync(() => timers.forEach((timer) => clearInterval(timer)))
  ))
