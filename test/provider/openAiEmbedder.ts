/**
 * An `OpenAiEmbedder` on a client that answers by script.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import type * as Embedder from "causeway-mcp/embedding/Embedder"
import * as LlmError from "causeway-mcp/llm/LlmError"
import * as OpenAiEmbedder from "causeway-mcp/provider/OpenAiEmbedder"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"

export const dimensions = 3

/** Numbers of a text that nobody can mistake for another's. */
export const numbersOf = (text: string): ReadonlyArray<number> => [text.length + 1, text.charCodeAt(0) || 0, -2]

export const unit = (numbers: ReadonlyArray<number>): Float32Array => {
  const length = Math.hypot(...numbers)
  return Float32Array.from(numbers, (number) => number / length)
}

interface Asked {
  readonly at: number
  readonly url: string
  readonly headers: { readonly [name: string]: string }
  readonly body: { readonly input: ReadonlyArray<string>; readonly [field: string]: unknown }
}

export type Answer = Response | "answer" | "reset" | "hang"

export const listOf = (vectors: ReadonlyArray<unknown>): Response =>
  new Response(JSON.stringify({ object: "list", data: vectors }), { headers: { "content-type": "application/json" } })

const honest = (texts: ReadonlyArray<string>): Response =>
  listOf(texts.map((text, index) => ({ object: "embedding", index, embedding: numbersOf(text) })))

export const status = (
  status: number,
  headers: Record<string, string> = {},
  body = "{\"error\":{\"message\":\"no\"}}"
) => new Response(body, { status, headers })

/** A client that answers by a function of the request and its number, and keeps what it was asked. */
export const scripted = (answer: (texts: ReadonlyArray<string>, nth: number) => Answer) => {
  const asked: Array<Asked> = []
  let aborted = 0
  const textOf = (request: HttpClientRequest.HttpClientRequest): string =>
    request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : ""
  const client = HttpClient.make((request, url) =>
    Effect.flatMap(Clock.currentTimeMillis, (at) => {
      const body = JSON.parse(textOf(request))
      asked.push({ at, url: url.href, headers: request.headers, body })
      const given = answer(body.input, asked.length - 1)
      if (given === "hang") {
        return Effect.onInterrupt(Effect.never, () =>
          Effect.sync(() => {
            aborted++
          }))
      }
      return given === "reset"
        ? Effect.fail(
          new HttpClientError.RequestError({
            request,
            reason: "Transport",
            cause: Object.assign(new Error("socket hang up"), { code: "ECONNRESET" })
          })
        )
        : Effect.succeed(HttpClientResponse.fromWeb(request, given === "answer" ? honest(body.input) : given))
    })
  )
  return { asked, aborted: () => aborted, client }
}

const base = {
  provider: "acme",
  model: "embed-1",
  baseUrl: "https://acme.example/v1/",
  apiKey: Redacted.make("sk-test"),
  dimensions
}

export const make = (
  answer: (texts: ReadonlyArray<string>, nth: number) => Answer,
  options: Partial<OpenAiEmbedder.Options> = {}
) =>
  Effect.gen(function*() {
    const { aborted, asked, client } = scripted(answer)
    const embedder = yield* Effect.provideService(
      OpenAiEmbedder.make({ ...base, ...options }),
      HttpClient.HttpClient,
      client
    )
    return { aborted, asked, embedder }
  })

/** Runs it while the time passes in steps. */
export const inTime = <A, E>(self: Effect.Effect<A, E>, total: number, step = 50) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(self)
    for (let passed = 0; passed < total && fiber.unsafePoll() === null; passed += step) yield* TestClock.adjust(step)
    return yield* Fiber.join(fiber)
  })

export const reasonOf = ({ cause }: Embedder.EmbedderError) =>
  cause instanceof LlmError.LlmError ? cause.reason : undefined

export const always = (answer: Answer) => () => answer instanceof Response ? answer.clone() : answer
