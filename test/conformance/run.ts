/**
 * Runs the official conformance suite against the fixture server of this
 * folder, and fails when anything in it does.
 *
 *   npm run conformance
 *
 * The suite and the Node 22 it needs are no dependencies of the project: they
 * are fetched from npm once, into `.cache/conformance` or the folder in
 * `CAUSEWAY_CACHE`, and used from there when there is no network.
 *
 * @since 0.1.0
 */
import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import { createServer } from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))
const suite = { name: "@modelcontextprotocol/conformance", version: "0.2.0-alpha.12" }
const cache = process.env["CAUSEWAY_CACHE"] ?? Path.join(root, ".cache", "conformance")

/** What is asked of the suite, and how many scenarios that is: fewer would mean that some were not looked at. */
const legs: ReadonlyArray<{ readonly name: string; readonly args: ReadonlyArray<string>; readonly scenarios: number }> =
  [
    { name: "required for 2025-11-25", args: ["--requirements", "2025-11-25"], scenarios: 33 },
    // With the thirteen that are run and never scored: ten of the tasks extension and three that are pending.
    { name: "required for 2026-07-28", args: ["--requirements", "2026-07-28"], scenarios: 50 },
    { name: "all on 2026-07-28", args: ["--suite", "all", "--spec-version", "2026-07-28"], scenarios: 40 },
    { name: "all on 2025-11-25", args: ["--suite", "all", "--spec-version", "2025-11-25"], scenarios: 33 },
    { name: "all on 2025-06-18", args: ["--suite", "all", "--spec-version", "2025-06-18"], scenarios: 27 },
    { name: "all on 2025-03-26", args: ["--suite", "all", "--spec-version", "2025-03-26"], scenarios: 1 }
  ]

/**
 * Checks that do not succeed, and why that is right. Each is `scenario:check`
 * with the status it has.
 */
const expected: ReadonlyMap<string, { readonly status: string; readonly why: string }> = new Map([
  ["tasks-status-notifications:tasks-status-notifications", {
    status: "SKIPPED",
    why: "the suite has no harness for it yet and skips it for every server"
  }],
  ["server-session-lifecycle:server-session-delete-accepted", {
    status: "SKIPPED",
    why:
      "a session id is signed and holds everything itself: there is nothing to delete, and DELETE is answered with 405"
  }],
  ["server-session-lifecycle:server-session-terminated-returns-404", {
    status: "SKIPPED",
    why: "it needs DELETE"
  }],
  ["input-required-result-ignore-extra-params:sep-2322-ignore-unexpected-params", {
    status: "WARNING",
    why: "its answers come without the requestState of a question, so nothing was asked, and the question is put again"
  }]
])

/**
 * What the fixture server may log: where it listens, and that it refused what
 * the suite got wrong on purpose.
 */
const expectedLog = /level=INFO .*Serving MCP at |level=WARN .*message="Refused /u

interface Check {
  readonly id: string
  readonly status: string
  readonly description?: string
  readonly errorMessage?: string
  readonly details?: { readonly untestable?: boolean }
}

