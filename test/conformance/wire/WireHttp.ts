/**
 * A client over HTTP that decides every header and every byte itself.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import { at, Key, until } from "./Words.js"

/** Several values of one name go out as several headers; `undefined` leaves a usual one out. */
export interface Headers {
  readonly [name: string]: string | ReadonlyArray<string> | undefined
}

/** What came back, as far as it has come. */
export interface Visit {
  readonly status: () => number | undefined
  readonly header: (name: string) => string | undefined
  readonly text: () => string
  /** The messages of an event stream. */
  readonly events: () => ReadonlyArray<unknown>
  readonly isEnded: () => boolean
  /** Cuts the connection. */
  readonly leave: () => void
  /** Reads no more, or reads again. */
  readonly pause: () => void
  readonly resume: () => void
}

export interface Reply {
  readonly status: number
  readonly header: (name: string) => string | undefined
  readonly body: string
  /** The body, or the last event of a stream; `undefined` when there is none. */
  readonly json: unknown
  readonly events: ReadonlyArray<unknown>
}

export interface Client {
  /** Sends a request and does not wait; the connection is cut when the scope closes. */
  readonly open: (verb: string, headers: Headers, body?: string | Buffer) => Effect.Effect<Visit, never, Scope.Scope>
  /** The same for a POST with the headers that its message needs. */
  readonly start: (message: unknown, headers?: Headers) => Effect.Effect<Visit, never, Scope.Scope>
  readonly ask: (verb: string, headers: Headers, body?: string | Buffer) => Effect.Effect<Reply>
  /** Text and bytes are sent as they are, anything else as JSON. */
  readonly post: (message: unknown, headers?: Headers) => Effect.Effect<Reply>
  /** Opens a session and gives the header that names it. */
  readonly session: (initialize: unknown, headers?: Headers) => Effect.Effect<{ readonly "mcp-session-id": string }>
}

const named: { readonly [method: string]: string } = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId"
}

/** A value as a header may carry it. */
export const encoded = (value: string): string =>
  /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/u.test(value) && !value.startsWith("=?base64?")
    ? value
    : `=?base64?${Buffer.from(value, "utf8").toString("base64")}?=`

/** The headers that repeat parts of a message of 2026-07-28; none for another. */
export const repeating = (message: unknown): Headers => {
  const version = at(message, "params", "_meta", Key.version)
  if (typeof version !== "string") return {}
  const method = String(at(message, "method"))
  const name = at(message, "params", named[method] ?? "")
  return {
    "mcp-protocol-version": version,
    "mcp-method": method,
    ...(typeof name === "string" ? { "mcp-name": encoded(name) } : {})
  }
}

const usual: Headers = { "content-type": "application/json", accept: "application/json, text/event-stream" }

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const eventsOf = (text: string): ReadonlyArray<unknown> =>
  text.split("\n\n").slice(0, -1).flatMap((frame) => {
    const data = frame.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6))
    return data.length === 0 ? [] : [JSON.parse(data.join("\n"))]
  })

const begin = (agent: Http.Agent, port: number, verb: string, headers: Headers, body?: string | Buffer): Visit => {
  let response: Http.IncomingMessage | undefined
  let text = ""
  let isEnded = false
  const given = Object.entries(headers).filter(([, value]) => value !== undefined)
  const request = Http.request({ agent, host: "127.0.0.1", port, path: "/mcp", method: verb }, (incoming) => {
    response = incoming
    incoming.setEncoding("utf8")
    incoming.on("data", (chunk: string) => {
      text += chunk
    })
    incoming.on("end", () => {
      isEnded = true
    })
    incoming.on("error", () => {})
  })
  request.on("error", () => {})
  for (const [name, value] of given) if (value !== undefined) request.setHeader(name, value)
  if (body !== undefined && !("content-length" in headers)) request.setHeader("content-length", Buffer.byteLength(body))
  request.end(body)
  return {
    status: () => response?.statusCode,
    header: (name) => {
      const value = response?.headers[name]
      return Array.isArray(value) ? value.join(", ") : value
    },
    text: () => text,
    events: () => eventsOf(text),
    isEnded: () => isEnded,
    leave: () => void request.destroy(),
    pause: () => void response?.pause(),
    resume: () => void response?.resume()
  }
}

const textOf = (message: unknown): string | Buffer =>
  typeof message === "string" || Buffer.isBuffer(message) ? message : JSON.stringify(message)

/** A client of the server on that port. Its connections are cut when the scope closes. */
export const make = (port: number): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.gen(function*() {
    const agent = yield* Effect.acquireRelease(
      Effect.sync(() => new Http.Agent({ keepAlive: true })),
      (agent) => Effect.sync(() => agent.destroy())
    )
    const open: Client["open"] = (verb, headers, body) =>
      Effect.acquireRelease(
        Effect.sync(() => begin(agent, port, verb, headers, body)),
        (visit) => Effect.sync(visit.leave)
      )
    const ask: Client["ask"] = (verb, headers, body) =>
      Effect.scoped(Effect.gen(function*() {
        const visit = yield* open(verb, headers, body)
        yield* until(visit.isEnded, () => `the answer; so far ${visit.status()} ${visit.text().slice(0, 500)}`)
        const type = visit.header("content-type")
        const events = type === "text/event-stream" ? visit.events() : []
        return {
          status: visit.status() ?? 0,
          header: visit.header,
          body: visit.text(),
          json: type === "text/event-stream" ? events.at(-1) : parsed(visit.text()),
          events
        }
      }))
    const post: Client["post"] = (message, headers) =>
      ask("POST", { ...usual, ...repeating(message), ...headers }, textOf(message))
    return {
      open,
      ask,
      post,
      start: (message, headers) => open("POST", { ...usual, ...repeating(message), ...headers }, textOf(message)),
      session: (initialize, headers) =>
        Effect.map(post(initialize, headers), (reply) => {
          const id = reply.header("mcp-session-id")
          assert.isString(id, `no session in ${reply.status} ${reply.body}`)
          return { "mcp-session-id": String(id) }
        })
    }
  })

/** Asserts a refusal as a machine reads it: JSON, and no page. */
export const isJson = (reply: Reply, status: number): void => {
  assert.strictEqual(reply.status, status, reply.body)
  assert.strictEqual(reply.header("content-type"), "application/json")
  assert.isDefined(reply.json, reply.body)
  assert.notMatch(reply.body, /<\/?(?:html|body|pre|!doctype)/iu)
}
