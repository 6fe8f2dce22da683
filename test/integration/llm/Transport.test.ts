import { assert, describe, it, vi } from "@effect/vitest"
import * as ChainPolicy from "causeway-mcp/llm/ChainPolicy"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import Dns from "node:dns"
import type { LookupAddress } from "node:dns"
import * as Https from "node:https"
import * as Net from "node:net"
import { choice } from "../providerModel.js"
import * as RawProvider from "../rawProvider.js"
import * as Certificates from "./certificates.js"
import type { ProviderOptions } from "./harness.js"
import { ask, fine, line, provider, well, world } from "./harness.js"
import { hold } from "./laws.js"

const policy = ChainPolicy.all(
  ChainPolicy.deadline("4 seconds"),
  ChainPolicy.timeouts({ headers: "2 seconds", answer: "2 seconds" }),
  ChainPolicy.noRetry
)

/** A chain whose first model is at an address of its own, and what came of asking it. */
const asking = (baseUrl: string, options: Omit<ProviderOptions, "baseUrl"> = {}) =>
  Effect.gen(function*() {
    const first = yield* provider("first", {
      ...options,
      baseUrl,
      http: { connectTimeout: "500 millis", ...options.http }
    })
    const second = yield* provider("second", { replies: [well] })
    const one = yield* world([first, second], policy)
    const told = yield* ask(one.chain)
    return { first, one, second, told, lines: told.attempts.map(line) }
  })

/** The second answers, and nothing was ever sent to the first. */
const unsent = (baseUrl: string, reason: RegExp, options: Omit<ProviderOptions, "baseUrl"> = {}) =>
  Effect.gen(function*() {
    const { lines, one, told } = yield* asking(baseUrl, options)
    assert.match(lines[0] ?? "", new RegExp(`^first failed ${reason.source} in connect$`, "u"))
    assert.strictEqual(lines[1], "second answered (failover)")
    assert.isBelow(told.elapsedMs - told.stoodStillMs, 1200)
    yield* hold(one, told)
    return told
  })

/** A TLS server that would answer well; the port it is on. */
const secure = (cert: string, options: Https.ServerOptions = {}) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<Https.Server>((resume) => {
        const server = Https.createServer({ key: Certificates.privateKey, cert, ...options }, (_, response) => {
          response.end(JSON.stringify(choice({ content: fine })))
        })
        server.on("tlsClientError", () => undefined)
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    ),
    (server) => portOf(server.address())
  )

const portOf = (address: ReturnType<Net.Server["address"]>): number =>
  typeof address === "object" && address !== null ? address.port : 0

const trusting = { http: { certificateAuthorities: [Certificates.authority] } }

/** A port that nobody listens on. */
const closedPort = Effect.async<number>((resume) => {
  const server = Net.createServer().listen(0, "127.0.0.1", () => {
    const port = portOf(server.address())
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** A port whose owner accepts nobody and whose queue is full, so that the system answers no further connection. */
const blackHole = Effect.gen(function*() {
  const script =
    "const s = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {" +
    "require('node:fs').writeSync(1, String(s.address().port) + '\\n');" +
    "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) })"
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] })),
    (child) => Effect.sync(() => void child.kill("SIGKILL"))
  )
  const port = yield* Effect.async<number>((resume) => {
    child.stdout.once("data", (data) => resume(Effect.succeed(Number(String(data)))))
  })
  const tries = yield* Effect.acquireRelease(
    Effect.sync(() => Array.from({ length: 8 }, () => Net.connect(port, "127.0.0.1").on("error", () => undefined))),
    (sockets) => Effect.sync(() => sockets.forEach((socket) => socket.destroy()))
  )
  yield* Effect.sleep("200 millis")
  return { port, isFull: tries.some((socket) => socket.connecting) }
})

/** Resolves one host by hand; everything else as ever. */
const resolving = (
  host: string,
  answer: (done: (error: Error | null, addresses: ReadonlyArray<LookupAddress>) => void) => void
) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const real = Dns.lookup.bind(Dns)
      const spied = (name: string, options: unknown, done: (...all: ReadonlyArray<unknown>) => void) => {
        if (name === host) answer((error, addresses) => done(error, addresses))
        else Reflect.apply(real, undefined, [name, options, done])
      }
      return vi.spyOn(Dns, "lookup").mockImplementation(spied as never)
    }),
    (spy) => Effect.sync(() => spy.mockRestore())
  )

