/**
 * A message in, a reply out: the protocol as a function of data and handlers.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Reply } from "./Answer.js"
import * as Answer from "./Answer.js"
import * as Era from "./Era.js"
import type { Handlers } from "./Handlers.js"
import * as HeaderValue from "./HeaderValue.js"
import * as HttpCheck from "./HttpCheck.js"
import * as JsonRpc from "./JsonRpc.js"
import { Code, invalidRequest, McpError } from "./McpError.js"
import type { ClientCapabilities, Implementation, RequestId } from "./McpSchema.js"
import * as Meta from "./Meta.js"
import * as Params from "./Params.js"
import type { Revision } from "./Revision.js"
import * as Revisions from "./Revisions.js"

/**
 * Reads one header by its lower-case name; several values of one name are
 * joined by a comma.
 *
 * @since 0.1.0
 * @category models
 */
export type Headers = (name: string) => string | undefined

/**
 * What came with a message, apart from the message.
 *
 * @since 0.1.0
 * @category models
 */
export interface Arrival<out Caller> {
  readonly caller: Caller
  /** Takes one encoded notification that belongs to this request; called only before the reply. */
  readonly notify: (json: string) => void
}

/**
 * What an older client settled in its handshake on a pipe.
 *
 * @since 0.1.0
 * @category models
 */
export interface Handshake {
  readonly version: string
  readonly clientCapabilities: ClientCapabilities
  readonly clientInfo: Implementation | undefined
}

export type {
  /**
   * What goes back: the HTTP status, and the JSON text unless there is nothing to say.
   *
   * @since 0.1.0
   * @category models
   */
  Reply
} from "./Answer.js"

/**
 * One message, understood. `reply` is already an `Exit` when nothing has to be
 * waited for: whenever the handler's effect was one. (`Effect.succeed` is an
 * `Exit`; of failures `Exit.fail` is, and `Effect.fail` is not.)
 *
 * @since 0.1.0
 * @category models
 */
export interface Exchange {
  readonly reply: Effect.Effect<Reply>
  /** The request's id; absent for anything but a single request. */
  readonly id?: RequestId | undefined
  /** Whether losing the peer cancels it: true on 2026-07-28, false on the handshake revisions. */
  readonly cancelledByDisconnect: boolean
  /** Set when the message asks to cancel this request; a batch on a pipe can name only its first. */
  readonly cancels?: RequestId | undefined
  /** Set when the message settled a handshake. */
  readonly handshake?: Handshake | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Dispatcher<in Caller> {
  /** A message that came alone, with headers: one HTTP POST. Never throws. */
  readonly post: (message: unknown, headers: Headers, arrival: Arrival<Caller>) => Exchange
  /** A message on a pipe whose peer has settled `handshake`, or nothing yet. Never throws. */
  readonly line: (message: unknown, handshake: Handshake | undefined, arrival: Arrival<Caller>) => Exchange
  /** The reply to bytes that were not JSON. */
  readonly unparsable: Reply
}

const accepted: Exit.Exit<Reply> = Exit.succeed({ status: 202, body: undefined })

/** The reply to bytes that were not JSON. */
const unparsable: Reply = {
  status: 400,
  body: JsonRpc.error(undefined, new McpError({ code: Code.ParseError, message: "Parse error: not JSON" }))
}

/**
 * The reply to JSON that nests too deeply to be parsed: see `JsonRpc.depthOf`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const tooDeep: Reply = {
  status: 400,
  body: JsonRpc.error(undefined, invalidRequest("the message nests too deeply"))
}

const unknownClient: Pick<Handshake, "clientCapabilities" | "clientInfo"> = {
  clientCapabilities: Object.freeze({}),
  clientInfo: undefined
}

const bodyOf = (exit: Exit.Exit<Reply>): ReadonlyArray<string> =>
  Exit.isSuccess(exit) && exit.value.body !== undefined ? [exit.value.body] : []

const gathered = (exits: ReadonlyArray<Exit.Exit<Reply>>): Reply => {
  const bodies = exits.flatMap(bodyOf)
  return bodies.length === 0 ? { status: 202, body: undefined } : { status: 200, body: `[${bodies.join(",")}]` }
}

/** One array of all replies, in order. A request that was interrupted gets none, and takes none from the others. */
const together = (replies: ReadonlyArray<Effect.Effect<Reply>>): Effect.Effect<Reply> =>
  replies.every((reply) => Answer.isExit(reply))
    ? Exit.succeed(gathered(replies))
    : Effect.map(Effect.forEach(replies, Effect.exit, { concurrency: "unbounded" }), gathered)

/**
 * Makes the protocol of these handlers, in all revisions.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <Caller>(handlers: Handlers<Caller>, options: Answer.Options = {}): Dispatcher<Caller> => {
  const answers = new Map<Revision, Answer.Answer<Caller>>()
  const answersOf = (revision: Revision): Answer.Answer<Caller> => {
    const known = answers.get(revision)
    if (known !== undefined) return known
    const made = Answer.make(revision, handlers, options)
    answers.set(revision, made)
    return made
  }
  Revisions.all.forEach(answersOf)

  const refuse = (id: RequestId | null | undefined, error: McpError, status: number): Exchange => ({
    reply: Answer.refused(id, error, status),
    id: id ?? undefined,
    cancelledByDisconnect: false
  })

  const open = ({ id, params }: JsonRpc.Request, isPipe: boolean): Exchange => {
    const asked = Params.initialize(params)
    if (Either.isLeft(asked)) return refuse(id, asked.left, 200)
    const { capabilities, clientInfo, protocolVersion } = asked.right
    const revision = Revisions.negotiate(protocolVersion)
    return {
      reply: answersOf(revision).initialize(id, isPipe),
      id,
      cancelledByDisconnect: false,
      handshake: { version: revision.version, clientCapabilities: capabilities, clientInfo }
    }
  }

  /** A request under a handshake that `client` made, if it is known. */
  const settled = (
    request: JsonRpc.Request,
    revision: Revision,
    client: Pick<Handshake, "clientCapabilities" | "clientInfo">,
    arrival: Arrival<Caller>
  ): Effect.Effect<Reply> => {
    const said = Meta.common(request.params)
    if (Either.isLeft(said)) return Answer.refused(request.id, said.left, 200)
    return answersOf(revision).request(request, {
      caller: arrival.caller,
      clientCapabilities: client.clientCapabilities,
      clientInfo: client.clientInfo,
      meta: said.right.meta,
      progressToken: said.right.progressToken,
      notify: arrival.notify
    })
  }

