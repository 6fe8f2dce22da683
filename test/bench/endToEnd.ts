/**
 * Measures the whole: agents that ask market questions of two instances of the
 * reference server behind HAProxy, over Postgres, Redis and three model
 * providers that take their time and fail.
 *
 *   npm run bench:e2e -- [--seconds 60] [--agents 16] [--think 300] [--passages 10000]
 *     [--phases own,faults,refuses,hangs,killed]
 *
 * `PG_BIN` names where the programs of a PostgreSQL 17 with pgvector are;
 * `redis-server` and `haproxy` are on the PATH. The phases:
 *
 * - `own`: providers answer at once and never fail, so that times are the servers' own.
 * - `faults`: an answer takes 350 ms at the median, one in a hundred more than 900
 *   ms; one request in ten is refused (429, 503), cut off, or never answered.
 * - `refuses`: the same, and the provider that is asked first drops every connection.
 * - `hangs`: the same, and that provider takes every request and never answers.
 * - `killed`: the same as `faults`, and after a third of the time one instance gets SIGKILL; last, if at all.
 *
 * Every agent has an API key of its own, half its calls or more are questions, and
 * between two calls it thinks for half to one and a half times `--think`
 * milliseconds. `waited` is what an answer says of its models' time, `ours` the
 * rest of what the client saw. Answers are not cached, so that each asks a model.
 *
 * @since 0.1.0
 */
import * as ApiKeys from "causeway-mcp/auth/ApiKeys"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { readFileSync } from "node:fs"
import * as Os from "node:os"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { parseArgs } from "node:util"
import * as Postgres from "../integration/postgres.js"
import * as Agents from "./endToEnd/agents.js"
import * as Figures from "./endToEnd/figures.js"
import type { Behaviour } from "./endToEnd/provider.js"
import * as Services from "./endToEnd/services.js"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    agents: { type: "string", default: "16" },
    think: { type: "string", default: "300" },
    passages: { type: "string", default: "10000" },
    phases: { type: "string", default: "own,faults,refuses,hangs" }
  }
})

const real: Behaviour = { median: 350, p99: 900, faults: 0.1 }

const phases = {
  own: { median: 0, p99: 0, faults: 0 },
  faults: real,
  refuses: { ...real, first: "refuses" },
  hangs: { ...real, first: "hangs" },
  killed: real
} satisfies Record<string, Behaviour>

type Phase = keyof typeof phases

const isPhase = (name: string): name is Phase => Object.hasOwn(phases, name)

const number = (flag: "seconds" | "agents" | "think" | "passages", least: number): number => {
  const value = Number(values[flag])
  if (!Number.isFinite(value) || value < least) throw new Error(`--${flag} is a number from ${least}`)
  return value
}

const seconds = number("seconds", 1)
const passages = number("passages", 0)
const think = number("think", 0)
const agents = number("agents", 1)
const wanted = values.phases.split(",").map((name) => {
  if (!isPhase(name)) throw new Error(`--phases are some of ${Object.keys(phases).join(", ")}, not ${name}`)
  return name
})

const questions = readFileSync("examples/corpus/questions.jsonl", "utf8").trim().split("\n").map((line) => {
  const { question }: { readonly question: string } = JSON.parse(line)
  return question
})

/** Code that runs for the first time is slow. */
const warmUp = 8

const measure = ({ instances, providers, url }: Effect.Effect.Success<ReturnType<typeof Services.start>>, keys: {
  readonly agents: ReadonlyArray<string>
}) =>
async (phase: Phase, seconds: number): Promise<Figures.Measured> => {
  await providers.behave(phases[phase])
  const before = instances.map(Services.processorTime)
  const own = process.cpuUsage()
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const began = performance.now()
  const victim = instances[1]
  const killing = phase === "killed" && victim !== undefined
    ? setTimeout(() => victim.child.kill("SIGKILL"), seconds * 1000 / 3)
    : undefined
  const calls = await Agents.work({ url, keys: keys.agents, questions, think }, seconds)
  clearTimeout(killing)
  const took = performance.now() - began
  delay.disable()
  const { system, user } = process.cpuUsage(own)
  const told = await providers.behave(phases[phase])
  const used = instances.reduce((sum, instance, n) => {
    const now = Services.processorTime(instance)
    return now === undefined ? sum : sum + now - (before[n] ?? 0)
  }, 0)
  return {
    phase,
    calls,
    seconds: took / 1000,
    asked: told.asked,
    faults: told.faults,
    serverMs: used,
    clientShare: (system + user) / 1000 / took,
    clientDelayP99: delay.percentile(99) / 1e6
  }
}

const main = Effect.gen(function*() {
  const given = yield* Effect.forEach(Array.from({ length: agents }), () => ApiKeys.generate)
  const services = yield* Services.start(
    passages,
    given.map(({ hash }, n) => ({ id: `agent-${n}`, hash, tenant: "default", scopes: [] }))
  )
  const run = measure(services, { agents: given.map(({ key }) => key) })
  yield* Effect.promise(() => run("faults", warmUp))
  const all: Array<Figures.Measured> = []
  for (const phase of wanted) {
    const measured = yield* Effect.promise(() => run(phase, seconds))
    process.stderr.write(`${Figures.line(measured)}\n`)
    all.push(measured)
  }
  return all
})

const server = Postgres.found.find(({ name }) => name.startsWith("PostgreSQL 17."))
if (server === undefined) throw new Error("no PostgreSQL 17 found: name the folder of its programs in PG_BIN")

const load = Os.loadavg()
const { length: processors, 0: first } = Os.cpus()
console.log(
  `${agents} agents, ${seconds} s a phase, think ${think} ms, ${passages} passages; ${server.name}, Node ${process.version}, ` +
    `${processors} x ${first?.model}, load average ${load.map((value) => value.toFixed(2)).join(" ")} at the start`
)
const all = await Effect.runPromise(
  main.pipe(Effect.scoped, Effect.provide(Postgres.layer(server.bin)), Logger.withMinimumLogLevel(LogLevel.Warning))
)
console.log(`\n${Figures.table(all)}\n`)
console.log(JSON.stringify({ bench: "e2e", seconds, agents, think, passages, load, phases: all.map(Figures.record) }))
process.exit(all.some(Figures.isMissed) ? 1 : 0)
