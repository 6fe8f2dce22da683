/**
 * What every transport is: a layer that serves an `McpServer` to whoever is at
 * the other end, within bounds.
 *
 * @since 0.1.0
 */
import type * as Layer from "effect/Layer"
import type { McpServer } from "../server/McpServer.js"

/**
 * A layer that needs a server and carries its messages until the layer's scope
 * closes. Two programs that differ only in their transport differ in one word.
 *
 * @since 0.1.0
 * @category models
 */
export type Transport<E = never, R = never> = Layer.Layer<never, E, McpServer | R>

/**
 * The longest message in bytes that a pipe takes unless told otherwise: 10 MiB.
 *
 * @since 0.1.0
 * @category configuration
 */
export const maxLineBytes: number = 10 * 1024 * 1024

/**
 * The longest HTTP body in bytes that is read unless told otherwise: 1 MiB.
 *
 * @since 0.1.0
 * @category configuration
 */
export const maxBodyBytes: number = 1024 * 1024

/**
 * How many bytes of notifications may wait for a slow reader: 1 MiB. More of
 * them are dropped; an answer never is.
 *
 * @since 0.1.0
 * @category configuration
 */
export const maxWaitingBytes: number = 1024 * 1024
