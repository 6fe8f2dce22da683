import { assert, describe, it } from "@effect/vitest"
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Arena from "causeway-mcp/document/internal/Arena"
import * as InvertedIndex from "causeway-mcp/document/internal/InvertedIndex"
import * as MemoryStore from "causeway-mcp/document/internal/MemoryStore"
import * as VectorColumns from "causeway-mcp/document/internal/VectorColumns"
import * as VectorKernel from "causeway-mcp/document/internal/VectorKernel"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"

describe("Arena", () => {
  it("gives back pages also when all that was ever asked for was small", () => {
    const arena = Arena.make()
    const held = Array.from({ length: 100_000 }, () => arena.allocate(3))
    for (const address of held) arena.free(address, 3)
    const sparse = arena.sparse()
    assert.isDefined(sparse)
    if (sparse !== undefined) arena.drop(sparse)
    // what is left of the open page is larger than 3 cells, and used for what comes next
    assert.isAbove(arena.allocate(100), 0)
  })

  it("never gives a region twice, whatever sizes are asked for, given back and moved", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.integer({ min: 1, max: 5_000 }),
        FastCheck.array(FastCheck.integer({ min: 0, max: 1_000_000 }), {
          minLength: 500,
          maxLength: 3_000,
          size: "max"
        }),
        (largest, steps) => {
          const arena = Arena.make()
          const held: Array<{ address: number; readonly cells: number; readonly mark: number }> = []
          for (const [mark, step] of steps.entries()) {
            if (step % 3 > 0) {
              const cells = 1 + step % largest
              const address = arena.allocate(cells)
              arena.numbers(address).fill(mark, Arena.offsetOf(address), Arena.offsetOf(address) + 2 * cells)
              held.push({ address, cells, mark })
            } else {
              const [gone] = held.splice(step % Math.max(1, held.length), 1)
              if (gone !== undefined) arena.free(gone.address, gone.cells)
            }
            const sparse = arena.sparse()
            if (sparse === undefined) continue
            for (const region of held) {
              if (sparse[Arena.pageOf(region.address)] !== 1) continue
              region.address = arena.move(region.address, region.cells, region.cells)
            }
            arena.drop(sparse)
          }
          for (const { address, cells, mark } of held) {
            const numbers = arena.numbers(address)
            const from = Arena.offsetOf(address)
            assert.isTrue(numbers.subarray(from, from + 2 * cells).every((number) => number === mark))
            assert.isAtLeast(numbers.length, from + 2 * cells)
          }
        }
      ),
      { numRuns: 25 }
    )
  })

  it("takes little for little", () => {
    const bytes = () => {
      globalThis.gc?.()
      return process.memoryUsage().arrayBuffers
    }
    const before = bytes()
    const arenas = Array.from({ length: 500 }, () => {
      const arena = Arena.make()
      for (let n = 0; n < 10; n++) arena.allocate(2)
      return arena
    })
    assert.isBelow((bytes() - before) / arenas.length, 4_096)
  })
})

describe("InvertedIndex", () => {
  it("tidies up after passages that all were short", () => {
    const index = InvertedIndex.make()
    for (let slot = 0; slot < 60_000; slot++) index.add(slot, [`a${slot % 20_000}`, `b${slot % 20_000}`])
    for (let slot = 0; slot < 60_000; slot++) {
      index.remove(slot)
      index.tidy()
    }
    index.add(0, ["a"])
    assert.isAbove(index.ask(["a"]).score(0), 0)
  })
})

const kernels = [["SIMD", true], ["plain JavaScript", false]] as const

/** Tenants of so many passages each, until there is no room left. */
const fill = (kernel: VectorKernel.VectorKernel, rows: number) => {
  const all: Array<VectorColumns.VectorColumns> = []
  for (;;) {
    const columns = VectorColumns.make(kernel)
    if (!columns.reserve(rows)) return all
    for (let row = 0; row < rows; row++) columns.push(new Float32Array(kernel.dimensions).fill(all.length + 1))
    all.push(columns)
  }
}

const empty = (columns: VectorColumns.VectorColumns, rows: number): void => {
  for (let row = rows - 1; row >= 0; row--) columns.remove(row)
  columns.trim()
}

