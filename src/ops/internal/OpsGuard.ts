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
import { IncomingMessage } from "node:http"
import * as Authenticator from "../../auth/Authenticator.js"
import type { Reason } from "../../auth/AuthObserver.js"
import { AuthObserver } from "../../auth/AuthObserver.js"
import * as Principal from "../../auth/Principal.js"
import * as OpsRequest from "./OpsRequest.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Guard {
  /** Whether the caller may see names, as far as that is known soon: everybody, where nobody is asked who it is. */
  readonly knows: (request: HttpServerRequest) => Effect.Effect<boolean>
  /** Who asks, with all these scopes besides those of the pages; fails with the answer to who may not. */
  readonly caller: (
    request: HttpServerRequest,
    scopes?: ReadonlyArray<string>
  ) => Effect.Effect<Principal.Principal, HttpServerResponse.HttpServerResponse>
}

const open: Guard = {
  knows: () => Effect.succeed(true),
  caller: () => Effect.succeed(Principal.local)
}

const patience = "10 seconds"
/** A probe waits no longer to be told names. */
const shortPatience = "250 millis"
const mostRetrySeconds = 86_400

const refuse = (status: number, error: string, headers: { readonly [name: string]: string }) =>
  HttpServerResponse.unsafeJson({ error }, {
    status,
    headers: { "cache-control": "no-store", "x-content-type-options": "nosniff", ...headers }
  })

const secondsOf = (millis: number): string => String(Math.min(Math.max(1, Math.ceil(millis / 1000)), mostRetrySeconds))

/** A proxy and this server could each believe another one of the two. */
const isDoubled = ({ source }: HttpServerRequest): boolean =>
  source instanceof IncomingMessage && OpsRequest.countOf(source.rawHeaders, "authorization") > 1

interface Surroundings {
  readonly authenticator: Context.Tag.Service<Authenticator.Authenticator>
  readonly observer: Context.Tag.Service<AuthObserver> | undefined
  readonly scopes: ReadonlyArray<string>
}

const make = ({ authenticator, observer, scopes }: Surroundings): Guard => {
  const { authenticate, challenge } = authenticator

  const peerOf = (request: HttpServerRequest): string | undefined => Option.getOrUndefined(request.remoteAddress)

  const ask = (request: HttpServerRequest): Effect.Effect<Principal.Principal, Authenticator.Refusal> =>
    Effect.disconnect(Effect.suspend(() =>
      authenticate({
        authorization: request.headers["authorization"],
        header: (name) => request.headers[name],
        peer: peerOf(request)
      })
    ))

  const answerTo = (refusal: Authenticator.Refusal): readonly [Reason, HttpServerResponse.HttpServerResponse] => {
    switch (refusal._tag) {
      case "Missing":
        return [
          "missing",
          refuse(401, refusal.message, { "www-authenticate": Authenticator.wwwAuthenticate(challenge) })
        ]
      case "Invalid":
        return [
          "invalid",
          refuse(401, refusal.message, {
            "www-authenticate": Authenticator.wwwAuthenticate(challenge, {
              code: "invalid_token",
              description: refusal.description
            })
          })
        ]
      case "TooMany":
        return ["tooMany", refuse(429, refusal.message, { "retry-after": secondsOf(refusal.retryAfterMs) })]
      case "Unavailable":
        return ["unavailable", refuse(503, refusal.message, { "retry-after": "5" })]
    }
  }

  const lacking = (needed: ReadonlyArray<string>): readonly [Reason, HttpServerResponse.HttpServerResponse] => [
    "insufficientScope",
    refuse(403, `this page needs ${needed.join(", ")}`, {
      "www-authenticate": Authenticator.wwwAuthenticate(challenge, { code: "insufficient_scope", scopes: needed })
    })
  ]

  const note = (
    request: HttpServerRequest,
    [reason, answer]: readonly [Reason, HttpServerResponse.HttpServerResponse],
    caller?: Principal.Principal
  ): HttpServerResponse.HttpServerResponse => {
    observer?.refused({ reason, status: answer.status, peer: peerOf(request), caller })
    return answer
  }

  return {
    knows: (request) =>
      isDoubled(request) ? Effect.succeed(false) : ask(request).pipe(
        Effect.timeoutOption(shortPatience),
        Effect.either,
        Effect.map((who) =>
          Either.isRight(who) && Option.isSome(who.right) && Principal.isAllowed(who.right.value, scopes)
        )
      ),
    caller: (request, more = []) => {
      if (isDoubled(request)) {
        const answer = refuse(400, "there is more than one Authorization header", {})
        return Effect.suspend(() => Effect.fail(note(request, ["malformed", answer])))
      }
      const needed = [...scopes, ...more]
      return ask(request).pipe(
        Effect.timeoutFail({ duration: patience, onTimeout: () => new Authenticator.Unavailable({}) }),
        Effect.mapError((refusal) => note(request, answerTo(refusal))),
        Effect.flatMap((who) =>
          Principal.isAllowed(who, needed)
            ? Effect.succeed(who)
            : Effect.suspend(() => Effect.fail(note(request, lacking(needed), who)))
        )
      )
    }
  }
}

/**
 * By the authenticator that is around, telling the `AuthObserver` that is around
 * of whom it refuses; without an authenticator everybody may see everything.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromContext = (scopes: ReadonlyArray<string>): Effect.Effect<Guard> =>
  Effect.map(
    Effect.zip(Effect.serviceOption(Authenticator.Authenticator), Effect.serviceOption(AuthObserver)),
    ([authenticator, observer]) =>
      Option.isNone(authenticator)
        ? open
        : make({ authenticator: authenticator.value, observer: Option.getOrUndefined(observer), scopes })
  )
