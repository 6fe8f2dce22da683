/**
 * What goes wrong with model providers, as data: what is sent, and what has to
 * come of it. `FakeProvider` plays each of them for a model named `fault/NAME`.
 *
 * @since 0.1.0
 */
import * as BodyFaults from "./internal/BodyFaults.js"
import * as ContentFaults from "./internal/ContentFaults.js"
import type * as ProviderFault from "./internal/ProviderFault.js"
import type * as ProviderReply from "./internal/ProviderReply.js"
import * as ProviderWire from "./internal/ProviderWire.js"
import * as RefusalFaults from "./internal/RefusalFaults.js"
import * as StatusFaults from "./internal/StatusFaults.js"
import * as StreamFaults from "./internal/StreamFaults.js"
import * as TransportFaults from "./internal/TransportFaults.js"
import * as VectorFaults from "./internal/VectorFaults.js"

/**
 * Something a provider does, and what has to come of it: `expect` is the reason
 * that a model fails with, or that it answers. Where it answers, `flaw` is what
 * the checks of a chain are to find. Silence and slowness end by the caller's
 * own time limits, which have to be shorter than half a second for the answer
 * and than ten seconds for silence.
 *
 * @since 0.1.0
 * @category models
 */
export type Fault = ProviderFault.Fault

/**
 * Every fault by its name, for example `429-retry-after-seconds` or
 * `stream-cut-after-1-token`. Names with a status are of that status, those with
 * `stream-` show when a stream is asked for, those with `json-` when an object is.
 *
 * @since 0.1.0
 * @category faults
 */
export const faults: { readonly [name: string]: Fault } = {
  ...StatusFaults.faults,
  ...RefusalFaults.faults,
  ...TransportFaults.faults,
  ...BodyFaults.faults,
  ...StreamFaults.faults,
  ...ContentFaults.faults
}

/**
 * The faults of an endpoint for vectors by their names, for example
 * `vectors-index-twice`: those that only it has, and those of `faults` that a
 * status or the connection tells and that are errors.
 *
 * @since 0.1.0
 * @category faults
 */
export const vectorFaults: { readonly [name: string]: Fault } = {
  ...Object.fromEntries(
    Object.entries({ ...StatusFaults.faults, ...RefusalFaults.faults, ...TransportFaults.faults }).filter(
      ([, fault]) => fault.asks === "text" && fault.replies.length > 0 && fault.expect !== "answer"
    )
  ),
  ...VectorFaults.faults
}

/**
 * The model's name that plays a fault.
 *
 * @since 0.1.0
 * @category combinators
 */
export const model = (name: string): string => `${ProviderWire.faultPrefix}${name}`

/**
 * The replies of a fault on a wire, one for each request; `undefined` when there
 * is no such fault, or it does not exist on that wire.
 *
 * @since 0.1.0
 * @category combinators
 */
export const replies = (
  name: string,
  wire: ProviderReply.WireKind
): ReadonlyArray<ProviderReply.Reply> | undefined => {
  const known = wire === "embeddings" ? vectorFaults : faults
  const fault = Object.hasOwn(known, name) ? known[name] : undefined
  const found = wire === "messages"
    ? fault?.anthropic
    : wire === "chat" || wire === "embeddings"
    ? fault?.replies
    : undefined
  return found === undefined || found.length === 0 ? undefined : found
}
