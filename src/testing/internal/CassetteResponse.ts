/**
 * A response whose body comes from a stream of our own.
 *
 * @since 0.1.0
 */
import * as Cookies from "@effect/platform/Cookies"
import type * as Headers from "@effect/platform/Headers"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import * as UrlParams from "@effect/platform/UrlParams"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly request: HttpClientRequest.HttpClientRequest
  readonly status: number
  readonly headers: Headers.Headers
  readonly cookies?: Cookies.Cookies | undefined
  readonly stream: (
    failed: (cause: unknown) => HttpClientError.ResponseError
  ) => Stream.Stream<Uint8Array, HttpClientError.ResponseError>
}

class Response extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpIncomingMessage.TypeId]: HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly request: HttpClientRequest.HttpClientRequest
  readonly status: number
  readonly headers: Headers.Headers
  readonly cookies: Cookies.Cookies
  readonly remoteAddress = Option.none<string>()
  readonly stream: Stream.Stream<Uint8Array, HttpClientError.ResponseError>
  readonly arrayBuffer: Effect.Effect<ArrayBuffer, HttpClientError.ResponseError>

  constructor(options: Options) {
    super()
    this.request = options.request
    this.status = options.status
    this.headers = options.headers
    this.cookies = options.cookies ?? Cookies.empty
    this.stream = options.stream((cause) => this.failed(cause))
    // A body can be read once; whoever asks for it twice gets the same bytes.
    this.arrayBuffer = Effect.runSync(Effect.cached(Effect.map(
      Stream.runFold(this.stream, [] as ReadonlyArray<Uint8Array>, (parts, part) => [...parts, part]),
      (parts) => new Uint8Array(Buffer.concat(parts)).buffer
    )))
  }

  private failed(cause: unknown): HttpClientError.ResponseError {
    return new HttpClientError.ResponseError({ request: this.request, response: this, reason: "Decode", cause })
  }

  get text(): Effect.Effect<string, HttpClientError.ResponseError> {
    return Effect.map(this.arrayBuffer, (buffer) => new TextDecoder().decode(buffer))
  }

  get json(): Effect.Effect<unknown, HttpClientError.ResponseError> {
    return Effect.flatMap(this.text, (text) =>
      Effect.try({
        try: (): unknown => text === "" ? null : JSON.parse(text),
        catch: (cause) => this.failed(cause)
      }))
  }

  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, HttpClientError.ResponseError> {
    return Effect.map(this.text, (text) => UrlParams.fromInput(new URLSearchParams(text)))
  }

  get formData(): Effect.Effect<FormData, HttpClientError.ResponseError> {
    return Effect.fail(this.failed(new Error("a cassette keeps no form data")))
  }

  toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "@effect/platform/HttpClientResponse",
      request: this.request.toJSON(),
      status: this.status
    })
  }
}

/**
 * Makes a response. Its stream is for one reader.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): HttpClientResponse.HttpClientResponse => new Response(options)
