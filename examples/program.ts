/**
 * Runs a program to its end: logs to standard error, one clear line for what
 * stopped it, and an exit code.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import { explain } from "./settings.js"

/** Standard output belongs to the protocol, or to what the program was asked for. */
const toStandardError = Logger.replace(
  Logger.defaultLogger,
  Logger.make(({ cause, date, logLevel, message }) => {
    const words = (Array.isArray(message) ? message : [message]).map((part) =>
      typeof part === "string" ? part : JSON.stringify(part)
    )
    const because = Cause.isEmpty(cause) ? "" : `\n${Cause.pretty(cause)}`
    process.stderr.write(`${date.toISOString()} ${logLevel.label} ${words.join(" ")}${because}\n`)
  })
)

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
    Effect.tapErrorCause(report),
    Effect.provide(toStandardError),
    NodeRuntime.runMain({ disableErrorReporting: true, disablePrettyLogger: true })
  )

/** Runs a layer, such as a transport, until the program is asked to stop. */
export const run = <A, E>(layer: Layer.Layer<A, E>): void => main(Layer.launch(layer))
