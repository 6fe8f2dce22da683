/**
 * Follows the changes that Postgres keeps: reads them page by page, and waits
 * without a connection until there are more.
 *
 * Whatever wakes a follower says no more than "this tenant has come to this
 * revision": a notification, a write of this very store, or the look at all
 * revisions that is taken every so often and whenever notifications may have
 * been missed. A follower keeps a mark for each tenant that has more, never the
 * changes themselves, so a slow one costs no memory.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TimeLimit from "../../policy/TimeLimit.js"
import type { Change } from "../DocumentStore.js"
import { DocumentStoreError, Expired } from "../DocumentStore.js"
import * as PgListener from "../PgListener.js"
import * as Filter from "./Filter.js"
import * as PgChangeLog from "./PgChangeLog.js"
import * as PgFailure from "./PgFailure.js"
import * as PgWrite from "./PgWrite.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface PgChanges {
  /** To be told that a tenant has come to a revision, or will when a transaction ends. */
  readonly reached: (tenant: number, revision: number) => void
  /** As `DocumentStore.changes`. */
  readonly follow: (
    options?: { readonly tenant: string; readonly after?: number | undefined } | undefined
  ) => Stream.Stream<Change, DocumentStoreError>
}

/** What the column of tenants' numbers holds. */
const mostTenants = 2 ** 31 - 1

/** Ten milliseconds at first, two seconds at most, for ever: the source may come back at any time. */
const waiting = Schedule.jittered(
  Schedule.union(Schedule.exponential("10 millis"), Schedule.spaced("2 seconds"))
)

interface Follower {
  /** The tenants to look at regularly. */
  readonly follows: () => ReadonlyArray<number> | "all"
  readonly reached: (tenant: number, revision: number) => void
  /** A look at all revisions was taken. */
  readonly looked: () => void
}

const expired = (oldest: number): DocumentStoreError =>
  new DocumentStoreError({ method: "changes", reason: new Expired({ oldest }) })

type Pull = Effect.Effect<Chunk.Chunk<Change>, DocumentStoreError>

/**
 * Runs outside the transaction that the fiber is in, which must not be held for
 * as long as this takes, and without the time limit of the call in which
 * following began, which does not hold for what never ends.
 */
const apart = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.mapInputContext(
    effect,
    (context: Context.Context<R>) =>
      // It is there or not, whatever the type says; nothing requires it.
      Context.omit(SqlClient.TransactionConnection)(
        context as Context.Context<R | SqlClient.TransactionConnection>
      ) as Context.Context<R>
  ).pipe(Effect.locally(TimeLimit.current, Number.POSITIVE_INFINITY))

