/**
 * Tells the eras apart: whether a message stands alone or leans on a handshake,
 * decided for each message by two tables.
 *
 * `post` is the table for HTTP, `line` the one for pipes; `row` in a verdict is
 * the row that decided. The body is believed first and the header is a check on
 * it: a proxy that strips headers does not change the era, and a header alone
 * does not lift a body into it.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { Tell } from "./Exchange.js"
import * as JsonRpc from "./JsonRpc.js"
import type { McpError } from "./McpError.js"
import { headerMismatch, invalidParams, invalidRequest, unsupportedVersion } from "./McpError.js"
import type { RequestId } from "./McpSchema.js"
import * as Meta from "./Meta.js"
import type { Revision } from "./Revision.js"
import * as Revisions from "./Revisions.js"

/**
 * Not to be served, and why. `id` is the id to write: none when it is absent,
 * `null` where handshake clients expect one and none could be read.
 *
 * @since 0.1.0
 * @category models
 */
export interface Refused {
  readonly _tag: "Refused"
  readonly row: number
  readonly id: RequestId | null | undefined
  readonly status: number
  readonly error: McpError
}

/**
 * A request that stands alone.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stateless {
  readonly _tag: "Stateless"
  readonly row: number
  readonly request: JsonRpc.Request
  readonly envelope: Meta.Envelope
  readonly revision: Revision
}

/**
 * A request that opens a handshake.
 *
 * @since 0.1.0
 * @category models
 */
export interface Opening {
  readonly _tag: "Opening"
  readonly row: number
  readonly request: JsonRpc.Request
}

/**
 * A request under a handshake.
 *
 * @since 0.1.0
 * @category models
 */
export interface Settled {
  readonly _tag: "Settled"
  readonly row: number
  readonly request: JsonRpc.Request
  readonly revision: Revision
}

/**
 * Several messages under a handshake.
 *
 * @since 0.1.0
 * @category models
 */
export interface Batch {
  readonly _tag: "Batch"
  readonly row: number
  readonly messages: ReadonlyArray<JsonRpc.Request | JsonRpc.Notification | JsonRpc.Response>
  readonly revision: Revision
}

/**
 * Nothing to answer; perhaps something to remember or to pass on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Heard {
  readonly _tag: "Heard"
  readonly row: number
  readonly tells: ReadonlyArray<Tell>
}

/**
 * What a message is, and so what is to be done with it.
 *
 * @since 0.1.0
 * @category models
 */
export type Verdict = Refused | Stateless | Opening | Settled | Batch | Heard

/**
 * The most messages that one batch may hold.
 *
 * @since 0.1.0
 * @category configuration
 */
export const maxBatch = 100

const newestStateless = Revisions.stateless[0] ?? ""

const refused = (
  row: number,
  id: RequestId | null | undefined,
  error: McpError,
  status = 400
): Refused => ({ _tag: "Refused", row, id, status, error })

const noTells: ReadonlyArray<Tell> = []

const heard = (row: number, tells: ReadonlyArray<Tell> = noTells): Heard => ({ _tag: "Heard", row, tells })

/**
 * What a notification asks to be done: to cancel a request, if it names one.
 *
 * @since 0.1.0
 * @category accessors
 */
export const cancels = ({ method, params }: JsonRpc.Notification): ReadonlyArray<Tell> =>
  method === "notifications/cancelled" && JsonRpc.isId(params.requestId)
    ? [{ _tag: "Cancel", id: params.requestId }]
    : noTells

const isStateless = (version: string): boolean => Revisions.stateless.includes(version)

const isHandshake = (version: string): boolean => Revisions.handshake.includes(version)

/** Whether a header names a version without a handshake, or junk that sorts behind it. */
const looksStateless = (header: string | undefined): boolean =>
  header !== undefined && !isHandshake(header) && (isStateless(header) || header >= newestStateless)

const claims = (item: unknown): boolean =>
  JsonRpc.isObject(item) && JsonRpc.isObject(item.params) && Meta.isClaim(item.params)

const quoted = (keys: ReadonlyArray<string>): string => keys.map((key) => `"${key}"`).join(" and ")

/** Rows 5 to 7 of the table for HTTP; on a pipe row 2 has come before. */
const batch = (
  row: (httpRow: number) => number,
  items: ReadonlyArray<unknown>,
  revision: Revision | undefined,
  nobody: null | undefined
): Refused | Batch => {
  if (items.length > maxBatch) {
    return refused(row(6), nobody, invalidRequest(`a batch may hold at most ${maxBatch} messages`))
  }
  if (items.some(claims)) {
    return refused(row(5), undefined, invalidRequest(`MCP ${newestStateless} has no batches; send each message alone`))
  }
  const messages: Array<Batch["messages"][number]> = []
  for (const item of items) {
    const message = JsonRpc.read(item)
    if (message._tag === "Invalid") return refused(row(6), nobody, invalidRequest(`in a batch, ${message.reason}`))
    if (message._tag === "Batch") return refused(row(6), nobody, invalidRequest("a batch must not hold another"))
    messages.push(message)
  }
  if (messages.length === 0) return refused(row(6), nobody, invalidRequest("a batch must not be empty"))
  return revision === undefined
    ? refused(row(7), nobody, invalidRequest("this protocol version has no batches; send each message alone"))
    : { _tag: "Batch", row: row(7), messages, revision }
}

