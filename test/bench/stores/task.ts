/**
 * One task of the bench of stores, in a process of its own: to measure a store,
 * or only to open one that another process has filled.
 *
 * @since 0.1.0
 */
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as SnapshotDocumentStore from "causeway-mcp/document/SnapshotDocumentStore"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as SifEmbedder from "causeway-mcp/embedding/SifEmbedder"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Postgres from "../../integration/postgres.js"
import * as Corpus from "./corpus.js"
import * as Figures from "./figures.js"
import * as Home from "./home.js"
import * as Ingest from "./ingest.js"
import * as PostgresOnly from "./postgres.js"
import * as Search from "./search.js"

/**
 * @since 0.1.0
 */
export const stores = ["memory", "pglite", "pg15", "pg17"] as const

/**
 * @since 0.1.0
 */
export type Store = typeof stores[number]

/**
 * @since 0.1.0
 */
export interface Task {
  readonly store: Store
  /** The name of the figure when the store is only opened; measured without. */
  readonly opening: string | undefined
  readonly passages: number
  readonly queries: number
  readonly embedder: "sif" | "hash"
  readonly hnsw: boolean
  /** The package's table of words. */
  readonly table: string
  /** A folder that is removed at the end of all. */
  readonly home: string
}

/**
 * What the process of a task says: a figure, and at the end whether all was
 * found.
 *
 * @since 0.1.0
 */
export type Message = Figures.Figure | { readonly isDone: boolean }

/** DESIGN section 3: the median of a hybrid search over 10,000 passages, milliseconds. */
const budgets: { readonly [store in Store]?: number } = { memory: 5, pglite: 40, pg17: 15 }

const servers = { pg15: "PostgreSQL 15.", pg17: "PostgreSQL 17." } as const

/**
 * Why a store cannot be measured on this machine.
 *
 * @since 0.1.0
 */
export const missing = (store: Store): string | undefined => {
  if (store !== "pg15" && store !== "pg17") return undefined
  return Postgres.found.some(({ name }) => name.startsWith(servers[store]))
    ? undefined
    : `no ${servers[store].slice(0, -1)} found: name the folder of its programs in PG_BIN`
}

const megabytes = (bytes: number): number => bytes / 1_048_576

