/**
 * Where the store in memory keeps its numbers, and how it multiplies them by a
 * query: in WebAssembly with SIMD, else in plain JavaScript.
 *
 * A block holds `rows` vectors, column by column: all their first numbers, then
 * all their second ones; behind them, in one column more, stand the sums of the
 * last multiplication. A search thus reads only the columns in which its query
 * is not zero. Both ways round alike, so their results are equal to the bit; a
 * sum of n products is off from the exact one by at most n × 2^-23 for vectors of
 * length 1.
 *
 * @since 0.1.0
 */
import * as VectorModule from "./VectorModule.js"

/**
 * A run of vectors; `values` are its numbers until the next `allocate`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Block {
  readonly rows: number
  /** In bytes; a number of its own where there is no memory to point into. */
  readonly address: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface VectorKernel {
  readonly isSimd: boolean
  readonly dimensions: number
  /** A block of so many rows, one of `sizes`, holding anything; `undefined` when there is no memory left. */
  readonly allocate: (rows: number) => Block | undefined
  /** Gives a block back for others to use. */
  readonly free: (block: Block) => void
  /** The block's columns and its sums. */
  readonly values: (block: Block) => Float32Array
  /** Reads the query of the multiplications that follow. */
  readonly aim: (query: Float32Array) => void
  /** Writes the products of the block's rows and the query into its sums. */
  readonly multiply: (block: Block) => void
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly dimensions: number
  /** Whether WebAssembly is used where there is any; it is unless said otherwise. */
  readonly simd?: boolean | undefined
  /** The most bytes to take, 4 GiB unless given and never more. */
  readonly maxBytes?: number | undefined
}

/**
 * The rows a block may have, each four times as many as the one before.
 *
 * @since 0.1.0
 * @category configuration
 */
export const sizes = { least: 8, most: 512, factor: 4 } as const

const pageBytes = 65_536
const mostBytes = 65_536 * pageBytes

// Seam: the compiler's libraries for Node do not name `WebAssembly`, which is there all the same.
interface Memory {
  readonly buffer: ArrayBuffer
  readonly grow: (pages: number) => number
}
interface Engine {
  readonly validate: (bytes: Uint8Array) => boolean
  readonly Memory: new(type: { readonly initial: number; readonly maximum: number }) => Memory
  readonly Module: new(bytes: Uint8Array) => object
  readonly Instance: new(
    module: object,
    imports: { readonly store: { readonly memory: Memory } }
  ) => {
    readonly exports: {
      readonly multiply: (block: number, bytes: number, list: number, end: number, sums: number) => void
    }
  }
}
const engine = (): Engine | undefined => (globalThis as { readonly WebAssembly?: Engine }).WebAssembly

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): VectorKernel => {
  const found = options.simd === false ? undefined : engine()
  const maxBytes = Math.min(mostBytes, options.maxBytes ?? mostBytes)
  const bytes = VectorModule.make()
  if (found === undefined || !found.validate(bytes)) return plain(options.dimensions, maxBytes)
  try {
    return simd(found, bytes, options.dimensions, maxBytes)
  } catch {
    // where a process may not reserve addresses, no WebAssembly memory can be made
    return plain(options.dimensions, maxBytes)
  }
}

const sizeOf = (rows: number, dimensions: number): number => rows * (dimensions + 1) * 4

/** The query's columns that are not zero, made a multiple of `group` by columns of weight 0. */
const columnsOf = (query: Float32Array, columns: Int32Array, weights: Float32Array): number => {
  let count = 0
  for (let d = 0; d < query.length; d++) {
    const value = query[d] ?? 0
    if (value === 0) continue
    columns[count] = d
    weights[count++] = value
  }
  for (; count % VectorModule.group !== 0; count++) {
    columns[count] = 0
    weights[count] = 0
  }
  return count
}

/**
 * Free blocks by their rows, in a memory of blocks of the largest size that begins
 * at `base`. One is cut in four where smaller ones are wanted, and four that are
 * free again become one: what small tenants leave behind is of use to a large one.
 */
const makeFree = (base: number, rowBytes: number) => {
  const free = new Map<number, Set<number>>()

  const of = (rows: number): Set<number> => {
    const known = free.get(rows)
    if (known !== undefined) return known
    const made = new Set<number>()
    free.set(rows, made)
    return made
  }

  const quarters = (whole: number, rows: number): ReadonlyArray<number> =>
    Array.from({ length: sizes.factor }, (_, n) => whole + n * rows * rowBytes)

  const take = (rows: number): number | undefined => {
    const held = of(rows)
    for (const address of held) {
      held.delete(address)
      return address
    }
    const whole = rows < sizes.most ? take(sizes.factor * rows) : undefined
    if (whole === undefined) return undefined
    for (const address of quarters(whole, rows).slice(1)) held.add(address)
    return whole
  }

  const put = (address: number, rows: number): void => {
    const held = of(rows)
    held.add(address)
    if (rows === sizes.most) return
    const whole = address - (address - base) % (sizes.factor * rows * rowBytes)
    const parts = quarters(whole, rows)
    if (!parts.every((part) => held.has(part))) return
    for (const part of parts) held.delete(part)
    put(whole, sizes.factor * rows)
  }

  return { take, put }
}

