/**
 * Chooses by the environment what the server tells of itself: figures always, an
 * audit, and traces, metrics and logs for a collector where one is named.
 */
import * as AuthObserver from "causeway-mcp/auth/AuthObserver"
import * as Annotate from "causeway-mcp/middleware/Annotate"
import * as Audit from "causeway-mcp/middleware/Audit"
import * as Measure from "causeway-mcp/middleware/Measure"
import * as Observer from "causeway-mcp/middleware/Observer"
import * as Trace from "causeway-mcp/middleware/Trace"
import * as CallLog from "causeway-mcp/ops/CallLog"
import * as Readings from "causeway-mcp/ops/Readings"
import * as ProviderHttp from "causeway-mcp/provider/ProviderHttp"
import * as OtelTelemetry from "causeway-mcp/telemetry/OtelTelemetry"
import * as RuntimeMetrics from "causeway-mcp/telemetry/RuntimeMetrics"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { announce, text } from "./settings.js"

// #region audit
const audit = Config.all({
  file: text("AUDIT_FILE").pipe(Config.withDescription("Where each call is written down, a line each")),
  onFull: Config.literal("drop", "refuse", "")("AUDIT_ON_FULL").pipe(
    Config.withDefault("drop"),
    Config.map((setting) => setting === "refuse" ? "refuse" as const : "drop" as const),
    Config.withDescription("What happens while it cannot be written: events are lost, or calls are refused")
  ),
  arguments: Config.literal("none", "size", "sha256", "")("AUDIT_ARGUMENTS").pipe(
    Config.withDefault("size"),
    Config.map((setting) => setting === "" ? "size" as const : setting),
    Config.withDescription("What is written of a call's arguments")
  )
})

const Audited = Layer.unwrapEffect(Effect.gen(function*() {
  const { arguments: what, file, onFull } = yield* audit
  const observers = Layer.merge(
    Observer.layer(Measure.observer, Audit.observer({ arguments: what }), Trace.observer, Annotate.observer),
    AuthObserver.layer(Measure.refusals, Audit.refusals)
  )
  if (Option.isSome(file)) {
    yield* announce(`audit: ${file.value}`)
    return observers.pipe(Layer.provide(Audit.layerFile(file.value, { onFull })))
  }
  return Layer.merge(
    Observer.layer(Measure.observer, Trace.observer, Annotate.observer),
    AuthObserver.layer(Measure.refusals)
  )
}))
// #endregion audit

// #region observers
/** Told of every call and of every caller that is refused; around the server and its transport. */
export const Observers = CallLog.layer().pipe(Layer.provideMerge(Audited))
// #endregion observers

/** Looks at the process, the sources and the load. */
export const Figures = Layer.merge(RuntimeMetrics.layer({ version: "0.1.0" }), Readings.layer())

// #region collector
/** Around the whole program: sends nothing where the `OTEL_…` variables name no collector. */
export const Collector = OtelTelemetry.layerConfig.pipe(Layer.provide(ProviderHttp.layer()))
// #endregion collector
