/**
 * The page that Prometheus reads.
 *
 * @since 0.1.0
 */
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Prometheus from "../telemetry/Prometheus.js"

const onlyGet = HttpServerResponse.empty({ status: 405, headers: { allow: "GET, HEAD" } })

/**
 * Answers with every metric there is, whatever the path, in the format that the
 * client likes best.
 *
 * @since 0.1.0
 * @category constructors
 */
export const app: HttpApp.Default = Effect.map(HttpServerRequest.HttpServerRequest, ({ headers, method }) => {
  if (method !== "GET" && method !== "HEAD") return onlyGet
  const format = Prometheus.negotiate(headers.accept)
  return HttpServerResponse.text(Prometheus.render({ format }), {
    contentType: Prometheus.contentTypes[format],
    headers: { "cache-control": "no-store", vary: "accept" }
  })
})
