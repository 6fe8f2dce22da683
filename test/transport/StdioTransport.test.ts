import { assert, describe, it } from "@effect/vitest"
import * as Lifecycle from "causeway-mcp/health/Lifecycle"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as TransportLaws from "causeway-mcp/testing/TransportLaws"
import * as StdioTransport from "causeway-mcp/transport/StdioTransport"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { PassThrough, Writable } from "node:stream"
import * as FixtureServer from "./FixtureServer.js"

const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
const turns = (count: number) => Effect.repeatN(turn, count)

const echo = (id: number): string => `${JSON.stringify(FixtureServer.modern(id, "echo", { text: "x" }))}\n`

/** A stream that keeps each write apart, and takes more only when told to. */
const slowOutput = (highWaterMark: number) => {
  const writes: Array<string> = []
  let proceed: (() => void) | undefined
  const stream = new Writable({
    highWaterMark,
    write: (chunk: Buffer, _encoding, done) => {
      writes.push(chunk.toString())
      proceed = () => done()
    }
  })
  return { stream, writes, proceed: () => proceed?.() }
}

const open = (options: StdioTransport.Options, probe = TransportLaws.makeProbe()) =>
  Effect.provide(Effect.forkScoped(StdioTransport.run(options)), FixtureServer.layer(probe))

