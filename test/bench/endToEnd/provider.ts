/**
 * Three model providers in a process of their own, on bare `node:http`, that
 * take their time and fail now and then: answers as streams that cite the
 * passages they are given, with a delay like real ones.
 *
 * @since 0.1.0
 */
import { once } from "node:events"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import { createServer } from "node:http"

/**
 * How the providers are to behave from now on.
 *
 * @since 0.1.0
 */
export interface Behaviour {
  /** Of a whole answer, milliseconds: the median, and what one in a hundred takes longer than; 0 for none. */
  readonly median: number
  readonly p99: number
  /** The share of requests that go wrong, each fault as often as the others. */
  readonly faults: number
  /** What the first provider does with every request; nothing special unless given. */
  readonly first?: "refuses" | "hangs" | undefined
}

/**
 * What came in since the last order.
 *
 * @since 0.1.0
 */
export interface Told {
  readonly ports: ReadonlyArray<number>
  /** Questions by provider. */
  readonly asked: ReadonlyArray<number>
  readonly faults: { readonly [fault in Fault]: number }
}

const kinds = ["429", "503", "cut stream", "cut body", "hang"] as const
type Fault = typeof kinds[number]

const noFaults = (): Record<Fault, number> => ({ "429": 0, "503": 0, "cut stream": 0, "cut body": 0, "hang": 0 })

const names = ["deepseek", "mistral", "qwen"]
/** Of an answer's time, what passes before its first word. */
const before = 0.6
const pieces = 8

let behaviour: Behaviour = { median: 0, p99: 0, faults: 0 }
let asked = names.map(() => 0)
let faults = noFaults()

/** Normal, of mean 0 and deviation 1 (Box and Muller). */
const normal = (): number => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())

const delay = (): number => {
  const { median, p99 } = behaviour
  if (median === 0) return 0
  // 2.326 deviations of a normal distribution leave one in a hundred above.
  return median * Math.exp(Math.log(p99 / median) / 2.326 * normal())
}

const after = (ms: number, then: () => void): void => {
  if (ms > 0) setTimeout(then, ms)
  else setImmediate(then)
}

const plain = (text: string): string => text.replaceAll("&lt;", "<").replaceAll("&quot;", "\"").replaceAll("&amp;", "&")

/** The first sentences of two passages, each with its citation. */
const answerTo = (prompt: string): string => {
  const passages = [...prompt.matchAll(/<passage id="([^"]+)"[^>]*>\n([^]*?)\n<\/passage>/gu)]
  const facts = passages.filter(([, id = ""]) => !id.startsWith("history:"))
  const said = (facts.length > 0 ? facts : passages).slice(0, 2).map(([, id = "", text = ""]) => {
    const sentence = plain(text).split(/(?<=[.!?])\s/u)[0] ?? ""
    return `${sentence.replace(/[.!?]$/u, "")} [${plain(id)}].`
  })
  return said.length === 0 ? "The passages do not answer this." : said.join(" ")
}

const promptOf = (body: string): { readonly model: string; readonly text: string; readonly isStream: boolean } => {
  const asked: { model?: string; messages?: ReadonlyArray<{ content?: unknown }>; stream?: boolean } = JSON.parse(body)
  const text = (asked.messages ?? []).map(({ content }) => typeof content === "string" ? content : "").join("\n")
  return { model: asked.model ?? "", text, isStream: asked.stream === true }
}

const usage = { prompt_tokens: 1800, completion_tokens: 60, total_tokens: 1860 }

const send = (response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void => {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...headers
  })
  response.end(text)
}

const refuse = (response: ServerResponse, fault: "429" | "503"): void =>
  send(
    response,
    Number(fault),
    { error: { message: "Try again later.", type: fault === "429" ? "rate_limit_exceeded" : "overloaded" } },
    fault === "429" ? { "retry-after": "1" } : {}
  )

const stream = (response: ServerResponse, model: string, text: string, ms: number, cutAt: number): void => {
  const event = (choice: object, more: object = {}): string =>
    `data: ${
      JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model, choices: [choice], ...more })
    }\n\n`
  const size = Math.ceil(text.length / pieces)
  response.writeHead(200, { "content-type": "text/event-stream" })
  const next = (at: number): void => {
    if (at === cutAt) return void response.destroy()
    if (at < pieces) {
      response.write(
        event({ index: 0, delta: { content: text.slice(at * size, (at + 1) * size) }, finish_reason: null })
      )
      return after(ms / pieces, () => next(at + 1))
    }
    response.write(event({ index: 0, delta: {}, finish_reason: "stop" }))
    response.end(`data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`)
  }
  next(0)
}

const whole = (model: string, text: string) => ({
  id: "c",
  object: "chat.completion",
  created: 1,
  model,
  choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
  usage
})

const answer = (response: ServerResponse, body: string, fault: Fault | undefined): void => {
  if (fault === "hang") return
  const ms = delay()
  // A refusal comes at once, as refusals do.
  if (fault === "429" || fault === "503") return after(Math.min(ms, 20), () => refuse(response, fault))
  const { isStream, model, text } = promptOf(body)
  const said = answerTo(text)
  if (isStream) {
    const cutAt = fault === "cut stream" ? pieces / 2 : fault === "cut body" ? 1 : -1
    return after(ms * before, () => stream(response, model, said, ms * (1 - before), cutAt))
  }
  after(ms, () => {
    if (fault === undefined) return send(response, 200, whole(model, said))
    response.writeHead(200, { "content-type": "application/json", "content-length": 4096 })
    response.write(JSON.stringify(whole(model, said)).slice(0, 40))
    setImmediate(() => response.destroy())
  })
}

const receive = (provider: number, request: IncomingMessage, response: ServerResponse): void => {
  let body = ""
  response.on("error", () => undefined)
  const first = provider === 0 ? behaviour.first : undefined
  if (first === "refuses") return void request.socket.destroy()
  request.setEncoding("utf8").on("data", (part: string) => (body += part)).on("error", () => undefined)
  request.on("end", () => {
    if (first === "hangs" && request.method === "GET") return
    if (request.method === "GET") return send(response, 200, { object: "list", data: [{ id: names[provider] }] })
    asked[provider] = (asked[provider] ?? 0) + 1
    const isFaulty = Math.random() < behaviour.faults
    const fault = first === "hangs" ? "hang" : isFaulty ? kinds[Math.floor(Math.random() * kinds.length)] : undefined
    if (fault !== undefined) faults[fault]++
    answer(response, body, fault)
  })
}

const listen = async (_: string, provider: number): Promise<Server> => {
  const server = createServer((request, response) => receive(provider, request, response))
  server.keepAliveTimeout = 60_000
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return server
}

const servers = await Promise.all(names.map(listen))
const ports = servers.map((server) => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
})

process.on("message", (next: Behaviour) => {
  const told: Told = { ports, asked, faults }
  process.send?.(told)
  behaviour = next
  asked = names.map(() => 0)
  faults = noFaults()
})
process.on("disconnect", () => process.exit(0))
