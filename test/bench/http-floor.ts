/**
 * What the HTTP transport costs above bare `node:http`: answers per second, and
 * the server's CPU time for each, of both in turns. The server behind them does
 * nothing but parse and answer.
 *
 * Run: npx tsx test/bench/http-floor.ts [rounds] [seconds per turn]
 */
import { McpServer } from "causeway-mcp/server/McpServer"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { fork } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { createServer } from "node:http"
import { connect } from "node:net"
import { fileURLToPath } from "node:url"

const connections = 16

const answerTo = (message: unknown): string => {
  const { id } = message as { readonly id: number }
  return JSON.stringify({ jsonrpc: "2.0", id, result: { content: [{ type: "text", text: "3" }] } })
}

const floor = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const [first] = chunks
        const bytes = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)
        const body = answerTo(JSON.parse(bytes.toString()))
        response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
        response.end(body)
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resolve(address !== null && typeof address === "object" ? address.port : 0)
    })
  })

/** `exit` answers without a fiber, `fiber` with one that ends at once, `yield` with one that ends later. */
const transport = (kind: string): Promise<number> => {
  const make = HttpTransport.make({ port: 0 }).pipe(
    Effect.provideService(McpServer, {
      info: { name: "bench", version: "0.0.0" },
      unparsable: { status: 400, body: "{}" },
      post: (message) => {
        const answer = () => ({ status: 200, body: answerTo(message) })
        return {
          reply: kind === "exit"
            ? Exit.succeed(answer())
            : kind === "fiber"
            ? Effect.sync(answer)
            : Effect.zipRight(Effect.yieldNow(), Effect.sync(answer)),
          cancelledByDisconnect: true,
          tells: []
        }
      },
      openStream: () => undefined,
      priority: () => undefined,
      turnedAway: () => undefined,
      connect: () => Effect.dieMessage("the bench has no pipe")
    })
  )
  return new Promise((resolve) => {
    Effect.runFork(Effect.scoped(Effect.zipRight(Effect.tap(make, ({ port }) => resolve(port)), Effect.never)))
  })
}

const body = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: {
    name: "add",
    arguments: { a: 1, b: 2 },
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "bench", version: "0.0.0" },
      "io.modelcontextprotocol/clientCapabilities": {}
    }
  }
})

/** Asks on every connection, the next as soon as the last is answered; gives the number of answers. */
const load = (port: number, seconds: number): Promise<number> =>
  new Promise((resolve) => {
    const request = Buffer.from(
      `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\n` +
        "accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\n" +
        `mcp-method: tools/call\r\nmcp-name: add\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    )
    let answered = 0
    const sockets = Array.from({ length: connections }, () => {
      const socket = connect(port, "127.0.0.1", () => socket.write(request))
      // The answers are small and come one at a time: each in one piece.
      socket.on("data", () => {
        answered++
        socket.write(request)
      })
      socket.on("error", () => {})
      return socket
    })
    setTimeout(() => {
      for (const socket of sockets) socket.destroy()
      resolve(answered)
    }, seconds * 1000)
  })

interface Server {
  readonly child: ChildProcess
  readonly port: number
  /** Microseconds of CPU the process has used. */
  readonly cpu: () => Promise<number>
}

const reply = (child: ChildProcess): Promise<number> =>
  new Promise((resolve) => child.once("message", (value) => resolve(Number(value))))

const start = async (kind: string): Promise<Server> => {
  const child = fork(fileURLToPath(import.meta.url), ["serve", kind], { execArgv: ["--import", "tsx"] })
  const port = await reply(child)
  return {
    child,
    port,
    cpu: () => {
      child.send("cpu")
      return reply(child)
    }
  }
}

interface Turn {
  readonly rate: number
  readonly cpu: number
}

const take = async (server: Server, seconds: number): Promise<Turn> => {
  const before = await server.cpu()
  const answered = await load(server.port, seconds)
  return { rate: answered / seconds, cpu: (await server.cpu() - before) / answered }
}

const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

const main = async (rounds: number, seconds: number): Promise<void> => {
  const kinds = ["floor", "exit", "fiber", "yield"]
  const servers = await Promise.all(kinds.map(start))
  const turns = servers.map((): Array<Turn> => [])
  for (const server of servers) await take(server, 1)
  for (let round = 0; round < rounds; round++) {
    for (const [index, server] of servers.entries()) turns[index]?.push(await take(server, seconds))
  }
  const floorTurns = turns[0] ?? []
  kinds.forEach((kind, index) => {
    const own = turns[index] ?? []
    const against = (of: (turn: Turn) => number): string =>
      median(own.map((turn, round) => of(turn) / of(floorTurns[round] ?? turn))).toFixed(2)
    console.log(
      `${kind.padEnd(6)} ${Math.round(median(own.map((turn) => turn.rate)))}/s (${
        against((turn) => turn.rate)
      } of the floor)` +
        `  ${median(own.map((turn) => turn.cpu)).toFixed(1)} us CPU (${against((turn) => turn.cpu)} of the floor)`
    )
  })
  for (const { child } of servers) child.kill()
}

const [, , first, second] = process.argv
if (first === "serve") {
  const port = await (second === "floor" ? floor() : transport(second ?? "exit"))
  process.on("message", () => {
    const { system, user } = process.cpuUsage()
    process.send?.(system + user)
  })
  process.send?.(port)
} else {
  await main(Number(first ?? 21), Number(second ?? 0.5))
}
