import { assert, describe, it } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as LlmChain from "causeway-mcp/llm/LlmChain"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as TestLlm from "causeway-mcp/testing/TestLlm"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { calm, dollarEach, during, isIdle, read, request, script, target, trail } from "./harness.js"

const usage = { inputTokens: 2, outputTokens: 3 }

describe("streams of a chain", () => {
  it.scoped("changes models before the first text, and the last piece has the whole trail and the cost", () =>
    Effect.gen(function*() {
      const a = yield* target("a", {
        price: dollarEach("a"),
        steps: [TestLlm.fail("Transient", { delay: 400, usage })]
      })
      const b = yield* target("b", {
        limits: { concurrency: 1 },
        price: dollarEach("b"),
        steps: [TestLlm.pieces(["hel", "lo"], { delay: 100, gap: 50, usage })]
      })
      const chain = yield* LlmChain.make([a.target, b.target])
      const deltas = yield* during(Stream.runCollect(chain.streamText(request)), 400, 100, 50)
      assert.deepStrictEqual([...deltas].map((delta) => delta._tag === "Text" ? delta.text : delta._tag), [
        "hel",
        "lo",
        "Done"
      ])
      const last = [...deltas].at(-1)
      if (last?._tag !== "Done") return assert.fail("no last piece")
      assert.deepStrictEqual(trail(last.answer.attempts), ["a failed Transient 400", "b answered 150 failover"])
      assert.strictEqual(last.answer.attempts[1]?.firstTokenMs, 100)
      assert.deepStrictEqual(last.answer.cost, { certainty: "exact", usd: 10 })
      assert.strictEqual(last.answer.text, "hello")
      isIdle(b.target)
    }))

  it.scoped("never glues: what fails after its first text is StreamBroken, with the text so far and the trail", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.fail("Malformed"))
      const b = yield* target("b", {
        limits: { concurrency: 1 },
        steps: [TestLlm.fail("Transient", { after: "half an" })]
      })
      const c = yield* script("c")
      const { result, seen } = yield* read((yield* LlmChain.make([a, b.target, c])).streamText(request))
      assert.deepStrictEqual(seen, ["half an"])
      if (result._tag === "Right") return assert.fail("it did not break")
      assert.strictEqual(result.left.reason, "StreamBroken")
      assert.strictEqual(result.left.partial === undefined ? "" : Redacted.value(result.left.partial), "half an")
      assert.notInclude(JSON.stringify(result.left), "half an")
      assert.deepStrictEqual(trail(result.left.attempts), ["a failed Malformed 0", "b failed StreamBroken 0 failover"])
      assert.strictEqual((yield* c.requests).length, 0)
      isIdle(b.target)
    }))

  it.scoped("does not take a text of nothing or of spaces for the first one", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.fail("Malformed", { after: "" }))
      const b = yield* script("b", TestLlm.fail("Malformed", { after: "  \n" }))
      const c = yield* script("c", TestLlm.pieces(["", " ", "x"]))
      const { seen } = yield* read((yield* LlmChain.make([a, b, c])).streamText(request))
      assert.deepStrictEqual(seen, [" x", "done by c"])
    }))

  it.scoped("takes a stream of nothing but spaces for an empty answer, and asks the next", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.pieces([" ", "\n"]))
      const b = yield* script("b", TestLlm.text("x"))
      const deltas = yield* Stream.runCollect((yield* LlmChain.make([a, b])).streamText(request))
      const last = [...deltas].at(-1)
      assert.deepStrictEqual(trail(last?._tag === "Done" ? last.answer.attempts : []), [
        "a failed Degraded 0 empty",
        "b answered 0 failover"
      ])
    }))

  it.scoped("ends a silent stream, at its first text and between two, by the cap of the phase", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.hangIn({ phase: "headers" }, { phase: "firstToken", after: 100 }))
      const b = yield* script(
        "b",
        TestLlm.pieces(["x", "y", "z"], { gap: 400 }),
        TestLlm.pieces(["x", "y"], { gap: 401 })
      )
      const policy = ChainPolicy.timeouts({ headers: 700, firstToken: 900, idle: 400.5 })
      const first = yield* during(read((yield* LlmChain.make([a, b], { policy })).streamText(request)), 1000, 400, 400)
      assert.deepStrictEqual(first.seen, ["x", "y", "z", "done by b"])
      assert.strictEqual(yield* a.interrupted, 1)
      const { result, seen } = yield* during(read((yield* LlmChain.make([b], { policy })).streamText(request)), 500)
      assert.deepStrictEqual(seen, ["x"])
      assert.deepStrictEqual(
        result._tag === "Left" ? [result.left.reason, result.left.phase] : [],
        ["StreamBroken", "idle"]
      )
    }))

  it.scoped("does not count the reader's own time as silence of the wire", () =>
    Effect.gen(function*() {
      const letters = Array.from({ length: 40 }, (_, index) => String.fromCharCode(97 + index % 26))
      const a = yield* script("a", TestLlm.pieces(letters, { gap: 10 }))
      const chain = yield* LlmChain.make([a], { policy: ChainPolicy.timeouts({ idle: 100 }) })
      const seen: Array<string> = []
      const reading = Stream.runForEach(chain.streamText(request), (delta) => {
        if (delta._tag === "Text") seen.push(delta.text)
        return Effect.sleep(200)
      })
      yield* during(reading, ...Array.from({ length: 90 }, () => 100))
      assert.strictEqual(seen.join(""), letters.join(""))
    }))

  it.scoped("lets the wire be ahead of a slow reader by so much and no more", () =>
    Effect.gen(function*() {
      let made = 0
      const a = yield* script("a")
      const endless = {
        ...a,
        streamText: (): Stream.Stream<Chat.Delta> =>
          Stream.repeatEffect(Effect.sync((): Chat.Delta => ({ _tag: "Text", text: String(++made) })))
      }
      const chain = yield* LlmChain.make([endless], { policy: ChainPolicy.deadline("5 seconds") })
      const fiber = yield* Effect.fork(
        read(Stream.mapEffect(chain.streamText(request), (delta) => Effect.delay(Effect.succeed(delta), "1 minute")))
      )
      yield* TestClock.adjust(4000)
      assert.isAtMost(made, 40)
      yield* TestClock.adjust("10 hours")
      const { result } = yield* Fiber.join(fiber)
      assert.strictEqual(result._tag === "Left" ? result.left.reason : "", "StreamBroken")
    }))

  it.scoped("asks the next when a stream ends before its first text, and breaks when it ends after it", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.pieces([], { isCut: true }))
      const b = yield* script("b", TestLlm.pieces(["x"], { isCut: true }))
      const { result, seen } = yield* read((yield* LlmChain.make([a, b])).streamText(request))
      assert.deepStrictEqual(seen, ["x"])
      if (result._tag === "Right") return assert.fail("it did not break")
      assert.deepStrictEqual(trail(result.left.attempts), ["a failed Malformed 0", "b failed StreamBroken 0 failover"])
    }))

  it.scoped("ends with one last piece, whatever comes after it", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.text("x"), TestLlm.text("y"))
      const twice = {
        ...a,
        streamText: (request: Chat.Request) => Stream.concat(a.streamText(request), a.streamText(request))
      }
      const { seen } = yield* read((yield* LlmChain.make([twice])).streamText(request))
      assert.deepStrictEqual(seen, ["x", "done by a"])
    }))

  it.scoped("holds the deadline also after the first text", () =>
    Effect.gen(function*() {
      const a = yield* target("a", {
        breaker: { consecutive: 1 },
        steps: [TestLlm.pieces(Array.from({ length: 100 }, () => "x"), { gap: 100 })]
      })
      const chain = yield* LlmChain.make([a.target])
      const { result, seen } = yield* during(
        TimeLimit.within(read(chain.streamText(request)), "1 second"),
        ...Array.from({ length: 10 }, () => 100)
      )
      assert.isAtLeast(seen.length, 10)
      assert.strictEqual(result._tag === "Left" ? result.left.reason : "", "StreamBroken")
      assert.strictEqual(a.target.breaker.state(1000), "closed")
    }))

  it.scoped("closes the stream of a reader that has enough, and gives back what it held", () =>
    Effect.gen(function*() {
      const a = yield* target("a", {
        limits: { concurrency: 1 },
        steps: [TestLlm.pieces(["x", "y"], { gap: "1 second" })]
      })
      const chain = yield* LlmChain.make([a.target])
      const deltas = yield* Stream.runCollect(Stream.take(chain.streamText(request), 1))
      assert.strictEqual(deltas.length, 1)
      isIdle(a.target)
      yield* a.model.push(TestLlm.hang)
      const fiber = yield* Effect.fork(read(chain.streamText(request)))
      yield* TestClock.adjust(100)
      assert.strictEqual(a.target.limits.inFlight, 1)
      yield* Fiber.interrupt(fiber)
      isIdle(a.target)
    }))

  it.scoped("does not hear a model that was given up and talks on", () =>
    Effect.gen(function*() {
      const a = yield* script("a")
      const deaf = {
        ...a,
        streamText: (): Stream.Stream<Chat.Delta> =>
          Stream.fromEffect(
            Effect.uninterruptible(Effect.delay(Effect.succeed<Chat.Delta>({ _tag: "Text", text: "late" }), 2000))
          )
      }
      const b = yield* script("b", TestLlm.pieces(["x", "y"], { delay: 500, gap: 1000 }))
      const chain = yield* LlmChain.make([deaf, b], { policy: ChainPolicy.timeouts({ answer: 1000 }) })
      const { seen } = yield* during(read(chain.streamText(request)), 1000, 500, 1000)
      assert.deepStrictEqual(seen, ["x", "y", "done by b"])
    }))

  it.scoped("holds a stream back until it is complete, checks it and makes any failure good, when asked to", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.fail("Malformed", { after: "half an" }))
      const b = yield* script("b", TestLlm.pieces(["sor", "ry"]))
      const c = yield* script("c", TestLlm.pieces(["an ", "answer"]))
      const refusal = {
        name: "refusal",
        judge: ({ answer }: { readonly answer: { readonly text?: string | undefined } }) =>
          Effect.succeed(
            answer.text === "sorry"
              ? { flaw: "refusal" as const, severity: "failure" as const, description: "it declined" }
              : undefined
          )
      }
      const policy = ChainPolicy.all(ChainPolicy.buffered, ChainPolicy.checks(refusal), calm)
      const { seen } = yield* read((yield* LlmChain.make([a, b, c], { policy })).streamText(request))
      assert.deepStrictEqual(seen, ["an answer", "done by c"])
    }))

  it.scoped("streams through a chain within a chain", () =>
    Effect.gen(function*() {
      const a = yield* script("a", TestLlm.fail("Malformed"))
      const b = yield* script("b", TestLlm.text("x"))
      const inner = yield* LlmChain.make([a, b], { name: "inner" })
      const deltas = yield* Stream.runCollect((yield* LlmChain.make([inner])).streamText(request))
      const last = [...deltas].at(-1)
      assert.deepStrictEqual(trail(last?._tag === "Done" ? last.answer.attempts : []), [
        "a failed Malformed 0",
        "b answered 0 failover"
      ])
    }))
})

