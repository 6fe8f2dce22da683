/**
 * Arrays as Postgres reads them: text for words and numbers, bytes for vectors,
 * whose text takes five times as long to read.
 *
 * @since 0.1.0
 */

const escape = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`

/**
 * A one-dimensional array literal; the statement casts it to its type.
 *
 * @since 0.1.0
 * @category combinators
 */
export const text = (values: ReadonlyArray<string | number | undefined>): string =>
  `{${values.map((value) => typeof value === "string" ? escape(value) : value ?? "NULL").join(",")}}`

/** Dimensions, no nulls, element type 700 (float4), length, first index; then a length and a value per element. */
const header = 20
const float4 = 700
const stride = 8

/**
 * Vectors end to end as one `float4[]` in the binary format.
 *
 * @since 0.1.0
 * @category combinators
 */
export const floats = (vectors: ReadonlyArray<Float32Array>): Buffer => {
  const length = vectors.reduce((sum, vector) => sum + vector.length, 0)
  const bytes = Buffer.allocUnsafe(header + length * stride)
  bytes.writeInt32BE(1, 0)
  bytes.writeInt32BE(0, 4)
  bytes.writeInt32BE(float4, 8)
  bytes.writeInt32BE(length, 12)
  bytes.writeInt32BE(1, 16)
  let at = header
  for (const vector of vectors) {
    for (const value of vector) {
      bytes.writeInt32BE(4, at)
      bytes.writeFloatBE(value, at + 4)
      at += stride
    }
  }
  return bytes
}

/**
 * The dot product of a vector with what `array_send` gives of a stored one; 0
 * when their lengths differ.
 *
 * @since 0.1.0
 * @category combinators
 */
export const dot = (vector: Float32Array, stored: Uint8Array): number => {
  if (stored.byteLength !== header + vector.length * stride) return 0
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength)
  let sum = 0
  let at = header + 4
  for (const value of vector) {
    sum += value * view.getFloat32(at)
    at += stride
  }
  return sum
}
