/**
 * A document store that is opened in the background, and again until it opens,
 * so that a database that is down, or falls silent later, delays hardly anybody.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TimeLimit from "../policy/TimeLimit.js"
import { DocumentStore, DocumentStoreError, Unavailable } from "./DocumentStore.js"
import * as StoreWatch from "./internal/StoreWatch.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options<E> {
  /**
   * How long from the start on questions wait for the store to open before they fail `Unavailable`; 2 seconds unless
   * given. Later ones fail at once until it opens.
   */
  readonly patience?: Duration.DurationInput | undefined
  /**
   * Succeeds while the store's server lives, without the connections that questions wait for: `ping` of a
   * `PgListener`. With it a store that falls silent fails those who wait within 0.8 seconds and all others at once,
   * until it speaks again; without it each waits for its own time.
   */
  readonly isAlive?: Effect.Effect<void, unknown> | undefined
  /** Told of the first failure to open, and of each that follows a different one. */
  readonly onFailure?: ((error: E) => Effect.Effect<void>) | undefined
}

/** Half a second at first, two seconds at most, for ever: the store may come back at any time. */
const reopening = Schedule.union(Schedule.jittered(Schedule.exponential("500 millis")), Schedule.spaced("2 seconds"))

type Store = Context.Tag.Service<DocumentStore>
type Method = DocumentStoreError["method"]

const unavailable = (method: Method): DocumentStoreError =>
  new DocumentStoreError({ method, reason: new Unavailable({}) })

/** The store, without waiting for it when it is silent. Who follows changes waits through outages. */
const watched = (store: Store, isAlive: Effect.Effect<void, unknown>): Effect.Effect<Store, never, Scope.Scope> =>
  Effect.map(StoreWatch.make([store.ping, isAlive]), ({ ask }) => {
    const asking = <A>(method: Method, effect: Effect.Effect<A, DocumentStoreError>) =>
      ask(effect, () => unavailable(method))
    return DocumentStore.of({
      index: (tenant, documents) => asking("index", store.index(tenant, documents)),
      remove: (tenant, ids) => asking("remove", store.remove(tenant, ids)),
      search: (query) => asking("search", store.search(query)),
      get: (tenant, id) => asking("get", store.get(tenant, id)),
      list: (tenant, options) => asking("list", store.list(tenant, options)),
      size: (tenant) => asking("size", store.size(tenant)),
      changes: store.changes,
      ping: asking("ping", store.ping)
    })
  })

/**
 * Opens `inner` in the background, with two seconds at most between attempts.
 * Until it is open, its methods fail as `Unavailable` when `patience` is over, or
 * the caller's `TimeLimit` when that is sooner, and who follows changes waits for
 * as long as it takes. With `isAlive` nobody waits for a store that has fallen
 * silent. A defect is logged and ends the attempts. Closing the scope closes
 * whatever was opened.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E, R>(
  inner: Layer.Layer<DocumentStore, E, R>,
  options: Options<E> = {}
): Layer.Layer<DocumentStore, never, R> =>
  Layer.scoped(
    DocumentStore,
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      const opened = yield* Deferred.make<Store>()
      const now = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)
      const patient = (yield* now) + Duration.toMillis(options.patience ?? "2 seconds")
      let lastReport = ""
      let store: Store | undefined

      const report = (error: E): Effect.Effect<void> => {
        const words = String(error)
        if (words === lastReport) return Effect.void
        lastReport = words
        return options.onFailure?.(error) ?? Effect.logWarning(`The document store did not open: ${words}`)
      }

      const open = Effect.gen(function*() {
        const attempt = yield* Scope.fork(scope, ExecutionStrategy.sequential)
        const context = yield* Layer.buildWithScope(inner, attempt).pipe(
          Effect.onError((cause) => Scope.close(attempt, Exit.failCause(cause)))
        )
        const { isAlive } = options
        const built = Context.get(context, DocumentStore)
        store = isAlive === undefined ? built : yield* watched(built, isAlive).pipe(Scope.extend(attempt))
        yield* Deferred.succeed(opened, store)
      })

      yield* open.pipe(
        Effect.tapError(report),
        Effect.retry(reopening),
        // A defect ends this fiber, which nobody awaits: without a word the store would stay shut and no log say why.
        Effect.tapDefect((defect) =>
          Effect.logError("The document store did not open, and is not tried again until the program restarts", defect)
        ),
        Effect.forkScoped
      )

      const whenOpen = <A>(
        method: Method,
        ask: (store: Store) => Effect.Effect<A, DocumentStoreError>
      ): Effect.Effect<A, DocumentStoreError> =>
        Effect.suspend(() =>
          store !== undefined ? ask(store) : Effect.zipWith(
            TimeLimit.remaining,
            now,
            (left, at) => Math.max(0, Math.min(left, patient - at))
          ).pipe(
            Effect.flatMap((left) =>
              Effect.timeoutFail(Deferred.await(opened), { duration: left, onTimeout: () => unavailable(method) })
            ),
            Effect.flatMap(ask)
          )
        )

      return DocumentStore.of({
        index: (tenant, documents) => whenOpen("index", (open) => open.index(tenant, documents)),
        remove: (tenant, ids) => whenOpen("remove", (open) => open.remove(tenant, ids)),
        search: (query) => whenOpen("search", (open) => open.search(query)),
        get: (tenant, id) => whenOpen("get", (open) => open.get(tenant, id)),
        list: (tenant, options) => whenOpen("list", (open) => open.list(tenant, options)),
        size: (tenant) => whenOpen("size", (open) => open.size(tenant)),
        // Who follows waits through outages, and this is one.
        changes: (options) => Stream.unwrap(Effect.map(Deferred.await(opened), (open) => open.changes(options))),
        ping: whenOpen("ping", (open) => open.ping)
      })
    })
  )
