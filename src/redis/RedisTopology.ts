/**
 * What the nodes of a Redis Cluster say of each other: which of them has which
 * slots, and where a command belongs that was sent to the wrong one.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/**
 * Where a node is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Place {
  readonly host: string
  readonly port: number
}

/**
 * Slots in a row that one node has, and the nodes that copy it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Range {
  readonly first: number
  readonly last: number
  readonly owner: Place
  readonly replicas: ReadonlyArray<Place>
}

/**
 * A node's answer that a command was not carried out, and why: the slot has
 * moved, this command alone is to be put to another node, or the keys are just
 * being moved.
 *
 * @since 0.1.0
 * @category models
 */
export type Redirect =
  | { readonly _tag: "Moved"; readonly slot: number; readonly to: Place }
  | { readonly _tag: "Ask"; readonly to: Place }
  | { readonly _tag: "TryAgain" }

const Entry = Schema.Tuple(
  [Schema.NullOr(Schema.String), Schema.Number],
  Schema.Unknown
)

const Slots = Schema.NonEmptyArray(Schema.Tuple([Schema.Number, Schema.Number, Entry], Entry))

const decodeSlots = Schema.decodeUnknownOption(Slots)

/** A node that does not know its own name leaves it out: it is where it was found. */
const placeOf = (host: string | null, port: number, asked: string): Place => ({
  host: host === null || host === "" || host === "?" ? asked : host,
  port
})

/**
 * Reads the reply to `CLUSTER SLOTS` of the node at `asked`; `None` when it is
 * something else, or when the node knows of no slots.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ranges = (reply: unknown, asked: string): Option.Option<ReadonlyArray<Range>> =>
  Option.map(decodeSlots(reply), (found) =>
    found.map(([first, last, owner, ...replicas]) => ({
      first,
      last,
      owner: placeOf(owner[0], owner[1], asked),
      replicas: replicas.map(([host, port]) => placeOf(host, port, asked))
    })))

/**
 * Where the node at `asked` sends a command on to; `undefined` when the error
 * says something else.
 *
 * @since 0.1.0
 * @category constructors
 */
export const redirect = (error: unknown, asked: string): Redirect | undefined => {
  if (!(error instanceof Error) || error.name !== "ReplyError") return undefined
  if (error.message.startsWith("TRYAGAIN")) return { _tag: "TryAgain" }
  const found = /^(MOVED|ASK) (\d+) (.*):(\d+)$/u.exec(error.message)
  if (found === null) return undefined
  const [, kind, slot, host = "", port] = found
  const to = placeOf(host, Number(port), asked)
  return kind === "MOVED" ? { _tag: "Moved", slot: Number(slot), to } : { _tag: "Ask", to }
}
