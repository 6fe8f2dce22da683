/**
 * How soon the next model is asked after a 429: from the last byte of the one to
 * the arrival of the other, on the clock of the process that plays both
 * providers, beside a client that does the same by hand.
 *
 *   npx tsx test/bench/llm-failover.ts [--rounds 9] [--calls 600]
 *
 * @since 0.1.0
 */
import Undici from "@effect/platform-node/Undici"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as Check from "causeway-mcp/llm/Check"
import * as Decision from "causeway-mcp/llm/Decision"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as Target from "causeway-mcp/llm/Target"
import * as OpenAiCompatible from "causeway-mcp/provider/OpenAiCompatible"
import * as ProviderHttp from "causeway-mcp/provider/ProviderHttp"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { parseArgs } from "node:util"
import * as Figures from "./llm-figures.js"
import type { Seen } from "./llm-mock.js"
import * as Program from "./program.js"

const { values: flags } = parseArgs({
  options: { rounds: { type: "string", default: "9" }, calls: { type: "string", default: "600" } }
})
const rounds = Number(flags.rounds)
const calls = Number(flags.calls)

const request: Chat.Request = { messages: [{ role: "user", text: "What is new at Acme this week?" }], maxTokens: 256 }

const byHand = (origin: string, dispatcher: Undici.Dispatcher) => {
  const body = JSON.stringify({
    model: "bench",
    messages: [{ role: "user", content: "What is new at Acme this week?" }],
    max_tokens: 256
  })
  const post = (path: string) =>
    Undici.request(`${origin}${path}/v1/chat/completions`, {
      dispatcher,
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer sk-bench" },
      body
    })
  return async () => {
    const first = await post("/429")
    JSON.parse(await first.body.text())
    const second = await post("/ok")
    JSON.parse(await second.body.text())
    return undefined
  }
}

const program = Effect.gen(function*() {
  const mock = yield* Effect.promise(() => Program.startTold("llm-mock", []))
  mock.setMaxListeners(0)
  const take = () => Program.tell(mock, "take") as Promise<Seen & { readonly port: number }>
  const { port } = yield* Effect.promise(take)
  const origin = `http://127.0.0.1:${port}`
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => new Undici.Agent()),
    (agent) => Effect.promise(() => agent.destroy())
  )
  const target = (provider: string, path: string) =>
    Effect.flatMap(
      OpenAiCompatible.make({
        provider,
        model: "bench",
        baseUrl: `${origin}${path}/v1`,
        apiKey: Redacted.make("sk-bench")
      }),
      (model) => Target.make(model, { limits: { requestsPerMinute: 1e12, tokensPerMinute: 1e15, concurrency: 64 } })
    )
  const chain = yield* LlmChain.make([yield* target("limited", "/429"), yield* target("other", "/ok")], {
    policy: ChainPolicy.all(
      ChainPolicy.checks(...Check.standard),
      // Left alone, the first would not be asked by the next call.
      ChainPolicy.decide((error) => ({ ...Decision.standard(error), cooldown: undefined }))
    )
  })
  const run = () => Effect.runPromise(Effect.as(chain.generateText(request), undefined))
  const direct = byHand(origin, agent)
  const gapsOf = async (call: () => Promise<undefined>): Promise<Float64Array> => {
    await take()
    await Figures.measure(calls, 1, call)
    const { gaps } = await take()
    if (gaps.length !== calls) throw new Error(`${calls} calls, but ${gaps.length} requests after a 429`)
    return Float64Array.from(gaps).sort()
  }
  const figures = { direct: Array<Float64Array>(), chain: Array<Float64Array>() }
  yield* Effect.promise(async () => {
    await gapsOf(run)
    for (let round = 0; round < rounds; round++) {
      figures.direct.push(await gapsOf(direct))
      figures.chain.push(await gapsOf(run))
    }
  })
  const all = (rounds: ReadonlyArray<Float64Array>, share: number) =>
    rounds.map((gaps) => Figures.quantile(gaps, share))
  const more = (share: number) => {
    const floor = all(figures.direct, share)
    return all(figures.chain, share).map((value, round) => value - (floor[round] ?? Number.NaN))
  }
  Figures.line("from a 429 to the next request, in ms", ["p50", "p99"])
  for (const [name, rounds] of [["by hand", figures.direct], ["chain", figures.chain]] as const) {
    Figures.line(name, [Figures.spread(all(rounds, 0.5), 3), Figures.spread(all(rounds, 0.99), 3)])
  }
  Figures.line("added", [Figures.spread(more(0.5), 3), Figures.spread(more(0.99), 3)])
  console.log(`p50 added: ${Figures.against(Program.median(more(0.5)), 1, "ms")}`)
  console.log(`p99 added: ${Figures.against(Program.median(more(0.99)), 1, "ms")}`)
  const floor = Program.median(all(figures.direct, 0.99))
  if (floor > 1) console.log(`by hand, p99 is ${floor.toFixed(1)} ms: this machine is too busy to tell the chain's`)
  yield* Effect.promise(() => Program.stop(mock))
  return true
}).pipe(Effect.provide(ProviderHttp.layer()))

Program.stepAside()
Figures.main(Effect.runPromise(Effect.scoped(program)))
