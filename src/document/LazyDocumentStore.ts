/**
 * A document store that is opened in the background, and again until it opens,
 * so that a database that is down delays nobody but those who ask it.
 *
 * @since 0.1.0
 */
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

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options<E> {
  /** How long a question waits for the store to open before it fails `Unavailable`; 2 seconds unless given. */
  readonly patience?: Duration.DurationInput | undefined
  /** Told of the first failure to open, and of each that follows a different one. */
  readonly onFailure?: ((error: E) => Effect.Effect<void>) | undefined
}

/** Half a second at first, half a minute at most, for ever: the store may come back at any time. */
const reopening = Schedule.union(Schedule.jittered(Schedule.exponential("500 millis")), Schedule.spaced("30 seconds"))

type Store = Context.Tag.Service<DocumentStore>

/**
 * Opens `inner` in the background. Until it is open, its methods fail as
 * `Unavailable` after `patience`, or the caller's `TimeLimit` when that is sooner, and who follows changes waits for as long as it
 * takes. A defect is logged and ends the attempts.
 * Closing the scope closes whatever was opened.
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
      const patience = Duration.decode(options.patience ?? "2 seconds")
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
        store = Context.get(context, DocumentStore)
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
        method: DocumentStoreError["method"],
        ask: (store: Store) => Effect.Effect<A, DocumentStoreError>
      ): Effect.Effect<A, DocumentStoreError> =>
        Effect.suspend(() =>
          store !== undefined ? ask(store) : TimeLimit.remaining.pipe(
            Effect.flatMap((left) =>
              Effect.timeoutFail(Deferred.await(opened), {
                duration: Duration.min(patience, left),
                onTimeout: () => new DocumentStoreError({ method, reason: new Unavailable({}) })
              })
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
