import { assert, describe, it } from "@effect/vitest"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as Mirrored from "./mirrored.js"

const { ask, copied, over, settled } = Mirrored

const notes = (count: number, from = 0) =>
  Array.from({ length: count }, (_, n) => ({ id: `n${from + n}`, text: `Heron number ${from + n}.` }))

/** Searches, and leaves time for copying. */
const search = (mirror: Mirrored.Store, below: Mirrored.Below, tenant = "t") =>
  Effect.zipLeft(ask(mirror, below, "heron", { tenant }), settled)

describe("MirrorDocumentStore.layer", () => {
  it.scoped("does not copy a tenant with too many passages, and does once it has fewer", () =>
    Effect.gen(function*() {
      const below = yield* Mirrored.below()
      const mirror = yield* over(below, { maxPassages: 3 })
      yield* below.inner.index("t", notes(4))
      for (let n = 0; n < 5; n++) assert.strictEqual((yield* search(mirror, below)).by, "below")
      assert.deepStrictEqual([below.calls.size, below.calls.list, below.calls.get], [1, 0, 0])
      yield* below.inner.remove("t", ["n0"])
      yield* search(mirror, below)
      assert.strictEqual(below.calls.size, 1)
      yield* TestClock.adjust("1 minute")
      yield* copied(mirror, below)
      assert.lengthOf((yield* search(mirror, below)).hits, 3)
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("lets go of a tenant that grows beyond the limit", () =>
    Effect.gen(function*() {
      const below = yield* Mirrored.below()
      const mirror = yield* over(below, { maxPassages: 3 })
      yield* below.inner.index("t", notes(3))
      yield* copied(mirror, below)
      yield* below.inner.index("t", notes(1, 3))
      yield* settled
      const { by, hits } = yield* search(mirror, below)
      assert.deepStrictEqual([by, hits.length], ["below", 4])
      const { size } = below.calls
      yield* TestClock.adjust("50 seconds")
      yield* settled
      assert.strictEqual(below.calls.size, size)
      assert.strictEqual((yield* search(mirror, below)).by, "below")
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("keeps no more passages, and no more tenants, than it may, until others were let go", () =>
    Effect.gen(function*() {
      const below = yield* Mirrored.below()
      for (const tenant of ["a", "b", "c"]) yield* below.inner.index(tenant, notes(3))
      const limits = [
        { maxTotalPassages: 6, idle: "70 seconds", pause: "36 seconds" },
        { maxTenants: 2, idle: "10 seconds", pause: "6 seconds" }
      ] as const
      for (const { pause, ...options } of limits) {
        yield* Effect.scoped(Effect.gen(function*() {
          const mirror = yield* over(below, options)
          yield* copied(mirror, below, "a")
          yield* copied(mirror, below, "b")
          yield* search(mirror, below, "c")
          assert.strictEqual((yield* search(mirror, below, "c")).by, "below")
          yield* Effect.zipRight(TestClock.adjust(pause), settled)
          assert.strictEqual((yield* search(mirror, below, "a")).by, "memory")
          yield* Effect.zipRight(TestClock.adjust(pause), settled)
          yield* copied(mirror, below, "c")
          assert.deepStrictEqual(
            [(yield* search(mirror, below, "a")).by, (yield* search(mirror, below, "b")).by],
            ["memory", "below"]
          )
        }))
      }
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("lets go of a tenant that nobody searched for long, and copies it again when it is searched", () =>
    Effect.gen(function*() {
      const below = yield* Mirrored.below()
      const mirror = yield* over(below, { idle: "1 minute" })
      yield* below.inner.index("t", notes(3))
      yield* copied(mirror, below)
      yield* Effect.zipRight(TestClock.adjust("50 seconds"), settled)
      assert.strictEqual((yield* search(mirror, below)).by, "memory")
      yield* Effect.zipRight(TestClock.adjust("50 seconds"), settled)
      assert.strictEqual((yield* search(mirror, below)).by, "memory")
      yield* Effect.zipRight(TestClock.adjust("61 seconds"), settled)
      const { size } = below.calls
      yield* Effect.zipRight(TestClock.adjust("10 seconds"), settled)
      assert.strictEqual(below.calls.size, size)
      const read = below.calls.get
      assert.strictEqual((yield* search(mirror, below)).by, "below")
      yield* copied(mirror, below)
      assert.strictEqual(below.calls.get, read + 3)
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("does not copy a tenant that never stored anything, until this process writes to it", () =>
    Effect.gen(function*() {
      const below = yield* Mirrored.below()
      const mirror = yield* over(below)
      for (let n = 0; n < 5; n++) assert.strictEqual((yield* search(mirror, below)).by, "below")
      assert.strictEqual(below.calls.size, 1)
      yield* mirror.index("t", notes(1))
      yield* copied(mirror, below)
      assert.lengthOf((yield* search(mirror, below)).hits, 1)
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("tells once that documents cannot be embedded, and tries again with growing pauses", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const hash = yield* Effect.provide(Embedder.Embedder, Embedder.layerHash)
      let calls = 0
      let isBroken = true
      const broken = Embedder.Embedder.of({
        ...hash,
        embed: (texts) =>
          Effect.suspend(() => {
            calls++
            const description = "no such model"
            return isBroken
              ? Effect.fail(new Embedder.EmbedderError({ embedder: hash.id, description, isRetryable: false }))
              : hash.embed(texts)
          })
      })
      yield* Effect.gen(function*() {
        const below = yield* Effect.provide(Mirrored.below(), Embedder.layerHash)
        const mirror = yield* over(below)
        yield* below.inner.index("t", notes(3))
        const embedded: Array<number> = []
        for (let n = 0; n < 8; n++) {
          assert.strictEqual((yield* search(mirror, below)).by, "below")
          embedded.push(calls)
          yield* TestClock.adjust("1 minute")
        }
        assert.deepStrictEqual(embedded, [1, 2, 2, 3, 3, 3, 3, 4])
        isBroken = false
        yield* TestClock.adjust("10 minutes")
        yield* copied(mirror, below)
      }).pipe(Effect.provideService(Embedder.Embedder, broken), Effect.provide(Mirrored.logged(lines)))
      assert.lengthOf(lines, 1)
      assert.match(lines[0] ?? "", /not copied to memory.*no such model/)
    }))
})
