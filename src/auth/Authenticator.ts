/**
 * Tells who asks from what a request carries, or refuses it.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { isExit } from "../protocol/Ended.js"
import * as Guesses from "./internal/Guesses.js"
import type { Principal } from "./Principal.js"

/**
 * What a request carries. Tokens in URLs are never looked at.
 *
 * @since 0.1.0
 * @category models
 */
export interface Presented {
  /** The value of the `Authorization` header, as it came. */
  readonly authorization: string | undefined
  /** Any other header by its lower-case name. */
  readonly header: (name: string) => string | undefined
  /** The address of the peer, for limits on guessing. */
  readonly peer: string | undefined
}

/**
 * Nothing was presented: HTTP 401 with a challenge that names no error.
 *
 * @since 0.1.0
 * @category errors
 */
export class Missing extends Schema.TaggedError<Missing>("causeway/Authenticator/Missing")("Missing", {}) {
  override get message(): string {
    return "this server needs a credential: send it as Authorization: Bearer"
  }
}

/**
 * What was presented does not do: HTTP 401. `description` says what is wrong in
 * words that do not help to guess, and repeats nothing of the credential.
 *
 * @since 0.1.0
 * @category errors
 */
export class Invalid extends Schema.TaggedError<Invalid>("causeway/Authenticator/Invalid")("Invalid", {
  description: Schema.String
}) {
  override get message(): string {
    return this.description
  }
}

/**
 * Too many wrong credentials from there: HTTP 429 with `Retry-After`.
 *
 * @since 0.1.0
 * @category errors
 */
export class TooMany extends Schema.TaggedError<TooMany>("causeway/Authenticator/TooMany")("TooMany", {
  retryAfterMs: Schema.Number
}) {
  override get message(): string {
    return "too many wrong credentials came from this address"
  }
}

/**
 * What would prove the credential does not answer: HTTP 503 with `Retry-After`.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unavailable extends Schema.TaggedError<Unavailable>("causeway/Authenticator/Unavailable")("Unavailable", {
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  override get message(): string {
    return "credentials cannot be checked at present"
  }
}

/**
 * @since 0.1.0
 * @category errors
 */
export type Refusal = Missing | Invalid | TooMany | Unavailable

/**
 * What a client is told to do about a 401 or a 403.
 *
 * @since 0.1.0
 * @category models
 */
export interface Challenge {
  /** The URL of the protected resource metadata, where there is an authorization server. */
  readonly resourceMetadata?: string | undefined
  /** Scopes to ask for when nothing was presented. */
  readonly scopes?: ReadonlyArray<string> | undefined
  readonly realm?: string | undefined
}

/**
 * The port that a transport asks before it reads a message. An own one is one
 * function: `Layer.succeed(Authenticator, Authenticator.make(authenticate))`.
 *
 * @since 0.1.0
 * @category tags
 */
export class Authenticator extends Context.Tag("causeway/Authenticator")<Authenticator, {
  /** Runs for every request; already an `Exit` when nothing has to be waited for. */
  readonly authenticate: (presented: Presented) => Effect.Effect<Principal, Refusal>
  readonly challenge: Challenge
  /** The document of RFC 9728 to serve, when there is one, and its paths. */
  readonly metadata?: { readonly paths: ReadonlyArray<string>; readonly json: string } | undefined
  /**
   * Whether the credential that proved this caller has been withdrawn since; never
   * unless given. Asked every two seconds for each stream that is open, which ends
   * when it is so: it must cost little. When it throws, the stream ends too.
   */
  readonly isRevoked?: ((caller: Principal) => boolean) | undefined
}>() {}

/**
 * Makes an authenticator of one function.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  authenticate: (presented: Presented) => Effect.Effect<Principal, Refusal>,
  challenge: Challenge = {}
): Context.Tag.Service<Authenticator> => ({ authenticate, challenge })

const refusalOf = (exit: Exit.Exit<Principal, Refusal>): Refusal | undefined =>
  Exit.isSuccess(exit) ? undefined : Option.getOrUndefined(Cause.failureOption(exit.cause))

/** The first of these that is given. */
const first = <A>(values: ReadonlyArray<A | undefined>): A | undefined => values.find((value) => value !== undefined)

/** One challenge of several: whoever meets it may follow any of them. */
const joined = (challenges: ReadonlyArray<Challenge>): Challenge => {
  const resourceMetadata = first(challenges.map((challenge) => challenge.resourceMetadata))
  const scopes = first(challenges.map((challenge) => challenge.scopes))
  const realm = first(challenges.map((challenge) => challenge.realm))
  return {
    ...(resourceMetadata === undefined ? {} : { resourceMetadata }),
    ...(scopes === undefined ? {} : { scopes }),
    ...(realm === undefined ? {} : { realm })
  }
}

/**
 * Asks one after the other: the first that does not say `Missing` or `Invalid`
 * counts, and an `Invalid` before a `Missing`. For API keys beside tokens. Their
 * ids and tenants share one space: two that could call different people by the
 * same id need different tenants.
 *
 * @since 0.1.0
 * @category combinators
 */
