/**
 * Records what providers answer over HTTP, without any secret, and plays it back
 * to tests that need no network and no key.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Headers from "@effect/platform/Headers"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as UrlParams from "@effect/platform/UrlParams"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as CassetteEntry from "./internal/CassetteEntry.js"
import * as CassetteResponse from "./internal/CassetteResponse.js"

/**
 * A cassette that cannot be opened or read.
 *
 * @since 0.1.0
 * @category errors
 */
export class CassetteError extends Schema.TaggedError<CassetteError>("causeway/Cassette/CassetteError")(
  "CassetteError",
  { path: Schema.String, description: Schema.String, cause: Schema.optionalWith(Schema.Defect, { exact: true }) }
) {
  override get message() {
    return `The cassette ${this.path} ${this.description}.`
  }
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** The file, one exchange a line. Its directory has to exist. */
  readonly path: string
  /** Texts that must not be written, wherever they stand; keys in headers and queries never are. */
  readonly secrets?: ReadonlyArray<Redacted.Redacted> | undefined
  /** Whether the times of the pieces are recorded, and waited for again by the `Clock`; not unless set. */
  readonly times?: boolean | undefined
}

/**
 * Sends requests on to the `HttpClient` beneath and writes every exchange to a
 * new file: requests, statuses, headers, bodies piece by piece, failures of the
 * network. A line is written when the body has been read, broke or was left; of a
 * body that nobody reads, when the layer closes. Credentials in headers and query
 * are never written, nor are they or `secrets` anywhere else. A file that cannot
 * be written later on is a defect.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerRecord = (
  options: Options
): Layer.Layer<HttpClient.HttpClient, CassetteError, HttpClient.HttpClient | FileSystem.FileSystem> =>
  Layer.scoped(HttpClient.HttpClient, record(options))

/** An exchange under way. */
interface Open {
  readonly entry: Pick<CassetteEntry.Entry, "number" | "request">
  readonly scrub: CassetteEntry.Scrubber
  readonly startedAt: number
  response: { readonly status: number; readonly headers: Headers.Headers; readonly afterMs: number } | undefined
  readonly parts: Array<{ readonly bytes: Uint8Array; readonly afterMs: number | undefined }>
}

const record = (
  options: Options
): Effect.Effect<
  HttpClient.HttpClient,
  CassetteError,
  HttpClient.HttpClient | FileSystem.FileSystem | Scope.Scope
> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const inner = yield* HttpClient.HttpClient
    yield* Effect.mapError(
      files.writeFileString(options.path, ""),
      (cause) => new CassetteError({ path: options.path, description: "cannot be written", cause })
    )
    const turn = Effect.unsafeMakeSemaphore(1)
    const waiting = new Set<Open>()
    let count = 0

    const write = (entry: CassetteEntry.Entry): Effect.Effect<void> =>
      files.writeFileString(options.path, `${JSON.stringify(entry)}\n`, { flag: "a" }).pipe(
        turn.withPermits(1),
        Effect.orDie
      )

    const close = (open: Open, end: "complete" | "broken" | "left", code?: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        const { response } = open
        if (response === undefined || !waiting.delete(open)) return Effect.void
        const { isScrubbed, pieces } = CassetteEntry.piecesOf(open.parts, open.scrub)
        const headers = open.scrub.headers(response.headers)
        return write({
          ...open.entry,
          response: {
            status: response.status,
            // Of a body that was changed, the length is no longer true.
            headers: isScrubbed
              ? Object.fromEntries(Object.entries(headers).filter(([name]) => name !== "content-length"))
              : headers,
            ...(options.times === true ? { afterMs: response.afterMs } : {}),
            pieces,
            end,
            ...(code === undefined ? {} : { code })
          }
        })
      })

    yield* Effect.addFinalizer(() => Effect.forEach([...waiting], (open) => close(open, "left"), { discard: true }))

    const begin = (request: HttpClientRequest.HttpClientRequest, startedAt: number): Open => ({
      ...entryOf(request, options.secrets ?? [], count++),
      startedAt,
      response: undefined,
      parts: []
    })

    const tapped = (
      open: Open,
      response: HttpClientResponse.HttpClientResponse
    ): HttpClientResponse.HttpClientResponse =>
      CassetteResponse.make({
        request: response.request,
        status: response.status,
        headers: response.headers,
        cookies: response.cookies,
        stream: () =>
          response.stream.pipe(
            Stream.tap((bytes) =>
              Effect.map(Clock.currentTimeMillis, (now) => {
                open.parts.push({ bytes, afterMs: options.times === true ? now - open.startedAt : undefined })
              })
            ),
            Stream.concat(Stream.execute(close(open, "complete"))),
            Stream.tapError((error) => close(open, "broken", CassetteEntry.codeOf(error))),
            // What was neither complete nor broken when the stream closes had a reader that left.
            Stream.ensuring(close(open, "left"))
          )
      })

    return HttpClient.transform(inner, (effect, request) =>
      Effect.flatMap(Clock.currentTimeMillis, (startedAt) => {
        const open = begin(request, startedAt)
        return effect.pipe(
          Effect.tapError((error) =>
            error._tag === "RequestError"
              ? write({ ...open.entry, failure: { reason: error.reason, ...coded(error) } })
              : Effect.void
          ),
          Effect.flatMap((response) =>
            Effect.map(Clock.currentTimeMillis, (now) => {
              open.response = { status: response.status, headers: response.headers, afterMs: now - startedAt }
              waiting.add(open)
              return tapped(open, response)
            })
          )
        )
      }))
  })

