/**
 * How the console's pages answer: with headers that let a browser do nothing but
 * show them.
 *
 * @since 0.1.0
 */
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")

/**
 * @since 0.1.0
 * @category constants
 */
export const headers = {
  "content-security-policy": policy,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store"
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const json = (body: object, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson(body, { status, headers })

/**
 * Says in a sentence why not. The connection closes, since the body may not have
 * been read.
 *
 * @since 0.1.0
 * @category constructors
 */
export const refuse = (status: number, error: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson({ error }, { status, headers: { ...headers, connection: "close" } })

/**
 * Whether a page of another site, or of another port, sent the request. A program
 * that is no browser does not say, and is believed.
 *
 * @since 0.1.0
 * @category guards
 */
export const isForeign = ({ headers }: HttpServerRequest): boolean => {
  const { host, origin, "sec-fetch-site": site } = headers
  // `none`: a person typed the address.
  if (site !== undefined && site !== "same-origin" && site !== "none") return true
  if (origin === undefined) return false
  return !URL.canParse(origin) || new URL(origin).host !== host?.toLowerCase()
}
