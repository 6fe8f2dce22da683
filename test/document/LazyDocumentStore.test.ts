import { assert, describe, it } from "@effect/vitest"
import { type Change, DocumentStore } from "causeway-mcp/document/DocumentStore"
import * as LazyDocumentStore from "causeway-mcp/document/LazyDocumentStore"
import * as TimeLimit from "causeway-mcp/policy/TimeLimit"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"

const empty = { documents: 0, passages: 0, revision: 0 }

const change: Change = {
  tenant: "t",
  revision: 1,
  documentId: "d",
  kind: "indexed",
  changedAt: "2026-11-22T00:00:00.000Z"
}

/** A store that fails to open a number of times, counting what it acquired and released. */
const failing = (times: number) =>
  Effect.gen(function*() {
    const attempts = yield* Ref.make(0)
    const held = yield* Ref.make(0)
    const layer = Layer.scoped(
      DocumentStore,
      Effect.gen(function*() {
        yield* Effect.acquireRelease(Ref.update(held, (n) => n + 1), () => Ref.update(held, (n) => n - 1))
        const attempt = yield* Ref.updateAndGet(attempts, (n) => n + 1)
        if (attempt <= times) return yield* Effect.fail("connection refused" as const)
        return DocumentStore.of({
          index: () => Effect.succeed([]),
          remove: () => Effect.succeed(0),
          search: () => Effect.succeed([]),
          get: () => Effect.succeed([]),
          list: () => Effect.succeed([]),
          size: () => Effect.succeed(empty),
          changes: () => Stream.make(change),
          ping: Effect.void
        })
      })
    )
    return { attempts, held, layer }
  })

const size = Effect.flatMap(DocumentStore, (store) => store.size("t"))

describe("LazyDocumentStore.layer", () => {
  it.effect("waits a little for the store to open, then answers", () =>
    Effect.gen(function*() {
      const { layer } = yield* failing(1)
      yield* Effect.gen(function*() {
        const asked = yield* Effect.fork(size)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* Fiber.join(asked), empty)
      }).pipe(Effect.provide(LazyDocumentStore.layer(layer, { onFailure: () => Effect.void })))
    }))

  it.effect("waits no longer than its caller's time limit", () =>
    Effect.gen(function*() {
      const { layer } = yield* failing(100)
      yield* Effect.gen(function*() {
        const asked = yield* Effect.fork(Effect.flip(TimeLimit.within(size, "100 millis")))
        yield* TestClock.adjust("100 millis")
        const exit = yield* Fiber.poll(asked)
        assert.isTrue(Option.isSome(exit))
        assert.strictEqual((yield* Fiber.join(asked)).reason._tag, "Unavailable")
      }).pipe(Effect.provide(LazyDocumentStore.layer(layer, { onFailure: () => Effect.void })))
    }))

  it.effect("fails as unavailable while the store is down and heals when it is back", () =>
    Effect.gen(function*() {
      const { attempts, held, layer } = yield* failing(6)
      yield* Effect.gen(function*() {
        const asked = yield* Effect.fork(Effect.flip(size))
        yield* TestClock.adjust("2 seconds")
        const error = yield* Fiber.join(asked)
        assert.deepStrictEqual([error.method, error.isRetryable], ["size", true])
        assert.isBelow(yield* Ref.get(attempts), 6)
        yield* TestClock.adjust("5 minutes")
        assert.deepStrictEqual(yield* size, empty)
        assert.strictEqual(yield* Ref.get(held), 1)
      }).pipe(Effect.provide(LazyDocumentStore.layer(layer, { onFailure: () => Effect.void })))
      assert.strictEqual(yield* Ref.get(held), 0)
    }))

  it.effect("lets who follows changes wait for as long as the store is down", () =>
    Effect.gen(function*() {
      const { layer } = yield* failing(6)
      yield* Effect.gen(function*() {
        const store = yield* DocumentStore
        const following = yield* Effect.fork(Stream.runCollect(store.changes()))
        yield* TestClock.adjust("5 seconds")
        assert.isNull(following.unsafePoll())
        yield* TestClock.adjust("5 minutes")
        assert.deepStrictEqual(Chunk.toReadonlyArray(yield* Fiber.join(following)), [change])
      }).pipe(Effect.provide(LazyDocumentStore.layer(layer, { onFailure: () => Effect.void })))
    }))

  it.effect("reports an outage once, not at every try", () =>
    Effect.gen(function*() {
      const { layer } = yield* failing(6)
      const reports = yield* Ref.make<ReadonlyArray<string>>([])
      yield* TestClock.adjust("5 minutes").pipe(
        Effect.provide(
          LazyDocumentStore.layer(layer, { onFailure: (error) => Ref.update(reports, (all) => [...all, error]) })
        )
      )
      assert.deepStrictEqual(yield* Ref.get(reports), ["connection refused"])
    }))

  it.effect("holds what it acquired until an opening that cannot be interrupted has ended", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const note = (what: string) => Effect.sync(() => void order.push(what))
      const slow = Layer.scoped(
        DocumentStore,
        Effect.zipRight(
          Effect.acquireRelease(note("locked"), () => note("unlocked")),
          Effect.uninterruptible(
            Effect.zipRight(Effect.delay(note("written"), "10 seconds"), Effect.fail("never opened"))
          )
        )
      )
      const used = yield* Effect.fork(
        Effect.provide(Effect.sleep("1 second"), LazyDocumentStore.layer(slow, { onFailure: () => Effect.void }))
      )
      yield* TestClock.adjust("11 seconds")
      yield* Fiber.join(used)
      assert.deepStrictEqual(order, ["locked", "written", "unlocked"])
    }))

  it.effect("fails at once, once it has waited a little, until the store opens", () =>
    Effect.gen(function*() {
      const { layer } = yield* failing(100)
      yield* Effect.gen(function*() {
        yield* TestClock.adjust("2 seconds")
        const asked = yield* Effect.fork(Effect.flip(size))
        yield* TestClock.adjust(0)
        assert.isTrue(Option.isSome(yield* Fiber.poll(asked)))
        assert.strictEqual((yield* Fiber.join(asked)).reason._tag, "Unavailable")
      }).pipe(Effect.provide(LazyDocumentStore.layer(layer, { onFailure: () => Effect.void })))
    }))

  it.effect("tries again every two seconds at most, so that a store that is back is open soon", () =>
    Effect.gen(function*() {
      const { attempts, layer } = yield* failing(1000)
      yield* Effect.gen(function*() {
        yield* TestClock.adjust("1 minute")
        const before = yield* Ref.get(attempts)
        yield* TestClock.adjust("2 seconds")
        assert.isAbove(yield* Ref.get(attempts), before)
      }).pipe(Effect.provide(LazyDocumentStore.layer(layer, { onFailure: () => Effect.void })))
    }))

  it.effect("says so when opening ends in a defect and is not tried again", () =>
    Effect.gen(function*() {
      const errors: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel === LogLevel.Error) errors.push(String(message))
      })
      const broken = Layer.effect(DocumentStore, Effect.dieMessage("a bug"))
      yield* TestClock.adjust("1 minute").pipe(
        Effect.provide(LazyDocumentStore.layer(broken)),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      assert.lengthOf(errors, 1)
      assert.match(errors[0] ?? "", /document store.*not tried again/)
    }))
})