const coded = (error: unknown): { readonly code?: string } => {
  const code = CassetteEntry.codeOf(error)
  return code === undefined ? {} : { code }
}

const entryOf = (
  request: HttpClientRequest.HttpClientRequest,
  secrets: ReadonlyArray<Redacted.Redacted>,
  number: number
): { readonly entry: Open["entry"]; readonly scrub: CassetteEntry.Scrubber } => {
  const scrub = CassetteEntry.scrubber(secrets, request.headers)
  const body = CassetteEntry.bodyOf(request)
  const url = UrlParams.makeUrl(request.url, request.urlParams, request.hash)
  return {
    scrub,
    entry: {
      number,
      request: {
        method: request.method,
        path: Either.match(url, { onLeft: () => scrub.text(request.url), onRight: scrub.path }),
        headers: scrub.headers(request.headers),
        body: body === null ? null : scrub.text(body)
      }
    }
  }
}

/**
 * Answers requests from a file that `layerRecord` wrote, and never from the
 * network. A request plays the recorded exchanges of the same method, path (with
 * its query) and body, in the order they were recorded; the host, the headers and
 * the order of keys in JSON do not count. When there is none left, the request
 * fails with a `RequestError` that says so. The file is read once.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerReplay = (
  options: Options
): Layer.Layer<HttpClient.HttpClient, CassetteError, FileSystem.FileSystem> =>
  Layer.effect(HttpClient.HttpClient, replay(options))

const decodeLine = Schema.decodeUnknownEither(Schema.parseJson(CassetteEntry.Entry))

const replay = (
  options: Options
): Effect.Effect<HttpClient.HttpClient, CassetteError, FileSystem.FileSystem> =>
  Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const text = yield* Effect.mapError(
      files.readFileString(options.path),
      (cause) => new CassetteError({ path: options.path, description: "cannot be read", cause })
    )
    const entries: Array<CassetteEntry.Entry> = []
    for (const [index, line] of text.split("\n").entries()) {
      if (line.trim() === "") continue
      const entry = decodeLine(line)
      if (Either.isLeft(entry)) {
        return yield* new CassetteError({ path: options.path, description: `holds no exchange in line ${index + 1}` })
      }
      entries.push(entry.right)
    }
    const left = new Map<string, Array<CassetteEntry.Entry>>()
    for (const entry of entries.sort((a, b) => a.number - b.number)) {
      const key = CassetteEntry.keyOf(entry.request)
      left.set(key, [...(left.get(key) ?? []), entry])
    }

    return HttpClient.make((request) =>
      Effect.suspend(() => {
        const asked = entryOf(request, options.secrets ?? [], 0).entry.request
        const found = left.get(CassetteEntry.keyOf(asked))
        const entry = found?.shift()
        if (entry === undefined) {
          return new HttpClientError.RequestError({
            request,
            reason: "Transport",
            description: `the cassette ${options.path} has no${found === undefined ? "" : " further"} reply to ` +
              `${asked.method} ${asked.path} with the body ${(asked.body ?? "that streams").slice(0, 200)}`
          })
        }
        return play(request, entry, options.times === true)
      })
    )
  })

const failureOf = (code: string | undefined): Error =>
  Object.assign(new Error("as it was recorded"), code === undefined ? {} : { code })

const play = (
  request: HttpClientRequest.HttpClientRequest,
  { failure, response }: CassetteEntry.Entry,
  isTimed: boolean
): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.RequestError> => {
  if (response === undefined) {
    return new HttpClientError.RequestError({
      request,
      reason: failure?.reason ?? "Transport",
      cause: failureOf(failure?.code)
    })
  }
  let at = 0
  const until = (afterMs: number | undefined): Effect.Effect<void> =>
    Effect.suspend(() => {
      const wait = isTimed && afterMs !== undefined ? Math.max(0, afterMs - at) : 0
      at += wait
      return wait === 0 ? Effect.void : Effect.sleep(wait)
    })
  return Effect.map(until(response.afterMs), () =>
    CassetteResponse.make({
      request,
      status: response.status,
      headers: Headers.fromInput(response.headers),
      stream: (failed) =>
        Stream.concat(
          Stream.fromIterable(response.pieces).pipe(
            Stream.rechunk(1),
            Stream.mapEffect((piece) => Effect.as(until(piece.afterMs), CassetteEntry.bytesOf(piece)))
          ),
          response.end === "complete"
            ? Stream.empty
            : Stream.fail(failed(
              response.end === "broken"
                ? failureOf(response.code)
                : new Error("the recording ends here, because its reader had left")
            ))
        )
    }))
}
