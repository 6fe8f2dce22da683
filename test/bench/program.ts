/**
 * The benches' programs: bundled as they stand in `src` now, started, and read
 * for what they cost.
 *
 * @since 0.1.0
 */
import { build } from "esbuild"
import type { ChildProcess } from "node:child_process"
import { fork, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import { connect, createServer } from "node:net"
import { cpus } from "node:os"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))
const folder = `${root}.cache/bench`

/** `tsx` names every function at run time, which a server of its own would not: hence a bundle. */
const bundled = async (name: string): Promise<string> => {
  await build({
    entryPoints: [`${root}test/bench/${name}.ts`],
    outfile: `${folder}/${name}.mjs`,
    bundle: true,
    packages: "external",
    alias: { "causeway-mcp": `${root}src` },
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "error"
  })
  return `${folder}/${name}.mjs`
}

const known = new Map<string, Promise<string>>()

/**
 * The file to run for a program of this folder; made once per run of a bench.
 *
 * @since 0.1.0
 */
export const programOf = (name: string): Promise<string> => {
  const found = known.get(name) ?? bundled(name)
  known.set(name, found)
  return found
}

const canPin = cpus().length > 1 && spawnSync("taskset", ["-V"]).status === 0

/**
 * Keeps this process on the second processor, so that a server started by
 * `start` has the first to itself; where there is only one, does nothing.
 *
 * @since 0.1.0
 */
export const stepAside = (): void => {
  if (canPin) spawnSync("taskset", ["-a", "-cp", "1", String(process.pid)])
}

const children = new Set<ChildProcess>()
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL")
})
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130))

const kept = <C extends ChildProcess>(child: C): C => {
  children.add(child)
  child.once("exit", () => children.delete(child))
  if (canPin && child.pid !== undefined) spawnSync("taskset", ["-a", "-cp", "0", String(child.pid)])
  return child
}

/**
 * Starts a server on standard streams, on the first processor.
 *
 * @since 0.1.0
 */
export const startStdio = async (name: string, env: Readonly<Record<string, string>>) => {
  const { PORT: _, ...inherited } = process.env
  return kept(spawn(process.execPath, [await programOf(name)], {
    cwd: root,
    env: { ...inherited, ...env },
    stdio: ["pipe", "pipe", "inherit"]
  }))
}

/**
 * Starts a server over HTTP, on the first processor, and waits until it takes
 * connections.
 *
 * @since 0.1.0
 */
export const startHttp = async (name: string, env: Readonly<Record<string, string>>) => {
  const port = await freePort()
  const child = kept(spawn(process.execPath, [await programOf(name)], {
    cwd: root,
    env: { ...process.env, ...env, PORT: String(port) },
    stdio: ["ignore", "ignore", "inherit"]
  }))
  await canConnectSoon(port)
  return { child, port }
}

/**
 * Waits until a port takes connections; 20 seconds at most.
 *
 * @since 0.1.0
 */
export const canConnectSoon = async (port: number): Promise<void> => {
  const until = Date.now() + 20_000
  while (!await canConnect(port)) {
    if (Date.now() > until) throw new Error(`nothing listens on port ${port}`)
    await sleep(20)
  }
}

/**
 * Starts a program that is spoken to by messages; it can collect its garbage.
 *
 * @since 0.1.0
 */
export const startTold = async (name: string, args: ReadonlyArray<string>): Promise<ChildProcess> =>
  kept(
    fork(await programOf(name), args, {
      cwd: root,
      execArgv: ["--expose-gc"],
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
  )

/**
 * Says something to a program, and gives what it says next.
 *
 * @since 0.1.0
 */
export const tell = async (child: ChildProcess, message: unknown): Promise<unknown> => {
  const said = once(child, "message")
  const gone = once(child, "exit").then(() => {
    throw new Error("the program ended")
  })
  gone.catch(() => {})
  child.send(JSON.stringify(message))
  const [answer] = await Promise.race([said, gone])
  return answer
}

/**
 * Ends a program, and waits until it has ended.
 *
 * @since 0.1.0
 */
export const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, "exit")
  child.kill("SIGKILL")
  await gone
}

/**
 * A port of the loopback that nobody listens on.
 *
 * @since 0.1.0
 */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  return address !== null && typeof address === "object" ? address.port : 0
}

const canConnect = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      resolve(true)
    })
    socket.on("error", () => resolve(false))
  })

/**
 * The processor time a process has used, all its threads together, in
 * microseconds. Linux only.
 *
 * @since 0.1.0
 */
export const cpuMicros = (pid: number): number =>
  Fs.readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    try {
      const [ran] = Fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ")
      return sum + Number(ran) / 1000
    } catch {
      return sum
    }
  }, 0)

/**
 * @since 0.1.0
 */
export const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
