/**
 * A `SqlClient` on PGlite: Postgres inside this process, on a directory or in
 * memory, for when there is no server.
 *
 * There is one session, and statements take turns on it. A statement that runs
 * cannot be interrupted and holds the event loop, which gets a turn after each;
 * a stream is read whole before its first row is emitted, since a cursor would
 * keep the session from everyone else, its own consumer included. Acknowledged writes survive the end of the
 * process, however it ends; they are not flushed against a loss of power.
 *
 * @since 0.1.0
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as Statement from "@effect/sql/Statement"
import type { PGlite, PGliteOptions } from "@electric-sql/pglite"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as PgliteLock from "./internal/PgliteLock.js"
import * as Preparation from "./internal/Preparation.js"

/**
 * Why a PGlite directory was not opened. Nothing in it was deleted.
 *
 * @since 0.1.0
 * @category errors
 */
export class PgliteError extends Schema.TaggedError<PgliteError>("causeway/Pglite/PgliteError")("PgliteError", {
  /** The directory as it was given, absolute; `memory` for none. */
  dataDir: Schema.String,
  description: Schema.String,
  cause: Schema.optionalWith(Schema.Defect, { exact: true })
}) {
  override get message() {
    return `Pglite: ${this.description}`
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Where to keep the data; created when absent, with its parents. Without it the data is in memory and goes with the scope. */
  readonly dataDir?: string | undefined
}

/** Beside the lock, so that a mounted volume holds both. */
const databaseName = "postgres"
const lockName = "causeway.lock"

const load = (dataDir: string) =>
  Effect.tryPromise({
    try: () => Promise.all([import("@electric-sql/pglite"), import("@electric-sql/pglite-pgvector")]),
    catch: (cause) =>
      new PgliteError({
        dataDir,
        description:
          "the packages @electric-sql/pglite and @electric-sql/pglite-pgvector cannot be loaded; install both",
        cause
      })
  })

type Packages = Effect.Effect.Success<ReturnType<typeof load>>

/**
 * Sends bytes as they are, in the binary format, whatever a parameter's type:
 * what node-postgres does with a `Buffer`.
 */
const sendBytes = (db: PGlite): void => {
  for (const [type, serialize] of Object.entries(db.serializers)) {
    db.serializers[type] = (value: unknown) =>
      // The protocol layer takes bytes; the declared type knows only of text.
      value instanceof Uint8Array ? value as unknown as string : serialize(value)
  }
}

const start = async ([pglite, pgvector]: Packages, directory: string | undefined): Promise<PGlite> => {
  const options: PGliteOptions = {
    extensions: { vector: pgvector.vector },
    // Numbers of 64 bits arrive as node-postgres gives them, so that one program reads both.
    parsers: {
      [pglite.types.INT8]: (value) => value,
      [pglite.types.BYTEA]: (value) => Buffer.from(value.slice(2), "hex")
    },
    ...(directory === undefined ? {} : { dataDir: directory })
  }
  const db = new pglite.PGlite(options)
  try {
    await db.waitReady
    sendBytes(db)
    return db
  } catch (cause) {
    // A half-open instance would keep the process alive; it says again why it failed.
    await db.close().catch(() => undefined)
    throw cause
  }
}

const unwritable = (dataDir: string) => (cause: unknown) =>
  new PgliteError({ dataDir, description: `the directory ${dataDir} cannot be created or written`, cause })

/** One folder at a time: where the system refuses to make folders, the recursive form of Node 20 tries for ever. */
const makeFolder = (path: string): void => {
  if (Fs.existsSync(path)) return
  const parent = Path.dirname(path)
  if (parent !== path) makeFolder(parent)
  try {
    Fs.mkdirSync(path)
  } catch (cause) {
    // Another process may have made it meanwhile.
    if (!Fs.existsSync(path)) throw cause
  }
}

const lock = (dataDir: string): Effect.Effect<void, PgliteError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.flatMap(
      Effect.try({
        try: () => {
          makeFolder(dataDir)
          return PgliteLock.take(Path.join(dataDir, lockName))
        },
        catch: unwritable(dataDir)
      }),
      (result) =>
        result._tag === "Taken"
          ? Effect.succeed(result)
          : Effect.fail(new PgliteError({ dataDir, description: `the directory ${dataDir} ${result.why}` }))
    ),
    (taken) => Effect.sync(taken.release)
  )

/**
 * Makes a new database under another name first, so that a process killed on
 * the way leaves nothing that looks like one.
 */
const prepare = (packages: Packages, dataDir: string, directory: string): Effect.Effect<void, PgliteError> => {
  const unfinished = `${directory}.new`
  return Effect.gen(function*() {
    if (Fs.existsSync(directory)) return
    yield* Effect.try({
      try: () => Fs.rmSync(unfinished, { recursive: true, force: true }),
      catch: unwritable(dataDir)
    })
    yield* Effect.tryPromise({
      try: async () => {
        const db = await start(packages, unfinished)
        await db.close()
        Fs.renameSync(unfinished, directory)
      },
      catch: unwritable(dataDir)
    })
  })
}

