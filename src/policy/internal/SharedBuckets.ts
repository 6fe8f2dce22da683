/**
 * Takes from buckets that lie in Redis, and reads its answers strictly.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as RedisTrouble from "../../redis/RedisTrouble.js"
import * as Bucket from "./Bucket.js"
import type * as Buckets from "./Buckets.js"
import type * as LocalShare from "./LocalShare.js"
import type * as RedisDesk from "./RedisDesk.js"
import { takeScript } from "./takeScript.js"

/**
 * Takes whose keys are those of Redis.
 *
 * @since 0.1.0
 * @category models
 */
export type Takings = Arr.NonEmptyReadonlyArray<Buckets.Taking>

/**
 * @since 0.1.0
 * @category models
 */
export interface SharedBuckets {
  /** Takes after what was taken elsewhere, for each; `undefined` when a key holds something else. */
  readonly take: (
    takes: Takings,
    untold: ReadonlyArray<LocalShare.Untold>
  ) => Effect.Effect<Buckets.Taken<"shared"> | undefined, RedisTrouble.Trouble>
  /** Gives back; a negative amount takes, into debt if need be. */
  readonly give: (takes: ReadonlyArray<Buckets.Taking>) => Effect.Effect<void, RedisTrouble.Trouble>
  /** Takes from a bucket of its own, to see whether it can be done. */
  readonly probe: Effect.Effect<unknown, RedisTrouble.Trouble>
}

/**
 * @since 0.1.0
 * @category constants
 */
export const scripts: ReadonlyArray<RedisDesk.Script> = [takeScript]

const nothing: LocalShare.Untold = { least: 0, all: 0, since: 0 }

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

/** A take, and what is taken first whatever there is: in millionths, and negative to give back. */
interface Wanted extends Buckets.Taking {
  readonly before: LocalShare.Untold
}

/** What one run of the script says of its buckets. */
interface Said {
  /** The index of the bucket that refuses, or -1. */
  readonly refusedBy: number
  readonly retryAfterMs: number
  /** For each bucket, in millionths and milliseconds. */
  readonly buckets: ReadonlyArray<{ readonly missing: number; readonly fullAfterMs: number }>
}

const decode = (reply: unknown, count: number): Effect.Effect<Said | undefined, RedisTrouble.Trouble> => {
  if (Array.isArray(reply)) {
    const values: ReadonlyArray<unknown> = reply
    if (values.length === 1 && values[0] === -1) return Effect.succeed(undefined)
    if (values.length === 2 + 2 * count && values.every(isWhole) && (values[0] ?? 0) <= count) {
      const [refused = 0, retryAfterMs = 0, ...rest] = values
      return Effect.succeed({
        refusedBy: refused - 1,
        retryAfterMs,
        buckets: Arr.chunksOf(rest, 2).map(([missing, fullAfterMs = 0]) => ({ missing, fullAfterMs }))
      })
    }
  }
  return Effect.fail(new RedisTrouble.Unavailable({ cause: new Error("Redis replied with something else") }))
}

const toTaken = (takes: Takings, { buckets, refusedBy, retryAfterMs }: Said): Buckets.Taken<"shared"> => {
  const left = Arr.map(takes, ({ capacity }, index) => ({
    remaining: Bucket.tokensOf(Math.max(0, Bucket.capacityOf(capacity) - (buckets[index]?.missing ?? 0))),
    fullAfterMs: buckets[index]?.fullAfterMs ?? 0
  }))
  return refusedBy === -1
    ? { isAllowed: true, retryAfterMs: 0, buckets: left, counted: "shared" }
    : { isAllowed: false, retryAfterMs, buckets: left, refusedBy, counted: "shared" }
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (desk: RedisDesk.Desk): SharedBuckets => {
  const run = (takes: ReadonlyArray<Wanted>): Effect.Effect<Said | undefined, RedisTrouble.Trouble> =>
    Effect.flatMap(
      desk.run(
        takeScript,
        takes.map(({ key }) => key),
        takes.flatMap(({ amount, before, capacity, perSecond }) => [
          Bucket.amountOf(amount),
          Bucket.capacityOf(capacity),
          perSecond,
          before.least,
          before.all - before.least,
          before.since
        ])
      ),
      (reply) => decode(reply, takes.length)
    )

  const give: SharedBuckets["give"] = (takes) => {
    const changes = takes.map((taking): Wanted => {
      const amount = taking.amount < 0 ? Bucket.amountOf(-taking.amount) : -Bucket.amountOf(taking.amount)
      return { ...taking, amount: 0, before: { least: amount, all: amount, since: 0 } }
    })
    if (changes.length === 0) return Effect.void
    return desk.isCluster
      ? Effect.forEach(changes, (change) => run([change]), { discard: true })
      : Effect.asVoid(run(changes))
  }

  /** The buckets may lie on several nodes: what was had is given back when not all can be had. */
  const takeEach = (
    takes: ReadonlyArray<Wanted>
  ): Effect.Effect<Said | undefined, RedisTrouble.Trouble> =>
    Effect.gen(function*() {
      const had: Array<Buckets.Taking> = []
      const buckets: Array<{ readonly missing: number; readonly fullAfterMs: number }> = []
      let refusedBy = -1
      let retryAfterMs = 0
      for (const [index, taking] of takes.entries()) {
        const said = yield* Effect.tapError(run([taking]), () => give(had))
        if (said === undefined) {
          yield* give(had)
          return undefined
        }
        buckets.push(...said.buckets)
        if (said.refusedBy === -1) had.push(taking)
        else if (said.retryAfterMs > retryAfterMs) {
          refusedBy = index
          retryAfterMs = said.retryAfterMs
        }
      }
      if (refusedBy === -1) return { refusedBy, retryAfterMs, buckets }
      yield* give(had)
      return {
        refusedBy,
        retryAfterMs,
        buckets: buckets.map((bucket, index) => {
          const taking = takes[index]
          if (taking === undefined || !had.includes(taking)) return bucket
          const missing = Math.max(0, bucket.missing - Bucket.amountOf(taking.amount))
          return {
            missing,
            fullAfterMs: Math.ceil(missing / taking.perSecond / 1000)
          }
        })
      }
    })

  return {
    take: (takes, untold) => {
      const wanted = takes.map((taking, index): Wanted => ({ ...taking, before: untold[index] ?? nothing }))
      return Effect.map(
        desk.isCluster && takes.length > 1 ? takeEach(wanted) : run(wanted),
        (said) => said === undefined ? undefined : toTaken(takes, said)
      )
    },
    give,
    // No name of a bucket has an exclamation mark.
    probe: run([{ key: `${desk.prefix}!probe`, amount: 1, capacity: 1, perSecond: 1000, before: nothing }])
  }
}
