/**
 * Which tenants are copied: those that are searched, as long as they are and as
 * there is room.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { DocumentStoreError } from "../DocumentStore.js"
import * as MirrorCopy from "./MirrorCopy.js"
import * as MirrorPlace from "./MirrorPlace.js"
import type { Unfit } from "./MirrorProblem.js"
import * as VectorKernel from "./VectorKernel.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options extends Pick<MirrorCopy.Surroundings, "below" | "embedder" | "every" | "idle"> {
  /** Runs what goes on in the background. */
  readonly fork: (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
  readonly maxPassages: number
  readonly maxTotalPassages: number
  readonly maxTenants: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface MirrorCopies {
  readonly get: (tenant: string) => MirrorCopy.MirrorCopy | undefined
  /** Begins to copy a tenant, if there is room and it was not found unfit a short while ago. */
  readonly want: (tenant: string, now: number) => void
  /** This process wrote documents of a tenant; of some the version alone may be another. */
  readonly wrote: (tenant: string, restamped: ReadonlyArray<string>) => void
}

/** How many tenants are copied at once. */
const atOnce = 2

/** Of so many tenants it is known that they do not fit. */
const mostRefused = 1_000

/** When a tenant that could not be copied is looked at again: after a minute, twice that, and so on, an hour at most. */
const firstPause = 60_000
const longestPause = 3_600_000
/** One that was empty may have documents any moment. */
const emptyPause = 10_000

/** A store that fails now and then is told of this often at most. */
const tellingPause = 60_000

interface Refused extends Unfit {
  readonly until: number
  readonly times: number
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): MirrorCopies => {
  const { embedder, maxPassages, maxTenants, maxTotalPassages } = options
  const copies = new Map<string, MirrorCopy.MirrorCopy>()
  const refused = new Map<string, Refused>()
  /** Let go, with memory to give back yet. */
  const leaving = new Set<MirrorCopy.MirrorCopy>()
  let isDown = false
  let toldAt = -Infinity

  const total = (): number => {
    let sum = 0
    for (const copy of copies.values()) sum += copy.weight()
    for (const copy of leaving) sum += copy.index.passages()
    return sum
  }

  const surroundings: MirrorCopy.Surroundings = {
    below: options.below,
    embedder,
    every: options.every,
    idle: options.idle,
    kernel: VectorKernel.make({ dimensions: embedder.dimensions }),
    copying: Effect.unsafeMakeSemaphore(atOnce),
    excess: (copy) =>
      copy.weight() > maxPassages
        ? `it has more than ${maxPassages} passages`
        : total() > maxTotalPassages
        ? `the copies of all tenants would have more than ${maxTotalPassages} passages`
        : undefined,
    failed: (error: DocumentStoreError) =>
      Effect.flatMap(MirrorPlace.now, (now) => {
        if (isDown || now < toldAt + tellingPause) return Effect.void
        isDown = true
        toldAt = now
        return Effect.logWarning(
          "The document store does not answer; tenants that are copied are searched in memory for as long as may be",
          error
        )
      }),
    answered: Effect.suspend(() => {
      if (!isDown) return Effect.void
      isDown = false
      return Effect.logInfo("The document store answers again")
    })
  }

  const refuse = (tenant: string, unfit: Unfit, now: number): Effect.Effect<void> => {
    const before = refused.get(tenant)
    const times = before?.kind === unfit.kind ? before.times + 1 : 0
    const pause = unfit.kind === "empty" ? emptyPause : Math.min(firstPause * 2 ** times, longestPause)
    refused.delete(tenant)
    const [oldest] = refused.keys()
    if (refused.size >= mostRefused && oldest !== undefined) refused.delete(oldest)
    refused.set(tenant, { ...unfit, until: now + pause, times })
    if (unfit.kind === "empty" || before?.why === unfit.why) return Effect.void
    const sentence = `A tenant's documents are not copied to memory, the store below answers: ${unfit.why}`
    return unfit.kind === "large" ? Effect.logInfo(sentence) : Effect.logWarning(sentence, unfit.cause)
  }

  const live = (tenant: string, copy: MirrorCopy.MirrorCopy): Effect.Effect<void> =>
    Effect.gen(function*() {
      const unfit = yield* copy.run
      copies.delete(tenant)
      leaving.add(copy)
      if (unfit === undefined) refused.delete(tenant)
      else yield* refuse(tenant, unfit, yield* MirrorPlace.now)
      yield* copy.index.clear
      leaving.delete(copy)
    }).pipe(
      // A defect ends this fiber, which nobody awaits: without a word nothing would say why there is no copy any more.
      Effect.tapDefect((defect) => {
        copy.place.lost()
        return Effect.logError(
          "The copy in memory of a tenant's documents ended, and is not made again until the program restarts",
          defect
        )
      }),
      Effect.annotateLogs("tenant", tenant)
    )

  return {
    get: (tenant) => copies.get(tenant),
    want: (tenant, now) => {
      if (copies.has(tenant) || copies.size >= maxTenants || now < (refused.get(tenant)?.until ?? 0)) return
      const copy = MirrorCopy.make(tenant, now, surroundings)
      copies.set(tenant, copy)
      options.fork(live(tenant, copy))
    },
    wrote: (tenant, restamped) => {
      copies.get(tenant)?.wrote(restamped)
      if (refused.get(tenant)?.kind === "empty") refused.delete(tenant)
    }
  }
}
