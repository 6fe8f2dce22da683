/**
 * Two instances of a small server behind a real HAProxy with the configuration of
 * the examples, and clients that keep them busy.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { Scope } from "effect/Scope"
import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { accessSync, constants, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import * as Http from "node:http"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { describe, it } from "vitest"
import { freePort } from "./postgres.js"

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** A program by its name, also where only an administrator usually looks. */
export const findProgram = (name: string): string | undefined =>
  [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"]
    .map((folder) => join(folder, name)).find(isExecutable)

const haproxy = findProgram("haproxy")

/** A suite that needs HAProxy; without it one line says so, and `REQUIRE_SERVICES=1` makes that a failure. */
export const suite = (name: string, body: () => void): void => {
  if (haproxy !== undefined) return void describe(name, body)
  const missing = "no haproxy on the PATH: install it"
  it.skipIf(process.env.REQUIRE_SERVICES !== "1")(`${name} (${missing})`, () => {
    throw new Error(missing)
  })
}

const ended = async (child: ChildProcess): Promise<number | null> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
  return child.exitCode
}

/** Runs a program for as long as the scope is open; `output` grows. */
export const program = (command: string, args: ReadonlyArray<string>, env: Record<string, string> = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(command, [...args], {
        env: { ...process.env, ...env },
        stdio: ["ignore", "ignore", "pipe"]
      })
      const seen = { child, output: "" }
      child.stderr.on("data", (chunk: Buffer) => {
        seen.output += chunk.toString()
      })
      return seen
    }),
    ({ child }) =>
      Effect.promise(() => {
        child.kill("SIGKILL")
        return ended(child)
      })
  )

/** The status and the text of a page; status 0 when nobody listens. */
export const page = (url: string): Promise<{ readonly status: number; readonly text: string }> =>
  fetch(url, { signal: AbortSignal.timeout(5000), headers: { connection: "close" } }).then(
    async (response) => ({ status: response.status, text: await response.text() }),
    () => ({ status: 0, text: "" })
  )

/** Waits until it is so, for half a minute at most. */
export const until = (what: string, isSo: () => Promise<boolean> | boolean) =>
  Effect.promise(async () => isSo()).pipe(
    Effect.repeat({ until: (so) => so, schedule: Schedule.spaced("20 millis") }),
    Effect.timeoutFail({ duration: "30 seconds", onTimeout: () => `waited in vain until ${what}` }),
    Effect.orDieWith((message) => new Error(message))
  )

export interface Instance {
  readonly port: number
  readonly opsPort: number
  readonly process: () => { readonly child: ChildProcess; readonly output: string }
  /** Starts it, on the same ports as before, and waits until it is ready. */
  readonly start: Effect.Effect<void>
  /** Sends a signal and gives the exit code and the milliseconds that it took. */
  readonly stop: (signal: NodeJS.Signals) => Effect.Effect<{ readonly code: number | null; readonly took: number }>
}

export const instance = (lameDuck: number) =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const port = yield* freePort
    const opsPort = yield* freePort
    const args = ["--import", "tsx", "test/integration/drainServer.ts", String(port), String(opsPort), String(lameDuck)]
    let running = yield* program(process.execPath, args)
    const ready = until(
      "an instance is ready",
      async () => (await page(`http://127.0.0.1:${opsPort}/readyz`)).status === 200
    )
    const made: Instance = {
      port,
      opsPort,
      process: () => running,
      start: Effect.gen(function*() {
        running = yield* Effect.provideService(program(process.execPath, args), Scope, scope)
        yield* ready
      }),
      stop: (signal) =>
        Effect.promise(async () => {
          const began = performance.now()
          running.child.kill(signal)
          return { code: await ended(running.child), took: performance.now() - began }
        })
    }
    return { ...made, ready }
  })

/** HAProxy as the example configures it, in front of both. */
export const balancer = (a: Pick<Instance, "port">, b: Pick<Instance, "port">, safeTools: string) =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "causeway-haproxy-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    copyFileSync("examples/production/haproxy.cfg", join(folder, "haproxy.cfg"))
    writeFileSync(join(folder, "safe-tools.lst"), safeTools)
    const port = yield* freePort
    const statsPort = yield* freePort
    yield* program(haproxy ?? "haproxy", ["-db", "-f", join(folder, "haproxy.cfg")], {
      HAPROXY_BIND: `127.0.0.1:${port}`,
      HAPROXY_STATS: `127.0.0.1:${statsPort}`,
      INSTANCE_A: `127.0.0.1:${a.port}`,
      INSTANCE_B: `127.0.0.1:${b.port}`
    })
    const isUp = async (name: string): Promise<boolean> => {
      const { text } = await page(`http://127.0.0.1:${statsPort}/;csv`)
      return text.split("\n").some((line) => line.startsWith(`instances,${name},`) && line.split(",")[17] === "UP")
    }
    return {
      url: `http://127.0.0.1:${port}/mcp`,
      /** Waits until requests go to both. */
      bothUp: until("both instances are up", async () => (await isUp("a")) && (await isUp("b")))
    }
  })

