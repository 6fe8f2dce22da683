/**
 * One peer on a pipe: how it stands with the server, and which of its requests
 * are being answered.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import type { PendingAsks } from "../ask/PendingAsks.js"
import type { Principal } from "../auth/Principal.js"
import type { Changes } from "../change/Changes.js"
import type { Arrival, Exchange, Reply, Standing, Tell } from "../protocol/Dispatcher.js"
import * as Dispatcher from "../protocol/Dispatcher.js"
import { isExit } from "../protocol/Ended.js"
import * as JsonBounds from "../protocol/JsonBounds.js"
import * as JsonRpc from "../protocol/JsonRpc.js"
import { Code, invalidRequest, McpError } from "../protocol/McpError.js"
import type { RequestId } from "../protocol/McpSchema.js"
import * as Announcements from "./internal/Announcements.js"
import * as InFlight from "./internal/InFlight.js"
import * as Outgoing from "./Outgoing.js"
import * as Refusals from "./Refusals.js"

/**
 * The peer's side of a connection.
 *
 * @since 0.1.0
 * @category models
 */
export interface Connection {
  /** Takes one message as text; text that is not JSON, is out of bounds, or names a member twice is answered with an error. */
  readonly receiveText: (text: string) => void
  /** Takes what is no text: a line that is too long, or not UTF-8. It is answered with a parse error. */
  readonly receiveUnreadable: () => void
  /** Takes one message, parsed. */
  readonly receive: (message: unknown) => void
  /** Ends the subscriptions, for a transport that stops reading: their final results are still sent. */
  readonly end: Effect.Effect<void>
  /** Succeeds when no request of this peer is being answered; an open subscription is one. */
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
  /**
   * Takes one encoded message without a line end; must not throw. `about` is the
   * request that a notification or a question belongs to, for carriers of several
   * streams.
   */
  readonly send: (json: string, about?: RequestId) => void
  /** Whether the peer reads too slowly: notifications are then dropped, answers and questions never. Never unless given. */
  readonly isBehind?: (() => boolean) | undefined
  /** Milliseconds that a call which has been interrupted may take to end when the scope closes; 1000 unless given. */
  readonly patience?: number | undefined
  /** Requests that may be answered at once, subscriptions apart, 1 or more; one more is refused. 1024 unless given. */
  readonly maxInFlight?: number | undefined
}

/**
 * What a connection is made of.
 *
 * @since 0.1.0
 * @category models
 */
export interface Services {
  readonly dispatcher: Dispatcher.Dispatcher<Principal>
  /** Of this process: an answer can come on that pipe alone, and one that nobody waits for must not travel. */
  readonly pendingAsks: Context.Tag.Service<PendingAsks>
  /** Nothing is announced unasked without it. */
  readonly changes: Context.Tag.Service<Changes> | undefined
  readonly bounds: JsonBounds.Bounds
  /** Whether a caller may know of a resource, and so of its changes; every caller unless given. */
  readonly isVisible?: ((uri: string, caller: Principal) => boolean) | undefined
  /** How long a client may take to answer a question; ten minutes unless given. */
  readonly askTimeout?: Duration.DurationInput | undefined
}

const interruptMillis = 1000

/** Whether anything may still be said for a request: nothing after its answer, or once it was cancelled. */
interface Voice {
  isSilent: boolean
}

/** The id of a request, before it is known to be a good one. */
const claimedId = (message: unknown): RequestId | undefined =>
  JsonRpc.isObject(message) && typeof message.method === "string" && JsonRpc.isId(message.id) ? message.id : undefined

const refused = (id: RequestId | undefined, refusal: McpError): Reply => ({
  status: 200,
  body: JsonRpc.error(id, refusal),
  refusal
})

const duplicate = invalidRequest("This id belongs to a request that is still being answered")

const tooMany = new McpError({
  code: Code.InternalError,
  message: "Too many requests in flight on this connection"
})

