/**
 * The model chain, measured: what it adds in process and to what a caller sees,
 * how soon it asks the next model, and what it does to providers that fail or
 * limit it.
 *
 *   npm run bench:llm -- [--only kernel,caller,failover,storm] [--rounds 9]
 *
 * Each part is a process of its own, bundled from `src` as it is now, on the
 * second processor; providers are another process on the first. Cells of a round
 * follow each other at once; what is printed is the median over the rounds with
 * the least and the most. A share that must hold whatever the machine fails the
 * run, a time does not.
 *
 * @since 0.1.0
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { parseArgs } from "node:util"
import * as Program from "./program.js"

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", default: "kernel,caller,failover,storm" },
    rounds: { type: "string" },
    calls: { type: "string" }
  }
})

const given = (["rounds", "calls"] as const).flatMap((name) => {
  const value = flags[name]
  return value === undefined ? [] : [`--${name}`, value]
})

let isFine = true
for (const part of flags.only.split(",")) {
  const child = spawn(process.execPath, [await Program.programOf(`llm-${part}`), ...given], { stdio: "inherit" })
  const [code] = await once(child, "exit")
  isFine &&= code === 0
  console.log("")
}
process.exit(isFine ? 0 : 1)
