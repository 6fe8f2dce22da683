/**
 * Why the copy of a tenant cannot go on as it is.
 *
 * @since 0.1.0
 */
import type { EmbedderError } from "../../embedding/Embedder.js"
import type { DocumentStoreError } from "../DocumentStore.js"

/**
 * `Again`: what was asked did not answer, and may later. `Anew`: the copy cannot
 * be brought up to date, the documents have to be copied anew. `Unfit`: the tenant
 * cannot be copied: it never stored anything, it is too large, or something is
 * wrong that time does not heal.
 *
 * @since 0.1.0
 * @category models
 */
export type Problem =
  | { readonly _tag: "Again"; readonly cause: unknown }
  | { readonly _tag: "Anew"; readonly why: string }
  | Unfit

/**
 * @since 0.1.0
 * @category models
 */
export interface Unfit {
  readonly _tag: "Unfit"
  readonly kind: "empty" | "large" | "fault"
  readonly why: string
  readonly cause?: unknown
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const again = (cause: unknown): Problem => ({ _tag: "Again", cause })

/**
 * @since 0.1.0
 * @category constructors
 */
export const anew = (why: string): Problem => ({ _tag: "Anew", why })

/**
 * @since 0.1.0
 * @category constructors
 */
export const unfit = (kind: Unfit["kind"], why: string, cause?: unknown): Unfit => ({
  _tag: "Unfit",
  kind,
  why,
  ...(cause === undefined ? {} : { cause })
})

/**
 * @since 0.1.0
 * @category constructors
 */
export const ofStore = (error: DocumentStoreError): Problem =>
  error.reason._tag === "Expired"
    ? anew(error.message)
    : error.isRetryable
    ? again(error)
    : unfit("fault", error.message, error)

/**
 * @since 0.1.0
 * @category constructors
 */
export const ofEmbedder = (error: EmbedderError): Problem =>
  error.isRetryable ? again(error) : unfit("fault", error.message, error)
