/**
 * Turns requests away over HTTP when the process has too much to do: all of them
 * before anything is read, or some once it is known what they ask for.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Overload } from "../../policy/Overload.js"
import type { McpServer } from "../../server/McpServer.js"
import * as Telemetry from "../../telemetry/Telemetry.js"
import * as Gate from "./HttpGate.js"
import * as HttpOutput from "./HttpOutput.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Shedding {
  /** The refusal of every request, while none is let in. */
  readonly any: () => Gate.Rejection | undefined
  /** The headers of a 503 for this message, names and values in turn; `undefined` when it is let in. */
  readonly one: (message: unknown) => ReadonlyArray<string> | undefined
}

/**
 * What a client is told that was turned away.
 *
 * @since 0.1.0
 * @category constants
 */
export const words = "The server has too much to do"

const reasons: ReadonlyMap<string, string> = new Map([
  [words, "overload"],
  [Gate.closed.reason, "stopping"]
])

/**
 * Why a request was answered 503, as one of four labels: `overload`, `stopping`,
 * `full` where there are too many calls or streams, or `other`.
 *
 * @since 0.1.0
 * @category accessors
 */
export const labelOf = (reason: string): string =>
  reasons.get(reason) ?? (/^too many /iu.test(reason) ? "full" : Telemetry.other)

const headers = (milliseconds: number): ReadonlyArray<string> => [
  "retry-after",
  String(Math.max(1, Math.ceil(milliseconds / 1000)))
]

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  overload: Context.Tag.Service<Overload>,
  server: Pick<Context.Tag.Service<McpServer>, "priority" | "turnedAway">
): Shedding => ({
  any: () => {
    const wait = overload.turnsAway("critical")
    if (!(wait > 0)) return undefined
    server.turnedAway()
    return { ...Gate.reject(503, words, headers(wait)), body: HttpOutput.failure(503, undefined, words).body ?? "" }
  },
  one: (message) => {
    // Nothing is looked up while all is well.
    if (overload.turnsAway("background") === 0) return undefined
    const priority = server.priority(message)
    const wait = priority === undefined ? 0 : overload.turnsAway(priority)
    return wait > 0 ? headers(wait) : undefined
  }
})

/**
 * By the `Overload` that is around; `undefined` where there is none.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromContext = (
  server: Pick<Context.Tag.Service<McpServer>, "priority" | "turnedAway">
): Effect.Effect<Shedding | undefined> =>
  Effect.map(
    Effect.serviceOption(Overload),
    (overload) => Option.isNone(overload) ? undefined : make(overload.value, server)
  )