const open = (packages: Packages, dataDir: string, directory: string | undefined) =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: () => {
        if (directory !== undefined && !Fs.existsSync(Path.join(directory, "PG_VERSION"))) {
          // PGlite would make a new database over what is left of the old one.
          throw new Error("PG_VERSION is missing")
        }
        return start(packages, directory)
      },
      catch: (cause) =>
        new PgliteError({
          dataDir,
          description: directory === undefined
            ? "the database in memory cannot be started"
            : `the database in ${dataDir} is damaged or was written by another version; ` +
              "move the directory away and index the documents again",
          cause
        })
    }),
    // Unclosed, it keeps the process alive; what closing cannot do, the next opening recovers.
    (db) => Effect.ignore(Effect.tryPromise(() => db.close()))
  )

const compiler = Statement.makeCompiler({
  dialect: "pg",
  placeholder: (index) => `$${index}`,
  onIdentifier: Statement.defaultEscape("\""),
  onRecordUpdate: (placeholders, alias, columns, values, returning) => [
    `(values ${placeholders}) AS ${alias}${columns}${returning === undefined ? "" : ` RETURNING ${returning[0]}`}`,
    returning === undefined ? values.flat() : [...values.flat(), ...returning[1]]
  ],
  onCustom: (custom: Statement.Custom<string, unknown>, placeholder) => [placeholder(undefined), [custom.i0]]
})

const failed = (cause: unknown) => new SqlError({ cause, message: "Failed to execute statement" })

/** The session itself; whoever uses it holds the permit. */
const session = (db: PGlite): Connection => {
  // Uninterruptible: a statement left running would answer the next one's question.
  const run = <A>(statement: () => Promise<A>): Effect.Effect<A, SqlError> =>
    Effect.uninterruptible(Effect.zipLeft(Effect.tryPromise({ try: statement, catch: failed }), Preparation.giveWay))
  const execute: Connection["execute"] = (sql, params, transform) =>
    run(async () => {
      const { rows } = await db.query<object>(sql, [...params])
      return transform === undefined ? rows : transform(rows)
    })
  return {
    execute,
    executeUnprepared: execute,
    executeRaw: (sql, params) => run(() => db.query(sql, [...params])),
    executeValues: (sql, params) =>
      run(async () => (await db.query<ReadonlyArray<unknown>>(sql, [...params], { rowMode: "array" })).rows),
    executeStream: (sql, params, transform) =>
      Stream.unwrap(Effect.map(execute(sql, params, transform), (rows) => Stream.fromIterable(rows)))
  }
}

const guarded = (connection: Connection, semaphore: Effect.Semaphore): Connection => {
  const turn = semaphore.withPermits(1)
  const execute: Connection["execute"] = (...statement) => turn(connection.execute(...statement))
  return {
    execute,
    executeUnprepared: execute,
    executeRaw: (...statement) => turn(connection.executeRaw(...statement)),
    executeValues: (...statement) => turn(connection.executeValues(...statement)),
    executeStream: (...statement) =>
      Stream.unwrap(Effect.map(execute(...statement), (rows) => Stream.fromIterable(rows)))
  }
}

/**
 * Opens a database and closes it with the scope. A directory is open once at a
 * time, here or in any other process; the lock of a process that died is taken
 * over. A new directory takes seconds, an existing one about one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<SqlClient.SqlClient, PgliteError, Scope.Scope> =>
  Effect.gen(function*() {
    const dataDir = options.dataDir === undefined ? undefined : Path.resolve(options.dataDir)
    const name = dataDir ?? "memory"
    const packages = yield* load(name)
    let directory: string | undefined
    if (dataDir !== undefined) {
      directory = Path.join(dataDir, databaseName)
      yield* lock(dataDir)
      yield* Effect.uninterruptible(prepare(packages, dataDir, directory))
    }
    const connection = session(yield* open(packages, name, directory))
    const semaphore = yield* Effect.makeSemaphore(1)
    // Transactions keep the session until their scope ends. The client begins them uninterruptibly; the wait must not be.
    const reserve = Effect.uninterruptible(
      Effect.zipRight(
        Effect.zipRight(Effect.interruptible(semaphore.take(1)), Effect.addFinalizer(() => semaphore.release(1))),
        Effect.succeed(connection)
      )
    )
    return yield* Effect.provide(
      SqlClient.make({
        acquirer: Effect.succeed(guarded(connection, semaphore)),
        transactionAcquirer: reserve,
        compiler,
        spanAttributes: [["db.system.name", "postgresql"], ["db.namespace", "pglite"]]
      }),
      Reactivity.layer
    )
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<SqlClient.SqlClient, PgliteError> =>
  Layer.scoped(SqlClient.SqlClient, make(options))

/**
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<SqlClient.SqlClient, ConfigError.ConfigError | PgliteError> =>
  Layer.scoped(SqlClient.SqlClient, Effect.flatMap(Config.unwrap(options), make))
