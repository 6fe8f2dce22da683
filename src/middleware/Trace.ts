/**
 * Makes a span of each call of a tool, which goes on with the client's trace.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import * as Telemetry from "../telemetry/Telemetry.js"
import * as TraceContext from "../telemetry/TraceContext.js"
import type { Begun, Doing, Ended, Observation, Observer, Step } from "./Observer.js"

const { Attribute } = Telemetry

const maxName = 128

/** What goes without saying, and would double the events of every call. */
const isUsual = (doing: Doing): boolean => doing === "taken" || doing === "miss"

/** A failed call's span ends with its code, as the client got it. */
const exitOf = ({ code, outcome }: Ended): Exit.Exit<void, string> => {
  if (outcome === "failed" || outcome === "error") return Exit.fail(code ?? outcome)
  return outcome === "interrupted" ? Exit.interrupt(FiberId.none) : Exit.void
}

const note = (span: Tracer.Span, ended: Ended): void => {
  const { code, confidence, isCached, isDegraded, outcome } = ended
  span.attribute(Attribute.toolOutcome, outcome)
  if (outcome === "failed" || outcome === "error") span.attribute(Attribute.errorType, code ?? outcome)
  if (confidence !== undefined) span.attribute(Attribute.confidence, confidence)
  if (isCached) span.attribute(Attribute.isKept, true)
  if (isDegraded) span.attribute(Attribute.isDegraded, true)
}

const describe = (span: Tracer.Span, { isTask, requestId, tool }: Begun): void => {
  span.attribute(Attribute.mcpMethod, Telemetry.Span.toolCall)
  span.attribute(Attribute.operation, "execute_tool")
  if (tool !== undefined) span.attribute(Attribute.tool, tool.name)
  span.attribute(Attribute.requestId, String(requestId).slice(0, maxName))
  if (isTask) span.attribute(Attribute.isTask, true)
}

/**
 * Makes a span `tools/call NAME` of each call, by the tracer that is there; with
 * none, nothing is done. The `traceparent` of the request's `_meta` is its parent;
 * a transport puts the header of that name there where `_meta` has none. The
 * handler runs within the span, so that what it asks of others goes on with the
 * trace. Whether the span is kept is the tracer's decision. It tells what policies did, and nothing of the arguments, the
 * answer or the caller.
 *
 * @since 0.1.0
 * @category constructors
 */
export const observer: Effect.Effect<Observer> = Effect.gen(function*() {
  const tracer = yield* Effect.tracer
  const clock = yield* Effect.clock
  if (tracer === Context.get(DefaultServices.liveServices, Tracer.Tracer)) return { begin: () => undefined }

  const begin = (call: Begun): Observation => {
    const { meta, tool } = call
    const joined = TraceContext.fromMeta(meta)
    const name = tool === undefined ? Telemetry.Span.toolCall : `${Telemetry.Span.toolCall} ${tool.name}`
    const parent = joined === undefined ? Option.none() : Option.some(TraceContext.toSpan(joined))
    const span = tracer.span(name, parent, Context.empty(), [], clock.unsafeCurrentTimeNanos(), "server")
    const around: Observation["around"] = (effect) => Effect.withParentSpan(effect, span)
    if (!span.sampled) {
      return { around, end: () => span.end(clock.unsafeCurrentTimeNanos(), Exit.void) }
    }
    describe(span, call)
    return {
      around,
      step: (step: Step, doing: Doing, millis?: number) => {
        if (isUsual(doing)) return
        span.event(
          `${step} ${doing}`,
          clock.unsafeCurrentTimeNanos(),
          millis === undefined ? undefined : { "causeway.millis": Math.round(millis) }
        )
      },
      end: (ended) => {
        note(span, ended)
        span.end(clock.unsafeCurrentTimeNanos(), exitOf(ended))
      }
    }
  }
  return { begin }
})
