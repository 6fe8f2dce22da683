/**
 * The opaque cursor of a paged list: where to go on, and in which list.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Hash from "effect/Hash"
import type { McpError } from "../protocol/McpError.js"
import { invalidParams } from "../protocol/McpError.js"

const shape = /^(\d{1,9})\.(-?\d{1,12})$/u

const refused: Either.Either<never, McpError> = Either.left(
  invalidParams("The cursor is not one of this list, or the list has changed; list again from the start")
)

/**
 * Writes a cursor that goes on at `offset`; it expires when the names change.
 *
 * @since 0.1.0
 * @category constructors
 */
export const encode = (offset: number, names: ReadonlyArray<string>): string =>
  Encoding.encodeBase64Url(`${offset}.${Hash.array(names)}`)

/**
 * Reads the offset out of a cursor; 0 without one. Fails with `invalidParams`
 * for anything but a cursor that this list gave out.
 *
 * @since 0.1.0
 * @category combinators
 */
export const decode = (cursor: string | undefined, names: ReadonlyArray<string>): Either.Either<number, McpError> => {
  if (cursor === undefined) return Either.right(0)
  const text = cursor.length > 64 ? Either.left(undefined) : Encoding.decodeBase64UrlString(cursor)
  const parts = Either.isRight(text) ? shape.exec(text.right) : null
  if (parts === null) return refused
  const offset = Number(parts[1])
  return Number(parts[2]) === Hash.array(names) && offset > 0 && offset < names.length
    ? Either.right(offset)
    : refused
}
