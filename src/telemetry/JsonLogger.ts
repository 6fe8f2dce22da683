/**
 * Logs to standard error, one JSON object on one line for each event, which
 * nothing that is logged can break.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as List from "effect/List"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import * as JsonLine from "./JsonLine.js"

/** So many annotations stand in a line at most. */
const maxAnnotations = 64

const wordsOf = (message: unknown): string | undefined => {
  const parts: ReadonlyArray<unknown> = Array.isArray(message) ? message : [message]
  return parts.every((part) => typeof part === "string") ? parts.join(" ") : undefined
}

const spanOf = (context: FiberRefs.FiberRefs): Tracer.AnySpan | undefined =>
  Option.getOrUndefined(
    Context.getOption(FiberRefs.getOrDefault(context, FiberRef.currentContext), Tracer.ParentSpan)
  )

/** Annotations stand apart, so that none can pass for the time or the level. */
const annotationsOf = (annotations: HashMap.HashMap<string, unknown>): JsonLine.Nested | undefined =>
  HashMap.isEmpty(annotations)
    ? undefined
    : new JsonLine.Nested([...annotations].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, maxAnnotations))

/** An error may be anything, also one whose members throw. */
const causeOf = (cause: Cause.Cause<unknown>): string | undefined => {
  if (Cause.isEmpty(cause)) return undefined
  try {
    return Cause.pretty(cause, { renderErrorCause: true })
  } catch {
    return "a cause that cannot be written"
  }
}

/**
 * Writes an event as a line without its end: `time`, `level`, `message` (words, or
 * a list where there is more than words), `traceId` and `spanId` within a span,
 * `annotations`, `spans` in milliseconds, and `cause`. Each value has at most
 * about 8 KiB; `Redacted` stays so.
 *
 * @since 0.1.0
 * @category constructors
 */
export const logger: Logger.Logger<unknown, string> = Logger.make(
  ({ annotations, cause, context, date, logLevel, message, spans }) => {
    const span = spanOf(context)
    const now = date.getTime()
    return JsonLine.object([
      ["time", Number.isNaN(now) ? undefined : date.toISOString()],
      ["level", logLevel._tag.toLowerCase()],
      ["message", wordsOf(message) ?? message],
      ["traceId", span?.traceId],
      ["spanId", span?.spanId],
      ["annotations", annotationsOf(annotations)],
      [
        "spans",
        List.isNil(spans)
          ? undefined
          : Object.fromEntries(List.toArray(spans).map(({ label, startTime }) => [label, now - startTime]))
      ],
      ["cause", causeOf(cause)]
    ])
  }
)

const ignore = (): void => {}

/** A reader of standard error that has gone is no reason to end. */
const write = (line: string): void => {
  if (!process.stderr.destroyed) process.stderr.write(`${line}\n`, () => {})
}

/**
 * Logs to standard error in place of the default logger. Provide it last, around
 * the whole program.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<never> = Layer.merge(
  Layer.scopedDiscard(Effect.acquireRelease(
    Effect.sync(() => process.stderr.on("error", ignore)),
    (stderr) => Effect.sync(() => stderr.off("error", ignore))
  )),
  Layer.suspend(() => Logger.replace(Logger.defaultLogger, Logger.map(logger, write)))
)
