/**
 * An embedder whose calls wait until the test ends them.
 */
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

/** The vector of a text, which nobody can mistake for another's. */
export const vectorOf = (text: string): Float32Array => {
  let hash = 7
  for (let at = 0; at < text.length; at++) hash = (hash * 31 + text.charCodeAt(at)) % 1_000_003
  return Float32Array.of(text.length, hash, 1)
}

export const error = (description: string, isRetryable: boolean) =>
  new Embedder.EmbedderError({ embedder: "scripted", description, isRetryable })

export interface Asked {
  readonly texts: ReadonlyArray<string>
  readonly answer: Deferred.Deferred<ReadonlyArray<Float32Array>, Embedder.EmbedderError>
  isInterrupted: boolean
}

/** Each call of `embed` is added to `asked` and waits for its `answer`. */
export const make = () => {
  const asked: Array<Asked> = []
  const embedder: Embedder.Embedding = {
    id: "scripted",
    dimensions: 3,
    lexicalWeight: 0.25,
    embed: (texts) =>
      Effect.flatMap(Deferred.make<ReadonlyArray<Float32Array>, Embedder.EmbedderError>(), (answer) => {
        const entry: Asked = { texts, answer, isInterrupted: false }
        asked.push(entry)
        return Effect.onInterrupt(Deferred.await(answer), () =>
          Effect.sync(() => {
            entry.isInterrupted = true
          }))
      })
  }
  const answer = (at: number) =>
    Effect.suspend(() => {
      const entry = asked[at]
      return entry === undefined
        ? Effect.dieMessage(`nothing was asked for the ${at}th time`)
        : Deferred.succeed(entry.answer, entry.texts.map(vectorOf))
    })
  const fail = (at: number, isRetryable: boolean, description = "scripted failure") =>
    Effect.suspend(() => {
      const entry = asked[at]
      return entry === undefined
        ? Effect.dieMessage(`nothing was asked for the ${at}th time`)
        : Deferred.fail(entry.answer, error(description, isRetryable))
    })
  return { asked, embedder, answer, fail, texts: () => asked.map(({ texts }) => texts.join(" ")) }
}

/** An embedder that answers at once, and the texts of its calls. */
export const immediate = () => {
  const calls: Array<ReadonlyArray<string>> = []
  const embedder: Embedder.Embedding = {
    id: "immediate",
    dimensions: 3,
    embed: (texts) =>
      Effect.sync(() => {
        calls.push(texts)
        return texts.map(vectorOf)
      })
  }
  return { calls, embedder }
}
