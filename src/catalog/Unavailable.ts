/**
 * The reason that every kind of thing has for not being there: it cannot be had
 * now.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * It is there, but cannot be had now. `message` is one sentence for the client;
 * `cause` stays in the log and never leaves the process.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unavailable extends Schema.TaggedError<Unavailable>("causeway/Unavailable")("Unavailable", {
  message: Schema.String,
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  get isRetryable() {
    return true
  }
}

/**
 * Says why it cannot be had, in a sentence that the client may see.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (message: string, cause?: unknown): Unavailable =>
  new Unavailable({ message, ...(cause === undefined ? {} : { cause }) })
