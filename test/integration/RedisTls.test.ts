import { assert, it } from "@effect/vitest"
import * as RedisSessionStore from "causeway-mcp/session/RedisSessionStore"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import type { Server } from "node:net"
import { createServer } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { temporary } from "../document/directory.js"
import * as RedisServer from "./redis.js"
import { client, collected, event, eventually, failure, open, urlOf, user } from "./redisSession.js"
import * as Tls from "./tls.js"

const freePort = Effect.async<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** A server on a port with TLS and another without, and a file with its certificate. */
const make = (more: ReadonlyArray<string> = []) =>
  Effect.gen(function*() {
    const folder = yield* temporary
    const [cert, key, port] = [join(folder, "cert.pem"), join(folder, "key.pem"), yield* freePort]
    writeFileSync(cert, Tls.certificate)
    writeFileSync(key, Tls.privateKey)
    const server = yield* RedisServer.make([
      ...["--tls-port", String(port), "--tls-cert-file", cert, "--tls-key-file", key],
      ...["--tls-ca-cert-file", cert, "--tls-auth-clients", "no", ...more]
    ])
    return { cert, port, server }
  })

/** What the program says whose process trusts that certificate. */
const trusting = (cert: string, url: string, isCluster = false) =>
  Effect.async<string>((resume) => {
    const program = fileURLToPath(new URL("redisTlsProgram.ts", import.meta.url))
    const child = execFile(
      process.execPath,
      ["--import", "tsx", program, url, String(isCluster)],
      {
        cwd: fileURLToPath(new URL("../../", import.meta.url)),
        env: { ...process.env, NODE_EXTRA_CA_CERTS: cert },
        timeout: 40_000
      },
      (_, stdout, stderr) => resume(Effect.succeed(`${stdout}${stderr}`.trim()))
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

RedisServer.suite("RedisSessionStore over TLS", () => {
  it.scopedLive(
    "trusts the authority that its process was given, by name and by address",
    () =>
      Effect.gen(function*() {
        const { cert, port } = yield* make()
        for (const host of ["localhost", "127.0.0.1"]) {
          assert.strictEqual(yield* trusting(cert, `rediss://${host}:${port}`), "20")
        }
      }),
    90_000
  )

  it.scopedLive("says that a certificate is not trusted, and sends no password", () => {
    const { layer, lines } = collected()
    return Effect.gen(function*() {
      const { port, server } = yield* make()
      const redis = yield* client(server.port)
      const store = yield* RedisSessionStore.make({
        url: Redacted.make(`rediss://:correct-horse@127.0.0.1:${port}`),
        commandTimeout: "2 seconds"
      })
      const { error } = yield* failure(store.ping)
      assert.match(error.message, /^SessionStore.ping: the certificate of Redis is not trusted \([A-Z_]+\); trust its/u)
      assert.isFalse(error.isRetryable)
      assert.lengthOf(lines, 1)
      assert.notInclude(lines.join(), "correct-horse")
      assert.notInclude(yield* Effect.promise(() => redis.info("commandstats")), "cmdstat_auth")
    }).pipe(Effect.provide(layer))
  }, 30_000)

  it.scopedLive("says that TLS is spoken to a port that answers without it", () =>
    Effect.gen(function*() {
      const plain = yield* Effect.acquireRelease(
        Effect.async<Server>((resume) => {
          const server = createServer((socket) => socket.on("error", () => undefined).end("-ERR what is this\r\n"))
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const address = plain.address()
      const port = typeof address === "object" && address !== null ? address.port : assert.fail()
      const store = yield* open({ url: Redacted.make(`rediss://127.0.0.1:${port}`), commandTimeout: "2 seconds" })
      const { error } = yield* failure(store.ping)
      assert.include(error.message, "do not agree on TLS")
      assert.isFalse(error.isRetryable)
    }))

  it.scopedLive("fails in time when one side waits for TLS and the other does not", () =>
    Effect.gen(function*() {
      const { port, server } = yield* make()
      for (const url of [urlOf(port), Redacted.make(`rediss://127.0.0.1:${server.port}`)]) {
        const store = yield* open({ url, commandTimeout: "500 millis", connectTimeout: "500 millis" })
        const { error, ms } = yield* failure(store.append(user, event("1")))
        assert.strictEqual(error.reason._tag, "Unavailable")
        assert.isBelow(ms, 1500)
      }
    }), 30_000)

  it.scopedLive("follows the nodes of a cluster that speak TLS", () =>
    Effect.gen(function*() {
      const nodes = yield* Effect.replicateEffect(
        Effect.gen(function*() {
          const bus = yield* freePort
          const made = yield* make(["--cluster-enabled", "yes", "--cluster-port", String(bus), "--tls-cluster", "yes"])
          return { ...made, bus, redis: yield* client(made.server.port) }
        }),
        2
      )
      const [one, two] = nodes
      if (one === undefined || two === undefined) return assert.fail("no nodes")
      yield* Effect.promise(async () => {
        await one.redis.cluster("ADDSLOTSRANGE", 0, 8000)
        await two.redis.cluster("ADDSLOTSRANGE", 8001, 16_383)
        await two.redis.cluster("SET-CONFIG-EPOCH", 2)
        await one.redis.call("CLUSTER", "MEET", "127.0.0.1", String(two.port), String(two.bus))
      })
      for (const { redis } of nodes) {
        yield* eventually(Effect.filterOrFail(
          Effect.promise(() => redis.cluster("INFO")),
          (info) => String(info).includes("cluster_state:ok")
        ))
      }
      assert.strictEqual(yield* trusting(one.cert, `rediss://localhost:${one.port}`, true), "20")
      const keys = yield* Effect.promise(() => Promise.all(nodes.map(({ redis }) => redis.dbsize())))
      assert.isTrue(keys.every((count) => count > 0), String(keys))
    }), 90_000)
})
