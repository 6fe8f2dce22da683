/**
 * Tells a server that cannot be reached from one that could not answer one
 * question.
 *
 * @since 0.1.0
 */
import type { DocumentStoreError } from "../DocumentStore.js"

/**
 * The code of the driver's error: SQLSTATE when the server refused, otherwise
 * the system's, such as `ECONNREFUSED`; `undefined` when there is none.
 *
 * @since 0.1.0
 * @category accessors
 */
export const codeOf = ({ reason }: DocumentStoreError): string | undefined => {
  let cause: unknown = reason
  // the driver's error stands in the client's, that in the store's
  for (let depth = 0; depth < 6 && typeof cause === "object" && cause !== null; depth++) {
    if ("code" in cause && typeof cause.code === "string") return cause.code
    cause = "cause" in cause ? cause.cause : undefined
  }
  return undefined
}

/**
 * Whether the server took too long for a question: SQLSTATE 57014, or nothing
 * came within the store's own deadline.
 *
 * @since 0.1.0
 * @category guards
 */
export const isLate = (error: DocumentStoreError): boolean =>
  (error.reason._tag === "Unavailable" && error.reason.cause === undefined) || codeOf(error) === "57014"

/**
 * Whether a failure says that the server cannot be reached. A replica that ends
 * a question which stands in the way of what it has to replay (40001) is well.
 *
 * @since 0.1.0
 * @category guards
 */
export const isOutage = (error: DocumentStoreError): boolean => {
  if (error.reason._tag !== "Unavailable" || isLate(error)) return false
  const code = codeOf(error)
  // five characters are SQLSTATE: of class 08 when the connection is lost, 57P when the server stops or starts
  return code === undefined || !/^[0-9A-Z]{5}$/.test(code) || /^(?:08|57P|53300)/.test(code)
}
