import { assert, describe, it } from "@effect/vitest"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as CoalescingLlm from "causeway-mcp/llm/CoalescingLlm"
import type * as Llm from "causeway-mcp/llm/Llm"
import * as LlmError from "causeway-mcp/llm/LlmError"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"

const request: Chat.Request = { messages: [{ role: "user", text: "Why?" }], temperature: 0 }

const schema = { type: "object" } as const

const slow = (n: number) =>
  TestLlm.text(`answer ${n}`, { delay: "1 second", usage: { inputTokens: 10, outputTokens: 5 } })

const counted = (options?: CoalescingLlm.Options, steps: ReadonlyArray<TestLlm.Step> = [1, 2, 3, 4].map(slow)) =>
  Effect.gen(function*() {
    const script = yield* TestLlm.make({ steps })
    const priced: Llm.Model = {
      ...script,
      generateText: (request, observer) =>
        Effect.map(
          Effect.tap(script.generateText(request), () => observer?.remaining({ requests: 7 })),
          (answer) => ({
            ...answer,
            cost: { certainty: "exact", usd: 2 },
            attempts: answer.attempts.map((attempt) => ({ ...attempt, cost: { certainty: "exact", usd: 2 } }))
          })
        )
    }
    return { script, model: yield* CoalescingLlm.make(priced, options) }
  })

const asked = (script: TestLlm.Script) => Effect.map(script.requests, (requests) => requests.length)

const atOnce = <A, E>(...effects: ReadonlyArray<Effect.Effect<A, E>>) =>
  Effect.gen(function*() {
    const fibers = yield* Effect.forEach(effects, (effect) => Effect.fork(Effect.either(effect)))
    yield* TestClock.adjust("1 second")
    return yield* Effect.forEach(fibers, Fiber.join)
  })

