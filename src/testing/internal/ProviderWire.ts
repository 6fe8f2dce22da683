/**
 * How the fake provider's server reads a request and finds the reply to it.
 *
 * @since 0.1.0
 */
import type * as Http from "node:http"
import type * as Net from "node:net"
import { performance } from "node:perf_hooks"
import * as ProviderAnswer from "./ProviderAnswer.js"
import * as ProviderPlay from "./ProviderPlay.js"
import * as ProviderReply from "./ProviderReply.js"

/**
 * What a running server knows; only its own callbacks write.
 *
 * @since 0.1.0
 * @category models
 */
export interface Live extends ProviderPlay.Playing {
  readonly scripts: Map<string, Array<ProviderReply.Reply>>
  /** The replies of a fault by its name and wire, for models that are named after one. */
  readonly fault: (name: string, wire: ProviderReply.WireKind) => ReadonlyArray<ProviderReply.Reply> | undefined
  /** What is left of the faults that were begun, by model and wire. */
  readonly faultScripts: Map<string, Array<ProviderReply.Reply>>
  models: ProviderReply.Reply | undefined
  readonly requests: Array<ProviderReply.Recorded>
  readonly sockets: Set<Net.Socket>
  active: number
  aborted: number
}

/**
 * What a model's name begins with when it is to play a fault.
 *
 * @since 0.1.0
 * @category constants
 */
export const faultPrefix = "fault/"

/** Headers that may carry a key, by name. */
const secretHeader = /authorization$|^cookie$|(?:^|[-_])(?:api)?(?:key|token|secret)(?:$|[-_])/u

const isRecord = (value: unknown): value is { readonly [field: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * Records a request and does what the script says.
 *
 * @since 0.1.0
 * @category combinators
 */
export const receive = (live: Live, request: Http.IncomingMessage, response: Http.ServerResponse): void => {
  const { socket } = request
  let isOver = false
  const over = (): void => {
    if (isOver) return
    isOver = true
    socket.off("close", over)
    live.active--
    if (!response.writableFinished && !live.closedByUs.has(response)) live.aborted++
  }
  live.active++
  response.once("close", over)
  // A response that waits behind another on its connection is not told that it closed.
  socket.once("close", over)
  response.on("error", () => undefined)
  const parts: Array<Buffer> = []
  request.on("error", () => undefined)
  request.on("data", (part: Buffer) => parts.push(part))
  request.on("end", () => {
    const recorded = record(request, Buffer.concat(parts).toString("utf8"))
    live.requests.push(recorded)
    ProviderPlay.play(live, replyTo(live, recorded), recorded, response)
  })
}

const wireOf = (path: string): ProviderReply.WireKind =>
  path.endsWith("/models")
    ? "models"
    : path.endsWith("/messages")
    ? "messages"
    : path.endsWith("/embeddings")
    ? "embeddings"
    : path.endsWith("/chat/completions")
    ? "chat"
    : "other"

const record = (request: Http.IncomingMessage, text: string): ProviderReply.Recorded => {
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
  const path = request.url ?? ""
  return {
    at: performance.now(),
    wire: wireOf(path.split("?")[0] ?? ""),
    method: request.method ?? "",
    path,
    model: isRecord(body) && typeof body.model === "string" ? body.model : undefined,
    body: isRecord(body) ? body : undefined,
    headers,
    auth
  }
}

const replyTo = (live: Live, request: ProviderReply.Recorded): ProviderReply.Reply => {
  if (request.wire === "models") {
    const data = [...live.scripts.keys()].map((id) => ({ id, object: "model", type: "model", display_name: id }))
    return live.models ?? ProviderReply.status(200, { object: "list", data, has_more: false })
  }
  const script = scriptOf(live, request) ?? live.scripts.get("*")
  const next = script !== undefined && script.length > 1 ? script.shift() : script?.[0]
  return next ?? ProviderReply.status(
    404,
    request.wire === "messages"
      ? ProviderAnswer.messages.error("not_found_error", "model: no script for this model")
      : ProviderAnswer.chat.error("model_not_found", "no script for this model")
  )
}

/** A model's script; of a model that is named after a fault, that of the fault, begun at its first request. */
const scriptOf = (live: Live, { model = "", wire }: ProviderReply.Recorded): Array<ProviderReply.Reply> | undefined => {
  const script = live.scripts.get(model)
  if (script !== undefined || !model.startsWith(faultPrefix)) return script
  // Each wire plays a fault from its own beginning; no model's name holds a line break.
  const key = `${model}\n${wire}`
  const begun = live.faultScripts.get(key)
  if (begun !== undefined) return begun
  const replies = live.fault(model.slice(faultPrefix.length), wire)
  if (replies === undefined) return undefined
  const fresh = [...replies]
  live.faultScripts.set(key, fresh)
  return fresh
}
