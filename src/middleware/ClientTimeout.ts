/**
 * How long a client says that it waits for an answer.
 *
 * @since 0.1.0
 */

/**
 * The key under a request's `_meta`: milliseconds, a number above zero.
 *
 * @since 0.1.0
 * @category constants
 */
export const metaKey = "dev.causeway/timeoutMs"

/**
 * The HTTP header, for gateways and clients that do not write `_meta`: whole
 * milliseconds in digits. The unit stands in the name, as in the headers of
 * Connect and Envoy for the same; the `Request-Timeout` of an expired
 * Internet-Draft counts whole seconds, which is too coarse for a call.
 *
 * @since 0.1.0
 * @category constants
 */
export const header = "request-timeout-ms"

/**
 * What `_meta` says; `undefined` when it says nothing, or no number above zero.
 *
 * @since 0.1.0
 * @category accessors
 */
export const ofMeta = (meta: { readonly [key: string]: unknown }): number | undefined => {
  const millis = Object.hasOwn(meta, metaKey) ? meta[metaKey] : undefined
  return typeof millis === "number" && millis > 0 && millis < Infinity ? millis : undefined
}

const digits = /^\d{1,10}$/u

/**
 * What the header says; `undefined` when it says nothing, or no number above zero
 * of at most ten digits.
 *
 * @since 0.1.0
 * @category accessors
 */
export const ofHeader = (text: string | undefined): number | undefined => {
  const trimmed = text?.trim() ?? ""
  const millis = digits.test(trimmed) ? Number(trimmed) : 0
  return millis > 0 ? millis : undefined
}

/**
 * The shorter of what was said in both ways.
 *
 * @since 0.1.0
 * @category accessors
 */
export const least = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined ? other : other === undefined ? one : Math.min(one, other)
