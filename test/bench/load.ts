/**
 * A load generator for `tools/call` over HTTP: raw sockets kept open, one
 * request in flight on each, and every answer looked at.
 *
 * @since 0.1.0
 */
import type { Socket } from "node:net"
import { connect } from "node:net"
import * as Data from "./data.js"

/**
 * How calls are put: stateless, as an older client without a session, or as an
 * older client with one.
 *
 * @since 0.1.0
 */
export type Manner = "2026-07-28" | "2025-11-25" | "2025-11-25 session"

/**
 * @since 0.1.0
 */
export type Tool = "add" | "search"

const firstId = 100_000_000
const firstArgument = 100_000

const argumentsOf = (tool: Tool, argument: number) =>
  tool === "add" ? { a: argument, b: 1 } : { query: `q-${argument}` }

const structured = (tool: Tool, argument: number): unknown =>
  tool === "add" ? Data.add(argument, 1) : Data.search(`q-${argument}`)

const needle = (tool: Tool, argument: number): string =>
  tool === "add" ? `{"sum":${argument + 1}}` : `"Result 5 for q-${argument}"`

/**
 * The message of one call.
 *
 * @since 0.1.0
 */
export const message = (manner: Manner, tool: Tool, id: number, argument: number): string =>
  JSON.stringify({
    jsonrpc: "2.0",
    id,
    method: "tools/call",
    params: {
      name: tool,
      arguments: argumentsOf(tool, argument),
      ...(manner === "2026-07-28"
        ? {
          _meta: {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1.0.0" },
            "io.modelcontextprotocol/clientCapabilities": {}
          }
        }
        : {})
    }
  })

const headersOf = (manner: Manner, tool: Tool, session: string | undefined): Readonly<Record<string, string>> => ({
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
  ...(manner === "2026-07-28"
    ? { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool }
    : { "mcp-protocol-version": "2025-11-25" }),
  ...(session === undefined ? {} : { "mcp-session-id": session })
})

/**
 * The bytes of one HTTP request.
 *
 * @since 0.1.0
 */
export const request = (
  port: number,
  verb: "GET" | "POST",
  headers: Readonly<Record<string, string>>,
  body: string
): string =>
  `${verb} /mcp HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n` +
  Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("") +
  (verb === "GET" ? "\r\n" : `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)

/**
 * What is wrong with an answer that has been parsed; `undefined` when nothing is.
 *
 * @since 0.1.0
 */
export const wrong = (tool: Tool, id: number, argument: number, text: string): string | undefined => {
  const answer = JSON.parse(text)
  const right = JSON.stringify(structured(tool, argument))
  const { result } = answer
  return answer.id === id && result?.isError !== true && JSON.stringify(result?.structuredContent) === right &&
      result?.content?.[0]?.text === right
    ? undefined
    : `${tool} was answered with ${text.slice(0, 300)}`
}

const handshake = {
  protocolVersion: "2025-11-25",
  capabilities: {},
  clientInfo: { name: "bench", version: "1.0.0" }
}

/**
 * Opens a session as an older client does; `undefined` when the server keeps none.
 *
 * @since 0.1.0
 */
export const openSession = async (
  port: number,
  headers: Readonly<Record<string, string>> = {}
): Promise<string | undefined> => {
  const post = (body: object, session?: string) =>
    fetch(`http://127.0.0.1:${port}/mcp`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...(session === undefined ? {} : { "mcp-session-id": session }),
        ...headers
      },
      body: JSON.stringify({ jsonrpc: "2.0", ...body })
    })
  const opened = await post({ id: 1, method: "initialize", params: handshake })
  await opened.text()
  const session = opened.headers.get("mcp-session-id") ?? undefined
  if (session !== undefined) await (await post({ method: "notifications/initialized" }, session)).text()
  return session
}

/**
 * What to ask, of whom, and for how long.
 *
 * @since 0.1.0
 */
export interface Job {
  readonly port: number
  readonly manner: Manner
  readonly session?: string | undefined
  readonly tool: Tool
  readonly connections: number
  readonly millis: number
  /** Sent besides those of the protocol. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

const end = Buffer.from("\r\n\r\n")
let calls = 0

const patch = (bytes: Buffer, from: number, digits: number, value: number): void => {
  bytes.write(String(value).padStart(digits, "0"), from, digits, "latin1")
}

/**
 * Asks on every connection, the next as soon as the last is answered. Gives the
 * calls answered and the milliseconds that took; fails on a wrong answer.
 *
 * @since 0.1.0
 */
export const load = (job: Job): Promise<{ readonly calls: number; readonly millis: number }> =>
  new Promise((resolve, reject) => {
    const text = request(
      job.port,
      "POST",
      { ...headersOf(job.manner, job.tool, job.session), ...job.headers },
      message(job.manner, job.tool, firstId, firstArgument)
    )
    const idAt = text.indexOf(`"id":${firstId}`) + 5
    const argumentAt = text.indexOf(String(firstArgument), idAt + 9)
    let answered = 0
    let open = 0
    const sockets: Array<Socket> = []
    const fail = (why: string): void => {
      for (const socket of sockets) socket.destroy()
      reject(new Error(why))
    }
    const began = performance.now()
    const until = began + job.millis
    const serve = (socket: Socket): void => {
      const bytes = Buffer.from(text, "latin1")
      let id = 0
      let argument = 0
      let held: Buffer | undefined
      const ask = (): void => {
        const n = calls++
        id = firstId + n
        argument = firstArgument + n % 800_000
        patch(bytes, idAt, 9, id)
        patch(bytes, argumentAt, 6, argument)
        socket.write(bytes)
      }
      socket.on("data", (chunk) => {
        const all = held === undefined ? chunk : Buffer.concat([held, chunk])
        held = all
        const headEnd = all.indexOf(end)
        if (headEnd < 0) return
        const head = all.toString("latin1", 0, headEnd)
        const length = Number(/\r\ncontent-length: *(\d+)/iu.exec(head)?.[1])
        if (Number.isNaN(length)) return fail(`an answer without a length: ${head.slice(0, 200)}`)
        if (all.length < headEnd + 4 + length) return
        held = undefined
        const body = all.subarray(headEnd + 4, headEnd + 4 + length)
        // One in 64 is parsed; of the others, only what tells them apart is looked for.
        const trouble = answered % 64 === 0
          ? wrong(job.tool, id, argument, body.toString())
          : body.indexOf(`"id":${id}`) >= 0 && body.indexOf(needle(job.tool, argument)) >= 0
          ? undefined
          : `not the answer to call ${id}: ${body.toString().slice(0, 300)}`
        if (trouble !== undefined) return fail(trouble)
        answered++
        if (performance.now() < until) return ask()
        socket.destroy()
        if (--open === 0) resolve({ calls: answered, millis: performance.now() - began })
      })
      ask()
    }
    for (let index = 0; index < job.connections; index++) {
      open++
      const socket = connect({ port: job.port, host: "127.0.0.1", noDelay: true }, () => serve(socket))
      socket.on("error", (error) => fail(String(error)))
      sockets.push(socket)
    }
  })
