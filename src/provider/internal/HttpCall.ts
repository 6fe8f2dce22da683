/**
 * One call to a provider over HTTP: the key in its header, a deadline, a bound
 * on the body, and every failure of the way told as an `LlmError`.
 *
 * @since 0.1.0
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Headers from "@effect/platform/Headers"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as LlmError from "../../llm/LlmError.js"

/**
 * The largest answer that is read, in bytes.
 *
 * @since 0.1.0
 * @category configuration
 */
export const maxBodyBytes = 8 * 1024 * 1024

/** An error body is read this far; what follows changes no decision. */
const maxErrorBytes = 64 * 1024

/**
 * Where and as whom to call.
 *
 * @since 0.1.0
 * @category models
 */
export interface Endpoint {
  readonly provider: string
  readonly baseUrl: string
  readonly apiKey: Redacted.Redacted
  readonly auth: { readonly header: string; readonly scheme?: string }
  readonly headers: { readonly [name: string]: string | Redacted.Redacted }
}

/**
 * A whole reply, of any status.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reply {
  readonly status: number
  readonly headers: { readonly [name: string]: string | undefined }
  readonly text: string
}

/**
 * Calls of one endpoint.
 *
 * @since 0.1.0
 * @category models
 */
export interface HttpCall {
  /** Asks and reads the whole reply within `timeout`. */
  readonly exchange: (
    method: "GET" | "POST",
    path: string,
    body: string | undefined,
    timeout: Duration.DurationInput
  ) => Effect.Effect<Reply, LlmError.LlmError>
  /** Asks and returns when the headers are there; closing the scope closes the connection. */
  readonly open: (
    path: string,
    body: string
  ) => Effect.Effect<HttpClientResponse.HttpClientResponse, LlmError.LlmError, Scope.Scope>
  /** The whole body of an opened response, as far as its status deserves. */
  readonly read: (response: HttpClientResponse.HttpClientResponse) => Effect.Effect<Reply, LlmError.LlmError>
  /** Tells a failure to read the body as an `LlmError`. */
  readonly broken: (error: HttpClientError.HttpClientError) => LlmError.LlmError
}

const headerValue = /^[\t\x20-\x7e]*$/u
const headerName = /^[!#$%&'*+.^_`|~0-9a-z-]+$/iu

/**
 * Checks an endpoint and tidies its URL and key, or says in one sentence which
 * option is wrong: `[option, sentence]`. No sentence repeats a value.
 *
 * @since 0.1.0
 * @category constructors
 */
export const check = (endpoint: Endpoint): Either.Either<Endpoint, readonly [option: string, sentence: string]> => {
  const url = checkUrl(endpoint.baseUrl)
  if (Either.isLeft(url)) return Either.left(["baseUrl", url.left])
  const key = Redacted.value(endpoint.apiKey).trim()
  if (key === "") return Either.left(["apiKey", "The key is empty."])
  if (!/^[\x21-\x7e]+$/u.test(key)) {
    return Either.left(["apiKey", "The key holds a space, a line break or a character that is not ASCII."])
  }
  for (const [name, value] of Object.entries(endpoint.headers)) {
    if (!headerName.test(name)) return Either.left(["headers", "One of the header names is no HTTP header name."])
    if (!headerValue.test(revealed(value))) {
      return Either.left(["headers", `The value of the header ${name} holds a character that headers may not have.`])
    }
  }
  return Either.right({ ...endpoint, baseUrl: url.right, apiKey: Redacted.make(key) })
}

const checkUrl = (text: string): Either.Either<string, string> => {
  const trimmed = text.trim()
  if (!URL.canParse(trimmed)) return Either.left("Expected a URL such as https://api.example.com/v1.")
  const url = new URL(trimmed)
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    return Either.left("Expected a URL that begins with https:// or http://.")
  }
  if (url.username !== "" || url.password !== "") {
    return Either.left("The URL must hold no user name or password; give the key by its own setting.")
  }
  if (url.search !== "" || url.hash !== "") return Either.left("The URL must hold no query and no fragment.")
  const path = url.pathname.replace(/\/{1,10}$/u, "")
  return path.endsWith("/chat/completions") || path.endsWith("/models")
    ? Either.left("Expected the base URL alone, without /chat/completions or /models.")
    : Either.right(`${url.origin}${path}`)
}

const revealed = (value: string | Redacted.Redacted): string =>
  typeof value === "string" ? value : Redacted.value(value)

