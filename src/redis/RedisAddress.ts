/**
 * Reads where Redis is from a URL, and says what is wrong with it without
 * repeating any of it.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"

/**
 * @since 0.1.0
 * @category models
 */
export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly db: number
  readonly tls: boolean
  readonly username: string | undefined
  readonly password: string | undefined
}

const malformed = "the Redis URL cannot be read; write redis://user:password@host:6379/0, or rediss:// for TLS"

const parts = (url: string) => {
  // A URL's own error repeats the URL, and with it the password.
  try {
    const { hash, hostname, password, pathname, port, protocol, search, username } = new URL(url)
    return {
      extra: search !== "" || hash !== "",
      host: hostname.replace(/^\[|\]$/g, ""),
      password: decodeURIComponent(password),
      path: pathname,
      port: port === "" ? 6379 : Number(port),
      protocol,
      username: decodeURIComponent(username)
    }
  } catch {
    return undefined
  }
}

/**
 * Reads a URL; the left side is a sentence about what is wrong with it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const parse = (url: string): Either.Either<RedisAddress, string> => {
  const found = parts(url)
  if (found === undefined || found.host === "") return Either.left(malformed)
  if (found.protocol !== "redis:" && found.protocol !== "rediss:") return Either.left(malformed)
  if (found.extra) return Either.left("the Redis URL has settings after the database number, which are not supported")
  if (!/^(\/\d{0,4})?$/.test(found.path)) {
    return Either.left("the Redis URL must end with a database number, or nothing")
  }
  if (found.port === 0) return Either.left("the Redis URL names port 0")
  return Either.right({
    host: found.host,
    port: found.port,
    db: Number(found.path.slice(1)),
    tls: found.protocol === "rediss:",
    username: found.username === "" ? undefined : found.username,
    password: found.password === "" ? undefined : found.password
  })
}

/**
 * Reads where a node of a cluster is from `host:port`, with an IPv6 address in
 * brackets; the left side is a sentence about what is wrong with it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const parseNode = (text: string): Either.Either<Pick<RedisAddress, "host" | "port">, string> => {
  const found = /^[\w.-]+:\d+$|^\[[\da-f:.]+\]:\d+$/iu.test(text) ? parts(`redis://${text}`) : undefined
  return found === undefined || found.host === "" || found.port === 0
    ? Either.left("a node of the Redis cluster cannot be read; write host:port, and [address]:port for IPv6")
    : Either.right({ host: found.host, port: found.port })
}
