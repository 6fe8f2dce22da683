import { assert, describe, it } from "@effect/vitest"
import { DocumentStore } from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as Pglite from "causeway-mcp/document/Pglite"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as Effect from "effect/Effect"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { promisify } from "node:util"
import { temporary } from "../document/directory.js"
import { dataDirectory, environment, http } from "../interop/server.js"

/** Runs the server until it ends by itself. */
const refused = (settings: Record<string, string>, args: ReadonlyArray<string> = []) =>
  Effect.acquireUseRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["--import", "tsx", "examples/server.ts", ...args], {
        env: { ...environment(), ...settings },
        stdio: ["ignore", "pipe", "pipe"]
      })
    ),
    (child) =>
      Effect.promise(async () => {
        let out = ""
        let err = ""
        child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()))
        child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()))
        await once(child, "close")
        const lines = err.split("\n").filter((line) => line.startsWith("causeway: "))
        return { code: child.exitCode, out, err, lines }
      }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const rpc = (url: string, name: string, args: object) =>
  Effect.promise(async () => {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2025-11-25"
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } })
    })
    const text = await response.text()
    const data = /^data: (.*)$/mu.exec(text)?.[1] ?? text
    const { result } = JSON.parse(data) as { result: { isError?: boolean; structuredContent?: { data: unknown } } }
    return result
  })

const document = {
  id: "kept-1",
  title: "Zephyrine Looms ships",
  text: "Zephyrine Looms shipped forty thousand looms in October 2026, a record for the company."
}

const found = (result: { structuredContent?: { data: unknown } }): ReadonlyArray<string> =>
  (result.structuredContent?.data as { passages: ReadonlyArray<{ documentId: string }> }).passages.map((p) =>
    p.documentId
  )

describe("the reference server, stopped", () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGKILL"] as const) {
    it.scopedLive(`keeps every acknowledged document through ${signal}`, () =>
      Effect.gen(function*() {
        const dataDir = yield* dataDirectory
        yield* Effect.scoped(Effect.gen(function*() {
          const { child, url } = yield* http({ DATA_DIR: dataDir, SAMPLE_CORPUS: "never" })
          const indexed = yield* rpc(url, "index_document", document)
          assert.isNotTrue(indexed.isError)
          const ended = once(child, "exit")
          child.kill(signal)
          const [code] = yield* Effect.promise(() => ended)
          if (signal !== "SIGKILL") assert.oneOf(code, [0, 130])
        }))
        const { url } = yield* http({ DATA_DIR: dataDir, SAMPLE_CORPUS: "never" })
        assert.deepStrictEqual(found(yield* rpc(url, "search_relevant_market_intel", { query: "Zephyrine looms" })), [
          "kept-1"
        ])
      }), 60_000)
  }
})

