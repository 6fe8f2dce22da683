/**
 * Which of a cluster's 16,384 slots a key lies in.
 *
 * @since 0.1.0
 */

/**
 * How many slots the keys of a cluster are spread over.
 *
 * @since 0.1.0
 * @category constants
 */
export const count = 16_384

/** The remainders of CRC-16/XMODEM for each byte. */
const remainders = Uint16Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte << 8
  for (let bit = 0; bit < 8; bit++) remainder = (remainder << 1) ^ ((remainder & 0x8000) === 0 ? 0 : 0x1021)
  return remainder
})

/** What stands between the first brace and the next one that closes, unless nothing does: then the whole key. */
const hashed = (key: string): string => {
  const open = key.indexOf("{")
  const close = open === -1 ? -1 : key.indexOf("}", open)
  return close > open + 1 ? key.slice(open + 1, close) : key
}

/**
 * The slot of a key, from 0 to 16,383. Keys with the same text in their first
 * pair of braces share one.
 *
 * @since 0.1.0
 * @category combinators
 */
export const of = (key: string): number => {
  let remainder = 0
  for (const byte of Buffer.from(hashed(key), "utf8")) {
    remainder = ((remainder << 8) ^ (remainders[(remainder >> 8) ^ byte] ?? 0)) & 0xffff
  }
  return remainder % count
}
