/**
 * A store in memory to put a mirror over: it counts what it is asked, and a test
 * may take it down, hold back its changes or its answers, and put another in its
 * place.
 *
 * @since 0.1.0
 */
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as MemoryStore from "causeway-mcp/document/internal/MemoryStore"
import * as MirrorDocumentStore from "causeway-mcp/document/MirrorDocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Stream from "effect/Stream"

export type Store = Context.Tag.Service<DocumentStore.DocumentStore>

type Method = "index" | "remove" | "search" | "get" | "list" | "size"

export interface Below {
  /** What the mirror is put over. */
  readonly watched: Store
  /** The same without the watching, as another process would use it; a test may put another in its place. */
  inner: Store
  isDown: boolean
  readonly calls: Record<Method, number>
  /** Run after a document was read and before it is handed over. */
  afterGet: (id: string) => Effect.Effect<void>
  /** Run before anything is asked. */
  before: (method: Method) => Effect.Effect<void, DocumentStore.DocumentStoreError>
  /** Closed, it holds back the changes that the mirror follows. */
  readonly telling: Effect.Latch
}

export const unavailable = (method: Method, cause = new Error("connection lost")) =>
  new DocumentStore.DocumentStoreError({ method, reason: new DocumentStore.Unavailable({ cause }) })

const inMemory = (keepChanges?: number) =>
  Effect.map(
    Embedder.Embedder,
    (embedder) => DocumentStore.overMemory(MemoryStore.make({ embedder, keepChanges }))
  )

/** An empty store. */
export const empty = inMemory()

export const below = (keepChanges?: number): Effect.Effect<Below, never, Embedder.Embedder> =>
  Effect.map(inMemory(keepChanges), (inner) => {
    const ask = <A>(
      method: Method,
      call: (store: Store) => Effect.Effect<A, DocumentStore.DocumentStoreError>
    ): Effect.Effect<A, DocumentStore.DocumentStoreError> =>
      Effect.suspend(() => {
        self.calls[method]++
        return self.isDown
          ? Effect.fail(unavailable(method))
          : Effect.zipRight(self.before(method), Effect.suspend(() => call(self.inner)))
      })
    const watched: Store = {
      index: (tenant, documents) => ask("index", (store) => store.index(tenant, documents)),
      remove: (tenant, ids) => ask("remove", (store) => store.remove(tenant, ids)),
      search: (query) => ask("search", (store) => store.search(query)),
      get: (tenant, id) => ask("get", (store) => Effect.tap(store.get(tenant, id), () => self.afterGet(id))),
      list: (tenant, options) => ask("list", (store) => store.list(tenant, options)),
      size: (tenant) => ask("size", (store) => store.size(tenant)),
      changes: (options) =>
        options?.after === undefined
          ? inner.changes(options)
          : Stream.mapChunksEffect(
            Stream.suspend(() => self.inner.changes(options)),
            (chunk) => Effect.as(self.telling.await, chunk)
          ),
      ping: Effect.void
    }
    const self: Below = {
      watched,
      inner,
      isDown: false,
      calls: { index: 0, remove: 0, search: 0, get: 0, list: 0, size: 0 },
      afterGet: () => Effect.void,
      before: () => Effect.void,
      telling: Effect.unsafeMakeLatch(true)
    }
    return self
  })

/** A mirror over it, for as long as the scope is open. */
export const over = (store: Below, options?: MirrorDocumentStore.Options) =>
  Effect.map(
    Layer.build(MirrorDocumentStore.layer(Layer.succeed(DocumentStore.DocumentStore, store.watched), options)),
    (context) => context.unsafeMap.get(DocumentStore.DocumentStore.key) as Store
  )

/** Gives files, timers and other fibers a turn. */
export const everyoneElse = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** Everything that can be done without time passing. */
export const settled = Effect.repeatN(everyoneElse, 60)

export interface Answer {
  readonly by: "memory" | "below"
  readonly hits: ReadonlyArray<DocumentStore.Hit>
  /** The texts of the hits, in order. */
  readonly texts: ReadonlyArray<string>
}

/** Searches the tenant `t`, and says who answered. */
export const ask = (
  mirror: Store,
  store: Below,
  text: string,
  query: Partial<DocumentStore.Query> = {}
): Effect.Effect<Answer, DocumentStore.DocumentStoreError> =>
  Effect.suspend(() => {
    const before = store.calls.search
    return Effect.map(mirror.search({ tenant: "t", text, limit: 100, ...query }), (hits): Answer => ({
      by: store.calls.search === before ? "memory" : "below",
      hits,
      texts: hits.map(({ passage }) => passage.text)
    }))
  })

/** Searches until memory answers, in no time. */
export const copied = (mirror: Store, store: Below, tenant = "t") =>
  ask(mirror, store, "anything", { tenant }).pipe(
    Effect.zipLeft(everyoneElse),
    Effect.repeat({ until: ({ by }) => by === "memory", times: 2_000 }),
    Effect.filterOrDieMessage(({ by }) => by === "memory", "the tenant was not copied")
  )

/** What is logged as a warning or worse goes into the array. */
export const logged = (lines: Array<string>) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ logLevel, message }) => {
      if (LogLevel.greaterThanEqual(logLevel, LogLevel.Warning)) lines.push(String(message))
    })
  )
