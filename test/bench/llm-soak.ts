/**
 * A chain of three providers that fail in every way, for as long as wanted: texts,
 * objects and streams, 50 to 200 a second, some given up by their callers.
 *
 *   npx tsx test/bench/llm-soak.ts [--minutes 10]
 *
 * Ends as a failure unless every call ended in its time and in its words, nothing
 * is held by any call afterwards, what was put aside of the budget is settled,
 * the heap, the fibers and the timers did not grow, and closing left no socket.
 *
 * @since 0.1.0
 */
import * as Budget from "causeway-mcp/llm/Budget"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as Check from "causeway-mcp/llm/Check"
import type * as Llm from "causeway-mcp/llm/Llm"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as LlmError from "causeway-mcp/llm/LlmError"
import * as Target from "causeway-mcp/llm/Target"
import * as Tier from "causeway-mcp/llm/Tier"
import * as OpenAiCompatible from "causeway-mcp/provider/OpenAiCompatible"
import * as ProviderHttp from "causeway-mcp/provider/ProviderHttp"
import * as Telemetry from "causeway-mcp/telemetry/Telemetry"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as MetricState from "effect/MetricState"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import * as Stream from "effect/Stream"
import * as Supervisor from "effect/Supervisor"
import * as Utils from "effect/Utils"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import * as Figures from "./llm-figures.js"
import type { State } from "./llm-soak-provider.js"
import * as Program from "./program.js"

const { values: flags } = parseArgs({ options: { minutes: { type: "string", default: "10" } } })
const millis = Number(flags.minutes) * 60_000
const sampleEvery = Math.min(10_000, millis / 12)

const deadline = 1200
/** How much later than its deadline a call may end, in milliseconds. */
const grace = 50
const total = 1e6

const random = new Utils.PCGRandom(11)

/** Counts fibers between their start and their end. */
class Counting extends Supervisor.AbstractSupervisor<number> {
  running = 0
  override readonly value = Effect.sync(() => this.running)
  override onStart(): void {
    this.running++
  }
  override onEnd(): void {
    this.running--
  }
}

/** When this process could not run, be it for its own work or for that of others on the machine. */
class Stalls {
  private readonly stalls: Array<{ readonly from: number; readonly to: number }> = []
  most = 0
  private due = performance.now() + 5
  private readonly timer = setInterval(() => {
    const now = performance.now()
    const late = now - this.due
    // Timers count whole milliseconds.
    if (late > 1) this.stalls.push({ from: this.due, to: now })
    if (this.stalls.length > 4000) this.stalls.splice(0, 2000)
    this.most = Math.max(this.most, late)
    this.due = now + 5
  }, 5)

  /** Of the time between two moments, the part in which it could not; a stall that is not over counts too. */
  within(from: number, to: number): number {
    const running = Math.max(0, to - Math.max(from, this.due))
    return this.stalls.reduce(
      (sum, stall) => sum + Math.max(0, Math.min(to, stall.to) - Math.max(from, stall.from)),
      running
    )
  }

  stop(): void {
    clearInterval(this.timer)
  }
}

const policy = ChainPolicy.all(
  ChainPolicy.deadline(deadline),
  ChainPolicy.timeouts({
    queue: "50 millis",
    headers: "600 millis",
    firstToken: "700 millis",
    idle: "300 millis",
    answer: "800 millis"
  }),
  ChainPolicy.checks(...Check.standard)
)

const schema = {
  type: "object",
  properties: { item: { type: "integer" }, verdict: { type: "string" } },
  required: ["item", "verdict"],
  additionalProperties: false
} as const

const promptOf = (item: number): Chat.Request => ({
  messages: [{ role: "user", text: `Where is item ${item}, and when can it be sent?` }],
  maxTokens: 200,
  tenant: `tenant-${item % 50}`
})

const texts = (chain: Llm.Model, item: number) =>
  Effect.map(chain.generateText(promptOf(item)), ({ text }) => text.includes(`item ${item} `))

const objects = (chain: Llm.Model, item: number) =>
  Effect.map(
    chain.generateObject({ ...promptOf(item), schema }),
    ({ value }) => JSON.stringify(value) === JSON.stringify({ item, verdict: "in stock" })
  )

const streams = (chain: Llm.Model, item: number) =>
  Effect.map(
    Stream.runFold(chain.streamText(promptOf(item)), { text: "", done: "" }, (seen, delta) =>
      delta._tag === "Text" ? { ...seen, text: seen.text + delta.text } : { ...seen, done: delta.answer.text }),
    ({ done, text }) =>
      text === done && text.includes(`item ${item} `)
  )

/** What was counted as the cost of tries, by the metrics. */
const costOfTries = (): number =>
  Metric.unsafeSnapshot().reduce(
    (sum, { metricKey, metricState }) =>
      metricKey.name === Telemetry.Metric.llmAttemptCost && MetricState.isCounterState(metricState)
        ? sum + Number(metricState.count)
        : sum,
    0
  )

const resources = (kind: string): number => process.getActiveResourcesInfo().filter((each) => each === kind).length