const collected = Effect.promise(async () => {
  for (let n = 0; n < 4; n++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return process.memoryUsage()
})

const snapshotOf = (home: string): string => Path.join(home, "index.snapshot")

/** What is kept in memory is written once, at the end. */
const inProcess = (store: "memory" | "pglite", home: string): Layer.Layer<
  DocumentStore.DocumentStore,
  Error,
  Embedder.Embedder
> =>
  store === "memory"
    ? SnapshotDocumentStore.layer({ path: snapshotOf(home), every: "1 day" })
    : Layer.provide(PostgresOnly.Store, Pglite.layer({ dataDir: Path.join(home, "data") }))

const settingsOf = (task: Task, report: Figures.Report) => ({
  ...task,
  report,
  corpus: Corpus.make(task.table),
  budget: budgets[task.store]
})

type Settings = ReturnType<typeof settingsOf>

/** What every store is asked; gives how many documents there are. */
const common = <E, R>(settings: Settings, tidy: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function*() {
    const { report, store } = settings
    const before = yield* collected
    const { documents, passages } = yield* Ingest.ingest(settings)
    if (store === "memory") {
      const after = yield* collected
      const of = (field: "heapUsed" | "external" | "rss"): number =>
        megabytes(after[field] - before[field]) / passages * 10_000
      const name = "memory of 10,000 passages"
      report({ name, unit: "MB", value: of("heapUsed") + of("external") })
      report({ name: `${name}: heap`, unit: "MB", value: of("heapUsed") })
      report({ name: `${name}: external`, unit: "MB", value: of("external") })
      report({ name: `${name}: resident`, unit: "MB", value: of("rss") })
    }
    yield* tidy
    yield* Search.search({ ...settings, documents })
    return documents
  })

const onServer = (store: keyof typeof servers, settings: Settings) =>
  Effect.gen(function*() {
    const { hnsw, queries, report } = settings
    const server = yield* Postgres.Server
    const database = yield* server.createDatabase
    yield* Effect.gen(function*() {
      const version = yield* PostgresOnly.vectorVersion
      report({ name: "pgvector", unit: "", note: version ?? "none" })
      if ((version === undefined) !== (store === "pg15")) {
        throw new Error(`${store} is the server ${store === "pg15" ? "without" : "with"} pgvector, and this one is not`)
      }
      const documents = yield* common(settings, PostgresOnly.tidy)
      yield* PostgresOnly.feed(database, queries, report)
      if (hnsw && store === "pg17") yield* PostgresOnly.indexed({ ...settings, documents })
    }).pipe(Effect.provide(Layer.provideMerge(PostgresOnly.Store, server.client(database))))
  })

const onServerOf = (store: keyof typeof servers, settings: Settings) => {
  const bin = Postgres.found.find(({ name }) => name.startsWith(servers[store]))?.bin
  if (bin === undefined) throw new Error(missing(store))
  return Effect.provide(onServer(store, settings), Postgres.layer(bin))
}

/** Measures a store that ends with its scope, and its ending. */
const here = (store: "memory" | "pglite", settings: Settings) =>
  Effect.gen(function*() {
    const { home, report } = settings
    let ended = 0
    const measured = Effect.map(common(settings, Effect.void), () => {
      ended = performance.now()
    })
    yield* Effect.provide(measured, inProcess(store, home))
    const millis = performance.now() - ended
    if (store === "memory") {
      report({ name: "snapshot: written in", unit: "ms", value: millis })
      report({ name: "snapshot: size", unit: "MB", value: megabytes(Fs.statSync(snapshotOf(home)).size) })
    } else report({ name: "closed in", unit: "ms", value: millis })
  })

/** Opens what is there, or a new one where nothing is. */
const opened = (store: "memory" | "pglite", name: string, { home, report }: Settings) =>
  Effect.gen(function*() {
    const [millis] = yield* Figures.timed(
      Effect.flatMap(
        Layer.build(inProcess(store, home)),
        (context) => Context.get(context, DocumentStore.DocumentStore).ping
      )
    )
    report({ name, unit: "ms", value: millis })
  }).pipe(Effect.scoped)

const measure = (settings: Settings) =>
  Effect.gen(function*() {
    const { report, store } = settings
    report(Figures.loop("fixed loop before"))
    yield* store === "memory" || store === "pglite" ? here(store, settings) : onServerOf(store, settings)
    report({ name: "this process at the end, resident", unit: "MB", value: megabytes(process.memoryUsage().rss) })
    report(Figures.loop("fixed loop after"))
  })

/**
 * Does a task and ends the process. What it finds is sent to the process that
 * started it. Where that has ended, or this one is told to end, it cleans up.
 *
 * @since 0.1.0
 */
export const main = (task: Task): void => {
  const say = (message: Message, then: () => void = () => {}) => process.send?.(message, then)
  const settings = settingsOf(task, (figure) => say(figure))
  const { opening, store } = task
  const embedder: Layer.Layer<Embedder.Embedder, Embedder.EmbedderError> = task.embedder === "sif"
    ? SifEmbedder.layer({ table: task.table })
    : Embedder.layerHash
  const work: Effect.Effect<void, unknown, Embedder.Embedder> =
    opening === undefined || store === "pg15" || store === "pg17"
      ? measure(settings)
      : opened(store, opening, settings)
  const fiber = Effect.runFork(work.pipe(
    Effect.provide(embedder),
    Logger.withMinimumLogLevel(LogLevel.Warning)
  ))
  let isOver = false
  // Nobody waits for what it finds any more.
  process.once("disconnect", () => process.exit(1))
  process.once("exit", () => {
    if (!isOver) Home.clear(task.home, process.pid)
  })
  fiber.addObserver((exit) => {
    if (Exit.isFailure(exit)) console.error(Cause.pretty(exit.cause))
    const isDone = Exit.isSuccess(exit)
    isOver = true
    say({ isDone }, () => process.exit(isDone ? 0 : 1))
  })
}
