/**
 * What the operator's pages tell of: the checks of the sources, the tools that
 * rest on them, and a console for people.
 */
import { DocumentStore } from "causeway-mcp/document/DocumentStore"
import { Embedder } from "causeway-mcp/embedding/Embedder"
import * as Health from "causeway-mcp/health/Health"
import * as Console from "causeway-mcp/ops/Console"
import * as OpsApp from "causeway-mcp/ops/OpsApp"
import { ProviderChain } from "causeway-mcp/provider/ProviderChain"
import { SessionStore } from "causeway-mcp/session/SessionStore"
import type * as Plan from "causeway-mcp/toolkit/Plan"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { fileURLToPath } from "node:url"

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

/** How a client of this machine starts the server itself: by paths that hold from any working directory. */
const command = (): Console.Options["command"] => ({
  command: process.execPath,
  args: ["--import", import.meta.resolve("tsx"), fileURLToPath(new URL("server.ts", import.meta.url)), "--stdio"],
  env: {
    TSX_TSCONFIG_PATH: fileURLToPath(new URL("../tsconfig.json", import.meta.url)),
    DATA_DIR: fileURLToPath(new URL("../.causeway-desktop", import.meta.url))
  }
})

// #region pages
/**
 * The operator's pages: alive, ready, each source by name, and metrics; and the console for people, where it is on.
 * `host` is the address the pages are on, `endpoint` where clients reach MCP,
 * and the plans say which tools rest on which sources.
 */
export const pages = (at: {
  readonly host: string
  readonly endpoint: string
  readonly plans: ReadonlyArray<Plan.Plan>
}) =>
  Effect.gen(function*() {
    const { status: models } = yield* ProviderChain
    const hasConsole = yield* Console.isOn(at.host, yield* Console.settings)
    const { endpoint, plans } = at
    const shown = hasConsole ? yield* Console.make({ models, plans, endpoint, command: command() }) : {}
    return { app: yield* OpsApp.make({ tools: plans, models, pages: shown }), hasConsole }
  })
// #endregion pages
