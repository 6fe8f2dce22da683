/**
 * How the fake provider's server reads a request and plays a reply.
 *
 * @since 0.1.0
 */
import type * as Http from "node:http"
import type * as Net from "node:net"

/**
 * What to do with one request.
 *
 * - `Text`: a completion, or the same as a stream when the request asks for one.
 * - `Status`: a reply of any status; a body that is no string is sent as JSON.
 * - `Hang`: never goes on: before the headers, after them, or in mid-body.
 * - `Reset`: breaks the connection, before the headers or in mid-body.
 * - `Stream`: bytes as they are, each piece on its own, and how it ends.
 *
 * @since 0.1.0
 * @category models
 */
export type Reply =
  | {
    readonly _tag: "Text"
    readonly text: string
    /** `stop` unless given. */
    readonly finishReason?: string | null | undefined
    readonly usage?: unknown
    /** Waits this long before answering, in milliseconds of the wall clock. */
    readonly delayMs?: number | undefined
  }
  | {
    readonly _tag: "Status"
    readonly status: number
    readonly headers?: { readonly [name: string]: string | ReadonlyArray<string> } | undefined
    readonly body?: unknown
  }
  | { readonly _tag: "Hang"; readonly after: "request" | "headers" | "half" }
  | { readonly _tag: "Reset"; readonly after: "request" | "half" }
  | {
    readonly _tag: "Stream"
    readonly pieces: ReadonlyArray<string | Uint8Array>
    /** Between two pieces, in milliseconds of the wall clock; 0 unless given. */
    readonly gapMs?: number | undefined
    /** `close` unless given. */
    readonly end?: "close" | "hang" | "reset" | undefined
    /** `text/event-stream` unless given. */
    readonly contentType?: string | undefined
  }

/**
 * A request as the server saw it. Of the key only the header and the word before
 * it are kept.
 *
 * @since 0.1.0
 * @category models
 */
export interface Recorded {
  readonly method: string
  readonly path: string
  readonly model: string | undefined
  /** The parsed body; `undefined` when there was none or it was no JSON. */
  readonly body: { readonly [field: string]: unknown } | undefined
  /** Without any header that carries a key. */
  readonly headers: { readonly [name: string]: string }
  /** How the key came, for example `authorization: Bearer`. */
  readonly auth: string | undefined
}

/**
 * One event of a well-formed stream: a text, and at its end a finish reason.
 *
 * @since 0.1.0
 * @category constructors
 */
export const event = (text: string, finishReason: string | null = null, more: object = {}): string =>
  `data: ${
    JSON.stringify({
      object: "chat.completion.chunk",
      choices: [{ index: 0, delta: { content: text }, finish_reason: finishReason }],
      ...more
    })
  }\n\n`

/** Headers that may carry a key, by name. */
const secretHeader = /authorization$|^cookie$|(?:^|[-_])(?:api)?(?:key|token|secret)(?:$|[-_])/u

