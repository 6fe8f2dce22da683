/**
 * Finds where an authorization server has its keys.
 *
 * Source: RFC 8414 §3, OpenID Connect Discovery 1.0 §4.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { isObject } from "../../protocol/JsonRpc.js"
import * as JsonFetch from "./JsonFetch.js"
import * as Origin from "./Origin.js"

/**
 * Where an issuer's metadata may be, in the order in which it is looked for.
 *
 * @internal
 */
export const placesOf = (issuer: string): ReadonlyArray<string> => {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/+$/u, "")
  return [
    ...new Set([
      `${origin}/.well-known/oauth-authorization-server${path}`,
      `${origin}/.well-known/openid-configuration${path}`,
      `${origin}${path}/.well-known/openid-configuration`
    ])
  ]
}

const keysIn = (document: unknown, issuer: string): Effect.Effect<string, JsonFetch.FetchFailed> => {
  if (!isObject(document) || document.issuer !== issuer) {
    return Effect.fail(new JsonFetch.FetchFailed({ what: "its metadata is that of another issuer", status: 200 }))
  }
  const { jwks_uri: uri } = document
  return typeof uri === "string" && Origin.isTrusted(uri, issuer)
    ? Effect.succeed(uri)
    : Effect.fail(
      new JsonFetch.FetchFailed({ what: "its metadata names no address of keys that may be used", status: 200 })
    )
}

/**
 * The address of the keys. The metadata must name the issuer exactly. A server
 * that does not answer at one place is not asked for the others.
 *
 * @internal
 */
export const jwksUri = (
  issuer: string,
  timeout: Duration.DurationInput
): Effect.Effect<string, JsonFetch.FetchFailed> => {
  const [first = issuer, ...others] = placesOf(issuer)
  const look = (place: string) => Effect.flatMap(JsonFetch.json(place, timeout), (document) => keysIn(document, issuer))
  return others.reduce(
    (found, place) =>
      Effect.catchAll(found, (error) => (error.status === undefined ? Effect.fail(error) : look(place))),
    look(first)
  )
}