describe("the reference server, started wrongly", () => {
  const wrong: ReadonlyArray<readonly [what: string, settings: Record<string, string>, line: RegExp]> = [
    ["a DATABASE_URL that is none", { DATABASE_URL: "localhost:5432/db" }, /DATABASE_URL.*postgres:\/\//u],
    ["a REDIS_URL that is none", { REDIS_URL: "http://localhost" }, /REDIS_URL.*redis:\/\//u],
    ["a PORT that is none", { PORT: "many" }, /PORT/u],
    ["a body limit that lets nothing in", { MAX_BODY_BYTES: "-1" }, /MAX_BODY_BYTES/u],
    ["a DATA_DIR where no folder can be made", { DATA_DIR: "/proc/causeway" }, /\/proc\/causeway/u],
    ["a SAMPLE_CORPUS that is none", { SAMPLE_CORPUS: "yes" }, /SAMPLE_CORPUS.*auto/u],
    ["a gateway URL that is none", { LLM_GATEWAY_URL: "nowhere", LLM_GATEWAY_KEY: "sk-secret" }, /LLM_GATEWAY_URL/u],
    ["an EMBEDDINGS_URL that is none", { EMBEDDINGS_URL: "nowhere", EMBEDDINGS_KEY: "sk-secret" }, /EMBEDDINGS_URL/u],
    [
      "an EMBEDDINGS_URL with a password",
      { EMBEDDINGS_URL: "http://u:sk-secret@127.0.0.1:1/v1", EMBEDDINGS_KEY: "sk-secret" },
      /EMBEDDINGS_URL: .*password/u
    ],
    ["an EMBEDDINGS_URL without a key", { EMBEDDINGS_URL: "http://127.0.0.1:1/v1" }, /EMBEDDINGS_KEY/u],
    [
      "EMBEDDINGS_DIMENSIONS that are none",
      { EMBEDDINGS_URL: "http://127.0.0.1:1/v1", EMBEDDINGS_KEY: "sk-secret", EMBEDDINGS_DIMENSIONS: "0" },
      /EMBEDDINGS_DIMENSIONS: .*whole number/u
    ],
    ["a CALIBRATION that is absent", { CALIBRATION: "/nowhere.json" }, /CALIBRATION: .*\/nowhere\.json/u],
    ["a CALIBRATION that is none", { CALIBRATION: "package.json" }, /CALIBRATION: .*npm run calibrate/u],
    ["a CALIBRATION that is no JSON", { CALIBRATION: "README.md" }, /CALIBRATION: .*npm run calibrate/u],
    ["a RERANK that is none", { RERANK: "maybe" }, /RERANK.*on, off/u],
    [
      "REPLICA_URLS without names",
      { DATABASE_URL: "postgres://u:sk-secret@127.0.0.1:1/d", REPLICA_URLS: "postgres://u:sk-secret@127.0.0.1:1/d" },
      /REPLICA_URLS/u
    ],
    [
      "REPLICA_URLS with a name twice",
      {
        DATABASE_URL: "postgres://127.0.0.1:1/d",
        REPLICA_URLS: "a=postgres://127.0.0.1:1/d,a=postgres://127.0.0.1:2/d"
      },
      /REPLICA_URLS: .*different/u
    ],
    ["REPLICA_URLS alone", { REPLICA_URLS: "a=postgres://127.0.0.1:1/d" }, /DATABASE_URL: REPLICA_URLS is set/u],
    ["a host beyond this machine", { HOST: "0.0.0.0" }, /0\.0\.0\.0/u]
  ]
  for (const [what, settings, line] of wrong) {
    it.scopedLive(`refuses ${what} with one line`, () =>
      Effect.gen(function*() {
        const dataDir = yield* dataDirectory
        const { code, err, lines, out } = yield* refused({
          DATA_DIR: dataDir,
          PORT: "0",
          SAMPLE_CORPUS: "never",
          ...settings
        })
        assert.strictEqual(code, 1, err)
        assert.lengthOf(lines, 1, err)
        assert.strictEqual(err.trimEnd().split("\n").at(-1), lines[0], "no line follows it")
        assert.match(lines[0] ?? "", line)
        assert.notInclude(err, "sk-secret")
        assert.notMatch(err, /^\s+at /mu)
        assert.strictEqual(out, "")
      }), 30_000)
  }

  for (const settings of [{ RERANK: "maybe" }, { CALIBRATION: "/nowhere.json" }]) {
    it.scopedLive(
      `refuses ${Object.keys(settings)[0]} before it opens anything, and says what to write`,
      () =>
        Effect.gen(function*() {
          const dataDir = join(yield* temporary, "data")
          const { err, lines } = yield* refused({ DATA_DIR: dataDir, PORT: "0", ...settings })
          assert.match(lines[0] ?? "", /write/u)
          assert.notMatch(err, /documents:|sessions:/u)
          assert.isFalse(existsSync(dataDir))
        }),
      30_000
    )
  }

  it.scopedLive("refuses a port in use, naming it", () =>
    Effect.gen(function*() {
      const taken = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const server = createServer().listen(0, "127.0.0.1")
          await once(server, "listening")
          return server
        }),
        (server) => Effect.sync(() => server.close())
      )
      const port = String((taken.address() as AddressInfo).port)
      const { code, lines } = yield* refused({ DATA_DIR: yield* dataDirectory, PORT: port, SAMPLE_CORPUS: "never" })
      assert.deepStrictEqual([code, lines.length], [1, 1])
      assert.include(lines[0], `127.0.0.1:${port}`)
    }), 30_000)

  it.scopedLive("refuses a second process on its data, naming the first", () =>
    Effect.gen(function*() {
      const dataDir = yield* dataDirectory
      const { child } = yield* http({ DATA_DIR: dataDir, SAMPLE_CORPUS: "never" })
      const { code, lines } = yield* refused({ DATA_DIR: dataDir, PORT: "0" })
      assert.deepStrictEqual([code, lines.length], [1, 1])
      assert.include(lines[0], String(child.pid))
    }), 30_000)

  it.scopedLive(
    "refuses a corrupt data directory, saying what to do, and deletes nothing",
    () =>
      Effect.gen(function*() {
        const dataDir = yield* temporary
        mkdirSync(join(dataDir, "documents", "postgres", "base"), { recursive: true })
        writeFileSync(join(dataDir, "documents", "postgres", "PG_VERSION"), "nonsense")
        const { code, lines } = yield* refused({ DATA_DIR: dataDir, PORT: "0" })
        assert.deepStrictEqual([code, lines.length], [1, 1])
        assert.include(lines[0], join(dataDir, "documents"))
      }),
    30_000
  )
})

