/**
 * Writes down every call of a tool: who asked, for what, and how it ended. What was
 * given and what was answered are not in it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import { createHash } from "node:crypto"
import type { AuthObserver } from "../auth/AuthObserver.js"
import type { RequestId } from "../protocol/McpSchema.js"
import * as JsonLine from "../telemetry/JsonLine.js"
import * as TraceContext from "../telemetry/TraceContext.js"
import { ToolError } from "../tool/ToolError.js"
import * as CallKey from "./CallKey.js"
import * as AuditFile from "./internal/AuditFile.js"
import * as AuditQueue from "./internal/AuditQueue.js"
import * as JsonSize from "./internal/JsonSize.js"
import type { Begun, Cited, Ended, Observation, Observer } from "./Observer.js"

export {
  /**
   * The file cannot be opened or written.
   *
   * @since 0.1.0
   * @category errors
   */
  AuditError
} from "./internal/AuditFile.js"

/**
 * A call that ended. What is `undefined` is left out.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallEvent {
  readonly event: "call"
  /** When it ended, ISO 8601. */
  readonly time: string
  readonly requestId: RequestId
  readonly caller: string
  readonly tenant: string
  /** At most 128 characters of a name that the server does not know. */
  readonly tool: string
  readonly isKnown: boolean
  readonly isTask: boolean
  readonly outcome: Ended["outcome"]
  readonly code?: string | undefined
  readonly durationMs: number
  readonly confidence?: number | undefined
  readonly isDegraded: boolean
  readonly isCached: boolean
  /** Of the first 32 sources that the answer cites, their kind and, after a colon, the first 128 characters of their id. */
  readonly sources?: ReadonlyArray<string> | undefined
  /** How many more there are; left out where there are none. */
  readonly sourcesLeftOut?: number | undefined
  /** Of the client's trace, where it has one. */
  readonly traceId?: string | undefined
  /** As JSON. */
  readonly argumentsBytes?: number | undefined
  /** Of the arguments as JSON with its members in order, in hexadecimal digits. */
  readonly argumentsSha256?: string | undefined
}

/**
 * A request that was refused for who asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface RefusalEvent {
  readonly event: "refusal"
  readonly time: string
  readonly reason: string
  readonly status: number
  readonly peer?: string | undefined
  readonly caller?: string | undefined
  readonly tenant?: string | undefined
  /** How many refusals since the one before are not written; left out where there are none. */
  readonly leftOut?: number | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export type Event = CallEvent | RefusalEvent

/**
 * @since 0.1.0
 * @category tags
 */
export class AuditLog extends Context.Tag("causeway/AuditLog")<AuditLog, {
  /** Takes an event at once, to write it soon; does not throw. */
  readonly write: (event: Event) => void
  /** Whether calls are to be refused, since they could not be written down. */
  readonly refuses: () => boolean
}>() {}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /**
   * What is written of the arguments: their size, or their SHA-256 too, by which
   * equal calls are known and short arguments can be guessed. `size` unless given.
   */
  readonly arguments?: "none" | "size" | "sha256" | undefined
  /** Whether the ids of what an answer cites are written; `ids` unless given. */
  readonly sources?: "none" | "ids" | undefined
}

const maxId = 256

const idOf = (id: RequestId): RequestId => (typeof id === "string" ? id.slice(0, maxId) : id)

const measured = (
  given: unknown,
  what: Options["arguments"]
): Pick<CallEvent, "argumentsBytes" | "argumentsSha256"> => {
  if (what === "none") return {}
  const argumentsBytes = JsonSize.over(given ?? {}, 0)
  return what === "sha256"
    ? { argumentsBytes, argumentsSha256: createHash("sha256").update(CallKey.canonical(given ?? {})).digest("hex") }
    : { argumentsBytes }
}

const maxSources = 32
const maxSourceId = 128

/** An answer that was kept was written by whoever may write there. */
const isCited = (source: unknown): source is Cited =>
  Predicate.hasProperty(source, "id") && typeof source.id === "string" &&
  Predicate.hasProperty(source, "kind") && typeof source.kind === "string"

const cited = (given: Ended["sources"]): Pick<CallEvent, "sources" | "sourcesLeftOut"> => {
  if (given === undefined || !Array.isArray(given)) return {}
  const left = given.length - maxSources
  return {
    sources: given.slice(0, maxSources).filter(isCited).map(({ id, kind }) => `${kind}:${id.slice(0, maxSourceId)}`),
    sourcesLeftOut: left > 0 ? left : undefined
  }
}

const refusing = (): Observation => ({
  refusal: new ToolError({
    code: "temporarily_unavailable",
    message: "The server cannot write down what it does at the moment, and does nothing until it can. Try again later.",
    retryAfterMs: 5000
  }),
  end: () => {}
})

