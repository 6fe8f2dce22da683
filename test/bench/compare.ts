/**
 * The library beside bare `node:http` with JSON, in one run: `add` and `search`
 * over HTTP in each era with 16 connections, and pipelined on standard streams.
 *
 *   npm run bench -- [--rounds 9] [--millis 250] [--calls 5000]
 *
 * The cells of a round follow each other at once, and every ratio is of one
 * round, since a shared machine changes its speed from minute to minute; what is
 * printed is the median over the rounds. The server has one processor and the
 * load another. `fiber` marks handlers that are not done at once, `production`
 * is `standard` with a key for each caller, metrics and joined traces.
 *
 * @since 0.1.0
 */
import type { ChildProcess } from "node:child_process"
import { parseArgs } from "node:util"
import { credentials } from "./data.js"
import type { Manner, Tool } from "./load.js"
import * as Load from "./load.js"
import * as Program from "./program.js"

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "9" },
    millis: { type: "string", default: "250" },
    calls: { type: "string", default: "5000" },
    only: { type: "string", default: "http,stdio" }
  }
})

const rounds = Number(flags.rounds)
const millis = Number(flags.millis)
const pipelined = Number(flags.calls)

const ours: ReadonlyArray<readonly [name: string, env: Readonly<Record<string, string>>]> = [
  ["plain", {}],
  ["standard", { POLICIES: "standard" }],
  ["production", { POLICIES: "production" }],
  ["fiber", { HANDLERS: "fiber" }],
  ["fiber standard", { HANDLERS: "fiber", POLICIES: "standard" }],
  ["fiber production", { HANDLERS: "fiber", POLICIES: "production" }]
]

/** Bare `node:http` is sent the same as the plain server. */
const headersOf = (name: string): Readonly<Record<string, string>> => name.endsWith("production") ? credentials : {}

interface Cell {
  readonly rate: number
  readonly cpu: number
}

const line = (cells: ReadonlyArray<string>): void => {
  console.log(cells.map((cell, index) => (index === 0 ? cell.padEnd(36) : cell.padStart(12))).join(""))
}

/** One line per subject: its median, and the median of its ratios to the first subject of the same round. */
const show = (title: string, cells: ReadonlyMap<string, ReadonlyArray<Cell>>): void => {
  const [floor = []] = cells.values()
  for (const [name, own] of cells) {
    const ratio = (of: (cell: Cell) => number): string =>
      Program.median(own.map((cell, round) => of(cell) / of(floor[round] ?? cell))).toFixed(2)
    line([
      `${title}, ${name}`,
      Program.median(own.map(({ rate }) => rate)).toFixed(0),
      ratio(({ rate }) => rate),
      Program.median(own.map(({ cpu }) => cpu)).toFixed(1),
      ratio(({ cpu }) => cpu)
    ])
  }
}

const http = async (): Promise<void> => {
  const servers = [
    { name: "node:http", ...await Program.startHttp("floor", {}) },
    ...await Promise.all(
      ours.map(async ([name, env]) => ({ name, ...await Program.startHttp("server-http", env) }))
    )
  ]
  const manners: ReadonlyArray<Manner> = ["2026-07-28", "2025-11-25", "2025-11-25 session"]
  const tools: ReadonlyArray<Tool> = ["add", "search"]
  const sessions = new Map<number, string | undefined>()
  for (const { name, port } of servers) {
    if (name !== "node:http") sessions.set(port, await Load.openSession(port, headersOf(name)))
  }
  const keepSessions = [...sessions.values()].every((session) => session !== undefined)
  const measure = async (server: typeof servers[number], manner: Manner, tool: Tool, time: number): Promise<Cell> => {
    const session = manner === "2025-11-25 session" ? sessions.get(server.port) ?? "none" : undefined
    const { pid = 0 } = server.child
    const before = Program.cpuMicros(pid)
    const { calls, millis: took } = await Load.load({
      port: server.port,
      manner,
      session,
      tool,
      connections: 16,
      millis: time,
      headers: headersOf(server.name)
    })
    return { rate: calls / took * 1000, cpu: (Program.cpuMicros(pid) - before) / calls }
  }
  line(["HTTP, 16 connections", "calls/s", "of floor", "us CPU", "of floor"])
  for (const manner of manners) {
    if (manner === "2025-11-25 session" && !keepSessions) continue
    for (const tool of tools) {
      const cells = new Map(servers.map(({ name }): [string, Array<Cell>] => [name, []]))
      for (const server of servers) await measure(server, manner, tool, 800)
      for (let round = 0; round < rounds; round++) {
        for (const server of servers) cells.get(server.name)?.push(await measure(server, manner, tool, millis))
      }
      show(`${manner}, ${tool}`, cells)
    }
  }
  for (const { child } of servers) await Program.stop(child)
}

