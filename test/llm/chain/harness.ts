import { assert } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import type * as Chat from "causeway-mcp/llm/Chat"
import type * as Price from "causeway-mcp/llm/Price"
import * as Target from "causeway-mcp/llm/Target"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"

export const request: Chat.Request = { messages: [{ role: "user", text: "What is new at Acme?" }] }

export const script = (provider: string, ...steps: ReadonlyArray<TestLlm.Step>) => TestLlm.make({ provider, steps })

/** A dollar for each token, so that a cost says how many there were. */
export const dollarEach = (provider: string): Price.Price => ({
  provider,
  model: "scripted",
  from: "2026-01-01",
  inputPerMillion: 1_000_000,
  outputPerMillion: 1_000_000
})

/** A script as a target, with what the test gives it. */
export const target = (
  provider: string,
  options: Target.Options & { readonly steps?: ReadonlyArray<TestLlm.Step>; readonly otherwise?: () => TestLlm.Step }
) =>
  Effect.gen(function*() {
    const { otherwise, steps, ...rest } = options
    const model = yield* TestLlm.make({ provider, steps: steps ?? [], otherwise })
    return { model, target: yield* Target.make(model, rest) }
  })

/** No wait between two tries at a model. */
export const calm: ChainPolicy.Part = ChainPolicy.noRetry

/** Runs an effect while the clock moves on. */
export const during = <A, E, R>(effect: Effect.Effect<A, E, R>, ...millis: ReadonlyArray<number>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    for (const step of millis) yield* TestClock.adjust(step)
    return yield* Fiber.join(fiber)
  })

export const trail = (attempts: ReadonlyArray<Chat.Attempt> | undefined) =>
  attempts?.map(({ cause, elapsedMs, flaw, outcome, phase, provider, reason }) =>
    [provider, outcome, reason, elapsedMs, cause, phase, flaw].filter((part) => part !== undefined).join(" ")
  )

/** That a target holds nothing for a call any more. */
export const isIdle = (target: Target.Target) => assert.strictEqual(target.limits.inFlight, 0)

/** Reads a stream to its end; what came, and how it ended. */
export const read = <E>(stream: Stream.Stream<Chat.Delta, E>) => {
  const seen: Array<string> = []
  return Effect.map(
    Effect.either(Stream.runForEach(stream, (delta) =>
      Effect.sync(() => {
        seen.push(delta._tag === "Text" ? delta.text : `done by ${delta.answer.provider}`)
      }))),
    (result) => ({ seen, result })
  )
}
