/**
 * What is known of a handler beside its tool and its code.
 *
 * @since 0.1.0
 */
import * as Policy from "../../policy/Policy.js"
import type { Fallback } from "../ToolError.js"

/**
 * What holds for a handler's calls, and what it needs to answer them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Terms {
  /** Its own policy: see `Protect.by`. `Policy.none` unless given. */
  readonly policy: Policy.Any
  /** That of the toolkits it stands in, which gives way to its own: see `Toolkit.protect`. */
  readonly toolkitPolicy: Policy.Any
  /** The sources without which it cannot answer, by the names or the kinds of their health checks. */
  readonly requires: ReadonlyArray<string>
  /** Those without which its answers are worse. */
  readonly uses: ReadonlyArray<string>
  /** What the caller can use when one of them is down. */
  readonly fallback: Fallback | undefined
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const noTerms: Terms = {
  policy: Policy.none,
  toolkitPolicy: Policy.none,
  requires: [],
  uses: [],
  fallback: undefined
}
