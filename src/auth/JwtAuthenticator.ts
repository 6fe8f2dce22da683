/**
 * Knows callers by the access tokens of an authorization server: the server as
 * an OAuth 2.1 resource server.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { Authenticator, Unavailable } from "./Authenticator.js"
import * as AccessToken from "./internal/AccessToken.js"
import * as Claims from "./internal/Claims.js"
import * as Discovery from "./internal/Discovery.js"
import * as JsonFetch from "./internal/JsonFetch.js"
import * as KeySet from "./internal/KeySet.js"
import * as Origin from "./internal/Origin.js"
import * as Resource from "./internal/Resource.js"
import { nonEmpty } from "./internal/Settings.js"
import * as Signature from "./internal/Signature.js"
import * as Verdicts from "./internal/Verdicts.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** The issuer, exactly as tokens name it. */
  readonly issuer: string
  /** What tokens must have been issued for; the resource's URI unless given. */
  readonly audience?: string | ReadonlyArray<string> | undefined
  /** The canonical URI of the MCP endpoint: `https://host/mcp`. */
  readonly resource: string
  /** Where the keys are; found by the issuer's metadata (RFC 8414, OpenID Connect) unless given. HTTPS, or loopback. */
  readonly jwksUri?: string | undefined
  /** Asymmetric ones only; `["RS256", "PS256", "ES256", "EdDSA"]` unless given. */
  readonly algorithms?: ReadonlyArray<string> | undefined
  /** Claims that must be there beside `exp`, `iss`, `aud` and `sub`; none unless given. */
  readonly requiredClaims?: ReadonlyArray<string> | undefined
  /** How far clocks may differ; 30 seconds unless given, at most 5 minutes. */
  readonly clockSkew?: Duration.DurationInput | undefined
  /** The claim that names the tenant; everybody is of `default` unless given, and with it a token that lacks it is refused. */
  readonly tenantClaim?: string | undefined
  /** Where the scopes stand; `scope` (text) and `scp` (text or list) unless given. */
  readonly scopeClaims?: ReadonlyArray<string> | undefined
  /** What a scope grants beside itself: `{ "documents:write": ["documents:read"] }`. */
  readonly implies?: { readonly [scope: string]: ReadonlyArray<string> } | undefined
  /** Scopes named in the metadata. */
  readonly scopesSupported?: ReadonlyArray<string> | undefined
  /** The shortest time between two fetches of the keys for a key id that is not known; 30 seconds unless given. */
  readonly cooldown?: Duration.DurationInput | undefined
  /** How long keys serve that cannot be fetched anew; a day unless given. */
  readonly staleKeysFor?: Duration.DurationInput | undefined
  /** How long a verdict on a token is kept, never past its end; a minute unless given. Verdicts kept: 10,000, by a hash of the token. */
  readonly verdictsFor?: Duration.DurationInput | undefined
  /** The longest a fetch takes; 3 seconds unless given. */
  readonly fetchTimeout?: Duration.DurationInput | undefined
}

