/**
 * Keeps the best of many: a heap whose root is the worst that is kept.
 *
 * @since 0.1.0
 */

/**
 * @since 0.1.0
 * @category models
 */
export interface Best {
  /** Offers a slot; a score of 0 or less, or none, never counts. */
  readonly offer: (slot: number, score: number) => void
  /** The slots that are kept, in no order. */
  readonly slots: () => Uint32Array
}

/**
 * At most `wanted` slots: the highest scores, and of equal scores those that come
 * before the others. Whether a slot passes is asked only when it would be kept.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  wanted: number,
  isBefore: (slot: number, that: number) => boolean,
  passes: ((slot: number) => boolean) | undefined
): Best => {
  const slots = new Uint32Array(wanted)
  const scores = new Float64Array(wanted)
  let count = 0

  const isWorse = (score: number, slot: number, thatScore: number, that: number): boolean =>
    score < thatScore || (score === thatScore && isBefore(that, slot))

  const write = (at: number, slot: number, score: number): void => {
    slots[at] = slot
    scores[at] = score
  }

  const up = (from: number, slot: number, score: number): void => {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      const that = slots[parent] ?? 0
      const thatScore = scores[parent] ?? 0
      if (!isWorse(score, slot, thatScore, that)) break
      write(at, that, thatScore)
      at = parent
    }
    write(at, slot, score)
  }

  const down = (slot: number, score: number): void => {
    let at = 0
    for (let child = 1; child < count; child = 2 * at + 1) {
      const right = child + 1
      if (
        right < count && isWorse(scores[right] ?? 0, slots[right] ?? 0, scores[child] ?? 0, slots[child] ?? 0)
      ) child = right
      const that = slots[child] ?? 0
      const thatScore = scores[child] ?? 0
      if (!isWorse(thatScore, that, score, slot)) break
      write(at, that, thatScore)
      at = child
    }
    write(at, slot, score)
  }

  return {
    offer: (slot, score) => {
      if (!(score > 0)) return
      if (count < wanted) {
        if (passes === undefined || passes(slot)) up(count++, slot, score)
        return
      }
      if (!isWorse(scores[0] ?? 0, slots[0] ?? 0, score, slot)) return
      if (passes === undefined || passes(slot)) down(slot, score)
    },
    slots: () => slots.subarray(0, count)
  }
}

const never = (): boolean => false

/**
 * The score of the `wanted`-th best of the first `count` slots that pass; 0 when
 * there are fewer.
 *
 * @since 0.1.0
 * @category combinators
 */
export const nth = (
  wanted: number,
  scores: Float64Array,
  slots: Uint32Array,
  count: number,
  passes: ((slot: number) => boolean) | undefined
): number => {
  const best = make(wanted, never, passes)
  for (let n = 0; n < count; n++) best.offer(slots[n] ?? 0, scores[slots[n] ?? 0] ?? 0)
  const kept = best.slots()
  return kept.length < wanted ? 0 : scores[kept[0] ?? 0] ?? 0
}
