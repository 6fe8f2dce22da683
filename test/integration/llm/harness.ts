/**
 * Chains over providers on real sockets, and what has to hold of each call of
 * them, however it ended.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import { assert } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import type * as Chat from "causeway-mcp/llm/Chat"
import type * as Limits from "causeway-mcp/llm/Limits"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import type * as LlmError from "causeway-mcp/llm/LlmError"
import * as Target from "causeway-mcp/llm/Target"
import type * as CircuitBreaker from "causeway-mcp/policy/CircuitBreaker"
import * as AnthropicLlm from "causeway-mcp/provider/AnthropicLlm"
import * as Capabilities from "causeway-mcp/provider/Capabilities"
import * as OpenAiCompatible from "causeway-mcp/provider/OpenAiCompatible"
import * as ProviderHttp from "causeway-mcp/provider/ProviderHttp"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Ledger from "./ledger.js"

export const question: Chat.Request = { messages: [{ role: "user", text: "How will the weather be?" }] }

export const schema = {
  type: "object",
  properties: { day: { type: "string" }, mm: { type: "number" } },
  required: ["day", "mm"]
}

export const fine = "Heavy rain will reach the north coast on Friday."
export const value = { day: "Saturday", mm: 0 }

/** Millionths of a dollar each, so that tokens can be read off what was spent. */
const price = { provider: "p", model: "m", from: "2026-01-01", inputPerMillion: 1, outputPerMillion: 1 }

export interface Provider {
  readonly name: string
  readonly key: string
  readonly server: FakeProvider.Server
  readonly target: Target.Target
  readonly places: ReadonlyArray<Ledger.Place>
  readonly leaves: ReadonlyArray<Ledger.Leave>
  readonly client: HttpClient.HttpClient
}

export interface ProviderOptions {
  /** `fault/…`, or a name that `replies` are for. */
  readonly model?: string
  readonly replies?: ReadonlyArray<FakeProvider.Reply>
  readonly api?: "chat" | "messages"
  readonly wire?: "whole" | "stream"
  readonly limits?: Limits.Options
  readonly breaker?: CircuitBreaker.Options | false
  readonly target?: Target.Options
  /** Instead of the server's own. */
  readonly baseUrl?: string
  readonly http?: ProviderHttp.Options
}

let keys = 0

/** A server of its own, a client of its own, and a target over both. All its connections have to be closed when the client is. */
export const provider = (name: string, options: ProviderOptions = {}) =>
  Effect.gen(function*() {
    const server = yield* FakeProvider.make
    yield* Effect.addFinalizer(() => Effect.orDie(eventually(Effect.map(server.connections, (open) => open === 0))))
    const client = yield* ProviderHttp.make(options.http)
    const model = options.model ?? `${name}-1`
    if (options.replies !== undefined) yield* server.script(model, ...options.replies)
    const key = `sk-${name}-f4b1d0c9e8a7${keys++}`
    const shared = {
      provider: name,
      model,
      baseUrl: options.baseUrl ?? server.baseUrl,
      apiKey: Redacted.make(key),
      wire: options.wire ?? "whole"
    }
    const llm = yield* (options.api === "messages"
      ? AnthropicLlm.make({ ...shared, json: "prompt" })
      : OpenAiCompatible.make({ ...shared, capabilities: { ...Capabilities.table.generic, endsWithDone: false } }))
      .pipe(
        Effect.provideService(HttpClient.HttpClient, client)
      )
    const limits = Ledger.limits(
      options.limits ?? { concurrency: 8, requestsPerMinute: 600, tokensPerMinute: 600_000 }
    )
    const breaker = Ledger.breaker(options.breaker ?? {})
    const target = yield* Target.make(llm, {
      price: { ...price, provider: name, model },
      ...options.target,
      limits: limits.watched
    })
    return {
      name,
      key,
      server,
      client,
      target: { ...target, breaker: breaker.watched },
      places: limits.places,
      leaves: breaker.leaves
    } satisfies Provider
  })

/** Says what fits, whichever way it is asked. */
export const well: FakeProvider.Reply = FakeProvider.depending((request) =>
  JSON.stringify(request.body).includes("mm") ? FakeProvider.json(value) : FakeProvider.text(fine)
)

export interface World {
  readonly chain: LlmChain.Chain
  readonly providers: ReadonlyArray<Provider>
  readonly budget: ReturnType<typeof Ledger.budget>
  readonly deadlineMs: number
  readonly maxAttempts: number
}

