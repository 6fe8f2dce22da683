/**
 * What a document store promises about the changes it tells: all of them, once
 * and in order, to those they concern.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import assert from "node:assert/strict"
import type { Change } from "../../document/DocumentStore.js"
import type { Law } from "./Law.js"
import { law, note, soon, statuses } from "./Law.js"

const brief = (changes: ReadonlyArray<Change>) =>
  changes.map(({ documentId, kind, revision }) => [revision, kind, documentId])

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n)

const history = numbers(0, 9).map((n) => note(`d${n}`, `Number ${n}.`, { version: n }))

/** Writes again and again until a follower has heard of it: then it follows. */
const knock = <E>(write: Effect.Effect<unknown, E>, heard: Deferred.Deferred<void>): Effect.Effect<void, E> =>
  soon(Effect.raceFirst(
    Deferred.await(heard),
    Effect.asVoid(Effect.repeat(write, Schedule.spaced("20 millis")))
  ))

/**
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law(
    "tells each write once, in order, numbered from 1 without a gap",
    ({ changes, index, store, tenant }) =>
      Effect.gen(function*() {
        const began = Date.now() - 60_000
        yield* index(note("a", "One.", { version: 3 }))
        yield* index(note("b", "Two."))
        yield* index(note("a", "Three.", { version: 4 }))
        yield* store.remove(tenant, ["b"])
        yield* index(note("b", "Four."))
        assert.equal((yield* store.size(tenant)).revision, 5)
        const told = yield* changes(5, 0)
        assert.deepEqual(brief(told), [
          [1, "indexed", "a"],
          [2, "indexed", "b"],
          [3, "indexed", "a"],
          [4, "removed", "b"],
          [5, "indexed", "b"]
        ])
        assert.deepEqual(told.map(({ version }) => version), [3, undefined, 4, undefined, undefined])
        for (const change of told) {
          assert.equal(change.tenant, tenant)
          assert.equal(new Date(change.changedAt).toISOString(), change.changedAt)
          const at = Date.parse(change.changedAt)
          assert.ok(at >= began && at <= Date.now() + 60_000, change.changedAt)
        }
      })
  ),

  law("tells every document of a batch, and every one that is removed with others", ({
    changes,
    index,
    store,
    tenant
  }) =>
    Effect.gen(function*() {
      yield* index(...history, note("bad", ""), note("d3", "Again.", { version: 20 }))
      assert.equal((yield* store.size(tenant)).revision, 10)
      const indexed = yield* changes(10, 0)
      assert.deepEqual(indexed.map(({ revision }) => revision), numbers(1, 10))
      assert.deepEqual(indexed.map(({ documentId }) => documentId).sort(), history.map(({ id }) => id))
      assert.equal(yield* store.remove(tenant, ["d1", "d2", "unknown", "d1"]), 2)
      const removed = yield* changes(2, 10)
      assert.deepEqual(removed.map(({ documentId, kind }) => `${kind} ${documentId}`).sort(), [
        "removed d1",
        "removed d2"
      ])
      assert.equal((yield* store.size(tenant)).revision, 12)
    })),

  law("tells nothing of what changes nothing", ({ changes, index, store, tenant }) =>
    Effect.gen(function*() {
      yield* index(note("a", "One.", { version: 5 }))
      const outcomes = [
        ...yield* index(note("a", "One.", { version: 5 })),
        ...yield* index(note("a", "One.", { version: 6 })),
        ...yield* index(note("a", "Late.", { version: 1 })),
        ...yield* index(note("a", "Other.", { version: 6 })),
        ...yield* index(note("a", ""))
      ]
      assert.deepEqual(statuses(outcomes), ["unchanged", "unchanged", "outdated", "refused", "refused"])
      assert.equal(yield* store.remove(tenant, ["unknown", "a\0"]), 0)
      yield* index()
      yield* store.remove(tenant, [])
      assert.equal((yield* store.size(tenant)).revision, 1)
      yield* index(note("last", "Two."))
      assert.deepEqual(brief(yield* changes(2, 0)), [[1, "indexed", "a"], [2, "indexed", "last"]])
    })),

  law(
    "goes on exactly after a revision, wherever that is",
    ({ changes, index, store, tenant }) =>
      Effect.gen(function*() {
        for (const document of history) yield* index(document)
        yield* store.remove(tenant, ["d4"])
        yield* index(note("d5", "Anew.", { version: 50 }))
        const all = yield* changes(12, 0)
        assert.deepEqual(all.map(({ revision }) => revision), numbers(1, 12))
        for (const after of numbers(1, 11)) assert.deepEqual(yield* changes(12 - after, after), all.slice(after))
        // after the last one: what comes next
        const next = yield* Effect.fork(changes(1, 12))
        yield* index(note("next", "Thirteen."))
        assert.deepEqual(brief(yield* Fiber.join(next)), [[13, "indexed", "next"]])
      })
  ),

  law(
    "follows a tenant that owns nothing yet from its first change on",
    ({ changes, index }) =>
      Effect.gen(function*() {
        const following = yield* Effect.fork(changes(3, 0))
        for (const id of ["a", "b", "c"]) yield* index(note(id, "Text."))
        assert.deepEqual(brief(yield* Fiber.join(following)), [
          [1, "indexed", "a"],
          [2, "indexed", "b"],
          [3, "indexed", "c"]
        ])
      })
  ),

  law("tells all followers the same, those who come late too, and lets each go at once", ({
    changes,
    index,
    store,
    tenant
  }) =>
    Effect.gen(function*() {
      const one = yield* Effect.fork(changes(12, 0))
      const other = yield* Effect.fork(changes(12, 0))
      const idle = yield* Effect.fork(Stream.runDrain(store.changes({ tenant })))
      for (const document of history.slice(0, 6)) yield* index(document)
      const late = yield* Effect.fork(changes(12, 0))
      for (const document of history.slice(6)) yield* index(document)
      yield* index(note("x", "Text."), note("y", "Text."))
      const all = yield* Fiber.join(one)
      assert.deepEqual(all.map(({ revision }) => revision), numbers(1, 12))
      assert.deepEqual(yield* Fiber.join(other), all)
      assert.deepEqual(yield* Fiber.join(late), all)
      yield* soon(Fiber.interrupt(idle))
    })),

  law(
    "tells of a document only when it can be read as told, or as it became since",
    ({ index, store, tenant }) =>
      Effect.gen(function*() {
        const states = numbers(1, 20).map((version) => note("d", `State ${version}.`, { version }))
        const following = yield* store.changes({ tenant, after: 0 }).pipe(
          Stream.take(states.length),
          Stream.runForEach(({ version = Infinity }) =>
            Effect.map(store.get(tenant, "d"), ([passage]) => {
              assert.ok((passage?.version ?? -1) >= version, `read ${passage?.version} when told of ${version}`)
            })
          ),
          soon,
          Effect.fork
        )
        for (const state of states) yield* index(state)
        yield* Fiber.join(following)
      })
  ),

  law("tells from now on when no revision is named", ({ index, store, tenant }) =>
    Effect.gen(function*() {
      yield* index(...history)
      const heard: Array<Change> = []
      const began = yield* Deferred.make<void>()
      const following = yield* store.changes({ tenant }).pipe(
        Stream.tap((change) =>
          Effect.zipRight(Effect.sync(() => heard.push(change)), Deferred.succeed(began, undefined))
        ),
        Stream.takeUntil(({ documentId }) => documentId === "end"),
        Stream.runDrain,
        Effect.fork
      )
      let n = 0
      yield* knock(Effect.suspend(() => index(note("knock", `Knock ${n++}.`))), began)
      yield* index(note("end", "Text."))
      yield* soon(Fiber.join(following))
      const first = heard[0]?.revision ?? 0
      assert.ok(first > history.length, `the first that was heard is ${first}`)
      assert.deepEqual(heard.map(({ revision }) => revision), numbers(first, first + heard.length - 1))
      assert.ok(heard.every(({ documentId }) => documentId === "knock" || documentId === "end"))
    })),

  law("tells of all tenants when none is named, in order within each", ({ store, tenant }) =>
    Effect.gen(function*() {
      const tenants = ["a", "b", "c"].map((name) => `${tenant}-${name}`)
      const heard: Array<Change> = []
      const began = yield* Deferred.make<void>()
      // others may write to the same store at the same time
      const following = yield* store.changes().pipe(
        Stream.filter((change) => change.tenant === tenant || tenants.includes(change.tenant)),
        Stream.tap((change) =>
          change.tenant === tenant
            ? Effect.asVoid(Deferred.succeed(began, undefined))
            : Effect.sync(() => void heard.push(change))
        ),
        Stream.takeUntil(() => heard.length === tenants.length * history.length),
        Stream.runDrain,
        Effect.fork
      )
      let n = 0
      yield* knock(Effect.suspend(() => store.index(tenant, [note("knock", `Knock ${n++}.`)])), began)
      yield* Effect.forEach(
        tenants,
        (name) => Effect.forEach(history, (document) => store.index(name, [document])),
        { concurrency: "unbounded" }
      )
      yield* soon(Fiber.join(following))
      for (const name of tenants) {
        const own = heard.filter((change) => change.tenant === name)
        assert.deepEqual(brief(own), history.map(({ id }, n) => [n + 1, "indexed", id]))
      }
    })),

  law("never tells a tenant of another's changes, and numbers each tenant's apart", ({
    changes,
    index,
    store,
    tenant
  }) =>
    Effect.gen(function*() {
      const others = [`${tenant}-other`, tenant.slice(0, -1), `${tenant}'`, `${tenant}%`, tenant.toUpperCase()]
      const following = yield* Effect.fork(changes(10, 0))
      for (const document of history) {
        yield* Effect.forEach(others, (other) => store.index(other, [{ ...document, id: `foreign-${document.id}` }]), {
          concurrency: "unbounded"
        })
        yield* index(document)
      }
      const told = yield* Fiber.join(following)
      assert.deepEqual(brief(told), history.map(({ id }, n) => [n + 1, "indexed", id]))
      assert.ok(told.every((change) => change.tenant === tenant))
    })),

  law(
    "does not keep writers waiting for a follower that stops taking",
    ({ index, store, tenant }) =>
      Effect.gen(function*() {
        const stopped = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        const heard: Array<Change> = []
        const following = yield* store.changes({ tenant, after: 0 }).pipe(
          Stream.take(601),
          Stream.runForEach((change) =>
            Effect.suspend(() => {
              heard.push(change)
              return heard.length > 1
                ? Effect.void
                : Effect.zipRight(Deferred.succeed(stopped, undefined), Deferred.await(goOn))
            })
          ),
          Effect.fork
        )
        yield* index(note("first", "Text."))
        yield* soon(Deferred.await(stopped))
        for (const part of numbers(0, 5)) {
          yield* soon(index(...numbers(1, 100).map((n) => note(`d${part}-${n}`, `Number ${n}.`))))
        }
        assert.equal(heard.length, 1)
        yield* Deferred.succeed(goOn, undefined)
        yield* soon(Fiber.join(following))
        assert.deepEqual(heard.map(({ revision }) => revision), numbers(1, 601))
      })
  ),

  law(
    "leaves no gap and loses nothing when writers index and remove at once",
    ({ changes, index, store, tenant }) =>
      Effect.gen(function*() {
        yield* Effect.forEach(numbers(1, 8), (writer) =>
          Effect.gen(function*() {
            for (const turn of numbers(1, 6)) {
              yield* index(
                note(`own-${writer}`, `Turn ${turn}.`, { version: turn }),
                note("shared", `Turn ${turn} of ${writer}.`)
              )
            }
            yield* store.remove(tenant, [`own-${writer}`])
          }), { concurrency: "unbounded" })
        const { revision } = yield* store.size(tenant)
        const told = yield* changes(revision, 0)
        assert.deepEqual(told.map((change) => change.revision), numbers(1, revision))
        for (const writer of numbers(1, 8)) {
          const own = told.filter(({ documentId }) => documentId === `own-${writer}`)
          assert.deepEqual(own.map(({ kind, version }) => version ?? kind), [...numbers(1, 6), "removed"])
        }
        assert.equal(told.length, 8 * 7 + told.filter(({ documentId }) => documentId === "shared").length)
      })
  )
]
