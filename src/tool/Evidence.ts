/**
 * The envelope of every answer: the data, how sure it is, where it came from
 * and what was missing when it was made.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Moment from "../document/Moment.js"

/** What `format: "date-time"` asks for; clients check it. */
const dateTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/u

/**
 * A point in time on the wire, with a time and a zone: RFC 3339.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Timestamp: Schema.Schema<string> = Schema.String.pipe(
  Schema.filter((value) => dateTime.test(value) && Moment.millis(value) !== undefined, {
    message: () => "not a moment; write a date, a time and a zone, for example 2026-11-22T09:00:00Z"
  }),
  Schema.annotations({ jsonSchema: { type: "string", format: "date-time" } })
)

/**
 * How sure an answer is, from 0 (a guess) to 1 (certain).
 *
 * @since 0.1.0
 * @category schemas
 */
export const Confidence: Schema.Schema<number> = Schema.Number.pipe(
  Schema.between(0, 1),
  Schema.annotations({ description: "How sure the answer is, from 0 to 1" })
)

/**
 * What sort of place a fact came from.
 *
 * @since 0.1.0
 * @category schemas
 */
export const SourceKind = Schema.Literal(
  "document-store",
  "session-store",
  "cache",
  "model",
  "web",
  "code",
  "computation",
  "user-input",
  "upstream-mcp"
)

/**
 * @since 0.1.0
 * @category models
 */
export type SourceKind = typeof SourceKind.Type

/**
 * One place an answer came from.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Source = Schema.Struct({
  id: Schema.NonEmptyString.annotations({
    description: "The source's own name for the item, for example a document id"
  }),
  kind: SourceKind,
  title: Schema.optionalWith(Schema.String, { exact: true }),
  uri: Schema.optionalWith(Schema.String, { exact: true }),
  publishedAt: Schema.optionalWith(Timestamp, { exact: true }),
  retrievedAt: Timestamp,
  cached: Schema.Boolean,
  confidence: Schema.optionalWith(Confidence, { exact: true })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Source extends Schema.Schema.Type<typeof Source> {}

/**
 * Whether a confidence was fitted against known outcomes, and on what.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Calibration = Schema.Union(
  Schema.Literal("uncalibrated"),
  Schema.Struct({
    id: Schema.NonEmptyString,
    fittedOn: Schema.String,
    ece: Schema.Number.annotations({ description: "Expected calibration error on held-out data" })
  })
)

/**
 * @since 0.1.0
 * @category models
 */
export type Calibration = typeof Calibration.Type

/**
 * What an answer had to do without, in words the agent can pass on.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Degraded = Schema.Struct({
  reason: Schema.NonEmptyString,
  missing: Schema.Array(Schema.String).annotations({ description: "The sources that could not be asked" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Degraded extends Schema.Schema.Type<typeof Degraded> {}

/**
 * @since 0.1.0
 * @category symbols
 */
export const TypeId: unique symbol = Symbol.for("~causeway/Evidence")

/**
 * @since 0.1.0
 * @category symbols
 */
export type TypeId = typeof TypeId

/**
 * An answer with its proof. Handlers return nothing else, so no answer leaves
 * without a confidence and at least one source.
 *
 * @since 0.1.0
 * @category models
 */
export interface Evidence<out A> {
  readonly [TypeId]: TypeId
  readonly data: A
  readonly confidence: number
  /** `"uncalibrated"` unless the confidence was fitted on known outcomes. */
  readonly calibration: Calibration
  readonly sources: Arr.NonEmptyReadonlyArray<Source>
  readonly degraded?: Degraded
}

const prototype = { [TypeId]: TypeId }

const clamp = (value: number): number => (value >= 0 ? Math.min(value, 1) : 0)

/**
 * Makes evidence. The confidence is clamped to [0, 1] and `NaN` counts as 0,
 * so a computed figure never breaks the envelope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A>(options: {
  readonly data: A
  readonly confidence: number
  readonly sources: Arr.NonEmptyReadonlyArray<Source>
  readonly calibration?: Calibration | undefined
  readonly degraded?: Degraded | undefined
}): Evidence<A> => {
  const evidence = Object.create(prototype)
  evidence.data = options.data
  evidence.confidence = clamp(options.confidence)
  evidence.calibration = options.calibration ?? "uncalibrated"
  evidence.sources = options.sources
  if (options.degraded !== undefined) evidence.degraded = options.degraded
  return evidence
}

/**
 * Makes a source, stamped with the present moment of the `Clock`. A date of
 * publication without a time, or without a zone, is taken as UTC.
 *
 * @since 0.1.0
 * @category constructors
 */
