/**
 * What a caller sees of a chain: the same request to the same provider by
 * `undici.request` and `JSON.parse`, by the provider's model, and by a chain of
 * it, on connections that are kept.
 *
 *   npx tsx test/bench/llm-caller.ts [--rounds 9] [--calls 600]
 *
 * @since 0.1.0
 */
import Undici from "@effect/platform-node/Undici"
import * as Budget from "causeway-mcp/llm/Budget"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as Check from "causeway-mcp/llm/Check"
import type * as Llm from "causeway-mcp/llm/Llm"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as Target from "causeway-mcp/llm/Target"
import * as OpenAiCompatible from "causeway-mcp/provider/OpenAiCompatible"
import * as ProviderHttp from "causeway-mcp/provider/ProviderHttp"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { parseArgs } from "node:util"
import * as Figures from "./llm-figures.js"
import * as Program from "./program.js"

const { values: flags } = parseArgs({
  options: { rounds: { type: "string", default: "9" }, calls: { type: "string", default: "600" } }
})
const rounds = Number(flags.rounds)
const calls = Number(flags.calls)

const request: Chat.Request = {
  messages: [
    { role: "system", text: "You are an analyst of industrial markets who answers in plain English." },
    { role: "user", text: "What is new at Acme this week?" }
  ],
  maxTokens: 256
}

const bodyOf = (isStreamed: boolean): string =>
  JSON.stringify({
    model: "bench",
    messages: request.messages.map(({ role, text }) => ({ role, content: text })),
    max_tokens: 256,
    ...(isStreamed ? { stream: true, stream_options: { include_usage: true } } : {})
  })

/** Calls by hand, as little as there is to do. */
const byHand = (url: string, dispatcher: Undici.Dispatcher) => {
  const post = (body: string) =>
    Undici.request(`${url}/chat/completions`, {
      dispatcher,
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer sk-bench" },
      body
    })
  const whole = bodyOf(false)
  const streamed = bodyOf(true)
  return {
    whole: async () => {
      const { body } = await post(whole)
      const answer = JSON.parse(await body.text())
      if (typeof answer.choices[0].message.content !== "string") throw new Error("no answer")
      return undefined
    },
    firstText: async () => {
      const startedAt = performance.now()
      const { body } = await post(streamed)
      let took: number | undefined
      let rest = ""
      for await (const part of body.setEncoding("utf8")) {
        const events = (rest + String(part)).split("\n\n")
        rest = events.pop() ?? ""
        for (const event of events) {
          if (event === "data: [DONE]") continue
          const chunk = JSON.parse(event.slice(6))
          const text: unknown = chunk.choices[0]?.delta.content
          if (typeof text === "string" && text !== "") took ??= performance.now() - startedAt
        }
      }
      return took
    }
  }
}

const whole = (model: Llm.Model) => () => Effect.runPromise(Effect.as(model.generateText(request), undefined))

const firstText = (model: Llm.Model) => async () => {
  const startedAt = performance.now()
  let took: number | undefined
  await Effect.runPromise(Stream.runForEach(model.streamText(request), (delta) =>
    Effect.sync(() => {
      if (delta._tag === "Text") took ??= performance.now() - startedAt
    })))
  return took
}

interface Subject {
  readonly name: string
  readonly call: () => Promise<number | undefined>
  readonly base: () => Promise<number | undefined>
}