describe("CoalescingLlm", () => {
  it.scoped("asks once for equal questions at once, and anew for a later one", () =>
    Effect.gen(function*() {
      const { model, script } = yield* counted()
      const results = yield* atOnce(...Array.from({ length: 50 }, () => model.generateText(request)))
      assert.deepStrictEqual(
        new Set(Either.getOrThrow(Either.all(results)).map(({ text }) => text)),
        new Set(["answer 1"])
      )
      assert.strictEqual(yield* asked(script), 1)
      yield* atOnce(model.generateText(request))
      assert.strictEqual(yield* asked(script), 2)
    }))

  it.scoped("bills one of those who share a run, and nothing to the others", () =>
    Effect.gen(function*() {
      const { model } = yield* counted()
      const ask = model.generateText(request)
      const answers = Either.getOrThrow(Either.all(yield* atOnce(ask, ask, ask)))
      assert.deepStrictEqual(answers.map(({ cost }) => cost?.usd).sort(), [0, 0, 2])
      assert.deepStrictEqual(answers.map(({ usage }) => usage.inputTokens).sort(), [0, 0, 10])
      assert.deepStrictEqual(answers.map(({ attempts }) => attempts[0]?.cost?.usd).sort(), [0, 0, 2])
      assert.isTrue(answers.every((answer) => answer.isCached === undefined && answer.attempts.length === 1))
    }))

  it.scoped("bills someone who is still there when the one who came first has left", () =>
    Effect.gen(function*() {
      const { model, script } = yield* counted()
      const first = yield* Effect.fork(model.generateText(request))
      yield* TestClock.adjust("500 millis")
      const second = yield* Effect.fork(model.generateText(request))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("500 millis")
      const answer = yield* Fiber.join(second)
      assert.deepStrictEqual([answer.text, answer.cost?.usd], ["answer 1", 2])
      assert.strictEqual(yield* script.interrupted, 0)
    }))

  it.scoped("interrupts the run when all have left, and keeps nothing of it", () =>
    Effect.gen(function*() {
      const { model, script } = yield* counted()
      const both = yield* Effect.forEach([1, 2], () => Effect.fork(model.generateText(request)))
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interruptAll(both)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* script.interrupted, 1)
      const [result] = yield* atOnce(model.generateText(request))
      assert.strictEqual(result?.pipe(Either.getOrThrow).text, "answer 2")
    }))

  it.scoped("shares a failure with those who wait, billed to one, and keeps it for nobody", () =>
    Effect.gen(function*() {
      const failing = LlmError.withFields(
        new LlmError.LlmError({ reason: "Transient", provider: "test", description: "broke down" }),
        {
          cost: { certainty: "estimated", usd: 3 },
          usage: { inputTokens: 4 },
          attempts: [{
            provider: "test",
            model: "m",
            outcome: "failed",
            elapsedMs: 1,
            cost: { certainty: "estimated", usd: 3 }
          }]
        }
      )
      const script = yield* TestLlm.make({ steps: [slow(1)] })
      let calls = 0
      const model = yield* CoalescingLlm.make({
        ...script,
        generateText: (request) =>
          ++calls === 1 ? Effect.delay(Effect.fail(failing), "1 second") : script.generateText(request)
      })
      const ask = model.generateText(request)
      const errors = (yield* atOnce(ask, ask)).flatMap((result) => Either.isLeft(result) ? [result.left] : [])
      assert.deepStrictEqual(errors.map(({ reason }) => reason), ["Transient", "Transient"])
      assert.deepStrictEqual(errors.map(({ cost }) => cost?.usd).sort(), [0, 3])
      assert.deepStrictEqual(errors.map(({ attempts }) => attempts?.[0]?.cost?.usd).sort(), [0, 3])
      const [later] = yield* atOnce(ask)
      assert.isTrue(later !== undefined && Either.isRight(later))
    }))

  it.scoped("lets a caller leave in phase total when its time is over, and the others wait on", () =>
    Effect.gen(function*() {
      const { model, script } = yield* counted()
      const ask = model.generateText(request)
      const hasty = yield* Effect.fork(Effect.flip(TimeLimit.within(ask, "300 millis")))
      const patient = yield* Effect.fork(TimeLimit.within(ask, "5 seconds"))
      yield* TestClock.adjust("300 millis")
      const error = yield* Fiber.join(hasty)
      assert.deepStrictEqual([error.reason, error.phase, error.attempts], ["TimedOut", "total", []])
      yield* TestClock.adjust("700 millis")
      assert.strictEqual((yield* Fiber.join(patient)).text, "answer 1")
      assert.strictEqual(yield* asked(script), 1)
    }))

  it.scoped("begins nothing for a caller whose time is over already", () =>
    Effect.gen(function*() {
      const { model, script } = yield* counted()
      const error = yield* Effect.flip(TimeLimit.within(model.generateText(request), 0))
      assert.strictEqual(error.reason, "TimedOut")
      assert.strictEqual(yield* asked(script), 0)
    }))

  it.scoped("runs the model without any caller's time limit", () =>
    Effect.gen(function*() {
      const script = yield* TestLlm.make()
      const limits: Array<number> = []
      const model = yield* CoalescingLlm.make({
        ...script,
        generateText: () =>
          Effect.flatMap(TimeLimit.remaining, (left) => {
            limits.push(left)
            return Effect.never
          })
      })
      const fiber = yield* Effect.fork(Effect.flip(TimeLimit.within(model.generateText(request), "1 second")))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(limits, [Number.POSITIVE_INFINITY])
    }))

  it.scoped("joins no calls of different tenants or questions, nor above temperature 0 unless it may", () =>
    Effect.gen(function*() {
      const { model, script } = yield* counted()
      yield* atOnce(
        model.generateText({ ...request, tenant: "a" }),
        model.generateText({ ...request, tenant: "b" }),
        model.generateText({ ...request, temperature: 1 }),
        model.generateText({ ...request, temperature: 1 })
      )
      assert.strictEqual(yield* asked(script), 4)
      const all = yield* counted({ all: true })
      const warm = all.model.generateText({ ...request, temperature: 1 })
      yield* atOnce(warm, warm)
      assert.strictEqual(yield* asked(all.script), 1)
    }))

  it.scoped("gives each caller a value of its own, and joins only those checked by the same function", () =>
    Effect.gen(function*() {
      const { model, script } = yield* counted(
        {},
        [1, 2, 3].map((n) => TestLlm.object({ list: [n] }, { delay: "1 second" }))
      )
      const check = () => []
      const ask = (validate?: Llm.ObjectRequest["validate"]) => model.generateObject({ ...request, schema, validate })
      const values = Either.getOrThrow(Either.all(
        yield* atOnce(ask(), ask(), ask(check), ask(check), ask(() => []))
      )).map(({ value }) => value)
      assert.strictEqual(yield* asked(script), 3)
      assert.deepStrictEqual(values[0], values[1])
      assert.notStrictEqual(values[0], values[1])
      assert.deepStrictEqual(values[2], values[3])
      assert.notDeepEqual(values[2], values[4])
    }))

  it.scoped("gives a value that is nested too deep to be copied as it is", () =>
    Effect.gen(function*() {
      const deep: unknown = JSON.parse("[".repeat(50_000) + "]".repeat(50_000))
      const { model } = yield* counted({}, [TestLlm.object(deep)])
      assert.isTrue((yield* model.generateObject({ ...request, schema })).value === deep)
    }))

  it.scoped("tells each observer that the wait for an answer began, and one of them what is left", () =>
    Effect.gen(function*() {
      const { model } = yield* counted()
      const heard: Array<string> = []
      const observer = (name: string): Llm.Observer => ({
        enter: (phase) => heard.push(`${name} ${phase}`),
        remaining: ({ requests }) => heard.push(`${name} ${requests} left`)
      })
      yield* atOnce(model.generateText(request, observer("a")), model.generateText(request, observer("b")))
      assert.deepStrictEqual(heard, ["a answer", "b answer", "a 7 left"])
    }))

  it.scoped("does not join streams", () =>
    Effect.gen(function*() {
      const { model, script } = yield* counted()
      const stream = Stream.runDrain(model.streamText(request))
      yield* atOnce(stream, stream)
      assert.strictEqual(yield* asked(script), 2)
    }))

  it.effect("interrupts what is under way when its scope closes", () =>
    Effect.gen(function*() {
      const { script } = yield* Effect.scoped(Effect.gen(function*() {
        const own = yield* counted()
        yield* Effect.fork(Effect.exit(own.model.generateText(request)))
        yield* TestClock.adjust("500 millis")
        return own
      }))
      assert.strictEqual(yield* script.interrupted, 1)
    }))
})