const isRecord = (value: unknown): value is { readonly [field: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * What a running server knows; only its own callbacks write.
 *
 * @since 0.1.0
 * @category models
 */
export interface Live {
  readonly scripts: Map<string, Array<Reply>>
  models: Reply | undefined
  readonly requests: Array<Recorded>
  readonly sockets: Set<Net.Socket>
  readonly timers: Set<NodeJS.Timeout>
  /** Replies that the script broke off, which is not the client's doing. */
  readonly closedByUs: WeakSet<Http.ServerResponse>
  active: number
  aborted: number
}

const json = (status: number, body: unknown): Reply => ({ _tag: "Status", status, body })

/**
 * Records a request and does what the script says.
 *
 * @since 0.1.0
 * @category combinators
 */
export const receive = (live: Live, request: Http.IncomingMessage, response: Http.ServerResponse): void => {
  live.active++
  response.once("close", () => {
    live.active--
    if (!response.writableFinished && !live.closedByUs.has(response)) live.aborted++
  })
  const parts: Array<Buffer> = []
  request.on("error", () => undefined)
  request.on("data", (part: Buffer) => parts.push(part))
  request.on("end", () => {
    const recorded = record(request, Buffer.concat(parts).toString("utf8"))
    live.requests.push(recorded)
    perform(live, replyTo(live, recorded), recorded, response)
  })
}

const record = (request: Http.IncomingMessage, text: string): Recorded => {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    body = undefined
  }
  const headers: Record<string, string> = {}
  let auth: string | undefined
  for (const [name, value] of Object.entries(request.headers)) {
    const flat = Array.isArray(value) ? value.join(", ") : value ?? ""
    if (!secretHeader.test(name)) headers[name] = flat
    else if (auth === undefined) auth = flat.includes(" ") ? `${name}: ${flat.slice(0, flat.indexOf(" "))}` : name
  }
  return {
    method: request.method ?? "",
    path: request.url ?? "",
    model: isRecord(body) && typeof body.model === "string" ? body.model : undefined,
    body: isRecord(body) ? body : undefined,
    headers,
    auth
  }
}

const replyTo = (live: Live, request: Recorded): Reply => {
  if (request.path.endsWith("/models")) {
    return live.models ??
      json(200, { object: "list", data: [...live.scripts.keys()].map((id) => ({ id, object: "model" })) })
  }
  const script = live.scripts.get(request.model ?? "") ?? live.scripts.get("*")
  const next = script !== undefined && script.length > 1 ? script.shift() : script?.[0]
  return next ??
    json(404, {
      error: { message: "no script for this model", type: "invalid_request_error", code: "model_not_found" }
    })
}

const perform = (live: Live, reply: Reply, request: Recorded, response: Http.ServerResponse): void => {
  const destroy = (): void => {
    live.closedByUs.add(response)
    response.socket?.resetAndDestroy()
  }
  const later = (millis: number, run: () => void): void => {
    const timer = setTimeout(() => {
      live.timers.delete(timer)
      run()
    }, millis)
    live.timers.add(timer)
  }
  switch (reply._tag) {
    case "Text":
      return reply.delayMs === undefined
        ? answer(reply, request, response)
        : later(reply.delayMs, () => answer(reply, request, response))
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
      if (reply.after === "request") return
      response.writeHead(200, { "content-type": "application/json" })
      response.flushHeaders()
      if (reply.after === "half") response.write("{\"choices\":[")
      return
    case "Reset":
      if (reply.after === "request") return destroy()
      response.writeHead(200, { "content-type": "application/json" })
      response.write("{\"choices\":[", () => later(20, destroy))
      return
    case "Stream": {
      response.writeHead(200, { "content-type": reply.contentType ?? "text/event-stream" })
      response.flushHeaders()
      const send = (index: number): void => {
        const piece = reply.pieces[index]
        if (response.destroyed) return
        if (piece !== undefined) {
          response.write(piece, () => later(reply.gapMs ?? 0, () => send(index + 1)))
        } else if (reply.end === "reset") destroy()
        else if (reply.end !== "hang") response.end()
      }
      return send(0)
    }
  }
}

const answer = (
  reply: Extract<Reply, { readonly _tag: "Text" }>,
  request: Recorded,
  response: Http.ServerResponse
): void => {
  const finish = reply.finishReason === undefined ? "stop" : reply.finishReason
  const usage = reply.usage === undefined
    ? { prompt_tokens: 12, completion_tokens: Math.ceil(reply.text.length / 4) }
    : reply.usage
  if (request.body?.stream === true) {
    const middle = Math.ceil(reply.text.length / 2)
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.end([
      event("", null, { choices: [{ index: 0, delta: { role: "assistant" }, finish_reason: null }] }),
      event(reply.text.slice(0, middle), null, { model: request.model }),
      event(reply.text.slice(middle), finish, { model: request.model }),
      `data: ${JSON.stringify({ choices: [], usage })}\n\n`,
      "data: [DONE]\n\n"
    ].join(""))
    return
  }
  response.writeHead(200, { "content-type": "application/json" })
  response.end(JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion",
    model: request.model,
    choices: [{ index: 0, message: { role: "assistant", content: reply.text }, finish_reason: finish }],
    usage
  }))
}
