/**
 * An HTTP POST, understood: the exchange, and what HTTP adds to it.
 *
 * @since 0.1.0
 */
import type { Exchange } from "../protocol/Dispatcher.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Posted extends Exchange {
  /** The id of the session that this message opened: goes back in the header `Mcp-Session-Id`. */
  readonly session?: string | undefined
  /**
   * To be told, once the reply has to be waited for, how to end the request with
   * no answer: older clients cancel by another message. Gives what forgets it.
   */
  readonly waiting?: ((end: () => void) => () => void) | undefined
  /**
   * To be told that the stream of the reply has gone. A call of an older client
   * goes on; a question of it, which nobody sees any more, does not.
   */
  readonly lost?: (() => void) | undefined
}
