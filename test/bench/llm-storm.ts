/**
 * What a chain does to providers that are in trouble: how many requests it makes
 * of a call while all of them fail, and how many it makes in a minute when only
 * so many are allowed and a thousand callers want one. Ends as a failure when it
 * makes too many.
 *
 *   npx tsx test/bench/llm-storm.ts [--long]
 *
 * The minutes are those of a simulated clock; with `--long` real ones too.
 *
 * @since 0.1.0
 */
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import type * as Chat from "causeway-mcp/llm/Chat"
import type * as Llm from "causeway-mcp/llm/Llm"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as Target from "causeway-mcp/llm/Target"
import * as OpenAiCompatible from "causeway-mcp/provider/OpenAiCompatible"
import * as ProviderHttp from "causeway-mcp/provider/ProviderHttp"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { setImmediate as immediate, setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import * as Figures from "./llm-figures.js"
import type { Seen } from "./llm-mock.js"
import * as Program from "./program.js"

const { values: flags } = parseArgs({
  options: { long: { type: "boolean", default: false }, rounds: { type: "string" }, calls: { type: "string" } }
})

const request: Chat.Request = { messages: [{ role: "user", text: "What is new at Acme this week?" }], maxTokens: 256 }

const names = ["a", "b", "c"] as const
const perSecond = 500
const seconds = 4

/** All three fail with a 503 as soon as they are asked, and 500 calls come each second, whatever came of the last. */
const failing = (
  title: string,
  breaker: Target.Options["breaker"]
): Effect.Effect<boolean, unknown> =>
  Effect.gen(function*() {
    const mock = yield* Effect.promise(() => Program.startTold("llm-mock", []))
    mock.setMaxListeners(0)
    const take = () => Program.tell(mock, "take") as Promise<Seen & { readonly port: number }>
    const { port } = yield* Effect.promise(take)
    const target = (name: string) =>
      Effect.flatMap(
        OpenAiCompatible.make({
          provider: name,
          model: "bench",
          baseUrl: `http://127.0.0.1:${port}/503${name}/v1`,
          apiKey: Redacted.make("sk-bench")
        }),
        (model) => Target.make(model, { breaker })
      )
    const chain = yield* LlmChain.make([yield* target("a"), yield* target("b"), yield* target("c")], {
      policy: ChainPolicy.deadline("2 seconds")
    })
    const counts = { calls: 0, most: 0, answered: 0 }
    const call = Effect.match(chain.generateText(request), {
      onSuccess: () => {
        counts.answered++
      },
      onFailure: (error) => {
        const wire = error.attempts?.filter(({ outcome }) => outcome === "failed").length ?? Number.NaN
        counts.most = Math.max(counts.most, wire)
      }
    })
    yield* Effect.promise(async () => {
      const began = performance.now()
      const running: Array<Promise<void>> = []
      while (counts.calls < perSecond * seconds) {
        const due = Math.min(perSecond * seconds, Math.floor((performance.now() - began) * perSecond / 1000) + 1)
        for (; counts.calls < due; counts.calls++) running.push(Effect.runPromise(call))
        await sleep(4)
      }
      await Promise.all(running)
    })
    const { counts: seen } = yield* Effect.promise(take)
    const ratios = names.map((name) => (seen[`503${name}`] ?? 0) / counts.calls)
    const all = ratios.reduce((sum, ratio) => sum + ratio, 0)
    Figures.line(title, [
      ...ratios.map((ratio) => ratio.toFixed(3)),
      all.toFixed(3),
      String(counts.most)
    ])
    yield* Effect.promise(() => Program.stop(mock))
    return counts.answered === 0 && ratios.every((ratio) => ratio <= 1.15) && counts.most <= 4
  }).pipe(Effect.provide(ProviderHttp.layer()), Effect.scoped)

/** The most that fell into one minute, wherever it begins. */
const mostInAMinute = (moments: ReadonlyArray<number>): number => {
  let first = 0
  let most = 0
  for (const [index, moment] of moments.entries()) {
    while (moment - (moments[first] ?? 0) >= 60_000) first++
    most = Math.max(most, index - first + 1)
  }
  return most
}

const callers = 1000
const perMinute = 60

/** A model that notes when it was asked, and answers after 200 ms. */
const noting = (moments: Array<number>): Llm.Model => ({
  provider: "bench",
  model: "noting",
  generateText: () =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      moments.push(now)
      return Effect.as(Effect.sleep("200 millis"), {
        provider: "bench",
        model: "noting",
        text: "ok",
        citations: [],
        usage: { inputTokens: 8, outputTokens: 2 },
        attempts: []
      })
    }),
  generateObject: () => Effect.never,
  streamText: () => Stream.never,
  ping: Effect.void
})

