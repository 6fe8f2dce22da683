import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import * as HostileHttp from "./hostileHttp.js"

const clients = 200
const calls = Number(process.env.CALLS ?? 50_000)

/** What a server answers to a call, with whatever id others use at the same time. */
const ask = (port: number, agent: Http.Agent, which: HostileHttp.Era, text: string, tool: string): Promise<string> => {
  const body = JSON.stringify(HostileHttp.call(which, text, { tool }))
  return new Promise((resolve, reject) => {
    Http.request({
      port,
      host: "127.0.0.1",
      agent,
      method: "POST",
      path: "/mcp",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": HostileHttp.era[which],
        "mcp-method": "tools/call",
        "mcp-name": tool,
        "content-length": body.length
      }
    }, (response) => {
      let received = ""
      response.on("data", (chunk: Buffer) => (received += chunk.toString()))
      response.on("end", () => resolve(received))
    }).on("error", reject).end(body)
  })
}

describe("two instances, and clients that all use the same id", () => {
  it.scopedLive(
    `give none of ${clients} clients the answer of another in ${calls} calls`,
    () =>
      Effect.gen(function*() {
        const instances = yield* Effect.all([HostileHttp.start, HostileHttp.start])
        const seen = { own: 0, foreign: 0 }
        const client = async (n: number): Promise<void> => {
          const agent = new Http.Agent({ keepAlive: true, maxSockets: 1 })
          for (let turn = 0; turn < calls / clients; turn++) {
            const { pid, port } = instances[(n + turn) % 2 === 0 ? 0 : 1]
            const secret = `secret ${n} ${turn}`
            const which = turn % 3 === 0 ? "older" : "modern"
            const answer = await ask(port, agent, which, secret, turn % 2 === 0 ? "later" : "echo")
            if (answer.includes(`"${secret} of ${pid}"`) && answer.includes("\"id\":1,")) seen.own += 1
            else seen.foreign += 1
          }
          agent.destroy()
        }
        yield* Effect.promise(() => Promise.all(Array.from({ length: clients }, (_, n) => client(n))))
        assert.deepStrictEqual(seen, { own: calls, foreign: 0 })
      }),
    120_000
  )
})
