/**
 * Many short lists of numbers in few large arrays: what a list per word and per
 * passage would cost in objects is saved.
 *
 * A cell is two 32-bit numbers; a region is a run of cells, of one of a few
 * sizes. A region is named by an address, 0 being none. Regions that are given
 * back are used again; pages that are mostly free are emptied by their owner
 * with `sparse`, `move` and `drop`.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 * @category models
 */
export interface Arena {
  /** A region of `roundedUp(cells)` cells, holding anything. */
  readonly allocate: (cells: number) => number
  readonly free: (address: number, cells: number) => void
  /** The array a region lies in, until the region is freed or moved. */
  readonly numbers: (address: number) => Uint32Array
  /** Pages that can be emptied because most of the arena is free, by number; `undefined` while there are few. */
  readonly sparse: () => Uint8Array | undefined
  /** Moves a region's first `used` cells out of a sparse page. */
  readonly move: (address: number, cells: number, used: number) => number
  /** Lets go of the sparse pages, which hold no region any more. */
  readonly drop: (sparse: Uint8Array) => void
}

const pageBits = 12
const pageCells = 1 << pageBits
/** The first pages are as small as this, and each as large as all before it: most tenants have a few passages. */
const leastCells = 64

/**
 * The page a region lies in.
 *
 * @since 0.1.0
 * @category combinators
 */
export const pageOf = (address: number): number => address >>> pageBits

/**
 * Where in its array a region's first number stands.
 *
 * @since 0.1.0
 * @category combinators
 */
export const offsetOf = (address: number): number => (address & (pageCells - 1)) * 2

/** Sizes are 1, 2, 3, 4, 6, 8, 12, 16, … : a third is wasted at most. */
const kindOf = (cells: number): number => {
  if (cells <= 2) return Math.max(0, cells - 1)
  const power = 31 - Math.clz32(cells)
  const kind = 2 * power - 1
  return cells === 1 << power ? kind : cells <= 3 << (power - 1) ? kind + 1 : kind + 2
}

const cellsOf = (kind: number): number => kind === 0 ? 1 : kind % 2 === 1 ? 1 << ((kind + 1) / 2) : 3 << (kind / 2 - 1)

/**
 * The cells that a region asked for with so many has.
 *
 * @since 0.1.0
 * @category combinators
 */
export const roundedUp = (cells: number): number => cellsOf(kindOf(cells))

/** Fewer free pages than these are not worth the trouble. */
const slackPages = 64
/** How many pages are emptied at a time: a millisecond or two. */
const sparsePages = 64

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (): Arena => {
  // page 0 stays empty: address 0 is no region
  const pages: Array<Uint32Array | undefined> = [undefined]
  const live: Array<number> = [0]
  const freePages: Array<number> = []
  const free: Array<Array<number>> = []
  /** The open page, the first cell of it that was never given away, and its size. */
  let page = 0
  let next = 0
  let end = 0
  let total = 0
  let used = 0

  const open = (cells: number): number => {
    const number = freePages.pop() ?? pages.length
    pages[number] = new Uint32Array(2 * cells)
    live[number] = 0
    total += cells
    return number
  }

  const release = (number: number): void => {
    total -= (pages[number]?.length ?? 0) / 2
    pages[number] = undefined
    freePages.push(number)
  }

  const put = (kind: number, address: number): void => {
    // without a hole: what is left of a page may be larger than all that was asked for so far
    while (free.length <= kind) free.push([])
    free[kind]?.push(address)
  }

  /** What is left of the open page is cut into regions for later. */
  const close = (): void => {
    while (next < end) {
      let kind = kindOf(end - next)
      if (cellsOf(kind) > end - next) kind--
      put(kind, (page << pageBits) | next)
      next += cellsOf(kind)
    }
  }

  const take = (kind: number): number => {
    const cells = cellsOf(kind)
    if (cells > pageCells) {
      const number = open(cells)
      live[number] = cells
      return number << pageBits
    }
    let address = free[kind]?.pop()
    if (address === undefined) {
      if (next + cells > end) {
        close()
        end = Math.min(pageCells, Math.max(leastCells, total, cells))
        page = open(end)
        next = 0
      }
      address = (page << pageBits) | next
      next += cells
    }
    live[pageOf(address)] = (live[pageOf(address)] ?? 0) + cells
    return address
  }

  const allocate: Arena["allocate"] = (cells) => {
    const kind = kindOf(cells)
    used += cellsOf(kind)
    return take(kind)
  }

  const numbers: Arena["numbers"] = (address) => pages[pageOf(address)] ?? none

  return {
    allocate,
    numbers,
    free: (address, cells) => {
      const kind = kindOf(cells)
      const size = cellsOf(kind)
      used -= size
      if (size > pageCells) return release(pageOf(address))
      live[pageOf(address)] = (live[pageOf(address)] ?? 0) - size
      put(kind, address)
    },
    sparse: () => {
      if (total - used < used + slackPages * pageCells) return undefined
      const marks = new Uint8Array(pages.length)
      let count = 0
      close()
      for (let number = 1; number < pages.length && count < sparsePages; number++) {
        if (pages[number]?.length === 2 * pageCells && (live[number] ?? 0) <= pageCells / 2) {
          marks[number] = 1
          count++
        }
      }
      if (count === 0) return undefined
      for (const [kind, held] of free.entries()) {
        free[kind] = held.filter((address) => marks[pageOf(address)] !== 1)
      }
      return marks
    },
    move: (address, cells, count) => {
      const to = allocate(cells)
      const from = offsetOf(address)
      numbers(to).set(numbers(address).subarray(from, from + 2 * count), offsetOf(to))
      used -= roundedUp(cells)
      return to
    },
    drop: (marks) => {
      for (const [number, mark] of marks.entries()) if (mark === 1) release(number)
    }
  }
}

const none = new Uint32Array(0)