/**
 * Builds the calls of a checked endpoint. Redirects are not followed, also not
 * by `fetch`; headers that we set are redacted in spans.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (endpoint: Endpoint): Effect.Effect<HttpCall, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const client = HttpClient.withScope(yield* HttpClient.HttpClient)
    const fetchInit = Option.getOrElse(yield* Effect.serviceOption(FetchHttpClient.RequestInit), () => ({}))
    const { apiKey, auth, provider } = endpoint
    const names = [auth.header, ...Object.keys(endpoint.headers)].map((name) => name.toLowerCase())
    const headers = Headers.fromInput({
      ...Object.fromEntries(
        Object.entries(endpoint.headers).map(([name, value]) => [name.toLowerCase(), revealed(value)])
      ),
      accept: "application/json, text/event-stream",
      [auth.header]: auth.scheme === undefined ? Redacted.value(apiKey) : `${auth.scheme} ${Redacted.value(apiKey)}`
    })

    const execute = (request: HttpClientRequest.HttpClientRequest) =>
      client.execute(HttpClientRequest.setHeaders(request, headers)).pipe(
        Effect.provideService(FetchHttpClient.RequestInit, { ...fetchInit, redirect: "manual" }),
        hiding(names),
        Effect.mapError((error) => unreachable(provider, error))
      )

    const send = (method: "GET" | "POST", path: string, body: string | undefined) =>
      execute(
        body === undefined
          ? HttpClientRequest.make(method)(`${endpoint.baseUrl}${path}`)
          : HttpClientRequest.bodyText(
            HttpClientRequest.make(method)(`${endpoint.baseUrl}${path}`),
            body,
            "application/json"
          )
      )

    const read = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<Reply, LlmError.LlmError> =>
      Effect.map(
        response.status >= 300
          ? Effect.orElseSucceed(readText(response, provider, maxErrorBytes, true), () => "")
          : readText(response, provider, maxBodyBytes, false),
        (text) => ({ status: response.status, headers: response.headers, text })
      )

    const exchange: HttpCall["exchange"] = (method, path, body, timeout) =>
      Effect.suspend(() => {
        let phase = "no answer came"
        return Effect.scoped(Effect.flatMap(send(method, path, body), (response) => {
          phase = "the answer was not complete"
          return read(response)
        })).pipe(
          Effect.timeoutFail({
            duration: timeout,
            onTimeout: () => timedOut(provider, `${phase} within the time given`)
          })
        )
      })

    return { exchange, open: (path, body) => send("POST", path, body), read, broken: (error) => cut(provider, error) }
  })

const hiding = (names: ReadonlyArray<string>) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    FiberRef.get(Headers.currentRedactedNames),
    (redacted) => Effect.locally(self, Headers.currentRedactedNames, [...redacted, ...names])
  )

/**
 * The error of a call that ran out of time.
 *
 * @since 0.1.0
 * @category errors
 */
export const timedOut = (provider: string, description: string): LlmError.LlmError =>
  new LlmError.LlmError({ reason: "TimedOut", provider, description })

const readText = (
  response: HttpClientResponse.HttpClientResponse,
  provider: string,
  limit: number,
  isError: boolean
): Effect.Effect<string, LlmError.LlmError> =>
  Effect.suspend(() => {
    const parts: Array<Uint8Array> = []
    let size = 0
    const declared = Number(response.headers["content-length"])
    const tooLarge = malformed(provider, `the answer is larger than ${limit} bytes`)
    if (!isError && declared > limit) return Effect.fail(tooLarge)
    return response.stream.pipe(
      Stream.mapError((error) => cut(provider, error)),
      Stream.takeWhile(() => !isError || size <= limit),
      Stream.runForEach((part) => {
        size += part.byteLength
        parts.push(part)
        return size > limit && !isError ? Effect.fail(tooLarge) : Effect.void
      }),
      Effect.flatMap(() =>
        Effect.try({
          try: () => new TextDecoder("utf-8", { fatal: !isError }).decode(joined(parts, size)),
          catch: () => malformed(provider, "the answer is not UTF-8 text")
        })
      )
    )
  })

const joined = (parts: ReadonlyArray<Uint8Array>, size: number): Uint8Array => {
  const whole = new Uint8Array(size)
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.byteLength
  }
  return whole
}

/**
 * The error of an answer that cannot be read.
 *
 * @since 0.1.0
 * @category errors
 */
export const malformed = (provider: string, description: string): LlmError.LlmError =>
  new LlmError.LlmError({ reason: "Malformed", provider, description })

/** The code of a network error, which hides behind one or two causes. */
const codeOf = (error: unknown, depth = 0): string | undefined => {
  if (!(error instanceof Error) || depth > 4) return undefined
  return ("code" in error && typeof error.code === "string" && /^[A-Z][A-Z0-9_]{1,60}$/u.test(error.code)
    ? error.code
    : undefined) ?? codeOf(error.cause, depth + 1)
}

/** The HTTP client's own error holds the request with its headers, so only what lies beneath it is kept. */
const causeOf = (error: HttpClientError.HttpClientError): { readonly cause?: unknown } =>
  error.cause instanceof Error ? { cause: error.cause } : {}

const certificate = /^(?:CERT_|ERR_TLS_|ERR_SSL_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|HOSTNAME_MISMATCH)/u

const unreachable = (provider: string, error: HttpClientError.HttpClientError): LlmError.LlmError => {
  const code = codeOf(error.cause)
  const shown = code === undefined ? "" : ` (${code})`
  if (code !== undefined && certificate.test(code)) {
    return new LlmError.LlmError({
      reason: "ModelUnavailable",
      provider,
      description: `the provider's TLS certificate was not accepted${shown}`,
      ...causeOf(error)
    })
  }
  return new LlmError.LlmError({
    reason: code === "UND_ERR_CONNECT_TIMEOUT" || code === "ETIMEDOUT" ? "TimedOut" : "Transient",
    provider,
    description: `the provider could not be reached${shown}`,
    ...causeOf(error)
  })
}

const cut = (provider: string, error: HttpClientError.HttpClientError): LlmError.LlmError => {
  const code = codeOf(error.cause)
  return new LlmError.LlmError({
    reason: "Transient",
    provider,
    description: `the connection broke while the answer was coming${code === undefined ? "" : ` (${code})`}`,
    ...causeOf(error)
  })
}
