/**
 * The operator's pages beside MCP: alive, ready and with which tools, each source
 * by name, and how each model has been doing.
 */
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { DocumentStore } from "causeway-mcp/document/DocumentStore"
import { Embedder } from "causeway-mcp/embedding/Embedder"
import * as Health from "causeway-mcp/health/Health"
import type * as Target from "causeway-mcp/llm/Target"
import { ProviderChain } from "causeway-mcp/provider/ProviderChain"
import { SessionStore } from "causeway-mcp/session/SessionStore"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * Asks each source that the tools rest on. None is required: every tool has a way to answer without it. A remote
 * embedder is judged by its last call, and asked for one word when there was none for a minute; the embedded one is
 * never away.
 */
export const HealthLayer = Layer.unwrapEffect(Effect.gen(function*() {
  const documents = yield* DocumentStore
  const sessions = yield* SessionStore
  const embedder = yield* Embedder
  const chain = yield* ProviderChain
  return Health.layer([
    { name: "documents", kind: "document-store", check: documents.ping },
    { name: "embedder", kind: "embedder", check: embedder.ping ?? Effect.void },
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

/** Which kinds of sources each tool rests on. */
const needs: { readonly [tool: string]: ReadonlyArray<string> } = {
  answer_market_question: ["document-store", "embedder", "session-store", "model"],
  search_relevant_market_intel: ["document-store", "embedder"],
  fetch_user_preference_profile: ["session-store"],
  generate_structured_output: ["model"],
  summarize_document_batch: ["document-store", "model"],
  record_session_event: ["session-store"],
  index_document: ["document-store", "embedder"]
}

/**
 * The tools that have to do without something they rest on, and the names of what that is. Of sources of one kind
 * another takes the place of one that is down.
 */
export const degraded = ({ sources }: Health.Report) => {
  const gone = sources.filter(({ kind, status }) =>
    status === "down" && !sources.some((other) => other.kind === kind && other.status === "up")
  )
  return Object.entries(needs).flatMap(([tool, needed]) => {
    const without = gone.filter(({ kind }) => needed.includes(kind)).map(({ name }) => name)
    return without.length === 0 ? [] : [{ tool, without }]
  })
}

/** `/livez` never touches a source; `/readyz` and `/healthz` do. */
export const app = HttpRouter.empty.pipe(
  HttpRouter.get("/livez", HttpServerResponse.unsafeJson({ status: "up" })),
  HttpRouter.get(
    "/readyz",
    Effect.map(
      report,
      (verdict) =>
        HttpServerResponse.unsafeJson(
          { status: verdict.status, degraded: degraded(verdict) },
          { status: Health.isReady(verdict) ? 200 : 503 }
        )
    )
  ),
  HttpRouter.get(
    "/healthz",
    Effect.zipWith(report, models, (verdict, models) => HttpServerResponse.unsafeJson({ ...verdict, models }))
  ),
  Effect.catchTag("RouteNotFound", () => HttpServerResponse.unsafeJson({ error: "not found" }, { status: 404 }))
)