describe("what a broken stream means for a model", () => {
  it.scoped("is what broke it: one that was cut off for its length is as well as before", () =>
    Effect.gen(function*() {
      const cut = TestLlm.fail("Degraded", { flaw: "truncated", after: "half" })
      const a = yield* target("a", {
        breaker: { consecutive: 1 },
        steps: [cut, TestLlm.fail("Transient", { after: "half" })]
      })
      const chain = yield* LlmChain.make([a.target])
      const error = yield* Effect.flip(Stream.runDrain(chain.streamText(request)))
      assert.deepStrictEqual([error.reason, a.target.breaker.state(0)], ["StreamBroken", "closed"])
      yield* Effect.flip(Stream.runDrain(chain.streamText(request)))
      assert.strictEqual(a.target.breaker.state(0), "open")
    }))

  it.scoped("is nothing when the reader has had enough after a piece or before the first", () =>
    Effect.gen(function*() {
      const a = yield* target("a", {
        limits: { concurrency: 1 },
        otherwise: () => TestLlm.pieces(["a", "b", "c"], { gap: 100 })
      })
      const chain = yield* LlmChain.make([a.target])
      for (const pieces of [1, 0]) {
        yield* Stream.runDrain(Stream.take(chain.streamText(request), pieces))
        isIdle(a.target)
      }
    }))
})
