import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Chunk from "effect/Chunk"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Directory from "./directory.js"

const Client = Layer.unwrapScoped(Effect.map(Directory.prepared, (dataDir) => Pglite.layer({ dataDir })))

const lockOf = (dataDir: string) => Path.join(dataDir, "causeway.lock")

const refusal = (dataDir: string) =>
  Effect.map(Effect.scoped(Effect.either(Pglite.make({ dataDir }))), (result) => {
    assert.isTrue(Either.isLeft(result))
    return Either.isLeft(result) ? result.left : new Pglite.PgliteError({ dataDir, description: "" })
  })

/** A table of one integer column that no other test knows. */
const table = (name: string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql`create table ${sql(name)} (n integer not null)`
    return {
      sql,
      insert: (n: number) => sql`insert into ${sql(name)} ${sql.insert({ n })}`,
      rows: Effect.map(
        sql<{ readonly n: number }>`select n from ${sql(name)} order by n`,
        (rows) => rows.map((row) => row.n)
      )
    }
  })

layer(Client, { timeout: "60 seconds" })("Pglite.layer", (it) => {
  it.effect("answers with typed values, 64-bit numbers as text and bytes as bytes", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const [row] = yield* sql<{ readonly bytes: Uint8Array }>`
        select ${1}::int as n, ${9}::bigint as big, ${"ä'\""}::text as t, ${true}::bool as b,
          ${new Uint8Array([0, 255, 39])}::bytea as bytes, ${JSON.stringify({ a: [1] })}::jsonb as j`
      assert.deepStrictEqual({ ...row, bytes: [...row?.bytes ?? []] }, {
        n: 1,
        big: "9",
        t: "ä'\"",
        b: true,
        bytes: [0, 255, 39],
        j: { a: [1] }
      })
      assert.deepStrictEqual(yield* sql`select 1, 2`.values, [[1, 2]])
    }))

  it.effect("has pgvector", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`create extension if not exists vector`
      const [row] = yield* sql<{ readonly distance: number }>`select '[1,2]'::vector <-> '[1,4]'::vector as distance`
      assert.strictEqual(row?.distance, 2)
    }))

  it.effect("fails with SqlError for a wrong statement and answers the next one", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const error = yield* Effect.flip(sql`select nonsense`)
      assert.strictEqual(error._tag, "SqlError")
      assert.deepStrictEqual(yield* sql`select 1 as n`, [{ n: 1 }])
    }))

  it.effect("keeps what a transaction wrote when it succeeds", () =>
    Effect.gen(function*() {
      const { insert, rows, sql } = yield* table("kept")
      yield* sql.withTransaction(Effect.zipRight(insert(1), insert(2)))
      assert.deepStrictEqual(yield* rows, [1, 2])
    }))

  it.effect("lets timers and sockets have a turn after each statement, also within a transaction", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      let turns = 0
      const count = () => {
        turns++
        turn = setImmediate(count)
      }
      let turn = setImmediate(count)
      yield* sql.withTransaction(Effect.replicateEffect(sql`select 1`, 20, { discard: true })).pipe(
        Effect.ensuring(Effect.sync(() => clearImmediate(turn)))
      )
      assert.isAtLeast(turns, 20)
    }))

  it.effect("forgets what a transaction wrote when it fails", () =>
    Effect.gen(function*() {
      const { insert, rows, sql } = yield* table("forgotten")
      yield* Effect.exit(sql.withTransaction(Effect.zipRight(insert(1), Effect.fail("no"))))
      yield* Effect.exit(sql.withTransaction(Effect.zipRight(insert(2), sql`select nonsense`)))
      assert.deepStrictEqual(yield* rows, [])
    }))

  it.effect("undoes an inner transaction alone when only it fails", () =>
    Effect.gen(function*() {
      const { insert, rows, sql } = yield* table("nested")
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* insert(1)
        yield* Effect.exit(sql.withTransaction(Effect.zipRight(insert(2), Effect.fail("no"))))
        yield* sql.withTransaction(insert(3))
      }))
      assert.deepStrictEqual(yield* rows, [1, 3])
    }))

  it.effect("streams every row, with parameters, in and out of a transaction", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const sum = sql<{ readonly n: number }>`select n from generate_series(1, ${1_000}::int) as n`.stream.pipe(
        Stream.runFold(0, (total, { n }) => total + n)
      )
      assert.strictEqual(yield* sum, 500_500)
      assert.strictEqual(yield* sql.withTransaction(sum), 500_500)
    }))

  it.effect("streams what an insert returns", () =>
    Effect.gen(function*() {
      const { rows, sql } = yield* table("returned")
      const inserted = yield* Stream.runCollect(sql`insert into returned values (1), (2) returning n`.stream)
      assert.deepStrictEqual(Chunk.toReadonlyArray(inserted), [{ n: 1 }, { n: 2 }])
      assert.deepStrictEqual(yield* rows, [1, 2])
    }))

  it.effect("answers on after a stream that was left early or whose consumer failed", () =>
    Effect.gen(function*() {
      const { insert, rows, sql } = yield* table("left_early")
      const stream = sql`select * from generate_series(1, 1000)`.stream
      assert.strictEqual((yield* Stream.runCollect(Stream.take(stream, 3))).length, 3)
      yield* Effect.exit(Stream.runForEach(stream, () => Effect.zipRight(insert(1), Effect.fail("no"))))
      assert.deepStrictEqual(yield* rows, [1])
    }))

  it.effect("fails a stream whose statement fails midway and keeps nothing of it", () =>
    Effect.gen(function*() {
      const { rows, sql } = yield* table("midway")
      const stream = sql`
        with written as (insert into midway select 7 returning n) select 1 / (500 - m) from generate_series(1, 1000) as m`
        .stream
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Stream.runDrain(stream))))
      assert.deepStrictEqual(yield* rows, [])
    }))

  it.effect("lets the consumer of a stream ask questions of its own", () =>
    Effect.gen(function*() {
      const { insert, rows, sql } = yield* table("asked_within")
      yield* sql<{ readonly n: number }>`select * from generate_series(1, 300) as n`.stream.pipe(
        Stream.filter(({ n }) => n % 100 === 0),
        Stream.runForEach(({ n }) => n === 300 ? sql.withTransaction(insert(n)) : insert(n))
      )
      assert.deepStrictEqual(yield* rows, [100, 200, 300])
    }))

  it.effect("answers fifty questions at once, each with its own answer", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const answers = yield* Effect.forEach(
        Array.from({ length: 50 }, (_, n) => n),
        (n) => sql<{ readonly n: number }>`select ${n}::int as n`,
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(answers.map(([row]) => row?.n), Array.from({ length: 50 }, (_, n) => n))
    }))

  it.effect("runs transactions one after the other, however many are begun at once", () =>
    Effect.gen(function*() {
      const { insert, rows, sql } = yield* table("counted")
      yield* insert(0)
      const increment = sql.withTransaction(Effect.gen(function*() {
        const [n] = yield* rows
        yield* Effect.yieldNow()
        yield* sql`update counted set n = ${(n ?? 0) + 1}`
      }))
      yield* Effect.all(Array.from({ length: 20 }, () => increment), { concurrency: "unbounded" })
      assert.deepStrictEqual(yield* rows, [20])
    }))

  it.effect("shows nobody what a transaction has not committed", () =>
    Effect.gen(function*() {
      const { insert, rows, sql } = yield* table("unseen")
      const written = yield* Deferred.make<void>()
      const fiber = yield* sql.withTransaction(
        Effect.zipRight(Effect.zipRight(insert(1), Deferred.succeed(written, undefined)), Effect.fail("no"))
      ).pipe(Effect.exit, Effect.fork)
      yield* Deferred.await(written)
      assert.deepStrictEqual(yield* rows, [])
      yield* Fiber.join(fiber)
    }))

  it.effect("rolls a transaction back when it is interrupted, and answers on", () =>
    Effect.gen(function*() {
      const { insert, rows, sql } = yield* table("interrupted")
      const written = yield* Deferred.make<void>()
      const fiber = yield* sql.withTransaction(
        Effect.zipRight(Effect.zipRight(insert(1), Deferred.succeed(written, undefined)), Effect.never)
      ).pipe(Effect.fork)
      yield* Deferred.await(written)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* rows, [])
    }))

  it.effect("gives up its place in the queue when it is interrupted while waiting", () =>
    Effect.gen(function*() {
      const { insert, rows, sql } = yield* table("queued")
      const started = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      const holder = yield* sql.withTransaction(
        Effect.zipRight(Deferred.succeed(started, undefined), Deferred.await(release))
      ).pipe(Effect.fork)
      yield* Deferred.await(started)
      const waiting = yield* Effect.fork(insert(1))
      const waitingTransaction = yield* Effect.fork(sql.withTransaction(insert(2)))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(waiting)
      yield* Fiber.interrupt(waitingTransaction)
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(holder)
      assert.deepStrictEqual(yield* rows, [])
    }))
})

