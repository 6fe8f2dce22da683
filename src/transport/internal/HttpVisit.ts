/**
 * Writes answers and streams of events as responses of `@effect/platform`.
 *
 * @since 0.1.0
 */
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { IncomingMessage } from "node:http"
import * as Transport from "../Transport.js"
import * as HttpBody from "./HttpBody.js"
import type { Rejection } from "./HttpGate.js"
import * as HttpOutput from "./HttpOutput.js"

type Response = HttpServerResponse.HttpServerResponse

/**
 * One request that the calls may write to, and what waits to be read of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Visit {
  readonly request: HttpServerRequest
  readonly runtime: Runtime.Runtime<never>
  readonly respond: (response: Response) => void
  onLost: () => void
  isGone: boolean
  chunks: Array<Uint8Array>
  /** Bytes in `chunks`. */
  waiting: number
  isEnded: boolean
  wake: () => void
}

const lingerMillis = 250

const ignore = (): void => {}

const encoder = new TextEncoder()

/**
 * Names and values in turn, as a record.
 *
 * @since 0.1.0
 * @category conversions
 */
export const recordOf = (headers: ReadonlyArray<string>): { [name: string]: string } => {
  const record: { [name: string]: string } = {}
  for (let at = 0; at + 1 < headers.length; at += 2) record[headers[at] ?? ""] = headers[at + 1] ?? ""
  return record
}

/**
 * A response of one JSON text, or of nothing but a status.
 *
 * @since 0.1.0
 * @category constructors
 */
export const respond = (status: number, body: string | undefined, headers: ReadonlyArray<string>): Response =>
  body === undefined
    ? HttpServerResponse.empty({ status, headers: { ...recordOf(headers), "content-length": "0" } })
    : HttpServerResponse.text(body, { status, headers: recordOf(headers), contentType: "application/json" })

/**
 * A refusal of a Node request whose body is not read to its end. A connection
 * closed with bytes unread is reset, and the reset may overtake the answer: the
 * client gets a moment to read it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const respondUnread = (source: IncomingMessage, { body, headers, status }: Rejection): Response => {
  HttpBody.stop(source)
  const bytes = encoder.encode(body)
  const linger = Effect.async<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), lingerMillis)
    return Effect.sync(() => clearTimeout(timer))
  })
  return HttpServerResponse.stream(Stream.concat(Stream.make(bytes), Stream.drain(Stream.fromEffect(linger))), {
    status,
    headers: { ...recordOf(headers), connection: "close" },
    contentType: "application/json",
    contentLength: bytes.length
  })
}

const write = (visit: Visit, text: string): void => {
  const bytes = encoder.encode(text)
  visit.chunks.push(bytes)
  visit.waiting += bytes.length
  visit.wake()
}

/** What is written to a visit, as fast as it is taken. */
const eventsOf = (visit: Visit): Stream.Stream<Uint8Array> => {
  const awake = Effect.async<void>((resume) => {
    visit.wake = () => {
      visit.wake = ignore
      resume(Effect.void)
    }
  })
  const pull: Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<never>> = Effect.suspend(() => {
    if (visit.chunks.length === 0) {
      return visit.isEnded ? Effect.fail(Option.none()) : Effect.zipRight(awake, pull)
    }
    const taken = Chunk.unsafeFromArray(visit.chunks)
    visit.chunks = []
    visit.waiting = 0
    return Effect.succeed(taken)
  })
  return Stream.repeatEffectChunkOption(pull)
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const output: HttpOutput.Output<Visit> = {
  reply: (visit, status, body, headers) => visit.respond(respond(status, body, headers)),
  open: (visit, headers) => {
    visit.respond(
      HttpServerResponse.stream(eventsOf(visit), {
        headers: recordOf([...HttpOutput.streamHeaders, ...headers]),
        contentType: "text/event-stream"
      })
    )
  },
  // A server may keep the headers until there is something to send with them.
  flush: (visit) => write(visit, ": open\n\n"),
  isBehind: (visit) => visit.waiting > Transport.maxWaitingBytes,
  write,
  remind: (visit) => {
    if (visit.waiting === 0) write(visit, HttpOutput.comment)
  },
  end: (visit, text) => {
    visit.isEnded = true
    if (text === undefined) visit.wake()
    else write(visit, text)
  },
  wait: (visit, onLost) => {
    visit.onLost = onLost
    if (visit.isGone) onLost()
  },
  settle: (visit) => {
    visit.onLost = ignore
  },
  run: (visit, reply) => Runtime.runFork(visit.runtime)(reply),
  peer: ({ request }) => Option.getOrUndefined(request.remoteAddress)
}

/**
 * Lets the calls write to the request that this fiber serves, until the scope of
 * the request closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  request: HttpServerRequest,
  begin: (visit: Visit) => void
): Effect.Effect<Response, never, Scope.Scope> =>
  Effect.flatMap(Effect.runtime<never>(), (runtime) => {
    let current: Visit | undefined
    const leave = Effect.sync(() => {
      if (current === undefined) return
      current.isGone = true
      current.onLost()
    })
    const answered = Effect.async<Response>((resume) => {
      current = {
        request,
        // A platform serves requests where nothing may be interrupted; calls must be interruptible.
        runtime: Runtime.enableRuntimeFlag(runtime, RuntimeFlags.Interruption),
        respond: (response) => resume(Effect.succeed(response)),
        onLost: ignore,
        isGone: false,
        chunks: [],
        waiting: 0,
        isEnded: false,
        wake: ignore
      }
      begin(current)
    })
    return Effect.zipRight(Effect.addFinalizer(() => leave), Effect.interruptible(answered))
  })
