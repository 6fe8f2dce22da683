import { assert, describe, it } from "@effect/vitest"
import * as BatchingEmbedder from "causeway-mcp/embedding/BatchingEmbedder"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Scripted from "./scripted.js"

/** Past the usual linger. */
const pass = TestClock.adjust("5 millis")

/** An embedder that refuses a call with any text that begins with `bad`, and the texts of its calls. */
const refusing = (isRefusal: boolean | undefined, isBad = (text: string) => text.startsWith("bad")) => {
  const calls: Array<ReadonlyArray<string>> = []
  const embedder: Embedder.Embedding = {
    id: "x",
    dimensions: 3,
    embed: (texts) =>
      Effect.suspend(() => {
        calls.push(texts)
        return texts.some(isBad)
          ? new Embedder.EmbedderError({
            embedder: "x",
            description: "refused",
            isRetryable: false,
            ...(isRefusal === undefined ? {} : { isRefusal })
          })
          : Effect.succeed(texts.map(Scripted.vectorOf))
      })
  }
  return { calls, embedder }
}

/** What each of single texts came to: a refusal, a failure of another kind, or a vector. */
const singly = (embedder: Embedder.Embedding, texts: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(
      Effect.forEach(texts, (text) => Effect.either(embedder.embed([text])), { concurrency: "unbounded" })
    )
    yield* pass
    return (yield* Fiber.join(fiber)).map((one) => one._tag === "Right" ? "vector" : String(one.left.isRefusal))
  })

const many = (count: number, bad: ReadonlyArray<number>) =>
  Array.from({ length: count }, (_, at) => bad.includes(at) ? `bad${at}` : `t${at}`)

