/**
 * Remembers the last calls of tools and how calls went for a quarter of an hour,
 * in memory and without arguments or answers: what the console shows.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Begun, Doing, Ended, Observation, Observer, Step } from "../middleware/Observer.js"
import { CallObserver, merge } from "../middleware/Observer.js"
import * as CallSeries from "./internal/CallSeries.js"

export type {
  /**
   * Calls, failures and times over the last quarter of an hour, step by step.
   *
   * @since 0.1.0
   * @category models
   */
  Points,
  /**
   * The whole quarter of an hour in one.
   *
   * @since 0.1.0
   * @category models
   */
  Total
} from "./internal/CallSeries.js"

/**
 * A call that has ended. Texts that a caller chose are cut: the name of a tool
 * that does not exist at 128 characters, ids at 64.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  /** Counts the calls from 1. */
  readonly number: number
  /** When it began, in milliseconds since the epoch. */
  readonly at: number
  readonly tool: string
  /** Whether there is such a tool; its name is the caller's own invention otherwise. */
  readonly isKnown: boolean
  readonly outcome: Ended["outcome"]
  readonly code?: string | undefined
  readonly millis: number
  readonly confidence?: number | undefined
  readonly isDegraded: boolean
  readonly isCached: boolean
  readonly isTask: boolean
  /** The id of who called. */
  readonly caller: string
  readonly requestId: string
  /** What policies did that a reader wants to know, for example `retry again ×2`; eight things at most. */
  readonly steps: ReadonlyArray<string>
}

/**
 * A tool, and how its calls went.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolTotal extends CallSeries.Total {
  readonly tool: string
}

/**
 * @since 0.1.0
 * @category tags
 */
export class CallLog extends Context.Tag("causeway/CallLog")<CallLog, {
  /** Notes every call it is told of. */
  readonly observer: Observer
  /** The last calls, the youngest first. */
  readonly recent: () => ReadonlyArray<Entry>
  /** Of one tool, or of all calls, those of tools that do not exist too; `undefined` for a tool that is not kept. */
  readonly points: (tool?: string) => CallSeries.Points | undefined
  /** Of all calls. */
  readonly total: () => CallSeries.Total
  /** Of each tool that was called and is kept, in the order of their first calls. */
  readonly totals: () => ReadonlyArray<ToolTotal>
}>() {}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** How many of the last calls are kept, 1 to 10,000; 200 unless given. */
  readonly calls?: number | undefined
  /** How many tools have figures of their own, the first that are called, 1 to 1,000 at 70 KB each; 50 unless given. */
  readonly tools?: number | undefined
}

const mostNameCharacters = 128
const mostIdCharacters = 64
const mostSteps = 8

/** Done at most calls, and of no interest at any. */
const usual: ReadonlySet<Doing> = new Set(["taken", "miss", "stored"])

/** A piece of a longer text keeps all of it in memory; a copy does not. */
const copied = (text: string, most: number): string => Buffer.from(text.slice(0, most)).toString()

const short = (text: string): string => text.length <= mostIdCharacters ? text : copied(text, mostIdCharacters)

interface Mark {
  readonly step: Step
  readonly doing: Doing
  count: number
  millis: number
}

const wordsOf = ({ count, doing, millis, step }: Mark): string =>
  `${step} ${doing}${count === 1 ? "" : ` ×${count}`}${millis === 0 ? "" : ` ${Math.round(millis)} ms`}`

type Note = (begun: Begun, ended: Ended, steps: ReadonlyArray<string>) => void

/** One call under way. */
class Call implements Observation {
  private marks: Array<Mark> | undefined
  private readonly begun: Begun
  private readonly note: Note

  constructor(begun: Begun, note: Note) {
    this.begun = begun
    this.note = note
  }

  step(step: Step, doing: Doing, millis = 0): void {
    if (usual.has(doing)) return
    const marks = this.marks ??= []
    const same = marks.find((mark) => mark.step === step && mark.doing === doing)
    if (same !== undefined) {
      same.count += 1
      same.millis += millis
    } else if (marks.length < mostSteps) marks.push({ step, doing, count: 1, millis })
  }

  end(ended: Ended): void {
    this.note(this.begun, ended, this.marks?.map(wordsOf) ?? [])
  }
}

const within = (value: number | undefined, most: number, otherwise: number): number =>
  value !== undefined && value >= 1 ? Math.min(Math.floor(value), most) : otherwise

const entryOf = (begun: Begun, ended: Ended, steps: ReadonlyArray<string>, now: number, number: number): Entry => {
  const { caller, isTask, name, requestId, tool } = begun
  const { code, confidence, isCached, isDegraded, millis, outcome } = ended
  return {
    number,
    at: now - millis,
    tool: tool?.name ?? copied(name, mostNameCharacters),
    isKnown: tool !== undefined,
    outcome,
    code: code === undefined ? undefined : short(code),
    millis,
    confidence,
    isDegraded,
    isCached,
    isTask,
    caller: short(caller.id),
    requestId: short(String(requestId)),
    steps
  }
}

const build = (options: Options, clock: Clock.Clock): Context.Tag.Service<CallLog> => {
  const most = within(options.calls, 10_000, 200)
  const mostTools = within(options.tools, 1000, 50)
  const entries: Array<Entry> = []
  const all = CallSeries.make()
  const ofTool = new Map<string, CallSeries.CallSeries>()
  let count = 0

  const seriesOf = (tool: string): CallSeries.CallSeries | undefined => {
    const found = ofTool.get(tool)
    if (found !== undefined || ofTool.size >= mostTools) return found
    const made = CallSeries.make()
    ofTool.set(tool, made)
    return made
  }

  const note: Note = (begun, ended, steps) => {
    const now = clock.unsafeCurrentTimeMillis()
    const isFailure = ended.outcome === "failed" || ended.outcome === "error"
    // A task takes as long as it takes, and what does not exist took no time.
    const millis = begun.isTask || begun.tool === undefined ? undefined : ended.millis
    all.add(now, isFailure, millis)
    if (begun.tool !== undefined) seriesOf(begun.tool.name)?.add(now, isFailure, millis)
    entries[count % most] = entryOf(begun, ended, steps, now, count + 1)
    count += 1
  }

  return {
    observer: { begin: (begun) => new Call(begun, note) },
    recent: () => {
      const first = count % most
      return [...entries.slice(first), ...entries.slice(0, first)].reverse()
    },
    points: (tool) => (tool === undefined ? all : ofTool.get(tool))?.points(clock.unsafeCurrentTimeMillis()),
    total: () => all.total(clock.unsafeCurrentTimeMillis()),
    totals: () => {
      const now = clock.unsafeCurrentTimeMillis()
      return [...ofTool].map(([tool, series]) => ({ tool, ...series.total(now) }))
    }
  }
}

/**
 * Makes an empty log. It is lost with the process. A call costs about a
 * microsecond.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<Context.Tag.Service<CallLog>> =>
  Effect.map(Effect.clock, (clock) => build(options, clock))

/**
 * A log that is told of every call: beside the observer that is provided here, if
 * one is, and in its place for the server that this is provided to.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<CallLog | CallObserver> =>
  Layer.effectContext(Effect.gen(function*() {
    const around = yield* Effect.serviceOption(CallObserver)
    const log = yield* make(options)
    const observer = Option.isNone(around) ? log.observer : merge(around.value, log.observer)
    return Context.make(CallLog, log).pipe(Context.add(CallObserver, observer))
  }))
