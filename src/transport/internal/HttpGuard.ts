/**
 * Asks the authenticator who sends a request, before anything else of it is
 * read, and says in HTTP what a client has to know when it may not pass.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Presented, Refusal } from "../../auth/Authenticator.js"
import * as Authenticator from "../../auth/Authenticator.js"
import type { Reason, Refused } from "../../auth/AuthObserver.js"
import { AuthObserver } from "../../auth/AuthObserver.js"
import type { Principal } from "../../auth/Principal.js"
import { isExit } from "../../protocol/Ended.js"
import * as Gate from "./HttpGate.js"
import * as HttpOutput from "./HttpOutput.js"
import type { Refusals } from "./HttpRefusals.js"

/**
 * What is answered on a path beside MCP's: `headers` are names and values in turn.
 *
 * @since 0.1.0
 * @category models
 */
export interface Page {
  readonly status: number
  readonly body: string | undefined
  readonly headers: ReadonlyArray<string>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Guard {
  /**
   * Who asks, or the refusal. Already an `Exit` when nothing has to be waited
   * for. Never throws, and ends within ten seconds, whatever the authenticator
   * does. `rawHeaders` are names and values in turn, as they came, where they are
   * known.
   */
  readonly check: (
    presented: Presented,
    rawHeaders: ReadonlyArray<string> | undefined
  ) => Effect.Effect<Principal, Gate.Rejection>
  /** The headers of a 403 that names the scopes; notes it. */
  readonly challenged: (
    scopes: ReadonlyArray<string>,
    caller: Principal,
    peer: string | undefined
  ) => ReadonlyArray<string>
  /** Whether the credential of a caller who was let in has been withdrawn since. */
  readonly isRevoked: ((caller: Principal) => boolean) | undefined
  /** The protected resource metadata; `undefined` on any other path. */
  readonly page: (method: string | undefined, url: string | undefined) => Page | undefined
}

const patience = "10 seconds"
/** Seconds after which a credential that could not be checked may be shown again. */
const retryAfter = "5"

const malformed = Gate.reject(400, "There is more than one Authorization header")
const broken: Gate.Rejection = {
  ...Gate.reject(500, "Internal error"),
  reason: "the authenticator hit a defect",
  body: HttpOutput.unanswered(undefined, false).body ?? ""
}

const unchecked = (message: string): Gate.Rejection => ({
  ...Gate.reject(503, message, ["retry-after", retryAfter]),
  body: HttpOutput.failure(503, undefined, message).body ?? ""
})

/** A proxy and this server could each believe another one of the two. */
const isDoubled = (rawHeaders: ReadonlyArray<string>): boolean => {
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name !== undefined && name.length === 13 && name.toLowerCase() === "authorization") count++
  }
  return count > 1
}

const pathOf = (url: string): string => {
  const query = url.indexOf("?")
  return query < 0 ? url : url.slice(0, query)
}

const pageHeaders: ReadonlyArray<string> = ["access-control-allow-origin", "*"]
const preflightHeaders: ReadonlyArray<string> = [
  ...pageHeaders,
  "access-control-allow-methods",
  "GET",
  "access-control-allow-headers",
  "accept, content-type, authorization, mcp-protocol-version",
  "access-control-max-age",
  "600"
]

/**
 * The page of a request for protected resource metadata, which everybody may read.
 *
 * @since 0.1.0
 * @category constructors
 */
