/**
 * Shows how far a long run has got: a line redrawn in place on a terminal, now
 * and then a line of its own elsewhere.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * @since 0.1.0
 * @category models
 */
export interface State {
  /** Documents dealt with so far. */
  readonly documents: number
  readonly bytes: number
  readonly totalBytes: number
}

/**
 * Told of every step; decides by itself what is worth showing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  readonly update: (state: State) => Effect.Effect<void>
  /** Takes the redrawn line away, so that a summary can follow. */
  readonly finish: Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  readonly isTerminal: boolean
  readonly write: (text: string) => void
}

const barWidth = 24
const redrawMillis = 100
const lineMillis = 2_000
const lineDocuments = 500

const count = (value: number): string => value.toLocaleString("en")

const clockTime = (seconds: number): string => {
  const whole = Math.ceil(seconds)
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const tail = String(rest).padStart(2, "0")
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`
}

const describe = (state: State, elapsedMillis: number): { readonly share: number; readonly words: string } => {
  const share = state.totalBytes === 0 ? 1 : Math.min(1, state.bytes / state.totalBytes)
  const seconds = elapsedMillis / 1000
  const rate = seconds === 0 ? "" : `, ${count(Math.round(state.documents / seconds))}/s`
  const left = share === 0 || share === 1 || seconds === 0 ? "" : `, ${clockTime(seconds / share - seconds)} left`
  return { share, words: `${Math.floor(share * 100)}%, ${count(state.documents)} documents${rate}${left}` }
}

/**
 * Starts the clock. A terminal is redrawn ten times a second at most; anything
 * else gets a line every two seconds or every 500 documents, whichever is first.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<Progress> =>
  Effect.map(Clock.currentTimeMillis, (started) => {
    let shownAt = started
    let shownDocuments = 0
    let isDrawn = false

    const isDue = (state: State, now: number): boolean =>
      options.isTerminal
        ? now - shownAt >= redrawMillis || !isDrawn
        : now - shownAt >= lineMillis || state.documents - shownDocuments >= lineDocuments

    return {
      update: (state) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          if (!isDue(state, now)) return
          shownAt = now
          shownDocuments = state.documents
          isDrawn = true
          const { share, words } = describe(state, now - started)
          const done = Math.round(share * barWidth)
          options.write(
            options.isTerminal
              ? `\r\u001b[2K[${"#".repeat(done)}${"-".repeat(barWidth - done)}] ${words}`
              : `${words}\n`
          )
        }),
      finish: Effect.sync(() => {
        if (options.isTerminal && isDrawn) options.write("\r\u001b[2K")
      })
    }
  })

/**
 * Shows nothing.
 *
 * @since 0.1.0
 * @category constructors
 */
export const silent: Progress = { update: () => Effect.void, finish: Effect.void }
