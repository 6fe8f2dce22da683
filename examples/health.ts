/**
 * The operator's pages beside MCP: alive, ready, and each source by name.
 */
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { DocumentStore } from "causeway-mcp/document/DocumentStore"
import * as Health from "causeway-mcp/health/Health"
import { ProviderChain } from "causeway-mcp/provider/ProviderChain"
import { SessionStore } from "causeway-mcp/session/SessionStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Asks each source that the tools rest on. None is required: every tool has a way to answer without it. */
export const HealthLayer = Layer.unwrapEffect(Effect.gen(function*() {
  const documents = yield* DocumentStore
  const sessions = yield* SessionStore
  const chain = yield* ProviderChain
  return Health.layer([
    { name: "documents", kind: "document-store", check: documents.ping },
    { name: "sessions", kind: "session-store", check: sessions.ping },
    ...chain.endpoints.map((model) => ({ name: model.provider, kind: "model", check: model.ping }))
  ])
}))

const report = Effect.flatMap(Health.Health, (health) => health.report)

/** `/livez` never touches a source; `/readyz` and `/healthz` do. */
export const app = HttpRouter.empty.pipe(
  HttpRouter.get("/livez", HttpServerResponse.unsafeJson({ status: "up" })),
  HttpRouter.get(
    "/readyz",
    Effect.map(
      report,
      (verdict) =>
        HttpServerResponse.unsafeJson({ status: verdict.status }, { status: Health.isReady(verdict) ? 200 : 503 })
    )
  ),
  HttpRouter.get("/healthz", Effect.map(report, (verdict) => HttpServerResponse.unsafeJson(verdict))),
  Effect.catchTag("RouteNotFound", () => HttpServerResponse.unsafeJson({ error: "not found" }, { status: 404 }))
)