interface Pipe {
  readonly child: ChildProcess
  /** Writes all lines at once; gives the answers by their ids when there are as many as asked for. */
  readonly ask: (lines: ReadonlyArray<string>, answers: number) => Promise<ReadonlyArray<string>>
}

const pipe = async (program: string, env: Readonly<Record<string, string>>): Promise<Pipe> => {
  const child = await Program.startStdio(program, env)
  let rest = ""
  let take: (line: string) => void = () => {}
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n")
    rest = lines.pop() ?? ""
    for (const each of lines) take(each)
  })
  return {
    child,
    ask: (lines, answers) =>
      new Promise((resolve, reject) => {
        const got: Array<string> = []
        child.once("exit", () => reject(new Error(`${program} ended`)))
        take = (each) => {
          got.push(each)
          if (got.length === answers) {
            child.removeAllListeners("exit")
            resolve(got)
          }
        }
        child.stdin.write(`${lines.join("\n")}\n`)
      })
  }
}

const opening = [
  JSON.stringify({
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bench", version: "1.0.0" } }
  }),
  JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })
]

const stdio = async (): Promise<void> => {
  line(["stdio, pipelined", "calls/s", "of floor", "us CPU", "of floor"])
  for (const manner of ["2026-07-28", "2025-11-25"] as const) {
    const pipes = [
      { name: "bare", ...await pipe("floor", {}) },
      ...await Promise.all(ours.map(async ([name, env]) => ({ name, ...await pipe("server-stdio", env) })))
    ]
    if (manner === "2025-11-25") {
      for (const { ask, name } of pipes) if (name !== "bare") await ask(opening, 1)
    }
    let id = 1
    const measure = async ({ ask, child }: typeof pipes[number]): Promise<Cell> => {
      const first = id
      const lines = Array.from({ length: pipelined }, () => Load.message(manner, "add", id++, 200_000 + id))
      const { pid = 0 } = child
      const before = Program.cpuMicros(pid)
      const began = performance.now()
      const answers = await ask(lines, pipelined)
      const took = performance.now() - began
      const cpu = (Program.cpuMicros(pid) - before) / pipelined
      const seen = new Set(answers.map((answer) => {
        const answered = Number(JSON.parse(answer).id)
        const trouble = Load.wrong("add", answered, 200_001 + answered, answer)
        if (trouble !== undefined) throw new Error(trouble)
        return answered
      }))
      if (seen.size !== pipelined || !seen.has(first)) throw new Error("some calls were not answered, or twice")
      return { rate: pipelined / took * 1000, cpu }
    }
    const cells = new Map(pipes.map(({ name }): [string, Array<Cell>] => [name, []]))
    for (const each of pipes) await measure(each)
    for (let round = 0; round < rounds; round++) {
      for (const each of pipes) cells.get(each.name)?.push(await measure(each))
    }
    show(`${manner}, add`, cells)
    for (const { child } of pipes) await Program.stop(child)
  }
}

Program.stepAside()
const wanted = flags.only.split(",")
if (wanted.includes("http")) await http()
if (wanted.includes("stdio")) await stdio()
process.exit(0)