interface Sample {
  readonly seconds: number
  readonly heap: number
  readonly resident: number
  readonly sockets: number
  readonly timers: number
  readonly fibers: number
}

const program = Effect.gen(function*() {
  const provider = yield* Effect.promise(() => Program.startTold("llm-soak-provider", []))
  provider.setMaxListeners(0)
  const ask = () => Program.tell(provider, "state") as Promise<State>
  const { urls } = yield* Effect.promise(ask)
  const counting = new Counting()
  const stalls = new Stalls()
  const troubles: Array<string> = []
  const expect = (isSo: boolean, what: string): void => {
    if (!isSo) troubles.push(what)
  }
  const outcomes = new Map<string, number>()
  const count = (outcome: string): void => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  const samples: Array<Sample> = []
  let calls = 0
  let longest = 0
  let latest = Number.NEGATIVE_INFINITY
  let latestOwn = Number.NEGATIVE_INFINITY
  let lateOnes = 0
  let latestStop = 0

  const soak = Effect.gen(function*() {
    const budget = Budget.make({ total, period: "3650 days" })
    const targets = yield* Effect.forEach(urls, (baseUrl, index) =>
      Effect.gen(function*() {
        const name = `provider-${index}`
        const model = yield* OpenAiCompatible.make({
          provider: name,
          model: "soak",
          baseUrl,
          apiKey: Redacted.make("sk-soak"),
          wire: index === 1 ? "stream" : "whole"
        })
        return yield* Target.make(model, {
          limits: { requestsPerMinute: 20_000, tokensPerMinute: 50_000_000, concurrency: 200 },
          breaker: { openFor: "1 second", maxOpen: "4 seconds", ramp: "1 second" },
          price: { provider: name, model: "soak", from: "2026-01-01", inputPerMillion: 0.3, outputPerMillion: 1.2 }
        })
      }))
    const [first, ...others] = targets
    if (first === undefined) return yield* Effect.dieMessage("no provider")
    const chains = [
      yield* LlmChain.make([Tier.make([first, ...others], Tier.peakEwma())], {
        name: "hedged",
        policy: ChainPolicy.all(policy, ChainPolicy.hedge({ after: "150 millis" })),
        budget
      }),
      yield* LlmChain.make([first, ...others], { name: "ordered", policy, budget }),
      yield* LlmChain.make([Tier.make([first, ...others], Tier.roundRobin())], {
        name: "buffered",
        policy: ChainPolicy.all(policy, ChainPolicy.buffered),
        budget
      })
    ]
    const runFork = Runtime.runFork(yield* Effect.supervised(Effect.runtime(), counting))

    /** One call, from a caller who may go away. */
    const call = async (item: number): Promise<void> => {
      const chain = chains[item % chains.length]
      if (chain === undefined) return
      const kind = random.number()
      const asked = kind < 0.4 ? texts(chain, item) : kind < 0.7 ? objects(chain, item) : streams(chain, item)
      const what = kind < 0.4 ? "text" : kind < 0.7 ? "object" : "stream"
      const startedAt = performance.now()
      const fiber = runFork(asked)
      let stoppedAt: number | undefined
      const stop = random.number() < 0.15
        ? setTimeout(() => {
          stoppedAt = performance.now()
          fiber.unsafeInterruptAsFork(fiber.id())
        }, random.number() * 400)
        : undefined
      const exit = await Effect.runPromise(Fiber.await(fiber))
      clearTimeout(stop)
      const now = performance.now()
      const late = now - startedAt - deadline
      longest = Math.max(longest, now - startedAt)
      latest = Math.max(latest, late)
      const own = late - stalls.within(startedAt + deadline, now)
      latestOwn = Math.max(latestOwn, own)
      if (own > grace / 2) {
        lateOnes++
        console.log(
          `${what} ${item} ended ${late.toFixed(0)} ms after its deadline, ${own.toFixed(0)} ms of them its own`
        )
      }
      if (stoppedAt !== undefined) {
        latestStop = Math.max(latestStop, now - stoppedAt - stalls.within(stoppedAt, now))
      }
      if (Exit.isSuccess(exit)) {
        expect(exit.value, `${what} ${item} was answered with another's words`)
        count(`${what} answered`)
        return
      }
      const failure = Cause.failureOption(exit.cause)
      if (failure._tag === "Some" && failure.value instanceof LlmError.LlmError) {
        count(`${what} ${failure.value.reason}`)
      } else if (Cause.isInterruptedOnly(exit.cause)) count(`${what} given up`)
      else {
        count(`${what} DEFECT`)
        expect(false, Cause.pretty(exit.cause).slice(0, 2000))
      }
    }

    const sample = async (startedAt: number): Promise<void> => {
      Figures.collect()
      Figures.collect()
      const { heapUsed, rss } = process.memoryUsage()
      const state = await ask()
      const taken: Sample = {
        seconds: (performance.now() - startedAt) / 1000,
        heap: heapUsed / 1024 / 1024,
        resident: rss / 1024 / 1024,
        sockets: resources("TCPSocketWrap"),
        timers: resources("Timeout"),
        fibers: counting.running
      }
      samples.push(taken)
      console.log(
        `${taken.seconds.toFixed(0).padStart(5)} s ${String(calls).padStart(8)} calls ` +
          `${String(state.requests).padStart(8)} requests  heap ${taken.heap.toFixed(2)} MB  ` +
          `resident ${taken.resident.toFixed(0)} MB  sockets ${taken.sockets} (${state.connections} there)  ` +
          `timers ${taken.timers}  fibers ${taken.fibers}  ` +
          targets.map((target) => `${target.limits.inFlight}${target.breaker.state(performance.now())[0]}`).join(" ")
      )
    }

    yield* Effect.promise(async () => {
      const startedAt = performance.now()
      const running = new Set<Promise<void>>()
      let due = 0
      let lookedAt = startedAt
      let sampledAt = startedAt
      let sampling: Promise<void> | undefined
      while (performance.now() - startedAt < millis) {
        await sleep(5)
        const now = performance.now()
        // Up and down between 50 and 200 a second; what a stall held up is not made up for.
        const rate = 125 + 75 * Math.sin((now - startedAt) / 7000)
        due += Math.min(50, now - lookedAt) * rate / 1000
        lookedAt = now
        for (; due >= 1; due--) {
          const one: Promise<void> = call(++calls).finally(() => running.delete(one))
          running.add(one)
        }
        if (now - sampledAt >= sampleEvery && sampling === undefined) {
          sampledAt = now
          sampling = sample(startedAt).finally(() => {
            sampling = undefined
          })
        }
      }
      await sampling
      await Promise.all(running)
      await sleep(500)
      await sample(startedAt)
    })

    for (const target of targets) {
      expect(target.limits.inFlight === 0, `${target.id} has ${target.limits.inFlight} calls under way`)
      const probe = target.breaker.force(performance.now())
      expect(probe !== undefined, `the breaker of ${target.id} waits for a probe that is over`)
      probe?.ignore(performance.now())
    }
    const spent = total - (yield* budget.left())
    const cost = costOfTries()
    console.log(`spent ${spent.toFixed(6)} US dollars, tries cost ${cost.toFixed(6)}`)
    expect(Math.abs(spent - cost) < 1e-6 + 1e-4 * cost, "what the budget counts is not what the tries cost")
  })

  yield* Effect.scoped(Effect.provide(soak, ProviderHttp.layer()))
  stalls.stop()
  yield* Effect.promise(() => sleep(300))
  const after = yield* Effect.promise(ask)
  expect(after.connections === 0, `${after.connections} connections are open after closing`)
  expect(after.active === 0, `${after.active} requests are under way after closing`)
  expect(counting.running === 0, `${counting.running} fibers run after closing`)

  // The first third warms up; a run of a few minutes is warming up for longer.
  const warm = samples.slice(Math.ceil(samples.length / 3))
  const half = warm.length >> 1
  const grown = (of: (sample: Sample) => number): number =>
    Program.median(warm.slice(-half).map(of)) - Program.median(warm.slice(0, half).map(of))
  const last = samples.at(-1)
  console.log([...outcomes].sort().map(([outcome, times]) => `${outcome} ${times}`).join(", "))
  console.log(
    `longest call ${longest.toFixed(0)} ms of ${deadline} ms; latest end ${latest.toFixed(0)} ms after its deadline, ` +
      `${latestOwn.toFixed(0)} ms without what the process was held up (${stalls.most.toFixed(0)} ms at most), ` +
      `${lateOnes} more than ${grace / 2} ms so; ` +
      `latest end after being given up ${latestStop.toFixed(0)} ms`
  )
  console.log(
    `grown after the first third: heap ${grown(({ heap }) => heap).toFixed(2)} MB, ` +
      `fibers ${grown(({ fibers }) => fibers).toFixed(0)}, timers ${grown(({ timers }) => timers).toFixed(0)}`
  )
  const ended = [...outcomes.values()].reduce((sum, times) => sum + times, 0)
  expect(ended === calls, `of ${calls} calls ${ended} ended`)
  expect(latestOwn <= grace, `a call ended ${latestOwn.toFixed(0)} ms after its deadline`)
  expect(latestStop <= grace, `a call went on for ${latestStop.toFixed(0)} ms after it was given up`)
  expect(warm.length >= 4 && grown(({ heap }) => heap) < (millis < 300_000 ? 4 : 1.5), "the heap grows")
  expect((last?.fibers ?? Infinity) <= 4, `${last?.fibers} fibers run while there is no call`)
  expect((last?.timers ?? Infinity) <= 8, `${last?.timers} timers are set while there is no call`)
  yield* Effect.promise(() => Program.stop(provider))
  for (const trouble of troubles.slice(0, 20)) console.log(`TROUBLE: ${trouble}`)
  console.log(troubles.length === 0 ? "all is well" : `${troubles.length} troubles`)
  return troubles.length === 0
})

Program.stepAside()
Figures.main(Effect.runPromise(program))
