/**
 * What a web page has to be told before, and with, every answer it may read.
 *
 * @since 0.1.0
 */
import type { Request } from "./HttpGate.js"

/** Shared, because most requests come from no page. */
const none: ReadonlyArray<string> = []

const requestHeaders =
  "content-type, accept, authorization, x-api-key, mcp-protocol-version, mcp-method, mcp-name, mcp-session-id, last-event-id, " +
  "request-timeout-ms"
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
 * What a web page that may ask has to be told with every answer: names and
 * values in turn.
 *
 * @since 0.1.0
 * @category constructors
 */
export const headers = (origin: string | undefined): ReadonlyArray<string> =>
  origin === undefined ? none : [
    "access-control-allow-origin",
    origin,
    "access-control-expose-headers",
    "mcp-session-id, www-authenticate, ratelimit, ratelimit-policy, retry-after",
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
export const preflight = (request: Request): ReadonlyArray<string> | undefined =>
  request.method !== "OPTIONS" || request.headers.origin === undefined ? undefined : [
    ...headers(request.headers.origin),
    "access-control-allow-methods",
    "GET, POST",
    "access-control-allow-headers",
    allowHeaders(request.headers["access-control-request-headers"]),
    "access-control-max-age",
    "600"
  ]
