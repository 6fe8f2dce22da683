import { assert, describe, it } from "@effect/vitest"
import * as BatchingEmbedder from "causeway-mcp/embedding/BatchingEmbedder"
import * as CachingEmbedder from "causeway-mcp/embedding/CachingEmbedder"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as WatchedEmbedder from "causeway-mcp/embedding/WatchedEmbedder"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as Scripted from "./scripted.js"

type Answer = "vector" | "hang" | Embedder.EmbedderError

const failure = (isRetryable: boolean, isRefusal?: boolean) =>
  new Embedder.EmbedderError({
    embedder: "x",
    description: "no",
    isRetryable,
    ...(isRefusal === undefined ? {} : { isRefusal })
  })

/** A watched embedder that answers as it is told, and the texts of its calls. */
const watched = (first: Answer = "vector", options?: WatchedEmbedder.Options) => {
  const calls: Array<ReadonlyArray<string>> = []
  let answer = first
  const embedder = WatchedEmbedder.make({
    id: "x",
    dimensions: 3,
    embed: (texts) =>
      Effect.suspend(() => {
        calls.push(texts)
        return answer === "hang" ? Effect.never : answer === "vector"
          ? Effect.succeed(texts.map(Scripted.vectorOf))
          : Effect.fail(answer)
      })
  }, options)
  return {
    calls,
    embedder,
    now: (next: Answer) => {
      answer = next
    },
    ping: Effect.isEffect(embedder.ping) ? embedder.ping : Effect.dieMessage("no ping")
  }
}

describe("WatchedEmbedder.make", () => {
  it.effect("asks for one word when nothing was asked yet, and once a minute at most, however often it is pinged", () =>
    Effect.gen(function*() {
      const { calls, ping } = watched()
      for (let second = 0; second < 180; second++) {
        yield* ping
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(calls, [["text"], ["text"], ["text"]])
    }))

  it.effect("asks nothing while others ask", () =>
    Effect.gen(function*() {
      const { calls, embedder, ping } = watched()
      for (let second = 0; second < 180; second++) {
        if (second % 50 === 0) yield* embedder.embed(["a"])
        yield* ping
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(calls, [["a"], ["a"], ["a"], ["a"]])
    }))

  it.effect("is down after a failure, and up again with the next vector", () =>
    Effect.gen(function*() {
      const { calls, embedder, now, ping } = watched()
      yield* embedder.embed(["a"])
      yield* ping
      for (const error of [failure(true), failure(false, false)]) {
        now(error)
        yield* Effect.flip(embedder.embed(["b"]))
        assert.strictEqual(yield* Effect.flip(ping), error)
        now("vector")
        yield* embedder.embed(["c"])
        yield* ping
      }
      assert.lengthOf(calls, 5)
    }))

  it.effect("heals by itself when nobody asks any more", () =>
    Effect.gen(function*() {
      const { embedder, now, ping } = watched(failure(true))
      yield* Effect.flip(embedder.embed(["a"]))
      now("vector")
      yield* TestClock.adjust("59 seconds")
      yield* Effect.flip(ping)
      yield* TestClock.adjust("1 second")
      yield* ping
    }))

  it.effect("stays up when it refuses a text, and when nobody can tell why", () =>
    Effect.gen(function*() {
      const { embedder, now, ping } = watched()
      yield* embedder.embed(["a"])
      for (const error of [failure(false, true), failure(false)]) {
        now(error)
        yield* Effect.flip(embedder.embed(["bad"]))
        yield* ping
      }
    }))

  it.effect("is down when even the one word is refused", () =>
    Effect.gen(function*() {
      const { ping } = watched(failure(false))
      yield* Effect.flip(ping)
      yield* Effect.flip(ping)
    }))

  it.effect("is down, in time and until it answers, when it hangs", () =>
    Effect.gen(function*() {
      const { calls, ping } = watched("hang")
      const first = yield* Effect.fork(Effect.flip(ping))
      yield* TestClock.adjust("1500 millis")
      assert.strictEqual((yield* Fiber.join(first)).message, "Embedder x: no vector came within 1500 ms")
      for (let second = 0; second < 50; second++) {
        yield* Effect.flip(ping)
        yield* TestClock.adjust("1 second")
      }
      assert.lengthOf(calls, 1)
    }))

  it.effect("asks once though many ping at once, and though whoever asked gave up", () =>
    Effect.gen(function*() {
      const { calls, ping } = watched("hang")
      const first = yield* Effect.fork(ping)
      yield* Effect.yieldNow()
      for (let time = 0; time < 20; time++) yield* ping
      yield* Fiber.interrupt(first)
      for (let time = 0; time < 20; time++) yield* ping
      assert.lengthOf(calls, 1)
    }))

  it.effect("takes no call that was given up for a failure", () =>
    Effect.gen(function*() {
      const { embedder, now, ping } = watched()
      yield* embedder.embed(["a"])
      now("hang")
      const fiber = yield* Effect.fork(embedder.embed(["b"]))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      yield* ping
    }))

  it.effect("asks anew when the date has been set back", () =>
    Effect.gen(function*() {
      const { calls, ping } = watched()
      yield* TestClock.setTime(1_000_000)
      yield* ping
      yield* TestClock.setTime(0)
      yield* ping
      assert.lengthOf(calls, 2)
    }))

  it.scoped("is seen through a batch and a cache, whose answers are not taken for its own", () =>
    Effect.gen(function*() {
      const { calls, embedder, now } = watched()
      const cached = CachingEmbedder.make(yield* BatchingEmbedder.make(embedder, { linger: 0 }))
      yield* cached.embed(["a"])
      now(failure(true))
      yield* TestClock.adjust("1 minute")
      yield* cached.embed(["a"])
      yield* Effect.flip(Effect.isEffect(cached.ping) ? cached.ping : Effect.void)
      assert.deepStrictEqual(calls, [["a"], ["text"]])
    }))
})

describe("WatchedEmbedder.layer", () => {
  it.effect("watches the embedder of a layer", () =>
    Effect.gen(function*() {
      const embedder = yield* Embedder.Embedder
      assert.isTrue(Effect.isEffect(embedder.ping))
    }).pipe(Effect.provide(WatchedEmbedder.layer(Embedder.layerHash))))
})