export const metadataPage = (method: string | undefined, json: string): Page => {
  if (method === "OPTIONS") return { status: 200, body: undefined, headers: preflightHeaders }
  return method === "GET"
    ? { status: 200, body: json, headers: [...pageHeaders, "cache-control", "public, max-age=3600"] }
    : { status: 405, body: `{"error":"method not allowed"}`, headers: [...pageHeaders, "allow", "GET"] }
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  authenticator: Context.Tag.Service<Authenticator.Authenticator>,
  { observer, refusals, run }: {
    readonly observer: Context.Tag.Service<AuthObserver> | undefined
    readonly refusals: Refusals
    /** Runs what tells the log. */
    readonly run: (effect: Effect.Effect<void>) => unknown
  }
): Guard => {
  const { challenge, isRevoked, metadata } = authenticator
  const nothingPresented = ["www-authenticate", Authenticator.wwwAuthenticate(challenge)]
  const paths = new Set(metadata?.paths)

  const rejectionOf = (refusal: Refusal): readonly [Reason, Gate.Rejection] => {
    switch (refusal._tag) {
      case "Missing":
        return ["missing", { ...Gate.reject(401, refusal.message, nothingPresented), reason: "no credential" }]
      case "Invalid": {
        const { description } = refusal
        const header = Authenticator.wwwAuthenticate(challenge, { code: "invalid_token", description })
        const rejection = Gate.reject(401, description, ["www-authenticate", header])
        // The description may be somebody else's, and is not for the log.
        return ["invalid", { ...rejection, reason: "the credential does not do" }]
      }
      case "TooMany": {
        const seconds = Math.min(Math.max(1, Math.ceil(refusal.retryAfterMs / 1000)), 86_400)
        return ["tooMany", Gate.reject(429, refusal.message, ["retry-after", String(seconds)])]
      }
      case "Unavailable":
        return ["unavailable", unchecked(refusal.message)]
    }
  }

  /** Here nobody else would catch what an observer throws, and it would end the process. */
  const tell = (refused: Refused): void => {
    try {
      observer?.refused(refused)
    } catch (defect) {
      run(Effect.logError("An observer of refusals hit a defect", defect))
    }
  }

  const refuse = (
    reason: Reason,
    rejection: Gate.Rejection,
    peer: string | undefined
  ): Exit.Exit<never, Gate.Rejection> => {
    tell({ reason, status: rejection.status, peer, caller: undefined })
    return Exit.fail(rejection)
  }

  const settle = (
    exit: Exit.Exit<Principal, Refusal>,
    peer: string | undefined
  ): Exit.Exit<Principal, Gate.Rejection> => {
    // The same object: nothing is made for a caller who is let in.
    if (Exit.isSuccess(exit)) return exit as Exit.Exit<Principal>
    const refusal = Option.getOrUndefined(Cause.failureOption(exit.cause))
    if (refusal !== undefined) return refuse(...rejectionOf(refusal), peer)
    run(Effect.logError("The authenticator hit a defect", exit.cause))
    return refuse("broken", broken, peer)
  }

  const begin = (presented: Presented): Effect.Effect<Principal, Refusal> => {
    try {
      return authenticator.authenticate(presented)
    } catch (defect) {
      return Exit.die(defect)
    }
  }

  return {
    check: (presented, rawHeaders) => {
      const { peer } = presented
      if (rawHeaders !== undefined && isDoubled(rawHeaders)) return refuse("malformed", malformed, peer)
      const verdict = begin(presented)
      if (isExit(verdict)) return settle(verdict, peer)
      return verdict.pipe(
        // One that cannot be interrupted is left behind, not waited for.
        Effect.disconnect,
        Effect.timeoutFail({ duration: patience, onTimeout: () => new Authenticator.Unavailable({}) }),
        Effect.exit,
        Effect.flatMap((exit) => settle(exit, peer))
      )
    },
    challenged: (scopes, caller, peer) => {
      tell({ reason: "insufficientScope", status: 403, peer, caller })
      refusals.note(403, "a scope is missing", peer)
      return [
        "www-authenticate",
        Authenticator.wwwAuthenticate(challenge, {
          code: "insufficient_scope",
          description: "this needs scopes that the credential does not have",
          scopes
        })
      ]
    },
    isRevoked: isRevoked === undefined ? undefined : (caller) => {
      try {
        return isRevoked(caller)
      } catch (defect) {
        run(Effect.logError("The authenticator hit a defect", defect))
        return true
      }
    },
    page: (method, url) =>
      metadata === undefined || url === undefined || !paths.has(pathOf(url))
        ? undefined
        : metadataPage(method, metadata.json)
  }
}

/**
 * The guard of the authenticator that is around; `undefined` where there is none.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromContext = (options: {
  readonly refusals: Refusals
  readonly run: (effect: Effect.Effect<void>) => unknown
}): Effect.Effect<Guard | undefined> =>
  Effect.map(
    Effect.zip(Effect.serviceOption(Authenticator.Authenticator), Effect.serviceOption(AuthObserver)),
    ([authenticator, observer]) =>
      Option.isNone(authenticator)
        ? undefined
        : make(authenticator.value, { ...options, observer: Option.getOrUndefined(observer) })
  )
