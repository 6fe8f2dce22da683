/**
 * Plays a reply on the connection that a request came by.
 *
 * @since 0.1.0
 */
import type * as Http from "node:http"
import type * as Net from "node:net"
import * as ProviderAnswer from "./ProviderAnswer.js"
import type { Pieces, Recorded, Reply, Text } from "./ProviderReply.js"
import * as ProviderVectors from "./ProviderVectors.js"

/**
 * What a running server keeps for the replies under way.
 *
 * @since 0.1.0
 * @category models
 */
export interface Playing {
  readonly timers: Set<NodeJS.Timeout>
  /** Replies that are over as their script has it, which is not the client's doing. */
  readonly closedByUs: WeakSet<Http.ServerResponse>
}

const isRecord = (value: unknown): value is { readonly [field: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const later = (live: Playing, millis: number, run: () => void): void => {
  if (millis === 0) {
    setImmediate(run)
    return
  }
  const timer = setTimeout(() => {
    live.timers.delete(timer)
    run()
  }, millis)
  live.timers.add(timer)
}

/** Writes piece after piece, each when the one before has left, until the pieces or the connection end. */
const pour = (
  live: Playing,
  pieces: Pieces,
  gapMs: number,
  to: { readonly write: (piece: string | Uint8Array, sent: () => void) => void; readonly isGone: () => boolean },
  done: () => void
): void => {
  const iterator = (typeof pieces === "function" ? pieces() : pieces)[Symbol.iterator]()
  const next = (): void => {
    if (to.isGone()) return
    const piece = iterator.next()
    if (piece.done === true) return done()
    to.write(piece.value, () => later(live, gapMs, next))
  }
  next()
}

/**
 * Does what a reply says. A client that goes away ends it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const play = (live: Playing, reply: Reply, request: Recorded, response: Http.ServerResponse): void => {
  const destroy = (): void => {
    live.closedByUs.add(response)
    response.socket?.resetAndDestroy()
  }
  switch (reply._tag) {
    case "Delayed":
      return later(live, reply.ms, () => response.destroyed ? undefined : play(live, reply.reply, request, response))
    case "Depending":
      return play(live, reply.reply(request), request, response)
    case "Text":
      return later(
        live,
        reply.delayMs ?? 0,
        () => response.destroyed ? undefined : answer(live, reply, request, response)
      )
    case "Status": {
      const isText = typeof reply.body === "string"
      response.writeHead(reply.status, {
        ...(reply.body === undefined ? {} : { "content-type": isText ? "text/plain" : "application/json" }),
        ...Object.fromEntries(
          Object.entries(reply.headers ?? {}).map((
            [name, value]
          ) => [name, typeof value === "string" ? value : [...value]])
        )
      })
      response.end(reply.body === undefined ? undefined : isText ? reply.body : JSON.stringify(reply.body))
      return
    }
    case "Hang":
    case "Reset": {
      if (reply.after !== "request") {
        response.writeHead(200, { "content-type": "application/json" })
        response.flushHeaders()
      }
      // Broken off too early, the client's stack may drop what it had received.
      const broken = (): void =>
        reply._tag === "Reset" ? later(live, reply.after === "request" ? 0 : 20, destroy) : undefined
      if (reply.after === "half") response.write("{\"id\":\"1\",", broken)
      else broken()
      return
    }
    case "Stream": {
      response.writeHead(200, { "content-type": reply.contentType ?? "text/event-stream" })
      response.flushHeaders()
      return pour(
        live,
        reply.pieces,
        reply.gapMs ?? 0,
        { write: (piece, sent) => response.write(piece, sent), isGone: () => response.destroyed },
        () => {
          if (reply.end === "reset") destroy()
          else if (reply.end !== "hang") response.end()
        }
      )
    }
    case "Raw": {
      const socket: Net.Socket | null = response.socket
      if (socket === null) return
      return pour(
        live,
        reply.pieces,
        reply.gapMs ?? 0,
        { write: (piece, sent) => socket.write(piece, sent), isGone: () => socket.destroyed },
        () => {
          if (reply.end === "hang") return
          live.closedByUs.add(response)
          if (reply.end === "reset") later(live, 20, () => socket.resetAndDestroy())
          else if (reply.end === "half") socket.end()
          else socket.destroySoon()
        }
      )
    }
  }
}

const answer = (live: Playing, reply: Text, request: Recorded, response: Http.ServerResponse): void => {
  const { body, wire } = request
  if (wire === "embeddings") {
    response.writeHead(200, { "content-type": "application/json" })
    response.end(JSON.stringify(ProviderVectors.body(body)))
    return
  }
  const forced = wire === "messages" && isRecord(body?.tool_choice) && typeof body.tool_choice.name === "string"
    ? body.tool_choice.name
    : undefined
  const input = forced === undefined ? undefined : parse(reply.text)
  const options = { finish: reply.finishReason, usage: reply.usage, model: reply.model ?? request.model }
  const words = wire === "messages" ? ProviderAnswer.messages : ProviderAnswer.chat
  if (body?.stream !== true) {
    response.writeHead(200, { "content-type": "application/json" })
    response.end(JSON.stringify(
      forced !== undefined && input !== undefined
        ? ProviderAnswer.toolBody(forced, input, options)
        : words.body(reply.text, options)
    ))
    return
  }
  const whole = words.body(reply.text, options)
  const pieces = forced !== undefined && input !== undefined
    ? ProviderAnswer.toolEvents(forced, input, options)
    : ProviderAnswer.events(words, reply.text, { ...options, usage: whole.usage })
  response.writeHead(200, { "content-type": "text/event-stream" })
  if (reply.gapMs === undefined) {
    response.end(pieces.join(""))
    return
  }
  pour(
    live,
    pieces,
    reply.gapMs,
    { write: (piece, sent) => response.write(piece, sent), isGone: () => response.destroyed },
    () => response.end()
  )
}
