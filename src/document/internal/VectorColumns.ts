/**
 * Vectors beside one another, column by column, so that a search reads only the
 * dimensions its query has: the vectors' half of the store in memory.
 *
 * @since 0.1.0
 */

/** Rows per block: a column of a block and its sums stay in the nearest cache. */
const rows = 512

/**
 * @since 0.1.0
 * @category models
 */
export interface VectorColumns {
  /** Writes a row; rows may come in any order. */
  readonly set: (row: number, vector: Float32Array) => void
  /** Copies a row into `vector`. */
  readonly read: (row: number, vector: Float32Array) => void
  /** The dot product of every row below `count` with the query, exact; valid until the next call. */
  readonly dots: (query: Float32Array, count: number) => Float64Array
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

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (dimensions: number): VectorColumns => {
  const blocks: Array<Float32Array> = []
  let sums = new Float64Array(rows)

  const set: VectorColumns["set"] = (row, vector) => {
    const at = Math.floor(row / rows)
    while (blocks.length <= at) blocks.push(new Float32Array(rows * dimensions))
    const block = blocks[at]
    if (block === undefined) return
    for (let d = 0; d < dimensions; d++) block[d * rows + row % rows] = vector[d] ?? 0
  }

  const read: VectorColumns["read"] = (row, vector) => {
    const block = blocks[Math.floor(row / rows)]
    for (let d = 0; d < dimensions; d++) vector[d] = block?.[d * rows + row % rows] ?? 0
  }

  const dots: VectorColumns["dots"] = (query, count) => {
    if (sums.length < blocks.length * rows) sums = new Float64Array(blocks.length * rows * 2)
    sums.fill(0)
    const columns: Array<number> = []
    for (let d = 0; d < dimensions; d++) if (query[d] !== 0) columns.push(d)
    // a column of weight 0 fills up the last group of four
    while (columns.length % 4 !== 0) columns.push(columns[0] ?? 0)
    const weights = Float64Array.from(columns, (d, n) => n > 0 && d === columns[0] ? 0 : query[d] ?? 0)
    for (let n = 0; n * rows < count; n++) {
      const block = blocks[n]
      if (block !== undefined) addBlock(block, columns, weights, sums.subarray(n * rows, (n + 1) * rows))
    }
    return sums
  }

  return { set, read, dots }
}

const addBlock = (
  block: Float32Array,
  columns: ReadonlyArray<number>,
  weights: Float64Array,
  sums: Float64Array
): void => {
  for (let n = 0; n < columns.length; n += 4) {
    const a = (columns[n] ?? 0) * rows
    const b = (columns[n + 1] ?? 0) * rows
    const c = (columns[n + 2] ?? 0) * rows
    const d = (columns[n + 3] ?? 0) * rows
    const wa = weights[n] ?? 0
    const wb = weights[n + 1] ?? 0
    const wc = weights[n + 2] ?? 0
    const wd = weights[n + 3] ?? 0
    for (let r = 0; r < rows; r++) {
      sums[r] = (sums[r] ?? 0) + wa * (block[a + r] ?? 0) + wb * (block[b + r] ?? 0) + wc * (block[c + r] ?? 0) +
        wd * (block[d + r] ?? 0)
    }
  }
}
