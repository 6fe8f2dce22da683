/**
 * What a chain adds to a call in process, with nothing failing: the time and the
 * processor time of a call to a chain less those of the same call to its model
 * alone, each in a fiber of its own.
 *
 *   npx tsx test/bench/llm-kernel.ts [--rounds 9] [--calls 5000]
 *
 * @since 0.1.0
 */
import * as Budget from "causeway-mcp/llm/Budget"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as Check from "causeway-mcp/llm/Check"
import type * as Llm from "causeway-mcp/llm/Llm"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import type * as Price from "causeway-mcp/llm/Price"
import * as Target from "causeway-mcp/llm/Target"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { parseArgs } from "node:util"
import * as Figures from "./llm-figures.js"
import * as Program from "./program.js"

const { values: flags } = parseArgs({
  options: { rounds: { type: "string", default: "9" }, calls: { type: "string", default: "5000" } }
})
const rounds = Number(flags.rounds)
const calls = Number(flags.calls)

const answer: Chat.TextAnswer = {
  provider: "bench",
  model: "instant",
  text: "Acme shipped its new turbine on Tuesday and raised its outlook for the year, which analysts had expected.",
  citations: [],
  usage: { inputTokens: 24, outputTokens: 22 },
  attempts: [{ provider: "bench", model: "instant", outcome: "answered", elapsedMs: 0 }]
}

const request: Chat.Request = {
  messages: [
    { role: "system", text: "You are an analyst of industrial markets who answers in plain English." },
    { role: "user", text: "What is new at Acme this week?" }
  ],
  maxTokens: 256
}

const model = (provider: string, generateText: Llm.Model["generateText"]): Llm.Model => ({
  provider,
  model: "instant",
  generateText,
  generateObject: () => Effect.never,
  streamText: () => Stream.never,
  ping: Effect.void
})

const atOnce = (provider: string) => model(provider, () => Exit.succeed(answer))
const oneYield = (provider: string) => model(provider, () => Effect.as(Effect.yieldNow(), answer))

const price = (provider: string): Price.Price => ({
  provider,
  model: "instant",
  from: "2026-01-01",
  inputPerMillion: 0.3,
  outputPerMillion: 1.2
})

/** With all that a chain can watch, and money; the limits are such that nothing is held back. */
const complete = (models: readonly [Llm.Model, ...ReadonlyArray<Llm.Model>]) =>
  Effect.gen(function*() {
    const [first, ...others] = yield* Effect.forEach(models, (each) =>
      Target.make(each, {
        limits: { requestsPerMinute: 1e12, tokensPerMinute: 1e15, concurrency: 64 },
        price: price(each.provider)
      }))
    if (first === undefined) return yield* Effect.dieMessage("no model")
    return yield* LlmChain.make([first, ...others], {
      policy: ChainPolicy.checks(...Check.standard),
      budget: Budget.make({ total: 1e6, perTenant: 1e6 })
    })
  })

const bare = (of: Llm.Model) =>
  Effect.flatMap(
    Target.make(of, { breaker: false }),
    (target) => LlmChain.make([target], { policy: ChainPolicy.checks() })
  )

const program = Effect.gen(function*() {
  const untraced = <A, E>(self: Effect.Effect<A, E>) => Effect.withTracerEnabled(self, false)
  const full = yield* complete([atOnce("bench")])
  const three = yield* complete([atOnce("a"), atOnce("b"), atOnce("c")])
  const yielding = yield* complete([oneYield("bench")])
  const plain = yield* bare(atOnce("bench"))
  const direct = atOnce("bench").generateText(request)
  const directYield = oneYield("bench").generateText(request)
  const subjects = [
    { name: "everything on, answers at once", self: full.generateText(request), without: direct },
    { name: "the same, three models", self: three.generateText(request), without: direct },
    { name: "the same, no tracer", self: untraced(full.generateText(request)), without: untraced(direct) },
    { name: "the same, answers after a yield", self: yielding.generateText(request), without: directYield },
    { name: "no limits, price, checks, tracer", self: untraced(plain.generateText(request)), without: untraced(direct) }
  ]
  const cell = (self: Effect.Effect<unknown, unknown>) =>
    Effect.promise(() => Figures.alone(calls, () => Effect.runFork(self)))
  for (const { self, without } of subjects) {
    yield* cell(self)
    yield* cell(without)
  }
  const added = subjects.map(() => ({
    p50: Array<number>(),
    p99: Array<number>(),
    cpu50: Array<number>(),
    cpu99: Array<number>()
  }))
  for (let round = 0; round < rounds; round++) {
    for (const [index, { self, without }] of subjects.entries()) {
      const direct = yield* cell(without)
      const chained = yield* cell(self)
      const more = (of: "wall" | "cpu", share: number) =>
        Figures.quantile(chained[of], share) - Figures.quantile(direct[of], share)
      added[index]?.p50.push(more("wall", 0.5))
      added[index]?.p99.push(more("wall", 0.99))
      added[index]?.cpu50.push(more("cpu", 0.5))
      added[index]?.cpu99.push(more("cpu", 0.99))
    }
  }
  Figures.line("added in process, in µs", ["p50", "p99", "p50 of processor", "p99 of processor"])
  for (const [index, { name }] of subjects.entries()) {
    const { cpu50 = [], cpu99 = [], p50 = [], p99 = [] } = added[index] ?? {}
    Figures.line(name, [
      Figures.spread(p50, 1),
      Figures.spread(p99, 0),
      Figures.spread(cpu50, 0),
      Figures.spread(cpu99, 0)
    ])
  }
  const [everything] = added
  console.log(`p50: ${Figures.against(Program.median(everything?.p50 ?? []), 60, "µs")}`)
  console.log(`p99: ${Figures.against(Program.median(everything?.p99 ?? []), 300, "µs")}`)
  console.log(`p99 of processor: ${Figures.against(Program.median(everything?.cpu99 ?? []), 300, "µs")}`)
  return true
})

Program.stepAside()
Figures.main(Effect.runPromise(Effect.scoped(program)))
