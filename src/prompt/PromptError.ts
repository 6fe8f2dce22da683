/**
 * Why a prompt could not be made.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Unavailable from "../catalog/Unavailable.js"

/**
 * An argument has the right form, and yet cannot be used. `message` is one
 * sentence for the client.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidArgument extends Schema.TaggedError<InvalidArgument>("causeway/PromptError/InvalidArgument")(
  "InvalidArgument",
  { argument: Schema.String, message: Schema.String }
) {
  get isRetryable() {
    return false
  }
}

export {
  /**
   * What the prompt is made of cannot be had now.
   *
   * @since 0.1.0
   * @category errors
   */
  Unavailable
} from "../catalog/Unavailable.js"

/**
 * What the handler of a prompt may fail with, beside an `McpError`.
 *
 * @since 0.1.0
 * @category errors
 */
export class PromptError extends Schema.TaggedError<PromptError>("causeway/PromptError")("PromptError", {
  reason: Schema.Union(InvalidArgument, Unavailable.Unavailable)
}) {
  /** Whether the same prompt may succeed later. */
  get isRetryable() {
    return this.reason.isRetryable
  }
  override get message() {
    return this.reason.message
  }
}

/**
 * An argument cannot be used; `message` says why in a sentence that the client
 * may see.
 *
 * @since 0.1.0
 * @category constructors
 */
export const invalidArgument = (argument: string, message: string): PromptError =>
  new PromptError({ reason: new InvalidArgument({ argument, message }) })

/**
 * The prompt cannot be made now; `message` says why in a sentence that the
 * client may see.
 *
 * @since 0.1.0
 * @category constructors
 */
export const unavailable = (message: string, cause?: unknown): PromptError =>
  new PromptError({ reason: Unavailable.make(message, cause) })
