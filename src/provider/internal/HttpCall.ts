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
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberRef from "effect/FiberRef"
import { constTrue } from "effect/Function"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type * as LlmError from "../../llm/LlmError.js"
import * as HttpFailure from "./HttpFailure.js"
import * as TimeBound from "./TimeBound.js"

/**
 * The largest answer that is read unless another limit is given, in bytes.
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
  /** Asks and reads the whole reply within `timeout`; without one, for as long as it takes: then others keep the time. */
  readonly exchange: (
    method: "GET" | "POST",
    path: string,
    body: string | undefined,
    timeout: Duration.DurationInput | undefined
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
  return ["/chat/completions", "/models", "/embeddings"].some((end) => path.endsWith(end))
    ? Either.left("Expected the base URL alone, without /chat/completions, /models or /embeddings.")
    : Either.right(`${url.origin}${path}`)
}

const revealed = (value: string | Redacted.Redacted): string =>
  typeof value === "string" ? value : Redacted.value(value)

/** Redacted wherever a request is shown, without our doing. */
const hiddenAnyway: ReadonlySet<string> = new Set(["authorization", "cookie", "set-cookie", "x-api-key"])

/** Half a character as JSON writes it, behind no backslash that escapes it. */
const half = /(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/gu

/** A text of the user's may hold half a character, and a provider refuses the JSON that does. */
const wellFormed = (json: string): string => json.includes("\\ud") ? json.replace(half, "$1\ufffd") : json

const traceId = /^[0-9a-f]{32}$/u

/** The header that continues the caller's trace, when there is one and the client is not told to leave it out. */
const traceHeader = (
  fiber: { readonly currentContext: Context.Context<never>; getFiberRef: <A>(ref: FiberRef.FiberRef<A>) => A }
): string | undefined => {
  const span = Context.getOption(fiber.currentContext, Tracer.ParentSpan)
  return Option.isSome(span) && traceId.test(span.value.traceId) &&
      fiber.getFiberRef(HttpClient.currentTracerPropagation)
    ? `00-${span.value.traceId}-${span.value.spanId}-${span.value.sampled ? "01" : "00"}`
    : undefined
}

/**
 * Builds the calls of a checked endpoint. Redirects are not followed, also not
 * by `fetch`; an encoding is never asked for. There is no span for each request:
 * whoever calls has one, and its trace goes on in the `traceparent` header.
 * Headers that we set are redacted wherever a request is shown. An answer of
 * more than `limit` bytes is not read.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  endpoint: Endpoint,
  limit: number = maxBodyBytes
): Effect.Effect<HttpCall, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const client = yield* HttpClient.HttpClient
    const scoped = HttpClient.withScope(client)
    const fetchInit = Option.getOrElse(yield* Effect.serviceOption(FetchHttpClient.RequestInit), () => ({}))
    const { apiKey, auth, provider } = endpoint
    const names = [auth.header, ...Object.keys(endpoint.headers)].map((name) => name.toLowerCase())
    const headers = Headers.fromInput({
      ...Object.fromEntries(
        Object.entries(endpoint.headers).map(([name, value]) => [name.toLowerCase(), revealed(value)])
      ),
      accept: "application/json, text/event-stream",
      // What is not packed cannot grow when it is unpacked.
      "accept-encoding": "identity",
      [auth.header]: auth.scheme === undefined ? Redacted.value(apiKey) : `${auth.scheme} ${Redacted.value(apiKey)}`
    })
    const init: RequestInit = { ...fetchInit, redirect: "manual" }
    const hidden = names.filter((name) => !hiddenAnyway.has(name))
    const hiding: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = hidden.length === 0
      ? (self) => self
      : (self) =>
        Effect.flatMap(
          FiberRef.get(Headers.currentRedactedNames),
          (redacted) => Effect.locally(self, Headers.currentRedactedNames, [...redacted, ...hidden])
        )

    const request = (method: "GET" | "POST", path: string, body: string | undefined, trace: string | undefined) => {
      const bare = HttpClientRequest.setHeaders(
        HttpClientRequest.make(method)(`${endpoint.baseUrl}${path}`),
        trace === undefined ? headers : { ...headers, traceparent: trace }
      )
      return body === undefined ? bare : HttpClientRequest.bodyText(bare, wellFormed(body), "application/json")
    }

    const send = <R>(
      by: HttpClient.HttpClient.With<HttpClientError.HttpClientError, R>,
      method: "GET" | "POST",
      path: string,
      body: string | undefined
    ): Effect.Effect<HttpClientResponse.HttpClientResponse, LlmError.LlmError, R> =>
      Effect.withFiberRuntime((fiber) =>
        by.execute(request(method, path, body, traceHeader(fiber))).pipe(
          Effect.provideService(FetchHttpClient.RequestInit, init),
          Effect.locally(HttpClient.currentTracerDisabledWhen, constTrue),
          hiding,
          Effect.mapError((error) => HttpFailure.unreachable(provider, error))
        )
      )

    const read = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<Reply, LlmError.LlmError> => {
      const { headers, status } = response
      return Effect.map(
        status >= 300
          ? Effect.orElseSucceed(readText(response, headers, provider, maxErrorBytes, true), () => "")
          : readText(response, headers, provider, limit, false),
        (text) => ({ status, headers, text })
      )
    }

    const exchange: HttpCall["exchange"] = (method, path, body, timeout) =>
      Effect.suspend(() => {
        let hasHeaders = false
        const answer = Effect.flatMap(send(client, method, path, body), (response) => {
          hasHeaders = true
          return read(response)
        })
        return timeout === undefined ?
          answer :
          TimeBound.within(answer, Duration.toMillis(timeout), () =>
            HttpFailure.timedOut(
              provider,
              `${hasHeaders ? "the answer was not complete" : "no answer came"} within the time given`,
              "answer"
            ))
      })

    return {
      exchange,
      open: (path, body) => send(scoped, "POST", path, body),
      read,
      broken: (error) => HttpFailure.cut(provider, error)
    }
  })

/**
 * The error of an answer whose headers announce more than is read, or `undefined`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const tooLarge = (
  provider: string,
  headers: Reply["headers"],
  limit: number = maxBodyBytes
): LlmError.LlmError | undefined =>
  !isEncoded(headers) && Number(headers["content-length"]) > limit
    ? HttpFailure.malformed(provider, `the answer is larger than ${limit} bytes`)
    : undefined

const isEncoded = (headers: Reply["headers"]): boolean => {
  const encoding = headers["content-encoding"]?.trim().toLowerCase() ?? ""
  return encoding !== "" && encoding !== "identity"
}

const readText = (
  response: HttpClientResponse.HttpClientResponse,
  headers: Reply["headers"],
  provider: string,
  limit: number,
  isError: boolean
): Effect.Effect<string, LlmError.LlmError> => {
  const isPacked = isEncoded(headers)
  const announced = isError ? undefined : tooLarge(provider, headers, limit)
  if (announced !== undefined) {
    // Beginning to read and being interrupted is what closes the connection.
    return Effect.zipRight(
      Effect.raceFirst(Effect.ignore(Stream.runHead(response.stream)), Effect.yieldNow()),
      Effect.fail(announced)
    )
  }
  // The length of what comes packed says nothing of what it is unpacked.
  const isBounded = !isPacked && /^\d{1,9}$/u.test(headers["content-length"] ?? "") &&
    Number(headers["content-length"]) <= limit
  const beyond = () => HttpFailure.malformed(provider, `the answer is larger than ${limit} bytes`)
  const bytes: Effect.Effect<Uint8Array, LlmError.LlmError> = isBounded
    ? Effect.matchEffect(response.arrayBuffer, {
      onFailure: (error) => Effect.fail(HttpFailure.cut(provider, error)),
      onSuccess: (buffer) =>
        buffer.byteLength > limit && !isError ? Effect.fail(beyond()) : Effect.succeed(new Uint8Array(buffer))
    })
    : Effect.suspend(() => {
      const parts: Array<Uint8Array> = []
      let size = 0
      return response.stream.pipe(
        Stream.mapError((error) => HttpFailure.cut(provider, error)),
        Stream.takeWhile(() => !isError || size <= limit),
        Stream.runForEach((part) => {
          size += part.byteLength
          parts.push(part)
          return size > limit && !isError ? Effect.fail(beyond()) : Effect.void
        }),
        Effect.map(() => joined(parts, size))
      )
    })
  return Effect.flatMap(bytes, (bytes) => {
    try {
      return Effect.succeed(new TextDecoder("utf-8", { fatal: !isError }).decode(bytes))
    } catch {
      return Effect.fail(HttpFailure.malformed(
        provider,
        isPacked ? "the answer came packed, which was not asked for" : "the answer is not UTF-8 text"
      ))
    }
  })
}

const joined = (parts: ReadonlyArray<Uint8Array>, size: number): Uint8Array => {
  const [first] = parts
  if (parts.length === 1 && first !== undefined) return first
  const whole = new Uint8Array(size)
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.byteLength
  }
  return whole
}
