import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const folder = new URL("../../examples/", import.meta.url)
const root = fileURLToPath(new URL("../../", import.meta.url))
const numbered = readdirSync(folder).filter((name) => /^\d\d-.*\.ts$/u.test(name)).sort()
const programs = [...numbered, "llm-chain.ts"]

const timeout = 60_000
/** Each program compiles itself first, which takes a processor of its own. */
const atOnce = 2

interface Outcome {
  readonly name: string
  readonly code: number | string | undefined
  readonly output: string
}

const run = (name: string): Effect.Effect<Outcome> =>
  Effect.async((resume) => {
    const child = execFile(
      process.execPath,
      ["--import", "tsx", fileURLToPath(new URL(name, folder))],
      { cwd: root, timeout, killSignal: "SIGKILL" },
      (error, stdout, stderr) =>
        resume(
          Effect.succeed({
            name,
            code: error === null ? 0 : error.code ?? error.signal ?? "killed",
            output: `${stdout}${stderr}`
          })
        )
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

describe("the examples that check themselves", () => {
  it.live("run offline, check their own outcome and exit with 0", () =>
    Effect.gen(function*() {
      const outcomes = yield* Effect.forEach(programs, run, { concurrency: atOnce })
      assert.isAtLeast(outcomes.length, 8)
      for (const { code, name, output } of outcomes) assert.strictEqual(code, 0, `${name}\n${output}`)
    }), timeout * 5)

  it("are numbered without gaps, and each stands in the table of examples/README.md", () => {
    const table = readFileSync(new URL("README.md", folder), "utf8")
    for (const [index, name] of numbered.entries()) {
      assert.strictEqual(name.slice(0, 2), String(index + 1).padStart(2, "0"))
      assert.include(table, `[\`${name}\`](${name})`)
    }
  })
})
