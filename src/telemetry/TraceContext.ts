/**
 * Reads and writes a trace's context as the W3C has it: `traceparent` and
 * `tracestate`. What breaks a rule counts as absent.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

/**
 * Where a request stands in a trace.
 *
 * @since 0.1.0
 * @category models
 */
export interface TraceContext {
  /** 32 hexadecimal digits in lower case, not all of them 0. */
  readonly traceId: string
  /** 16 of the same. */
  readonly spanId: string
  readonly isSampled: boolean
  /** What tracing systems on the way have noted, as one line of at most 512 characters. */
  readonly state?: string | undefined
}

/**
 * The keys under a request's `_meta`, which are the names of the HTTP headers too.
 *
 * @since 0.1.0
 * @category constants
 */
export const keys = { parent: "traceparent", state: "tracestate" } as const

const parentForm =
  /^(?<version>[0-9a-f]{2})-(?<traceId>[0-9a-f]{32})-(?<spanId>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?<rest>-.*)?$/u

const maxParent = 256
const maxState = 512
const maxMembers = 32

const zeros = /^0+$/u

const stateKey = /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})$/u
const stateValue = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/u

/** The list with nothing between its members, or `undefined` when it breaks a rule. */
const normal = (text: string): string | undefined => {
  const members = text.split(",").map((member) => member.replace(/^[ \t]{1,512}|[ \t]{1,512}$/gu, ""))
  const given = members.filter((member) => member !== "")
  if (given.length === 0 || given.length > maxMembers) return undefined
  const seen = new Set<string>()
  for (const member of given) {
    const at = member.indexOf("=")
    const key = member.slice(0, Math.max(0, at))
    if (!stateKey.test(key) || seen.has(key) || !stateValue.test(member.slice(at + 1))) return undefined
    seen.add(key)
  }
  return given.join(",")
}

/**
 * Reads both; `undefined` when `traceparent` is no such thing. A `tracestate` that
 * breaks a rule, or has more than 512 characters, is left out. A later version
 * than 00 is read as far as it is known.
 *
 * @since 0.1.0
 * @category constructors
 */
export const parse = (traceparent: unknown, tracestate?: unknown): TraceContext | undefined => {
  if (typeof traceparent !== "string" || traceparent.length > maxParent) return undefined
  const groups = parentForm.exec(traceparent)?.groups
  if (groups === undefined) return undefined
  const { flags = "", rest, spanId = "", traceId = "", version } = groups
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined
  if (zeros.test(traceId) || zeros.test(spanId)) return undefined
  const isSampled = (Number.parseInt(flags, 16) & 1) === 1
  const state = typeof tracestate === "string" && tracestate.length <= maxState ? normal(tracestate) : undefined
  return { traceId, spanId, isSampled, ...(state === undefined ? {} : { state }) }
}

/**
 * Writes a `traceparent` of version 00.
 *
 * @since 0.1.0
 * @category constructors
 */
export const format = ({ isSampled, spanId, traceId }: TraceContext): string =>
  `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`

/**
 * What a request's `_meta` says; `undefined` when it says nothing that holds.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromMeta = (meta: { readonly [key: string]: unknown }): TraceContext | undefined =>
  Object.hasOwn(meta, keys.parent)
    ? parse(meta[keys.parent], Object.hasOwn(meta, keys.state) ? meta[keys.state] : undefined)
    : undefined

/**
 * The `tracestate` of a span that came from outside.
 *
 * @since 0.1.0
 * @category tags
 */
export class State extends Context.Tag("causeway/TraceState")<State, string>() {}

/**
 * The context as a span of somebody else's, for a parent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const toSpan = ({ isSampled, spanId, state, traceId }: TraceContext): Tracer.ExternalSpan =>
  Tracer.externalSpan({
    traceId,
    spanId,
    sampled: isSampled,
    ...(state === undefined ? {} : { context: Context.unsafeMake(new Map([[State.key, state]])) })
  })

const hexTrace = /^[0-9a-f]{32}$/u
const hexSpan = /^[0-9a-f]{16}$/u

const stateOf = (span: Tracer.AnySpan): string | undefined => {
  let at: Tracer.AnySpan | undefined = span
  for (let depth = 0; at !== undefined && depth < 64; depth++) {
    if (at._tag === "ExternalSpan") return Option.getOrUndefined(Context.getOption(at.context, State))
    at = Option.getOrUndefined(at.parent)
  }
  return undefined
}

/**
 * The context that goes on from a span; `undefined` when its ids are none that the
 * W3C knows. The state is the one that came with the trace.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromSpan = (span: Tracer.AnySpan): TraceContext | undefined => {
  const { sampled, spanId, traceId } = span
  if (!hexTrace.test(traceId) || !hexSpan.test(spanId)) return undefined
  const state = stateOf(span)
  return { traceId, spanId, isSampled: sampled, ...(state === undefined ? {} : { state }) }
}

/**
 * The members for the `_meta` of a request to another server.
 *
 * @since 0.1.0
 * @category constructors
 */
export const toMeta = (context: TraceContext): { readonly traceparent: string; readonly tracestate?: string } => ({
  traceparent: format(context),
  ...(context.state === undefined ? {} : { tracestate: context.state })
})
