/**
 * The reference server: seven tools over a document index, session history and a
 * chain of models, and the documents themselves, on HTTP or, with `--stdio`, on standard streams.
 * With `--plan` it serves nothing and prints what stands around each tool.
 */
import * as Changes from "causeway-mcp/change/Changes"
import * as Lifecycle from "causeway-mcp/health/Lifecycle"
import * as Protect from "causeway-mcp/middleware/Protect"
import * as OpsServer from "causeway-mcp/ops/OpsServer"
import * as Overload from "causeway-mcp/policy/Overload"
import * as Policy from "causeway-mcp/policy/Policy"
import * as DocumentResource from "causeway-mcp/resource/DocumentResource"
import * as HealthResource from "causeway-mcp/resource/HealthResource"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as Answer from "causeway-mcp/toolbox/Answer"
import * as IndexDocument from "causeway-mcp/toolbox/IndexDocument"
import * as PreferenceProfile from "causeway-mcp/toolbox/PreferenceProfile"
import * as RecordEvent from "causeway-mcp/toolbox/RecordEvent"
import * as SemanticSearch from "causeway-mcp/toolbox/SemanticSearch"
import * as StructuredOutput from "causeway-mcp/toolbox/StructuredOutput"
import * as SummarizeBatch from "causeway-mcp/toolbox/SummarizeBatch"
import * as Plan from "causeway-mcp/toolkit/Plan"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as StdioTransport from "causeway-mcp/transport/StdioTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { HealthLayer, pages } from "./health.js"
import { Asks, Authentication, Model, sealer, Stores, Tasks } from "./layers.js"
import { Counting, serverPolicy } from "./policies.js"
import { main, run } from "./program.js"
import * as SampleCorpus from "./sample-corpus.js"
import { announce } from "./settings.js"
import { Collector, Figures, Observers } from "./telemetry.js"

// #region server
const tools = Toolkit.make(
  Answer.make(),
  SemanticSearch.make(),
  PreferenceProfile.make(),
  StructuredOutput.make(),
  SummarizeBatch.make(),
  RecordEvent.make().pipe(Protect.by(Policy.idempotent())),
  IndexDocument.make()
)

// #region announcements
/** Every instance follows the store by itself, so there is nothing to tell the others. */
const Announcements = DocumentResource.announce.pipe(Layer.provideMerge(Changes.layerMemory))
// #endregion announcements

const Server = Layer.unwrapEffect(Effect.gen(function*() {
  return McpServer.layerOf(
    { tools, resources: [DocumentResource.make(), HealthResource.make({ scopes: ["ops:read"] })] },
    {
      name: "causeway-market-intel",
      version: "0.1.0",
      title: "Market intelligence",
      instructions: "Ask answer_market_question first. Each answer carries a confidence and its sources; quote both.",
      sealer: yield* sealer,
      policy: yield* serverPolicy
    }
  )
})).pipe(Layer.provide([Asks, Tasks, Announcements, Counting]))

const plans = Effect.map(serverPolicy, (policy) => Plan.ofToolkit(tools, policy))

// #region ops
/** The operator's pages are on the clients' port, or with `OPS_PORT` on their own, which answers while the other one drains. */
const Http = Layer.scopedDiscard(Effect.gen(function*() {
  const mcp = yield* HttpTransport.settings
  const own = yield* OpsServer.settings
  const { app, hasConsole } = yield* pages({
    host: (own ?? mcp).host ?? "127.0.0.1",
    endpoint: own === undefined ? mcp.path ?? "/mcp" : `http://${mcp.host}:${mcp.port}${mcp.path}`,
    plans: yield* plans
  })
  // Made first, it ends last.
  const ops = own === undefined ? undefined : yield* OpsServer.make(app, own)
  const { url } = yield* HttpTransport.make({ ...mcp, app: ops === undefined ? app : undefined })
  if (hasConsole) yield* announce(`console: ${new URL("/", ops?.url ?? url).href}`)
})).pipe(Layer.provide([Authentication, Lifecycle.layer]))
// #endregion ops

const program = Layer.merge(process.argv.includes("--stdio") ? StdioTransport.layer : Http, Figures).pipe(
  Layer.provide(Server),
  Layer.provide([HealthLayer, Overload.layer(), Observers]),
  Layer.provide(SampleCorpus.layer),
  Layer.provide(Stores),
  Layer.provide(Model),
  Layer.provide(Collector)
)
// #endregion server

/** `--plan` tells what stands around each tool, `--safe-tools` which a load balancer may send a call of twice. */
const print = (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))
const safe = Effect.map(plans, (all) => all.filter(({ safety }) => safety !== "effectful").map(({ tool }) => tool))
if (process.argv.includes("--plan")) main(Effect.flatMap(plans, (all) => print(Plan.render(all))))
else if (process.argv.includes("--safe-tools")) main(Effect.flatMap(safe, (names) => print(names.join("\n"))))
else run(program)
