/**
 * The sessions of older clients over HTTP. A session's id says all that was
 * settled, sealed; what is remembered here beside it (a log level,
 * subscriptions, the streams that are open) is bounded and can be lost.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { PendingAsks } from "../ask/PendingAsks.js"
import type { Principal } from "../auth/Principal.js"
import type { Sealer } from "../auth/Sealer.js"
import type { Changes, Event } from "../change/Changes.js"
import { gather } from "../protocol/Dispatcher.js"
import type { Arrival, Dispatcher, Exchange, Handshake, Headers, Reply, Standing } from "../protocol/Dispatcher.js"
import { isExit } from "../protocol/Ended.js"
import * as JsonRpc from "../protocol/JsonRpc.js"
import type { Level } from "../protocol/Logging.js"
import type { McpError } from "../protocol/McpError.js"
import type { RequestId } from "../protocol/McpSchema.js"
import * as Outgoing from "./Outgoing.js"
import type { Posted } from "./Posted.js"
import * as SessionId from "./SessionId.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly dispatcher: Dispatcher<Principal>
  readonly sealer: Sealer
  readonly pendingAsks: Context.Tag.Service<PendingAsks>
  readonly changes: Context.Tag.Service<Changes> | undefined
  readonly clock: Clock.Clock
  /** Whether a caller may know of a resource, and so of its changes. */
  readonly isVisible: (uri: string, caller: Principal) => boolean
  /** How long a client may take to answer a question. */
  readonly askTimeout: Duration.Duration
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Sessions {
  /** The id of a session in which this was settled. */
  readonly open: (handshake: Handshake, caller: Principal) => string
  /** A message of a session; of an unknown one when the id is not the caller's. */
  readonly post: (session: string, message: unknown, headers: Headers, arrival: Arrival<Principal>) => Posted
  /** See `McpServer.openStream`. */
  readonly listen: (session: string, caller: Principal, send: (json: string) => boolean) => (() => void) | undefined
}

/** What is remembered of a session here. */
interface Known {
  readonly handshake: Handshake
  readonly caller: Principal
  /** When the id was last looked into, by the clock. */
  readonly checkedAt: number
  logLevel: Level | undefined
  readonly uris: Set<string>
}

const mostSessions = 10_000
const mostUris = 1000
/** What the URIs of one session may have together, and those of all. */
const mostUriCharacters = 64 * 1024
const mostCharacters = 16 * 1024 * 1024
/** How long an id that was looked into is believed. */
const believedMillis = 60_000

const unanswered: Exit.Exit<Reply> = Exit.succeed({ status: 202, body: undefined })

const charactersOf = (uris: ReadonlySet<string>): number => {
  let characters = 0
  for (const uri of uris) characters += uri.length
  return characters
}

