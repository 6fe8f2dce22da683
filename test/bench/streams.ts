/**
 * What an open stream costs the server in memory, and what of that is Node's
 * own: 1,000 subscriptions, 1,000 streams of older clients, 1,000 idle
 * connections and 1,000 sessions without any, each beside the same on bare
 * `node:http`.
 *
 *   npx tsx test/bench/streams.ts [count = 1000]
 *
 * Each line is a fresh server process, and the clients are in another one.
 *
 * @since 0.1.0
 */
import type { Socket } from "node:net"
import { connect } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import * as Load from "./load.js"
import * as Program from "./program.js"
import type { State } from "./waiting.js"

type Kind = "idle" | "held" | "listen" | "stream" | "session"

const json = { "content-type": "application/json", accept: "application/json, text/event-stream" }

const listen = (id: number): string =>
  JSON.stringify({
    jsonrpc: "2.0",
    id,
    method: "subscriptions/listen",
    params: {
      notifications: { toolsListChanged: true },
      _meta: {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1.0.0" },
        "io.modelcontextprotocol/clientCapabilities": {}
      }
    }
  })

const notified = JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })

/** Opens one connection, asks one thing on it, and gives the socket when something came back. */
const opened = (port: number, request: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(request))
    socket.once("data", (chunk: Buffer) => {
      const head = chunk.toString()
      if (/^HTTP\/1.1 20[02]/u.test(head)) resolve(socket.resume())
      else reject(new Error(`refused: ${head.slice(0, 300)}`))
    })
    socket.on("error", reject)
  })

const hold: Readonly<Record<Kind, (port: number, id: number) => Promise<unknown>>> = {
  idle: (port) => opened(port, Load.request(port, "POST", json, notified)),
  held: (port) => opened(port, Load.request(port, "GET", { accept: "text/event-stream" }, "")),
  listen: (port, id) =>
    opened(
      port,
      Load.request(port, "POST", {
        ...json,
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "subscriptions/listen"
      }, listen(id))
    ),
  stream: async (port) => {
    const session = await Load.openSession(port)
    return opened(
      port,
      Load.request(port, "GET", {
        accept: "text/event-stream",
        "mcp-protocol-version": "2025-11-25",
        ...(session === undefined ? {} : { "mcp-session-id": session })
      }, "")
    )
  },
  session: (port) => Load.openSession(port)
}

const isKind = (text: string | undefined): text is Kind => text !== undefined && Object.hasOwn(hold, text)

const open: Array<unknown> = []

/** The clients: opens what it is told to, and keeps it. */
const clients = (kind: Kind, port: number): void => {
  process.on("message", (text) => {
    const count = Number(text)
    void (async () => {
      for (let id = 0; id < count; id += 10) {
        open.push(...await Promise.all(Array.from({ length: 10 }, (_, n) => hold[kind](port, open.length + n + 1))))
      }
      process.send?.("done")
    })().catch((error: unknown) => process.send?.(String(error)))
  })
  process.on("disconnect", () => process.exit(0))
}

interface Cost {
  readonly heap: number
  readonly external: number
  readonly resident: number
}

const measure = async (server: "ours" | "bare", kind: Kind, count: number): Promise<Cost> => {
  const port = await Program.freePort()
  const child = await Program.startTold("waiting", [server, String(port)])
  await Program.canConnectSoon(port)
  const client = await Program.startTold("streams", ["clients", kind, String(port)])
  const tell = async (message: number): Promise<void> => {
    const said = await Program.tell(client, message)
    if (said !== "done") throw new Error(String(said))
  }
  const state = async (): Promise<State> => (await Program.tell(child, "state")) as State
  try {
    // The first ones pay for what is compiled and kept once.
    await tell(100)
    const before = await state()
    await tell(count)
    await sleep(200)
    const after = await state()
    return {
      heap: (after.heap - before.heap) / count,
      external: (after.external - before.external) / count,
      resident: (after.resident - before.resident) / count
    }
  } finally {
    await Program.stop(client)
    await Program.stop(child)
  }
}

const kilo = (bytes: number): string => `${(bytes / 1024).toFixed(2)} KB`.padStart(12)

const main = async (count: number): Promise<void> => {
  console.log(
    `each of ${count}`.padEnd(44) + ["heap", "external", "resident"].map((cell) => cell.padStart(12)).join("")
  )
  const show = async (title: string, server: "ours" | "bare", kind: Kind): Promise<Cost | undefined> => {
    try {
      const cost = await measure(server, kind, count)
      console.log(title.padEnd(44) + kilo(cost.heap) + kilo(cost.external) + kilo(cost.resident))
      return cost
    } catch (error) {
      console.log(`${title.padEnd(44)} ${String(error)}`)
      return undefined
    }
  }
  const bareIdle = await show("idle connection, bare node:http", "bare", "idle")
  const idle = await show("idle connection, ours", "ours", "idle")
  const bareHeld = await show("held response, bare node:http", "bare", "held")
  const listening = await show("subscriptions/listen, ours", "ours", "listen")
  const stream = await show("GET stream of an older session, ours", "ours", "stream")
  const session = await show("session of an older client alone, ours", "ours", "session")
  const own = (what: string, cost: Cost | undefined, bare: Cost | undefined): void => {
    if (cost !== undefined && bare !== undefined) {
      console.log(`of our own, ${what}: ${kilo(cost.heap - bare.heap).trim()} of heap`)
    }
  }
  own("an idle connection", idle, bareIdle)
  own("a subscription", listening, bareHeld)
  own("a GET stream", stream, bareHeld)
  if (session !== undefined) console.log(`of our own, a session: ${kilo(session.heap).trim()} of heap`)
}

const [, , first, kind, port] = process.argv
if (first === "clients" && isKind(kind)) clients(kind, Number(port))
else {
  await main(Number(first ?? 1000))
  process.exit(0)
}
