/**
 * The operator's pages beside MCP: alive, ready, each source by name, and how
 * each model has been doing.
 */
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { DocumentStore } from "causeway-mcp/document/DocumentStore"
import * as Health from "causeway-mcp/health/Health"
import type * as Target from "causeway-mcp/llm/Target"
import { ProviderChain } from "causeway-mcp/provider/ProviderChain"
import { SessionStore } from "causeway-mcp/session/SessionStore"
import * as Duration from "effect/Duration"
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

// #region models
const modelOf = ({ breaker, coolingFor, coolingReason, headroom, id, inFlight, latencyMs }: Target.Status) => ({
  id,
  breaker,
  ...(coolingFor === undefined ? {} : { restsForMs: Math.ceil(Duration.toMillis(coolingFor)), because: coolingReason }),
  inFlight,
  headroom,
  ...(latencyMs === undefined ? {} : { latencyMs: Math.round(latencyMs) })
})

/** What the calls so far have shown of each model; none is asked for it. */
const models = Effect.flatMap(ProviderChain, (chain) => Effect.map(chain.status, (all) => all.map(modelOf)))
// #endregion models

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
  HttpRouter.get(
    "/healthz",
    Effect.zipWith(report, models, (verdict, models) => HttpServerResponse.unsafeJson({ ...verdict, models }))
  ),
  Effect.catchTag("RouteNotFound", () => HttpServerResponse.unsafeJson({ error: "not found" }, { status: 404 }))
)