describe("Pglite.make", () => {
  it.scoped("keeps rows when the directory is closed and opened again", () =>
    Effect.gen(function*() {
      const dataDir = yield* Directory.prepared
      yield* Effect.scoped(Effect.gen(function*() {
        const sql = yield* Pglite.make({ dataDir })
        yield* sql`create table t as select 42 as n`
      }))
      assert.isFalse(Fs.existsSync(lockOf(dataDir)))
      const sql = yield* Pglite.make({ dataDir })
      assert.deepStrictEqual(yield* sql`select n from t`, [{ n: 42 }])
    }))

  it.scoped(
    "creates a directory with its parents, and nothing but the database and its lock in it",
    () =>
      Effect.gen(function*() {
        const dataDir = Path.join(yield* Directory.temporary, "a", "b")
        // What a process leaves that was killed while it made the database.
        Fs.mkdirSync(Path.join(dataDir, "postgres.new"), { recursive: true })
        Fs.writeFileSync(Path.join(dataDir, "postgres.new", "PG_VERSION"), "18\n")
        yield* Pglite.make({ dataDir })
        assert.deepStrictEqual(Fs.readdirSync(dataDir).sort(), ["causeway.lock", "postgres"])
      }),
    60_000
  )

  it.scoped("keeps data in memory where no directory is given", () =>
    Effect.gen(function*() {
      const sql = yield* Pglite.make({})
      yield* sql`create table t as select 42 as n`
      assert.deepStrictEqual(yield* sql`select n from t`, [{ n: 42 }])
    }), 60_000)

  it.scoped("reads its directory from a config", () =>
    Effect.gen(function*() {
      const dataDir = yield* Directory.prepared
      Fs.writeFileSync(Path.join(dataDir, "postgres", "PG_VERSION"), "9.6\n")
      const { dataDir: read } = yield* Effect.flip(Layer.build(Pglite.layerConfig({ dataDir: Config.string("DIR") })))
        .pipe(
          Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["DIR", dataDir]]))),
          Effect.flatMap((error) => "dataDir" in error ? Effect.succeed(error) : Effect.die(error))
        )
      assert.strictEqual(read, dataDir)
    }))

  it.scoped("refuses a directory that this process has open", () =>
    Effect.gen(function*() {
      const dataDir = yield* Directory.prepared
      const sql = yield* Pglite.make({ dataDir })
      const error = yield* refusal(`${dataDir}/../data`)
      assert.strictEqual(
        error.message,
        `Pglite: the directory ${dataDir} is in use by process ${process.pid}; one process may open it at a time`
      )
      assert.deepStrictEqual(yield* sql`select 1 as n`, [{ n: 1 }])
      assert.isTrue(Fs.existsSync(lockOf(dataDir)))
    }))

  it.scoped(
    "refuses a directory that another process has open, and opens it when that process was killed",
    () =>
      Effect.gen(function*() {
        const dataDir = yield* Directory.prepared
        const other = yield* Directory.program("hold", dataDir)
        assert.strictEqual(yield* other.line, "open")
        const error = yield* refusal(dataDir)
        assert.include(error.message, dataDir)
        assert.include(error.message, `process ${other.pid}`)
        yield* other.kill
        assert.isTrue(Fs.existsSync(lockOf(dataDir)))
        const sql = yield* Pglite.make({ dataDir })
        assert.deepStrictEqual(yield* sql`select 1 as n`, [{ n: 1 }])
      }),
    60_000
  )

  const holder = { pid: process.pid, host: Os.hostname(), started: "1", token: "t" }

  it.scoped("takes the lock from a dead process whose number a living one has by now", () =>
    Effect.gen(function*() {
      const dataDir = yield* Directory.prepared
      Fs.writeFileSync(lockOf(dataDir), JSON.stringify(holder))
      yield* Pglite.make({ dataDir })
    }))

  it.scoped("takes over a lock file without a holder once it is old", () =>
    Effect.gen(function*() {
      const dataDir = yield* Directory.prepared
      Fs.writeFileSync(lockOf(dataDir), "")
      assert.include((yield* refusal(dataDir)).message, "is being opened by another process")
      Fs.utimesSync(lockOf(dataDir), new Date(0), new Date(0))
      yield* Pglite.make({ dataDir })
    }))

  it.scoped("does not judge a process of another host, and says what to delete", () =>
    Effect.gen(function*() {
      const dataDir = yield* Directory.prepared
      Fs.writeFileSync(lockOf(dataDir), JSON.stringify({ ...holder, host: "elsewhere" }))
      const { message } = yield* refusal(dataDir)
      assert.include(message, "on the host elsewhere")
      assert.include(message, `delete ${lockOf(dataDir)}`)
      assert.isTrue(Fs.existsSync(lockOf(dataDir)))
    }))

  const damages: ReadonlyArray<readonly [name: string, damage: (postgres: string) => void]> = [
    [
      "whose control file is garbage",
      (postgres) => Fs.writeFileSync(Path.join(postgres, "global", "pg_control"), Buffer.alloc(8_192, 7))
    ],
    ["of another version", (postgres) => Fs.writeFileSync(Path.join(postgres, "PG_VERSION"), "9.6\n")],
    ["whose tables are gone", (postgres) => Fs.rmSync(Path.join(postgres, "base"), { recursive: true })],
    [
      "that lost its version file, without making a new one over it",
      (postgres) => Fs.rmSync(Path.join(postgres, "PG_VERSION"))
    ],
    ["whose log is garbage", (postgres) => {
      const log = Path.join(postgres, "pg_wal")
      for (const entry of Fs.readdirSync(log, { withFileTypes: true })) {
        if (entry.isFile()) Fs.writeFileSync(Path.join(log, entry.name), Buffer.alloc(100, 3))
      }
    }]
  ]

  for (const [name, damage] of damages) {
    it.scoped(`fails with a typed error for a database ${name}, and deletes nothing`, () =>
      Effect.gen(function*() {
        const dataDir = yield* Directory.prepared
        const postgres = Path.join(dataDir, "postgres")
        damage(postgres)
        const before = Fs.readdirSync(postgres)
        const error = yield* refusal(dataDir)
        assert.strictEqual(error.dataDir, dataDir)
        assert.include(error.message, `the database in ${dataDir} is damaged`)
        assert.include(error.message, "move the directory away")
        assert.includeMembers(Fs.readdirSync(postgres), before)
        assert.isFalse(Fs.existsSync(lockOf(dataDir)))
      }))
  }

  it.scoped("fails with a typed error for a directory that cannot be made", () =>
    Effect.gen(function*() {
      const file = Path.join(yield* Directory.temporary, "file")
      Fs.writeFileSync(file, "")
      for (const dataDir of [file, Path.join(file, "below")]) {
        assert.strictEqual(
          (yield* refusal(dataDir)).description,
          `the directory ${dataDir} cannot be created or written`
        )
      }
    }))
})