/**
 * The settings make no sense.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidOptions
  extends Schema.TaggedError<InvalidOptions>("causeway/JwtAuthenticator/InvalidOptions")("InvalidOptions", {
    description: Schema.String
  })
{
  override get message(): string {
    return this.description
  }
}

const { wrong } = AccessToken
const unavailable = Exit.fail(new Unavailable({}))

const refused: Verdicts.Verdict = { exit: wrong, until: 0 }
const unknown: Verdicts.Verdict = { exit: unavailable, until: 0 }

const mostVerdicts = 10_000
const mostAtOnce = 4096
const mostSkew = Duration.minutes(5)

const asymmetric: ReadonlySet<string> = new Set(
  ["RS", "PS", "ES"].flatMap((family) => [`${family}256`, `${family}384`, `${family}512`]).concat("EdDSA", "Ed25519")
)
const usualAlgorithms = ["RS256", "PS256", "ES256", "EdDSA"]

const isNegative = (input: Duration.DurationInput | undefined): boolean =>
  input !== undefined && Duration.toMillis(input) <= 0

const problemOf = (options: Options): string | undefined => {
  const { algorithms = usualAlgorithms, audience, clockSkew, issuer, jwksUri, resource } = options
  const places = [["issuer", issuer], ["resource", resource], ["jwksUri", jwksUri]] as const
  for (const [name, url] of places) {
    const fault = url === undefined ? undefined : Origin.faultOf(url)
    if (fault !== undefined) return `${name} ${fault}`
  }
  if (issuer.includes("?")) return "issuer must not hold a query"
  if (audience !== undefined && (audience.length === 0 || [audience].flat().includes(""))) return "audience is empty"
  if (algorithms.length === 0) return "algorithms names none"
  const odd = algorithms.find((algorithm) => !asymmetric.has(algorithm))
  // One that both sides can sign with would make every server that knows the key an issuer.
  if (odd !== undefined) return `algorithms may hold ${[...asymmetric].join(", ")}, and nothing else`
  if (clockSkew !== undefined && Duration.greaterThan(Duration.decode(clockSkew), mostSkew)) {
    return "clockSkew must be 5 minutes or less"
  }
  return isNegative(options.fetchTimeout) ? "fetchTimeout must be more than nothing" : undefined
}

/** The keys, and the text that tells whether they have changed. */
interface Keys {
  readonly text: string
  readonly set: Signature.Keys
}

const fetching = (options: Options, signature: Signature.Signature): Effect.Effect<Keys, JsonFetch.FetchFailed> => {
  const timeout = options.fetchTimeout ?? "3 seconds"
  let discovered: string | undefined
  const place = Effect.suspend(() => {
    const known = options.jwksUri ?? discovered
    return known === undefined
      ? Effect.tap(Discovery.jwksUri(options.issuer, timeout), (found) => Effect.sync(() => void (discovered = found)))
      : Effect.succeed(known)
  })
  return place.pipe(
    Effect.flatMap((uri) => JsonFetch.json(uri, timeout)),
    Effect.flatMap((document) =>
      Effect.try({
        try: () => ({ text: JSON.stringify(document), set: signature.keys(document) }),
        catch: (cause) => new JsonFetch.FetchFailed({ what: "the keys are no JSON Web Key Set", cause })
      })
    ),
    // They may have moved.
    Effect.tapError(() => Effect.sync(() => void (discovered = undefined)))
  )
}

