/**
 * Agents that ask as agents do, one call after the other with a short thought in
 * between, over a client that costs little: what each call came to.
 *
 * @since 0.1.0
 */
import * as Http from "node:http"

/**
 * What came of one call.
 *
 * @since 0.1.0
 */
export interface Call {
  readonly tool: string
  /** Milliseconds, from sending to the last byte. */
  readonly took: number
  /** `undefined` for an answer; otherwise the code of the failure, or what became of the connection. */
  readonly error: string | undefined
  readonly isDegraded: boolean
  /** Whether it has no source or no confidence. */
  readonly isBare: boolean
  /** Where sentences of the sources had to stand in for a model: what each model did. */
  readonly quotedAfter: string | undefined
  /** Milliseconds of waiting for models, where the answer tells. */
  readonly waited: number | undefined
}

/**
 * @since 0.1.0
 */
export interface Options {
  readonly url: string
  /** A key for each agent. */
  readonly keys: ReadonlyArray<string>
  readonly questions: ReadonlyArray<string>
  /** Milliseconds between two calls, half to one and a half times as long. */
  readonly think: number
}

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "bench", version: "0.0.0" },
  "io.modelcontextprotocol/clientCapabilities": {}
}

interface Attempt {
  readonly provider: string
  readonly outcome: string
  readonly reason?: string
  readonly elapsedMs: number
}

interface Answer {
  readonly result?: {
    readonly isError?: boolean
    readonly structuredContent?: {
      readonly confidence?: number
      readonly sources?: ReadonlyArray<unknown>
      readonly degraded?: unknown
      readonly data?: { readonly model?: string; readonly attempts?: ReadonlyArray<Attempt> }
    }
    readonly _meta?: { readonly "dev.causeway/error"?: { readonly code?: string } }
  }
  readonly error?: { readonly code: number }
}

const trailOf = (attempts: ReadonlyArray<Attempt>): string =>
  attempts.map(({ outcome, provider, reason = "" }) => `${provider} ${outcome} ${reason}`.trim()).join(", ")

const parse = (text: string): Answer => JSON.parse(/^data: (.*)$/mu.exec(text)?.[1] ?? text)

const read = (tool: string, took: number, status: number, text: string): Call => {
  const none = { isDegraded: false, isBare: false, quotedAfter: undefined, waited: undefined }
  if (status !== 200) return { tool, took, error: `HTTP ${status}`, ...none }
  const { error, result } = parse(text)
  if (error !== undefined || result === undefined) return { tool, took, error: `JSON-RPC ${error?.code}`, ...none }
  if (result.isError === true) {
    return { tool, took, error: result._meta?.["dev.causeway/error"]?.code ?? "a failure without a code", ...none }
  }
  const { confidence, data, degraded, sources } = result.structuredContent ?? {}
  return {
    tool,
    took,
    error: undefined,
    isDegraded: degraded !== undefined,
    isBare: typeof confidence !== "number" || sources === undefined || sources.length === 0,
    quotedAfter: data?.model === "extractive" ? trailOf(data.attempts ?? []) : undefined,
    waited: data?.attempts?.reduce((sum, { elapsedMs }) => sum + elapsedMs, 0)
  }
}

/**
 * Calls a tool once; never fails.
 *
 * @since 0.1.0
 */
export const call = (
  url: string,
  key: string,
  agent: Http.Agent,
  tool: string,
  args: object
): Promise<Call> =>
  new Promise((resolve) => {
    const began = performance.now()
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: tool, arguments: args, _meta: meta }
    })
    const failed = (error: string) =>
      resolve({
        tool,
        took: performance.now() - began,
        error,
        isDegraded: false,
        isBare: false,
        quotedAfter: undefined,
        waited: undefined
      })
    const request = Http.request(url, {
      agent,
      method: "POST",
      headers: {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "accept": "application/json, text/event-stream",
        "authorization": `Bearer ${key}`,
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": tool
      }
    }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (part: string) => (text += part))
      response.on("error", ({ message }) => failed(message))
      response.on("end", () => resolve(read(tool, performance.now() - began, response.statusCode ?? 0, text)))
    })
    request.setTimeout(30_000, () => request.destroy(new Error("no answer within 30 s")))
    request.on("error", (error: NodeJS.ErrnoException) => failed(error.code ?? error.message))
    request.end(body)
  })

const one = <A>(of: ReadonlyArray<A>, otherwise: A): A => of[Math.floor(Math.random() * of.length)] ?? otherwise

/** Mostly questions; what else an agent does besides. */
const next = (user: string, question: string): readonly [tool: string, args: object] => {
  const chance = Math.random()
  if (chance < 0.65) return ["answer_market_question", { question, userId: user }]
  if (chance < 0.8) return ["search_relevant_market_intel", { query: question, limit: 5 }]
  if (chance < 0.9) return ["fetch_user_preference_profile", { userId: user }]
  return ["record_session_event", {
    userId: user,
    eventId: `${user}-${Date.now()}-${Math.random()}`,
    type: "question",
    text: question
  }]
}

/**
 * Lets the agents work for so many seconds, and gives what came of each call. A
 * call that is under way at the end is waited for.
 *
 * @since 0.1.0
 */
export const work = async (
  { keys, questions, think, url }: Options,
  seconds: number
): Promise<ReadonlyArray<Call>> => {
  const calls: Array<Call> = []
  const end = performance.now() + seconds * 1000
  await Promise.all(keys.map(async (key, n) => {
    const agent = new Http.Agent({ keepAlive: true, maxSockets: 1 })
    const user = `agent-${n}`
    while (performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, think * (0.5 + Math.random())))
      const [tool, args] = next(user, one(questions, "What is new?"))
      calls.push(await call(url, key, agent, tool, args))
    }
    agent.destroy()
  }))
  return calls
}
