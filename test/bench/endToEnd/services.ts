/**
 * The servers of the whole: Postgres with documents, Redis, providers, two
 * instances of the reference server, and HAProxy before them.
 *
 * @since 0.1.0
 */
import * as DocumentStore from "causeway-mcp/document/DocumentStore"
import * as PgDocumentStore from "causeway-mcp/document/PgDocumentStore"
import * as SifEmbedder from "causeway-mcp/embedding/SifEmbedder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ChildProcess } from "node:child_process"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import * as Postgres from "../../integration/postgres.js"
import * as Corpus from "../stores/corpus.js"
import type { Behaviour, Told } from "./provider.js"

const table = fileURLToPath(new URL("../../../src/embedding/data/words-100d.bin", import.meta.url))
const providerPath = fileURLToPath(new URL("./provider.ts", import.meta.url))

/** Starts a program that ends with the scope; its error output is kept for whoever asks why. */
const program = (command: string, args: ReadonlyArray<string>, env: Record<string, string> = {}, isTalking = false) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(command, [...args], {
        env: { ...process.env, ...env },
        stdio: ["ignore", "ignore", "pipe", ...(isTalking ? ["ipc" as const] : [])]
      })
      const seen = { child, lines: "" }
      child.stderr?.on("data", (chunk: Buffer) => {
        seen.lines = (seen.lines + chunk.toString()).slice(-20_000)
      })
      return seen
    }),
    ({ child }) =>
      Effect.promise(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        child.kill("SIGKILL")
        await once(child, "exit")
      })
  )

const until = (what: string, isSo: () => Promise<boolean>, by?: { readonly child: ChildProcess; lines: string }) =>
  Effect.promise(async () => {
    const end = performance.now() + 60_000
    while (!await isSo().catch(() => false)) {
      const hasEnded = by !== undefined && (by.child.exitCode !== null || by.child.signalCode !== null)
      if (hasEnded || performance.now() > end) throw new Error(`waited in vain until ${what}\n${by?.lines ?? ""}`)
      await sleep(50)
    }
  })

const page = async (url: string): Promise<string | undefined> => {
  const response = await fetch(url, { signal: AbortSignal.timeout(5000), headers: { connection: "close" } })
  const text = await response.text()
  return response.ok ? text : undefined
}

/** Three, told how to behave. */
const providers = Effect.gen(function*() {
  const { child } = yield* program(process.execPath, ["--import", "tsx", providerPath], {}, true)
  const behave = async (behaviour: Behaviour): Promise<Told> => {
    const told = once(child, "message")
    child.send(behaviour)
    return (await told)[0]
  }
  const { ports } = yield* Effect.promise(() => behave({ median: 0, p99: 0, faults: 0 }))
  return { ports, behave }
})

