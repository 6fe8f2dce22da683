import { assert, describe, it } from "@effect/vitest"
import { DocumentStore } from "causeway-mcp/document/DocumentStore"
import * as LazyDocumentStore from "causeway-mcp/document/LazyDocumentStore"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"

const empty = { documents: 0, passages: 0, revision: 0 }

/** A store over a server that answers, is slow, or hangs, and how often it was looked at. */
const scripted = () => {
  const state = { hangs: false, isStarved: false, takes: 0, pings: 0, left: 0 }
  const answer = <A>(value: A) =>
    Effect.suspend(() => state.hangs || state.isStarved ? Effect.never : Effect.as(Effect.sleep(state.takes), value))
      .pipe(Effect.onInterrupt(() =>
        Effect.sync(() => {
          state.left++
        })
      ))
  const store = DocumentStore.of({
    index: () => answer([]),
    remove: () => answer(0),
    search: () => answer([]),
    get: () => answer([]),
    list: () => answer([]),
    size: () => Effect.suspend(() => state.hangs ? answer(empty) : Effect.as(Effect.sleep(state.takes), empty)),
    changes: () => Stream.never,
    ping: Effect.suspend(() => {
      state.pings++
      return answer(undefined)
    })
  })
  const isAlive = Effect.suspend(() => state.hangs ? Effect.never : Effect.void)
  return { state, layer: LazyDocumentStore.layer(Layer.succeed(DocumentStore, store), { isAlive }) }
}

const size = Effect.flatMap(DocumentStore, (store) => store.size("t"))
const search = Effect.flatMap(DocumentStore, (store) => store.search({ tenant: "t", text: "herons", limit: 1 }))

describe("LazyDocumentStore.layer with a sign of life", () => {
  it.effect("fails who waits when the store falls silent, and all others at once, until it speaks again", () => {
    const { layer, state } = scripted()
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* size, empty)
      state.hangs = true
      const waits = yield* Effect.fork(Effect.flip(search))
      yield* TestClock.adjust("590 millis")
      assert.isNull(waits.unsafePoll())
      yield* TestClock.adjust("210 millis")
      assert.isNotNull(waits.unsafePoll())
      const error = yield* Fiber.join(waits)
      assert.deepStrictEqual([error.method, error.reason._tag, error.isRetryable], ["search", "Unavailable", true])
      assert.isAtLeast(state.left, 1, "what was asked is given up")

      assert.strictEqual((yield* Effect.flip(size)).reason._tag, "Unavailable")
      assert.strictEqual((yield* Effect.flip(Effect.flatMap(DocumentStore, ({ ping }) => ping))).method, "ping")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Effect.flip(size)).reason._tag, "Unavailable")

      state.hangs = false
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* size, empty)
    }).pipe(Effect.provide(layer))
  })

  it.effect("waits for what is slow, and for what waits for a connection, as long as the server lives", () => {
    const { layer, state } = scripted()
    return Effect.gen(function*() {
      state.takes = 10_000
      state.isStarved = true
      const slow = yield* Effect.fork(size)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* Fiber.join(slow), empty)
      assert.isAbove(state.pings, 10)
    }).pipe(Effect.provide(layer))
  })

  it.effect("asks nothing while nobody waits", () => {
    const { layer, state } = scripted()
    return Effect.gen(function*() {
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* size, empty)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(state.pings, 0)
    }).pipe(Effect.provide(layer))
  })

  it.effect("leaves nothing behind of whom gave up", () => {
    const { layer, state } = scripted()
    return Effect.gen(function*() {
      state.takes = 10_000
      const asked = yield* Effect.fork(size)
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(asked)
      const { pings } = state
      yield* TestClock.adjust("1 minute")
      assert.isAtMost(state.pings, pings + 1)
    }).pipe(Effect.provide(layer))
  })
})
