/**
 * Seals text that travels through a client and back, so that the client can
 * neither read nor change it, nor use it for anything else.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto"

/**
 * The fewest bytes of a secret, in UTF-8.
 *
 * @since 0.1.0
 * @category configuration
 */
export const minSecretBytes = 32

/**
 * The most characters of a token; a longer one is not looked at.
 *
 * @since 0.1.0
 * @category configuration
 */
export const maxTokenLength = 128 * 1024

/**
 * A secret is too short to be kept from being guessed.
 *
 * @since 0.1.0
 * @category errors
 */
export class SecretTooShort extends Schema.TaggedError<SecretTooShort>("causeway/Sealer/SecretTooShort")(
  "SecretTooShort",
  {
    /** Which of the secrets, counted from 1. */
    position: Schema.Int,
    bytes: Schema.Int
  }
) {
  get isRetryable() {
    return false
  }
  override get message() {
    return `Secret ${this.position} has ${this.bytes} bytes and needs at least ${minSecretBytes}; make one with "openssl rand -base64 32" and give it to every instance.`
  }
}

/**
 * Seals and opens. The purpose and the binding are not in the token: whoever
 * opens it has to know them, and with others it does not open.
 *
 * A token opens as often as it is shown, and as long as the secret is in use: put
 * a moment of expiry into the text. One secret is good for 2^32 tokens.
 *
 * @since 0.1.0
 * @category models
 */
export interface Sealer {
  /**
   * A token of visible ASCII, `v1.` first. The text must be well-formed Unicode.
   * Throws when the token would be longer than `maxTokenLength`.
   */
  readonly seal: (purpose: string, text: string, binding: ReadonlyArray<string>) => string
  /** The text; `undefined` whatever is wrong with the token. Never throws. */
  readonly open: (purpose: string, token: string, binding: ReadonlyArray<string>) => string | undefined
}

interface Key {
  readonly id: string
  readonly bytes: Buffer
}

const ivLength = 12
const tagLength = 16
const version = "v1"
const shape = /^v1\.([A-Za-z0-9_-]{8})\.([A-Za-z0-9_-]+)$/u

const derive = (secret: string | Buffer): Key => ({
  id: Buffer.from(hkdfSync("sha256", secret, "", "causeway/Sealer/v1/id", 6)).toString("base64url"),
  bytes: Buffer.from(hkdfSync("sha256", secret, "", "causeway/Sealer/v1/key", 32))
})

/** All parts, each after its length, so that no two lists give the same bytes. UTF-16 keeps unequal strings unequal. */
const additional = (parts: ReadonlyArray<string>): Buffer =>
  Buffer.concat(parts.flatMap((part) => {
    const bytes = Buffer.from(part, "utf16le")
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    return [length, bytes]
  }))

const fromKeys = (first: Key, others: ReadonlyArray<Key>): Sealer => {
  const keys = new Map([...others, first].map((key) => [key.id, key.bytes]))
  return {
    seal: (purpose, text, binding) => {
      const iv = randomBytes(ivLength)
      const cipher = createCipheriv("aes-256-gcm", first.bytes, iv, { authTagLength: tagLength })
      cipher.setAAD(additional([version, first.id, purpose, ...binding]))
      const sealed = Buffer.concat([iv, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()])
      const token = `${version}.${first.id}.${sealed.toString("base64url")}`
      if (token.length > maxTokenLength) {
        throw new RangeError(`A sealed text may have ${maxTokenLength} characters; this one has ${token.length}.`)
      }
      return token
    },
    open: (purpose, token, binding) => {
      const parts = token.length > maxTokenLength ? null : shape.exec(token)
      const [, id = "", payload = ""] = parts ?? []
      const key = keys.get(id)
      if (key === undefined) return undefined
      const sealed = Buffer.from(payload, "base64url")
      // Bits beyond the last byte are dropped in decoding; only one way of writing the bytes is accepted.
      if (sealed.length < ivLength + tagLength || sealed.toString("base64url") !== payload) return undefined
      const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, ivLength), { authTagLength: tagLength })
      decipher.setAAD(additional([version, id, purpose, ...binding]))
      decipher.setAuthTag(sealed.subarray(-tagLength))
      try {
        const text = decipher.update(sealed.subarray(ivLength, -tagLength))
        return Buffer.concat([text, decipher.final()]).toString("utf8")
      } catch {
        return undefined
      }
    }
  }
}

/**
 * A sealer of shared secrets, for servers of several instances and for tokens
 * that outlive a restart. The first secret seals, all of them open: to change the
 * secret, put the new one first and drop the old one when its tokens have expired.
 * Fails with `SecretTooShort` for a secret of less than 32 bytes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  secrets: readonly [Redacted.Redacted, ...ReadonlyArray<Redacted.Redacted>]
): Effect.Effect<Sealer, SecretTooShort> =>
  Effect.suspend(() => {
    const texts = secrets.map((secret) => Redacted.value(secret))
    for (const [index, text] of texts.entries()) {
      const bytes = Buffer.byteLength(text)
      if (bytes < minSecretBytes) return Effect.fail(new SecretTooShort({ position: index + 1, bytes }))
    }
    return Effect.succeed(fromKeys(derive(Redacted.value(secrets[0])), texts.slice(1).map(derive)))
  })

/**
 * A sealer with a secret of its own: what it seals opens in this process only,
 * and until it ends.
 *
 * @since 0.1.0
 * @category constructors
 */
export const random: Effect.Effect<Sealer> = Effect.sync(() => fromKeys(derive(randomBytes(minSecretBytes)), []))