describe("a chain whose first model cannot be reached", () => {
  it.live("asks the next when the connection is refused", () =>
    Effect.flatMap(closedPort, (port) => unsent(`http://127.0.0.1:${port}/v1`, /Transient/u)).pipe(Effect.scoped))

  it.live("asks the next when there is no such host", () =>
    unsent("http://no-such-host.invalid/v1", /(?:Transient|TimedOut)/u).pipe(Effect.scoped))

  it.live("asks the next when the host's name is not resolved in time", () =>
    Effect.zipRight(
      resolving("slow.test", () => undefined),
      unsent("http://slow.test:9/v1", /TimedOut/u)
    ).pipe(Effect.scoped))

  it.live("asks the next when the connection is never accepted", (context) =>
    Effect.gen(function*() {
      const { isFull, port } = yield* blackHole
      if (!isFull) return context.skip("this system accepts connections beyond a full queue")
      yield* unsent(`http://127.0.0.1:${port}/v1`, /TimedOut/u)
    }).pipe(Effect.scoped))

  it.live("reaches a host whose newer address is dead by its older one", () =>
    Effect.gen(function*() {
      const both = [{ address: "::1", family: 6 }, { address: "127.0.0.1", family: 4 }]
      yield* resolving("both.test", (done) => done(null, both))
      const host = yield* RawProvider.make((socket) =>
        socket.write(RawProvider.reply(JSON.stringify(choice({ content: fine }))))
      )
      const { lines, told } = yield* asking(`http://both.test:${host.port}/v1`)
      assert.deepStrictEqual(lines, ["first answered"])
      assert.isBelow(told.elapsedMs - told.stoodStillMs, 800)
    }).pipe(Effect.scoped))

  it.live("asks the next, and says why, when the certificate is past its time", () =>
    Effect.gen(function*() {
      const port = yield* secure(Certificates.expired)
      yield* unsent(`https://localhost:${port}/v1`, /Untrusted/u, trusting)
    }).pipe(Effect.scoped))

  it.live("asks the next when the certificate is another host's", () =>
    Effect.gen(function*() {
      const port = yield* secure(Certificates.elsewhere)
      yield* unsent(`https://localhost:${port}/v1`, /Untrusted/u, trusting)
    }).pipe(Effect.scoped))

  it.live("asks the next when nobody vouches for the certificate", () =>
    Effect.flatMap(secure(Certificates.good), (port) => unsent(`https://localhost:${port}/v1`, /Untrusted/u)).pipe(
      Effect.scoped
    ))

  it.live("asks the next when only an old protocol is spoken", () =>
    Effect.gen(function*() {
      const port = yield* secure(Certificates.good, {
        minVersion: "TLSv1",
        maxVersion: "TLSv1.1",
        ciphers: "DEFAULT@SECLEVEL=0"
      })
      yield* unsent(`https://localhost:${port}/v1`, /Untrusted/u, trusting)
    }).pipe(Effect.scoped))

  it.live("takes the answer when an authority it trusts vouches for the certificate", () =>
    Effect.gen(function*() {
      const port = yield* secure(Certificates.good)
      const { lines } = yield* asking(`https://localhost:${port}/v1`, trusting)
      assert.deepStrictEqual(lines, ["first answered"])
    }).pipe(Effect.scoped))

  it.live("asks the next when encryption is never agreed on", () =>
    Effect.gen(function*() {
      const server = yield* RawProvider.make(() => undefined)
      yield* unsent(`https://127.0.0.1:${server.port}/v1`, /TimedOut/u)
      assert.strictEqual(server.open(), 0)
    }).pipe(Effect.scoped))
})

describe("a chain whose models keep, break and limit connections", () => {
  it.live("asks the next when a kept connection turns out to be dead", () =>
    Effect.gen(function*() {
      const seen = new WeakSet<Net.Socket>()
      const server = yield* RawProvider.make((socket) => {
        if (seen.has(socket)) socket.resetAndDestroy()
        else socket.write(RawProvider.reply(JSON.stringify(choice({ content: fine }))))
        seen.add(socket)
      })
      const { first, lines, one, second } = yield* asking(server.baseUrl)
      assert.deepStrictEqual(lines, ["first answered"])
      // The client notices that a connection is free a turn after the answer's end.
      yield* Effect.sleep(5)
      const told = yield* ask(one.chain)
      assert.deepStrictEqual(told.attempts.map(line), [
        "first failed Transient in answer",
        "second answered (failover)"
      ])
      assert.deepStrictEqual(first.leaves.map(({ verdict }) => verdict), ["succeeded", "connection"])
      assert.lengthOf(yield* second.server.requests, 1)
    }).pipe(Effect.scoped))

  it.live("asks with a thousand calls at once and leaves no connection when its clients are closed", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", {
        replies: [FakeProvider.text(fine, { delayMs: 1500 })],
        limits: { concurrency: 1000 },
        http: { connectTimeout: "20 seconds" }
      })
      const one = yield* world([first], ChainPolicy.deadline("18 seconds"))
      const all = yield* Effect.all(Array.from({ length: 1000 }, () => ask(one.chain)), { concurrency: "unbounded" })
      assert.strictEqual(all.filter(({ answer }) => answer !== undefined).length, 1000)
      assert.isAtMost(yield* first.server.connections, 1000)
      assert.lengthOf(yield* first.server.requests, 1000)
    }).pipe(Effect.scoped))

  it.live("takes turns where a server takes one connection", () =>
    Effect.gen(function*() {
      const first = yield* provider("first", { replies: [well], http: { connections: 1 } })
      const one = yield* world([first], policy)
      const all = yield* Effect.all(Array.from({ length: 5 }, () => ask(one.chain)), { concurrency: "unbounded" })
      assert.deepStrictEqual(all.map(({ answer }) => answer?.provider), Array.from({ length: 5 }, () => "first"))
      assert.strictEqual(yield* first.server.connections, 1)
    }).pipe(Effect.scoped))
})
