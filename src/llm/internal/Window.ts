/**
 * The last figures of a series, kept in order, so that a share of them is read
 * off at once.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 * @category models
 */
export interface Window {
  readonly add: (value: number) => void
  /** Figures kept. */
  readonly size: () => number
  /** The smallest kept figure that `share` of them, above 0 to 1, do not exceed; `NaN` when there is none. */
  readonly quantile: (share: number) => number
}

/**
 * Makes an empty window that keeps the last `capacity` figures. Adding one moves
 * at most that many in one block.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (capacity: number): Window => {
  const inTime = new Float64Array(capacity)
  const inOrder = new Float64Array(capacity)
  let size = 0
  let next = 0

  /** The first place whose figure is not below `value`. */
  const placeOf = (value: number): number => {
    let low = 0
    let high = size
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((inOrder[middle] ?? Number.POSITIVE_INFINITY) < value) low = middle + 1
      else high = middle
    }
    return low
  }

  return {
    add: (value) => {
      if (size === capacity) {
        const oldest = placeOf(inTime[next] ?? 0)
        inOrder.copyWithin(oldest, oldest + 1, size)
        size -= 1
      }
      const place = placeOf(value)
      inOrder.copyWithin(place + 1, place, size)
      inOrder[place] = value
      inTime[next] = value
      next = (next + 1) % capacity
      size += 1
    },
    size: () => size,
    quantile: (share) => size === 0 ? Number.NaN : inOrder[Math.max(0, Math.ceil(share * size) - 1)] ?? Number.NaN
  }
}
