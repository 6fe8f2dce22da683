/**
 * What every transport must do with a message, whatever carries it: one suite
 * for memory, standard streams, HTTP and the SDK's transports.
 *
 * The server under test has four tools, whose first text block holds what is
 * said here:
 * - `echo { text: string }`: the text, of half a megabyte too (raise `Policy.sizeLimit`);
 * - `slow { ms: number }`: `"slept"`, after `Effect.sleep`;
 * - `count { n: number }`: the number, after `n` progress updates from 1 to `n`;
 * - `never {}`: nothing; its handler is `never(probe)`.
 *
 * Waiting is real: the laws run on the live clock.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as JsonRpc from "../protocol/JsonRpc.js"
import type { RequestId } from "../protocol/McpSchema.js"

/**
 * Counts the calls of `never` that are running.
 *
 * @since 0.1.0
 * @category testing
 */
export interface Probe {
  readonly running: () => number
  readonly add: (change: 1 | -1) => void
}

/**
 * `onChange` is told the count, first 0: a server in a process of its own writes
 * it to standard error as a line `running N`.
 *
 * @since 0.1.0
 * @category testing
 */
export const makeProbe = (onChange: (running: number) => void = () => {}): Probe => {
  let running = 0
  onChange(running)
  return {
    running: () => running,
    add: (change) => {
      running += change
      onChange(running)
    }
  }
}

/**
 * The handler of the tool `never`.
 *
 * @since 0.1.0
 * @category testing
 */
export const never = (probe: Probe): Effect.Effect<never> =>
  Effect.acquireUseRelease(
    Effect.sync(() => probe.add(1)),
    () => Effect.never,
    () => Effect.sync(() => probe.add(-1))
  )

/**
 * The client's end of a transport.
 *
 * @since 0.1.0
 * @category testing
 */
export interface Peer {
  readonly send: (text: string) => Effect.Effect<void, unknown>
  /** The next message of the server, parsed. */
  readonly receive: Effect.Effect<unknown, unknown>
  /** Cancels a request the way this transport does. */
  readonly cancel: (id: RequestId) => Effect.Effect<void, unknown>
  /** Goes away, and waits until the server can have noticed. */
  readonly close: Effect.Effect<void, unknown>
  /** How many calls of `never` are running, told past the transport. */
  readonly running: Effect.Effect<number>
  /** Whether text that is not JSON can be sent at all. */
  readonly carriesText: boolean
}

/**
 * @since 0.1.0
 * @category errors
 */
export class LawBroken extends Data.TaggedError("LawBroken")<{ readonly message: string }> {}

/**
 * `name` finishes the sentence "it …".
 *
 * @since 0.1.0
 * @category testing
 */
export interface Law {
  readonly name: string
  readonly check: (open: Effect.Effect<Peer, unknown, Scope.Scope>) => Effect.Effect<void, unknown, Scope.Scope>
}

const demand = (isSo: boolean, message: () => string): Effect.Effect<void, LawBroken> =>
  isSo ? Effect.void : Effect.fail(new LawBroken({ message: message() }))

const show = (message: unknown): string => (JSON.stringify(message) ?? "nothing").slice(0, 400)

const soon = <A, E>(what: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E | LawBroken> =>
  Effect.timeoutFail(effect, {
    duration: "5 seconds",
    onTimeout: () => new LawBroken({ message: `${what} took over 5 s` })
  })

const receive = (peer: Peer): Effect.Effect<JsonRpc.Json, unknown> =>
  Effect.filterOrFail(
    soon("a message", peer.receive),
    JsonRpc.isObject,
    (message) => new LawBroken({ message: `expected an object, received ${show(message)}` })
  )

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "transport-laws", version: "0.1.0" },
  "io.modelcontextprotocol/clientCapabilities": {}
}

const call = (id: RequestId, name: string, args: JsonRpc.Json, more: JsonRpc.Json = {}): JsonRpc.Json => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: args, _meta: { ...meta, ...more } }
})

const send = (peer: Peer, message: unknown): Effect.Effect<void, unknown> => peer.send(JSON.stringify(message))

const textOf = (message: JsonRpc.Json): string => {
  const content = JsonRpc.isObject(message.result) ? message.result.content : undefined
  const first: unknown = Array.isArray(content) ? content[0] : undefined
  return JsonRpc.isObject(first) && typeof first.text === "string" ? first.text : ""
}

const codeOf = (message: JsonRpc.Json): unknown => (JsonRpc.isObject(message.error) ? message.error.code : undefined)

const expectText = (message: JsonRpc.Json, id: RequestId, text: string): Effect.Effect<void, LawBroken> =>
  demand(
    message.id === id && textOf(message).includes(text),
    () => `expected ${JSON.stringify(id)} answered with ${show(text)}, received ${show(message)}`
  )

const echo = (peer: Peer, id: RequestId, text: string): Effect.Effect<void, unknown> =>
  Effect.gen(function*() {
    yield* send(peer, call(id, "echo", { text }))
    yield* expectText(yield* receive(peer), id, text)
  })

const untilRunning = (peer: Peer, count: number): Effect.Effect<void, unknown> =>
  soon(
    `having ${count} calls of never run`,
    Effect.repeat(peer.running, { until: (running) => running === count, schedule: Schedule.spaced("5 millis") })
  )

