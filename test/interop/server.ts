/**
 * The reference server as a stranger runs it: a process of its own, on an
 * embedded database of its own.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { cpSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { inject } from "vitest"
import { temporary } from "../document/directory.js"

/** A `DATA_DIR` whose database need not be initialised first. */
export const dataDirectory = Effect.map(temporary, (parent) => {
  cpSync(inject("pgliteTemplate"), join(parent, "documents"), { recursive: true })
  return parent
})

const entry = ["--import", "tsx", "examples/server.ts"]

/** This process's environment without what would choose other layers. */
export const environment = (): Record<string, string> => {
  const { DATABASE_URL: _, LLM_GATEWAY_URL: __, REDIS_URL: ___, ...rest } = process.env
  return Object.fromEntries(Object.entries(rest).flatMap(([key, value]) => value === undefined ? [] : [[key, value]]))
}

/** How to start the server on standard streams, with its data in a fresh directory. */
export const stdio = Effect.map(dataDirectory, (dataDir) => ({
  command: process.execPath,
  args: [...entry, "--stdio"],
  env: { ...environment(), DATA_DIR: dataDir }
}))

class Ended extends Data.TaggedError("Ended")<{ readonly message: string }> {}

/** Starts the server on HTTP; gives its URL, and stops it with the scope. */
export const http = (settings: Record<string, string> = {}) =>
  Effect.gen(function*() {
    const dataDir = yield* dataDirectory
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, entry, {
          env: { ...environment(), DATA_DIR: dataDir, PORT: "0", ...settings },
          stdio: ["ignore", "ignore", "pipe"]
        })
      ),
      (started) =>
        Effect.promise(async () => {
          if (started.exitCode !== null || started.signalCode !== null) return
          started.kill("SIGTERM")
          await once(started, "exit")
        })
    )
    const lines: Array<string> = []
    const url = yield* Effect.async<string, Ended>((resume) => {
      const reader = createInterface({ input: child.stderr })
      reader.on("line", (line) => {
        lines.push(line)
        const found = /Serving MCP at (\S+)/u.exec(line)?.[1]
        if (found !== undefined) resume(Effect.succeed(found))
      })
      child.once("exit", () => resume(Effect.fail(new Ended({ message: `the server ended: ${lines.join("\n")}` }))))
    })
    return { child, lines, url }
  })
