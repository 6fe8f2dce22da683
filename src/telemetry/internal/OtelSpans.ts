/**
 * Spans on their way to a collector: which are kept, and what of an error goes with
 * them.
 *
 * @since 0.1.0
 */
import * as OtlpSerialization from "@effect/opentelemetry/OtlpSerialization"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Sampling {
  readonly ratio: number
  readonly followsParents: boolean
}

const hexDigits = (count: number): string => {
  let text = ""
  while (text.length < count) text += Math.trunc(Math.random() * 0x1_0000_0000).toString(16).padStart(8, "0")
  return text.slice(0, count)
}

/** By the trace's id, so that every service decides alike. */
const isWithin = (traceId: string, ratio: number): boolean =>
  ratio >= 1 || Number.parseInt(traceId.slice(-13), 16) < ratio * 0x10_0000_0000_0000

const nothing = (): void => {}

/** Goes nowhere, and lets what it calls know that the trace is not kept. */
const dropped = (
  name: string,
  parent: Option.Option<Tracer.AnySpan>,
  context: Context.Context<never>,
  startTime: bigint,
  kind: Tracer.SpanKind
): Tracer.Span => ({
  _tag: "Span",
  name,
  parent,
  context,
  kind,
  traceId: Option.isSome(parent) ? parent.value.traceId : hexDigits(32),
  spanId: hexDigits(16),
  sampled: false,
  status: { _tag: "Started", startTime },
  attributes: new Map(),
  links: [],
  end: nothing,
  attribute: nothing,
  event: nothing,
  addLinks: nothing
})

/** This library's own errors wrote their sentence; any other may hold an address, a query or a secret. */
const sentenceOf = (error: unknown): string => {
  // The code of a failed call, or the name of a failure.
  if (typeof error === "string") return /^[\w.:-]{1,64}$/u.test(error) ? error : "failed"
  if (!(error instanceof Error)) {
    return Predicate.hasProperty(error, "_tag") && typeof error._tag === "string" ? error._tag : "failed"
  }
  const isOurs = Schema.isSchema(error.constructor) && Predicate.hasProperty(error, "isRetryable") &&
    Object.hasOwn(Object.getPrototypeOf(error), "message")
  return isOurs ? error.message : error.name
}

const nameOf = (error: unknown): string => {
  if (Predicate.hasProperty(error, "_tag") && typeof error._tag === "string") return error._tag
  return error instanceof Error ? error.name : "failed"
}

/** An error with no stack, no cause and no member of the one it stands for. */
const shown = (error: unknown): Error => {
  const bare = new Error(sentenceOf(error))
  bare.name = nameOf(error)
  bare.stack = `${bare.name}: ${bare.message}`
  return bare
}

const bare = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> => {
  if (Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause)) return exit
  const failure = Cause.failureOption(exit.cause)
  if (Option.isSome(failure)) return Exit.fail(shown(failure.value))
  return Exit.die(shown(Option.getOrElse(Cause.dieOption(exit.cause), () => "failed")))
}

/** What a query or a header says may be a secret, and the conventions leave headers to who asks for them. */
const isUntold = (key: string): boolean => key === "url.query" || /^http\.(?:request|response)\.header\./u.test(key)

const addressOf = (value: unknown): unknown => {
  if (typeof value !== "string" || !URL.canParse(value)) return "unknown"
  const { host, pathname, protocol } = new URL(value)
  return /^https?:$/u.test(protocol) ? `${protocol}//${host}${pathname}` : "unknown"
}

/**
 * The same tracer, of which only some traces are kept: a span as its parent, a
 * trace that begins here by the ratio. Of requests over HTTP, no query, no headers
 * and no credential of an address are told.
 *
 * @since 0.1.0
 * @category combinators
 */
export const sampling = (tracer: Tracer.Tracer, { followsParents, ratio }: Sampling): Tracer.Tracer => {
  const isKept = (parent: Option.Option<Tracer.AnySpan>): boolean => {
    if (Option.isNone(parent)) return ratio >= 1 || Math.random() < ratio
    const { _tag, sampled, traceId } = parent.value
    return _tag === "Span" || followsParents ? sampled : isWithin(traceId, ratio)
  }
  return Tracer.make({
    span: (name, parent, context, links, startTime, kind) => {
      if (!isKept(parent)) return dropped(name, parent, context, startTime, kind)
      const span = tracer.span(name, parent, context, links, startTime, kind)
      const end = span.end.bind(span)
      span.end = (endTime, exit) => end(endTime, bare(exit))
      const attribute = span.attribute.bind(span)
      span.attribute = (key, value) => {
        if (!isUntold(key)) attribute(key, key === "url.full" ? addressOf(value) : value)
      }
      return span
    },
    context: tracer.context
  })
}

const withoutMarks = (span: unknown): unknown => {
  if (!Predicate.hasProperty(span, "attributes") || !Array.isArray(span.attributes)) return span
  return {
    ...span,
    attributes: span.attributes.filter((attribute) => !marks.has(String(Object(attribute).key)))
  }
}

/** The exporter puts two of them on every failure, as if it had been interrupted; the third is a stack. */
const marks: ReadonlySet<string> = new Set(["span.label", "status.interrupted", "code.stacktrace"])

const listOf = (holder: unknown, name: string): ReadonlyArray<unknown> => {
  const list: unknown = Object(holder)[name]
  return Array.isArray(list) ? list : []
}

const cleaned = (data: unknown): unknown => ({
  resourceSpans: listOf(data, "resourceSpans").map((of) => ({
    ...Object(of),
    scopeSpans: listOf(of, "scopeSpans").map((scope) => ({
      ...Object(scope),
      spans: listOf(scope, "spans").map(withoutMarks)
    }))
  }))
})

/**
 * The same way of writing, without what the exporter wrongly says of failures.
 *
 * @since 0.1.0
 * @category combinators
 */
export const written = (
  context: Context.Context<OtlpSerialization.OtlpSerialization>
): Context.Context<OtlpSerialization.OtlpSerialization> => {
  const serialization = Context.get(context, OtlpSerialization.OtlpSerialization)
  return Context.make(OtlpSerialization.OtlpSerialization, {
    ...serialization,
    traces: (data) => serialization.traces(cleaned(data))
  })
}
