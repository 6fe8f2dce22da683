/**
 * One tenant's vectors, beside one another: the vectors' half of the store in
 * memory.
 *
 * Rows have no gaps: when one is removed, the last takes its place.
 *
 * @since 0.1.0
 */
import type { Block, VectorKernel } from "./VectorKernel.js"
import { sizes } from "./VectorKernel.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface VectorColumns {
  /** Makes room for so many rows in all; false when there is none. */
  readonly reserve: (rows: number) => boolean
  /** Writes one row more, for which room was made, and says which it is. A vector that is not finite becomes zero. */
  readonly push: (vector: Float32Array) => void
  /** Takes a row away and moves the last one there. */
  readonly remove: (row: number) => void
  /** Gives back room that no row takes. */
  readonly trim: () => void
  /** Copies a row to a place in `target`. */
  readonly read: (row: number, target: Float32Array, at: number) => void
  /** The product of every row with the query; valid until the next call. */
  readonly dots: (query: Float32Array) => Float32Array
  /** What `dots` gives for one row, to the bit. */
  readonly dot: (query: Float32Array, row: number) => number
}

/**
 * The vector brought to length 1; zero when it is zero or not finite.
 *
 * @since 0.1.0
 * @category combinators
 */
export const unit = (vector: Float32Array): Float32Array => {
  let square = 0
  for (const value of vector) square += value * value
  const scale = square > 0 && Number.isFinite(square) ? 1 / Math.sqrt(square) : 0
  return scale === 0 ? new Float32Array(vector.length) : vector.map((value) => value * scale)
}

/** A tenant's only block grows by fours, so that one of few passages is small; one of many is read in long runs. */
const { factor, least: leastRows, most: mostRows } = sizes

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (kernel: VectorKernel): VectorColumns => {
  const { dimensions } = kernel
  const blocks: Array<Block> = []
  let rows = leastRows
  let length = 0
  let products = new Float32Array(0)

  const place = (row: number): readonly [numbers: Float32Array, at: number] => {
    const block = blocks[Math.floor(row / rows)]
    return [block === undefined ? new Float32Array(0) : kernel.values(block), row % rows]
  }

  const copy = (from: number, to: number): void => {
    const [source, a] = place(from)
    const [target, b] = place(to)
    for (let d = 0; d < dimensions; d++) target[d * rows + b] = source[d * rows + a] ?? 0
  }

  /** The only block, made four times as large as often as it takes. */
  const enlarge = (wanted: number): boolean => {
    let larger = rows
    while (larger < wanted && larger < mostRows) larger *= factor
    const block = kernel.allocate(larger)
    if (block === undefined) return false
    const [old] = blocks
    if (old !== undefined) {
      const source = kernel.values(old)
      const target = kernel.values(block)
      for (let d = 0; d < dimensions; d++) {
        for (let row = 0; row < length; row++) target[d * larger + row] = source[d * rows + row] ?? 0
      }
      kernel.free(old)
    }
    blocks[0] = block
    rows = larger
    return true
  }

  const reserve: VectorColumns["reserve"] = (wanted) => {
    if (wanted > rows * blocks.length && rows < mostRows && !enlarge(wanted)) return false
    while (wanted > rows * blocks.length) {
      const block = kernel.allocate(rows)
      if (block === undefined) return false
      blocks.push(block)
    }
    return true
  }

  return {
    reserve,
    push: (vector) => {
      const [numbers, at] = place(length++)
      let sum = 0
      for (let d = 0; d < dimensions; d++) {
        const value = vector[d] ?? 0
        sum += value * 0
        numbers[d * rows + at] = value
      }
      if (sum !== 0) { for (let d = 0; d < dimensions; d++) numbers[d * rows + at] = 0 }
    },
    remove: (row) => {
      length--
      if (row !== length) copy(length, row)
    },
    trim: () => {
      for (let last = blocks.at(-1); last !== undefined && length <= (blocks.length - 1) * rows; last = blocks.at(-1)) {
        kernel.free(last)
        blocks.pop()
      }
      if (blocks.length === 0) rows = leastRows
    },
    read: (row, target, at) => {
      const [numbers, from] = place(row)
      for (let d = 0; d < dimensions; d++) target[at + d] = numbers[d * rows + from] ?? 0
    },
    dots: (query) => {
      if (products.length < blocks.length * rows) products = new Float32Array(blocks.length * rows)
      kernel.aim(query)
      for (const [n, block] of blocks.entries()) {
        kernel.multiply(block)
        products.set(kernel.values(block).subarray(rows * dimensions), n * rows)
      }
      return products
    },
    dot: (query, row) => {
      const [numbers, at] = place(row)
      let sum = 0
      for (let d = 0; d < dimensions; d++) {
        const value = query[d] ?? 0
        if (value !== 0) sum = Math.fround(sum + Math.fround(value * (numbers[d * rows + at] ?? 0)))
      }
      return sum
    }
  }
}
