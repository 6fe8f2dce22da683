/**
 * A message in, a reply out: the protocol as a function of data and handlers.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Answer from "./Answer.js"
import type { Change } from "./Change.js"
import { isExit } from "./Ended.js"
import * as Era from "./Era.js"
import type { Arrival, Exchange, Headers, Reply, Standing, Tell } from "./Exchange.js"
import type { Handlers } from "./Handlers.js"
import * as HeaderValue from "./HeaderValue.js"
import * as HttpCheck from "./HttpCheck.js"
import * as JsonRpc from "./JsonRpc.js"
import { Code, headerMismatch, invalidRequest, McpError } from "./McpError.js"
import type { RequestId } from "./McpSchema.js"
import * as Meta from "./Meta.js"
import * as ParameterHeader from "./ParameterHeader.js"
import * as Params from "./Params.js"
import type { Revision } from "./Revision.js"
import * as Revisions from "./Revisions.js"
import * as Subscription from "./Subscription.js"

export type {
  /**
   * What came with a message, apart from the message.
   *
   * @since 0.1.0
   * @category models
   */
  Arrival,
  /**
   * One message, understood.
   *
   * @since 0.1.0
   * @category models
   */
  Exchange,
  /**
   * What an older client settled in its handshake.
   *
   * @since 0.1.0
   * @category models
   */
  Handshake,
  /**
   * Reads one header by its lower-case name.
   *
   * @since 0.1.0
   * @category models
   */
  Headers,
  /**
   * A subscription that has begun.
   *
   * @since 0.1.0
   * @category models
   */
  Held,
  /**
   * What goes back: the HTTP status, and the JSON text unless there is nothing to say.
   *
   * @since 0.1.0
   * @category models
   */
  Reply,
  /**
   * How an older client stands with the server.
   *
   * @since 0.1.0
   * @category models
   */
  Standing,
  /**
   * What a message tells the server besides what it asks.
   *
   * @since 0.1.0
   * @category models
   */
  Tell
} from "./Exchange.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options extends Answer.Options {
  /** Whether older clients over HTTP get sessions, and so can be told of changes; false unless given. */
  readonly hasSessions?: boolean | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Dispatcher<in Caller> {
  /**
   * A message that came alone, with headers: one HTTP POST. `standing` is that of
   * the client's session, `null` when it names a session that is not known or not
   * its own. Never throws.
   */
  readonly post: (
    message: unknown,
    headers: Headers,
    arrival: Arrival<Caller>,
    standing?: Standing | null
  ) => Exchange
  /** A message on a pipe, and how its peer stands if it made a handshake. Never throws. */
  readonly line: (message: unknown, standing: Standing | undefined, arrival: Arrival<Caller>) => Exchange
  /** What a client of a handshake revision is told unasked of a change; `undefined` when its revision, or this server, has no word for it. */
  readonly announcement: (change: Change, version: string) => string | undefined
  /** The reply to bytes that were not JSON. */
  readonly unparsable: Reply
}

const accepted: Exit.Exit<Reply> = Exit.succeed({ status: 202, body: undefined })

const noTells: ReadonlyArray<Tell> = []

/** The reply to bytes that were not JSON. */
const unparsable: Reply = (() => {
  const refusal = new McpError({ code: Code.ParseError, message: "Parse error: not JSON" })
  return { status: 400, body: JsonRpc.error(undefined, refusal), refusal }
})()

/**
 * The reply to a text that was refused before it was parsed, and why.
 *
 * @since 0.1.0
 * @category constructors
 */
export const outOfBounds = (reason: string): Reply => {
  const refusal = invalidRequest(reason)
  return { status: 400, body: JsonRpc.error(undefined, refusal), refusal }
}