/**
 * Writes an event of every call to the `AuditLog`. A call that cannot be written
 * down is refused before it is run, where the log says so.
 *
 * @since 0.1.0
 * @category constructors
 */
export const observer = (options: Options = {}): Effect.Effect<Observer, never, AuditLog> =>
  Effect.gen(function*() {
    const log = yield* AuditLog
    const clock = yield* Effect.clock
    const what = options.arguments ?? "size"
    const eventOf = ({ caller, isTask, meta, name, requestId, tool, ...call }: Begun, ended: Ended): CallEvent => ({
      event: "call",
      time: new Date(clock.unsafeCurrentTimeMillis()).toISOString(),
      requestId: idOf(requestId),
      caller: caller.id,
      tenant: caller.tenant,
      tool: name,
      isKnown: tool !== undefined,
      isTask,
      outcome: ended.outcome,
      code: ended.code,
      durationMs: Math.round(ended.millis * 1000) / 1000,
      confidence: ended.confidence,
      isDegraded: ended.isDegraded,
      isCached: ended.isCached,
      ...(options.sources === "none" ? {} : cited(ended.sources)),
      traceId: TraceContext.fromMeta(meta)?.traceId,
      ...measured(call.arguments, what)
    })
    return {
      begin: (call) => log.refuses() ? refusing() : { end: (ended) => log.write(eventOf(call, ended)) }
    }
  })

/** Anybody can be refused, as often as the network bears it, and must not fill what was meant for calls. */
const refusalsASecond = 100

/**
 * Writes an event of every request that was refused for who asked; of more than a
 * hundred in a second only how many there were, in the next event.
 *
 * @since 0.1.0
 * @category constructors
 */
export const refusals: Effect.Effect<Context.Tag.Service<AuthObserver>, never, AuditLog> = Effect.gen(function*() {
  const log = yield* AuditLog
  const clock = yield* Effect.clock
  let began = -Infinity
  let written = 0
  let leftOut = 0
  return {
    refused: ({ caller, peer, reason, status }) => {
      const now = Number(clock.unsafeCurrentTimeNanos()) / 1e6
      if (now - began >= 1000) {
        began = now
        written = 0
      }
      if (written >= refusalsASecond) {
        leftOut += 1
        return
      }
      written += 1
      log.write({
        event: "refusal",
        time: new Date(clock.unsafeCurrentTimeMillis()).toISOString(),
        reason,
        status,
        peer,
        caller: caller?.id,
        tenant: caller?.tenant,
        leftOut: leftOut > 0 ? leftOut : undefined
      })
      leftOut = 0
    }
  }
})

/**
 * What holds for every way of writing.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Keeping {
  /** Events that may wait to be written, 1 or more; 10,000 unless given. */
  readonly capacity?: number | undefined
  /**
   * What happens when events cannot be written, or too many wait: they are lost
   * and counted, or calls are refused until it is over. `drop` unless given.
   */
  readonly onFull?: "drop" | "refuse" | undefined
}

/**
 * Writes by a function of the program's, which gets a few events at a time and
 * writes all of them or none; its error's message is logged.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <R = never>(
  write: (events: ReadonlyArray<Event>) => Effect.Effect<void, { readonly message: string }, R>,
  options: Keeping = {}
): Layer.Layer<AuditLog, never, R> =>
  Layer.scoped(
    AuditLog,
    Effect.flatMap(Effect.context<R>(), (context) =>
      AuditQueue.make<Event>({
        write: (events) => Effect.provide(write(events), context),
        capacity: options.capacity ?? 10_000,
        onFull: options.onFull ?? "drop"
      }))
  )

const given = (event: Event): ReadonlyArray<readonly [string, unknown]> =>
  Object.entries(event).filter(([, value]) => value !== undefined)

/**
 * Writes each event as a line of the program's log, at level `info`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerLog: Layer.Layer<AuditLog> = layer((events) =>
  Effect.forEach(
    events,
    (event) => Effect.annotateLogs(Effect.logInfo("audit"), Object.fromEntries(given(event))),
    { discard: true }
  )
)

/**
 * @since 0.1.0
 * @category configuration
 */
export interface FileOptions extends Keeping {
  /** Bytes from which another file is begun, above 0; 64 MiB unless given. */
  readonly maxBytes?: number | undefined
  /** How many older files stay, as `path.1` and so on; 5 unless given. */
  readonly keep?: number | undefined
}

/**
 * Writes each event as a line of JSON to a file that its owner alone can read.
 * Fails when it cannot be opened.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFile = (path: string, options: FileOptions = {}): Layer.Layer<AuditLog, AuditFile.AuditError> =>
  Layer.unwrapScoped(Effect.map(
    AuditFile.make({ path, maxBytes: options.maxBytes ?? 64 * 1024 * 1024, keep: options.keep ?? 5 }),
    (file) =>
      layer((events) => file.write(events.map((event) => `${JsonLine.object(given(event))}\n`).join("")), options)
  ))
