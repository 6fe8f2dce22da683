/**
 * Progress of one request, sent only while it may be.
 *
 * @since 0.1.0
 */
import * as JsonRpc from "./JsonRpc.js"
import type { Progress, RequestId } from "./McpSchema.js"

/**
 * Where a handler reports, and how reporting ends.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reporter {
  /** Sends an update; does nothing when progress did not grow, or is not a finite number, or after `close`. */
  readonly report: (update: Progress) => void
  /** Ends it: the request has its answer, or will get none. */
  readonly close: () => void
}

const nothing = (): void => {}

/**
 * For a request whose client did not ask for progress.
 *
 * @since 0.1.0
 * @category constructors
 */
export const silent: Reporter = { report: nothing, close: nothing }

/**
 * For a request with a progress token; the token goes back as it came, a number
 * as a number.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (progressToken: RequestId, notify: (json: string) => void): Reporter => {
  let last = Number.NEGATIVE_INFINITY
  let isOpen = true
  return {
    report: ({ message, progress, total }) => {
      if (!isOpen || !Number.isFinite(progress) || progress <= last) return
      last = progress
      notify(JsonRpc.notification("notifications/progress", {
        progressToken,
        progress,
        ...(total === undefined || !Number.isFinite(total) ? {} : { total }),
        ...(message === undefined ? {} : { message })
      }))
    },
    close: () => {
      isOpen = false
    }
  }
}