const law = (name: string, check: (peer: Peer) => Effect.Effect<void, unknown>): Law => ({
  name,
  check: (open) => Effect.flatMap(open, check)
})

const concurrent = Effect.fnUntraced(function*(peer: Peer) {
  const delays: ReadonlyArray<number> = [60, 5, 30, 0, 45, 15, 1, 20]
  for (const [id, ms] of delays.entries()) yield* send(peer, call(id, "slow", { ms }))
  const answered = new Set<unknown>()
  for (const _ of delays) {
    const message = yield* receive(peer)
    yield* demand(!answered.has(message.id), () => `${show(message.id)} was answered twice`)
    yield* demand(textOf(message).includes("slept"), () => `received ${show(message)}`)
    answered.add(message.id)
  }
  yield* demand(delays.every((_, id) => answered.has(id)), () => `answered were ${show([...answered])}`)
})

const progress = Effect.fnUntraced(function*(peer: Peer) {
  yield* send(peer, call("counted", "count", { n: 3 }, { progressToken: "token" }))
  for (const expected of [1, 2, 3]) {
    const { method, params } = yield* receive(peer)
    yield* demand(
      method === "notifications/progress" && JsonRpc.isObject(params) && params.progressToken === "token" &&
        params.progress === expected,
      () => `expected progress ${expected}, received ${show({ method, params })}`
    )
  }
  yield* expectText(yield* receive(peer), "counted", "3")
  yield* echo(peer, "after", "nothing came between")
})

const cancel = Effect.fnUntraced(function*(peer: Peer) {
  yield* send(peer, call("doomed", "never", {}))
  yield* untilRunning(peer, 1)
  yield* peer.cancel("doomed")
  yield* untilRunning(peer, 0)
  yield* echo(peer, "after", "the first message since")
})

const handshakeBatch = Effect.fnUntraced(function*(peer: Peer) {
  const clientInfo = { name: "transport-laws", version: "0.1.0" }
  const params = { protocolVersion: "2025-03-26", capabilities: {}, clientInfo }
  yield* send(peer, { jsonrpc: "2.0", id: "hello", method: "initialize", params })
  const hello = yield* receive(peer)
  yield* demand(hello.id === "hello" && JsonRpc.isObject(hello.result), () => `received ${show(hello)}`)
  yield* send(peer, { jsonrpc: "2.0", method: "notifications/initialized" })
  yield* send(
    peer,
    ["a", "b"].map((id) => ({
      jsonrpc: "2.0",
      id,
      method: "tools/call",
      params: { name: "echo", arguments: { text: id } }
    }))
  )
  const replies = yield* soon("a batch", peer.receive)
  yield* demand(Array.isArray(replies) && replies.length === 2, () => `received ${show(replies)}`)
})

/**
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law("answers a request under its own id", (peer) => echo(peer, 7, "hello")),
  law("answers several requests in flight once each", concurrent),
  law(
    "keeps the ids 0 and the empty string",
    (peer) => Effect.zipRight(echo(peer, 0, "zero"), echo(peer, "", "empty"))
  ),
  law("refuses an unknown method", (peer) =>
    Effect.gen(function*() {
      yield* send(peer, { jsonrpc: "2.0", id: 1, method: "tools/unheard-of", params: { _meta: meta } })
      const message = yield* receive(peer)
      yield* demand(message.id === 1 && codeOf(message) === -32601, () => `received ${show(message)}`)
    })),
  law("survives text that is not JSON", (peer) =>
    Effect.gen(function*() {
      if (peer.carriesText) {
        yield* peer.send("{\"jsonrpc\":\"2.0\",\"id\":1,")
        const message = yield* receive(peer)
        yield* demand(codeOf(message) === -32700, () => `received ${show(message)}`)
      }
      yield* echo(peer, 2, "still here")
    })),
  law("refuses an array on 2026-07-28", (peer) =>
    Effect.gen(function*() {
      yield* send(peer, [call(1, "echo", { text: "no" })])
      const message = yield* receive(peer)
      yield* demand(codeOf(message) === -32600, () => `received ${show(message)}`)
    })),
  law("answers an array as an array on 2025-03-26", handshakeBatch),
  law("delivers progress in order, and all of it before the reply", progress),
  law("stops a cancelled call and says nothing more about it", cancel),
  law("carries half a megabyte", (peer) => echo(peer, 1, "0123456789".repeat(50_000))),
  law(
    "carries every kind of character",
    (peer) =>
      echo(
        peer,
        1,
        "\u00e9 \u4e2d\u6587 \u{1f600} \u{1f468}\u200d\u{1f469}\u200d\u{1f467} \u2028 \u2029 \u0000 \n \r\n \" \\ \u007f"
      )
  ),
  law("leaves nothing running when the peer goes away", (peer) =>
    Effect.gen(function*() {
      yield* send(peer, call(1, "never", {}))
      yield* send(peer, call(2, "never", {}))
      yield* untilRunning(peer, 2)
      yield* soon("closing", peer.close)
      yield* untilRunning(peer, 0)
    }))
]
