/**
 * Temporary PostgreSQL servers for tests, one for each version found on this
 * machine: in the directories of `PG_BIN` (separated by colons), or else where
 * Debian installs them and on the `PATH`.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { execFile, execFileSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import * as Fs from "node:fs"
import { createServer } from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { promisify } from "node:util"

const programs = ["initdb", "pg_ctl", "postgres"]

const debian = "/usr/lib/postgresql"

const places = (): ReadonlyArray<string> => {
  const given = process.env["PG_BIN"]
  if (given !== undefined && given !== "") return given.split(":")
  const installed = Fs.existsSync(debian)
    ? Fs.readdirSync(debian).map((version) => Path.join(debian, version, "bin"))
    : []
  return [...installed, ...(process.env["PATH"] ?? "").split(":")]
}

/**
 * The servers of this machine: the directory of each one's programs, and what
 * it calls itself.
 */
export const found: ReadonlyArray<{ readonly bin: string; readonly name: string }> = [
  ...new Set(
    places().filter((bin) => programs.every((program) => Fs.existsSync(Path.join(bin, program))))
      .map((bin) => Path.dirname(Fs.realpathSync(Path.join(bin, "postgres"))))
  )
].map((bin) => ({
  bin,
  name: execFileSync(Path.join(bin, "postgres"), ["--version"], { encoding: "utf8" })
    .replace(/^postgres \((\w+)\) (\S+)[^]*$/, "$1 $2")
}))

/** Why there is nothing to test, for a suite that then is skipped, or fails where `REQUIRE_SERVICES=1`. */
export const missing = found.length > 0
  ? undefined
  : "no PostgreSQL programs found (initdb, pg_ctl, postgres): install postgresql or set PG_BIN"

/** Whether a suite whose server is missing must fail. */
export const isRequired = process.env["REQUIRE_SERVICES"] === "1"

/** Whom programs of Postgres run as: a server refuses to run as root. */
export const user = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const lines = Fs.readFileSync("/etc/passwd", "utf8").split("\n").map((line) => line.split(":"))
  const [, , uid, gid] = lines.find(([name]) => name === "postgres") ?? lines.find(([name]) => name === "nobody") ?? []
  return { uid: Number(uid), gid: Number(gid) }
}

export const freePort = Effect.async<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0)))
  })
})

/** What it takes to start a server: its programs, its files and where it listens. */
export interface Process {
  readonly bin: string
  readonly home: string
  readonly data: string
  readonly port: number
}

/** Starts a server over its files, and waits until it can be asked. */
export const started = ({ bin, data, home, port }: Process) =>
  Effect.promise(() =>
    promisify(execFile)(Path.join(bin, "pg_ctl"), [
      ...["start", "-w", "-t", "40", "-D", data, "-l", Path.join(home, "log")],
      ...["-o", `-p ${port} -k ${home} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=60`]
    ], { ...user(), cwd: Os.tmpdir() })
  )

/** A running server. */
export class Server extends Context.Tag("test/Postgres")<Server, {
  /** A client of a new, empty database. Building it twice gives two databases. */
  readonly empty: Layer.Layer<SqlClient.SqlClient, SqlError>
  /** Another client of a database, with connections of its own; as the superuser `postgres` unless told otherwise. */
  readonly client: (database: string, username?: string) => Layer.Layer<SqlClient.SqlClient, SqlError>
  readonly createDatabase: Effect.Effect<string, SqlError>
  /** Stops it at once, as a crash would. */
  readonly stop: Effect.Effect<void>
  readonly process: Process
}>() {}

/** Starts a server in a temporary directory, and stops it with the layer. */
export const layer = (bin: string): Layer.Layer<Server, SqlError> =>
  Layer.scoped(
    Server,
    Effect.gen(function*() {
      const as = user()
      const run = (program: string, ...args: ReadonlyArray<string>) =>
        Effect.promise(() => promisify(execFile)(Path.join(bin, program), args, { ...as, cwd: Os.tmpdir() }))
      const home = yield* Effect.acquireRelease(
        Effect.sync(() => {
          const path = Fs.mkdtempSync(Path.join(Os.tmpdir(), "causeway-pg-"))
          if (as !== undefined) Fs.chownSync(path, as.uid, as.gid)
          return path
        }),
        (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
      )
      const data = Path.join(home, "data")
      yield* run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
      const port = yield* freePort
      const stop = run("pg_ctl", "stop", "-D", data, "-m", "immediate", "-w").pipe(Effect.ignoreLogged)
      let isUp = true
      const stopOnce = Effect.suspend(() => {
        const was = isUp
        isUp = false
        return was ? stop : Effect.void
      })
      const process = { bin, home, data, port }
      yield* Effect.acquireRelease(started(process), () => stopOnce)
      const client = (database: string, username = "postgres") =>
        PgClient.layer({ host: "127.0.0.1", port, username, database, maxConnections: 8 })
      const createDatabase = Effect.gen(function*() {
        const name = `test_${randomUUID().replaceAll("-", "")}`
        const sql = yield* PgClient.PgClient
        yield* sql`create database ${sql(name)}`
        return name
      }).pipe(Effect.provide(client("postgres")))
      return {
        client,
        createDatabase,
        empty: Layer.unwrapEffect(Effect.map(createDatabase, (database) => client(database))),
        stop: stopOnce,
        process
      }
    })
  )
