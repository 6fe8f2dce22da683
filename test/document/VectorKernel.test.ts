import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import * as VectorColumns from "causeway-mcp/document/internal/VectorColumns"
import * as VectorKernel from "causeway-mcp/document/internal/VectorKernel"
import * as VectorModule from "causeway-mcp/document/internal/VectorModule"
import * as FastCheck from "effect/FastCheck"

const vectorOf = (dimensions: number, seed: number): Float32Array =>
  VectorColumns.unit(Float32Array.from({ length: dimensions }, (_, d) => Math.sin(seed * 131 + d * 7 + 1)))

const filled = (kernel: VectorKernel.VectorKernel, count: number): VectorColumns.VectorColumns => {
  const columns = VectorColumns.make(kernel)
  assert.isTrue(columns.reserve(count))
  for (let n = 0; n < count; n++) columns.push(vectorOf(kernel.dimensions, n))
  return columns
}

const exact = (self: Float32Array, that: Float32Array): number =>
  self.reduce((sum, value, d) => sum + value * (that[d] ?? 0), 0)

const kernels = [["SIMD", true], ["plain JavaScript", false]] as const

describe("VectorKernel", () => {
  afterEach(() => {
    vi.unstubAllGlobals()
  })

  it("uses WebAssembly where there is any, and does without where there is none", () => {
    assert.isTrue(VectorKernel.make({ dimensions: 3 }).isSimd)
    assert.isFalse(VectorKernel.make({ dimensions: 3, simd: false }).isSimd)
    vi.stubGlobal("WebAssembly", undefined)
    assert.isFalse(VectorKernel.make({ dimensions: 3 }).isSimd)
  })

  it("does without where the engine knows no SIMD or may not reserve memory", () => {
    const engine = globalThis as unknown as { readonly WebAssembly: object }
    vi.stubGlobal("WebAssembly", { validate: () => false })
    assert.isFalse(VectorKernel.make({ dimensions: 3 }).isSimd)
    vi.unstubAllGlobals()
    const { WebAssembly } = engine
    vi.stubGlobal("WebAssembly", {
      ...Object.fromEntries(Object.getOwnPropertyNames(WebAssembly).map((key) => [key, Reflect.get(WebAssembly, key)])),
      Memory: vi.fn(() => {
        throw new RangeError("could not allocate memory")
      })
    })
    assert.isFalse(VectorKernel.make({ dimensions: 3 }).isSimd)
  })

  it("is a module of about half a kilobyte", () => {
    assert.isBelow(VectorModule.make().length, 700)
  })

  it("gives the same bits both ways, and what exact products come to but for rounding", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.integer({ min: 1, max: 70 }),
        FastCheck.integer({ min: 1, max: 1200 }),
        FastCheck.integer({ min: 0, max: 99 }),
        FastCheck.integer({ min: 1, max: 20 }),
        (dimensions, count, seed, nth) => {
          const query = vectorOf(dimensions, seed).map((value, d) => d % nth === 0 ? value : 0)
          const [fast, plain] = [true, false].map((simd) => filled(VectorKernel.make({ dimensions, simd }), count))
          const quick = fast?.dots(query).slice(0, count) ?? new Float32Array(0)
          assert.deepStrictEqual(quick, plain?.dots(query).slice(0, count))
          for (let n = 0; n < count; n += 17) {
            assert.closeTo(quick[n] ?? Number.NaN, exact(vectorOf(dimensions, n), query), dimensions * 2 ** -23)
            assert.strictEqual(fast?.dot(query, n), quick[n])
          }
        }
      ),
      { numRuns: 60 }
    )
  })

  it("gives the same bits both ways for numbers at the edges of what there is", () => {
    const edge = FastCheck.oneof(
      FastCheck.constantFrom(
        0,
        -0,
        1.4e-45,
        -1.4e-45,
        1.1e-38,
        3.4e38,
        -3.4e38,
        1,
        -1,
        Number.NaN,
        Infinity,
        -Infinity
      ),
      FastCheck.float()
    )
    FastCheck.assert(
      FastCheck.property(
        FastCheck.integer({ min: 1, max: 40 }),
        FastCheck.array(FastCheck.array(edge, { minLength: 40, maxLength: 40 }), { minLength: 1, maxLength: 50 }),
        FastCheck.array(edge, { minLength: 40, maxLength: 40 }),
        FastCheck.boolean(),
        (dimensions, rows, asked, isUnit) => {
          const given = new Float32Array(asked.slice(0, dimensions).map((value) => Number.isFinite(value) ? value : 0))
          const query = isUnit ? VectorColumns.unit(given) : given
          const [fast, plain] = [true, false].map((simd) => {
            const columns = VectorColumns.make(VectorKernel.make({ dimensions, simd }))
            assert.isTrue(columns.reserve(rows.length))
            for (const row of rows) columns.push(new Float32Array(row.slice(0, dimensions)))
            return columns
          })
          const quick = fast?.dots(query).slice(0, rows.length)
          assert.deepStrictEqual(quick, plain?.dots(query).slice(0, rows.length))
          for (let n = 0; n < rows.length; n++) assert.deepStrictEqual(fast?.dot(query, n), quick?.[n])
        }
      ),
      { numRuns: 200 }
    )
  })

  for (const [name, simd] of kernels) {
    it(`keeps what is stored when more memory is taken, with ${name}`, () => {
      const kernel = VectorKernel.make({ dimensions: 384, simd })
      const first = filled(kernel, 600)
      const query = vectorOf(384, 7)
      const before = first.dots(query).slice(0, 600)
      const others = Array.from({ length: 5 }, () => filled(kernel, 600))
      assert.deepStrictEqual(first.dots(query).slice(0, 600), before)
      assert.deepStrictEqual(others[4]?.dots(query).slice(0, 600), before)
    })

    it(`says when there is no memory left, and goes on when some is given back, with ${name}`, () => {
      const kernel = VectorKernel.make({ dimensions: 16, simd, maxBytes: 4 * 65_536 })
      const all: Array<VectorColumns.VectorColumns> = []
      for (let n = 0; n < 100; n++) {
        const columns = VectorColumns.make(kernel)
        if (!columns.reserve(300)) break
        for (let row = 0; row < 300; row++) columns.push(vectorOf(16, row))
        all.push(columns)
      }
      assert.isAbove(all.length, 3)
      assert.isBelow(all.length, 12)
      const [first, second] = all
      const before = second?.dots(vectorOf(16, 1)).slice(0, 300)
      for (let row = 299; row >= 0; row--) first?.remove(row)
      first?.trim()
      const next = filled(kernel, 300)
      assert.deepStrictEqual(next.dots(vectorOf(16, 1)).slice(0, 300), before)
      assert.deepStrictEqual(second?.dots(vectorOf(16, 1)).slice(0, 300), before)
    })
  }
})

