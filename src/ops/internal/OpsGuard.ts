/**
 * Tells which callers may see more of the operator's pages than whether the
 * server lives and is ready.
 *
 * @since 0.1.0
 */
import type { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Authenticator from "../../auth/Authenticator.js"
import type { Principal } from "../../auth/Principal.js"
import { isAllowed } from "../../auth/Principal.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Guard {
  /** Whether the caller may see names: everybody, where nobody is asked who it is. */
  readonly knows: (request: HttpServerRequest) => Effect.Effect<boolean>
  /** Why the caller may not see a page; `undefined` when it may. */
  readonly refusal: (request: HttpServerRequest) => Effect.Effect<HttpServerResponse.HttpServerResponse | undefined>
}

const open: Guard = {
  knows: () => Effect.succeed(true),
  refusal: () => Effect.succeed(undefined)
}

const patience = "10 seconds"

const refuse = (status: number, error: string, headers: { readonly [name: string]: string }) =>
  HttpServerResponse.unsafeJson({ error }, { status, headers: { "cache-control": "no-store", ...headers } })

const make = (
  { authenticate, challenge }: Context.Tag.Service<Authenticator.Authenticator>,
  scopes: ReadonlyArray<string>
): Guard => {
  const ask = (request: HttpServerRequest): Effect.Effect<Either.Either<Principal, Authenticator.Refusal>> =>
    Effect.suspend(() =>
      authenticate({
        authorization: request.headers["authorization"],
        header: (name) => request.headers[name],
        peer: Option.getOrUndefined(request.remoteAddress)
      })
    ).pipe(
      Effect.timeoutFail({ duration: patience, onTimeout: () => new Authenticator.Unavailable({}) }),
      Effect.either
    )

  const refusalOf = (refusal: Authenticator.Refusal): HttpServerResponse.HttpServerResponse => {
    switch (refusal._tag) {
      case "Missing":
        return refuse(401, refusal.message, { "www-authenticate": Authenticator.wwwAuthenticate(challenge) })
      case "Invalid":
        return refuse(401, refusal.message, {
          "www-authenticate": Authenticator.wwwAuthenticate(challenge, {
            code: "invalid_token",
            description: refusal.description
          })
        })
      case "TooMany":
        return refuse(429, refusal.message, {
          "retry-after": String(Math.max(1, Math.ceil(refusal.retryAfterMs / 1000)))
        })
      case "Unavailable":
        return refuse(503, refusal.message, { "retry-after": "5" })
    }
  }

  return {
    knows: (request) =>
      request.headers["authorization"] === undefined
        ? Effect.succeed(false)
        : Effect.map(ask(request), (who) => Either.isRight(who) && isAllowed(who.right, scopes)),
    refusal: (request) =>
      Effect.map(ask(request), (who) => {
        if (Either.isLeft(who)) return refusalOf(who.left)
        return isAllowed(who.right, scopes) ? undefined : refuse(403, `this page needs ${scopes.join(", ")}`, {
          "www-authenticate": Authenticator.wwwAuthenticate(challenge, { code: "insufficient_scope", scopes })
        })
      })
  }
}

/**
 * By the authenticator that is around; without one everybody may see everything.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromContext = (scopes: ReadonlyArray<string>): Effect.Effect<Guard> =>
  Effect.map(
    Effect.serviceOption(Authenticator.Authenticator),
    (authenticator) => Option.isNone(authenticator) ? open : make(authenticator.value, scopes)
  )
