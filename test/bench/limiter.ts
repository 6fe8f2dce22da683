/**
 * Measures how exact a limit is that several processes share through Redis: what
 * was had beyond it, what was had too little, and how long a take waited. In a
 * last round Redis is killed and started again while they run.
 *
 * `tsx test/bench/limiter.ts --procs 2 --rate 1000,10000 --seconds 20`; with
 * `--limiter experimental` that of `@effect/experimental`, without the last round.
 *
 * @since 0.1.0
 */
import { Redis } from "ioredis"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import type { Sum } from "./limiter-run.js"
import { together } from "./limiter-run.js"

const { values } = parseArgs({
  options: {
    procs: { type: "string", default: "2" },
    rate: { type: "string", default: "1000,10000" },
    seconds: { type: "string", default: "20" },
    concurrency: { type: "string", default: "32" },
    limiter: { type: "string", default: "ours" },
    deadline: { type: "string", default: "50" }
  }
})

const procs = Number(values.procs)
const seconds = Number(values.seconds)
const concurrency = Number(values.concurrency)

const limiter = values.limiter === "experimental" ? "experimental" : "ours"

const percent = (share: number): number => Math.round(share * 1e6) / 1e4

const print = (round: string, rate: number, sum: Sum): void =>
  console.log(JSON.stringify({
    round,
    rate,
    seconds: Math.round(sum.seconds * 1000) / 1000,
    asked: sum.asked,
    had: sum.had,
    bound: Math.floor(sum.bound),
    overPercent: percent(sum.over),
    underPercent: percent(sum.under),
    p99Ms: Math.round(sum.p99 * 100) / 100,
    slowestMs: Math.round(sum.slowest * 10) / 10,
    counted: sum.counted,
    hadWithoutRedis: sum.hadAlone
  }))

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  return typeof address === "object" && address !== null ? address.port : 0
}

const port = await freePort()

const start = async () => {
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
  const child = spawn("redis-server", args, { stdio: "ignore" })
  const client = new Redis({ host: "127.0.0.1", port, retryStrategy: () => 20, maxRetriesPerRequest: null })
  client.on("error", () => undefined)
  await client.ping()
  client.disconnect()
  return child
}

let server = await start()
try {
  const base = { limiter, port, seconds, concurrency, deadline: Number(values.deadline) } as const
  let isMissed = false
  for (const rate of values.rate.split(",").map(Number)) {
    const order = { ...base, key: `rate-${rate}`, capacity: rate, perSecond: rate, isClocked: true }
    const sum = await together(procs, { ...order, outage: { mode: "local", instances: procs } })
    print("shared", rate, sum)
    isMissed ||= sum.over > 0 || sum.under > 0.01
  }
  if (limiter === "experimental") process.exit(0)
  const rate = Number(values.rate.split(",")[0])
  const order = { ...base, key: "outage", capacity: rate, perSecond: rate, isClocked: false }
  const sum = await together(procs, { ...order, outage: { mode: "local", instances: procs } }, async () => {
    await sleep(seconds * 1000 / 3)
    server.kill("SIGKILL")
    await sleep(seconds * 1000 / 3)
    server = await start()
  })
  print("killed and restarted", rate, sum)
  // The restarted server knows nothing: one bucket more may be had.
  isMissed ||= sum.had > sum.bound + rate || sum.counted.local === 0
  if (isMissed) process.exitCode = 1
} finally {
  server.kill("SIGKILL")
}
