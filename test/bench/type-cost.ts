/**
 * What N tools in one toolkit cost the compiler: writes them to a scratch file,
 * checks it and an empty one in turn, and prints the difference.
 *
 * Run: `npx tsx test/bench/type-cost.ts [tools = 50]`
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"

const count = Number(process.argv[2] ?? 50)
const rounds = 3

const header = `
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as ToolRegistry from "causeway-mcp/toolkit/ToolRegistry"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
`

const tool = (n: number): string => `
class Store${n} extends Context.Tag("Store${n}")<Store${n}, { readonly read: (id: string) => Effect.Effect<number> }>() {}
class Missing${n} extends Schema.TaggedError<Missing${n}>()("Missing${n}", { id: Schema.String }) {}
const tool${n} = Tool.make("tool_${n}", {
  description: "A tool of the type benchmark",
  parameters: {
    id: Schema.NonEmptyString,
    limit: Schema.optional(Schema.Int.pipe(Schema.between(1, 50))),
    filter: Schema.optional(Schema.Struct({ company: Schema.Array(Schema.String), since: Schema.optional(Schema.String) }))
  },
  success: Schema.Struct({ found: Schema.Number, rows: Schema.Array(Schema.Struct({ id: Schema.String, n: Schema.Number })) }),
  failure: Missing${n},
  safety: "readOnly"
}).implement(({ id, limit }) =>
  Effect.gen(function*() {
    const store = yield* Store${n}
    const found = yield* store.read(id)
    if (found === limit) return yield* new Missing${n}({ id })
    return yield* Evidence.computed("x", { found, rows: [{ id, n: found }] })
  })
)`

const program = (tools: number): string => {
  const numbers = Array.from({ length: tools }, (_, n) => n)
  return `${header}
export const used = [Evidence, Tool, Context, Effect, Schema]
${numbers.map(tool).join("\n")}
export const layer = ToolRegistry.layer(Toolkit.make(${numbers.map((n) => `tool${n}`).join(", ")}))
`
}

const folder = mkdtempSync(join(resolve("test"), "type-cost-"))
try {
  const check = (tools: number): { readonly seconds: number; readonly instantiations: number } => {
    writeFileSync(join(folder, "tools.ts"), program(tools))
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: "../../tsconfig.json",
        compilerOptions: { baseUrl: "../..", plugins: [] },
        include: ["tools.ts"]
      })
    )
    const out = execFileSync(process.execPath, [
      "node_modules/typescript/bin/tsc",
      "-p",
      folder,
      "--extendedDiagnostics"
    ], {
      encoding: "utf8"
    })
    const read = (label: string): number => Number(new RegExp(`${label}:\\s+([\\d.]+)`, "u").exec(out)?.[1])
    return { seconds: read("Check time"), instantiations: read("Instantiations") }
  }
  const median = (values: ReadonlyArray<number>): number =>
    [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
  const empty: Array<number> = []
  const full: Array<number> = []
  let instantiations = 0
  for (let round = 0; round < rounds; round++) {
    const without = check(0)
    const withTools = check(count)
    empty.push(without.seconds)
    full.push(withTools.seconds)
    instantiations = withTools.instantiations - without.instantiations
  }
  console.log(
    `${count} tools: check ${median(full).toFixed(2)} s, without them ${median(empty).toFixed(2)} s; ` +
      `${((1000 * (median(full) - median(empty))) / count).toFixed(1)} ms and ${
        Math.round(instantiations / count)
      } instantiations a tool`
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
