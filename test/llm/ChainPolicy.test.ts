import { assert, describe, it } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import type * as Check from "causeway-mcp/llm/Check"
import * as Decision from "causeway-mcp/llm/Decision"
import * as LlmError from "causeway-mcp/llm/LlmError"
import * as Backoff from "causeway-mcp/policy/Backoff"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schedule from "effect/Schedule"

const error = (reason: LlmError.Reason, retryAfterMs?: number): LlmError.LlmError =>
  new LlmError.LlmError({
    reason,
    provider: "acme",
    description: "it did not answer",
    ...(retryAfterMs === undefined ? {} : { retryAfterMs })
  })

/** The delays a schedule gives for the same failure until it ends, in milliseconds. */
const delays = (schedule: Schedule.Schedule<unknown, LlmError.LlmError>, failure: LlmError.LlmError) =>
  Schedule.run(Schedule.delays(schedule), 0, Array.from({ length: 5 }, () => failure)).pipe(
    Effect.map((chunk) => [...chunk].map(Duration.toMillis).slice(0, -1))
  )

const check = (name: string): Check.Check => ({ name, judge: () => Effect.succeed(undefined) })

const millis = (timeouts: ChainPolicy.Timeouts) => ({
  queue: Duration.toMillis(timeouts.queue),
  headers: Duration.toMillis(timeouts.headers),
  firstToken: Duration.toMillis(timeouts.firstToken),
  idle: Duration.toMillis(timeouts.idle),
  answer: Duration.toMillis(timeouts.answer)
})

describe("ChainPolicy.stretch", () => {
  it("lets phases grow and shrink with the deadline", () => {
    const longer = ChainPolicy.stretch(ChainPolicy.interactive, "18 seconds")
    assert.strictEqual(Duration.toMillis(longer.deadline ?? 0), 18_000)
    assert.deepStrictEqual(
      Object.entries(longer.timeouts ?? {}).map(([phase, duration]) => [phase, Duration.toMillis(duration)]),
      [["queue", 50], ["headers", 7000], ["firstToken", 9000], ["idle", 4000], ["answer", 12_000]]
    )
    const shorter = ChainPolicy.stretch(ChainPolicy.deadline("10 seconds"), "1 second")
    assert.strictEqual(Duration.toMillis(shorter.timeouts?.answer ?? 0), 2000)
  })
})

