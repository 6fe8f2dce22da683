/**
 * What the operator's pages tell of: the checks of the sources, and which tools
 * rest on them.
 */
import { DocumentStore } from "causeway-mcp/document/DocumentStore"
import { Embedder } from "causeway-mcp/embedding/Embedder"
import * as Health from "causeway-mcp/health/Health"
import * as OpsApp from "causeway-mcp/ops/OpsApp"
import { ProviderChain } from "causeway-mcp/provider/ProviderChain"
import { SessionStore } from "causeway-mcp/session/SessionStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

// #region checks
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
    ...chain.endpoints.map((model): Health.HealthCheck => ({
      name: model.provider,
      kind: "model",
      check: model.ping,
      askAgainAfter: "30 seconds"
    }))
  ])
}))
// #endregion checks

// #region needs
/** Which kinds of sources each tool uses; of one kind another takes the place of one that is down. */
const needs: ReadonlyArray<OpsApp.ToolNeeds> = [
  { tool: "answer_market_question", uses: ["document-store", "embedder", "session-store", "model"] },
  { tool: "search_relevant_market_intel", uses: ["document-store", "embedder"] },
  { tool: "fetch_user_preference_profile", uses: ["session-store"] },
  { tool: "generate_structured_output", uses: ["model"] },
  { tool: "summarize_document_batch", uses: ["document-store", "model"] },
  { tool: "record_session_event", uses: ["session-store"] },
  { tool: "index_document", uses: ["document-store", "embedder"] }
]
// #endregion needs

/** The tools that have to do without something they rest on, and the names of what that is. */
export const degraded = (report: Health.Report) => OpsApp.degraded(report, needs)

/** The operator's pages: alive, ready, each source by name, and metrics. */
export const pages = Effect.flatMap(
  ProviderChain,
  (chain) => OpsApp.make({ tools: needs, models: chain.status })
)
