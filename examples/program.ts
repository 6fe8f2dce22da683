/**
 * Runs a program to its end: logs to standard error, one clear line for what
 * stopped it, and an exit code.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as JsonLogger from "causeway-mcp/telemetry/JsonLogger"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import { explain } from "./settings.js"

const asText = Logger.make(({ cause, date, logLevel, message }) => {
  const words = (Array.isArray(message) ? message : [message]).map((part) =>
    typeof part === "string" ? part : JSON.stringify(part)
  )
  const because = Cause.isEmpty(cause) ? "" : `\n${Cause.pretty(cause)}`
  process.stderr.write(`${date.toISOString()} ${logLevel.label} ${words.join(" ")}${because}\n`)
})

// #region logs
/** To standard error, since standard output belongs to the protocol: lines of JSON where `LOG_FORMAT` is `json`. */
const Logs = Layer.unwrapEffect(
  Effect.map(
    Config.literal("json", "text", "")("LOG_FORMAT").pipe(Config.withDefault("text")),
    (format) => format === "json" ? JsonLogger.layer : Logger.replace(Logger.defaultLogger, asText)
  )
)
// #endregion logs

const report = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Cause.isInterruptedOnly(cause) ? Effect.void : Effect.sync(() => {
    const line = Option.match(Cause.failureOption(cause), { onNone: () => Cause.pretty(cause), onSome: explain })
    process.stderr.write(`causeway: ${line}\n`)
  })

// Whoever reads standard error may go; the program goes on.
process.stderr.on("error", () => {})

/** Runs an effect as the whole program. Exits 1 when it fails, 0 when it ends or is asked to stop. */
export const main = <A, E>(effect: Effect.Effect<A, E>): void =>
  effect.pipe(
    Effect.provide(Logs),
    Effect.tapErrorCause(report),
    NodeRuntime.runMain({ disableErrorReporting: true, disablePrettyLogger: true })
  )

/** Who asks a second time does not want to wait for what is under way. */
const stopAtTheSecondSignal = (): void => {
  const first = (): void => {
    process.off("SIGINT", first)
    process.off("SIGTERM", first)
    process.stderr.write("causeway: stopping; a second signal stops at once\n")
    process.once("SIGINT", () => process.exit(130))
    process.once("SIGTERM", () => process.exit(143))
  }
  process.on("SIGINT", first)
  process.on("SIGTERM", first)
}

/** Runs a layer, such as a transport, until the program is asked to stop. */
export const run = <A, E>(layer: Layer.Layer<A, E>): void => {
  stopAtTheSecondSignal()
  main(Layer.launch(layer))
}
