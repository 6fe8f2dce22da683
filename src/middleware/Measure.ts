/**
 * Counts and times calls of tools, and what policies did to them.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { AuthObserver } from "../auth/AuthObserver.js"
import * as Instrument from "../telemetry/Instrument.js"
import * as Telemetry from "../telemetry/Telemetry.js"
import type { Doing, Ended, Observation, Observer, Step } from "./Observer.js"

const { Label, Metric } = Telemetry

/** A server may mount tools that others name. */
const maxTools = 1000
/** A handler may fail with any `McpError`. */
const maxCodes = 32

const instruments = () => ({
  calls: Instrument.counter(Metric.toolCalls, "Calls of tools."),
  seconds: Instrument.histogram(
    Metric.toolCallDuration,
    "How long calls took that are no tasks, in seconds.",
    Telemetry.callSeconds
  ),
  inFlight: Instrument.gauge(Metric.toolCallsInFlight, "Calls under way."),
  confidence: Instrument.histogram(Metric.toolConfidence, "How sure answers were.", Telemetry.confidences),
  events: Instrument.counter(Metric.policyEvents, "What the parts of policies did."),
  wait: Instrument.histogram(
    Metric.queueWait,
    "How long calls waited for a place, in seconds.",
    Telemetry.waitSeconds
  )
})

/** What is the same for every call of a tool, so that none of it is made for one. */
interface OfTool {
  readonly begin: () => void
  readonly call: Observation
  readonly task: Observation
}

const ofTool = (all: ReturnType<typeof instruments>, name: string): OfTool => {
  const tool = { [Label.tool]: name }
  const inFlight = all.inFlight(tool)
  const confidence = all.confidence(tool)
  const wait = all.wait(tool)
  const counts = Instrument.keep((outcome: Ended["outcome"]) =>
    Instrument.keepAtMost(
      maxCodes,
      Telemetry.other,
      (code) => all.calls({ ...tool, [Label.outcome]: outcome, [Label.code]: code })
    )
  )
  const seconds = Instrument.keep((outcome: Ended["outcome"]) => all.seconds({ ...tool, [Label.outcome]: outcome }))
  const events = Instrument.keep((step: Step) => {
    const series = Instrument.keep((doing: Doing) => all.events({ ...tool, [Label.step]: step, [Label.doing]: doing }))
    // An increase is seen only of what was there before.
    if (step === "rateLimit") { for (const doing of ["local", "uncounted"] as const) series(doing) }
    return series
  })
  // A share of failures needs both from the first call on.
  counts("answered")("none")
  counts("failed")("internal")
  seconds("answered")

  const step = (step: Step, doing: Doing, millis?: number): void => {
    events(step)(doing)(1)
    if (millis !== undefined && step === "concurrency") wait(millis / 1000)
  }
  const end = (ended: Ended): void => {
    inFlight.add(-1)
    counts(ended.outcome)(ended.code ?? "none")(1)
    if (ended.confidence !== undefined) confidence(ended.confidence)
  }
  return {
    begin: () => inFlight.add(1),
    call: {
      step,
      end: (ended) => {
        end(ended)
        seconds(ended.outcome)(ended.millis / 1000)
      }
    },
    task: { step, end }
  }
}

/**
 * Measures every call. Tools that do not exist are one, `other`; so are those
 * beyond a thousand names, and what was turned away unread. A call costs about a
 * microsecond.
 *
 * @since 0.1.0
 * @category constructors
 */
export const observer: Effect.Effect<Observer> = Effect.sync(() => {
  const all = instruments()
  const named = Instrument.keepAtMost(maxTools, Telemetry.other, (name) => ofTool(all, name))
  const unknown = Instrument.keep(() => ofTool(all, Telemetry.other))
  return {
    begin: ({ isTask, tool }) => {
      const of = tool === undefined ? unknown(undefined) : named(tool.name)
      of.begin()
      return isTask ? of.task : of.call
    },
    turnedAway: () => unknown(undefined).call.step?.("overload", "refused")
  }
})

/**
 * Counts the requests that were refused for who asked.
 *
 * @since 0.1.0
 * @category constructors
 */
export const refusals: Effect.Effect<Context.Tag.Service<AuthObserver>> = Effect.sync(() => {
  const counter = Instrument.counter(Metric.authRefusals, "Requests that were refused for who asked.")
  const count = Instrument.keep((reason: string) => counter({ [Label.reason]: reason }))
  return { refused: ({ reason }) => count(reason)(1) }
})