const redis = Effect.gen(function*() {
  const port = yield* Postgres.freePort
  const { child } = yield* program("redis-server", [
    ...["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
  ])
  yield* until("Redis answers", async () => {
    await promisify(execFile)("redis-cli", ["-p", String(port), "ping"])
    return true
  })
  return { child, url: `redis://127.0.0.1:${port}` }
})

/** A database with so many passages more than the sample corpus has, of the same tenant. */
const database = (passages: number) =>
  Effect.gen(function*() {
    const server = yield* Postgres.Server
    const name = yield* server.createDatabase
    const corpus = Corpus.make(table)
    yield* Effect.gen(function*() {
      const store = yield* DocumentStore.DocumentStore
      for (let n = 0; (yield* store.size("default")).passages < passages; n += 100) {
        yield* store.index(
          "default",
          Array.from({ length: 100 }, (_, i) => corpus.document(Corpus.tenants.asked, n + i))
        )
      }
    }).pipe(
      Effect.provide(PgDocumentStore.layer({ indexFrom: Infinity })),
      Effect.provide(Layer.merge(server.client(name), SifEmbedder.layer({ table })))
    )
    return `postgres://postgres@127.0.0.1:${server.process.port}/${name}`
  })

/**
 * An instance, and what it has used of the processors.
 *
 * @since 0.1.0
 */
export interface Instance {
  readonly child: ChildProcess
  readonly port: number
}

const instance = (settings: Record<string, string>) =>
  Effect.gen(function*() {
    const port = yield* Postgres.freePort
    const running = yield* program(process.execPath, ["--import", "tsx", "examples/server.ts"], {
      ...settings,
      PORT: String(port)
    })
    yield* until(
      "an instance is ready",
      async () => await page(`http://127.0.0.1:${port}/readyz`) !== undefined,
      running
    )
    return { child: running.child, port }
  })

const balancer = (a: Instance, b: Instance) =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => Fs.mkdtempSync(join(tmpdir(), "causeway-haproxy-"))),
      (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
    )
    Fs.copyFileSync("examples/production/haproxy.cfg", join(folder, "haproxy.cfg"))
    Fs.copyFileSync("examples/production/safe-tools.lst", join(folder, "safe-tools.lst"))
    const port = yield* Postgres.freePort
    const statsPort = yield* Postgres.freePort
    const binary = Fs.existsSync("/usr/sbin/haproxy") ? "/usr/sbin/haproxy" : "haproxy"
    yield* program(binary, ["-db", "-f", join(folder, "haproxy.cfg")], {
      HAPROXY_BIND: `127.0.0.1:${port}`,
      HAPROXY_STATS: `127.0.0.1:${statsPort}`,
      INSTANCE_A: `127.0.0.1:${a.port}`,
      INSTANCE_B: `127.0.0.1:${b.port}`
    })
    yield* until("both instances get calls", async () => {
      const lines = (await page(`http://127.0.0.1:${statsPort}/;csv`) ?? "").split("\n")
      return ["a", "b"].every((name) =>
        lines.some((line) => line.startsWith(`instances,${name},`) && line.split(",")[17] === "UP")
      )
    })
    return `http://127.0.0.1:${port}/mcp`
  })

/**
 * Starts all of it. `keys` are what `API_KEYS` takes.
 *
 * @since 0.1.0
 */
export const start = (passages: number, keys: ReadonlyArray<object>) =>
  Effect.gen(function*() {
    const models = yield* providers
    const cache = yield* redis
    const documents = yield* database(passages)
    const [first, second, third] = models.ports.map((port) => `http://127.0.0.1:${port}`)
    const settings = {
      DATABASE_URL: documents,
      REDIS_URL: cache.url,
      DEEPSEEK_API_KEY: "sk-bench-deepseek",
      DEEPSEEK_BASE_URL: first ?? "",
      MISTRAL_API_KEY: "sk-bench-mistral",
      MISTRAL_BASE_URL: second ?? "",
      QWEN_API_KEY: "sk-bench-qwen",
      QWEN_BASE_URL: third ?? "",
      // A question that was asked before would cost no provider anything.
      LLM_CACHE: "off",
      API_KEYS: JSON.stringify(keys),
      CLIENT_ADDRESS_HEADER: "x-client-address",
      SESSION_SECRETS: "a secret of the bench that is long enough",
      DRAIN_LAME_DUCK: "2 seconds"
    }
    // The first one adds the sample corpus, whose questions are asked.
    const a = yield* instance({ ...settings, SAMPLE_CORPUS: "always" })
    const b = yield* instance(settings)
    const url = yield* balancer(a, b)
    return { providers: models, instances: [a, b], url }
  })

/** Of a second, as the kernel counts it. */
const ticks = 100

/**
 * Milliseconds of processor time that a process has used so far; `undefined` when it is no more.
 *
 * @since 0.1.0
 */
export const processorTime = ({ child }: Pick<Instance, "child">): number | undefined => {
  if (child.exitCode !== null || child.signalCode !== null) return undefined
  const stat = Fs.readFileSync(`/proc/${child.pid}/stat`, "utf8")
  // The name before it may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) * 1000 / ticks
}
