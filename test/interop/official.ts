/**
 * The official clients behind one face, as far as they have it in common: the
 * client of SDK v1, and the v2 client in each of its modes.
 */
import type * as V2 from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface Json {
  readonly [key: string]: unknown
}

/** A notification that was heard, or a request that was answered. */
export interface Message {
  readonly method: string
  readonly params: Json
}

export interface CallOptions {
  readonly signal?: AbortSignal
  readonly onprogress?: (update: Json) => void
  /** Of the request, such as a log level on 2026-07-28. */
  readonly meta?: Json
}

/** The lists there are, by the name of their items in a result. */
export type Kind = "tools" | "resources" | "resourceTemplates" | "prompts"

export interface Page {
  readonly items: ReadonlyArray<Json>
  readonly nextCursor: string | undefined
}

/** Answers what the server asks the client. */
export type Answerer = (method: string, params: Json, signal: AbortSignal) => Json | Promise<Json>

export interface Official {
  readonly revision: string | undefined
  readonly isModern: boolean
  readonly info: Json | undefined
  readonly instructions: string | undefined
  readonly capabilities: Json
  /** Every notification so far but progress. */
  readonly heard: ReadonlyArray<Message>
  /** Every question of the server so far. */
  readonly asked: ReadonlyArray<Message>
  /** What the client found wrong, and did not tell who called it. */
  readonly errors: ReadonlyArray<Error>
  /** Every message of the server as it came. */
  readonly raw: ReadonlyArray<Json>
  /** How questions are answered from now on. */
  readonly answerWith: (answer: Answerer) => void
  readonly page: (kind: Kind, cursor?: string) => Promise<Page>
  /** The whole list, page after page. */
  readonly all: (kind: Kind) => Promise<ReadonlyArray<Json>>
  readonly call: (name: string, args?: Json, options?: CallOptions) => Promise<Json>
  readonly read: (uri: string) => Promise<Json>
  readonly prompt: (name: string, args?: { readonly [name: string]: string }) => Promise<Json>
  readonly complete: (params: V2.CompleteRequest["params"]) => Promise<Json>
  /** Any request, its result unchecked. */
  readonly request: (method: string, params: Json) => Promise<Json>
  readonly close: () => Promise<void>
  /** On the handshake revisions alone, as the four below. */
  readonly setLevel: (level: V2.LoggingLevel) => Promise<unknown>
  readonly subscribe: (uri: string) => Promise<unknown>
  readonly unsubscribe: (uri: string) => Promise<unknown>
  readonly ping: () => Promise<unknown>
  readonly changeRoots: () => Promise<void>
  /** On 2026-07-28 alone. */
  readonly listen: (filter: V2.SubscriptionFilter & { readonly taskIds?: Array<string> }) => Promise<V2.McpSubscription>
}

/** What both families of transports have. */
export type Carrier = Pick<V2.Transport, "onmessage" | "setProtocolVersion">

const tasks = "io.modelcontextprotocol/tasks"

/** What a client says it can do. */
export const everything = {
  elicitation: { form: {}, url: {} },
  sampling: {},
  roots: { listChanged: true },
  extensions: { [tasks]: {} }
}

/** What a client may be told when it is made. */
export interface Settings {
  readonly capabilities?: Json
  /** Told of a list that the client has listed anew by itself. */
  readonly onList?: (kind: Kind, names: ReadonlyArray<string>) => void
}

interface Listed {
  readonly name: string
}

/** The client's own option to follow the lists. */
export const following = (onList: NonNullable<Settings["onList"]>) => {
  const changed = (kind: Kind) => ({
    debounceMs: 0,
    onChanged: (_: Error | null, items: ReadonlyArray<Listed> | null) =>
      onList(kind, items?.map(({ name }) => name) ?? [])
  })
  return { tools: changed("tools"), resources: changed("resources"), prompts: changed("prompts") }
}

export const info = { name: "interop", version: "1.0.0" }

/** What a client was told, and how it answers. */
export const record = () => {
  let answer: Answerer = (method) => Promise.reject(new Error(`nobody answers ${method}`))
  const heard: Array<Message> = []
  const asked: Array<Message> = []
  const errors: Array<Error> = []
  return {
    heard,
    asked,
    errors,
    fail: (error: Error) => void errors.push(error),
    answerWith: (next: Answerer) => {
      answer = next
    },
    hear: (message: { readonly method: string; readonly params?: unknown }) => {
      heard.push({ method: message.method, params: Object(message.params) })
    },
    answer: (message: { readonly method: string; readonly params?: unknown }, signal: AbortSignal) => {
      const params: Json = Object(message.params)
      asked.push({ method: message.method, params })
      return answer(message.method, params, signal)
    }
  }
}

/** Remembers the messages that come in, and the revision that was settled. */
export const tap = (carrier: Carrier) => {
  const raw: Array<Json> = []
  const told: { revision?: string } = {}
  const settle = carrier.setProtocolVersion?.bind(carrier)
  carrier.setProtocolVersion = (revision) => {
    told.revision = revision
    settle?.(revision)
  }
  /** To be called once the client has connected. */
  const listen = (): void => {
    const take = carrier.onmessage?.bind(carrier)
    carrier.onmessage = (message, extra) => {
      raw.push({ ...message })
      take?.(message, extra)
    }
  }
  return { raw, told, listen }
}

export const listing = (page: Official["page"]): Official["all"] => async (kind) => {
  const items: Array<Json> = []
  let cursor: string | undefined
  do {
    const next = await page(kind, cursor)
    items.push(...next.items)
    cursor = next.nextCursor
  } while (cursor !== undefined)
  return items
}

export const pageOf = (kind: Kind, result: Json): Page => ({
  items: result[kind] as ReadonlyArray<Json>,
  nextCursor: result["nextCursor"] as string | undefined
})

/** Connects a client, and closes it with the scope. */
export const connected = (connect: () => Promise<Official>): Effect.Effect<Official, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.promise(connect), (client) => Effect.promise(() => client.close()))