  const batch = (
    { messages, revision }: Era.Batch,
    client: Pick<Handshake, "clientCapabilities" | "clientInfo">,
    arrival: Arrival<Caller>,
    isPipe: boolean
  ): Exchange => {
    const replies: Array<Effect.Effect<Reply>> = []
    let cancels: RequestId | undefined
    for (const message of messages) {
      if (message._tag === "Request") {
        replies.push(
          message.method === "initialize"
            ? Answer.refused(message.id, invalidRequest("initialize must come alone, not in a batch"), 200)
            : settled(message, revision, client, arrival)
        )
      } else if (isPipe && message._tag === "Notification") {
        const verdict = Era.line(message, revision)
        if (verdict._tag === "Heard") cancels = cancels ?? verdict.cancels
      }
    }
    return { reply: together(replies), cancelledByDisconnect: false, cancels }
  }

  const act = (
    verdict: Era.Verdict,
    client: Pick<Handshake, "clientCapabilities" | "clientInfo">,
    arrival: Arrival<Caller>,
    isPipe: boolean
  ): Exchange => {
    switch (verdict._tag) {
      case "Stateless": {
        const { envelope, request } = verdict
        return {
          reply: answersOf(verdict.revision).request(request, {
            caller: arrival.caller,
            clientCapabilities: envelope.clientCapabilities,
            clientInfo: envelope.clientInfo,
            meta: envelope.meta,
            progressToken: envelope.progressToken,
            notify: arrival.notify
          }),
          id: request.id,
          cancelledByDisconnect: true
        }
      }
      case "Settled":
        return {
          reply: settled(verdict.request, verdict.revision, client, arrival),
          id: verdict.request.id,
          cancelledByDisconnect: false
        }
      case "Opening":
        return open(verdict.request, isPipe)
      case "Batch":
        return batch(verdict, client, arrival, isPipe)
      case "Heard":
        return { reply: accepted, cancelledByDisconnect: false, cancels: verdict.cancels }
      case "Refused":
        return refuse(verdict.id, verdict.error, verdict.status)
    }
  }

  return {
    post: (message, headers, arrival) => {
      const version = headers("mcp-protocol-version")
      const verdict = Era.post(JsonRpc.read(message), version === undefined ? undefined : HeaderValue.trim(version))
      if (verdict._tag === "Stateless") {
        const mismatch = HttpCheck.mismatch(verdict.request, headers)
        if (Option.isSome(mismatch)) return refuse(verdict.request.id, mismatch.value, 400)
      }
      return act(verdict, unknownClient, arrival, false)
    },
    line: (message, handshake, arrival) => {
      const revision = handshake === undefined ? undefined : Revisions.negotiate(handshake.version)
      return act(Era.line(JsonRpc.read(message), revision), handshake ?? unknownClient, arrival, true)
    },
    unparsable
  }
}