describe("StdioTransport", () => {
  it.scoped("answers all lines of a chunk in one write", () =>
    Effect.gen(function*() {
      const input = new PassThrough()
      const { stream, writes } = slowOutput(1e6)
      yield* open({ input, output: stream })
      input.write(echo(1) + echo(2) + echo(3))
      yield* turns(5)
      assert.strictEqual(writes.length, 1)
      assert.deepStrictEqual(writes[0]?.trim().split("\n").map((line) => JSON.parse(line).id), [1, 2, 3])
    }))

  it.scoped("answers a line that is too long with a parse error, and the next as usual", () =>
    Effect.gen(function*() {
      const input = new PassThrough()
      const { stream, writes } = slowOutput(1e6)
      yield* open({ input, output: stream, maxLineBytes: 2000 })
      input.write(`${"x".repeat(5000)}\n${echo(1)}`)
      yield* turns(5)
      const replies = writes.join("").trim().split("\n").map((line) => JSON.parse(line))
      assert.deepStrictEqual(replies.map((reply) => reply.error?.code ?? reply.id), [-32700, 1])
    }))

  it.scoped("reads no further while the client does not read, and goes on when it does", () =>
    Effect.gen(function*() {
      const input = new PassThrough()
      const output = slowOutput(1)
      yield* open({ input, output: output.stream })
      input.write(echo(1))
      yield* turns(5)
      assert.isTrue(input.isPaused())
      input.write(echo(2))
      yield* turns(5)
      assert.strictEqual(output.writes.length, 1)
      output.proceed()
      yield* turns(5)
      assert.match(output.writes[1] ?? "", /"id":2/)
    }))

  it.scoped("lets calls in flight finish when the input ends", () =>
    Effect.gen(function*() {
      const input = new PassThrough()
      const output = new PassThrough()
      const fiber = yield* open({ input, output })
      input.end(`${JSON.stringify(FixtureServer.modern(1, "slow", { ms: 500 }))}\n`)
      yield* turns(5)
      yield* TestClock.adjust("500 millis")
      yield* Fiber.join(fiber)
      assert.match(String(output.read()), /slept/)
    }))

  it.scoped("waits for calls in flight no longer than the grace period", () =>
    Effect.gen(function*() {
      const probe = TransportLaws.makeProbe()
      const input = new PassThrough()
      const output = new PassThrough()
      const fiber = yield* open({ input, output, grace: "300 millis" }, probe)
      input.end(`${JSON.stringify(FixtureServer.modern(1, "never", {}))}\n`)
      yield* turns(5)
      assert.strictEqual(probe.running(), 1)
      yield* TestClock.adjust("299 millis")
      assert.strictEqual(fiber.unsafePoll(), null)
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(fiber)
      assert.strictEqual(probe.running(), 0)
      assert.strictEqual(output.read(), null)
    }))

  it.scoped("ends when the client no longer reads", () =>
    Effect.gen(function*() {
      const input = new PassThrough()
      const output = new PassThrough()
      const fiber = yield* open({ input, output })
      yield* turns(2)
      output.destroy(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }))
      yield* Fiber.join(fiber)
    }))

  it.effect("interrupts calls in flight and lets go of the streams when its scope closes", () =>
    Effect.gen(function*() {
      const probe = TransportLaws.makeProbe()
      const input = new PassThrough()
      const output = new PassThrough()
      const layer = StdioTransport.layerWith({ input, output }).pipe(Layer.provide(FixtureServer.layer(probe)))
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Layer.build(layer)
        yield* turns(2)
        input.write(`${JSON.stringify(FixtureServer.modern(1, "never", {}))}\n`)
        yield* turns(5)
        assert.strictEqual(probe.running(), 1)
      }))
      assert.strictEqual(probe.running(), 0)
      assert.strictEqual(input.listenerCount("data"), 0)
      assert.isTrue(input.isPaused())
    }))

  it.scoped("keeps standard output for the protocol and gives it back", () =>
    Effect.gen(function*() {
      const { write } = process.stdout
      const input = new PassThrough()
      const fiber = yield* Effect.fork(
        StdioTransport.run({ input }).pipe(
          Effect.provideService(McpServer.McpServer, FixtureServer.make(TransportLaws.makeProbe()))
        )
      )
      yield* turns(2)
      assert.notStrictEqual(process.stdout.write, write)
      input.end()
      yield* Fiber.join(fiber)
      assert.strictEqual(process.stdout.write, write)
    }))
  const destroyed = (): PassThrough => new PassThrough().destroy()
  for (
    const [what, streams] of [
      ["the input is over", () => ({ input: destroyed(), output: new PassThrough() })],
      ["the output is over", () => ({ input: new PassThrough(), output: destroyed() })]
    ] as const
  ) {
    it.scoped(`ends at once when ${what} before it begins`, () =>
      Effect.gen(function*() {
        const options = streams()
        yield* turns(3)
        yield* Fiber.join(yield* open(options))
      }), 2000)
  }

  it.scoped("drops notifications that a client does not read, and never the answer", () =>
    Effect.gen(function*() {
      const input = new PassThrough()
      const output = slowOutput(1)
      yield* open({ input, output: output.stream })
      const token = "p".repeat(1000)
      input.write(`${JSON.stringify(FixtureServer.modern(1, "count", { n: 5000 }, { progressToken: token }))}\n`)
      yield* turns(5)
      const isOver = () => output.writes.join("").includes("\"id\":1")
      yield* Effect.repeat(turn, { until: () => output.writes.length > 0, times: 1000 })
      // The call yields at every step; it has ended long before so many turns.
      yield* turns(6000)
      output.proceed()
      yield* Effect.repeat(turn, { until: isOver, times: 1000 })
      assert.isTrue(isOver())
      assert.isBelow(output.writes.join("").length, 2 * 1024 * 1024)
    }))

  const withInput = <A, E, R>(input: PassThrough, effect: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => Object.getOwnPropertyDescriptor(process, "stdin")),
      () =>
        Effect.zipRight(
          Effect.sync(() => Object.defineProperty(process, "stdin", { value: input, configurable: true })),
          effect
        ),
      (stdin) => Effect.sync(() => stdin !== undefined && Object.defineProperty(process, "stdin", stdin))
    )

  it.scoped("says that it is ready when it reads, and that it stops as soon as standard input has ended", () => {
    const input = new PassThrough()
    return withInput(
      input,
      Effect.gen(function*() {
        const lifecycle = yield* Lifecycle.make
        const output = new PassThrough()
        assert.strictEqual(lifecycle.state(), "starting")
        const fiber = yield* Effect.provideService(open({ output }), Lifecycle.Lifecycle, lifecycle)
        yield* turns(2)
        assert.strictEqual(lifecycle.state(), "ready")
        input.end(`${JSON.stringify(FixtureServer.modern(1, "slow", { ms: 500 }))}\n`)
        yield* turns(5)
        assert.strictEqual(lifecycle.state(), "draining")
        assert.isNull(fiber.unsafePoll())
        yield* TestClock.adjust("500 millis")
        yield* Fiber.join(fiber)
        assert.match(String(output.read()), /slept/)
      })
    )
  })

  it.scoped("says that it stops when it is interrupted", () => {
    const input = new PassThrough()
    return withInput(
      input,
      Effect.gen(function*() {
        const lifecycle = yield* Lifecycle.make
        const fiber = yield* Effect.provideService(
          open({ output: new PassThrough() }),
          Lifecycle.Lifecycle,
          lifecycle
        )
        yield* turns(2)
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(lifecycle.state(), "draining")
      })
    )
  })

  it.scoped("does not stop the server when a peer on streams of its own has gone", () =>
    Effect.gen(function*() {
      const lifecycle = yield* Lifecycle.make
      const input = new PassThrough()
      const fiber = yield* Effect.provideService(
        open({ input, output: new PassThrough() }),
        Lifecycle.Lifecycle,
        lifecycle
      )
      yield* turns(2)
      input.end()
      yield* Fiber.join(fiber)
      assert.strictEqual(lifecycle.state(), "ready")
    }))

  it.scoped("leaves the input alone once it has let go of it", () =>
    Effect.gen(function*() {
      const input = new PassThrough()
      const output = slowOutput(1)
      const fiber = yield* open({ input, output: output.stream })
      input.write(echo(1))
      yield* turns(5)
      assert.isTrue(input.isPaused())
      const interrupted = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* turns(2)
      output.proceed()
      yield* Fiber.join(interrupted)
      assert.isTrue(input.isPaused())
    }))
})
