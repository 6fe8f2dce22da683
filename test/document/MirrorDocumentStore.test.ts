import { assert, describe, it } from "@effect/vitest"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Mirrored from "./mirrored.js"

const { ask, copied, over, settled } = Mirrored

const note = (id: string, text = `Heron ${id}.`) => ({ id, text })
const both = [note("a"), note("b")]

describe("MirrorDocumentStore.layer", () => {
  const make = (options?: Parameters<typeof over>[1], keepChanges?: number) =>
    Effect.gen(function*() {
      const below = yield* Mirrored.below(keepChanges)
      return { below, mirror: yield* over(below, options) }
    })

  it.scoped("asks the store below until the tenant is copied, and memory from then on, with the same hits", () =>
    Effect.gen(function*() {
      const { below, mirror } = yield* make()
      const embedder = yield* Embedder.Embedder
      const [vector] = yield* embedder.embed(["heron"])
      yield* below.inner.index("t", [
        { id: "a", text: "A heron.", title: "Birds", uri: "urn:a", publishedAt: "2026-11-01", version: 4 },
        { id: "b", text: "Another heron, and a stork.", metadata: { year: 2026, kind: "note" } },
        { id: "long", text: "A heron stood there. ".repeat(400) }
      ])
      assert.strictEqual((yield* ask(mirror, below, "heron")).by, "below")
      yield* copied(mirror, below)
      const asked = below.calls.search
      for (const query of [{}, { vector }, { limit: 2 }, { filter: { metadata: { year: 2026 } } }]) {
        const { by, hits } = yield* ask(mirror, below, "heron stork", query)
        assert.strictEqual(by, "memory")
        assert.isAbove(hits.length, 0)
        assert.deepStrictEqual(hits.map(({ origin }) => origin?.region), hits.map(() => "memory"))
        assert.deepStrictEqual(
          hits.map(({ origin: _, ...hit }) => hit),
          [...yield* below.inner.search({ tenant: "t", text: "heron stork", limit: 100, ...query })]
        )
      }
      assert.strictEqual(below.calls.search, asked)
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("leaves out where a passage stands when the store below does not know", () =>
    Effect.gen(function*() {
      const { below, mirror } = yield* make()
      const { get } = below.inner
      yield* below.inner.index("t", both)
      const spanless: Mirrored.Store["get"] = (tenant, id) =>
        Effect.map(get(tenant, id), (passages) => passages.map(({ span: _, ...passage }) => passage))
      below.inner = { ...below.inner, get: spanless }
      yield* copied(mirror, below)
      const { hits } = yield* ask(mirror, below, "heron")
      assert.deepStrictEqual(hits.map(({ passage }) => "span" in passage), [false, false])
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("shows what this process wrote or removed at once, though no change was told yet", () =>
    Effect.gen(function*() {
      const { below, mirror } = yield* make()
      yield* mirror.index("t", both)
      yield* copied(mirror, below)
      yield* below.telling.close
      yield* mirror.index("t", [note("a", "A stork.")])
      assert.deepStrictEqual((yield* ask(mirror, below, "heron stork")).texts, ["A stork.", "Heron b."])
      yield* settled
      assert.strictEqual((yield* ask(mirror, below, "heron")).by, "below")
      yield* below.telling.open
      yield* copied(mirror, below)
      assert.deepStrictEqual((yield* ask(mirror, below, "heron stork")).texts, ["A stork.", "Heron b."])
      yield* below.telling.close
      assert.strictEqual(yield* mirror.remove("t", ["a"]), 1)
      yield* settled
      assert.deepStrictEqual((yield* ask(mirror, below, "heron stork")).texts, ["Heron b."])
      yield* below.telling.open
      yield* copied(mirror, below)
      assert.deepStrictEqual((yield* ask(mirror, below, "heron stork")).texts, ["Heron b."])
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("shows what was written by an attempt that seemed to fail, once the next one is acknowledged", () =>
    Effect.gen(function*() {
      const { below, mirror } = yield* make()
      yield* mirror.index("t", both)
      yield* copied(mirror, below)
      yield* below.telling.close
      // Both were done, and the answers were lost.
      yield* below.inner.remove("t", ["a"])
      yield* below.inner.index("t", [note("b", "A stork.")])
      assert.strictEqual(yield* mirror.remove("t", ["a"]), 0)
      assert.deepStrictEqual((yield* ask(mirror, below, "heron")).texts, [])
      yield* settled
      assert.deepStrictEqual((yield* ask(mirror, below, "heron")).texts, [])
      yield* below.telling.open
      yield* copied(mirror, below)
      yield* below.telling.close
      yield* below.inner.index("t", [note("b", "A crane.")])
      const [outcome] = yield* mirror.index("t", [note("b", "A crane.")])
      assert.strictEqual(outcome?.status, "unchanged")
      yield* settled
      assert.deepStrictEqual((yield* ask(mirror, below, "crane")).texts, ["A crane."])
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("shows a version that this process raised, which is no change", () =>
    Effect.gen(function*() {
      const { below, mirror } = yield* make()
      const versions = Effect.map(
        Effect.zipRight(copied(mirror, below), ask(mirror, below, "heron")),
        ({ hits }) => hits.map(({ passage }) => passage.version)
      )
      yield* mirror.index("t", [{ ...note("a"), version: 1 }])
      assert.deepStrictEqual(yield* versions, [1])
      const read = below.calls.get
      yield* mirror.index("t", [{ ...note("a"), version: 1 }])
      assert.deepStrictEqual(yield* versions, [1])
      for (const version of [7, undefined, 3]) {
        yield* mirror.index("t", [{ ...note("a"), version }])
        assert.strictEqual((yield* ask(mirror, below, "heron")).by, "below")
        assert.deepStrictEqual(yield* versions, [version])
      }
      assert.strictEqual(below.calls.get, read + 3)
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("shows what another process wrote when the change is told, and embeds what is new alone", () =>
    Effect.gen(function*() {
      const embedded: Array<string> = []
      const hash = yield* Effect.provide(Embedder.Embedder, Embedder.layerHash)
      const counting = Embedder.Embedder.of({
        ...hash,
        embed: (texts) =>
          Effect.suspend(() => {
            embedded.push(...texts)
            return hash.embed(texts)
          })
      })
      yield* Effect.gen(function*() {
        const below = yield* Effect.provide(Mirrored.below(), Embedder.layerHash)
        const mirror = yield* over(below)
        yield* below.inner.index("t", both)
        yield* copied(mirror, below)
        assert.deepStrictEqual(embedded.splice(0).sort(), ["Heron a.", "Heron b."])
        yield* below.telling.close
        yield* below.inner.index("t", [note("c", "A stork.")])
        yield* below.inner.remove("t", ["a"])
        assert.deepStrictEqual((yield* ask(mirror, below, "heron stork")).texts, ["Heron a.", "Heron b."])
        yield* below.telling.open
        yield* settled
        const { by, texts } = yield* ask(mirror, below, "heron stork")
        assert.deepStrictEqual([by, ...texts], ["memory", "A stork.", "Heron b."])
        assert.deepStrictEqual(embedded, ["A stork."])
      }).pipe(Effect.provideService(Embedder.Embedder, counting))
    }))

  it.scoped("lets who was told of a change find it, though the copy has not come there yet", () =>
    Effect.gen(function*() {
      const { below, mirror } = yield* make()
      yield* below.inner.index("t", both)
      yield* copied(mirror, below)
      const told = yield* Effect.fork(Stream.runHead(mirror.changes({ tenant: "t" })))
      yield* settled
      yield* below.telling.close
      yield* below.inner.index("t", [note("c", "A stork.")])
      yield* Fiber.join(told)
      const { by, texts } = yield* ask(mirror, below, "stork")
      assert.deepStrictEqual([by, ...texts], ["below", "A stork."])
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("loses and undoes nothing that changes while it is copied", () =>
    Effect.gen(function*() {
      const { below, mirror } = yield* make()
      yield* below.inner.index("t", [note("a"), note("b"), note("c")])
      const isRead = yield* Effect.makeLatch(false)
      const mayGoOn = yield* Effect.makeLatch(false)
      below.afterGet = () => Effect.zipRight(isRead.open, mayGoOn.await)
      yield* ask(mirror, below, "heron")
      yield* isRead.await
      // All were read, none is in the copy yet.
      yield* below.inner.index("t", [note("a", "A stork."), note("d", "A crane.")])
      yield* below.inner.remove("t", ["b"])
      below.afterGet = () => Effect.void
      yield* mayGoOn.open
      yield* copied(mirror, below)
      assert.deepStrictEqual(
        (yield* ask(mirror, below, "heron stork crane")).texts,
        ["A stork.", "A crane.", "Heron c."]
      )
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("never puts back what was read before a change, when a document is read for two reasons at once", () =>
    Effect.gen(function*() {
      const { below, mirror } = yield* make()
      yield* mirror.index("t", [{ ...note("a"), version: 1 }])
      yield* copied(mirror, below)
      const isRead = yield* Effect.makeLatch(false)
      const mayGoOn = yield* Effect.makeLatch(false)
      below.afterGet = () => {
        below.afterGet = () => Effect.void
        return Effect.zipRight(isRead.open, mayGoOn.await)
      }
      yield* mirror.index("t", [{ ...note("a"), version: 2 }])
      yield* isRead.await
      yield* below.inner.index("t", [{ ...note("a", "A stork."), version: 3 }])
      yield* settled
      yield* mayGoOn.open
      yield* copied(mirror, below)
      const { hits } = yield* ask(mirror, below, "heron stork")
      assert.deepStrictEqual(hits.map(({ passage }) => [passage.text, passage.version]), [["A stork.", 3]])
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("always shows what this process wrote last, and ends like the store below, whatever others write", () =>
    Effect.gen(function*() {
      const { below, mirror } = yield* make()
      const ids = Array.from({ length: 12 }, (_, n) => `d${n}`)
      const state = (id: string, n: number) => note(id, `Heron ${id} in state ${n} of many.`)
      yield* below.inner.index("t", ids.map((id) => state(id, 0)))
      let seed = 7
      const dice = (sides: number) => (seed = (seed * 48_271) % 2_147_483_647) % sides
      const turns = Effect.suspend(() => Effect.repeatN(Mirrored.everyoneElse, dice(8)))
      below.afterGet = () => turns
      let shown = 0
      const numbers = Array.from({ length: 300 }, (_, n) => n)
      const strangers = Effect.forEach(numbers, (n) =>
        Effect.gen(function*() {
          yield* turns
          const id = `d${6 + dice(6)}`
          if (dice(4) === 0) yield* below.inner.remove("t", [id])
          else yield* below.inner.index("t", [state(id, 1_000 + n)])
        }))
      const ours = Effect.forEach(numbers, (n) =>
        Effect.gen(function*() {
          const id = `d${dice(6)}`
          const isRemoval = dice(4) === 0
          if (isRemoval) yield* mirror.remove("t", [id])
          else yield* mirror.index("t", [state(id, n)])
          for (let looks = dice(3); looks >= 0; looks--) {
            const { by, texts } = yield* ask(mirror, below, "heron", { filter: { documentIds: [id] } })
            assert.deepStrictEqual(texts, isRemoval ? [] : [state(id, n).text])
            if (by === "memory") shown++
            yield* turns
          }
        }))
      const hiccups = Effect.repeatN(
        Effect.zipRight(Effect.zipRight(below.telling.close, turns), Effect.zipRight(below.telling.open, turns)),
        100
      )
      yield* Effect.all([strangers, ours, hiccups], { concurrency: "unbounded", discard: true })
      yield* copied(mirror, below)
      const { texts } = yield* ask(mirror, below, "heron")
      const left = yield* below.inner.search({ tenant: "t", text: "heron", limit: 100 })
      assert.deepStrictEqual(texts, left.map(({ passage }) => passage.text))
      assert.isAbove(shown, 50)
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("answers while the store below is down, for as long as it may be behind, and then fails as that does", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      yield* Effect.gen(function*() {
        const { below, mirror } = yield* make({ maxBehind: "5 seconds" })
        yield* below.inner.index("t", both)
        yield* copied(mirror, below)
        yield* TestClock.adjust("20 seconds")
        yield* settled
        assert.isAtMost((yield* ask(mirror, below, "heron")).hits[0]?.origin?.behindMillis ?? NaN, 500)
        below.isDown = true
        yield* TestClock.adjust("4400 millis")
        const { by, hits } = yield* ask(mirror, below, "heron")
        assert.strictEqual(by, "memory")
        assert.isAtLeast(hits[0]?.origin?.behindMillis ?? NaN, 4_000)
        yield* TestClock.adjust("1 second")
        const error = yield* Effect.flip(ask(mirror, below, "heron"))
        assert.deepStrictEqual([error.method, error.reason._tag], ["search", "Unavailable"])
        yield* TestClock.adjust("20 seconds")
        assert.strictEqual((yield* Effect.flip(ask(mirror, below, "heron"))).method, "search")
        below.isDown = false
        yield* below.inner.index("t", [note("c", "A stork.")])
        assert.deepStrictEqual((yield* ask(mirror, below, "stork")).texts, ["A stork."])
        // It was asked in place of the copy, and so the copy is compared with it at once.
        yield* copied(mirror, below)
        assert.deepStrictEqual((yield* ask(mirror, below, "stork")).texts, ["A stork."])
      }).pipe(Effect.provide(Mirrored.logged(lines)))
      assert.lengthOf(lines, 1)
      assert.match(lines[0] ?? "", /does not answer/)
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("asks the store below when changes are told too late", () =>
    Effect.gen(function*() {
      const { below, mirror } = yield* make()
      yield* below.inner.index("t", both)
      yield* copied(mirror, below)
      yield* below.telling.close
      yield* below.inner.index("t", [note("c", "A stork.")])
      for (let n = 0; n < 9; n++) yield* Effect.zipRight(TestClock.adjust("500 millis"), settled)
      assert.deepStrictEqual((yield* ask(mirror, below, "stork")).texts, [])
      yield* Effect.zipRight(TestClock.adjust("1 second"), settled)
      const { by, texts } = yield* ask(mirror, below, "stork")
      assert.deepStrictEqual([by, ...texts], ["below", "A stork."])
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("copies anew when what it missed is no longer told", () =>
    Effect.gen(function*() {
      const { below, mirror } = yield* make({}, 3)
      yield* below.inner.index("t", [note("a"), note("b"), note("c")])
      yield* copied(mirror, below)
      yield* below.telling.close
      yield* below.inner.index("t", [note("d")])
      yield* settled
      yield* below.inner.remove("t", ["a", "b"])
      for (const n of [1, 2, 3]) yield* below.inner.index("t", [note("c", `Stork ${n}.`)])
      yield* below.telling.open
      yield* settled
      yield* TestClock.adjust("1 second")
      yield* copied(mirror, below)
      assert.deepStrictEqual((yield* ask(mirror, below, "heron stork")).texts, ["Heron d.", "Stork 3."])
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("copies anew when the store below was set back to an earlier state", () =>
    Effect.gen(function*() {
      const { below, mirror } = yield* make()
      yield* below.inner.index("t", [note("a"), note("b"), note("c")])
      yield* copied(mirror, below)
      below.inner = yield* Mirrored.empty
      yield* below.inner.index("t", [note("a", "An earlier heron.")])
      yield* TestClock.adjust("500 millis")
      yield* settled
      assert.strictEqual((yield* ask(mirror, below, "heron")).by, "below")
      yield* TestClock.adjust("1 second")
      yield* copied(mirror, below)
      assert.deepStrictEqual((yield* ask(mirror, below, "heron")).texts, ["An earlier heron."])
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("goes on with copying after failures, and tells of them once", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const failures = yield* Ref.make(4)
      yield* Effect.gen(function*() {
        const { below, mirror } = yield* make()
        yield* below.inner.index("t", both)
        below.before = (method) =>
          method === "get"
            ? Effect.flatMap(
              Ref.getAndUpdate(failures, (n) => n - 1),
              (n) => n > 0 ? Effect.fail(Mirrored.unavailable("get")) : Effect.void
            )
            : Effect.void
        yield* ask(mirror, below, "heron")
        for (let n = 0; n < 40; n++) yield* Effect.zipRight(settled, TestClock.adjust("500 millis"))
        assert.strictEqual((yield* ask(mirror, below, "heron")).by, "memory")
        assert.isAbove(below.calls.size, 10)
      }).pipe(Effect.provide(Mirrored.logged(lines)))
      assert.isBelow(yield* Ref.get(failures), 0)
      assert.lengthOf(lines, 1)
      assert.match(lines[0] ?? "", /cannot be made or kept up/)
    }).pipe(Effect.provide(Embedder.layerHash)))

  it.scoped("ends a copying that is under way, and all else, with its scope", () =>
    Effect.gen(function*() {
      const below = yield* Mirrored.below()
      yield* below.inner.index("t", both)
      yield* below.inner.index("u", both)
      let ended = 0
      const scope = yield* Scope.make()
      const mirror = yield* Scope.extend(over(below), scope)
      yield* copied(mirror, below, "u")
      below.afterGet = () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void ended++))
      yield* ask(mirror, below, "heron")
      yield* settled
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(ended, 2)
      const { size } = below.calls
      yield* TestClock.adjust("1 minute")
      yield* settled
      assert.strictEqual(below.calls.size, size)
    }).pipe(Effect.provide(Embedder.layerHash)))
})
