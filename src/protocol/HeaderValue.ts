/**
 * How a name or an argument travels in an HTTP header: plain where it can, in
 * base64 between markers where it must.
 *
 * Source: MCP 2026-07-28, Streamable HTTP, value encoding (SEP-2243).
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"

const prefix = "=?base64?"
const suffix = "?="

/** What a header may carry plain: visible ASCII, space and tab. */
const plain = /^[\t\x20-\x7e]*$/u
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/u

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09

/**
 * Takes the spaces and tabs off both ends, as RFC 9110 asks of whoever reads a
 * header.
 *
 * @since 0.1.0
 * @category combinators
 */
export const trim = (raw: string): string => {
  let from = 0
  let to = raw.length
  while (from < to && isBlank(raw.charCodeAt(from))) from++
  while (to > from && isBlank(raw.charCodeAt(to - 1))) to--
  return from === 0 && to === raw.length ? raw : raw.slice(from, to)
}

/**
 * Writes a value for a header. Lone surrogates have no UTF-8 form and become
 * U+FFFD.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (value: string): string => {
  const looksEncoded = value.startsWith(prefix) && value.endsWith(suffix)
  if (plain.test(value) && trim(value) === value && !looksEncoded) return value
  let bytes = ""
  for (const byte of new TextEncoder().encode(value)) bytes += String.fromCharCode(byte)
  return `${prefix}${btoa(bytes)}${suffix}`
}

/**
 * Reads a value from a header; `None` when it cannot have been written by
 * `encode`: a character outside visible ASCII, base64 without its padding or
 * with a foreign character, or bytes that are not UTF-8. The markers are exact
 * and lower-case; a value with only one of them is plain.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = (raw: string): Option.Option<string> => {
  const value = trim(raw)
  if (!plain.test(value)) return Option.none()
  if (value.length < prefix.length + suffix.length || !value.startsWith(prefix) || !value.endsWith(suffix)) {
    return Option.some(value)
  }
  const payload = value.slice(prefix.length, -suffix.length)
  if (!base64.test(payload)) return Option.none()
  const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0))
  try {
    return Option.some(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    return Option.none()
  }
}