describe("the reference server on another embedder's index", () => {
  it.scopedLive("says what to do, refuses searches, and works again when that is done", () =>
    Effect.gen(function*() {
      const dataDir = yield* dataDirectory
      yield* Effect.flatMap(DocumentStore, (store) => store.index("default", [document])).pipe(
        Effect.provide(PgDocumentStore.layer()),
        Effect.provide(Pglite.layer({ dataDir: join(dataDir, "documents") })),
        Effect.provide(Embedder.layerHash)
      )
      const settings = { DATA_DIR: dataDir, SAMPLE_CORPUS: "never" }
      const search = (url: string) => rpc(url, "search_relevant_market_intel", { query: "Zephyrine looms" })
      yield* Effect.scoped(Effect.gen(function*() {
        const { lines, url } = yield* http(settings)
        assert.lengthOf(lines.filter((line) => line.includes("npm run reindex")), 1, lines.join("\n"))
        assert.isTrue((yield* search(url)).isError)
      }))
      const reindexed = yield* Effect.promise(() =>
        promisify(execFile)(process.execPath, ["--import", "tsx", "examples/reindex.ts"], {
          env: { ...environment(), ...settings }
        })
      )
      assert.include(reindexed.stderr, "Done.")
      const { lines, url } = yield* http(settings)
      assert.deepStrictEqual(found(yield* search(url)), ["kept-1"])
      assert.notInclude(lines.join("\n"), "npm run reindex")
    }), 90_000)
})

describe("the reference server without its sources", () => {
  it.scopedLive("starts, says which source is missing, and answers by the fallback", () =>
    Effect.gen(function*() {
      const { lines, url } = yield* http({
        DATABASE_URL: "postgres://nobody:secret-word@127.0.0.1:1/none",
        REDIS_URL: "redis://127.0.0.1:1"
      })
      const search = yield* rpc(url, "search_relevant_market_intel", { query: "batteries" })
      assert.isTrue(search.isError)
      assert.include(JSON.stringify(search), "temporarily_unavailable")
      assert.include(JSON.stringify(search), "fetch_user_preference_profile")
      const profile = yield* rpc(url, "fetch_user_preference_profile", { userId: "ada" })
      assert.include(JSON.stringify(profile), "temporarily_unavailable")
      const health = yield* Effect.promise(async () => (await fetch(new URL("/healthz", url))).json())
      assert.deepInclude(health as object, { status: "degraded" })
      assert.isTrue(lines.some((line) => line.includes("WARN") && line.includes("127.0.0.1:1")))
      assert.notInclude(lines.join("\n"), "secret-word")
      const draft = yield* rpc(url, "generate_structured_output", { instruction: "name, price (number)" })
      assert.isNotTrue(draft.isError)
    }), 30_000)
})