/** A chain over providers in their order, with more money than they need. */
export const world = (providers: Arr.NonEmptyReadonlyArray<Provider>, policy: ChainPolicy.Part, usd = 1000) =>
  Effect.gen(function*() {
    const budget = Ledger.budget(usd)
    const chain = yield* LlmChain.make(Arr.map(providers, ({ target }) => target), {
      policy,
      budget: budget.watched,
      seed: 7
    })
    const { deadline, maxAttempts } = yield* ChainPolicy.make(policy)
    return { chain, providers, budget, deadlineMs: Duration.toMillis(deadline), maxAttempts } satisfies World
  })

/** What came of a call. */
export interface Told {
  readonly answer: Chat.TextAnswer | Chat.ObjectAnswer | undefined
  readonly error: LlmError.LlmError | undefined
  /** What of a stream was seen. */
  readonly text: string
  readonly attempts: ReadonlyArray<Chat.Attempt>
  readonly startedAt: number
  readonly endedAt: number
  readonly elapsedMs: number
  /** Of that, how long the process stood still. */
  readonly stoodStillMs: number
}

export type Asks = "text" | "object" | "stream"

export const millis = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

/** Makes one call of a chain and takes its time. */
export const ask = (
  chain: LlmChain.Chain,
  asks: Asks = "text",
  request: Chat.Request = question
): Effect.Effect<Told> =>
  Effect.gen(function*() {
    let text = ""
    let answer: Chat.TextAnswer | Chat.ObjectAnswer | undefined
    const startedAt = yield* millis
    const stoodStill = stillness()
    const asked: Effect.Effect<unknown, LlmError.LlmError> = asks === "stream"
      ? Stream.runForEach(chain.streamText(request), (delta) =>
        Effect.sync(() => {
          if (delta._tag === "Text") text += delta.text
          else answer = delta.answer
        }))
      : Effect.map<Chat.TextAnswer | Chat.ObjectAnswer, void>((found) => void (answer = found))(
        asks === "object" ? chain.generateObject({ ...request, schema }) : chain.generateText(request)
      )
    const result = yield* Effect.either(asked)
    const endedAt = yield* millis
    const error = Either.isLeft(result) ? result.left : undefined
    return {
      answer,
      error,
      text,
      attempts: (answer ?? error)?.attempts ?? [],
      startedAt,
      endedAt,
      elapsedMs: endedAt - startedAt,
      stoodStillMs: stoodStill()
    }
  })

/** A try as one line, without its times. */
export const line = ({ cause, flaw, outcome, phase, provider, reason }: Chat.Attempt): string =>
  [provider, outcome, reason, flaw, phase === undefined ? undefined : `in ${phase}`, cause && `(${cause})`]
    .filter((part) => part !== undefined).join(" ")

/** Polls until a condition holds, for at most five seconds. */
export const eventually = (condition: Effect.Effect<boolean>, what = "it never came to be") =>
  Effect.flatMap(condition, (holds) => holds ? Effect.void : Effect.fail(what)).pipe(
    Effect.retry(Schedule.intersect(Schedule.spaced("10 millis"), Schedule.recurs(500))),
    Effect.orDieWith((what) => new Error(what))
  )

const stills: Array<{ readonly at: number; readonly ms: number }> = []
let last = performance.now()
setInterval(() => {
  const now = performance.now()
  // A tick that comes late was kept waiting by the machine or by the tests beside this one.
  if (now - last > 15) stills.push({ at: now, ms: now - last - 10 })
  last = now
}, 10).unref()

/** How long this process has stood still since, in milliseconds. */
export const stillness = (): () => number => {
  const from = performance.now()
  return () =>
    stills.reduce((sum, { at, ms }) => at > from ? sum + ms : sum, Math.max(0, performance.now() - last - 10))
}

/** The longest that any call took beyond its deadline, as it was, and less the time the process stood still. */
export const worst = { beyondMs: -Infinity, netMs: -Infinity }

export const inTime = (told: Told, deadlineMs: number): void => {
  const beyond = told.elapsedMs - deadlineMs
  worst.beyondMs = Math.max(worst.beyondMs, beyond)
  worst.netMs = Math.max(worst.netMs, beyond - told.stoodStillMs)
  assert.isAtMost(beyond - told.stoodStillMs, 50, `over by ${beyond} ms, stood still for ${told.stoodStillMs} ms`)
}
