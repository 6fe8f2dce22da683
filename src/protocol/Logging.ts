/**
 * What a server tells a client's log: levels in their order, and messages.
 *
 * Source: MCP 2026-07-28, server utilities, logging (RFC 5424 severities).
 *
 * @since 0.1.0
 */
/**
 * The levels, the least severe first.
 *
 * @since 0.1.0
 * @category models
 */
export const levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"] as const

/**
 * @since 0.1.0
 * @category models
 */
export type Level = typeof levels[number]

/**
 * One entry of a log; `data` is any JSON. Must hold no secret: it leaves the process.
 *
 * @since 0.1.0
 * @category models
 */
export interface Message {
  readonly level: Level
  readonly data: unknown
  /** What part of the server speaks. */
  readonly logger?: string | undefined
}

const ranks: ReadonlyMap<unknown, number> = new Map(levels.map((level, rank) => [level, rank]))

/**
 * @since 0.1.0
 * @category guards
 */
export const isLevel = (value: unknown): value is Level => ranks.has(value)

/**
 * Whether a level is `least` or more severe.
 *
 * @since 0.1.0
 * @category guards
 */
export const isAtLeast = (level: Level, least: Level): boolean => (ranks.get(level) ?? -1) >= (ranks.get(least) ?? 0)

/**
 * Where a handler logs, and how logging ends.
 *
 * @since 0.1.0
 * @category models
 */
export interface Writer {
  /** Sends an entry; does nothing below the level wanted, or after `close`. */
  readonly log: (message: Message) => void
  /** Ends it: the request has its answer, or will get none. */
  readonly close: () => void
}

const nothing = (): void => {}

/** What is only logged must not end the call that logs it. */
const written = (data: unknown): string => {
  try {
    // `data` is required, and what JSON has no word for would leave it out.
    return JSON.stringify(data) ?? "null"
  } catch {
    return "\"This entry cannot be written as JSON.\""
  }
}

/**
 * For a request whose client does not want to see any.
 *
 * @since 0.1.0
 * @category constructors
 */
export const silent: Writer = { log: nothing, close: nothing }

/**
 * For a request whose client wants `least` and what is more severe.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (least: Level, notify: (json: string) => void): Writer => {
  let isOpen = true
  return {
    log: ({ data, level, logger }) => {
      if (!isOpen || !isAtLeast(level, least)) return
      const about = JSON.stringify(logger === undefined ? { level } : { level, logger })
      notify(
        `{"jsonrpc":"2.0","method":"notifications/message","params":${about.slice(0, -1)},"data":${written(data)}}}`
      )
    },
    close: () => {
      isOpen = false
    }
  }
}