/**
 * Opens a connection. When the scope closes, subscriptions end with their final
 * results, other requests in flight are interrupted, and nothing more is sent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (services: Services, peer: Peer): Effect.Effect<Connection, never, Scope.Scope> =>
  Effect.gen(function*() {
    const { bounds, changes, dispatcher, pendingAsks } = services
    const fork = Runtime.runFork(yield* Effect.runtime<never>())
    const refusals = yield* Effect.acquireRelease(
      Effect.sync(() => Refusals.make(fork, (count) => `${count} more messages of this connection were refused`)),
      (refusals) => Effect.sync(refusals.close)
    )
    const note = (refusal: McpError): void => {
      const line = `A message was refused: ${Refusals.reasonOf(refusal)}`
      refusals.note(Refusals.isProbe(refusal) ? Effect.logDebug(line) : Effect.logWarning(line))
    }
    const owner = randomUUID()
    const maxInFlight = Math.max(1, peer.maxInFlight ?? 1024)
    const patience = peer.patience ?? interruptMillis
    const inFlight = yield* InFlight.make
    let standing: Standing | undefined
    let isReading = true
    let isOpen = true

    const send = (json: string | undefined, about?: RequestId): void => {
      if (isOpen && json !== undefined) peer.send(json, about)
    }
    const isBehind = (): boolean => peer.isBehind?.() === true

    const announcements = yield* Announcements.make({
      changes,
      announcement: (change, version) =>
        change._tag === "ResourceUpdated" && services.isVisible?.(change.uri, peer.caller) === false
          ? undefined
          : dispatcher.announcement(change, version),
      send,
      isBehind
    })

    const timeout = Duration.decode(services.askTimeout ?? "10 minutes")
    const askAbout = (about: RequestId | undefined): NonNullable<Standing["ask"]> =>
      Outgoing.ask({
        pendingAsks,
        owner,
        send: (json) => {
          send(json, about)
          return true
        },
        timeout
      })

    const say = (reply: Reply | undefined): void => {
      if (reply === undefined) return
      if (reply.refusal !== undefined) note(reply.refusal)
      send(reply.body)
    }

    const heed = (tell: Tell): void => {
      switch (tell._tag) {
        case "Cancel":
          return inFlight.cancel(tell.id)
        case "Response":
          fork(Effect.catchAll(
            Outgoing.answer(pendingAsks, owner, tell.response),
            ({ message }) => Effect.logWarning(`An answer of a client was lost: ${message}`)
          ))
          return
        case "LogLevel":
          standing = standing === undefined ? undefined : { ...standing, logLevel: tell.level }
          return
        case "Subscribe":
          return announcements.subscribe(tell.uri)
        case "Unsubscribe":
          return announcements.unsubscribe(tell.uri)
      }
    }

    /** Takes one message that is no batch, and answers it now or later. */
    const take = (exchange: Exchange, deliver: InFlight.Deliver): void => {
      if (exchange.handshake !== undefined) {
        standing = exchange.handshake
        announcements.begin(exchange.handshake.version)
      }
      for (const tell of exchange.tells) heed(tell)
      if (isExit(exchange.reply)) {
        return deliver(Exit.isSuccess(exchange.reply) ? exchange.reply.value : InFlight.unanswered(exchange.id))
      }
      // A subscription has begun already, and is counted where it began.
      if (exchange.end === undefined && inFlight.requests() >= maxInFlight) {
        return deliver(refused(exchange.id, tooMany))
      }
      inFlight.run(exchange, deliver)
    }

    const takeBatch = (parts: ReadonlyArray<Exchange>, deliver: InFlight.Deliver): void => {
      const replies = parts.map((): Reply | undefined => undefined)
      let left = parts.length
      parts.forEach((part, index) => {
        const deliverPart: InFlight.Deliver = (reply) => {
          if (reply?.refusal !== undefined) note(reply.refusal)
          replies[index] = reply
          left -= 1
          if (left === 0) deliver(Dispatcher.gather(replies))
        }
        if (part.id !== undefined && inFlight.has(part.id)) deliverPart(refused(part.id, duplicate))
        else take(part, deliverPart)
      })
    }

    const receive = (message: unknown): void => {
      if (!isReading) return
      const claimed = claimedId(message)
      // Before anything else: a request that is refused must neither run nor settle a handshake.
      if (claimed !== undefined && !inFlight.isEmpty() && inFlight.has(claimed)) return say(refused(claimed, duplicate))
      const voice: Voice = { isSilent: false }
      const arrival: Arrival<Principal> = {
        caller: peer.caller,
        canStream: true,
        notify: (json) => {
          if (voice.isSilent || !isOpen || isBehind()) return false
          send(json, claimed)
          return true
        }
      }
      const asker = standing === undefined ? undefined : { ...standing, ask: askAbout(claimed) }
      const exchange = dispatcher.line(message, asker, arrival)
      const deliver: InFlight.Deliver = (reply) => {
        voice.isSilent = true
        say(reply)
      }
      if (exchange.parts === undefined) take(exchange, deliver)
      else takeBatch(exchange.parts, deliver)
    }

    const receiveText = (text: string): void => {
      if (!isReading) return
      const reason = JsonBounds.check(text, bounds)
      if (reason !== undefined) return say(Dispatcher.outOfBounds(reason))
      let message: unknown
      try {
        message = JSON.parse(text)
      } catch {
        return say(dispatcher.unparsable)
      }
      if (JsonBounds.isAmbiguous(text, message)) return say(Dispatcher.ambiguous)
      receive(message)
    }

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        isReading = false
        return inFlight.finish(patience)
      }).pipe(
        Effect.zipRight(Effect.suspend(() => {
          isOpen = false
          return inFlight.interrupt(patience)
        }))
      )
    )

    return {
      receive,
      receiveText,
      receiveUnreadable: () => {
        if (isReading) say(dispatcher.unparsable)
      },
      end: Effect.sync(inFlight.endSubscriptions),
      idle: inFlight.idle
    }
  })
