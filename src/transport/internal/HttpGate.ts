/**
 * Decides which HTTP requests may be read at all: by host, origin, verb, media
 * type and length.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as HeaderValue from "../../protocol/HeaderValue.js"
import * as JsonRpc from "../../protocol/JsonRpc.js"
import * as McpError from "../../protocol/McpError.js"
import * as Revisions from "../../protocol/Revisions.js"

/**
 * What is looked at of a request: Node's requests and the platform's both have it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly method?: string | undefined
  readonly headers: {
    readonly [name: string]: string | ReadonlyArray<string> | undefined
    readonly accept?: string | undefined
    readonly "access-control-request-headers"?: string | undefined
    readonly "content-encoding"?: string | undefined
    readonly "content-length"?: string | undefined
    readonly "content-type"?: string | undefined
    readonly host?: string | undefined
    readonly origin?: string | undefined
    readonly "transfer-encoding"?: string | undefined
  }
  /** Names and values in turn, as they came, where they are known. */
  readonly rawHeaders?: ReadonlyArray<string> | undefined
  readonly httpVersion?: string | undefined
}

/**
 * An answer given before, or instead of, the protocol's own. `headers` are
 * names and values in turn; `reason` is for the log and holds nothing of the
 * request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Rejection {
  readonly status: number
  readonly reason: string
  readonly body: string
  readonly headers: ReadonlyArray<string>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const reject = (status: number, message: string, headers: ReadonlyArray<string> = []): Rejection => ({
  status,
  reason: message,
  body: JsonRpc.error(undefined, McpError.invalidRequest(message)),
  headers
})

/**
 * The same rejection with more headers.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withHeaders = (rejection: Rejection, headers: ReadonlyArray<string>): Rejection =>
  headers.length === 0 ? rejection : { ...rejection, headers: [...rejection.headers, ...headers] }

/**
 * What a client can take, by its `Accept` header: one JSON text, a stream of
 * events, whichever is better, or neither.
 *
 * @since 0.1.0
 * @category models
 */
export type Accepted = "json" | "stream" | "either" | "neither"

/**
 * @since 0.1.0
 * @category models
 */
export interface Gate {
  /** Refuses a request whose `Host` is missing, doubled, malformed or not ours. */
  readonly host: (request: Request) => Rejection | undefined
  /** Refuses a request of a web page that is not allowed to ask. */
  readonly origin: (request: Request) => Rejection | undefined
}

const loopback: ReadonlyArray<string> = ["localhost", "127.0.0.1", "[::1]"]
const authority = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?$/

/**
 * Whether an address can be reached from this machine only.
 *
 * @since 0.1.0
 * @category guards
 */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)

/** A host as a `Host` header writes it: IPv6 in brackets. */
export const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host)

const countHosts = (rawHeaders: ReadonlyArray<string>): number => {
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name !== undefined && name.length === 4 && name.toLowerCase() === "host") count++
  }
  return count
}

const isLoopbackOrigin = (origin: string): boolean => {
  const url = URL.canParse(origin) ? new URL(origin) : undefined
  return url !== undefined && url.origin === origin && /^https?:$/.test(url.protocol) && loopback.includes(url.hostname)
}

/**
 * Names of hosts are compared whole and without regard to case. One without a
 * port allows every port; `"*"` allows every host.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly boundHost: string
  readonly allowedHosts: ReadonlyArray<string> | undefined
  readonly allowedOrigins: ReadonlyArray<string> | undefined
}): Gate => {
  const hosts = new Set(
    (options.allowedHosts ?? [...loopback, bracketed(options.boundHost)]).map((host) => host.toLowerCase())
  )
  const origins = options.allowedOrigins === undefined
    ? undefined
    : new Set(options.allowedOrigins.map((origin) => origin.toLowerCase()))
  // Most requests come with the host of the one before.
  let lastAllowed: string | undefined

  const isAllowed = (host: string): boolean => {
    const parsed = authority.exec(host.toLowerCase())
    if (parsed === null) return false
    return hosts.has("*") || hosts.has(parsed[0]) || hosts.has(parsed[1] ?? "")
  }

  return {
    host: (request) => {
      const { host } = request.headers
      if (host === undefined || host === "") {
        return request.httpVersion === "1.0" ? undefined : reject(400, "The Host header is missing")
      }
      if (request.rawHeaders !== undefined && countHosts(request.rawHeaders) > 1) {
        return reject(400, "There is more than one Host header")
      }
      if (host === lastAllowed) return undefined
      if (!isAllowed(host)) return reject(403, "The Host header names a host that this server does not serve")
      lastAllowed = host
      return undefined
    },
    origin: (request) => {
      const { origin } = request.headers
      if (origin === undefined) return undefined
      const value = origin.toLowerCase()
      return (origins === undefined ? isLoopbackOrigin(value) : origins.has(value))
        ? undefined
        : reject(403, "The Origin header names a site that may not use this server")
    }
  }
}

const isJson = (contentType: string | undefined): boolean => {
  if (contentType === "application/json") return true
  if (contentType === undefined) return false
  const [type, ...parameters] = contentType.toLowerCase().split(";").map((part) => part.trim())
  return type === "application/json" && parameters.every((parameter) => {
    const [name, value] = parameter.split("=", 2)
    return name !== "charset" || value === "utf-8" || value === "\"utf-8\"" || value === "utf8"
  })
}

const notPost = reject(405, "Messages are sent by POST", ["allow", "POST"])

const single = (value: string | ReadonlyArray<string> | undefined): string =>
  value === undefined || typeof value === "string" ? value ?? "" : value.join(", ")

/**
 * The session whose stream a request wants opened, or why there is none for it:
 * only clients of a handshake revision that have a session may ask, by GET.
 *
 * @since 0.1.0
 * @category guards
 */
