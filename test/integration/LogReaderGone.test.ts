import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"

const program = `
import * as JsonLogger from "causeway-mcp/telemetry/JsonLogger"
import * as Effect from "effect/Effect"
Effect.runPromise(Effect.gen(function*() {
  for (let n = 0; n < 40; n++) {
    yield* Effect.logInfo("a line")
    yield* Effect.sleep("5 millis")
  }
  process.stdout.write("went on")
}).pipe(Effect.provide(JsonLogger.layer)))
`

describe("JsonLogger.layer", () => {
  it.live("goes on when whoever reads the log has gone", () =>
    Effect.promise(async () => {
      const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", program], {
        stdio: ["ignore", "pipe", "pipe"],
        timeout: 30_000
      })
      let out = ""
      child.stdout.on("data", (chunk) => (out += String(chunk)))
      await once(child.stderr, "data")
      child.stderr.destroy()
      await once(child, "close")
      assert.deepStrictEqual([child.exitCode, out], [0, "went on"])
    }), 60_000)
})