/**
 * The reply to a text in which an object names a member twice.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ambiguous: Reply = outOfBounds("the message names a member of an object twice")

const unknownClient: Standing = {
  version: Revisions.unnamed.version,
  clientCapabilities: Object.freeze({}),
  clientInfo: undefined
}

/**
 * One reply of several: the array of all there are, in order; 202 when there is
 * none.
 *
 * @since 0.1.0
 * @category combinators
 */
export const gather = (replies: ReadonlyArray<Reply | undefined>): Reply => {
  const bodies = replies.flatMap((reply) => (reply?.body === undefined ? [] : [reply.body]))
  return bodies.length === 0 ? { status: 202, body: undefined } : { status: 200, body: `[${bodies.join(",")}]` }
}

const replyOf = (exit: Exit.Exit<Reply>): Reply | undefined => (Exit.isSuccess(exit) ? exit.value : undefined)

/** One array of all replies, in order. A request that was interrupted gets none, and takes none from the others. */
const together = (replies: ReadonlyArray<Effect.Effect<Reply>>): Effect.Effect<Reply> =>
  replies.every((reply) => isExit(reply))
    ? Exit.succeed(gather(replies.map(replyOf)))
    : Effect.map(
      Effect.forEach(replies, Effect.exit, { concurrency: "unbounded" }),
      (exits) => gather(exits.map(replyOf))
    )

const unknownSession = invalidRequest("There is no such session, or it is not yours; send initialize again")