describe("VectorColumns", () => {
  it("moves the last row to where one was removed, through blocks that grow and shrink", () => {
    const kernel = VectorKernel.make({ dimensions: 5 })
    FastCheck.assert(
      FastCheck.property(FastCheck.array(FastCheck.integer({ min: -3000, max: 400 }), { maxLength: 40 }), (steps) => {
        const columns = VectorColumns.make(kernel)
        const model: Array<Float32Array> = []
        for (const [n, step] of steps.entries()) {
          for (let row = 0; row < step; row++) {
            const vector = vectorOf(5, n * 1000 + row)
            assert.isTrue(columns.reserve(model.length + 1))
            columns.push(vector)
            model.push(vector)
          }
          const removals = step < 0 ? Math.min(model.length, -step >> 3) : 0
          for (let count = 0; count < removals; count++) {
            const row = (-step * 7 + count) % model.length
            const last = model.pop()
            if (row < model.length && last !== undefined) model[row] = last
            columns.remove(row)
          }
          columns.trim()
        }
        const copy = new Float32Array(5)
        for (const [row, vector] of model.entries()) {
          columns.read(row, copy, 0)
          assert.deepStrictEqual(copy, vector)
        }
      }),
      { numRuns: 50 }
    )
  })

  it("stores a vector that is not finite as zero", () => {
    const columns = VectorColumns.make(VectorKernel.make({ dimensions: 3 }))
    assert.isTrue(columns.reserve(3))
    for (const value of [Number.NaN, Infinity, 1]) columns.push(new Float32Array([0, value, 0]))
    assert.deepStrictEqual([...columns.dots(new Float32Array([0, 1, 0])).slice(0, 3)], [0, 0, 1])
  })

  it("brings vectors to length 1 and leaves those without direction at zero", () => {
    assert.deepStrictEqual([...VectorColumns.unit(new Float32Array([3, 4]))].map((value) => Number(value.toFixed(6))), [
      0.6,
      0.8
    ])
    assert.deepStrictEqual([...VectorColumns.unit(new Float32Array([0, 0]))], [0, 0])
    assert.deepStrictEqual([...VectorColumns.unit(new Float32Array([Number.NaN, 1]))], [0, 0])
  })
})
