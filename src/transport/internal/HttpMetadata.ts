/**
 * Serves protected resource metadata as an `@effect/platform` application.
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import type { HttpServerResponse } from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Authenticator } from "../../auth/Authenticator.js"
import * as HttpGuard from "./HttpGuard.js"
import { respond } from "./HttpVisit.js"

const notFound: HttpServerResponse = respond(404, `{"error":"not found"}`, [])

/** The path as the client wrote it, whatever a router has cut off. */
const pathOf = ({ originalUrl }: HttpServerRequest): string =>
  URL.canParse(originalUrl, "http://localhost") ? new URL(originalUrl, "http://localhost").pathname : ""

/**
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<HttpApp.Default> = Effect.map(Effect.serviceOption(Authenticator), (authenticator) => {
  const metadata = Option.getOrUndefined(authenticator)?.metadata
  return Effect.map(HttpServerRequest, (request) => {
    if (metadata?.paths.includes(pathOf(request)) !== true) return notFound
    const { body, headers, status } = HttpGuard.metadataPage(request.method, metadata.json)
    return respond(status, body, headers)
  })
})
