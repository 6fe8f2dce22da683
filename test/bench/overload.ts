/**
 * What is left of a server that is asked for ten times what it can do, and of one
 * that is held by clients that never finish a request.
 *
 *   npx tsx test/bench/overload.ts [--seconds 10] [--work 5] [--wait 0] [--times 10]
 *
 * Each line is one figure as JSON; the exit code is 1 when one is missed: at least
 * 80 % of the peak are answered, the rest gets 503 with `Retry-After` (or, with
 * `--wait`, a failure where no place is left to wait in), calls of the highest
 * priority are answered, everything is as before within five seconds, and
 * slow clients cost a good one at most twice its 99th percentile.
 *
 * @since 0.1.0
 */
import { connect } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import * as Clients from "./overloadClients.js"
import * as Program from "./program.js"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    work: { type: "string", default: "5" },
    wait: { type: "string", default: "0" },
    times: { type: "string", default: "10" }
  }
})
const millis = Number(values.seconds) * 1000
const times = Number(values.times)

let isMissed = false
const print = (figure: object, isMet: boolean): void => {
  if (!isMet) isMissed = true
  process.stdout.write(`${JSON.stringify({ ...figure, isMet })}\n`)
}

const round = (value: number, digits = 1): number => Math.round(value * 10 ** digits) / 10 ** digits

const mix = (n: number): Clients.Priority => n % 20 === 0 ? "critical" : n % 20 < 12 ? "normal" : "background"

const flood = async (): Promise<void> => {
  const { child, port } = await Program.startHttp("server-overload", { WORK_MS: values.work, WAIT_MS: values.wait })
  const clients = Clients.make(port)
  await clients.warm("quick_answer")
  await clients.closed("sums_normal", 8, 1000)
  const waits = Number(values.wait) > 0
  const peak = await clients.closed("sums_normal", waits ? 64 : 8, millis / 2)
  print({ what: "peak", perSecond: round(peak.perSecond), p50: round(peak.p50), p99: round(peak.p99) }, true)

  const sums = await clients.open(peak.perSecond * times, millis, (n) => `sums_${mix(n)}`)
  const began = performance.now()
  const goodput = sums.answered / (millis / 1000)
  const refused = sums.refused.sort((a, b) => a - b)
  const answered = sums.latencies.sort((a, b) => a - b)
  print({
    what: "goodput",
    offered: round(sums.sent / (millis / 1000)),
    perSecond: round(goodput),
    share: round(goodput / peak.perSecond, 3),
    p50: round(Clients.percentile(answered, 0.5)),
    p99: round(Clients.percentile(answered, 0.99))
  }, goodput >= 0.8 * peak.perSecond)
  print(
    {
      what: "refused",
      count: refused.length,
      p50: round(Clients.percentile(refused, 0.5)),
      p99: round(Clients.percentile(refused, 0.99)),
      withoutRetryAfter: sums.withoutRetryAfter,
      other: sums.other,
      unsent: sums.unsent
    },
    sums.withoutRetryAfter === 0 && Object.keys(sums.other).every((kind) => kind === "200 failed") &&
      Clients.percentile(refused, 0.99) < 2000
  )
  const share = (priority: Clients.Priority): number => {
    const { asked, got } = sums.byTool.get(`sums_${priority}`) ?? { asked: 0, got: 0 }
    return asked === 0 ? 0 : round(got / asked, 3)
  }
  print(
    { what: "share answered", critical: share("critical"), normal: share("normal"), background: share("background") },
    share("critical") > 0.9 && share("critical") > share("normal") && share("normal") >= share("background")
  )

  const healed = new Map<string, number>()
  while (healed.size < 2 && performance.now() - began < 20_000) {
    for (const tool of ["sums_normal", "sums_background"]) {
      const came = await clients.once(tool)
      if (came.status === 200 && !came.isFailure && !healed.has(tool)) {
        healed.set(tool, round(performance.now() - began, 0))
      }
    }
    await sleep(20)
  }
  const after = await clients.closed("sums_normal", 8, 1000)
  const healedAfter = healed.size === 2 ? Math.max(...healed.values()) : Number.POSITIVE_INFINITY
  print({ what: "healed after, ms", ...Object.fromEntries(healed), p99: round(after.p99) }, healedAfter < 5000)
  clients.close()
  await Program.stop(child)
}

/** Opens a connection that sends one more byte of its headers, or of its body, ten times a second. */
const loris = (port: number, isBody: boolean, isOver: () => boolean): void => {
  const head = "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: application/json\r\n"
  const socket = connect(port, "127.0.0.1", () => {
    socket.write(isBody ? `${head}content-length: 900000\r\n\r\n` : `${head}x-slow: `)
  })
  const timer = setInterval(() => {
    if (isOver()) socket.destroy()
    else socket.write(" ")
  }, 100)
  socket.on("error", () => {})
  socket.resume()
  socket.on("close", () => {
    clearInterval(timer)
    if (!isOver()) loris(port, isBody, isOver)
  })
}

const slow = async (): Promise<void> => {
  const { child, port } = await Program.startHttp("server-overload", { WORK_MS: values.work, WAIT_MS: values.wait })
  const clients = Clients.make(port)
  await clients.warm("quick_answer")
  await clients.closed("sums_normal", 4, 1000)
  const before = await clients.closed("sums_normal", 4, millis / 2)
  let isOver = false
  for (let n = 0; n < 500; n++) loris(port, n % 2 === 0, () => isOver)
  await sleep(500)
  const during = await clients.closed("sums_normal", 4, millis)
  isOver = true
  print({
    what: "a good client beside 500 slow ones",
    p99: round(before.p99),
    p99During: round(during.p99),
    ratio: round(during.p99 / before.p99, 2),
    failed: during.failed
  }, during.p99 <= 2 * before.p99 && during.failed === 0)
  clients.close()
  await Program.stop(child)
}

Program.stepAside()
await flood()
await slow()
process.exit(isMissed ? 1 : 0)