export const orElse = (
  ...authenticators: ReadonlyArray<Context.Tag.Service<Authenticator>>
): Context.Tag.Service<Authenticator> => {
  const metadata = first(authenticators.map((authenticator) => authenticator.metadata))
  const revoking = authenticators.flatMap(({ isRevoked }) => (isRevoked === undefined ? [] : [isRevoked]))
  const nothing = Exit.fail(new Missing())

  const ask = (
    presented: Presented,
    from: number,
    soFar: Exit.Exit<Principal, Refusal>
  ): Effect.Effect<Principal, Refusal> => {
    let refused = soFar
    for (let at = from; at < authenticators.length; at++) {
      const verdict = authenticators[at]?.authenticate(presented) ?? nothing
      if (!isExit(verdict)) {
        return Effect.flatMap(Effect.exit(verdict), (exit) => {
          const worse = passedOn(refused, exit)
          return worse === undefined ? exit : ask(presented, at + 1, worse)
        })
      }
      const worse = passedOn(refused, verdict)
      if (worse === undefined) return verdict
      refused = worse
    }
    return refused
  }
  /** The refusal to go on with; `undefined` when this verdict counts. */
  const passedOn = (
    soFar: Exit.Exit<Principal, Refusal>,
    verdict: Exit.Exit<Principal, Refusal>
  ): Exit.Exit<Principal, Refusal> | undefined => {
    const tag = refusalOf(verdict)?._tag
    if (tag !== "Missing" && tag !== "Invalid") return undefined
    return refusalOf(soFar)?._tag === "Invalid" ? soFar : verdict
  }

  return {
    authenticate: (presented) => ask(presented, 0, nothing),
    challenge: joined(authenticators.map((authenticator) => authenticator.challenge)),
    ...(metadata === undefined ? {} : { metadata }),
    ...(revoking.length === 0 ? {} : { isRevoked: (caller) => revoking.some((isRevoked) => isRevoked(caller)) })
  }
}

/**
 * Stops guessing: after so many `Invalid`s from one address within the window the
 * next are refused unasked, right ones too; 100 within 10 seconds unless given.
 * Addresses kept are bounded. IPv6 counts by /64.
 *
 * Behind a proxy every request comes from the proxy's address, and one client
 * that guesses would lock out all: say there by `peerOf` where the proxy writes
 * the client's address. Requests whose address is not known are not counted.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withGuessLimit = (
  options: {
    readonly attempts?: number | undefined
    readonly window?: Duration.DurationInput | undefined
    /** Where a request comes from; the address of the peer unless given. */
    readonly peerOf?: ((presented: Presented) => string | undefined) | undefined
  } = {}
) =>
(self: Context.Tag.Service<Authenticator>): Effect.Effect<Context.Tag.Service<Authenticator>> =>
  Effect.map(Effect.clock, (clock) => {
    const guesses = Guesses.make({
      attempts: Math.max(1, Math.floor(options.attempts ?? 100)),
      windowMillis: Math.max(1, Duration.toMillis(options.window ?? "10 seconds")),
      clock
    })
    const peerOf = options.peerOf ?? ((presented: Presented) => presented.peer)
    return {
      ...self,
      authenticate: (presented) => {
        const peer = peerOf(presented)
        if (peer === undefined) return self.authenticate(presented)
        const retryAfterMs = guesses.waitOf(peer)
        if (retryAfterMs > 0) return Exit.fail(new TooMany({ retryAfterMs }))
        const verdict = self.authenticate(presented)
        const count = (refusal: Refusal | undefined): void => {
          if (refusal?._tag === "Invalid") guesses.add(peer)
        }
        if (!isExit(verdict)) return Effect.tapError(verdict, (refusal) => Effect.sync(() => count(refusal)))
        if (!Exit.isSuccess(verdict)) count(refusalOf(verdict))
        return verdict
      }
    }
  })

/** As a quoted string may hold it. */
const quoted = (text: string): string =>
  `"${text.replace(/[^\x20-\x7e]/gu, "").replace(/[\\"]/gu, (character) => `\\${character}`)}"`

/** RFC 6749 §3.3 has no way to write any other character. */
const isScope = (scope: string): boolean => /^[\x21\x23-\x5b\x5d-\x7e]+$/u.test(scope)

/**
 * The value of a `WWW-Authenticate` header: RFC 6750 §3, RFC 9728 §5.1. Quotes
 * and backslashes are escaped, other than ASCII is left out. The realm is `mcp`
 * where there would be nothing else to say.
 *
 * @since 0.1.0
 * @category combinators
 */
export const wwwAuthenticate = (
  challenge: Challenge,
  error?: {
    readonly code: "invalid_token" | "insufficient_scope"
    readonly description?: string
    readonly scopes?: ReadonlyArray<string>
  }
): string => {
  const scopes = (error?.scopes ?? challenge.scopes ?? []).filter(isScope)
  const parameters: ReadonlyArray<readonly [string, string | undefined]> = [
    ["realm", challenge.realm],
    ["error", error?.code],
    ["error_description", error?.description],
    ["scope", scopes.length === 0 ? undefined : scopes.join(" ")],
    ["resource_metadata", challenge.resourceMetadata]
  ]
  const written = parameters.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${quoted(value)}`]))
  return `Bearer ${written.length === 0 ? `realm="mcp"` : written.join(", ")}`
}

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  authenticate: (presented: Presented) => Effect.Effect<Principal, Refusal>,
  challenge?: Challenge
): Layer.Layer<Authenticator> => Layer.succeed(Authenticator, make(authenticate, challenge))