/** Rows 10 to 14. */
const claimant = (request: JsonRpc.Request, header: string | undefined): Refused | Stateless => {
  const { id } = request
  const read = Meta.envelope(request.params)
  if (Either.isLeft(read)) return refused(10, id, read.left)
  const envelope = read.right
  if (header !== undefined && header !== envelope.version) {
    return refused(11, id, headerMismatch("MCP-Protocol-Version and params._meta name different versions"))
  }
  const revision = Revisions.claimed(envelope.version)
  if (Option.isNone(revision)) return refused(12, id, unsupportedVersion(Revisions.stateless, envelope.version))
  if (header === undefined) return refused(13, id, headerMismatch("the header MCP-Protocol-Version is missing"))
  return { _tag: "Stateless", row: 14, request, envelope, revision: revision.value }
}

/** Rows 15 to 19. */
const claimless = (request: JsonRpc.Request, header: string | undefined): Refused | Opening | Settled => {
  const { id, method, params } = request
  if (method === "initialize") {
    return looksStateless(header)
      ? refused(15, id, headerMismatch("initialize belongs to versions older than MCP-Protocol-Version says"))
      : { _tag: "Opening", row: 16, request }
  }
  if (looksStateless(header)) {
    return refused(17, id, invalidParams(`params._meta must have ${quoted(Meta.missing(params))}`))
  }
  if (header === undefined) return { _tag: "Settled", row: 19, request, revision: Revisions.unnamed }
  const revision = Revisions.settled(header)
  return Option.isNone(revision)
    ? refused(18, id, unsupportedVersion([...Revisions.stateless, ...Revisions.handshake], header))
    : { _tag: "Settled", row: 19, request, revision: revision.value }
}

/** Rows 20 and 21. */
const told = (notification: JsonRpc.Notification, header: string | undefined): Refused | Heard => {
  const { params } = notification
  const isClaim = Meta.isClaim(params)
  if (!isClaim && !looksStateless(header)) return heard(21, cancels(notification))
  const claim = JsonRpc.isObject(params._meta) ? params._meta[Meta.Key.protocolVersion] : undefined
  return isClaim && header !== undefined && header !== claim
    ? refused(20, undefined, headerMismatch("MCP-Protocol-Version and params._meta name different versions"))
    : heard(20)
}

/**
 * The table for HTTP from row 5 on. `header` is `MCP-Protocol-Version`, trimmed.
 *
 * @since 0.1.0
 * @category constructors
 */
export const post = (message: JsonRpc.Message, header: string | undefined): Verdict => {
  switch (message._tag) {
    case "Request":
      return Meta.isClaim(message.params) ? claimant(message, header) : claimless(message, header)
    case "Notification":
      return told(message, header)
    case "Batch": {
      const { unnamed } = Revisions
      const isAllowed = header === undefined || header === unnamed.version
      return batch(
        (row) => row,
        message.items,
        isAllowed ? unnamed : undefined,
        looksStateless(header) ? undefined : null
      )
    }
    case "Response":
      return looksStateless(header)
        ? refused(8, undefined, invalidRequest(`a client of MCP ${newestStateless} sends no responses`))
        : heard(8, [{ _tag: "Response", response: message }])
    case "Invalid": {
      const isModern = Meta.isClaim(message.params) || looksStateless(header)
      return refused(9, message.id ?? (isModern ? undefined : null), invalidRequest(message.reason))
    }
  }
}

/**
 * The table for pipes from row 2 on. `settled` is the revision that this peer's
 * handshake settled, if it made one. A line that is no message at all, for which
 * the table has no row, is refused as row 0.
 *
 * @since 0.1.0
 * @category constructors
 */
export const line = (message: JsonRpc.Message, settled: Revision | undefined): Verdict => {
  switch (message._tag) {
    case "Batch":
      return settled?.acceptsBatches === true
        ? batch(() => 2, message.items, settled, null)
        : refused(2, settled === undefined ? undefined : null, invalidRequest("a line must hold one message"))
    case "Response":
      return heard(3, [{ _tag: "Response", response: message }])
    case "Request": {
      const { id, method, params } = message
      if (Meta.isClaim(params)) {
        const read = Meta.envelope(params)
        if (Either.isLeft(read)) return refused(4, id, read.left)
        const revision = Revisions.claimed(read.right.version)
        return Option.isNone(revision)
          ? refused(4, id, unsupportedVersion(Revisions.stateless, read.right.version))
          : { _tag: "Stateless", row: 4, request: message, envelope: read.right, revision: revision.value }
      }
      if (method === "initialize") {
        return settled === undefined
          ? { _tag: "Opening", row: 5, request: message }
          : refused(5, id, invalidRequest("this connection is already initialized"))
      }
      if (settled !== undefined) return { _tag: "Settled", row: 6, request: message, revision: settled }
      if (method === "ping") return { _tag: "Settled", row: 7, request: message, revision: Revisions.unnamed }
      return refused(
        7,
        id,
        invalidParams(`params._meta must have ${quoted(Meta.missing(params))}; or send initialize first`)
      )
    }
    case "Notification":
      return message.method === "notifications/cancelled" ? heard(8, cancels(message)) : heard(9)
    case "Invalid": {
      const isModern = Meta.isClaim(message.params) || settled === undefined
      return refused(0, message.id ?? (isModern ? undefined : null), invalidRequest(message.reason))
    }
  }
}
