import { assert, describe, it } from "@effect/vitest"
import * as Causeway from "causeway-mcp"
import { build } from "esbuild"
import { readdirSync } from "node:fs"

const root = new URL("../src/", import.meta.url)

/** Modules behind the front door need an optional dependency, or serve those who write protocol code or tests. */
const isBehind = (path: string): boolean =>
  [
    "ask/RedisPendingAsks",
    "change/RedisChanges",
    "document/PgDocumentStore",
    "document/PgListener",
    "document/PgRegions",
    "document/PgReindex",
    "document/Pglite",
    "llm/LlmLanguageModel",
    "provider/ProviderHttp",
    "session/RedisSessionStore",
    "task/PgTaskStore",
    "ops/OpsServer",
    "policy/RedisIdempotencyStore",
    "policy/RedisRateLimiter",
    "policy/RedisResultCache",
    "telemetry/OtelTelemetry",
    "transport/SdkTransport"
  ].includes(path) || /^(?:testing|redis|catalog)\//u.test(path) ||
  (path.startsWith("server/") && path !== "server/McpServer") ||
  (path.startsWith("protocol/") &&
    !/\/(Dispatcher|Handlers|JsonMeasure|JsonSchema|JsonValidator|McpError|McpSchema)$/u.test(path))

const modules = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap((folder) =>
    readdirSync(new URL(`${folder.name}/`, root)).filter((name) => name.endsWith(".ts")).map((name) =>
      `${folder.name}/${name.slice(0, -3)}`
    )
  )

describe("causeway-mcp", () => {
  it("exports every module that needs no optional dependency, and nothing else", () => {
    assert.sameMembers(
      Object.keys(Causeway),
      modules.filter((path) => !isBehind(path)).map((path) => path.slice(path.lastIndexOf("/") + 1))
    )
  })

  it("imports no driver and no SDK at its root", async () => {
    const { metafile } = await build({
      entryPoints: [new URL("index.ts", root).pathname],
      bundle: true,
      write: false,
      metafile: true,
      format: "esm",
      platform: "node",
      packages: "external",
      logLevel: "silent"
    })
    const imported = Object.values(metafile.inputs).flatMap((input) =>
      input.imports.filter((found) => found.external === true && found.kind === "import-statement").map((found) =>
        found.path
      )
    )
    const packages = [...new Set(imported.map((path) => /^(?:@[^/]+\/)?[^/]+/u.exec(path)?.[0] ?? path))]
      .filter((name) => !name.startsWith("node:"))
    assert.sameMembers(packages, ["effect", "@effect/platform", "@cfworker/json-schema"])
  })
})
