/**
 * What ends at a given time, the soonest first: a binary heap from which
 * anything can be taken.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 * @category models
 */
export interface Expiring {
  /** When, in milliseconds. */
  readonly at: number
  /** Its place in the heap, kept by the heap; -1 outside. */
  index: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Expiries<in out X extends Expiring> {
  readonly add: (item: X) => void
  /** Takes an item out; one that is not in it is left alone. */
  readonly remove: (item: X) => void
  readonly first: () => X | undefined
  readonly size: () => number
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = <X extends Expiring>(): Expiries<X> => {
  const heap: Array<X> = []

  const put = (item: X, index: number): void => {
    heap[index] = item
    item.index = index
  }

  const up = (item: X): void => {
    let index = item.index
    for (;;) {
      const above = (index - 1) >> 1
      const parent = index === 0 ? undefined : heap[above]
      if (parent === undefined || parent.at <= item.at) return put(item, index)
      put(parent, index)
      index = above
    }
  }

  const down = (item: X): void => {
    let index = item.index
    for (;;) {
      const left = heap[2 * index + 1]
      const right = heap[2 * index + 2]
      const child = left !== undefined && right !== undefined && right.at < left.at ? right : left
      if (child === undefined || child.at >= item.at) return put(item, index)
      const below = child.index
      put(child, index)
      index = below
    }
  }

  return {
    add: (item) => {
      item.index = heap.length
      heap.push(item)
      up(item)
    },
    remove: (item) => {
      if (item.index === -1) return
      const last = heap.pop()
      if (last !== undefined && last !== item) {
        last.index = item.index
        down(last)
        up(last)
      }
      item.index = -1
    },
    first: () => heap[0],
    size: () => heap.length
  }
}
