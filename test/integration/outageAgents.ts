/**
 * Agents with an official client that keep a reference server busy, and write
 * down what came of each call.
 */
import * as V2 from "@modelcontextprotocol/client"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Effect from "effect/Effect"

export const search = "search_relevant_market_intel"
export const answer = "answer_market_question"
export const profile = "fetch_user_preference_profile"
export const record = "record_session_event"
export const structured = "generate_structured_output"

/** A call: when it began and ended, by the clock of this process, and what it brought. */
export interface Entry {
  readonly tool: string
  readonly began: number
  readonly ended: number
  readonly took: number
  /** `undefined` for an answer. */
  readonly code: string | undefined
  /** What the answer is degraded for, and what it had to do without. */
  readonly degraded: string | undefined
  readonly missing: ReadonlyArray<string>
  /** The kinds of its sources. */
  readonly kinds: ReadonlyArray<string>
  /** The tool that a failure names instead. */
  readonly fallback: string | undefined
  /** The first text, which agents read. */
  readonly text: string
}

interface Result {
  readonly isError?: boolean | undefined
  readonly content?: ReadonlyArray<{ readonly type: string; readonly text?: string }>
  readonly structuredContent?: {
    readonly degraded?: { readonly reason: string; readonly missing: ReadonlyArray<string> }
    readonly sources?: ReadonlyArray<{ readonly kind: string }>
  }
  readonly _meta?: {
    readonly "dev.causeway/error"?: { readonly code: string; readonly fallback?: { readonly tool: string } }
  }
}

const question = "What revenue does Halvorn expect for 2026?"

/** What an agent does, time and again. */
const round = (user: string, n: number): ReadonlyArray<readonly [tool: string, args: Record<string, unknown>]> => [
  [search, { query: question, limit: 3 }],
  [answer, { question, userId: user }],
  [profile, { userId: user }],
  [record, { userId: user, eventId: `${user}-${n}`, type: "question", text: `Asked for Halvorn's revenue, time ${n}` }],
  [structured, { instruction: "name, price (number)" }]
]

const call = async (client: V2.Client, tool: string, args: Record<string, unknown>): Promise<Entry> => {
  const began = performance.now()
  const none = { code: undefined, degraded: undefined, missing: [], kinds: [], fallback: undefined, text: "" }
  const came = await client.callTool({ name: tool, arguments: args }, { timeout: 20_000 }).then(
    (came) => {
      // The client has checked the envelope's form, and knows nothing of ours within.
      const result = came as Result
      const failure = result._meta?.["dev.causeway/error"]
      const { degraded, sources = [] } = result.structuredContent ?? {}
      return {
        ...none,
        code: result.isError === true ? failure?.code ?? "a failure without a code" : undefined,
        degraded: degraded?.reason,
        missing: degraded?.missing ?? [],
        kinds: sources.map(({ kind }) => kind),
        fallback: failure?.fallback?.tool,
        text: result.content?.[0]?.text ?? ""
      }
    },
    (error: unknown) => ({ ...none, code: error instanceof Error ? error.message : String(error) })
  )
  const ended = performance.now()
  return { tool, began, ended, took: ended - began, ...came }
}

/** Connects, and keeps the server busy until the scope closes; the entries grow. */
export const busy = (url: string, agents: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const entries: Array<Entry> = []
      let isOver = false
      const clients = await Promise.all(Array.from({ length: agents }, async () => {
        const client = new V2.Client({ name: "agent", version: "0.0.0" }, {
          versionNegotiation: { mode: { pin: "2026-07-28" } }
        })
        await client.connect(new V2.StreamableHTTPClientTransport(new URL(url)))
        await client.listTools()
        return client
      }))
      const work = clients.map(async (client, agent) => {
        for (let n = 0; !isOver; n++) {
          for (const [tool, args] of round(`agent-${agent}`, n)) {
            if (!isOver) entries.push(await call(client, tool, args))
          }
          // The machine is shared, and hundreds of calls a second would tell no more.
          await new Promise((resolve) => setTimeout(resolve, 40))
        }
      })
      const stop = async (): Promise<void> => {
        isOver = true
        await Promise.all(work)
        await Promise.all(clients.map((client) => client.close()))
      }
      return { entries, stop }
    }),
    ({ stop }) => Effect.promise(stop)
  )

const promptOf = (body: { readonly [field: string]: unknown } | undefined): string => {
  const messages: ReadonlyArray<{ readonly content?: unknown }> = Array.isArray(body?.["messages"])
    ? body["messages"]
    : []
  return messages.map(({ content }) => typeof content === "string" ? content : "").join("\n")
}

const schema = {
  type: "object",
  properties: {
    name: { type: "string", description: "The name" },
    price: { type: "number", description: "The price" }
  },
  required: ["name", "price"]
}

/** Says the first sentence of the first passage, and cites it; without one it is asked for a schema. */
export const reply = FakeProvider.depending(({ body }) => {
  if (!promptOf(body).includes("<passage ")) return FakeProvider.json(schema)
  const [, id = "none", text = ""] = /<passage id="([^"]+)"[^>]*>\n([^]*?)\n<\/passage>/u.exec(promptOf(body)) ?? []
  const sentence = text.split(/(?<=[.!?])\s/u)[0] ?? ""
  return FakeProvider.text(`${sentence.replace(/[.!?]$/u, "")} [${id}].`, { delayMs: 40 })
})

/** What `/readyz` said, when. */
export interface Ready {
  readonly at: number
  readonly took: number
  readonly status: number
  readonly lacking: ReadonlyArray<string>
}

const look = async (url: URL): Promise<Ready> => {
  const began = performance.now()
  const page = await fetch(url, { signal: AbortSignal.timeout(5000) }).then(
    async (response) => ({ status: response.status, body: await response.json() as object }),
    () => ({ status: 0, body: {} })
  )
  const { degraded = [], unavailable = [] } = page.body as {
    readonly unavailable?: ReadonlyArray<{ readonly tool: string }>
    readonly degraded?: ReadonlyArray<{ readonly tool: string }>
  }
  const at = performance.now()
  return { at, took: at - began, status: page.status, lacking: [...unavailable, ...degraded].map(({ tool }) => tool) }
}

/** Asks `/readyz` as a balancer does, five times a second, until the scope closes. */
export const probing = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const seen: Array<Ready> = []
      let isOver = false
      const work = (async () => {
        while (!isOver) {
          seen.push(await look(new URL("/readyz", url)))
          await new Promise((resolve) => setTimeout(resolve, 200))
        }
      })()
      return {
        seen,
        stop: async () => {
          isOver = true
          await work
        }
      }
    }),
    ({ stop }) => Effect.promise(stop)
  )
