/**
 * What the nodes of a Redis Cluster say of each other: which of them has which
 * slots, and where a command belongs that was sent to the wrong one.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as RedisSlot from "./RedisSlot.js"

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
 * moved, this command alone is to be put to another node, the keys are just
 * being moved, or the node names a place where nobody can be.
 *
 * @since 0.1.0
 * @category models
 */
export type Redirect =
  | { readonly _tag: "Moved"; readonly slot: number; readonly to: Place }
  | { readonly _tag: "Ask"; readonly to: Place }
  | { readonly _tag: "TryAgain" }
  | { readonly _tag: "Nowhere" }

/**
 * A cluster has no more nodes with slots than this; Redis' own makers advise
 * against more.
 *
 * @since 0.1.0
 * @category constants
 */
export const maxOwners = 1000

const Port = Schema.Int.pipe(Schema.between(1, 65_535))

const Slot = Schema.Int.pipe(Schema.between(0, RedisSlot.count - 1))

const Owner = Schema.Tuple([Schema.NullOr(Schema.String), Port], Schema.Unknown)

/** What is said of a replica may be wrong without harm: it is asked only when nobody else answers. */
const Replica = Schema.Tuple([Schema.NullOr(Schema.String), Schema.Number], Schema.Unknown)

const Slots = Schema.NonEmptyArray(Schema.Tuple([Slot, Slot, Owner], Replica)).pipe(
  Schema.filter((ranges) => ranges.every(([first, last]) => first <= last)),
  Schema.filter((ranges) => new Set(ranges.map(([, , [host, port]]) => `${host} ${port}`)).size <= maxOwners)
)

const isPort = Schema.is(Port)

const decodeSlots = Schema.decodeUnknownOption(Slots)

/** A node that does not know its own name leaves it out: it is where it was found. */
const placeOf = (host: string | null, port: number, asked: string): Place => ({
  host: host === null || host === "" || host === "?" ? asked : host,
  port
})

/**
 * Reads the reply to `CLUSTER SLOTS` of the node at `asked`; `None` when it is
 * something else, when any of it cannot be, or when the node knows of no slots.
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
      replicas: replicas.filter(([, port]) => isPort(port)).map(([host, port]) => placeOf(host, port, asked))
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
  if (!/^(MOVED|ASK) /u.test(error.message)) return undefined
  const [, kind, slot, host = "", port] = /^(MOVED|ASK) (\d+) (.*):(\d+)$/u.exec(error.message) ?? []
  if (!isPort(Number(port))) return { _tag: "Nowhere" }
  const to = placeOf(host, Number(port), asked)
  return kind === "MOVED" ? { _tag: "Moved", slot: Number(slot), to } : { _tag: "Ask", to }
}
