/**
 * What a document store promises about versions: what arrives late does no
 * harm, and two states never share one.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import type { Bench, Law } from "./Law.js"
import { law, long, note, statuses } from "./Law.js"

const text = (content: number | string) => `State ${content} of the ledger.`

const at = (version: number | undefined, content: number | string = version ?? "none") =>
  note("d", text(content), version === undefined ? {} : { version })

/** What is stored of the one document: its text, its version and the tenant's revision. */
const state = ({ store, tenant }: Bench) =>
  Effect.gen(function*() {
    const [passage] = yield* store.get(tenant, "d")
    const [listed] = yield* store.list(tenant, { limit: 1, filter: { documentIds: ["d"] } })
    assert.equal(listed?.version, passage?.version)
    return [passage?.text, passage?.version, (yield* store.size(tenant)).revision] as const
  })

/**
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law("takes a higher version and keeps it when a lower one arrives late", (bench) =>
    Effect.gen(function*() {
      const { index } = bench
      assert.deepEqual(statuses(yield* index(at(1))), ["indexed"])
      assert.deepEqual(statuses(yield* index(at(4))), ["indexed"])
      for (const late of [0, 1, 3]) {
        assert.deepEqual(yield* index(at(late, "late")), [{ id: "d", status: "outdated", passages: 1 }])
      }
      assert.deepEqual(yield* state(bench), [text(4), 4, 2])
    })),

  law("reports of an outdated document the passages that are stored", ({ held, index }) =>
    Effect.gen(function*() {
      const [first] = yield* index(note("d", long("moth", 4), { version: 9 }))
      assert.ok(first?.status === "indexed" && first.passages > 2)
      assert.deepEqual(yield* index(at(8)), [{ id: "d", status: "outdated", passages: first.passages }])
      assert.deepEqual(yield* held, [1, first.passages])
    })),

  law("refuses other content of the version that is stored, and changes nothing", (bench) =>
    Effect.gen(function*() {
      const { index } = bench
      yield* index(at(2))
      const outcomes = yield* index(at(2, "other"), note("e", "A bystander."))
      assert.deepEqual(statuses(outcomes), ["refused", "indexed"])
      const [refused] = outcomes
      assert.ok(refused?.status === "refused" && refused.reason.includes("2"), JSON.stringify(refused))
      assert.deepEqual(yield* state(bench), [text(2), 2, 2])
    })),

  law("sees other content in a title, a date or a fact alone", ({ index }) =>
    Effect.gen(function*() {
      const stored = { ...at(2), metadata: { a: 1 } }
      yield* index(stored)
      for (const more of [{ title: "T" }, { publishedAt: "2026-01-01" }, { metadata: { a: "1" } }, { metadata: {} }]) {
        assert.deepEqual(statuses(yield* index({ ...stored, ...more })), ["refused"])
      }
      assert.deepEqual(statuses(yield* index(stored)), ["unchanged"])
    })),

  law(
    "calls the same content unchanged and keeps the higher of both versions, without a change",
    (bench) =>
      Effect.gen(function*() {
        const { index } = bench
        yield* index(at(2, "same"))
        assert.deepEqual(yield* index(at(2, "same")), [{ id: "d", status: "unchanged", passages: 1 }])
        assert.deepEqual(yield* state(bench), [text("same"), 2, 1])
        assert.deepEqual(statuses(yield* index(at(5, "same"))), ["unchanged"])
        assert.deepEqual(yield* state(bench), [text("same"), 5, 1])
        assert.deepEqual(statuses(yield* index(at(3, "same"))), ["unchanged"])
        assert.deepEqual(yield* state(bench), [text("same"), 5, 1])
        // a version that was raised counts like one that was written
        assert.deepEqual(statuses(yield* index(at(4, "late"))), ["outdated"])
        assert.deepEqual(statuses(yield* index(at(5, "other"))), ["refused"])
        assert.deepEqual(statuses(yield* index(at(6))), ["indexed"])
        assert.deepEqual(yield* state(bench), [text(6), 6, 2])
      })
  ),

  law("gives a version to a document that had none", (bench) =>
    Effect.gen(function*() {
      const { index } = bench
      yield* index(at(undefined, "same"))
      assert.deepEqual(yield* state(bench), [text("same"), undefined, 1])
      assert.deepEqual(statuses(yield* index(at(3, "same"))), ["unchanged"])
      assert.deepEqual(yield* state(bench), [text("same"), 3, 1])
      yield* index(note("d", "Anew."))
      assert.deepEqual(statuses(yield* index(at(0))), ["indexed"])
      assert.deepEqual(yield* state(bench), [text(0), 0, 3])
    })),

  law("lets a document without a version replace any, and takes any version then", (bench) =>
    Effect.gen(function*() {
      const { index } = bench
      yield* index(at(7))
      assert.deepEqual(statuses(yield* index(at(undefined))), ["indexed"])
      assert.deepEqual(yield* state(bench), [text("none"), undefined, 2])
      assert.deepEqual(statuses(yield* index(at(1))), ["indexed"])
      assert.deepEqual(statuses(yield* index(at(undefined, 1))), ["unchanged"])
      assert.deepEqual(yield* state(bench), [text(1), undefined, 3])
      assert.deepEqual(statuses(yield* index(at(0))), ["indexed"])
    })),

  law("keeps the least and the greatest version exactly, wherever it gives one", (bench) =>
    Effect.gen(function*() {
      const { changes, index, search } = bench
      const greatest = Number.MAX_SAFE_INTEGER
      for (const version of [0, greatest - 1, greatest]) {
        yield* index(at(version))
        assert.equal((yield* state(bench))[1], version)
        assert.equal((yield* search("ledger"))[0]?.passage.version, version)
      }
      assert.deepEqual(statuses(yield* index(at(greatest - 1, "late"))), ["outdated"])
      assert.deepEqual((yield* changes(3, 0)).map(({ version }) => version), [0, greatest - 1, greatest])
    })),

  law(
    "takes of one id in a batch the highest version, and of equal ones or of none the last",
    (bench) =>
      Effect.gen(function*() {
        const { index } = bench
        const both = (status: string) => [status, status]
        assert.deepEqual(statuses(yield* index(at(2), at(9), at(5))), ["indexed", "indexed", "indexed"])
        assert.deepEqual(yield* state(bench), [text(9), 9, 1])
        assert.deepEqual(statuses(yield* index(at(10, "a"), at(10, "b"))), both("indexed"))
        assert.deepEqual(yield* state(bench), [text("b"), 10, 2])
        assert.deepEqual(statuses(yield* index(at(1), at(2))), both("outdated"))
        assert.deepEqual(statuses(yield* index(at(9), at(10, "c"))), both("refused"))
        assert.deepEqual(statuses(yield* index(at(9), at(10, "b"))), both("unchanged"))
        assert.deepEqual(yield* state(bench), [text("b"), 10, 2])
        assert.deepEqual(statuses(yield* index(at(3), at(11))), both("indexed"))
        assert.deepEqual(statuses(yield* index(at(undefined, "x"), at(undefined, "y"))), both("indexed"))
        assert.deepEqual(yield* state(bench), [text("y"), undefined, 4])
      })
  ),

  law(
    "leaves a refused entry of an id out when it chooses among the others of a batch",
    (bench) =>
      Effect.gen(function*() {
        const outcomes = yield* bench.index(at(1), note("d", "", { version: 9 }), at(-1), note("e", "Another."), at(3))
        assert.deepEqual(statuses(outcomes), ["indexed", "refused", "refused", "indexed", "indexed"])
        assert.deepEqual(yield* state(bench), [text(3), 3, 2])
      })
  ),

  law("forgets the version of a document that is removed", (bench) =>
    Effect.gen(function*() {
      const { index, store, tenant } = bench
      yield* index(at(5))
      yield* store.remove(tenant, ["d"])
      assert.deepEqual(statuses(yield* index(at(1))), ["indexed"])
      assert.deepEqual(yield* state(bench), [text(1), 1, 3])
    })),

  law("keeps the versions of tenants apart", (bench) =>
    Effect.gen(function*() {
      yield* bench.store.index(`${bench.tenant}-other`, [at(9)])
      assert.deepEqual(statuses(yield* bench.index(at(1))), ["indexed"])
    })),

  law("ends at the highest version when writers bring them at once, in any order", (bench) =>
    Effect.gen(function*() {
      const shuffled = Array.from({ length: 24 }, (_, n) => 1 + (n * 7) % 24)
      const outcomes = yield* Effect.forEach(shuffled, (version) => bench.index(at(version)), { concurrency: 8 })
      const all = outcomes.flatMap(statuses)
      assert.ok(all.every((status) => status === "indexed" || status === "outdated"), all.join())
      const indexed = all.filter((status) => status === "indexed").length
      assert.deepEqual(yield* state(bench), [text(24), 24, indexed])
      const told = (yield* bench.changes(indexed, 0)).map(({ version = -1 }) => version)
      assert.deepEqual(told, [...told].sort((a, b) => a - b))
    }))
]