describe("BatchingEmbedder.make, when the embedder fails", () => {
  it.scoped("fails for those whose texts were in the batch, and no others", () =>
    Effect.gen(function*() {
      const { answer, embedder, fail, texts } = Scripted.make()
      const batched = yield* BatchingEmbedder.make(embedder, { maxTexts: 2, concurrency: 2 })
      const one = yield* Effect.fork(Effect.flip(batched.embed(["a"])))
      const two = yield* Effect.fork(Effect.flip(batched.embed(["b", "c", "e"])))
      const three = yield* Effect.fork(batched.embed(["d"]))
      yield* pass
      assert.deepStrictEqual(texts(), ["a b", "c e"])
      yield* fail(0, true)
      assert.isTrue((yield* Fiber.join(one)).isRetryable)
      assert.isTrue((yield* Fiber.join(two)).isRetryable)
      yield* pass
      assert.deepStrictEqual(texts(), ["a b", "c e", "d"])
      yield* answer(2)
      assert.deepStrictEqual(yield* Fiber.join(three), [Scripted.vectorOf("d")])
    }))

  it.scoped("does not ask for what is left of a call that has failed", () =>
    Effect.gen(function*() {
      const { asked, embedder, fail } = Scripted.make()
      const batched = yield* BatchingEmbedder.make(embedder, { maxTexts: 1, concurrency: 2 })
      const call = yield* Effect.fork(Effect.flip(batched.embed(["a", "b", "c", "d"])))
      yield* pass
      yield* fail(0, true)
      yield* Fiber.join(call)
      yield* pass
      assert.deepStrictEqual(asked.map(({ isInterrupted }) => isInterrupted), [false, true])
    }))

  it.scoped("asks for the halves of a batch that was refused, so that only the bad text fails", () =>
    Effect.gen(function*() {
      const calls: Array<string> = []
      const batched = yield* BatchingEmbedder.make({
        id: "x",
        dimensions: 3,
        embed: (texts) => {
          calls.push(texts.join(" "))
          return texts.some((text) => text.startsWith("bad"))
            ? Effect.fail(Scripted.error("refused", false))
            : Effect.succeed(texts.map(Scripted.vectorOf))
        }
      })
      const fiber = yield* Effect.fork(Effect.all([
        batched.embed(["a"]),
        Effect.flip(batched.embed(["b", "bad", "c"])),
        batched.embed(["d"]),
        Effect.flip(batched.embed(["bad2"])),
        batched.embed(["e", "f"])
      ], { concurrency: "unbounded" }))
      yield* pass
      const [a, bad, d, bad2, ef] = yield* Fiber.join(fiber)
      assert.deepStrictEqual([...a, ...d, ...ef], ["a", "d", "e", "f"].map(Scripted.vectorOf))
      assert.deepStrictEqual([bad.description, bad2.description], ["refused", "refused"])
      // Nobody wants "c" any more.
      assert.deepStrictEqual(calls, [
        "a b bad c d bad2 e f",
        ...["a b bad c", "a b", "bad c", "bad"],
        ...["d bad2 e f", "d bad2", "d", "bad2", "e f"]
      ])
    }))

  it.scoped("asks once for a single text that was refused", () =>
    Effect.gen(function*() {
      const { asked, embedder, fail } = Scripted.make()
      const batched = yield* BatchingEmbedder.make(embedder)
      const fiber = yield* Effect.fork(Effect.flip(batched.embed(["a"])))
      yield* pass
      yield* fail(0, false)
      assert.isFalse((yield* Fiber.join(fiber)).isRetryable)
      assert.strictEqual(asked.length, 1)
    }))

  it.scoped("does not go on asking for what is no text's fault", () =>
    Effect.gen(function*() {
      const { asked, embedder, fail } = Scripted.make()
      const batched = yield* BatchingEmbedder.make(embedder, {
        isOfOneText: ({ description }) => description === "bad text"
      })
      const all = yield* Effect.fork(
        Effect.all(["a", "b", "c"].map((text) => Effect.flip(batched.embed([text]))), { concurrency: "unbounded" })
      )
      yield* pass
      yield* fail(0, false, "bad text")
      yield* pass
      yield* fail(1, false, "bad key")
      assert.deepStrictEqual((yield* Fiber.join(all)).map(({ description }) => description), [
        "bad key",
        "bad key",
        "bad key"
      ])
      assert.deepStrictEqual(asked.map(({ texts }) => texts.join(" ")), ["a b c", "a b"])
    }))

  for (const [at, most] of [[0, 14], [31, 13], [63, 13]] as const) {
    it.scoped(`asks at most ${most} times for 64 texts of which text ${at} is refused`, () =>
      Effect.gen(function*() {
        const { calls, embedder } = refusing(undefined)
        const found = yield* singly(yield* BatchingEmbedder.make(embedder), many(64, [at]))
        assert.deepStrictEqual(found, Array.from({ length: 64 }, (_, n) => n === at ? "true" : "vector"))
        assert.isAtMost(calls.length, most)
      }))
  }

  it.scoped("asks no more than it must when the embedder says itself that a text is refused", () =>
    Effect.gen(function*() {
      const { calls, embedder } = refusing(true)
      const found = yield* singly(yield* BatchingEmbedder.make(embedder), many(64, [0]))
      assert.deepStrictEqual(found.filter((one) => one !== "vector"), ["true"])
      assert.strictEqual(calls.length, 13)
    }))

  it.scoped("finds every refused text, wherever they are", () =>
    Effect.gen(function*() {
      for (const bad of [[0, 1], [5, 6, 40], [0, 63], [62, 63], Array.from({ length: 30 }, (_, n) => 2 * n)]) {
        const { embedder } = refusing(undefined)
        const found = yield* singly(yield* BatchingEmbedder.make(embedder), many(64, bad))
        assert.deepStrictEqual(found, Array.from({ length: 64 }, (_, n) => bad.includes(n) ? "true" : "vector"))
      }
    }))

  it.scoped("asks eight times and no more when every text is refused, and blames none of them", () =>
    Effect.gen(function*() {
      const { calls, embedder } = refusing(undefined, () => true)
      const found = yield* singly(yield* BatchingEmbedder.make(embedder), many(64, []))
      assert.deepStrictEqual(new Set(found), new Set(["false"]))
      assert.strictEqual(calls.length, 8)
    }))

  it.scoped("asks once when the embedder says that no text is to blame", () =>
    Effect.gen(function*() {
      const { calls, embedder } = refusing(false, () => true)
      const found = yield* singly(yield* BatchingEmbedder.make(embedder), many(64, []))
      assert.deepStrictEqual(new Set(found), new Set(["false"]))
      assert.strictEqual(calls.length, 1)
    }))

  it.scoped("fails as retryable for the rest when the embedder goes away while it looks for a refused text", () =>
    Effect.gen(function*() {
      const { asked, embedder, fail } = Scripted.make()
      const batched = yield* BatchingEmbedder.make(embedder)
      const all = yield* Effect.fork(
        Effect.all(["a", "b", "c", "d"].map((text) => Effect.flip(batched.embed([text]))), { concurrency: "unbounded" })
      )
      yield* pass
      yield* fail(0, false)
      yield* pass
      yield* fail(1, true)
      assert.isTrue((yield* Fiber.join(all)).every(({ isRetryable }) => isRetryable))
      assert.deepStrictEqual(asked.map(({ texts }) => texts.join(" ")), ["a b c d", "a b"])
    }))

  for (const count of [0, 1, 3]) {
    it.scoped(`fails when ${count} vectors come for two texts`, () =>
      Effect.gen(function*() {
        const batched = yield* BatchingEmbedder.make({
          id: "x",
          dimensions: 3,
          embed: () => Effect.succeed(Array.from({ length: count }, () => Float32Array.of(1, 2, 3)))
        })
        const fiber = yield* Effect.fork(Effect.flip(batched.embed(["a", "b"])))
        yield* pass
        const error = yield* Fiber.join(fiber)
        assert.isFalse(error.isRetryable)
        assert.strictEqual(error.description, `${count} vectors came for 2 texts`)
      }))
  }

  it.scoped("passes a defect on, and goes on after it", () =>
    Effect.gen(function*() {
      let calls = 0
      const batched = yield* BatchingEmbedder.make({
        id: "x",
        dimensions: 3,
        embed: (texts) => {
          calls++
          if (calls === 1) throw new Error("bug")
          return calls === 2 ? Effect.interrupt : Effect.succeed(texts.map(Scripted.vectorOf))
        }
      }, { concurrency: 1, linger: 0 })
      const exit = yield* Effect.exit(batched.embed(["a"]))
      assert.isTrue(Exit.isFailure(exit) && Cause.isDieType(exit.cause))
      assert.isTrue((yield* Effect.flip(batched.embed(["b"]))).isRetryable)
      assert.deepStrictEqual(yield* batched.embed(["c"]), [Scripted.vectorOf("c")])
    }))
})
