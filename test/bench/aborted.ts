/**
 * What is left on the heap after 100,000 calls whose client went away while
 * they ran, in each era, over real sockets.
 *
 *   npx tsx test/bench/aborted.ts [calls = 100000]
 *
 * Half of the calls are given up at the first byte of their stream, the others a
 * moment after they were sent. On 2026-07-28 that cancels the call; on the
 * handshake revisions the call goes on to its end, and its answer has nobody to
 * go to.
 *
 * @since 0.1.0
 */
import { connect } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import * as Load from "./load.js"
import * as Program from "./program.js"
import type { State } from "./waiting.js"

const atOnce = 64

const bodyOf = (modern: boolean, millis: number, isStreamed: boolean, id: number): string =>
  JSON.stringify({
    jsonrpc: "2.0",
    id,
    method: "tools/call",
    params: {
      name: "wait",
      arguments: { millis },
      _meta: {
        ...(isStreamed ? { progressToken: id } : {}),
        ...(modern
          ? {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {}
          }
          : {})
      }
    }
  })

/** Calls and goes away: at the first byte when the answer is streamed, otherwise 3 ms after the request was written. */
const abort = (port: number, modern: boolean, millis: number, id: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const isStreamed = id % 2 === 0
    const headers = {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": modern ? "2026-07-28" : "2025-11-25",
      ...(modern ? { "mcp-method": "tools/call", "mcp-name": "wait" } : {})
    }
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => {
      socket.write(Load.request(port, "POST", headers, bodyOf(modern, millis, isStreamed, id)))
      if (!isStreamed) setTimeout(() => socket.destroy(), 3)
    })
    socket.once("data", (chunk) => {
      if (chunk.includes("HTTP/1.1 200 OK")) socket.destroy()
      else reject(new Error(`the call was refused: ${chunk.toString().slice(0, 300)}`))
    })
    socket.on("close", () => resolve())
    socket.on("error", reject)
  })

const spend = async (port: number, modern: boolean, millis: number, calls: number): Promise<void> => {
  let next = 0
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next < calls) await abort(port, modern, millis, next++)
  }))
  // On the handshake revisions the last of them are still running.
  await sleep(modern ? 200 : millis + 500)
}

const mega = (bytes: number): string => (bytes / 1024 / 1024).toFixed(2)

const main = async (calls: number): Promise<void> => {
  Program.stepAside()
  for (const modern of [true, false]) {
    const millis = modern ? 60_000 : 100
    const port = await Program.freePort()
    const child = await Program.startTold("waiting", ["ours", String(port)])
    await Program.canConnectSoon(port)
    const state = async (): Promise<State> => (await Program.tell(child, "state")) as State
    await spend(port, modern, millis, Math.max(5000, Math.ceil(calls / 20)))
    const before = await state()
    const began = performance.now()
    await spend(port, modern, millis, calls)
    const seconds = (performance.now() - began) / 1000
    const after = await state()
    const of = (field: "begun" | "ended" | "interrupted"): number => after[field] - before[field]
    console.log(
      `${modern ? "2026-07-28" : "2025-11-25"}: ${calls} calls given up in ${seconds.toFixed(0)} s ` +
        `(${of("begun")} begun, ${of("interrupted")} interrupted, ${of("ended")} ended): ` +
        `heap ${mega(before.heap)} MB before, ${mega(after.heap)} MB after, ` +
        `${mega(after.heap - before.heap)} MB more; resident ${mega(before.resident)} and ${mega(after.resident)} MB`
    )
    await Program.stop(child)
  }
}

await main(Number(process.argv[2] ?? 100_000))
process.exit(0)
