/**
 * Knows callers by tokens that only their authorization server can read: asks it
 * by RFC 7662.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { isObject } from "../protocol/JsonRpc.js"
import { Authenticator, Unavailable } from "./Authenticator.js"
import * as AccessToken from "./internal/AccessToken.js"
import * as Claims from "./internal/Claims.js"
import * as JsonFetch from "./internal/JsonFetch.js"
import * as Origin from "./internal/Origin.js"
import * as Resource from "./internal/Resource.js"
import * as Verdicts from "./internal/Verdicts.js"
import type { Options as JwtOptions } from "./JwtAuthenticator.js"
import { InvalidOptions } from "./JwtAuthenticator.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options extends
  Pick<
    JwtOptions,
    "issuer" | "audience" | "resource" | "tenantClaim" | "scopeClaims" | "implies" | "scopesSupported" | "fetchTimeout"
  >
{
  /** HTTPS, or loopback. */
  readonly endpoint: string
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted
  /** How long a verdict is kept, never past the token's end; 30 seconds unless given. Also the longest a revoked token goes on. */
  readonly verdictsFor?: Duration.DurationInput | undefined
  /** Questions at once; 16 unless given. Equal tokens share one. */
  readonly concurrency?: number | undefined
}

const { wrong } = AccessToken
const unavailable = Exit.fail(new Unavailable({}))

/** How long streams of a token go on that names no end: nobody is told when it is withdrawn. */
const endlessMillis = 60 * 60_000
const mostVerdicts = 10_000
/** Different tokens that wait for their turn, for each that is asked for. */
const mostPerTurn = 64
const quietMillis = 10_000

const problemOf = ({ audience, clientId, concurrency, endpoint, issuer, resource }: Options): string | undefined => {
  for (const [name, url] of [["endpoint", endpoint], ["issuer", issuer], ["resource", resource]] as const) {
    const fault = Origin.faultOf(url)
    if (fault !== undefined) return `${name} ${fault}`
  }
  if (audience !== undefined && (audience.length === 0 || [audience].flat().includes(""))) return "audience is empty"
  if (clientId === "") return "clientId is empty"
  return concurrency === undefined || concurrency >= 1 ? undefined : "concurrency must be 1 or more"
}

/** RFC 6749 §2.3.1 writes both parts as a form does. */
const inForm = (text: string): string => new URLSearchParams({ "": text }).toString().slice(1)

const isFor = (given: unknown, wanted: ReadonlyArray<string>): boolean =>
  [given].flat().some((audience) => typeof audience === "string" && wanted.includes(audience))

/** The moment a claim names, in milliseconds; `undefined` when it is absent, and NaN when it names none. */
const momentOf = (claim: unknown): number | undefined =>
  claim === undefined ? undefined : typeof claim === "number" ? claim * 1000 : NaN

/**
 * Makes the authenticator. An endpoint that does not answer means `Unavailable`,
 * never that a caller is let in. What it says of a token must name the audience
 * and the `sub`; an `iss`, `exp` or `nbf` that is there must be right. A token over
 * 8 KiB is not asked for, and one that is bound to a key of its holder is refused.
 * Streams of a token end with it, and after an hour when it names no end.
 *
 * The principal's id is `sub`. A scope `*` grants nothing.
 *
 * Source: RFC 7662.
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
    const { clientId, clientSecret, endpoint, issuer, resource } = options
    const clock = yield* Effect.clock
    const timeout = Duration.decode(options.fetchTimeout ?? "3 seconds")
    const audiences = [options.audience ?? resource].flat()
    const concurrency = Math.floor(options.concurrency ?? 16)
    const turn = (yield* Effect.makeSemaphore(concurrency)).withPermits(1)

    const ask = (token: string): Effect.Effect<unknown, JsonFetch.FetchFailed> =>
      Effect.suspend(() => {
        const secret = Redacted.value(clientSecret)
        const credentials = Buffer.from(`${inForm(clientId)}:${inForm(secret)}`).toString("base64")
        return JsonFetch.json(endpoint, timeout, {
          method: "POST",
          headers: {
            authorization: `Basic ${credentials}`,
            "content-type": "application/x-www-form-urlencoded"
          },
          body: new URLSearchParams({ token, token_type_hint: "access_token" }).toString()
        })
      })

    const verdictOf = (said: unknown): Verdicts.Verdict => {
      const refused: Verdicts.Verdict = { exit: wrong, until: Infinity }
      if (!isObject(said) || said.active !== true || Claims.isBound(said)) return refused
      const now = clock.unsafeCurrentTimeMillis()
      const until = momentOf(said.exp) ?? Infinity
      const from = momentOf(said.nbf) ?? -Infinity
      if (!(until > now) || !(from <= now)) return refused
      if ((said.iss !== undefined && said.iss !== issuer) || !isFor(said.aud, audiences)) return refused
      const principal = Claims.principalOf(said, options, Number.isFinite(until) ? until : now + endlessMillis)
      return principal === undefined ? refused : { exit: Exit.succeed(principal), until }
    }

    // While the endpoint is away every token fails, and one line says it.
    let saidAt = -Infinity
    const warn = (error: JsonFetch.FetchFailed): Effect.Effect<void> =>
      Effect.suspend(() => {
        const now = clock.unsafeCurrentTimeMillis()
        if (Math.abs(now - saidAt) < quietMillis) return Effect.void
        saidAt = now
        return Effect.logWarning(`The introspection endpoint could not be asked: ${error.message}`)
      })

    const verdicts = yield* Verdicts.make({
      clock,
      atOnce: () => undefined,
      ask: (token) =>
        turn(ask(token)).pipe(
          // The turn may be long in coming.
          Effect.timeoutFail({
            duration: Duration.times(timeout, 2),
            onTimeout: () => new JsonFetch.FetchFailed({ what: "it is too busy" })
          }),
          Effect.map(verdictOf),
          Effect.catchAll((error) => Effect.as(warn(error), { exit: unavailable, until: 0 }))
        ),
      keepMillis: Duration.toMillis(options.verdictsFor ?? "30 seconds"),
      most: mostVerdicts,
      mostWaiting: concurrency * mostPerTurn
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