const compared = (subjects: ReadonlyArray<Subject>, atOnce: number) =>
  Effect.promise(async () => {
    const bases = [...new Set(subjects.map(({ base }) => base))]
    for (const { call } of subjects) await Figures.measure(calls, atOnce, call)
    const figures = subjects.map(() => ({
      p50: Array<number>(),
      p99: Array<number>(),
      own: Array<number>(),
      rate: Array<number>(),
      cpu: Array<number>()
    }))
    for (let round = 0; round < rounds; round++) {
      const direct = new Map<Subject["base"], Figures.Cell>()
      for (const base of bases) direct.set(base, await Figures.measure(calls, atOnce, base))
      for (const [index, { base, call }] of subjects.entries()) {
        const floor = direct.get(base)
        const to = figures[index]
        if (floor === undefined || to === undefined) continue
        const cell = call === base ? floor : await Figures.measure(calls, atOnce, call)
        const more = (share: number) => Figures.quantile(cell.times, share) - Figures.quantile(floor.times, share)
        to.own.push(Figures.quantile(cell.times, 0.5))
        to.p50.push(more(0.5))
        to.p99.push(more(0.99))
        to.rate.push(calls / cell.millis * 1000)
        to.cpu.push(cell.cpu)
      }
    }
    Figures.line(`seen by ${atOnce} caller${atOnce === 1 ? "" : "s"}, in ms`, [
      "p50",
      "added p50",
      "added p99",
      "calls/s",
      "µs of processor"
    ])
    for (const [index, { name }] of subjects.entries()) {
      const { cpu = [], own = [], p50 = [], p99 = [], rate = [] } = figures[index] ?? {}
      Figures.line(name, [
        Figures.spread(own, 2),
        Figures.spread(p50, 2),
        Figures.spread(p99, 2),
        Figures.spread(rate, 0),
        Figures.spread(cpu, 0)
      ])
    }
    return Program.median(figures[subjects.findIndex(({ name }) => name === "chain")]?.p50 ?? [])
  })

const program = Effect.gen(function*() {
  const mock = yield* Effect.promise(() => Program.startTold("llm-mock", []))
  mock.setMaxListeners(0)
  const { port } = yield* Effect.promise(() => Program.tell(mock, "take") as Promise<{ readonly port: number }>)
  const baseUrl = `http://127.0.0.1:${port}/ok/v1`
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => new Undici.Agent()),
    (agent) => Effect.promise(() => agent.destroy())
  )
  const model = (wire: "whole" | "stream") =>
    OpenAiCompatible.make({ provider: "bench", model: "bench", baseUrl, apiKey: Redacted.make("sk-bench"), wire })
  const chainOf = (model: Llm.Model) =>
    Effect.flatMap(
      Target.make(model, {
        limits: { requestsPerMinute: 1e12, tokensPerMinute: 1e15, concurrency: 64 },
        price: { provider: "bench", model: "bench", from: "2026-01-01", inputPerMillion: 0.3, outputPerMillion: 1.2 }
      }),
      (target) =>
        LlmChain.make([target], {
          policy: ChainPolicy.checks(...Check.standard),
          budget: Budget.make({ total: 1e6, perTenant: 1e6 })
        })
    )
  const direct = byHand(baseUrl, agent)
  const alone = yield* model("whole")
  const chain = yield* chainOf(alone)
  const gathered = yield* chainOf(yield* model("stream"))
  const subjects: ReadonlyArray<Subject> = [
    { name: "undici and JSON.parse", call: direct.whole, base: direct.whole },
    { name: "model", call: whole(alone), base: direct.whole },
    { name: "chain", call: whole(chain), base: direct.whole },
    { name: "chain, wire: stream", call: whole(gathered), base: direct.whole },
    { name: "undici, first text of a stream", call: direct.firstText, base: direct.firstText },
    { name: "model, first text", call: firstText(alone), base: direct.firstText },
    { name: "chain, first text", call: firstText(chain), base: direct.firstText }
  ]
  const added = yield* compared(subjects, 1)
  console.log("")
  yield* compared(subjects, 16)
  console.log(`one caller, p50 added by the chain: ${Figures.against(added, 0.6, "ms")}`)
  yield* Effect.promise(() => Program.stop(mock))
  return true
}).pipe(Effect.provide(ProviderHttp.layer()))

Program.stepAside()
Figures.main(Effect.runPromise(Effect.scoped(program)))
