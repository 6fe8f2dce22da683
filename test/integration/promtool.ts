/**
 * Prometheus' own tool, where it is installed.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import { describe, it } from "vitest"

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const binary = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "promtool")).find(isExecutable)

export interface Outcome {
  readonly code: number | null
  /** Both outputs. */
  readonly text: string
}

/** Runs it to its end, with a text to read. */
export const run = (args: ReadonlyArray<string>, input = ""): Effect.Effect<Outcome> =>
  Effect.async((resume) => {
    const child = spawn(binary ?? "promtool", [...args], { stdio: "pipe", timeout: 30_000 })
    let text = ""
    child.stdout.on("data", (chunk) => (text += String(chunk)))
    child.stderr.on("data", (chunk) => (text += String(chunk)))
    child.on("error", (error) => resume(Effect.die(error)))
    child.on("close", (code) => resume(Effect.succeed({ code, text })))
    child.stdin.on("error", () => {})
    child.stdin.end(input)
  })

/** A suite that needs it: skipped with a word where it is missing, failed where it may not be. */
export const suite = (name: string, body: () => void): void => {
  if (binary !== undefined) describe(name, body)
  else if (process.env.REQUIRE_SERVICES === "1") {
    describe(name, () =>
      it("needs promtool", () => {
        throw new Error("no promtool on the PATH: install Prometheus")
      }))
  } else describe.skip(`${name} (no promtool on the PATH: install Prometheus)`, body)
}
