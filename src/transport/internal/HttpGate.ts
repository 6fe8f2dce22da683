/**
 * Decides which HTTP requests may be read at all: by host, origin, verb, media
 * type and length.
 *
 * @since 0.1.0
 */
import type { IncomingMessage } from "node:http"
import * as JsonRpc from "../../protocol/JsonRpc.js"
import * as McpError from "../../protocol/McpError.js"

/**
 * An answer given before, or instead of, the protocol's own. `headers` are
 * names and values in turn.
 *
 * @since 0.1.0
 * @category models
 */
export interface Rejection {
  readonly status: number
  readonly body: string
  readonly headers: ReadonlyArray<string>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const reject = (status: number, message: string, headers: ReadonlyArray<string> = []): Rejection => ({
  status,
  body: JsonRpc.error(undefined, McpError.invalidRequest(message)),
  headers
})

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
  readonly host: (request: IncomingMessage) => Rejection | undefined
  /** Refuses a request of a web page that is not allowed to ask. */
  readonly origin: (request: IncomingMessage) => Rejection | undefined
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
      if (countHosts(request.rawHeaders) > 1) return reject(400, "There is more than one Host header")
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

const requestHeaders =
  "content-type, accept, authorization, mcp-protocol-version, mcp-method, mcp-name, mcp-session-id, last-event-id"
const parameterHeader = /^mcp-param-[!#$%&'*+.^_`|~0-9a-z-]{1,128}$/

/** The `Mcp-Param-*` headers of a tool are its own: they are allowed by the names the page asks for. */
const allowHeaders = (requested: string | undefined): string =>
  [
    requestHeaders,
    ...(requested ?? "").toLowerCase().split(",").map((name) => name.trim()).filter((name) =>
      parameterHeader.test(name)
    )
  ].join(", ")

/**
 * What a web page that may ask has to be told with every answer.
 *
 * @since 0.1.0
 * @category constructors
 */
export const corsHeaders = (origin: string | undefined): ReadonlyArray<string> =>
  origin === undefined ? [] : [
    "access-control-allow-origin",
    origin,
    "access-control-expose-headers",
    "mcp-session-id, www-authenticate",
    "vary",
    "origin"
  ]

/**
 * The headers of the answer to a page that asks whether it may ask; `undefined`
 * when the request is no such question.
 *
 * @since 0.1.0
 * @category constructors
 */
export const preflight = (request: IncomingMessage): ReadonlyArray<string> | undefined =>
  request.method !== "OPTIONS" || request.headers.origin === undefined ? undefined : [
    ...corsHeaders(request.headers.origin),
    "access-control-allow-methods",
    "POST",
    "access-control-allow-headers",
    allowHeaders(request.headers["access-control-request-headers"]),
    "access-control-max-age",
    "600"
  ]

const isJson = (contentType: string | undefined): boolean => {
  if (contentType === "application/json") return true
  if (contentType === undefined) return false
  const [type, ...parameters] = contentType.toLowerCase().split(";").map((part) => part.trim())
  return type === "application/json" && parameters.every((parameter) => {
    const [name, value] = parameter.split("=", 2)
    return name !== "charset" || value === "utf-8" || value === "\"utf-8\"" || value === "utf8"
  })
}

/**
 * Refuses what cannot be a message: another verb, another media type, an
 * encoded or over-long body.
 *
 * @since 0.1.0
 * @category guards
 */
export const message = (request: IncomingMessage, maxBodyBytes: number): Rejection | undefined => {
  const { headers, method } = request
  if (method !== "POST") return reject(405, "Messages are sent by POST", ["allow", "POST"])
  if (!isJson(headers["content-type"])) return reject(415, "The content type must be application/json in UTF-8")
  const encoding = headers["content-encoding"]
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    return reject(415, "The body must not be encoded", ["accept-encoding", "identity"])
  }
  const length = headers["content-length"]
  return length !== undefined && Number(length) > maxBodyBytes ? tooLarge(maxBodyBytes) : undefined
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const tooLarge = (maxBodyBytes: number): Rejection => reject(413, `The body is over ${maxBodyBytes} bytes`)

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