interface Outcome {
  readonly name: string
  readonly scenarios: ReadonlyMap<string, ReadonlyArray<Check>>
  readonly seconds: number
  readonly troubles: ReadonlyArray<string>
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

const children = new Set<ChildProcess>()
const results = Fs.mkdtempSync(Path.join(Os.tmpdir(), "causeway-conformance-"))

const start = (command: string, args: ReadonlyArray<string>, options: {
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
}): { readonly child: ChildProcess; readonly out: Array<string>; readonly err: Array<string> } => {
  const child = spawn(command, args, { cwd: root, ...options, stdio: ["ignore", "pipe", "pipe"] })
  children.add(child)
  child.once("exit", () => children.delete(child))
  const out: Array<string> = []
  const err: Array<string> = []
  child.stdout.setEncoding("utf8").on("data", (text: string) => out.push(text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => err.push(text))
  return { child, out, err }
}

const ended = async (child: ChildProcess): Promise<number | null> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
  return child.exitCode
}

/** Kills after the given time; gives the exit code, `null` when it had to be killed. */
const within = async (child: ChildProcess, millis: number): Promise<number | null> => {
  const timer = setTimeout(() => child.kill("SIGKILL"), millis)
  const code = await ended(child)
  clearTimeout(timer)
  return code
}

const versionOf = (folder: string): string | undefined => {
  try {
    return JSON.parse(Fs.readFileSync(Path.join(folder, "package.json"), "utf8")).version
  } catch {
    return undefined
  }
}

/** The Node and the program to run the suite with. */
const installed = (): readonly [node: string, program: string] | undefined => {
  const modules = Path.join(cache, "node_modules")
  const folder = Path.join(modules, ...suite.name.split("/"))
  const own = Number(process.versions.node.split(".")[0]) >= 22
  const node = own ? process.execPath : Path.join(modules, "node", "bin", "node")
  return versionOf(folder) === suite.version && Fs.existsSync(node)
    ? [node, Path.join(folder, "dist", "index.js")]
    : undefined
}

const install = async (): Promise<readonly [node: string, program: string]> => {
  const found = installed()
  if (found !== undefined) return found
  Fs.mkdirSync(cache, { recursive: true })
  const manifest = { name: "conformance", private: true, dependencies: { node: "22", [suite.name]: suite.version } }
  Fs.writeFileSync(Path.join(cache, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`)
  say(`Fetching ${suite.name} ${suite.version} and Node 22 from npm into ${cache}`)
  let last = ""
  for (const _try of [1, 2]) {
    const { child, err } = start("npm", ["install", "--prefix", cache, "--no-audit", "--no-fund"], {})
    await within(child, 240_000)
    const now = installed()
    if (now !== undefined) return now
    last = err.join("").split("\n").filter((line) => line.startsWith("npm error")).slice(0, 4).join("\n")
  }
  throw new Error(
    `The conformance suite could not be fetched from npm, and ${cache} does not hold it yet. ` +
      `Run this once with a network, or put a filled cache there and name it in CAUSEWAY_CACHE.\n${last}`
  )
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  return address !== null && typeof address === "object" ? address.port : 0
}

const ready = async (url: string, child: ChildProcess): Promise<void> => {
  const until = Date.now() + 30_000
  while (child.exitCode === null && Date.now() < until) {
    if (await fetch(url).then(() => true, () => false)) return
    await sleep(50)
  }
  throw new Error("the fixture server did not come up")
}

const read = (folder: string): ReadonlyMap<string, ReadonlyArray<Check>> =>
  new Map(
    Fs.readdirSync(folder).sort().map((name) => {
      const checks: ReadonlyArray<Check> = JSON.parse(Fs.readFileSync(Path.join(folder, name, "checks.json"), "utf8"))
      return [name.replace(/^server-/u, "").replace(/-\d{4}-\d{2}-\d{2}T[\dZ-]+$/u, ""), checks]
    })
  )

const run = async (
  [node, program]: readonly [string, string],
  url: string,
  leg: typeof legs[number]
): Promise<Outcome> => {
  const folder = Fs.mkdtempSync(Path.join(results, "leg-"))
  const began = performance.now()
  const { child, err, out } = start(
    node,
    [program, "server", "--url", url, ...leg.args, "--timeout", "15000", "-o", folder],
    {}
  )
  const code = await within(child, 150_000)
  const scenarios = read(folder)
  const tested = [...scenarios.values()].flat()
  const troubles = [
    ...(scenarios.size === leg.scenarios ? [] : [`${scenarios.size} scenarios were run, not ${leg.scenarios}`]),
    // A scenario that throws leaves no checks behind, and says so in the summary alone.
    ...(code === 0 || tested.some(({ status }) => status === "FAILURE")
      ? []
      : [`the suite ended with ${code}: ${[...out.slice(-1), ...err.slice(-3)].join("").trim()}`])
  ]
  return { name: leg.name, scenarios, seconds: (performance.now() - began) / 1000, troubles }
}

const count = (checks: Iterable<Check>, status: string): number =>
  [...checks].filter((check) => check.status === status).length

const row = (cells: ReadonlyArray<string | number>): string =>
  cells.map((cell, index) => (index === 0 ? String(cell).padEnd(26) : String(cell).padStart(11))).join("")

const isIgnored = (scenario: string, { id, status }: Check): boolean =>
  status === "SUCCESS" || status === "INFO" || expected.get(`${scenario}:${id}`)?.status === status

/** Prints what happened; gives the number of things that must not be. */
const report = (outcomes: ReadonlyArray<Outcome>, others: ReadonlyArray<string>): number => {
  say(row(["", "scenarios", "failed", "checks", "failed", "not tested", "warnings", "seconds"]))
  for (const { name, scenarios, seconds } of outcomes) {
    const checks = [...scenarios.values()].flat()
    const failed = [...scenarios.values()].filter((own) => count(own, "FAILURE") > 0).length
    say(row([
      name,
      scenarios.size,
      failed,
      count(checks, "SUCCESS"),
      count(checks, "FAILURE"),
      count(checks, "SKIPPED"),
      count(checks, "WARNING"),
      seconds.toFixed(1)
    ]))
  }
  const seen = new Set<string>()
  const troubles: Array<string> = [...others]
  for (const { name, scenarios, troubles: own } of outcomes) {
    troubles.push(...own.map((trouble) => `${name}: ${trouble}`))
    for (const [scenario, checks] of scenarios) {
      for (const check of checks) {
        seen.add(`${scenario}:${check.id}:${check.status}`)
        if (isIgnored(scenario, check)) continue
        const kind = check.details?.untestable === true ? "NOT TESTABLE" : check.status
        troubles.push(
          `${name}: ${scenario}: ${check.id}: ${kind}: ${check.errorMessage ?? check.description ?? "no reason given"}`
        )
      }
    }
  }
  for (const [key, { status, why }] of expected) {
    if (seen.has(`${key}:${status}`)) say(`expected: ${key} is ${status}: ${why}`)
    else troubles.push(`${key} is expected to be ${status} and is not any more; take it off the list`)
  }
  for (const trouble of troubles) say(`\n✗ ${trouble}`)
  return troubles.length
}

const main = async (): Promise<number> => {
  const program = await install()
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/mcp`
  const server = start(process.execPath, ["--import", "tsx", "test/conformance/server.ts"], {
    env: { ...process.env, PORT: String(port) }
  })
  const outcomes: Array<Outcome> = []
  const others: Array<string> = []
  const began = performance.now()
  try {
    await ready(url, server.child)
    for (const leg of legs) outcomes.push(await run(program, url, leg))
    if (server.child.exitCode !== null) others.push(`the fixture server ended by itself with ${server.child.exitCode}`)
  } finally {
    server.child.kill("SIGTERM")
    if (await within(server.child, 5000) === null) others.push("the fixture server did not end within 5 s of SIGTERM")
    const lines = [...server.out, ...server.err].join("").split("\n")
      .filter((line) => line !== "" && !expectedLog.test(line))
    if (lines.length > 0) others.push(`the fixture server wrote to its log:\n${lines.slice(0, 40).join("\n")}`)
  }
  const troubles = report(outcomes, others)
  say(
    troubles === 0
      ? `\nEverything passed in ${((performance.now() - began) / 1000).toFixed(0)} s.`
      : `\n${troubles} not as it should be.`
  )
  return troubles === 0 ? 0 : 1
}

process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL")
  Fs.rmSync(results, { recursive: true, force: true })
})
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130))

process.exitCode = await main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error))
  return 1
})
