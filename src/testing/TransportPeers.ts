/**
 * A client's end for each transport, for the laws that all of them keep.
 *
 * @since 0.1.0
 */
import type { Transport as Carrier } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import * as Http from "node:http"
import type { Readable } from "node:stream"
import { PassThrough } from "node:stream"
import * as JsonRpc from "../protocol/JsonRpc.js"
import type { RequestId } from "../protocol/McpSchema.js"
import type { McpServer } from "../server/McpServer.js"
import * as MemoryTransport from "../transport/MemoryTransport.js"
import * as SdkTransport from "../transport/SdkTransport.js"
import * as StdioTransport from "../transport/StdioTransport.js"
import type { Peer, Probe } from "./TransportLaws.js"

const cancelled = (id: RequestId): string =>
  JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } })

/** A peer on a pipe: whatever carries it, it sends text and cancels by a message. */
const onPipe = (options: {
  readonly received: Queue.Dequeue<unknown>
  readonly send: (text: string) => void
  readonly close: Effect.Effect<void>
  readonly running: () => number
  readonly carriesText?: boolean
}): Peer => ({
  send: (text) => Effect.sync(() => options.send(text)),
  receive: Queue.take(options.received),
  cancel: (id) => Effect.sync(() => options.send(cancelled(id))),
  close: options.close,
  running: Effect.sync(options.running),
  carriesText: options.carriesText ?? true
})

const onLines = (stream: Readable, onLine: (line: string) => void): void => {
  let rest = ""
  stream.setEncoding("utf8")
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n")
    rest = lines.pop() ?? ""
    lines.forEach(onLine)
  })
}

/**
 * A peer of `MemoryTransport`.
 *
 * @since 0.1.0
 * @category testing
 */
export const memory = (probe: Probe): Effect.Effect<Peer, never, McpServer | Scope.Scope> =>
  Effect.gen(function*() {
    const received = yield* Queue.unbounded<unknown>()
    const scope = yield* Scope.fork(yield* Effect.scope, { _tag: "Sequential" })
    const send = yield* Scope.extend(MemoryTransport.connect((message) => received.unsafeOffer(message)), scope)
    return onPipe({ received, send, close: Scope.close(scope, Exit.void), running: probe.running })
  })

/**
 * A peer of `StdioTransport` on streams in this process. `slice` cuts what it
 * sends into chunks of that many bytes.
 *
 * @since 0.1.0
 * @category testing
 */
export const streams = (
  probe: Probe,
  options: { readonly slice?: number | undefined } = {}
): Effect.Effect<Peer, never, McpServer | Scope.Scope> =>
  Effect.gen(function*() {
    const received = yield* Queue.unbounded<unknown>()
    const input = new PassThrough()
    const output = new PassThrough()
    onLines(output, (line) => received.unsafeOffer(JSON.parse(line)))
    const fiber = yield* Effect.forkScoped(StdioTransport.run({ input, output }))
    return onPipe({
      received,
      send: (text) => {
        const bytes = Buffer.from(`${text}\n`)
        const slice = options.slice ?? bytes.length
        for (let at = 0; at < bytes.length; at += slice) input.write(bytes.subarray(at, at + slice))
      },
      close: Effect.zipRight(Effect.sync(() => input.end()), Fiber.join(fiber)),
      running: probe.running
    })
  })

/**
 * A peer of `StdioTransport` in a process of its own, which writes the count of
 * its probe to standard error as lines `running N`, the first when it starts.
 * Closing dies unless the process exits with code 0.
 *
 * @since 0.1.0
 * @category testing
 */
export const child = (command: string, args: ReadonlyArray<string>): Effect.Effect<Peer, never, Scope.Scope> =>
  Effect.gen(function*() {
    const received = yield* Queue.unbounded<unknown>()
    const started = yield* Deferred.make<void>()
    let running = 0
    const process = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] })),
      (process) => Effect.sync(() => process.kill("SIGKILL"))
    )
    onLines(process.stdout, (line) => received.unsafeOffer(JSON.parse(line)))
    onLines(process.stderr, (line) => {
      const count = /^running (\d+)$/.exec(line)?.[1]
      if (count === undefined) return
      running = Number(count)
      Deferred.unsafeDone(started, Exit.void)
    })
    const exited = Effect.async<void>((resume) => {
      const settle = (): void =>
        resume(process.exitCode === 0 ? Effect.void : Effect.dieMessage(`the server exited with ${process.exitCode}`))
      if (process.exitCode === null) process.once("close", settle)
      else settle()
    })
    yield* Effect.race(Deferred.await(started), exited)
    return onPipe({
      received,
      send: (text) => process.stdin.write(`${text}\n`),
      close: Effect.zipRight(Effect.sync(() => process.stdin.end()), exited),
      running: () => running
    })
  })

