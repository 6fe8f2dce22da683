/**
 * Read replicas of the temporary servers of `postgres.ts`, and what happens to
 * servers: they are killed, started again, promoted.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { promisify } from "node:util"
import * as Postgres from "./postgres.js"

/** A server that can be hurt. */
export interface Victim {
  readonly port: number
  readonly client: (database: string) => Layer.Layer<SqlClient.SqlClient, SqlError>
  /** One statement, on a connection of its own. */
  readonly query: (statement: string) => Effect.Effect<ReadonlyArray<{ readonly [column: string]: unknown }>, SqlError>
  /** With -9: nothing is tidied up. Done when nothing is left of it, without which it would not start again. */
  readonly kill: Effect.Effect<void>
  readonly start: Effect.Effect<void>
  /** Holds it up, as a network that swallows everything would, until `resume`. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
}

/** The main process and its children, which need a moment to notice that it is gone. */
const family = (data: string): ReadonlyArray<number> => {
  const file = Path.join(data, "postmaster.pid")
  if (!Fs.existsSync(file)) return []
  const main = Number(Fs.readFileSync(file, "utf8").split("\n")[0])
  const children = Fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      const [, parent] = /^\d+ \(.*\) \S (\d+) /.exec(Fs.readFileSync(`/proc/${pid}/stat`, "utf8")) ?? []
      return Number(parent) === main
    } catch {
      return false
    }
  })
  return [main, ...children.map(Number)]
}

const signal = (pids: ReadonlyArray<number>, name: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void => {
  for (const pid of pids) {
    try {
      process.kill(pid, name)
    } catch {
      // it is gone already
    }
  }
}

/** Looks often: what is measured are moments. */
export const soon = Schedule.spaced("10 millis")

export const victim = (process: Postgres.Process): Victim => {
  const { data, port } = process
  const client = (database: string) =>
    PgClient.layer({ host: "127.0.0.1", port, username: "postgres", database, maxConnections: 8 })
  let paused: ReadonlyArray<number> = []
  return {
    port,
    client,
    query: (statement) =>
      Effect.flatMap(
        SqlClient.SqlClient,
        (sql) => sql.unsafe<{ readonly [column: string]: unknown }>(statement)
      ).pipe(Effect.provide(client("postgres"))),
    kill: Effect.gen(function*() {
      const pids = family(data)
      signal(pids, "SIGKILL")
      yield* Effect.repeat(Effect.sync(() => pids.some((pid) => Fs.existsSync(`/proc/${pid}`))), {
        schedule: soon,
        until: (isLeft) => !isLeft
      })
    }),
    start: Effect.asVoid(Postgres.started(process)),
    pause: Effect.sync(() => signal(paused = family(data), "SIGSTOP")),
    resume: Effect.sync(() => signal(paused, "SIGCONT"))
  }
}

/** A replica of a server, streaming from it; it is stopped with the scope. */
export const replica = (of: Postgres.Process): Effect.Effect<Victim, SqlError, Scope.Scope> =>
  Effect.gen(function*() {
    const as = Postgres.user()
    const home = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const path = Fs.mkdtempSync(Path.join(Os.tmpdir(), "causeway-pg-"))
        if (as !== undefined) Fs.chownSync(path, as.uid, as.gid)
        return path
      }),
      (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
    )
    const data = Path.join(home, "data")
    const run = (program: string, ...args: ReadonlyArray<string>) =>
      Effect.tryPromise(() => promisify(execFile)(program, args, { ...as, cwd: Os.tmpdir() }))
    const write = (name: string, text: string) =>
      run("sh", "-c", `cat >> "$0" <<'END'\n${text}\nEND`, Path.join(data, name)).pipe(Effect.orDie)
    // Not every installation has pg_basebackup; this is what it does.
    const label = yield* Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      return yield* sql.withTransaction(Effect.gen(function*() {
        yield* sql`select pg_backup_start('replica', true)`
        // Files may go while they are copied: the log has what they held.
        yield* Effect.ignore(run("cp", "-r", of.data, data))
        const [stopped] = yield* sql<{ readonly labelfile: string }>`select labelfile from pg_backup_stop(false)`
        return stopped?.labelfile ?? ""
      }))
    }).pipe(Effect.provide(PgClient.layer({ host: "127.0.0.1", port: of.port, username: "postgres" })))
    for (const name of ["postmaster.pid", "postmaster.opts"]) Fs.rmSync(Path.join(data, name), { force: true })
    yield* write("backup_label", label)
    yield* write("standby.signal", "")
    yield* write("postgresql.auto.conf", `primary_conninfo = 'host=127.0.0.1 port=${of.port} user=postgres'`)
    const port = yield* Postgres.freePort
    const server = victim({ bin: of.bin, home, data, port })
    const log = () => Fs.readFileSync(Path.join(home, "log"), "utf8").slice(-2000)
    // One that does not become readable in time is begun anew, once.
    const begun = Effect.catchAllDefect(server.start, () => Effect.zipRight(server.kill, server.start)).pipe(
      Effect.catchAllDefect((defect) => Effect.die(new Error(`${String(defect)}\n${log()}`)))
    )
    yield* Effect.acquireRelease(begun, () => Effect.zipRight(server.resume, server.kill))
    return server
  })
