/**
 * Models that ask a scripted server, and what the tests of them share.
 */
import type * as Chat from "causeway-mcp/llm/Chat"
import type * as LlmError from "causeway-mcp/llm/LlmError"
import * as OpenAiCompatible from "causeway-mcp/provider/OpenAiCompatible"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"

export const key = "sk-test-4f9a8b7c6d5e"

export const question: Chat.Request = { messages: [{ role: "user", text: "What now?" }] }

export const cited: Chat.Request = {
  ...question,
  context: [{ id: "a", text: "Now it rains." }, { id: "b", text: "Then sun." }]
}

let count = 0

/** A model under a name of its own, so that tests at once do not share a script. */
export const connect = (
  replies: ReadonlyArray<FakeProvider.Reply>,
  options: Partial<OpenAiCompatible.Options> = {}
) =>
  Effect.gen(function*() {
    const server = yield* FakeProvider.FakeProvider
    const name = `m${count++}`
    yield* server.script(name, ...replies)
    const model = yield* OpenAiCompatible.make({
      provider: "fake",
      model: name,
      baseUrl: server.baseUrl,
      apiKey: Redacted.make(key),
      ...options
    })
    const requests = Effect.map(server.requests, (all) => all.filter((request) => request.model === name))
    return { model, name, requests, server }
  })

export const failure = (reply: FakeProvider.Reply, options: Partial<OpenAiCompatible.Options> = {}) =>
  Effect.flatMap(connect([reply], options), ({ model }) => Effect.flip(model.generateText(question)))

/** Polls until a condition holds, for at most five seconds. */
export const eventually = (condition: Effect.Effect<boolean>) =>
  Effect.flatMap(condition, (holds) => holds ? Effect.void : Effect.fail("not yet")).pipe(
    Effect.retry(Schedule.intersect(Schedule.spaced("20 millis"), Schedule.recurs(250)))
  )

export const collect = (stream: Stream.Stream<Chat.Delta, LlmError.LlmError>) => {
  const texts: Array<string> = []
  let done: Chat.TextAnswer | undefined
  return Effect.map(
    Effect.either(Stream.runForEach(stream, (delta) =>
      Effect.sync(() => {
        if (delta._tag === "Text") texts.push(delta.text)
        else done = delta.answer
      }))),
    (result) => ({ text: texts.join(""), texts, done, error: result._tag === "Left" ? result.left : undefined })
  )
}

export const streamed = (reply: FakeProvider.Reply, options: Partial<OpenAiCompatible.Options> = {}) =>
  Effect.flatMap(connect([reply], options), ({ model }) => collect(model.streamText(cited)))

export const choice = (message: unknown, finish: unknown = "stop") => ({
  choices: [{ message, finish_reason: finish }]
})

/** The text an error has of an answer that was no use. */
export const partialOf = (error: LlmError.LlmError | undefined): string | undefined =>
  error?.partial === undefined ? undefined : Redacted.value(error.partial)

/** What a model told an observer, in order. */
export const watch = () => {
  const seen: Array<string> = []
  return {
    seen,
    observer: {
      enter: (phase: Chat.Phase) => {
        seen.push(phase)
      },
      remaining: (left: { readonly requests?: number; readonly tokens?: number }) => {
        seen.push(`${left.requests ?? "?"} requests, ${left.tokens ?? "?"} tokens`)
      }
    }
  }
}