describe("ChainPolicy.make", () => {
  it.effect("is the standard when nothing is said", () =>
    Effect.gen(function*() {
      const policy = yield* ChainPolicy.make()
      assert.strictEqual(Duration.toMillis(policy.deadline), 30_000)
      assert.deepStrictEqual(millis(policy.timeouts), {
        queue: 50,
        headers: 10_000,
        firstToken: 15_000,
        idle: 15_000,
        answer: 20_000
      })
      assert.strictEqual(policy.maxAttempts, 4)
      assert.strictEqual(policy.repairs, 1)
      assert.isUndefined(policy.hedge)
      assert.isTrue(policy.lengthens)
      assert.isFalse(policy.isBuffered)
      assert.strictEqual(policy.onAllDegraded, "fail")
      assert.strictEqual(policy.decide, Decision.standard)
      assert.deepStrictEqual(yield* ChainPolicy.make(ChainPolicy.standard), policy)
    }))

  it.effect("replaces each part by itself", () =>
    Effect.gen(function*() {
      const retryIf = () => true
      const schedule = Schedule.recurs(3)
      const notEmpty = check("notEmpty")
      const policy = yield* ChainPolicy.make(
        ChainPolicy.deadline("3 seconds"),
        ChainPolicy.timeouts({ idle: "1 second" }),
        ChainPolicy.retry(schedule),
        ChainPolicy.retryIf(retryIf),
        ChainPolicy.decide(Decision.pastContentRules),
        ChainPolicy.maxAttempts(2),
        ChainPolicy.hedge({ after: "300 millis" }),
        ChainPolicy.checks(notEmpty),
        ChainPolicy.repairs(0),
        ChainPolicy.lengthens(false),
        ChainPolicy.onAllDegraded("best"),
        ChainPolicy.buffered
      )
      assert.deepStrictEqual(policy, {
        deadline: Duration.seconds(3),
        timeouts: {
          queue: Duration.millis(50),
          headers: Duration.seconds(10),
          firstToken: Duration.seconds(15),
          idle: Duration.seconds(1),
          answer: Duration.seconds(20)
        },
        retry: schedule,
        retryIf,
        decide: Decision.pastContentRules,
        maxAttempts: 2,
        hedge: {
          after: Duration.millis(300),
          budget: { ratio: 0.05, minPerSecond: 0 },
          maxCostRatio: 3,
          maxLoad: 0.8
        },
        checks: [notEmpty],
        repairs: 0,
        lengthens: false,
        onAllDegraded: "best",
        isBuffered: true
      })
    }))

  it.effect.each<[string, ChainPolicy.Part]>([
    ["deadline", ChainPolicy.deadline(0)],
    ["deadline", ChainPolicy.deadline(-5)],
    ["deadline", ChainPolicy.deadline(NaN)],
    ["deadline", ChainPolicy.deadline(Duration.infinity)],
    ["timeouts.headers", ChainPolicy.timeouts({ headers: 0 })],
    ["timeouts.firstToken", ChainPolicy.timeouts({ firstToken: -1 })],
    ["timeouts.idle", ChainPolicy.timeouts({ idle: NaN })],
    ["timeouts.answer", ChainPolicy.timeouts({ answer: "0 seconds" })],
    ["maxAttempts", ChainPolicy.maxAttempts(0)],
    ["maxAttempts", ChainPolicy.maxAttempts(1.5)],
    ["maxAttempts", ChainPolicy.maxAttempts(NaN)],
    ["maxAttempts", ChainPolicy.maxAttempts(Infinity)],
    ["repairs", ChainPolicy.repairs(-1)],
    ["repairs", ChainPolicy.repairs(NaN)],
    ["hedge.maxCostRatio", ChainPolicy.hedge({ maxCostRatio: 0 })],
    ["hedge.maxLoad", ChainPolicy.hedge({ maxLoad: 1.1 })],
    ["hedge.maxLoad", ChainPolicy.hedge({ maxLoad: NaN })],
    ["hedge.budget.ratio", ChainPolicy.hedge({ budget: { ratio: -0.1 } })],
    ["hedge.budget.minPerSecond", ChainPolicy.hedge({ budget: { ratio: 0.1, minPerSecond: NaN } })]
  ])("refuses %s out of its range, and names it", ([path, part]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(ChainPolicy.make(part))
      assert.strictEqual(error._tag, "InvalidTarget")
      assert.strictEqual(error.path.join("."), path)
    }))

  it.effect("allows no time for a queue, and any time for a phase", () =>
    Effect.gen(function*() {
      const policy = yield* ChainPolicy.make(ChainPolicy.timeouts({ queue: 0, answer: Duration.infinity }))
      assert.deepStrictEqual(policy.timeouts.queue, Duration.zero)
      assert.deepStrictEqual(policy.timeouts.answer, Duration.infinity)
    }))
})

