/**
 * Why a resource could not be read.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Unavailable from "../catalog/Unavailable.js"

/**
 * There is no such resource, as far as this caller is concerned.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotFound extends Schema.TaggedError<NotFound>("causeway/ResourceError/NotFound")("NotFound", {}) {
  get isRetryable() {
    return false
  }
  override get message() {
    return "there is no such resource"
  }
}

export {
  /**
   * The resource is there, but cannot be had now.
   *
   * @since 0.1.0
   * @category errors
   */
  Unavailable
} from "../catalog/Unavailable.js"

/**
 * What the handler of a resource may fail with, beside an `McpError`.
 *
 * @since 0.1.0
 * @category errors
 */
export class ResourceError extends Schema.TaggedError<ResourceError>("causeway/ResourceError")("ResourceError", {
  reason: Schema.Union(NotFound, Unavailable.Unavailable)
}) {
  /** Whether the same read may succeed later. */
  get isRetryable() {
    return this.reason.isRetryable
  }
  override get message() {
    return this.reason.message
  }
}

/**
 * There is no such resource.
 *
 * @since 0.1.0
 * @category constructors
 */
export const notFound = (): ResourceError => new ResourceError({ reason: new NotFound() })

/**
 * The resource cannot be had now; `message` says why in a sentence that the
 * client may see.
 *
 * @since 0.1.0
 * @category constructors
 */
export const unavailable = (message: string, cause?: unknown): ResourceError =>
  new ResourceError({ reason: Unavailable.make(message, cause) })
