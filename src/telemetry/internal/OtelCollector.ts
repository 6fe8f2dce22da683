/**
 * The HTTP client to a collector: no request takes longer than it may, few wait at
 * a time, and an outage is logged once.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly url: string
  readonly timeout: Duration.Duration
}

/** Each holds a batch. */
const mostInFlight = 8
/** Pieces of an answer that are read and dropped. */
const mostPieces = 64

/** Other than `Transport`, this is not tried again: the exporter then rests for a minute, and drops what comes. */
const given = (request: HttpClientRequest.HttpClientRequest, description: string): HttpClientError.RequestError =>
  new HttpClientError.RequestError({ request, reason: "Encode", description })

const late = (request: HttpClientRequest.HttpClientRequest): HttpClientError.RequestError =>
  new HttpClientError.RequestError({ request, reason: "Transport", description: "no answer in time" })

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  client: HttpClient.HttpClient,
  { timeout, url }: Options
): Effect.Effect<HttpClient.HttpClient> =>
  Effect.sync(() => {
    const where = new URL(url).host
    let inFlight = 0
    let isDown = false

    const failed = (why: string): Effect.Effect<void> => {
      if (isDown) return Effect.void
      isDown = true
      return Effect.logWarning(
        `The OpenTelemetry collector at ${where} does not take what it is sent (${why}); it is lost until it does`
      )
    }
    const answered = (status: number): Effect.Effect<void> => {
      if (status >= 300) return failed(`status ${status}`)
      if (!isDown) return Effect.void
      isDown = false
      return Effect.logInfo(`The OpenTelemetry collector at ${where} takes what it is sent again`)
    }

    return HttpClient.makeWith<HttpClientError.HttpClientError, never, HttpClientError.HttpClientError, never>(
      (prepared) =>
        Effect.flatMap(prepared, (request) => {
          const ask = client.execute(request).pipe(
            // A body that is not read holds its connection; nobody wants to have what it says.
            Effect.tap((response) => Effect.ignore(Stream.runDrain(Stream.take(response.stream, mostPieces)))),
            Effect.timeoutFail({ duration: timeout, onTimeout: () => late(request) }),
            Effect.tapBoth({
              onFailure: (error) =>
                failed(error._tag === "RequestError" ? "no answer" : `status ${error.response.status}`),
              onSuccess: (response) => answered(response.status)
            }),
            // Its `Retry-After` may be a day, for which the exporter would wait with what it has.
            Effect.filterOrFail(
              (response) => response.status !== 429,
              () => given(request, "the collector has had enough")
            )
          )
          return Effect.acquireUseRelease(
            Effect.suspend(() => {
              if (inFlight >= mostInFlight) {
                return Effect.fail(given(request, "too many requests wait for the collector"))
              }
              inFlight += 1
              return Effect.void
            }),
            () => ask,
            () =>
              Effect.sync(() => {
                inFlight -= 1
              })
          )
        }),
      Effect.succeed
    )
  })