describe("ChainPolicy.all", () => {
  const part = FastCheck.oneof(
    FastCheck.integer({ min: 1, max: 100 }).map((seconds) => ChainPolicy.deadline(Duration.seconds(seconds))),
    FastCheck.integer({ min: 1, max: 9 }).map(ChainPolicy.maxAttempts),
    FastCheck.boolean().map(ChainPolicy.lengthens),
    FastCheck.constantFrom(ChainPolicy.buffered, ChainPolicy.hedge("off"), ChainPolicy.hedge({ maxLoad: 0.5 })),
    FastCheck.tuple(
      FastCheck.constantFrom("queue", "headers", "firstToken", "idle", "answer"),
      FastCheck.integer({ min: 1, max: 9_999 })
    ).map(([phase, time]) => ChainPolicy.timeouts({ [phase]: time }))
  )

  it("gives the same policy however the parts are grouped", () => {
    FastCheck.assert(FastCheck.property(FastCheck.array(part), FastCheck.array(part), (some, others) => {
      const flat = Effect.runSync(ChainPolicy.make(...some, ...others))
      const grouped = Effect.runSync(ChainPolicy.make(ChainPolicy.all(...some), ChainPolicy.all(...others)))
      assert.deepStrictEqual(grouped, flat)
    }))
  })

  it("lets the later of two count", () => {
    const policy = Effect.runSync(ChainPolicy.make(
      ChainPolicy.maxAttempts(1),
      ChainPolicy.hedge({}),
      ChainPolicy.maxAttempts(3),
      ChainPolicy.hedge("off")
    ))
    assert.strictEqual(policy.maxAttempts, 3)
    assert.isUndefined(policy.hedge)
  })

  it("keeps phases of a preset that a later part does not name", () => {
    const policy = Effect.runSync(ChainPolicy.make(ChainPolicy.interactive, ChainPolicy.timeouts({ idle: "1 second" })))
    assert.deepStrictEqual(millis(policy.timeouts), {
      queue: 50,
      headers: 700,
      firstToken: 900,
      idle: 1_000,
      answer: 1_200
    })
  })
})

describe("ChainPolicy presets", () => {
  it.effect("allow a minute for reasoning, two for batches, eight seconds for JSON, less than two for who waits", () =>
    Effect.gen(function*() {
      const deadlines = yield* Effect.forEach(
        [ChainPolicy.interactive, ChainPolicy.strictJson, ChainPolicy.reasoning, ChainPolicy.longContextBatch],
        (preset) => Effect.map(ChainPolicy.make(preset), (policy) => Duration.toMillis(policy.deadline))
      )
      assert.deepStrictEqual(deadlines, [1_800, 8_000, 60_000, 120_000])
    }))

  it.effect("leave no phase longer than the whole call", () =>
    Effect.gen(function*() {
      for (
        const preset of [
          ChainPolicy.standard,
          ChainPolicy.interactive,
          ChainPolicy.strictJson,
          ChainPolicy.reasoning,
          ChainPolicy.longContextBatch
        ]
      ) {
        const policy = yield* ChainPolicy.make(preset)
        for (const time of Object.values(millis(policy.timeouts))) {
          assert.isBelow(time, Duration.toMillis(policy.deadline))
        }
      }
    }))
})

describe("ChainPolicy.standard", () => {
  const policy = Effect.runSync(ChainPolicy.make())

  it.effect("asks the same model again once, within 80 ms", () =>
    Effect.gen(function*() {
      const [delay = NaN, ...rest] = yield* delays(policy.retry, error("Transient"))
      assert.isTrue(delay >= 0 && delay <= 80, `delay ${delay}`)
      assert.deepStrictEqual(rest, [])
    }))

  it.effect("waits as long as the provider asked", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* delays(policy.retry, error("Transient", 400)), [400])
    }))

  it("asks again only after what broke down fast", () => {
    assert.isTrue(policy.retryIf(error("Transient"), 299))
    assert.isFalse(policy.retryIf(error("Transient"), 300))
    for (const reason of LlmError.Reason.literals.filter((reason) => reason !== "Transient")) {
      assert.isFalse(policy.retryIf(error(reason), 1), reason)
    }
  })
})

describe("ChainPolicy.retry", () => {
  it.effect("takes the schedules of Backoff", () =>
    Effect.gen(function*() {
      const policy = yield* ChainPolicy.make(ChainPolicy.retry(Backoff.quick))
      assert.lengthOf(yield* delays(policy.retry, error("Transient")), 2)
      assert.lengthOf(yield* delays(policy.retry, error("AuthRejected")), 0)
    }))

  it.effect("can be none at all", () =>
    Effect.gen(function*() {
      const policy = yield* ChainPolicy.make(ChainPolicy.noRetry)
      assert.deepStrictEqual(yield* delays(policy.retry, error("Transient")), [])
    }))
})
