/**
 * What may be said of one request besides its reply, and only before it:
 * progress and log entries, as far as the client wants them.
 *
 * @since 0.1.0
 */
import * as Logging from "./Logging.js"
import type { RequestId } from "./McpSchema.js"
import * as Progress from "./Progress.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Voice {
  readonly progress: Progress.Reporter
  readonly log: Logging.Writer
}

/**
 * For a request whose client wants to hear nothing else.
 *
 * @since 0.1.0
 * @category constructors
 */
export const silence: Voice = { progress: Progress.silent, log: Logging.silent }

/**
 * For a request with a progress token, a level of the log, both or neither.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  progressToken: RequestId | undefined,
  logLevel: Logging.Level | undefined,
  notify: (json: string) => boolean
): Voice =>
  progressToken === undefined && logLevel === undefined ? silence : {
    progress: progressToken === undefined ? Progress.silent : Progress.make(progressToken, notify),
    log: logLevel === undefined ? Logging.silent : Logging.make(logLevel, notify)
  }

/**
 * Ends it: the request has its answer, or will get none.
 *
 * @since 0.1.0
 * @category combinators
 */
export const close = ({ log, progress }: Voice): void => {
  progress.close()
  log.close()
}
