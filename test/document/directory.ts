/**
 * Directories for tests of PGlite, and programs to run beside them.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { inject } from "vitest"

/** An empty directory that is deleted with the scope. */
export const temporary = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "causeway-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

/** A directory with an empty database that opens in a second. */
export const prepared = Effect.map(temporary, (parent) => {
  const path = Path.join(parent, "data")
  Fs.cpSync(inject("pgliteTemplate"), path, { recursive: true })
  return path
})

/** A child process that runs a program of `test/document/program`, and is killed with the scope. */
export const program = (name: string, ...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const root = fileURLToPath(new URL("../../", import.meta.url))
      const child = spawn(
        process.execPath,
        ["--import", "tsx", Path.join("test/document/program", `${name}.ts`), ...args],
        { cwd: root, stdio: ["ignore", "pipe", "inherit"] }
      )
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
      const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()))
      return {
        pid: child.pid ?? 0,
        /** The next line it prints; absent when it has ended. */
        line: Effect.promise(async () => (await lines.next()).value as string | undefined),
        kill: Effect.promise(async () => {
          child.kill("SIGKILL")
          await ended
        })
      }
    }),
    (child) => child.kill
  )