export const source = (
  options: Omit<Source, "retrievedAt" | "cached"> & { readonly cached?: boolean }
): Effect.Effect<Source> =>
  Effect.map(Clock.currentTimeMillis, (now) => ({
    cached: false,
    ...options,
    ...(options.publishedAt === undefined
      ? {}
      : { publishedAt: Moment.normal(options.publishedAt) ?? options.publishedAt }),
    retrievedAt: Moment.iso(now)
  }))

/**
 * Evidence for something computed here and now from the arguments alone: a sum,
 * a conversion. Its only source is the computation, and it is certain.
 *
 * @since 0.1.0
 * @category constructors
 */
export const computed = <A>(name: string, data: A): Effect.Effect<Evidence<A>> =>
  Effect.map(source({ id: name, kind: "computation" }), (from) => make({ data, confidence: 1, sources: [from] }))

/**
 * Whether a value is evidence.
 *
 * @since 0.1.0
 * @category guards
 */
export const isEvidence = (value: unknown): value is Evidence<unknown> =>
  typeof value === "object" && value !== null && TypeId in value

/**
 * Changes the data and keeps the proof.
 *
 * @since 0.1.0
 * @category combinators
 */
export const map = <A, B>(self: Evidence<A>, f: (data: A) => B): Evidence<B> => make({ ...self, data: f(self.data) })

/**
 * Says what the answer had to do without, and lowers the confidence by `factor`
 * (0 to 1; 0.5 unless given).
 *
 * @since 0.1.0
 * @category combinators
 */
export const degrade = <A>(self: Evidence<A>, degraded: Degraded, factor = 0.5): Evidence<A> =>
  make({
    ...self,
    confidence: self.confidence * clamp(factor),
    degraded: self.degraded === undefined ? degraded : {
      reason: `${self.degraded.reason}; ${degraded.reason}`,
      missing: Arr.dedupe([...self.degraded.missing, ...degraded.missing])
    }
  })

/** A cached source may be stale: it counts a tenth less. */
const staleness = 0.9

const worth = (self: Evidence<unknown>): number =>
  self.sources.some((from) => from.cached) ? self.confidence * staleness : self.confidence

/**
 * Merges the links of a chain, all of which were needed: the whole is never
 * surer than its weakest link, and a link that rests on a cached source counts
 * 0.9 of itself. Sources are joined without repeats (same kind and id), degraded
 * notes are kept, and the result is calibrated only when the weakest link is.
 *
 * @since 0.1.0
 * @category combinators
 */
export const combine = <A, B, C>(
  self: Evidence<A>,
  that: Evidence<B>,
  f: (a: A, b: B) => C
): Evidence<C> => {
  const weakest = worth(self) <= worth(that) ? self : that
  const missing = [...(self.degraded?.missing ?? []), ...(that.degraded?.missing ?? [])]
  const reasons = Arr.dedupe(Arr.filter([self.degraded?.reason, that.degraded?.reason], (r) => r !== undefined))
  return make({
    data: f(self.data, that.data),
    confidence: worth(weakest),
    calibration: weakest.calibration,
    sources: Arr.dedupeWith(
      Arr.appendAll(self.sources, that.sources),
      (a, b) => a.kind === b.kind && a.id === b.id
    ),
    degraded: reasons.length === 0 ? undefined : { reason: reasons.join("; "), missing: Arr.dedupe(missing) }
  })
}

/**
 * The schema of the envelope around `data`, as it stands in a tool's
 * `outputSchema` and `structuredContent`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const envelope = <A, I>(data: Schema.Schema<A, I>) =>
  Schema.Struct({
    data,
    confidence: Confidence,
    calibration: Calibration,
    sources: Schema.NonEmptyArray(Source),
    degraded: Schema.optionalWith(Degraded, { exact: true })
  })
