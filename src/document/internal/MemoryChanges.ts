/**
 * Numbers the changes of the store in memory, keeps the latest, and hands them to
 * those who follow.
 *
 * A follower is a place in what is kept and takes what comes after it when it is
 * ready; nothing is queued for it.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

/**
 * @since 0.1.0
 * @category models
 */
export interface Change {
  readonly tenant: string
  readonly revision: number
  readonly documentId: string
  readonly kind: "indexed" | "removed"
  readonly version?: number | undefined
  readonly changedAt: string
}

/**
 * What should come next is not kept any more, or what was seen never was.
 *
 * @since 0.1.0
 * @category models
 */
export interface Expired {
  readonly _tag: "Expired"
  /** The lowest revision after which everything is kept. */
  readonly oldest: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface MemoryChanges {
  /** Gives a change its revision; whoever waits for it is woken. */
  readonly publish: (tenant: string, change: Pick<Change, "documentId" | "kind" | "version" | "changedAt">) => void
  /** The tenant's last revision, 0 before the first. */
  readonly revision: (tenant: string) => number
  /** Every tenant that ever changed. */
  readonly tenants: () => Iterable<string>
  /** The tenant's latest changes, in order. */
  readonly kept: (tenant: string) => ReadonlyArray<Change>
  /** Goes on after changes of an earlier process, of which the latest are given. */
  readonly restore: (tenant: string, revision: number, kept: ReadonlyArray<Change>) => void
  /** One tenant's changes after a revision, or after the last when the stream is run. */
  readonly of: (tenant: string, after: number | undefined) => Stream.Stream<Change, Expired>
  /** Every tenant's changes from when the stream is run. */
  readonly all: Stream.Stream<Change, Expired>
}

/** At most this many are handed over at once. */
const pageSize = 256

/** Numbered from `first` on without a gap; the latest `most` are kept. */
class Log {
  readonly #items: Array<Change> = []
  readonly #waiting = new Set<() => void>()
  readonly #most: number
  /** The number of the first that was ever kept, and of the last. */
  #first = 1
  last = 0

  constructor(most: number) {
    this.#most = most
  }

  /** The lowest number after which everything is kept. */
  get oldest(): number {
    return Math.max(this.#first - 1, this.last - this.#most)
  }

  get isIdle(): boolean {
    return this.last === 0 && this.#waiting.size === 0
  }

  /** Goes on after a number, of which and of those just before it the changes are added next. */
  startAfter(number: number): void {
    this.#items.length = 0
    this.#first = number + 1
    this.last = number
  }

  add(change: Change): void {
    this.#items[(this.last + 1 - this.#first) % this.#most] = change
    this.last++
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  after(number: number, count: number): ReadonlyArray<Change> {
    const found: Array<Change> = []
    for (let n = number + 1; n <= this.last && found.length < count; n++) {
      const change = this.#items[(n - this.#first) % this.#most]
      if (change !== undefined) found.push(change)
    }
    return found
  }

  readonly next: Effect.Effect<void> = Effect.async((resume) => {
    const wake = (): void => resume(Effect.void)
    this.#waiting.add(wake)
    return Effect.sync(() => this.#waiting.delete(wake))
  })
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: { /** Of each tenant. */ readonly keep: number; /** Of all tenants together. */ readonly keepAll: number }
): MemoryChanges => {
  const logs = new Map<string, Log>()
  const everything = new Log(options.keepAll)

  const logOf = (tenant: string): Log => {
    const known = logs.get(tenant)
    if (known !== undefined) return known
    const log = new Log(options.keep)
    logs.set(tenant, log)
    return log
  }

  /** A tenant that is only waited for leaves nothing behind. */
  const nextOf = (tenant: string): Effect.Effect<void> =>
    Effect.suspend(() =>
      Effect.ensuring(
        logOf(tenant).next,
        Effect.sync(() => {
          if (logs.get(tenant)?.isIdle === true) logs.delete(tenant)
        })
      )
    )

  /** The log is looked up each time: one that nobody wrote to may have been forgotten. */
  const follow = (
    start: () => number,
    log: () => Log | undefined,
    next: Effect.Effect<void>
  ): Stream.Stream<Change, Expired> => {
    const page = (after: number): Effect.Effect<Option.Option<readonly [Chunk.Chunk<Change>, number]>, Expired> =>
      Effect.suspend(() => {
        const found = log()
        const last = found?.last ?? 0
        const oldest = found?.oldest ?? 0
        if (after > last || after < oldest) return Effect.fail<Expired>({ _tag: "Expired", oldest })
        if (found === undefined || after === last) return Effect.zipRight(next, page(after))
        const changes = found.after(after, pageSize)
        return Effect.succeed(Option.some([Chunk.unsafeFromArray(changes), after + changes.length] as const))
      })
    return Stream.unwrap(Effect.sync(() => Stream.unfoldChunkEffect(start(), page)))
  }

  return {
    publish: (tenant, change) => {
      const log = logOf(tenant)
      const numbered = { tenant, revision: log.last + 1, ...change }
      log.add(numbered)
      everything.add(numbered)
    },
    revision: (tenant) => logs.get(tenant)?.last ?? 0,
    tenants: () => logs.keys(),
    kept: (tenant) => {
      const log = logs.get(tenant)
      return log === undefined ? [] : log.after(log.oldest, Infinity)
    },
    restore: (tenant, revision, kept) => {
      const log = logOf(tenant)
      log.startAfter(revision - kept.length)
      for (const change of kept) log.add(change)
    },
    of: (tenant, after) => follow(() => after ?? logs.get(tenant)?.last ?? 0, () => logs.get(tenant), nextOf(tenant)),
    all: follow(() => everything.last, () => everything, everything.next)
  }
}
