/**
 * An HTTP server whose answers the test decides, and what it says to the log.
 */
import { McpServer } from "causeway-mcp/server/McpServer"
import type { Posted } from "causeway-mcp/server/Posted"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HashMap from "effect/HashMap"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"

type Server = typeof McpServer.Service

/** A reply that is there at once. */
export const reply = (body: string | undefined, more: Partial<Posted> = {}): Posted => ({
  reply: Exit.succeed({ status: body === undefined ? 202 : 200, body }),
  cancelledByDisconnect: true,
  tells: [],
  ...more
})

/** A reply that never comes. */
export const never = (more: Partial<Posted> = {}): Posted => ({
  reply: Effect.never,
  cancelledByDisconnect: true,
  tells: [],
  ...more
})

/** A subscription: acknowledged at once, and ended by the server alone. */
export const subscription = (notify: (json: string) => boolean): Posted => {
  let settle: ((body: string) => void) | undefined
  return {
    reply: Effect.async<{ readonly status: number; readonly body: string }>((resume) => {
      settle = (body) => resume(Effect.succeed({ status: 200, body }))
      notify(`{"method":"acknowledged"}`)
    }),
    cancelledByDisconnect: true,
    tells: [],
    end: () => settle?.(`{"result":"ended"}`)
  }
}

export const scripted = (server: Partial<Server>): Server => ({
  info: { name: "scripted", version: "0.0.0" },
  post: () => reply("{}"),
  openStream: () => undefined,
  priority: () => undefined,
  turnedAway: () => undefined,
  unparsable: { status: 400, body: "{\"error\":{\"code\":-32700}}" },
  connect: () => Effect.dieMessage("the script has no pipe"),
  ...server
})

export interface Line {
  readonly level: string
  readonly text: string
  readonly peer: unknown
}

/** Serves until the test ends, or until `stop`; `logged` grows. */
export const serve = (server: Partial<Server>, options: Partial<HttpTransport.Options> = {}) =>
  Effect.gen(function*() {
    const logged: Array<Line> = []
    const logger = Logger.make(({ annotations, logLevel, message }) => {
      logged.push({
        level: logLevel.label,
        text: String(message),
        peer: Option.getOrUndefined(HashMap.get(annotations, "peer"))
      })
    })
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
    const address = yield* HttpTransport.make({ port: 0, ...options }).pipe(
      Scope.extend(scope),
      Effect.provideService(McpServer, scripted(server)),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
    return { ...address, logged, stop: Scope.close(scope, Exit.void) }
  })

export const until = (isSo: () => boolean) =>
  Effect.suspend(() => isSo() ? Effect.void : Effect.fail("not yet")).pipe(
    Effect.retry(Schedule.spaced("5 millis")),
    Effect.timeoutFail({ duration: "10 seconds", onTimeout: () => "late" })
  )

export interface Headers {
  readonly [name: string]: string
}

/** The bytes of a request; a header given as an empty string is left out. */
export const request = (verb: string, path: string, body: string, headers: Headers = {}): string => {
  const all: Headers = {
    host: "localhost",
    accept: "application/json, text/event-stream",
    ...(body === ""
      ? {}
      : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }),
    ...headers
  }
  const lines = Object.entries(all).filter(([, value]) => value !== "").map(([name, value]) => `${name}: ${value}\r\n`)
  return `${verb} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`
}

export const post = (message: unknown, headers: Headers = {}): string =>
  request("POST", "/mcp", typeof message === "string" ? message : JSON.stringify(message), headers)

export const call = (id: number | string, method = "tools/call"): object => ({ jsonrpc: "2.0", id, method })

export const get = (session: string, headers: Headers = {}): string =>
  request("GET", "/mcp", "", { accept: "text/event-stream", "mcp-session-id": session, ...headers })
