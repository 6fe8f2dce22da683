/**
 * Embedders that fail as a test says, and what is logged of it.
 *
 * @since 0.1.0
 */
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as HashEmbedder from "causeway-mcp/embedding/HashEmbedder"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { inspect } from "node:util"

/** An embedder's failure; `isRefusal` is left out unless given. */
export const failure = (isRetryable: boolean, isRefusal?: boolean, cause?: unknown) =>
  new Embedder.EmbedderError({
    embedder: "remote/model@384",
    description: isRetryable ? "the provider does not answer" : "the request was refused",
    isRetryable,
    ...(isRefusal === undefined ? {} : { isRefusal }),
    ...(cause === undefined ? {} : { cause })
  })

/**
 * Refuses a call with any text that has `poison` in it, with `refusal`; fails every call while `isDown` says how;
 * gives a vector that is none for a text with `unnumbered` in it.
 */
export const make = (refusal: Embedder.EmbedderError = failure(false, true)) => {
  const calls: Array<ReadonlyArray<string>> = []
  const told = { isDown: undefined as Embedder.EmbedderError | undefined }
  const embedder: Embedder.Embedding = {
    id: "remote/model@384",
    dimensions: HashEmbedder.dimensions,
    embed: (texts) =>
      Effect.suspend(() => {
        calls.push(texts)
        return told.isDown !== undefined
          ? Effect.fail(told.isDown)
          : texts.some((text) => text.includes("poison"))
          ? Effect.fail(refusal)
          : Effect.succeed(
            texts.map((text) =>
              text.includes("unnumbered")
                ? new Float32Array(HashEmbedder.dimensions).fill(NaN)
                : HashEmbedder.vector(text)
            )
          )
      })
  }
  return { calls, embedder, told }
}

/** Collects what is logged, as text, causes and all. */
export const collected = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ cause, logLevel, message }) => {
    lines.push(`${logLevel.label} ${inspect(message, { depth: 12 })} ${inspect(cause, { depth: 12 })}`)
  })
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}
