/**
 * SHA-256 of a text, as fast as this version of Node has it.
 *
 * @since 0.1.0
 */
import * as Crypto from "node:crypto"

/** Absent before Node 20.12; an import by name would not even link there. */
const atOnce: typeof Crypto.hash | undefined = Crypto.hash

/**
 * In hexadecimal.
 *
 * @internal
 */
export const sha256 = (text: string): string =>
  atOnce === undefined ? Crypto.createHash("sha256").update(text).digest("hex") : atOnce("sha256", text, "hex")
