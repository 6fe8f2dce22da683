/**
 * Which requests for the operator's pages are looked at: by host and length.
 *
 * @since 0.1.0
 */
import type { IncomingMessage } from "node:http"

/**
 * @since 0.1.0
 * @category models
 */
export interface Refused {
  readonly status: number
  readonly error: string
}

const mostBytes = 64 * 1024

/**
 * The names of this machine to itself.
 *
 * @since 0.1.0
 * @category constants
 */
export const loopback: ReadonlyArray<string> = ["localhost", "127.0.0.1", "[::1]"]

/**
 * Whether an address can be reached from this machine only.
 *
 * @since 0.1.0
 * @category guards
 */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/u.test(host)

/**
 * A host as a `Host` header writes it: IPv6 in brackets.
 *
 * @since 0.1.0
 * @category combinators
 */
export const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host)

/**
 * How often a header stands in names and values that follow each other.
 *
 * @since 0.1.0
 * @category combinators
 */
export const countOf = (rawHeaders: ReadonlyArray<string>, name: string): number =>
  rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === name).length

const nameOf = (host: string): string => host.toLowerCase().replace(/:\d{1,5}$/u, "")

/**
 * Refuses requests that name a host which is not served, as a web page's may that
 * has its own name point here, and those with a long body. `*` allows any host.
 *
 * @since 0.1.0
 * @category guards
 */
export const gate = (allowedHosts: ReadonlyArray<string>): (request: IncomingMessage) => Refused | undefined => {
  const allowed = new Set(allowedHosts.map((host) => host.toLowerCase()))
  const isServed = (host: string): boolean =>
    allowed.has("*") || allowed.has(host.toLowerCase()) || allowed.has(nameOf(host))
  return ({ headers, httpVersion, rawHeaders }) => {
    const { host } = headers
    // A proxy and this server could each believe another one of the two.
    if (countOf(rawHeaders, "host") > 1) return { status: 400, error: "there is more than one Host header" }
    if (host === undefined ? httpVersion !== "1.0" : !isServed(host)) {
      return { status: 403, error: "the Host header names a host that is not served here" }
    }
    if (headers["transfer-encoding"] !== undefined) return { status: 411, error: "the length of the body is needed" }
    return Number(headers["content-length"] ?? 0) > mostBytes
      ? { status: 413, error: `the body is over ${mostBytes} bytes` }
      : undefined
  }
}
