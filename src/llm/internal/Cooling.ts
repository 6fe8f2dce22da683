/**
 * Remembers until when someone is left alone, and for how long the next time.
 *
 * @since 0.1.0
 */

/** Who asks to be left alone for longer than this is asked again all the same. */
const longestAsked = 3_600_000

/**
 * Makes a state that is not cooling. Doubling counts once for each cooling that
 * has run out: failures of calls that were under way together are one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = () => {
  let until = Number.NEGATIVE_INFINITY
  let reason: string | undefined
  let inRow = 0
  let lastReason: string | undefined

  return {
    get until() {
      return until
    },
    get reason() {
      return reason
    },
    begin: (
      now: number,
      options: { readonly reason: string; readonly atLeast: number; readonly upTo?: number; readonly asked?: number }
    ): void => {
      if (options.reason !== lastReason) inRow = 1
      else if (now >= until) inRow += 1
      lastReason = options.reason
      const doubled = options.upTo === undefined
        ? options.atLeast
        : Math.min(options.atLeast * 2 ** (inRow - 1), Math.max(options.atLeast, options.upTo))
      const asked = options.asked !== undefined && options.asked > 0 ? Math.min(options.asked, longestAsked) : 0
      const end = now + Math.max(doubled, asked)
      if (end > until) {
        until = end
        reason = options.reason
      }
    },
    reset: (): void => {
      inRow = 0
      lastReason = undefined
    }
  }
}
