/**
 * A PostgreSQL server that a test may kill as a loss of power would end it, but
 * for the disk, and start again on the same data and port.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { type ChildProcess, execFile, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { promisify } from "node:util"
import * as Postgres from "./postgres.js"

export interface Killable {
  readonly port: number
  /** A client of the server's own database, with connections of its own. */
  readonly client: Layer.Layer<SqlClient.SqlClient, SqlError>
  /** Ends the postmaster with SIGKILL, and with `isWhole` every process of the server in the same moment. */
  readonly kill: (isWhole: boolean) => Effect.Effect<void>
  /** Starts it again and gives the milliseconds until it answered. */
  readonly start: Effect.Effect<number>
  /** Makes every process of the server hang: connections stay open and nothing is answered. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
}

const childrenOf = (pid: number): ReadonlyArray<number> => {
  const path = `/proc/${pid}/task/${pid}/children`
  return Fs.existsSync(path)
    ? Fs.readFileSync(path, "utf8").trim().split(" ").filter((id) => id !== "").map(Number)
    : []
}

const signal = (pid: number, name: NodeJS.Signals = "SIGKILL"): void => {
  try {
    process.kill(pid, name)
  } catch {
    // It was gone already.
  }
}

/** Starts a server that flushes to the disk as it does by default. */
export const make = (bin: string): Effect.Effect<Killable, never, Scope.Scope> =>
  Effect.gen(function*() {
    const as = Postgres.user()
    const home = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const path = Fs.mkdtempSync(Path.join(Os.tmpdir(), "causeway-pg-"))
        if (as !== undefined) Fs.chownSync(path, as.uid, as.gid)
        return path
      }),
      (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
    )
    const data = Path.join(home, "data")
    yield* Effect.promise(() =>
      promisify(execFile)(
        Path.join(bin, "initdb"),
        ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"],
        { ...as, cwd: Os.tmpdir() }
      )
    )
    const port = yield* Postgres.freePort
    const client = PgClient.layer({
      host: "127.0.0.1",
      port,
      username: "postgres",
      database: "postgres",
      maxConnections: 8,
      connectTimeout: "3 seconds"
    })
    const options = ["-D", data, "-p", String(port), "-k", home, "-c", "listen_addresses=127.0.0.1"]
    let running: ChildProcess | undefined

    const launch = Effect.sync(() => {
      if (running?.exitCode === null && running.signalCode === null) return
      running = spawn(Path.join(bin, "postgres"), options, { ...as, cwd: Os.tmpdir(), stdio: "ignore" })
    })

    const answers = Effect.flatMap(PgClient.PgClient, (sql) => sql`select 1`).pipe(Effect.provide(client))

    const start = Effect.gen(function*() {
      const began = performance.now()
      // It gives up at once while a process of its predecessor is still about to end.
      yield* Effect.zipRight(launch, answers).pipe(
        Effect.retry(Schedule.spaced("20 millis")),
        Effect.timeout("60 seconds")
      )
      return performance.now() - began
    }).pipe(Effect.orDie)

    const kill = (isWhole: boolean) =>
      Effect.async<void>((resume) => {
        const server = running
        if (server?.pid === undefined || server.exitCode !== null || server.signalCode !== null) {
          return resume(Effect.void)
        }
        const children = childrenOf(server.pid)
        server.once("exit", () => resume(Effect.void))
        signal(server.pid)
        if (isWhole) { for (const pid of children) signal(pid) }
      })

    /** The postmaster first: whoever it begets meanwhile would be missed. */
    const all = (name: NodeJS.Signals) =>
      Effect.sync(() => {
        if (running?.pid === undefined) return
        signal(running.pid, name)
        for (const pid of childrenOf(running.pid)) signal(pid, name)
      })

    yield* Effect.addFinalizer(() => kill(true))
    yield* start
    return { port, client, kill, start, pause: all("SIGSTOP"), resume: all("SIGCONT") }
  })