/**
 * Begins to look and to listen, and to forget old changes; ends with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly keepChanges: Duration.DurationInput
  readonly pollEvery: Duration.DurationInput
}): Effect.Effect<PgChanges, never, SqlClient.SqlClient | Scope.Scope> =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const followers = new Set<Follower>()
    const isFollowed = Effect.unsafeMakeLatch(false)
    const isDue = Effect.unsafeMakeLatch(false)
    let isDown = false

    const ask = <A>(read: Effect.Effect<A, SqlError, SqlClient.SqlClient>): Effect.Effect<A> =>
      Effect.provideService(read, SqlClient.SqlClient, sql).pipe(
        PgFailure.within("changes", "5 seconds"),
        Effect.tapError((error) => {
          if (isDown) return Effect.void
          isDown = true
          return Effect.logWarning("The document store's changes cannot be read; trying again until they can", error)
        }),
        Effect.retry(waiting),
        // No other failure is left than that the database does not answer.
        Effect.orDie,
        Effect.tap(() => {
          if (!isDown) return Effect.void
          isDown = false
          return Effect.logInfo("The document store's changes can be read again")
        }),
        apart
      )

    const reached = (tenant: number, revision: number): void => {
      for (const follower of followers) follower.reached(tenant, revision)
    }

    const look = Effect.gen(function*() {
      const followed = new Set<number>()
      let isAll = false
      for (const follower of followers) {
        const follows = follower.follows()
        if (follows === "all") isAll = true
        else for (const tenant of follows) followed.add(tenant)
      }
      const found = isAll || followed.size > 0 ? yield* ask(PgChangeLog.reaches(isAll ? "all" : [...followed])) : []
      for (const { revision, tenant } of found) reached(tenant, revision)
      for (const follower of followers) follower.looked()
    })

    yield* Effect.timeoutOption(isDue.await, options.pollEvery).pipe(
      Effect.zipRight(isFollowed.await),
      // Whoever opens it from here on does so for what this look may not see.
      Effect.zipRight(isDue.close),
      Effect.zipRight(look),
      Effect.forever,
      Effect.forkScoped
    )

    const listener = yield* Effect.serviceOption(PgListener.PgListener)
    if (Option.isSome(listener)) {
      const stop = listener.value.listen(PgWrite.channel, (payload) => {
        const [tenant = Number.NaN, revision = Number.NaN] = payload?.split(":").map(Number) ?? []
        // Whoever may connect may notify: what is no tenant's number would fail in the statement that reads on.
        if (tenant > 0 && tenant <= mostTenants && Number.isSafeInteger(tenant) && Number.isSafeInteger(revision)) {
          reached(tenant, revision)
        } else isDue.unsafeOpen()
      })
      yield* Effect.addFinalizer(() => Effect.sync(stop))
    }

    const keep = Duration.toMillis(options.keepChanges)
    if (Number.isFinite(keep)) {
      yield* Clock.currentTimeMillis.pipe(
        Effect.flatMap((now) => PgChangeLog.trim(now - keep)),
        apart,
        Effect.timeout("1 minute"),
        Effect.catchAll((error) => Effect.logWarning("The document store could not forget old changes", error)),
        Effect.zipRight(Effect.sleep(Math.min(Math.max(keep / 8, 1_000), 600_000))),
        Effect.forever,
        Effect.forkScoped
      )
    }

    const joined = (follower: Follower) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          followers.add(follower)
          isFollowed.unsafeOpen()
        }),
        () =>
          Effect.sync(() => {
            followers.delete(follower)
            if (followers.size === 0) isFollowed.unsafeClose()
          })
      )

    const one = Effect.fnUntraced(function*(name: string, given: number | undefined) {
      const stir = Effect.unsafeMakeLatch(true)
      let after = given
      let tenant: number | undefined
      let newest = 0
      yield* joined({
        follows: () => tenant === undefined ? [] : [tenant],
        reached: (number, revision) => {
          if (tenant === undefined ? number > newest : number === tenant && revision > (after ?? 0)) stir.unsafeOpen()
        },
        looked: () => {
          if (tenant === undefined) stir.unsafeOpen()
        }
      })
      const pull: Pull = Effect.gen(function*() {
        for (;;) {
          yield* stir.await
          // Whoever stirs from here on does so for what the statement below may not see.
          stir.unsafeClose()
          if (tenant === undefined || after === undefined) {
            const found = yield* ask(PgChangeLog.find(name))
            newest = found.newest
            tenant = found.reach?.tenant
            // What is not there yet has no changes before it.
            after ??= found.reach?.revision ?? 0
            if (tenant === undefined) {
              if (after > 0) return yield* expired(0)
              continue
            }
          }
          const page = yield* ask(PgChangeLog.page(tenant, after))
          if (page._tag === "Absent") return yield* expired(0)
          if (page._tag === "Gone") return yield* expired(page.oldest)
          const last = page.changes.at(-1)
          if (last === undefined) continue
          after = last.revision
          if (page.changes.length === PgChangeLog.pageSize) stir.unsafeOpen()
          return Chunk.unsafeFromArray(page.changes)
        }
      })
      return pull
    })

    const all = Effect.gen(function*() {
      const stir = Effect.unsafeMakeLatch(true)
      const after = new Map<number, number>()
      const more = new Set<number>()
      const start = yield* ask(PgChangeLog.reaches("all"))
      for (const { revision, tenant } of start) after.set(tenant, revision)
      yield* joined({
        follows: () => "all",
        reached: (tenant, revision) => {
          if (revision <= (after.get(tenant) ?? 0)) return
          more.add(tenant)
          stir.unsafeOpen()
        },
        looked: () => undefined
      })
      // Since the start was read, a change may have gone by unheard.
      isDue.unsafeOpen()
      const pull: Pull = Effect.gen(function*() {
        for (;;) {
          yield* stir.await
          stir.unsafeClose()
          for (const tenant of more) {
            more.delete(tenant)
            const page = yield* ask(PgChangeLog.page(tenant, after.get(tenant) ?? 0))
            if (page._tag === "Absent") {
              // One that was never seen may be in a transaction that is still open, or in somebody else's notification.
              if (!after.has(tenant)) continue
              return yield* expired(0)
            }
            if (page._tag === "Gone") return yield* expired(page.oldest)
            const last = page.changes.at(-1)
            if (last === undefined) continue
            after.set(tenant, last.revision)
            // Behind the others, so that a busy tenant does not keep them waiting.
            if (page.changes.length === PgChangeLog.pageSize) more.add(tenant)
            if (more.size > 0) stir.unsafeOpen()
            return Chunk.unsafeFromArray(page.changes)
          }
        }
      })
      return pull
    })

    const follow: PgChanges["follow"] = (options) => {
      if (options === undefined) return Stream.unwrapScoped(Effect.map(all, Stream.repeatEffectChunk))
      const { after, tenant } = options
      if (after !== undefined && !(Number.isSafeInteger(after) && after >= 0)) {
        return Stream.fail(PgFailure.invalid("changes", "after is no revision: give a whole number from 0"))
      }
      return Filter.isStorable(tenant)
        ? Stream.unwrapScoped(Effect.map(one(tenant, after), Stream.repeatEffectChunk))
        : Stream.never
    }

    return { reached, follow }
  })