const isSame = (left: Principal, right: Principal): boolean => left.id === right.id && left.tenant === right.tenant

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Sessions => {
  const { askTimeout, changes, clock, dispatcher, isVisible, pendingAsks, sealer } = options
  /** The one that was used longest ago stands first. */
  const sessions = new Map<string, Known>()
  /** The open streams of each session, the newest last. */
  const streams = new Map<string, Array<() => void>>()
  /** How to end the requests of sessions that are being answered. */
  const inFlight = new Map<string, () => void>()
  /** Of the URIs of all sessions that are remembered. */
  let characters = 0

  const subscribe = ({ uris }: Known, uri: string): void => {
    const isFull = uris.size >= mostUris || charactersOf(uris) + uri.length > mostUriCharacters ||
      characters + uri.length > mostCharacters
    if (isFull || uris.has(uri)) return
    uris.add(uri)
    characters += uri.length
  }
  const unsubscribe = ({ uris }: Known, uri: string): void => {
    if (uris.delete(uri)) characters -= uri.length
  }

  const known = (session: string, caller: Principal): Known | undefined => {
    const now = clock.unsafeCurrentTimeMillis()
    const found = sessions.get(session)
    if (found !== undefined && isSame(found.caller, caller) && now - found.checkedAt < believedMillis) {
      sessions.delete(session)
      sessions.set(session, found)
      return found
    }
    const handshake = SessionId.open(sealer, session, caller, now)
    if (handshake === undefined) return undefined
    const entry: Known = {
      handshake,
      caller,
      checkedAt: now,
      logLevel: found?.logLevel,
      uris: found?.uris ?? new Set()
    }
    sessions.delete(session)
    sessions.set(session, entry)
    const [oldest] = sessions
    if (sessions.size > mostSessions && oldest !== undefined) {
      sessions.delete(oldest[0])
      characters -= charactersOf(oldest[1].uris)
    }
    return entry
  }

  const standing = (
    session: string,
    { handshake, logLevel }: Known,
    arrival: Arrival<Principal>,
    loss: Outgoing.Loss
  ): Standing => ({
    ...handshake,
    logLevel,
    ask: arrival.canStream
      ? Outgoing.ask({ pendingAsks, owner: session, send: arrival.notify, timeout: askTimeout, loss })
      : undefined
  })

  /** What the message tells, done; answers are handed in before the message is acknowledged. */
  const heed = (session: string, entry: Known, exchange: Exchange): Exchange => {
    const answers: Array<Effect.Effect<void, McpError>> = []
    for (const tell of exchange.tells) {
      switch (tell._tag) {
        case "Cancel":
          inFlight.get(Outgoing.keyOf(session, tell.id))?.()
          break
        case "Response":
          answers.push(Outgoing.answer(pendingAsks, session, tell.response))
          break
        case "LogLevel":
          entry.logLevel = tell.level
          break
        case "Subscribe":
          subscribe(entry, tell.uri)
          break
        case "Unsubscribe":
          unsubscribe(entry, tell.uri)
          break
      }
    }
    return answers.length === 0 ? exchange : {
      ...exchange,
      reply: Effect.matchEffect(Effect.all(answers, { discard: true }), {
        onFailure: (error) => Effect.succeed<Reply>({ status: 503, body: JsonRpc.error(null, error) }),
        onSuccess: () => exchange.reply
      })
    }
  }

  /** Older clients cancel by a message. */
  const cancellable = (session: string, id: RequestId, exchange: Exchange, loss: Outgoing.Loss): Posted => ({
    ...exchange,
    lost: loss.tell,
    waiting: (end) => {
      const key = Outgoing.keyOf(session, id)
      inFlight.set(key, end)
      return () => {
        if (inFlight.get(key) === end) inFlight.delete(key)
      }
    }
  })

  const cancelledAlone = (session: string, id: RequestId): Effect.Effect<Reply> =>
    Effect.async((resume) => {
      const key = Outgoing.keyOf(session, id)
      const forget = (): void => {
        if (inFlight.get(key) === end) inFlight.delete(key)
      }
      const end = (): void => {
        forget()
        resume(unanswered)
      }
      inFlight.set(key, end)
      return Effect.sync(forget)
    })

  /** A request in a batch is cancelled alone: the others are still answered. */
  const apart = (session: string, exchange: Exchange, parts: ReadonlyArray<Exchange>): Exchange =>
    isExit(exchange.reply) ? exchange : {
      ...exchange,
      reply: Effect.map(
        Effect.forEach(parts, ({ id, reply }) =>
          Effect.exit(
            id === undefined || isExit(reply) ? reply : Effect.raceFirst(reply, cancelledAlone(session, id))
          ), { concurrency: "unbounded" }),
        (exits) => gather(exits.map((exit) => (Exit.isSuccess(exit) ? exit.value : undefined)))
      )
    }

  return {
    open: (handshake, caller) => SessionId.seal(sealer, handshake, caller, clock.unsafeCurrentTimeMillis()),
    post: (session, message, headers, arrival) => {
      const entry = known(session, arrival.caller)
      if (entry === undefined) return dispatcher.post(message, headers, arrival, null)
      const loss = Outgoing.loss()
      const exchange = dispatcher.post(message, headers, arrival, standing(session, entry, arrival, loss))
      if (exchange.parts !== undefined) {
        return { ...heed(session, entry, apart(session, exchange, exchange.parts)), lost: loss.tell }
      }
      if (exchange.tells.length > 0) return heed(session, entry, exchange)
      // A stateless request that happens to name a session is not of it.
      return exchange.id === undefined || exchange.cancelledByDisconnect || isExit(exchange.reply)
        ? exchange
        : cancellable(session, exchange.id, exchange, loss)
    },
    listen: (session, caller, send) => {
      const entry = known(session, caller)
      if (entry === undefined) return undefined
      if (changes === undefined) return () => {}
      let isOpen = true
      const open = streams.get(session) ?? []
      streams.set(session, open)
      const stop = changes.listen((event: Event) => {
        // A client may have several streams, and hears of each change once: on the newest, since an older one may be dead.
        if (!isOpen || event._tag === "TaskChanged" || open.at(-1) !== close) return
        if (event._tag === "ResourceUpdated") {
          if (!(sessions.get(session) ?? entry).uris.has(event.uri) || !isVisible(event.uri, caller)) return
        }
        const text = dispatcher.announcement(event, entry.handshake.version)
        if (text !== undefined && !send(text)) close()
      })
      const close = (): void => {
        if (!isOpen) return
        isOpen = false
        stop()
        open.splice(open.indexOf(close), 1)
        if (open.length === 0) streams.delete(session)
      }
      open.push(close)
      return close
    }
  }
}
