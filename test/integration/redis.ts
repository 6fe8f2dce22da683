/**
 * A redis-server of its own for a test: on a free port, with nothing on disk,
 * ended with the test whatever happens.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { describe, it } from "vitest"

/** One server process that a test may end, stop and start again on the same port. */
export interface RedisServer {
  readonly port: number
  /** Ends it as a crash would, and waits until it is gone. */
  readonly kill: Effect.Effect<void>
  /** Starts it again on the same port, empty, and waits until it answers. */
  readonly start: Effect.Effect<void>
  /** Makes it hang: connections stay open and nothing is answered. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
}

export const RedisServer = Context.GenericTag<RedisServer>("test/RedisServer")

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const named = process.env.REDIS_SERVER ?? ""

const candidates = named === ""
  ? (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "redis-server"))
  : [named]

const binary = candidates.find(isExecutable)

const missing = named === ""
  ? "no redis-server on the PATH: install it, or set REDIS_SERVER to its path"
  : "REDIS_SERVER is not the path of a program"

/**
 * A suite that needs redis-server. Without one it is skipped, under a name that
 * says why; with `REQUIRE_SERVICES=1` it fails instead.
 */
export const suite = (name: string, body: () => void): void => {
  if (binary !== undefined) {
    describe(name, body)
  } else {
    // The body is not even collected: hooks of its layers would run though its tests are skipped.
    it.skipIf(process.env.REQUIRE_SERVICES !== "1")(`${name} (${missing})`, () => {
      throw new Error(missing)
    })
  }
}

const freePort = Effect.async<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Succeeds when something that speaks Redis answers, be it with a demand for a password. */
const answers = (port: number) =>
  Effect.async<void, string>((resume) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"))
    socket.setTimeout(1000, () => socket.destroy(new Error("silent")))
    socket.once("data", (data) => {
      socket.destroy()
      resume(/^\+PONG|^-NOAUTH/.test(String(data)) ? Effect.void : Effect.fail(String(data)))
    })
    socket.once("error", (error) => resume(Effect.fail(error.message)))
    return Effect.sync(() => socket.destroy())
  })

const untilReady = (port: number) =>
  answers(port).pipe(
    Effect.retry(Schedule.spaced("20 millis")),
    Effect.timeoutFail({ duration: "10 seconds", onTimeout: () => "redis-server did not start within 10 s" }),
    Effect.orDie
  )

const gone = (child: ChildProcess) =>
  Effect.async<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

/** Starts a server with more arguments of its own, for example `["--requirepass", "secret"]`. */
export const make = (args: ReadonlyArray<string> = []): Effect.Effect<RedisServer, never, Scope.Scope> =>
  Effect.gen(function*() {
    if (binary === undefined) return yield* Effect.dieMessage(missing)
    const port = yield* freePort
    const directory = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "causeway-redis-"))),
      (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
    )
    let child: ChildProcess | undefined
    const end = () => child?.kill("SIGKILL")
    const endAndLeave = () => {
      end()
      process.kill(process.pid, "SIGTERM")
    }
    // The test runner ends a worker that hangs by a signal, and then no finalizer runs.
    yield* Effect.acquireRelease(
      Effect.sync(() => process.on("exit", end).once("SIGTERM", endAndLeave)),
      () => Effect.sync(() => process.off("exit", end).off("SIGTERM", endAndLeave))
    )
    const kill = Effect.suspend(() => child === undefined ? Effect.void : gone(child))
    yield* Effect.addFinalizer(() => kill)
    const start = Effect.suspend(() => {
      const own = [
        "--port",
        String(port),
        "--bind",
        "127.0.0.1",
        "--dir",
        directory,
        "--save",
        "",
        "--appendonly",
        "no"
      ]
      child = spawn(binary, [...own, ...args], { stdio: "ignore" })
      return untilReady(port)
    })
    yield* start
    return {
      port,
      kill,
      start,
      pause: Effect.sync(() => child?.kill("SIGSTOP")),
      resume: Effect.sync(() => child?.kill("SIGCONT"))
    }
  })

export const layer = (args?: ReadonlyArray<string>): Layer.Layer<RedisServer> => Layer.scoped(RedisServer, make(args))
