/**
 * Requests byte by byte, the server that they are sent to as a process of its own,
 * and what came back.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import * as Balanced from "./balanced.js"
import { freePort } from "./postgres.js"
import * as RawHttp from "./RawHttp.js"

export const era = {
  modern: "2026-07-28",
  older: "2025-11-25"
} as const

const meta = {
  "io.modelcontextprotocol/protocolVersion": era.modern,
  "io.modelcontextprotocol/clientInfo": { name: "hostile", version: "0.0.0" },
  "io.modelcontextprotocol/clientCapabilities": {}
}

export type Era = keyof typeof era

/** A call of the tool that tells its process, in one era or the other. */
export const call = (which: Era, text: string, { id = 1, tool = "echo" }: { id?: unknown; tool?: string } = {}) => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name: tool, arguments: { text }, ...(which === "modern" ? { _meta: meta } : {}) }
})

export interface Headers {
  /** Several values are several headers; `undefined` leaves a usual one out. */
  readonly [name: string]: string | ReadonlyArray<string> | undefined
}

const usual = (which: Era): Headers => ({
  host: "localhost",
  accept: "application/json",
  "content-type": "application/json",
  connection: "close",
  "mcp-protocol-version": era[which],
  ...(which === "modern" ? { "mcp-method": "tools/call", "mcp-name": "echo" } : {})
})

const lines = (headers: Headers): string =>
  Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one) => `${name}: ${one}\r\n`)
  ).join("")

/** A request whose first line and headers are as given beside the usual ones; the length is written unless it is given. */
export const request = (
  which: Era,
  { body = JSON.stringify(call(which, "hello")), first = "POST /mcp HTTP/1.1", headers = {} }: {
    readonly body?: string
    readonly first?: string
    readonly headers?: Headers
  } = {}
): string =>
  `${first}\r\n${lines({ ...usual(which), "content-length": String(Buffer.byteLength(body)), ...headers })}\r\n${body}`

export interface Answer {
  readonly status: number
  /** The code of a JSON-RPC error; undefined where there is none. */
  readonly code: unknown
  readonly text: string
}

/** The answers in what a server sent. */
export const answers = (received: string): ReadonlyArray<Answer> => {
  const found: Array<Answer> = []
  for (let rest = received; rest !== "";) {
    const end = rest.indexOf("\r\n\r\n")
    const status = /^HTTP\/1\.[01] (\d{3}) /u.exec(rest)?.[1]
    assert.isTrue(end > 0 && status !== undefined, `this is no answer: ${JSON.stringify(rest.slice(0, 200))}`)
    const head = rest.slice(0, end)
    const length = Number(/\r\ncontent-length: (\d+)/iu.exec(head)?.[1] ?? 0)
    const text = rest.slice(end + 4, end + 4 + length)
    rest = rest.slice(end + 4 + length)
    found.push({
      status: Number(status),
      code: text.startsWith("{") ? Object(Object(JSON.parse(text)).error).code : undefined,
      text
    })
  }
  return found
}

export interface Hostile {
  readonly port: number
  readonly pid: number
  /** Sends bytes on a connection of their own and gives everything that came until the server closed it. */
  readonly send: (...pieces: ReadonlyArray<string | Buffer>) => Effect.Effect<string>
  /** Whether a good call is answered, by the process that was started first; gives the milliseconds that it took. */
  readonly isServing: Effect.Effect<number>
  /** Megabytes that the process holds. */
  readonly memory: () => number
}

/** Starts the server and waits until it serves. */
export const start = Effect.gen(function*() {
  const port = yield* freePort
  const { child } = yield* Balanced.program(process.execPath, [
    "--import",
    "tsx",
    "test/integration/hostileServer.ts",
    String(port)
  ])
  const pid = child.pid ?? 0
  yield* Balanced.until("the server listens", async () => (await Balanced.page(`http://127.0.0.1:${port}/`)).status > 0)
  const send: Hostile["send"] = (...pieces) =>
    Effect.scoped(Effect.gen(function*() {
      const raw = yield* RawHttp.open(port)
      for (const piece of pieces) raw.write(piece)
      return yield* raw.closed
    }))
  const hostile: Hostile = {
    port,
    pid,
    send,
    isServing: Effect.gen(function*() {
      const began = performance.now()
      const received = yield* send(request("modern"))
      assert.include(received, `hello of ${pid}"`)
      return performance.now() - began
    }),
    memory: () => Number(/VmRSS:\s+(\d+)/u.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024
  }
  return hostile
})