/** nginx as the example configures it, in front of both. */
export const nginx = (binary: string, a: Pick<Instance, "port">, b: Pick<Instance, "port">, safeTools: string) =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "causeway-nginx-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    const port = yield* freePort
    const text = readFileSync("examples/production/nginx.conf", "utf8")
      .replace("127.0.0.1:3333", `127.0.0.1:${a.port}`)
      .replace("127.0.0.1:3334", `127.0.0.1:${b.port}`)
      .replace("127.0.0.1:8080", `127.0.0.1:${port}`)
    writeFileSync(join(folder, "nginx.conf"), text)
    writeFileSync(join(folder, "safe-tools.map"), safeTools.replaceAll("\n", " 1;\n"))
    yield* program(binary, ["-p", folder, "-c", join(folder, "nginx.conf"), "-g", "daemon off; master_process off;"])
    const url = `http://127.0.0.1:${port}/mcp`
    yield* until("nginx answers", async () => (await page(url)).status !== 0)
    return { url }
  })

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "load", version: "0.0.0" },
  "io.modelcontextprotocol/clientCapabilities": {}
}

const headers = (method: string, name?: string) => ({
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
  "mcp-protocol-version": "2026-07-28",
  "mcp-method": method,
  ...(name === undefined ? {} : { "mcp-name": name })
})

/** What came of a request: its status and text, or the code of what went wrong. */
const send = (
  url: string,
  agent: Http.Agent | undefined,
  given: Record<string, string>,
  body: string,
  patience: number
): Promise<string> =>
  new Promise((resolve) => {
    const request = Http.request(url, { agent, method: "POST", headers: given }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (chunk: string) => (text += chunk))
      response.on("error", (error) => resolve(`broken off: ${error.message}`))
      response.on("end", () => resolve(`${response.statusCode} ${text}`))
    })
    if (patience > 0) request.setTimeout(patience, () => request.destroy(new Error("hang")))
    request.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    request.end(body)
  })

/** Calls a tool once and gives what came of it. */
export const call = (url: string, tool: string, ms: number, agent?: Http.Agent): Promise<string> =>
  send(
    url,
    agent,
    headers("tools/call", tool),
    JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: tool, arguments: { ms }, _meta: meta }
    }),
    15_000
  )

/** A call that failed: its number, when it was sent, and what came of it. */
export interface Lost {
  readonly ms: number
  readonly sentAt: number
  readonly came: string
}

export interface Load {
  answered: number
  readonly failed: Array<Lost>
  /** Streams that ended with their final result, and those that did not. */
  whole: number
  cut: number
}

/** Keeps clients busy until the scope closes. */
export const load = (url: string, tool: string, options: { readonly clients: number; readonly streams: number }) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const seen: Load = { answered: 0, failed: [], whole: 0, cut: 0 }
      let isOver = false
      let sent = 0
      const agent = new Http.Agent({ keepAlive: true })
      const work = async (): Promise<void> => {
        const own = new Http.Agent({ keepAlive: true, maxSockets: 1 })
        while (!isOver) {
          // No two calls are equal, so that a server can tell which ones it ran.
          const ms = 10 + ++sent / 1e6
          const sentAt = performance.now()
          const came = await call(url, tool, ms, own)
          if (came.startsWith("200 ") && came.includes("\"content\"")) seen.answered++
          else seen.failed.push({ ms, sentAt, came: came.slice(0, 200) })
        }
        own.destroy()
      }
      const listen = async (): Promise<void> => {
        while (!isOver) {
          const body = JSON.stringify({
            jsonrpc: "2.0",
            id: "stream",
            method: "subscriptions/listen",
            params: { notifications: { toolsListChanged: true }, _meta: meta }
          })
          const came = await send(url, agent, headers("subscriptions/listen"), body, 0)
          if (isOver) return
          if (/"id":"stream","result"/u.test(came)) seen.whole++
          else {
            seen.cut++
            await new Promise((resolve) => setTimeout(resolve, 50))
          }
        }
      }
      const workers = Array.from({ length: options.clients }, work)
      for (let n = 0; n < options.streams; n++) void listen()
      const stop = async (): Promise<void> => {
        isOver = true
        await Promise.all(workers)
        agent.destroy()
      }
      return { seen, stop }
    }),
    ({ stop }) => Effect.promise(stop)
  )
