/**
 * Clients of the overload bench: some ask when they were answered, some when it is
 * time, whatever came before.
 *
 * @since 0.1.0
 */
import type { Socket } from "node:net"
import { connect } from "node:net"

/**
 * @since 0.1.0
 */
export type Priority = "background" | "normal" | "critical"

/**
 * What came of a call.
 *
 * @since 0.1.0
 */
export interface Came {
  readonly status: number
  readonly isFailure: boolean
  readonly hasRetryAfter: boolean
  readonly millis: number
}

/**
 * Of those in order, or NaN of none.
 *
 * @since 0.1.0
 */
export const percentile = (sorted: ReadonlyArray<number>, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1.0.0" },
  "io.modelcontextprotocol/clientCapabilities": {}
}

const requestOf = (port: number, tool: string): Buffer => {
  const body = JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: tool, arguments: {}, _meta: meta }
  })
  return Buffer.from(
    `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\naccept: application/json\r\n` +
      `mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: ${tool}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
}

/** One connection, with one request on it at a time. */
interface Line {
  readonly ask: (bytes: Buffer, done: (came: Came) => void) => void
  readonly close: () => void
}

const lineTo = (port: number): Line => {
  let socket: Socket | undefined
  let text = ""
  let began = 0
  let waiting: ((came: Came) => void) | undefined
  const finish = (came: Omit<Came, "millis">): void => {
    const done = waiting
    waiting = undefined
    text = ""
    done?.({ ...came, millis: performance.now() - began })
  }
  const open = (): Socket => {
    const opened = connect(port, "127.0.0.1").setNoDelay(true)
    opened.setEncoding("latin1")
    opened.on("error", () => {})
    opened.on("close", () => {
      if (socket === opened) socket = undefined
      finish({ status: 0, isFailure: true, hasRetryAfter: false })
    })
    opened.on("data", (chunk) => {
      text += String(chunk)
      const end = text.indexOf("\r\n\r\n")
      if (end < 0) return
      const head = text.slice(0, end)
      const length = Number(/\r\ncontent-length: (\d+)/iu.exec(head)?.[1] ?? 0)
      if (text.length < end + 4 + length) return
      if (/\r\nconnection: close/iu.test(head)) socket = undefined
      finish({
        status: Number(head.slice(9, 12)),
        isFailure: text.includes("\"isError\":true"),
        hasRetryAfter: /\r\nretry-after: \d+/iu.test(head)
      })
    })
    return opened
  }
  return {
    ask: (bytes, done) => {
      waiting = done
      began = performance.now()
      socket ??= open()
      socket.write(bytes)
    },
    close: () => socket?.destroy()
  }
}

/** As many as a balancer may keep. Node takes one new connection in a turn of its loop, so all are opened before. */
const lines = 400

/**
 * Clients of the server on this port.
 *
 * @since 0.1.0
 */
export const make = (port: number) => {
  const idle: Array<Line> = []
  const all: Array<Line> = []
  const known = new Map<string, Buffer>()
  const bytesOf = (tool: string): Buffer => {
    const found = known.get(tool) ?? requestOf(port, tool)
    known.set(tool, found)
    return found
  }
  for (let n = 0; n < lines; n++) all.push(lineTo(port))
  idle.push(...all)
  const call = (tool: string, done: (came: Came) => void): boolean => {
    // The one that has rested longest, so that all are in use.
    const line = idle.shift()
    if (line === undefined) return false
    line.ask(bytesOf(tool), (came) => {
      idle.push(line)
      done(came)
    })
    return true
  }

  /** Opens every connection. */
  const warm = async (tool: string): Promise<void> => {
    await Promise.all(all.map((line) => new Promise<void>((resolve) => line.ask(bytesOf(tool), () => resolve()))))
  }
  const once = (tool: string): Promise<Came> => new Promise((resolve) => void call(tool, resolve))

  /** So many ask, each anew when it was answered. */
  const closed = async (tool: string, clients: number, millis: number) => {
    const until = performance.now() + millis
    const began = performance.now()
    const latencies: Array<number> = []
    let failed = 0
    await Promise.all(Array.from({ length: clients }, async () => {
      while (performance.now() < until) {
        const came = await once(tool)
        if (came.status === 200 && !came.isFailure) latencies.push(came.millis)
        else failed++
      }
    }))
    const perSecond = latencies.length / ((performance.now() - began) / 1000)
    latencies.sort((a, b) => a - b)
    return { perSecond, p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99), failed }
  }

  /** Asks so often a second, whether answered or not. */
  const open = (perSecond: number, millis: number, toolOf: (n: number) => string) =>
    new Promise<{
      sent: number
      /** Calls that had to wait for a connection so long that they were not made. */
      unsent: number
      answered: number
      withoutRetryAfter: number
      refused: Array<number>
      latencies: Array<number>
      other: Record<string, number>
      byTool: Map<string, { asked: number; got: number }>
    }>((resolve) => {
      const seen = {
        ...{ sent: 0, unsent: 0, answered: 0, withoutRetryAfter: 0 },
        refused: new Array<number>(),
        latencies: new Array<number>(),
        other: {} as Record<string, number>,
        byTool: new Map<string, { asked: number; got: number }>()
      }
      const began = performance.now()
      let due = 0
      let pending = 0
      const ask = (tool: string): void => {
        const of = seen.byTool.get(tool) ?? { asked: 0, got: 0 }
        seen.byTool.set(tool, of)
        const isSent = call(tool, (came) => {
          pending--
          const isLate = performance.now() - began > millis
          if (came.status === 503) {
            seen.refused.push(came.millis)
            if (!came.hasRetryAfter) seen.withoutRetryAfter++
          } else if (came.status === 200 && !came.isFailure) {
            of.got++
            seen.latencies.push(came.millis)
            // What comes after the end is no part of what was done in the time.
            if (!isLate) seen.answered++
          } else {
            const what = `${came.status}${came.isFailure ? " failed" : ""}`
            seen.other[what] = (seen.other[what] ?? 0) + 1
          }
        })
        if (!isSent) return void seen.unsent++
        of.asked++
        pending++
        seen.sent++
      }
      const timer = setInterval(() => {
        const elapsed = performance.now() - began
        if (elapsed < millis) {
          const now = Math.floor(elapsed * perSecond / 1000)
          while (due < now) ask(toolOf(due++))
        } else if (pending === 0 || elapsed > millis + 10_000) {
          clearInterval(timer)
          resolve(seen)
        }
      }, 1)
    })

  const close = (): void => {
    for (const line of all) line.close()
  }
  return { warm, once, closed, open, close }
}