/** A clock that stands still until the next one who sleeps is to be woken. */
class Simulated {
  private now = 0
  private sleepers: Array<{ readonly at: number; readonly wake: () => void }> = []

  readonly clock: Clock.Clock = {
    ...Clock.make(),
    unsafeCurrentTimeMillis: () => this.now,
    unsafeCurrentTimeNanos: () => BigInt(Math.round(this.now * 1e6)),
    currentTimeMillis: Effect.sync(() => this.now),
    currentTimeNanos: Effect.sync(() => BigInt(Math.round(this.now * 1e6))),
    sleep: (duration) =>
      Effect.async((resume) => {
        const sleeper = { at: this.now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
        this.sleepers.push(sleeper)
        return Effect.sync(() => {
          this.sleepers = this.sleepers.filter((each) => each !== sleeper)
        })
      })
  }

  /** Lets all run that can, then goes to the next moment at which someone is woken. */
  async pass(): Promise<void> {
    await immediate()
    const at = this.sleepers.reduce((least, sleeper) => Math.min(least, sleeper.at), Number.POSITIVE_INFINITY)
    if (at === Number.POSITIVE_INFINITY) return
    this.now = Math.max(this.now, at)
    const due = this.sleepers.filter((sleeper) => sleeper.at <= at)
    this.sleepers = this.sleepers.filter((sleeper) => sleeper.at > at)
    for (const { wake } of due) wake()
  }
}

interface Time {
  readonly clock: Clock.Clock
  readonly pass: () => Promise<void>
}

/** A thousand callers, each `gap` ms after the other, at a model that allows 60 requests in a minute. */
const crowded = (
  title: string,
  gap: number,
  deadline: Duration.DurationInput,
  time: Time
): Effect.Effect<boolean, unknown> =>
  Effect.gen(function*() {
    const moments: Array<number> = []
    const target = yield* Target.make(noting(moments), { limits: { requestsPerMinute: perMinute } })
    const chain = yield* LlmChain.make([target], { policy: ChainPolicy.deadline(deadline) })
    const startedAt = performance.now()
    const beganAt = time.clock.unsafeCurrentTimeMillis()
    const fiber = yield* Effect.fork(Effect.forEach(
      Array.from({ length: callers }, (_, index) => index),
      (index) => Effect.either(Effect.delay(chain.generateText(request), Duration.millis(index * gap))),
      { concurrency: "unbounded" }
    ))
    yield* Effect.promise(async () => {
      while (fiber.unsafePoll() === null) await time.pass()
    })
    const results = yield* Fiber.join(fiber)
    const most = mostInAMinute(moments)
    const answered = results.filter(({ _tag }) => _tag === "Right").length
    Figures.line(title, [
      String(answered),
      String(moments.length),
      String(most),
      ((time.clock.unsafeCurrentTimeMillis() - beganAt) / 60_000).toFixed(1),
      ((performance.now() - startedAt) / 1000).toFixed(1)
    ])
    // A request without an answer was made too late to be of use, and took another's place.
    return most <= perMinute && answered === moments.length && target.limits.inFlight === 0
  }).pipe(Effect.scoped, Effect.withClock(time.clock))

const simulated = (title: string, gap: number, deadline: Duration.DurationInput) =>
  Effect.suspend(() => {
    const time = new Simulated()
    return crowded(title, gap, deadline, { clock: time.clock, pass: () => time.pass() })
  })

const program = Effect.gen(function*() {
  Figures.line(`${perSecond} calls/s, all fail: requests for each call`, [...names, "all", "most of one call"])
  const outcomes = [
    yield* failing("breakers as they are", undefined),
    yield* failing("no breakers", false)
  ]
  console.log("")
  Figures.line(`${callers} callers, ${perMinute} a minute`, [
    "answered",
    "requests",
    "most in a minute",
    "minutes",
    "seconds it took"
  ])
  outcomes.push(yield* simulated("all at once, deadline 30 s", 0, "30 seconds"))
  outcomes.push(yield* simulated("all at once, deadline 20 min", 0, "20 minutes"))
  outcomes.push(yield* simulated("one each 200 ms, deadline 30 s", 200, "30 seconds"))
  if (flags.long) {
    const time = { clock: Clock.make(), pass: () => sleep(100) }
    outcomes.push(yield* crowded("in real time, all at once, 2 min", 0, "2 minutes", time))
  }
  const isFine = outcomes.every((outcome) => outcome)
  console.log(isFine ? "nothing was asked more often than it may be" : "ASKED TOO OFTEN")
  return isFine
})

Program.stepAside()
Figures.main(Effect.runPromise(program))