interface Placed extends Block {
  view: Float32Array
}

const simd = (
  { Instance, Memory, Module }: Engine,
  bytes: Uint8Array,
  dimensions: number,
  maxBytes: number
): VectorKernel => {
  const listBytes = 8 * (dimensions + VectorModule.group)
  const maximum = Math.max(1, Math.floor(maxBytes / pageBytes))
  const memory = new Memory({ initial: Math.min(maximum, Math.ceil(listBytes / pageBytes)), maximum })
  const { multiply } = new Instance(new Module(bytes), { store: { memory } }).exports
  const columns = new Int32Array(dimensions + VectorModule.group)
  const weights = new Float32Array(dimensions + VectorModule.group)
  let used = Math.ceil(listBytes / 64) * 64
  const free = makeFree(used, sizeOf(1, dimensions))
  let listEnd = 0

  const grow = (wanted: number): boolean => {
    const held = memory.buffer.byteLength / pageBytes
    const missing = Math.ceil(wanted / pageBytes) - held
    if (missing <= 0) return true
    // an eighth more at least, so that growing is rare; the views of all blocks end with it
    for (const pages of [Math.min(maximum - held, Math.max(missing, Math.ceil(held / 8))), missing]) {
      try {
        if (pages >= missing && memory.grow(pages) >= 0) return true
      } catch {
        continue
      }
    }
    return false
  }

  const place = (address: number, rows: number): Placed => ({ address, rows, view: new Float32Array(0) })

  const values = (block: Block): Float32Array => {
    // Seam: every block of this kernel was made by `place`.
    const placed = block as Placed
    if (placed.view.length === 0) {
      placed.view = new Float32Array(memory.buffer, placed.address, placed.rows * (dimensions + 1))
    }
    return placed.view
  }

  return {
    isSimd: true,
    dimensions,
    values,
    allocate: (rows) => {
      const again = free.take(rows)
      if (again !== undefined) return place(again, rows)
      const size = sizeOf(sizes.most, dimensions)
      if (!grow(used + size)) return undefined
      free.put(used, sizes.most)
      used += size
      const address = free.take(rows)
      return address === undefined ? undefined : place(address, rows)
    },
    free: ({ address, rows }) => free.put(address, rows),
    aim: (query) => {
      const count = columnsOf(query, columns, weights)
      const list = new DataView(memory.buffer, 0, listBytes)
      for (let n = 0; n < count; n++) {
        list.setInt32(8 * n, columns[n] ?? 0, true)
        list.setFloat32(8 * n + 4, weights[n] ?? 0, true)
      }
      listEnd = 8 * count
    },
    multiply: (block) => {
      values(block).fill(0, block.rows * dimensions)
      multiply(block.address, 4 * block.rows, 0, listEnd, block.address + 4 * block.rows * dimensions)
    }
  }
}

const plain = (dimensions: number, maxBytes: number): VectorKernel => {
  const blocks = new Map<number, Float32Array>()
  const columns = new Int32Array(dimensions + VectorModule.group)
  const weights = new Float32Array(dimensions + VectorModule.group)
  let next = 0
  let used = 0
  let count = 0

  const values = (block: Block): Float32Array => blocks.get(block.address) ?? new Float32Array(0)

  return {
    isSimd: false,
    dimensions,
    values,
    allocate: (rows) => {
      const size = sizeOf(rows, dimensions)
      if (used + size > maxBytes) return undefined
      used += size
      blocks.set(next, new Float32Array(size / 4))
      return { address: next++, rows }
    },
    free: ({ address, rows }) => {
      if (blocks.delete(address)) used -= sizeOf(rows, dimensions)
    },
    aim: (query) => {
      count = columnsOf(query, columns, weights)
    },
    multiply: (block) => {
      const numbers = values(block)
      numbers.fill(0, block.rows * dimensions)
      for (let n = 0; n < count; n += 4) addFour(numbers, block.rows, dimensions, columns, weights, n)
    }
  }
}

/** Adds four columns, each product and each sum rounded as the module rounds them. */
const addFour = (
  numbers: Float32Array,
  rows: number,
  dimensions: number,
  columns: Int32Array,
  weights: Float32Array,
  n: number
): void => {
  const { fround } = Math
  const sums = dimensions * rows
  const a = (columns[n] ?? 0) * rows
  const b = (columns[n + 1] ?? 0) * rows
  const c = (columns[n + 2] ?? 0) * rows
  const d = (columns[n + 3] ?? 0) * rows
  const wa = weights[n] ?? 0
  const wb = weights[n + 1] ?? 0
  const wc = weights[n + 2] ?? 0
  const wd = weights[n + 3] ?? 0
  for (let r = 0; r < rows; r++) {
    let sum = fround((numbers[sums + r] ?? 0) + fround(wa * (numbers[a + r] ?? 0)))
    sum = fround(sum + fround(wb * (numbers[b + r] ?? 0)))
    sum = fround(sum + fround(wc * (numbers[c + r] ?? 0)))
    numbers[sums + r] = sum + fround(wd * (numbers[d + r] ?? 0))
  }
}