export const session = (request: Request): string | Rejection => {
  const { headers, method } = request
  const id = single(headers["mcp-session-id"])
  const accept = accepted(headers.accept)
  if (method !== "GET" || id === "" || accept === "json" || accept === "neither") return notPost
  const version = single(headers["mcp-protocol-version"])
  if (version !== "" && Option.isNone(Revisions.settled(HeaderValue.trim(version)))) {
    return Option.isSome(Revisions.claimed(HeaderValue.trim(version)))
      ? notPost
      : reject(400, "The header MCP-Protocol-Version names no revision that has such streams")
  }
  return (headers["content-length"] ?? "0") === "0" && headers["transfer-encoding"] === undefined
    ? id
    : reject(400, "A request for a stream has no body")
}

/**
 * Refuses what cannot be a message: another verb, another media type, an
 * encoded or over-long body.
 *
 * @since 0.1.0
 * @category guards
 */
export const message = (request: Request, maxBodyBytes: number): Rejection | undefined => {
  const { headers, method } = request
  if (method !== "POST") return notPost
  if (!isJson(headers["content-type"])) return reject(415, "The content type must be application/json in UTF-8")
  const encoding = headers["content-encoding"]
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    return reject(415, "The body must not be encoded", ["accept-encoding", "identity"])
  }
  const length = headers["content-length"]
  return length !== undefined && Number(length) > maxBodyBytes ? tooLarge(maxBodyBytes) : undefined
}

/**
 * Whether a body that is not read can be left to the server to skip.
 *
 * @since 0.1.0
 * @category guards
 */
export const isSmall = ({ headers }: Request, maxBodyBytes: number): boolean => {
  const length = headers["content-length"]
  return length === undefined ? headers["transfer-encoding"] === undefined : Number(length) <= maxBodyBytes
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const notFound: Rejection = {
  status: 404,
  reason: "Nothing is served on that path",
  body: `{"error":"not found"}`,
  headers: []
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const closed: Rejection = {
  ...reject(503, "The server is shutting down"),
  body: JsonRpc.error(
    undefined,
    new McpError.McpError({ code: McpError.Code.InternalError, message: "The server is shutting down" })
  )
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const notAcceptable: Rejection = reject(406, "The client takes neither JSON nor an event stream")

/**
 * @since 0.1.0
 * @category constructors
 */
export const tooLarge = (maxBodyBytes: number): Rejection => reject(413, `The body is over ${maxBodyBytes} bytes`)

/**
 * @since 0.1.0
 * @category constructors
 */
export const crowded: Rejection = reject(503, "Too many requests are in flight on this connection", [
  "retry-after",
  "1"
])

/**
 * @since 0.1.0
 * @category constructors
 */
export const noRoom: Rejection = reject(503, "Too much is being sent at once", ["retry-after", "1"])

/**
 * Reads an `Accept` header. One that is absent, or takes anything, takes JSON:
 * a stream is for those who name it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const accepted = (accept: string | undefined): Accepted => {
  if (accept === undefined || accept === "") return "json"
  let json = false
  let stream = false
  for (const range of accept.toLowerCase().split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim())
    if (parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))) continue
    if (type === "application/json" || type === "application/*" || type === "*/*") json = true
    if (type === "text/event-stream" || type === "text/*") stream = true
  }
  return json ? (stream ? "either" : "json") : stream ? "stream" : "neither"
}
