/**
 * How a chain treats a call: its time, its tries, what counts as an answer; each
 * part a value that can be replaced by itself.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Backoff from "../policy/Backoff.js"
import type * as RetryBudget from "../policy/RetryBudget.js"
import * as Check from "./Check.js"
import * as Decision from "./Decision.js"
import * as PolicyRange from "./internal/PolicyRange.js"
import type * as LlmError from "./LlmError.js"
import * as Target from "./Target.js"

/**
 * The longest each phase of a try may take while another model could be asked.
 * The last that can be asked has all the time left, but for `idle`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Timeouts {
  /** Waiting for a place while another model could be asked. */
  readonly queue: Duration.Duration
  /** Until the headers of a stream. */
  readonly headers: Duration.Duration
  /** Until the first text of a stream. */
  readonly firstToken: Duration.Duration
  /** Between two texts of a stream. */
  readonly idle: Duration.Duration
  /** For a whole answer that does not stream. */
  readonly answer: Duration.Duration
}

/**
 * A second try with another model while the first is still awaited.
 *
 * @since 0.1.0
 * @category models
 */
export interface Hedge {
  /** It begins after this time, or after the 95th percentile of the first model's first text when that is longer. */
  readonly after: Duration.Duration
  /** How many there may be, as a share of all calls. */
  readonly budget: RetryBudget.Options
  /** Not when it may cost more than this many times the first. */
  readonly maxCostRatio: number
  /** Not when more than this share of either model's places is taken. */
  readonly maxLoad: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ChainPolicy {
  /** For the whole call, all models, waits and repairs together. */
  readonly deadline: Duration.Duration
  readonly timeouts: Timeouts
  /** When the same model is asked again, and how often; an error's `retryAfter` goes before its delay. */
  readonly retry: Schedule.Schedule<unknown, LlmError.LlmError>
  /** Which failures are worth asking the same model again, by the error and the milliseconds it took. */
  readonly retryIf: (error: LlmError.LlmError, elapsedMs: number) => boolean
  /** What an error means for the call and for the model. */
  readonly decide: (error: LlmError.LlmError) => Decision.Decision
  /** Calls on the wire, of all kinds together. */
  readonly maxAttempts: number
  readonly hedge: Hedge | undefined
  readonly checks: ReadonlyArray<Check.Check>
  /** How often one call may ask a model to correct its JSON. */
  readonly repairs: number
  /** Whether an answer that was cut off is asked for once more with twice the length. */
  readonly lengthens: boolean
  /** When every answer had a flaw: fail, or give the best of them with its `flaw`. */
  readonly onAllDegraded: "fail" | "best"
  /** Whether a stream is held back until it is complete, so that any failure can be made good by the next model. */
  readonly isBuffered: boolean
}

/**
 * Some parts of a policy; what is joined later counts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Part extends Partial<Omit<ChainPolicy, "timeouts">> {
  readonly timeouts?: Partial<Timeouts> | undefined
}

/**
 * The longest the whole call may take; above zero and finite.
 *
 * @since 0.1.0
 * @category constructors
 */
export const deadline = (duration: Duration.DurationInput): Part => ({ deadline: Duration.decode(duration) })

/**
 * The longest each phase of a try may take; phases that are not named stay as
 * they are.
 *
 * @since 0.1.0
 * @category constructors
 */
export const timeouts = (phases: { readonly [K in keyof Timeouts]?: Duration.DurationInput }): Part => {
  const decoded: { -readonly [K in keyof Timeouts]?: Timeouts[K] } = {}
  for (const phase of phaseNames) {
    const duration = phases[phase]
    if (duration !== undefined) decoded[phase] = Duration.decode(duration)
  }
  return { timeouts: decoded }
}

const phaseNames = ["queue", "headers", "firstToken", "idle", "answer"] as const

/**
 * When and how often the same model is asked again; all of `Backoff` fits.
 *
 * @since 0.1.0
 * @category constructors
 */
export const retry = (schedule: Schedule.Schedule<unknown, LlmError.LlmError>): Part => ({ retry: schedule })

/**
 * No model is asked again after a failure; the next one is asked all the same.
 *
 * @since 0.1.0
 * @category constructors
 */
export const noRetry: Part = retry(Schedule.stop)

/**
 * Which failures are worth asking the same model again. What `decide` says
 * against it counts too.
 *
 * @since 0.1.0
 * @category constructors
 */
export const retryIf = (isWorthIt: (error: LlmError.LlmError, elapsedMs: number) => boolean): Part => ({
  retryIf: isWorthIt
})

/**
 * What an error means for the call and for the model; `Decision.standard` unless
 * given.
 *
 * @since 0.1.0
 * @category constructors
 */
export const decide = (of: (error: LlmError.LlmError) => Decision.Decision): Part => ({ decide: of })

/**
 * The most calls on the wire, of all kinds together; a whole number of at least 1.
 *
 * @since 0.1.0
 * @category constructors
 */
export const maxAttempts = (attempts: number): Part => ({ maxAttempts: attempts })

/**
 * A second try with another model while the first is still awaited, or none. By
 * itself it begins after 250 ms, for one call in twenty, at three times the cost
 * at most, while no more than 0.8 of the places are taken.
 *
 * @since 0.1.0
 * @category constructors
 */
export const hedge = (
  options: {
    readonly after?: Duration.DurationInput | undefined
    readonly budget?: RetryBudget.Options | undefined
    readonly maxCostRatio?: number | undefined
    readonly maxLoad?: number | undefined
  } | "off"
): Part => ({
  hedge: options === "off" ? undefined : {
    after: Duration.decode(options.after ?? "250 millis"),
    budget: options.budget ?? { ratio: 0.05, minPerSecond: 0 },
    maxCostRatio: options.maxCostRatio ?? 3,
    maxLoad: options.maxLoad ?? 0.8
  }
})

/**
 * What an answer has to pass, in this order; replaces the checks there were.
 *
 * @since 0.1.0
 * @category constructors
 */
export const checks = (...all: ReadonlyArray<Check.Check>): Part => ({ checks: all })

/**
 * How often one call may ask a model to correct its JSON; a whole number of at
 * least 0.
 *
 * @since 0.1.0
 * @category constructors
 */
export const repairs = (times: number): Part => ({ repairs: times })

/**
 * Whether an answer that was cut off is asked for once more with twice the
 * length.
 *
 * @since 0.1.0
 * @category constructors
 */
export const lengthens = (does: boolean): Part => ({ lengthens: does })

/**
 * What to do when every answer had a flaw.
 *
 * @since 0.1.0
 * @category constructors
 */
export const onAllDegraded = (outcome: "fail" | "best"): Part => ({ onAllDegraded: outcome })

/**
 * Streams are held back until they are complete.
 *
 * @since 0.1.0
 * @category constructors
 */
export const buffered: Part = { isBuffered: true }

/**
 * Several parts as one; of two that set the same thing the later counts.
 *
 * @since 0.1.0
 * @category combinators
 */
export const all = (...parts: ReadonlyArray<Part>): Part =>
  parts.reduce((self, that) => ({
    ...self,
    ...that,
    timeouts: { ...self.timeouts, ...that.timeouts }
  }), {})

const quickFailure = 300

const complete: ChainPolicy = {
  deadline: Duration.seconds(30),
  timeouts: {
    queue: Duration.millis(50),
    headers: Duration.seconds(10),
    firstToken: Duration.seconds(15),
    idle: Duration.seconds(15),
    answer: Duration.seconds(20)
  },
  retry: Backoff.honourRetryAfter(Backoff.fullJitter({ base: "80 millis", cap: "800 millis", times: 1 })),
  retryIf: (error, elapsedMs) => error.reason === "Transient" && elapsedMs < quickFailure,
  decide: Decision.standard,
  maxAttempts: 4,
  hedge: undefined,
  checks: Check.standard,
  repairs: 1,
  lengthens: true,
  onAllDegraded: "fail",
  isBuffered: false
}

/**
 * What holds unless something else is said: half a minute for a call, one try
 * more after a failure that came within 300 ms, four calls on the wire, one
 * repair, no second model beside the first.
 *
 * @since 0.1.0
 * @category presets
 */
export const standard: Part = complete

/**
 * For a person who waits, and a tool that searches before it asks: short answers
 * within 1.8 seconds.
 *
 * @since 0.1.0
 * @category presets
 */
export const interactive: Part = all(
  deadline("1800 millis"),
  timeouts({
    queue: "50 millis",
    headers: "700 millis",
    firstToken: "900 millis",
    idle: "400 millis",
    answer: "1200 millis"
  })
)

/**
 * For JSON that has to fit a schema: eight seconds, half of them for one answer,
 * so that a correction or the next model still fits.
 *
 * @since 0.1.0
 * @category presets
 */
export const strictJson: Part = all(
  deadline("8 seconds"),
  timeouts({
    queue: "200 millis",
    headers: "2 seconds",
    firstToken: "3 seconds",
    idle: "2 seconds",
    answer: "4 seconds"
  })
)

/**
 * For models that think before they answer: a minute.
 *
 * @since 0.1.0
 * @category presets
 */
export const reasoning: Part = all(
  deadline("60 seconds"),
  timeouts({
    queue: "1 second",
    headers: "20 seconds",
    firstToken: "40 seconds",
    idle: "20 seconds",
    answer: "45 seconds"
  }),
  hedge("off")
)

/**
 * For long texts that nobody waits for: two minutes, and time to wait for a
 * place.
 *
 * @since 0.1.0
 * @category presets
 */
export const longContextBatch: Part = all(
  deadline("120 seconds"),
  timeouts({
    queue: "10 seconds",
    headers: "60 seconds",
    firstToken: "80 seconds",
    idle: "15 seconds",
    answer: "100 seconds"
  }),
  hedge("off")
)

/**
 * The same part for calls that may take so long: its phases grow or shrink with
 * its deadline, those of `standard` where it names none. Waiting for a place
 * stays as it is.
 *
 * @since 0.1.0
 * @category combinators
 */
export const stretch = (part: Part, to: Duration.DurationInput): Part => {
  const before = all(standard, part)
  const factor = Duration.toMillis(to) / Duration.toMillis(before.deadline ?? complete.deadline)
  const longer = (phase: keyof Timeouts) => Duration.times(before.timeouts?.[phase] ?? complete.timeouts[phase], factor)
  return all(
    part,
    deadline(to),
    timeouts({
      headers: longer("headers"),
      firstToken: longer("firstToken"),
      idle: longer("idle"),
      answer: longer("answer")
    })
  )
}

/**
 * A whole policy: the parts, and `standard` for what they leave open. Fails when
 * one is out of its range, with the path to it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (...parts: ReadonlyArray<Part>): Effect.Effect<ChainPolicy, Target.InvalidTarget> =>
  Effect.suspend(() => {
    const given = all(...parts)
    const policy: ChainPolicy = { ...complete, ...given, timeouts: { ...complete.timeouts, ...given.timeouts } }
    return Effect.mapBoth(PolicyRange.check(policy), {
      onFailure: (fault) => new Target.InvalidTarget(fault),
      onSuccess: () => policy
    })
  })
