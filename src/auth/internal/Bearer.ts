/**
 * Reads bearer tokens.
 *
 * Source: RFC 6750 §2.1.
 *
 * @since 0.1.0
 */

/**
 * The token in an `Authorization` header; `undefined` when the header is of
 * another scheme or holds none. What it holds is not looked at.
 *
 * @internal
 */
export const tokenOf = (authorization: string | undefined): string | undefined => {
  if (authorization === undefined || authorization.length < 8) return undefined
  if (authorization.slice(0, 7).toLowerCase() !== "bearer ") return undefined
  const token = authorization.slice(7).trim()
  return token === "" ? undefined : token
}
