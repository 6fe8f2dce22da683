/**
 * Tells the failures of HTTP itself as an `LlmError`: what was never sent, what
 * broke on the way, what is no HTTP.
 *
 * @since 0.1.0
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as Chat from "../../llm/Chat.js"
import * as LlmError from "../../llm/LlmError.js"

/**
 * The error of a call that ran out of time.
 *
 * @since 0.1.0
 * @category errors
 */
export const timedOut = (provider: string, description: string, phase?: Chat.Phase): LlmError.LlmError =>
  new LlmError.LlmError({ reason: "TimedOut", provider, description, ...(phase === undefined ? {} : { phase }) })

/**
 * The error of an answer that cannot be read.
 *
 * @since 0.1.0
 * @category errors
 */
export const malformed = (provider: string, description: string): LlmError.LlmError =>
  new LlmError.LlmError({ reason: "Malformed", provider, description })

/** What is known of a network error, which hides behind one or two causes. */
interface Signs {
  readonly code: string | undefined
  readonly syscall: string | undefined
  readonly message: string
}

/** The parser's error, which may come without a code. */
const parserError = "HTTPParserError"

const signsOf = (error: unknown, depth = 0): Signs => {
  if (!(error instanceof Error) || depth > 4) return { code: undefined, syscall: undefined, message: "" }
  const code = "code" in error && typeof error.code === "string" && /^[A-Z][A-Z0-9_]{1,60}$/u.test(error.code)
    ? error.code
    : error.name === parserError
    ? `HPE_${error.message.includes("EOF") ? "INVALID_EOF_STATE" : "UNKNOWN"}`
    : undefined
  const inner = error.cause === undefined && error instanceof AggregateError ? error.errors[0] : error.cause
  if (code === undefined && inner !== undefined) return signsOf(inner, depth + 1)
  const syscall = "syscall" in error && typeof error.syscall === "string" ? error.syscall : undefined
  return { code, syscall, message: error.message }
}

const certificate = /^(?:CERT_|ERR_TLS_|ERR_SSL_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO$)/u

/** A reply that is no HTTP, or whose headers are too large. An end that comes too soon is no such thing. */
const noHttp = /^(?:HPE_(?!INVALID_EOF_STATE)|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RESPONSE)/u

const unsent = /^(?:ECONNREFUSED|ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT)/u

const isUnsent = ({ code, message, syscall }: Signs): boolean =>
  unsent.test(code ?? "") || syscall === "connect" || syscall === "getaddrinfo" ||
  message.startsWith("Client network socket disconnected before secure TLS connection")

/**
 * The HTTP client's own error holds the request with its headers, and a parser's
 * error what the provider sent; so only other errors beneath it are kept.
 */
const causeOf = (error: HttpClientError.HttpClientError, code: string | undefined): { readonly cause?: unknown } =>
  error.cause instanceof Error && !noHttp.test(code ?? "") && code !== "HPE_INVALID_EOF_STATE"
    ? { cause: error.cause }
    : {}

const shownCode = (code: string | undefined): string => code === undefined ? "" : ` (${code})`

/**
 * The error of a request that got no response. `phase` is `connect` when it was
 * certainly not sent.
 *
 * @since 0.1.0
 * @category errors
 */
export const unreachable = (provider: string, error: HttpClientError.HttpClientError): LlmError.LlmError => {
  const signs = signsOf(error.cause)
  const { code } = signs
  const cause = causeOf(error, code)
  if (code !== undefined && certificate.test(code)) {
    return new LlmError.LlmError({
      reason: "Untrusted",
      provider,
      phase: "connect",
      description: `the provider's TLS certificate or protocol was not accepted${shownCode(code)}`,
      ...cause
    })
  }
  if (code !== undefined && noHttp.test(code)) {
    return malformed(provider, `the answer is no valid HTTP, or its headers are too large${shownCode(code)}`)
  }
  const isConnecting = isUnsent(signs)
  return new LlmError.LlmError({
    reason: code === "UND_ERR_CONNECT_TIMEOUT" || code === "ETIMEDOUT" ? "TimedOut" : "Transient",
    provider,
    description: isConnecting
      ? `the provider could not be reached${shownCode(code)}`
      : `the connection broke before an answer came${shownCode(code)}`,
    ...(isConnecting ? { phase: "connect" as const } : {}),
    ...cause
  })
}

/**
 * The error of a body that could not be read to its end.
 *
 * @since 0.1.0
 * @category errors
 */
export const cut = (provider: string, error: HttpClientError.HttpClientError): LlmError.LlmError => {
  const { code } = signsOf(error.cause)
  return code !== undefined && noHttp.test(code)
    ? malformed(provider, `the answer is no valid HTTP${shownCode(code)}`)
    : new LlmError.LlmError({
      reason: "Transient",
      provider,
      description: `the connection broke while the answer was coming${shownCode(code)}`,
      ...causeOf(error, code)
    })
}