/**
 * A peer of `SdkTransport` over a linked pair of carriers, the client's first.
 *
 * @since 0.1.0
 * @category testing
 */
export const sdk = (
  probe: Probe,
  [client, server]: readonly [Carrier, Carrier]
): Effect.Effect<Peer, SdkTransport.SdkTransportError, McpServer | Scope.Scope> =>
  Effect.gen(function*() {
    const received = yield* Queue.unbounded<unknown>()
    client.onmessage = (message) => received.unsafeOffer(message)
    yield* Effect.promise(() => client.start())
    const { closed } = yield* SdkTransport.make(server)
    return onPipe({
      received,
      // The laws send what a client could get wrong: it is for the server to say so.
      send: (text) => void client.send(JSON.parse(text) as JSONRPCMessage),
      close: Effect.zipRight(Effect.promise(() => client.close()), closed),
      running: probe.running,
      carriesText: false
    })
  })

const headersOf = (message: unknown): { readonly [name: string]: string } => {
  if (!JsonRpc.isObject(message) || !JsonRpc.isObject(message.params)) return {}
  const { _meta, name } = message.params
  const version = JsonRpc.isObject(_meta) ? _meta["io.modelcontextprotocol/protocolVersion"] : undefined
  return typeof version !== "string" ? {} : {
    "mcp-protocol-version": version,
    "mcp-method": String(message.method),
    ...(typeof name === "string" ? { "mcp-name": name } : {})
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const readReply = (response: Http.IncomingMessage, onMessage: (message: unknown) => void): void => {
  let body = ""
  const isStream = response.headers["content-type"] === "text/event-stream"
  response.setEncoding("utf8")
  response.on("data", (chunk: string) => {
    body += chunk
    if (!isStream) return
    const events = body.split("\n\n")
    body = events.pop() ?? ""
    for (const event of events) {
      const data = event.split("\n").find((line) => line.startsWith("data: "))
      if (data !== undefined) onMessage(JSON.parse(data.slice(6)))
    }
  })
  response.on("end", () => {
    if (body !== "") onMessage(JSON.parse(body))
  })
  // The peer cancels by cutting the connection.
  response.on("error", () => {})
}

/**
 * A peer of `HttpTransport`, on its own server or on a route: a request for each
 * message, cancelled by cutting its connection.
 *
 * @since 0.1.0
 * @category testing
 */
export const http = (probe: Probe, url: string): Effect.Effect<Peer, never, Scope.Scope> =>
  Effect.gen(function*() {
    const received = yield* Queue.unbounded<unknown>()
    const agent = yield* Effect.acquireRelease(
      Effect.sync(() => new Http.Agent({ keepAlive: true })),
      (agent) => Effect.sync(() => agent.destroy())
    )
    const requests = new Map<unknown, Http.ClientRequest>()
    const cut = (id: unknown): void => {
      requests.get(id)?.destroy()
    }
    return {
      send: (text) =>
        Effect.sync(() => {
          const message = parse(text)
          const request = Http.request(url, {
            agent,
            method: "POST",
            headers: {
              "content-type": "application/json",
              accept: "application/json, text/event-stream",
              ...headersOf(message)
            }
          }, (response) => readReply(response, (reply) => received.unsafeOffer(reply)))
          const key = JsonRpc.isObject(message) ? message.id : undefined
          requests.set(key, request)
          request.on("error", () => {}).on("close", () => requests.delete(key))
          request.end(text)
        }),
      receive: Queue.take(received),
      cancel: (id) => Effect.sync(() => cut(id)),
      close: Effect.sync(() => {
        for (const id of requests.keys()) cut(id)
      }),
      running: Effect.sync(probe.running),
      carriesText: true
    }
  })
