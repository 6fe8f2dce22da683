/**
 * Why Redis did not do what it was asked, without a word of what that was.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

/**
 * Redis did not answer; trying again may help.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unavailable extends Data.TaggedError("Unavailable")<{ readonly cause?: Error }> {
  override get message() {
    return "Redis did not answer"
  }
}

/**
 * Redis cannot be used with these settings, and will not answer until they are
 * put right.
 *
 * @since 0.1.0
 * @category errors
 */
export class Misconfigured extends Data.TaggedError("Misconfigured")<{
  readonly description: string
  readonly cause?: Error
}> {
  override get message() {
    return this.description
  }
}

/**
 * Why a command failed. Holds neither the command nor its arguments.
 *
 * @since 0.1.0
 * @category errors
 */
export type Trouble = Unavailable | Misconfigured

/** Replies that stay the same until an operator acts; those to a script may stand inside another. */
const refusals: ReadonlyArray<readonly [RegExp, (user: string) => string]> = [
  [/^WRONGPASS|^ERR invalid (username-)?password/, () => "Redis refused the user name or the password"],
  [/^NOAUTH/, () => "Redis asks for a password, and none is set"],
  [/\bNOPERM\b/, (user) => `the Redis user may not run the commands that ${user} needs`],
  [/^ERR (DB index|invalid DB)/, () => "Redis has no database with the number in the URL"],
  [/^ERR SELECT is not allowed in cluster mode/, () => "a Redis cluster has no database but 0; end the URL before it"],
  [/\bunknown (redis )?command/i, (user) => `this Redis does not have the commands that ${user} needs`],
  [/cluster support disabled/, () => "this Redis is no cluster; leave out the option cluster"],
  [/\bWRONGTYPE\b/, (user) => `the keys under ${user}'s prefix hold something else`],
  [
    /^MOVED|\bCROSSSLOT\b/,
    () =>
      "this Redis is a node of a cluster; set the option cluster to true, or give the address of a single server or " +
      "of a proxy"
  ]
]

/** What a connection fails with when the two sides do not agree on TLS, by the code of Node or OpenSSL. */
const untrusted = /^(?:CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT)/u
const noTls = /^(?:ERR_SSL_|EPROTO$)/u

const ofTls = (error: Error): string | undefined => {
  const code = "code" in error && typeof error.code === "string" ? error.code : ""
  return untrusted.test(code)
    ? `the certificate of Redis is not trusted (${code}); trust its authority by NODE_EXTRA_CA_CERTS`
    : noTls.test(code)
    ? `Redis and this process do not agree on TLS (${code}); check that the URL begins with what the port speaks`
    : undefined
}

const timedOut = "Command timed out"

/**
 * Whether the driver gave up waiting for the reply.
 *
 * @since 0.1.0
 * @category guards
 */
export const isTimeout = (error: unknown): boolean => error instanceof Error && error.message === timedOut

/**
 * What an error of the driver means to `user`. Such errors carry the command and
 * its arguments, and some replies quote them: of AUTH, that is the password. Only
 * the reply's code is kept.
 *
 * @since 0.1.0
 * @category constructors
 */
export const translate = (error: unknown, user: string): Trouble => {
  if (!(error instanceof Error)) return new Unavailable({})
  if (error.name !== "ReplyError") {
    const cause = new Error(error.message || error.name)
    const description = ofTls(error)
    return description === undefined ? new Unavailable({ cause }) : new Misconfigured({ description, cause })
  }
  const refusal = refusals.find(([pattern]) => pattern.test(error.message))
  const cause = new Error(`Redis replied ${/^[A-Z]*/.exec(error.message)?.[0] || "with an error"}`)
  return refusal === undefined
    ? new Unavailable({ cause })
    : new Misconfigured({ description: refusal[1](user), cause })
}
