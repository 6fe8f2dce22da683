/**
 * Shortens what is sent to a model.
 *
 * @since 0.1.0
 */

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00

/**
 * The beginning of a text, at most `length` UTF-16 units, which are at least 1;
 * without half a character at its end, unless that is all there is room for.
 *
 * @since 0.1.0
 * @category combinators
 */
export const beginning = (text: string, length: number): string =>
  text.length <= length ? text : text.slice(0, length > 1 && isHigh(text.charCodeAt(length - 1)) ? length - 1 : length)
