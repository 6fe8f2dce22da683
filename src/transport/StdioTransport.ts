/**
 * Serves one client over standard input and output: a message a line.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as HashSet from "effect/HashSet"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { Socket } from "node:net"
import type { Readable, Writable } from "node:stream"
import * as Principal from "../auth/Principal.js"
import { Lifecycle } from "../health/Lifecycle.js"
import { McpServer } from "../server/McpServer.js"
import * as Lines from "./internal/Lines.js"
import * as LineWriter from "./internal/LineWriter.js"
import * as Stdout from "./internal/Stdout.js"
import * as Transport from "./Transport.js"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** Where messages come from; standard input unless given. */
  readonly input?: Readable | undefined
  /** Where messages go; standard output unless given, which is then kept for the protocol. */
  readonly output?: Writable | undefined
  /** Who the peer is; the person at this machine unless given. */
  readonly caller?: Principal.Principal | undefined
  /** The longest line in bytes; 10 MiB unless given. A longer one is answered with a parse error. */
  readonly maxLineBytes?: number | undefined
  /** How long calls in flight may go on when the input has ended; 750 milliseconds unless given. */
  readonly grace?: Duration.DurationInput | undefined
}

/** With the grace period it leaves the process to end within a second. */
const interruptMillis = 100

const outputOf = (options: Options): Effect.Effect<LineWriter.Output, never, Scope.Scope> => {
  const stream = options.output
  return stream === undefined
    ? Stdout.claim
    : Effect.succeed({ stream, write: (text, onWritten) => stream.write(text, "utf8", onWritten) })
}

const serve = (
  server: typeof McpServer.Service,
  options: Options
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const input = options.input ?? process.stdin
    const lifecycle = Option.getOrUndefined(yield* Effect.serviceOption(Lifecycle))
    // Who wrote to standard input started this program: when that client has gone, the server stops.
    const drain = options.input === undefined && lifecycle !== undefined ? lifecycle.drain : Effect.void
    const ended = yield* Deferred.make<void>()
    const end = (): void => Deferred.unsafeDone(ended, Exit.void)
    let isReading = true

    const writer = yield* LineWriter.make(yield* outputOf(options), {
      onBlocked: () => input.pause(),
      onDrained: () => {
        if (isReading) input.resume()
      },
      onBroken: end
    })
    const connection = yield* server.connect({
      caller: options.caller ?? Principal.local,
      send: writer.send,
      isBehind: () => writer.waiting() > Transport.maxWaitingBytes,
      patience: interruptMillis
    })
    const lines = Lines.make(options.maxLineBytes ?? Transport.maxLineBytes, {
      onText: connection.receiveText,
      onUnreadable: connection.receiveUnreadable
    })
    const onData = (chunk: Uint8Array | string): void => {
      lines.push(typeof chunk === "string" ? Buffer.from(chunk, "utf8") : chunk)
      writer.flushNow()
    }
    const onEnd = (): void => {
      lines.end()
      end()
    }

    yield* Effect.acquireRelease(
      Effect.sync(() => {
        if (input instanceof Socket) input.ref()
        input.on("data", onData).on("end", onEnd).on("close", end).on("error", end)
        // A stream that is over says so only once.
        if (!input.readable) end()
      }),
      () =>
        Effect.sync(() => {
          isReading = false
          input.off("data", onData).off("end", onEnd).off("close", end).off("error", end)
          input.pause()
          // A paused socket may still keep the process alive.
          if (input instanceof Socket) input.unref()
        })
    )
    yield* Effect.addFinalizer(() => drain)
    if (lifecycle !== undefined) yield* lifecycle.begin
    yield* Deferred.await(ended)
    yield* drain
    // Nobody will end the subscriptions any more.
    yield* connection.end
    yield* Effect.timeoutOption(Effect.zipRight(connection.idle, writer.flushed), options.grace ?? "750 millis")
  })

/**
 * Serves the peer until it has gone: the input has ended or the output is
 * broken. Calls in flight then have the grace period to finish, the rest are
 * interrupted. Says in the `Lifecycle` that is provided here, if one is, that the
 * server is ready; and that it stops, when standard input has ended or the fiber is
 * interrupted that reads it.
 *
 * @since 0.1.0
 * @category running
 */
export const run = (options: Options = {}): Effect.Effect<void, never, McpServer> =>
  Effect.flatMap(McpServer, (server) => Effect.scoped(serve(server, options)))

/**
 * Serves a peer on streams of one's own. That the peer has gone ends nothing
 * else; a program that wants to know uses `run`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWith = (options: Options): Transport.Transport =>
  Layer.scopedDiscard(Effect.forkScoped(Effect.interruptible(run(options))))

/**
 * Tells the program what its client would tell it next: one under `runMain` then
 * exits even though a call that cannot be interrupted goes on. The fiber that
 * builds the layer is the program's own under `Layer.launch`; when the layer was
 * built beside others, it has ended.
 */
const endProgram = (builder: Fiber.RuntimeFiber<unknown, unknown>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const isHeard = process.emit("SIGTERM", "SIGTERM")
    if (builder.unsafePoll() === null) return Fiber.interruptFork(builder)
    if (!isHeard) process.kill(process.pid, "SIGTERM")
    return Effect.void
  })

/**
 * Serves the client that started this process. While the layer lives, standard
 * output carries the protocol alone: `console.log` goes to standard error. When
 * the client has gone the program is interrupted, and a program under
 * `NodeRuntime.runMain` exits with code 0. Reports to the `Lifecycle` as `run`
 * does. Add `layerLogger` for what is logged before the transport is built.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Transport.Transport = Layer.scopedDiscard(
  Effect.withFiberRuntime<Fiber.RuntimeFiber<void>, never, McpServer | Scope.Scope>((builder) =>
    Effect.forkScoped(Effect.interruptible(Effect.zipRight(run(), endProgram(builder))))
  )
)

/**
 * Sends what Effect logs to standard error. What a layer logs while it is built
 * comes before the transport keeps standard output for itself: provide this last,
 * around the whole program.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerLogger: Layer.Layer<never> = Layer.scopedDiscard(
  // Every logger goes, since `runMain` has put one of its own in the place of the default.
  Effect.locallyScoped(
    FiberRef.currentLoggers,
    HashSet.make(Logger.tracerLogger, Logger.withConsoleError(Logger.logfmtLogger))
  )
)
