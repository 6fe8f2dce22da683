/**
 * Verifies access tokens with `jose`, which is loaded only here.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { CryptoKey as Key, JSONWebKeySet, JWTVerifyGetKey, JWTVerifyOptions } from "jose"
import type { Claims } from "./Claims.js"

/** @internal */
export interface Options {
  readonly clock: Clock.Clock
  readonly issuer: string
  readonly audience: string | ReadonlyArray<string>
  readonly algorithms: ReadonlyArray<string>
  readonly requiredClaims: ReadonlyArray<string>
  readonly skewMillis: number
}

/** @internal */
export interface Keys {
  readonly resolve: JWTVerifyGetKey
}

/** @internal */
export interface Signature {
  /** Reads a key set; throws when it is none. */
  readonly keys: (document: unknown) => Keys
  /** Whether a token could be one of the issuer's: what is not is refused without a key. */
  readonly isPlausible: (token: string) => boolean
  /** The claims; `undefined` when the token does not do, `unknownKey` when other keys may verify it. */
  readonly verify: (token: string, keys: Keys) => Effect.Effect<Claims | "unknownKey" | undefined>
}

const types: ReadonlySet<unknown> = new Set([undefined, "jwt", "at+jwt", "application/jwt", "application/at+jwt"])
/** Keys that a token without a key id is tried with. */
const mostKeys = 16

const load = Effect.tryPromise(() => import("jose"))

/**
 * Fails when `jose` is not installed.
 *
 * @internal
 */
export const make = (options: Options): Effect.Effect<Signature, unknown> =>
  Effect.map(load, (jose) => {
    const { clock, issuer } = options
    const algorithms = [...options.algorithms]
    const wanted = (): JWTVerifyOptions => ({
      algorithms,
      issuer,
      audience: [options.audience].flat(),
      requiredClaims: [...new Set(["exp", "iss", "aud", "sub", ...options.requiredClaims])],
      clockTolerance: options.skewMillis / 1000,
      currentDate: new Date(clock.unsafeCurrentTimeMillis())
    })

    /** One after the other, until one verifies. */
    const verifyWithAny = async (token: string, candidates: AsyncIterable<Key>): Promise<Claims> => {
      let left = mostKeys
      for await (const key of candidates) {
        try {
          return (await jose.jwtVerify(token, key, wanted())).payload
        } catch (error) {
          left -= 1
          if (!(error instanceof jose.errors.JWSSignatureVerificationFailed) || left === 0) throw error
        }
      }
      throw new jose.errors.JWSSignatureVerificationFailed()
    }
    const verified = async (token: string, keys: Keys): Promise<Claims> => {
      try {
        return (await jose.jwtVerify(token, keys.resolve, wanted())).payload
      } catch (error) {
        if (error instanceof jose.errors.JWKSMultipleMatchingKeys) return await verifyWithAny(token, error)
        throw error
      }
    }

    /** Whether a key that is not known here may be the one. */
    const isOfOtherKey = (token: string, error: unknown): boolean =>
      error instanceof jose.errors.JWKSNoMatchingKey ||
      (error instanceof jose.errors.JWSSignatureVerificationFailed &&
        jose.decodeProtectedHeader(token).kid === undefined)

    const why = (error: unknown): string => {
      if (error instanceof jose.errors.JWTClaimValidationFailed) return `the claim ${error.claim} does not do`
      return error instanceof jose.errors.JOSEError ? error.code : "it cannot be verified"
    }

    return {
      keys: (document) => ({
        // Looked into by `createLocalJWKSet`, which throws for anything else.
        resolve: jose.createLocalJWKSet(document as JSONWebKeySet)
      }),
      isPlausible: (token) => {
        try {
          const { alg, typ } = jose.decodeProtectedHeader(token)
          return alg !== undefined && algorithms.includes(alg) &&
            types.has(typeof typ === "string" ? typ.toLowerCase() : typ) && jose.decodeJwt(token).iss === issuer
        } catch {
          return false
        }
      },
      verify: (token, keys) =>
        Effect.tryPromise({ try: () => verified(token, keys), catch: (error) => error }).pipe(
          Effect.catchAll((error): Effect.Effect<"unknownKey" | undefined> =>
            isOfOtherKey(token, error)
              ? Effect.succeed("unknownKey" as const)
              : Effect.as(Effect.logDebug(`An access token was refused: ${why(error)}`), undefined)
          )
        )
    }
  })