describe("VectorKernel", () => {
  for (const [name, simd] of kernels) {
    it(`has the room that tenants of one size left for tenants of another, with ${name}`, () => {
      const kernel = VectorKernel.make({ dimensions: 15, simd, maxBytes: 8 * 65_536 })
      const counts = [1, 300, 8, 100, 32, 512, 1].map((rows) => {
        const all = fill(kernel, rows)
        for (const columns of all) empty(columns, rows)
        return all.length
      })
      const [first, large] = counts
      assert.isAbove(first ?? 0, 500)
      assert.isAbove(large ?? 0, 10)
      assert.strictEqual(counts[5], large)
      assert.strictEqual(counts[6], first)
    })

    it(`never gives room twice while tenants grow, shrink, come and go, with ${name}`, () => {
      FastCheck.assert(
        FastCheck.property(
          FastCheck.array(FastCheck.tuple(FastCheck.nat({ max: 5 }), FastCheck.integer({ min: -700, max: 700 })), {
            minLength: 20,
            maxLength: 60
          }),
          (steps) => {
            const kernel = VectorKernel.make({ dimensions: 3, simd, maxBytes: 2 * 65_536 })
            const tenants = Array.from({ length: 6 }, () => ({ columns: VectorColumns.make(kernel), rows: 0 }))
            for (const [which, step] of steps) {
              const tenant = tenants[which]
              if (tenant === undefined) continue
              for (let n = 0; n < step; n++) {
                if (!tenant.columns.reserve(tenant.rows + 1)) break
                tenant.columns.push(new Float32Array([which + 1, tenant.rows, 1]))
                tenant.rows++
              }
              for (let n = 0; n > step && tenant.rows > 0; n--) tenant.columns.remove(--tenant.rows)
              tenant.columns.trim()
            }
            const copy = new Float32Array(3)
            for (const [which, { columns, rows }] of tenants.entries()) {
              for (let row = 0; row < rows; row++) {
                columns.read(row, copy, 0)
                assert.deepStrictEqual([...copy], [which + 1, row, 1])
              }
            }
          }
        ),
        { numRuns: 40 }
      )
    })
  }
})

const embedder = {
  id: "test-3",
  dimensions: 3,
  embed: (texts: ReadonlyArray<string>) => Effect.succeed(texts.map(() => new Float32Array([1, 0, 0])))
}

describe("DocumentStore in memory, when the vectors have taken all the room", () => {
  const full = Effect.gen(function*() {
    const memory = MemoryStore.make({ embedder, maxVectorBytes: 65_536 })
    const store = DocumentStore.overMemory(memory)
    for (let n = 0;; n++) {
      const stored = yield* Effect.either(store.index("t", [{ id: `d${n}`, text: `Otter ${n}.` }]))
      if (stored._tag === "Right") continue
      assert.strictEqual(stored.left.reason._tag, "Incompatible")
      return { memory, store, count: n }
    }
  })

  it.effect("still takes a new state of what it holds", () =>
    Effect.gen(function*() {
      const { count, store } = yield* full
      assert.isAbove(count, 1_000)
      for (const id of ["d0", "d7", `d${count - 1}`]) {
        const [outcome] = yield* store.index("t", [{ id, text: "A vole now." }])
        assert.strictEqual(outcome?.status, "indexed")
      }
      assert.strictEqual((yield* store.size("t")).documents, count)
    }))

  it.effect("leaves nothing of a tenant whose first document found no room, and takes it when there is some", () =>
    Effect.gen(function*() {
      const { memory, store } = yield* full
      const [late] = [{ id: "late", text: "A vole." }]
      assert.strictEqual((yield* Effect.flip(store.index("u", [late]))).reason._tag, "Incompatible")
      assert.deepStrictEqual(yield* store.size("u"), { documents: 0, passages: 0, revision: 0 })
      const capture = memory.capture()
      assert.deepStrictEqual(capture.tenants.map(({ tenant }) => tenant), ["t"])
      capture.end()
      const ids = (yield* store.list("t", { limit: 600 })).map(({ id }) => id)
      assert.strictEqual(yield* store.remove("t", ids), 600)
      assert.strictEqual((yield* store.index("u", [late]))[0]?.status, "indexed")
    }))
})