/**
 * Makes the protocol of these handlers, in all revisions.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <Caller>(handlers: Handlers<Caller>, options: Options = {}): Dispatcher<Caller> => {
  const answers = new Map<Revision, Answer.Answer<Caller>>(
    Revisions.all.map((revision) => [revision, Answer.make(revision, handlers, options)])
  )
  const answersOf = (revision: Revision): Answer.Answer<Caller> =>
    answers.get(revision) ?? Answer.make(revision, handlers, options)
  const { tools } = handlers

  const heard = (reply: Effect.Effect<Reply>, tells = noTells): Exchange => ({
    reply,
    cancelledByDisconnect: false,
    tells
  })

  const refuse = (id: RequestId | null | undefined, error: McpError, status: number): Exchange => ({
    reply: Answer.refused(id, error, status),
    id: id ?? undefined,
    cancelledByDisconnect: false,
    tells: noTells
  })

  const open = ({ id, params }: JsonRpc.Request, isPipe: boolean): Exchange => {
    const asked = Params.initialize(params)
    if (Either.isLeft(asked)) return refuse(id, asked.left, 200)
    const { capabilities, clientInfo, protocolVersion } = asked.right
    const revision = Revisions.negotiate(protocolVersion)
    return {
      reply: answersOf(revision).initialize(id, isPipe || options.hasSessions === true),
      id,
      cancelledByDisconnect: false,
      tells: noTells,
      handshake: { version: revision.version, clientCapabilities: capabilities, clientInfo }
    }
  }

  /** A request under a handshake that `client` made, if it is known. */
  const settled = (
    request: JsonRpc.Request,
    revision: Revision,
    client: Standing,
    arrival: Arrival<Caller>
  ): Exchange => {
    const said = Meta.common(request.params)
    if (Either.isLeft(said)) return refuse(request.id, said.left, 200)
    return answersOf(revision).request(request, {
      arrival,
      clientCapabilities: client.clientCapabilities,
      clientInfo: client.clientInfo,
      logLevel: client.logLevel ?? "info",
      ask: client.ask,
      meta: said.right.meta,
      progressToken: said.right.progressToken
    })
  }

  const batch = ({ messages, revision }: Era.Batch, client: Standing, arrival: Arrival<Caller>): Exchange => {
    const parts = messages.map((message): Exchange => {
      switch (message._tag) {
        case "Request":
          return message.method === "initialize"
            ? refuse(message.id, invalidRequest("initialize must come alone, not in a batch"), 200)
            : settled(message, revision, client, arrival)
        case "Notification":
          return heard(accepted, Era.cancels(message))
        case "Response":
          return heard(accepted, [{ _tag: "Response", response: message }])
      }
    })
    return {
      reply: together(parts.map((part) => part.reply)),
      cancelledByDisconnect: false,
      tells: parts.flatMap((part) => part.tells),
      parts
    }
  }

  const act = (verdict: Era.Verdict, client: Standing, arrival: Arrival<Caller>, isPipe: boolean): Exchange => {
    switch (verdict._tag) {
      case "Stateless": {
        const { envelope, request } = verdict
        return answersOf(verdict.revision).request(request, {
          arrival,
          clientCapabilities: envelope.clientCapabilities,
          clientInfo: envelope.clientInfo,
          logLevel: envelope.logLevel,
          ask: undefined,
          meta: envelope.meta,
          progressToken: envelope.progressToken
        })
      }
      case "Settled":
        return settled(verdict.request, verdict.revision, client, arrival)
      case "Opening":
        return open(verdict.request, isPipe)
      case "Batch":
        return batch(verdict, client, arrival)
      case "Heard":
        return heard(accepted, verdict.tells)
      case "Refused":
        return refuse(verdict.id, verdict.error, verdict.status)
    }
  }

  /** What the headers of a stateless request contradict in its body. */
  const contradiction = (request: JsonRpc.Request, headers: Headers): McpError | undefined => {
    const mismatch = HttpCheck.mismatch(request, headers, handlers.tasks !== undefined)
    if (Option.isSome(mismatch)) return mismatch.value
    const { arguments: given, name } = request.params
    if (tools?.headers === undefined || request.method !== "tools/call" || typeof name !== "string") return undefined
    const mirrored = tools.headers(name)
    const reason = mirrored === undefined ? undefined : ParameterHeader.mismatch(mirrored, given, headers)
    return reason === undefined ? undefined : headerMismatch(reason)
  }

  /** A message that names a session: the session knows its revision better than a header does. */
  const inSession = (verdict: Era.Verdict, standing: Standing | null): Era.Verdict => {
    const isAbout = verdict._tag === "Settled" || verdict._tag === "Batch" || verdict._tag === "Heard"
    // On 2026-07-28 there are no sessions, and the header means nothing.
    if (!isAbout || (verdict._tag === "Heard" && verdict.row === 20)) return verdict
    if (standing === null) {
      const id = verdict._tag === "Settled" ? verdict.request.id : null
      return { _tag: "Refused", row: verdict.row, id, status: 404, error: unknownSession }
    }
    const revision = Revisions.negotiate(standing.version)
    if (verdict._tag === "Settled") return { ...verdict, revision }
    return verdict._tag === "Batch" && !revision.acceptsBatches
      ? {
        _tag: "Refused",
        row: verdict.row,
        id: null,
        status: 400,
        error: invalidRequest("this protocol version has no batches; send each message alone")
      }
      : verdict
  }

  return {
    post: (message, headers, arrival, standing) => {
      const version = headers("mcp-protocol-version")
      const verdict = Era.post(JsonRpc.read(message), version === undefined ? undefined : HeaderValue.trim(version))
      if (verdict._tag === "Stateless") {
        const found = contradiction(verdict.request, headers)
        if (found !== undefined) return refuse(verdict.request.id, found, 400)
      }
      return standing === undefined
        ? act(verdict, unknownClient, arrival, false)
        : act(inSession(verdict, standing), standing ?? unknownClient, arrival, false)
    },
    line: (message, standing, arrival) => {
      const revision = standing === undefined ? undefined : Revisions.negotiate(standing.version)
      return act(Era.line(JsonRpc.read(message), revision), standing ?? unknownClient, arrival, true)
    },
    announcement: (change, version) =>
      Option.isSome(Revisions.settled(version)) && Subscription.isDeclared(change, handlers)
        ? Subscription.unasked(change)
        : undefined,
    unparsable
  }
}
