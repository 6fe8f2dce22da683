/**
 * Asks the copies of the store in turn until one answers that is fresh enough.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import { globalValue } from "effect/GlobalValue"
import * as Option from "effect/Option"
import * as TimeLimit from "../../policy/TimeLimit.js"
import type { DocumentStoreError, Origin } from "../DocumentStore.js"
import * as PgFailure from "./PgFailure.js"
import type { PgReader } from "./PgReader.js"
import type { Copy } from "./RegionCopy.js"
import type { Monitor } from "./RegionMonitor.js"
import * as RegionOutage from "./RegionOutage.js"
import * as RegionPlace from "./RegionPlace.js"
import * as RegionTokens from "./RegionTokens.js"

/**
 * What reads must see besides what this process wrote: a place in the primary's
 * log.
 *
 * @since 0.1.0
 * @category fiber refs
 */
export const after: FiberRef.FiberRef<RegionTokens.Need> = globalValue(
  "causeway/PgRegions/after",
  () => FiberRef.unsafeMake<RegionTokens.Need>(undefined)
)

/**
 * Milliseconds, all of them.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Settings {
  readonly catchUp: number
  /** A third of the time left, a second at most, unless given. */
  readonly readTimeout: number | undefined
  /** How long the first reads wait for the first copy to serve. */
  readonly patience: number
}

/**
 * @since 0.1.0
 * @category models
 */
export type Read = <A>(
  method: DocumentStoreError["method"],
  tenant: string | undefined,
  ask: (reader: PgReader) => Effect.Effect<A, DocumentStoreError>
) => Effect.Effect<{ readonly answer: A; readonly origin: Origin }, DocumentStoreError>

/**
 * Copies in the order in which reads prefer them; the primary is among them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (monitor: Monitor, preferred: ReadonlyArray<Copy>, settings: Settings): Effect.Effect<Read> =>
  Effect.map(RegionPlace.now, (startedAt) => {
    let isReady = false

    /** Those that serve, or else, when there is no primary to ask either, those that are behind: the least first. */
    const candidates = (now: number, asked: ReadonlySet<Copy>): ReadonlyArray<Copy> => {
      const states = preferred.map((copy) => ({ copy, ...copy.state(now) }))
      const serving = states.filter(({ state }) => state === "serving")
      const isWritable = serving.some(({ copy }) => copy.isSource())
      const behind = isWritable ? [] : states.filter(({ state }) => state === "behind")
        .sort((a, b) => (a.behindMillis ?? Infinity) - (b.behindMillis ?? Infinity))
      return [...serving, ...behind].map(({ copy }) => copy).filter((copy) => !asked.has(copy))
    }

    const reachesIn = (copy: Copy, need: RegionTokens.Need, millis: number): Effect.Effect<boolean> =>
      Effect.gen(function*() {
        for (let pause = 1; !copy.has(need); pause = Math.min(pause * 2, 8)) {
          yield* monitor.look(copy)
          if (copy.has(need)) break
          yield* Effect.sleep(pause)
        }
        return true
      }).pipe(
        Effect.catchAll(() => Effect.succeed(false)),
        Effect.disconnect,
        Effect.timeoutTo({ duration: millis, onSuccess: (has) => has, onTimeout: () => false })
      )

    const begun = Effect.gen(function*() {
      const now = yield* RegionPlace.now
      const left = startedAt + settings.patience - now
      const waited = yield* Effect.timeoutOption(monitor.ready, Math.max(0, Math.min(left, yield* TimeLimit.remaining)))
      isReady = Option.isSome(waited) || (yield* RegionPlace.now) >= startedAt + settings.patience
    })

    const read = Effect.fnUntraced(function*<A>(
      method: DocumentStoreError["method"],
      tenant: string | undefined,
      ask: (reader: PgReader) => Effect.Effect<A, DocumentStoreError>
    ) {
      if (!isReady) yield* begun
      const need = RegionTokens.both(
        yield* FiberRef.get(after),
        tenant === undefined ? undefined : monitor.tokens.need(tenant)
      )
      const asked = new Set<Copy>()
      let patience = settings.catchUp
      let failure = PgFailure.unavailable(method)
      for (;;) {
        const began = yield* RegionPlace.now
        const remaining = yield* TimeLimit.remaining
        const [copy, ...others] = candidates(began, asked)
        const reader = copy?.reader()
        if (copy === undefined || reader === undefined || remaining <= 0) return yield* failure
        asked.add(copy)
        if (!copy.has(need)) {
          if (patience <= 0 || need === "unknown") continue
          const reaches = yield* reachesIn(copy, need, Math.min(patience, remaining))
          patience -= (yield* RegionPlace.now) - began
          if (!reaches) continue
        }
        const askedAt = yield* RegionPlace.now
        const { behindMillis } = copy.state(askedAt)
        const limit = !others.some((other) => other.has(need))
          ? remaining
          : Math.min(settings.readTimeout ?? Math.min(1_000, remaining / 3), remaining)
        const result = yield* ask(reader).pipe(
          TimeLimit.within(limit),
          Effect.either,
          Effect.disconnect,
          limit === Infinity
            ? Effect.map((either) => either)
            : Effect.timeoutTo({ duration: limit, onSuccess: (either) => either, onTimeout: () => undefined })
        )
        const now = yield* RegionPlace.now
        if (result === undefined) {
          copy.late(now)
          continue
        }
        if (result._tag === "Right") {
          copy.answered()
          const age = behindMillis === undefined ? {} : { behindMillis: Math.round(behindMillis) }
          return { answer: result.right, origin: { region: copy.name, ...age } }
        }
        failure = result.left
        const { reason } = failure
        if (reason._tag === "Invalid" || reason._tag === "Expired") return yield* failure
        if (reason._tag !== "Unavailable") continue
        if (RegionOutage.isOutage(failure)) copy.failed(now)
        else if (RegionOutage.isLate(failure)) copy.late(now)
      }
    })

    return read
  })
