/**
 * Fetches small JSON documents of an authorization server: no redirect is
 * followed, and neither time nor size is without a bound.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * Why there is no document. `what` is for the log, and holds nothing secret.
 *
 * @internal
 */
export class FetchFailed extends Schema.TaggedError<FetchFailed>("causeway/auth/FetchFailed")("FetchFailed", {
  what: Schema.String,
  status: Schema.optionalWith(Schema.Int, { exact: true }),
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  override get message() {
    return this.what
  }
}

const mostBytes = 64 * 1024

const read = async (response: Response): Promise<unknown> => {
  const chunks: Array<Uint8Array> = []
  let size = 0
  // Aborting the fetch ends this loop as well.
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > mostBytes) {
      throw new FetchFailed({ what: `the answer is over ${mostBytes} bytes`, status: response.status })
    }
    chunks.push(chunk)
  }
  const text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks))
  return JSON.parse(text)
}

/**
 * The document at a URL; fails for any status but 200, for what is no JSON or
 * over 64 KiB, and when it is not there in time.
 *
 * @internal
 */
export const json = (
  url: string,
  timeout: Duration.DurationInput,
  init: Omit<RequestInit, "signal" | "redirect"> = {}
): Effect.Effect<unknown, FetchFailed> =>
  Effect.tryPromise({
    try: async (signal) => {
      const headers = { accept: "application/json", ...init.headers }
      const response = await fetch(url, { ...init, headers, redirect: "manual", signal })
      if (response.status === 200) return await read(response)
      await response.body?.cancel()
      throw new FetchFailed({ what: `it answered with status ${response.status}`, status: response.status })
    },
    catch: (cause) =>
      cause instanceof FetchFailed ? cause : new FetchFailed({ what: "it did not answer, or not with JSON", cause })
  }).pipe(
    Effect.timeoutFail({ duration: timeout, onTimeout: () => new FetchFailed({ what: "it did not answer in time" }) })
  )
