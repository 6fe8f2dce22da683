/**
 * Providers in a process of their own, on bare `node:http`: paths that begin
 * with `/ok` answer, those with `/429` and `/503` fail. It counts what comes, and
 * notes on its own clock how long after a failure the next request came.
 *
 * @since 0.1.0
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { createServer } from "node:http"

/**
 * What it says when it is told `take`, and forgets.
 *
 * @since 0.1.0
 */
export interface Seen {
  /** Requests by the first part of their path. */
  readonly counts: { readonly [path: string]: number }
  /** From the last byte of a 429 to the arrival of the next request, in milliseconds. */
  readonly gaps: ReadonlyArray<number>
}

const makers = ["Acme", "Borealis", "Cobalt Works", "Dynamo", "Elmridge", "Foundry Nine", "Gantry", "Halden"]
const text = makers.map((maker, index) =>
  `${maker} shipped ${index + 3} turbines in week ${40 + index} and put its outlook at ${
    index * 7 + 12
  } million dollars.`
).join(" ")
const usage = { prompt_tokens: 24, completion_tokens: 180, total_tokens: 204 }
const common = { id: "chatcmpl-1", created: 1_760_000_000, model: "bench" }

const whole = JSON.stringify({
  ...common,
  object: "chat.completion",
  choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
  usage
})

const event = (choices: ReadonlyArray<unknown>, more: object = {}): string =>
  `data: ${JSON.stringify({ ...common, object: "chat.completion.chunk", choices, ...more })}\n\n`

const words = text.split(/(?<= )/u)
const first = event([{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }]) +
  event([{ index: 0, delta: { content: words[0] }, finish_reason: null }])
const rest = words.slice(1).map((content) => event([{ index: 0, delta: { content }, finish_reason: null }])).join("") +
  event([{ index: 0, delta: {}, finish_reason: "stop" }]) + event([], { usage }) + "data: [DONE]\n\n"

const failure = (type: string): string =>
  JSON.stringify({ error: { message: "Try again later.", type, param: null, code: type } })

let counts: Record<string, number> = {}
let gaps: Array<number> = []
let failedAt: number | undefined

const send = (response: ServerResponse, status: number, body: string): void => {
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
  response.end(body)
}

const answer = (path: string, body: string, response: ServerResponse): void => {
  if (path.startsWith("429")) {
    send(response, 429, failure("rate_limit_exceeded"))
    failedAt = performance.now()
  } else if (path.startsWith("503")) send(response, 503, failure("overloaded"))
  else if (body.includes("\"stream\":true")) {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.write(first)
    setImmediate(() => response.end(rest))
  } else send(response, 200, whole)
}

const receive = (request: IncomingMessage, response: ServerResponse): void => {
  if (failedAt !== undefined) {
    gaps.push(performance.now() - failedAt)
    failedAt = undefined
  }
  const path = (request.url ?? "").split("/")[1] ?? ""
  counts[path] = (counts[path] ?? 0) + 1
  let body = ""
  request.setEncoding("utf8").on("data", (part: string) => body += part)
  request.on("end", () => answer(path, body, response))
}

const server = createServer(receive)
server.keepAliveTimeout = 60_000
server.listen(0, "127.0.0.1")

process.on("message", () => {
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  process.send?.({ port, counts, gaps })
  counts = {}
  gaps = []
})
process.on("disconnect", () => process.exit(0))