/**
 * Makes the authenticator, with `jose`. Keys are fetched when the first token
 * comes, once however many come at once, and again for an unknown key id, at most
 * once per cooldown; keys that cannot be fetched anew go on serving. Keys of more
 * than ten minutes are fetched anew while they serve; what has changed ends all
 * verdicts. `jku`, `x5u` and `jwk` headers are never followed; a token over 8 KiB
 * is refused unread, and so is one that is bound to a key of its holder. The
 * token goes nowhere else. Serves protected resource metadata.
 *
 * The principal's id is `sub`. A scope `*` in a token grants nothing.
 *
 * Source: MCP 2026-07-28, authorization; RFC 9728, RFC 9068, RFC 8725.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<Context.Tag.Service<Authenticator>, InvalidOptions, Scope.Scope> =>
  Effect.gen(function*() {
    const problem = problemOf(options)
    if (problem !== undefined) return yield* new InvalidOptions({ description: problem })
    const clock = yield* Effect.clock
    const skewMillis = Duration.toMillis(options.clockSkew ?? "30 seconds")
    const signature = yield* Effect.mapError(
      Signature.make({
        clock,
        issuer: options.issuer,
        audience: options.audience ?? options.resource,
        algorithms: options.algorithms ?? usualAlgorithms,
        requiredClaims: options.requiredClaims ?? [],
        skewMillis
      }),
      () => new InvalidOptions({ description: "access tokens need the package jose; install it" })
    )
    const keySet = yield* KeySet.make<Keys>({
      clock,
      fetch: fetching(options, signature),
      cooldownMillis: Duration.toMillis(options.cooldown ?? "30 seconds"),
      staleMillis: Duration.toMillis(options.staleKeysFor ?? "1 day"),
      isSame: (left, right) => left.text === right.text,
      changed: () => verdicts.forget()
    })

    const verdictOf = (claims: Claims.Claims): Verdicts.Verdict => {
      const until = Number(claims["exp"]) * 1000 + skewMillis
      const principal = Claims.isBound(claims) ? undefined : Claims.principalOf(claims, options, until)
      return principal === undefined ? refused : { exit: Exit.succeed(principal), until }
    }
    const judged = (token: string): Effect.Effect<Verdicts.Verdict, Unavailable> =>
      Effect.gen(function*() {
        const keys = yield* keySet.current
        const first = yield* signature.verify(token, keys.set)
        if (first !== "unknownKey") return first === undefined ? refused : verdictOf(first)
        const newer = yield* keySet.newer(keys)
        const second = newer === undefined ? undefined : yield* signature.verify(token, newer.set)
        return second === undefined || second === "unknownKey" ? refused : verdictOf(second)
      })

    const verdicts: Verdicts.Verdicts = yield* Verdicts.make({
      clock,
      atOnce: (token) => (signature.isPlausible(token) ? undefined : wrong),
      ask: (token) => Effect.orElseSucceed(judged(token), () => unknown),
      keepMillis: Duration.toMillis(options.verdictsFor ?? "1 minute"),
      most: mostVerdicts,
      mostWaiting: mostAtOnce
    })

    return {
      ...Resource.describe(options),
      authenticate: AccessToken.authenticating(verdicts)
    }
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Authenticator, InvalidOptions> =>
  Layer.scoped(Authenticator, make(options))

const listOf = (name: string): Config.Config<ReadonlyArray<string> | undefined> =>
  Config.map(
    nonEmpty(name),
    Option.match({ onNone: () => undefined, onSome: (text) => text.split(",").map((part) => part.trim()) })
  )

const textOf = (name: string): Config.Config<string | undefined> => Config.map(nonEmpty(name), Option.getOrUndefined)

const settings: Config.Config<Options> = Config.all({
  issuer: Config.nonEmptyString("OAUTH_ISSUER").pipe(
    Config.withDescription("The issuer of access tokens, exactly as they name it")
  ),
  audience: listOf("OAUTH_AUDIENCE").pipe(
    Config.withDescription("What tokens must have been issued for, separated by commas; the resource unless given")
  ),
  resource: Config.nonEmptyString("OAUTH_RESOURCE").pipe(
    Config.withDescription("The URI of the MCP endpoint as clients know it: https://host/mcp")
  ),
  jwksUri: textOf("OAUTH_JWKS_URI").pipe(
    Config.withDescription("Where the issuer's keys are; found by its metadata unless given")
  ),
  algorithms: listOf("OAUTH_ALGORITHMS").pipe(
    Config.withDescription("Algorithms of signatures, separated by commas")
  ),
  tenantClaim: textOf("OAUTH_TENANT_CLAIM").pipe(Config.withDescription("The claim that names the tenant")),
  clockSkew: Config.duration("OAUTH_CLOCK_SKEW").pipe(
    Config.withDefault(Duration.seconds(30)),
    Config.withDescription("How far clocks may differ; 5 minutes at most")
  )
})

/**
 * The settings under the names `OAUTH_ISSUER`, `OAUTH_AUDIENCE`, `OAUTH_RESOURCE`,
 * `OAUTH_JWKS_URI`, `OAUTH_ALGORITHMS`, `OAUTH_TENANT_CLAIM` and
 * `OAUTH_CLOCK_SKEW`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<Authenticator, InvalidOptions | ConfigError.ConfigError> = Layer.scoped(
  Authenticator,
  Effect.flatMap(settings, make)
)

/**
 * Whether `OAUTH_ISSUER` is set; one that is empty is not.
 *
 * @since 0.1.0
 * @category configuration
 */
export const isConfigured: Config.Config<boolean> = Config.map(nonEmpty("OAUTH_ISSUER"), Option.isSome)
