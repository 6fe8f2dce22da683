/**
 * The reference server: seven tools over a document index, session history and a
 * chain of models, and the documents themselves, on HTTP or, with `--stdio`, on standard streams.
 */
import * as Changes from "causeway-mcp/change/Changes"
import * as DocumentResource from "causeway-mcp/resource/DocumentResource"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Answer from "causeway-mcp/toolbox/Answer"
import * as IndexDocument from "causeway-mcp/toolbox/IndexDocument"
import * as PreferenceProfile from "causeway-mcp/toolbox/PreferenceProfile"
import * as RecordEvent from "causeway-mcp/toolbox/RecordEvent"
import * as SemanticSearch from "causeway-mcp/toolbox/SemanticSearch"
import * as StructuredOutput from "causeway-mcp/toolbox/StructuredOutput"
import * as SummarizeBatch from "causeway-mcp/toolbox/SummarizeBatch"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as StdioTransport from "causeway-mcp/transport/StdioTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { app, HealthLayer } from "./health.js"
import { Asks, Model, sealer, Stores, Tasks } from "./layers.js"
import { run } from "./program.js"
import * as SampleCorpus from "./sample-corpus.js"

// #region server
const tools = Toolkit.make(
  Answer.make(),
  SemanticSearch.make(),
  PreferenceProfile.make(),
  StructuredOutput.make(),
  SummarizeBatch.make(),
  RecordEvent.make(),
  IndexDocument.make()
)

// #region announcements
/** Every instance follows the store by itself, so there is nothing to tell the others. */
const Announcements = DocumentResource.announce.pipe(Layer.provideMerge(Changes.layerMemory))
// #endregion announcements

const Server = Layer.unwrapEffect(
  Effect.map(sealer, (sealer) =>
    McpServer.layerOf({ tools, resources: [DocumentResource.make()] }, {
      name: "causeway-market-intel",
      version: "0.1.0",
      title: "Market intelligence",
      instructions: "Ask answer_market_question first. Each answer carries a confidence and its sources; quote both.",
      sealer
    }))
).pipe(Layer.provide(Layer.mergeAll(Asks, Tasks, Announcements)))

const Transport = process.argv.includes("--stdio")
  ? StdioTransport.layer
  : HttpTransport.layerConfig(HttpTransport.settings, { app }).pipe(Layer.provide(HealthLayer))

run(Transport.pipe(
  Layer.provide(Server),
  Layer.provide(SampleCorpus.layer),
  Layer.provide(Stores),
  Layer.provide(Model)
))
// #endregion server
