import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Reference from "../interop/server.js"
import * as Balanced from "./balanced.js"
import * as Promtool from "./promtool.js"

/** Secrets of the server and of its callers begin with this, and what callers write in their calls with the other. */
const secret = (name: string): string => `canary-s-${name}-0123456789abcdef0123456789abcdef`
const written = (name: string | number): string => `canary-c-${name}`

const listening = <S extends Net.Server>(server: S) =>
  Effect.acquireRelease(
    Effect.async<{ readonly server: S; readonly port: number }>((resume) => {
      server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({ server, port: (server.address() as AddressInfo).port })))
    }),
    () =>
      Effect.sync(() =>
        server.close()
      )
  )

/** Says no to whatever it is told, and says it again. */
const echoing = (answer: (text: string) => string) =>
  listening(Net.createServer((socket) => {
    socket.on("error", () => {})
    socket.on("data", (chunk) => socket.write(answer(chunk.toString("latin1"))))
    socket.unref()
  }))

/** A provider of models with which something is always wrong, and that gives back what it was sent. */
const provider = Effect.gen(function*() {
  let count = 0
  return yield* listening(Http.createServer((request, response) => {
    let body = ""
    request.on("data", (chunk) => (body += String(chunk)))
    request.on("end", () => {
      const told = JSON.stringify({ error: { message: `no: ${JSON.stringify(request.headers)} ${body}` } })
      const kind = count++ % 5
      if (kind === 4) return void request.socket.destroy()
      response.writeHead([401, 500, 429, 200][kind] ?? 500, { "content-type": "application/json", "x-told": "yes" })
      response.end(kind === 3 ? told.slice(0, -2) : told)
    })
  }))
})

const collector = Effect.gen(function*() {
  const received: Array<string> = []
  const { port } = yield* listening(Http.createServer((request, response) => {
    let body = ""
    request.on("data", (chunk) => (body += String(chunk)))
    request.on("end", () => {
      received.push(body)
      response.writeHead(200, { "content-type": "application/json" }).end("{}")
    })
  }))
  return { port, received }
})

interface Shot {
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly method?: string
}

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "0.0.0" },
  "io.modelcontextprotocol/clientCapabilities": {}
}

const call = (name: string, args: unknown, more: { readonly id?: unknown; readonly meta?: object } = {}): Shot => ({
  headers: { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": name },
  body: JSON.stringify({
    ...{ jsonrpc: "2.0", id: more.id ?? 1, method: "tools/call" },
    params: { name, arguments: args, _meta: { ...meta, ...more.meta } }
  })
})

const key = secret("caller-key")
const tokenOf = (name: string): string =>
  [{ alg: "RS256", kid: secret(name) }, { sub: secret(name) }, secret(name)]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".")

const tools = [
  "answer_market_question",
  "search_relevant_market_intel",
  "fetch_user_preference_profile",
  "generate_structured_output",
  "summarize_document_batch",
  "record_session_event",
  "index_document"
]

const strange: ReadonlyArray<unknown> = [
  {},
  null,
  written("text"),
  { question: written("question"), query: written("query"), userId: written("user") },
  { question: 7, query: { [written("name")]: written("value") }, ids: [written("id")] },
  { instruction: written("instruction"), text: `${written("text")}\u0000\u2028\u001b[31m` },
  { userId: `${written("user")}'; drop table x; --`, event: { kind: written("kind") } },
  {
    ...{ id: written("document"), title: written("title"), text: written("passage") },
    ...{ question: `${written("q")} `.repeat(2000), query: `${written("q")} `.repeat(2000) }
  }
]

const shots: ReadonlyArray<Shot> = [
  ...tools.flatMap((name) => strange.map((args) => call(name, args))),
  // Who asks.
  ...["", "Bearer ", "Basic ", "bearer\t"].map((scheme) => ({
    ...call(tools[0] ?? "", {}),
    headers: { authorization: `${scheme}${secret("wrong-key")}` }
  })),
  ...["a", "b"].map((name) => ({
    ...call(tools[0] ?? "", {}),
    headers: { authorization: `Bearer ${tokenOf(`token-${name}`)}` }
  })),
  { path: `/mcp?access_token=${secret("query")}`, ...call(tools[0] ?? "", {}) },
  { path: `/no-page?key=${secret("query")}&${written("query")}`, method: "GET" },
  { path: `/healthz?key=${secret("query")}`, method: "GET", headers: { authorization: secret("ops") } },
  // What stands around a call.
  ...["cookie", "x-api-key", "proxy-authorization", "user-agent", "referer", "baggage", "x-forwarded-for"].map(
    (name) => ({ ...call(tools[1] ?? "", {}), headers: { ...call(tools[1] ?? "", {}).headers, [name]: written(name) } })
  ),
  ...["cookie", "x-api-key", "x-token", "baggage"].map((name) => ({
    ...{ path: "/healthz", method: "GET", headers: { [name]: secret(name) } }
  })),
  ...["origin", "mcp-name", "mcp-protocol-version", "mcp-session-id", "traceparent", "tracestate", "accept"].map(
    (name) => ({ ...call(tools[1] ?? "", {}), headers: { ...call(tools[1] ?? "", {}).headers, [name]: written(name) } })
  ),
  call(tools[1] ?? "", {}, { meta: { apiKey: secret("meta"), traceparent: written("parent"), baggage: written("b") } }),
  call(tools[0] ?? "", { question: "x" }, { meta: { progressToken: written("progress") } }),
  // What is no call.
  ...["{", "null", `{"${written("open")}`, `[${JSON.stringify(written("list"))}]`, "x".repeat(3 * 1024 * 1024)].map(
    (body) => ({ body })
  ),
  ...["resources/read", "prompts/get", "completion/complete", "logging/setLevel", `no/${written("method")}`].map(
    (method) => ({
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method,
        params: { uri: written("uri"), name: written("n"), _meta: meta }
      })
    })
  )
]

const send = (origin: string, { body, headers = {}, method = "POST", path = "/mcp" }: Shot): Promise<string> =>
  fetch(`${origin}${path}`, {
    method,
    headers: {
      ...{ "content-type": "application/json", accept: "application/json, text/event-stream" },
      ...{ authorization: `Bearer ${key}`, ...headers }
    },
    ...(method === "GET" ? {} : { body: body ?? "" })
  }).then((response) => response.text(), (error: unknown) => `broken off: ${String(error)}`)

/** Sources that are there and of no use, secrets in every setting, and a folder for what is written. */
const started = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "causeway-secrets-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const redis = yield* echoing((text) => `-ERR not ${text.replaceAll(/[\r\n]+/gu, " ")}\r\n`)
  const postgres = yield* echoing((text) => `E${text}`)
  const keys = yield* echoing(() => "HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n")
  const models = yield* provider
  const { port, received } = yield* collector
  const audit = join(folder, "audit.jsonl")
  const hash = createHash("sha256").update(key).digest("hex")
  const server = yield* Reference.http({
    ...{ LOG_FORMAT: "json", AUDIT_FILE: audit, RATE_LIMIT: "0", LLM_CACHE: "off", LLM_DEADLINE: "1 second" },
    DATABASE_URL: `postgres://causeway:${secret("postgres")}@127.0.0.1:${postgres.port}/causeway`,
    REDIS_URL: `redis://user:${secret("redis")}@127.0.0.1:${redis.port}`,
    LLM_GATEWAY_URL: `http://127.0.0.1:${models.port}/v1`,
    ...{ LLM_GATEWAY_KEY: secret("gateway"), LLM_MODELS: "first,second" },
    API_KEYS: JSON.stringify([{ hash, id: "ada", scopes: ["*"] }]),
    OAUTH_ISSUER: `http://127.0.0.1:${keys.port}`,
    ...{ OAUTH_RESOURCE: "http://127.0.0.1/mcp", OAUTH_JWKS_URI: `http://127.0.0.1:${keys.port}/${secret("jwks")}` },
    SESSION_SECRETS: secret("sessions"),
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    ...{ OTEL_EXPORTER_OTLP_PROTOCOL: "http/json", OTEL_EXPORTER_OTLP_HEADERS: `x-key=${secret("collector")}` },
    ...{ OTEL_BSP_SCHEDULE_DELAY: "50", OTEL_METRIC_EXPORT_INTERVAL: "500" }
  })
  return { audit, received, ...server, origin: new URL(server.url).origin }
})

const hits = (text: string, canary: RegExp): ReadonlyArray<string> =>
  [...text.matchAll(canary)].map(({ index }) => text.slice(Math.max(0, index - 200), index + 80))

const anyCanary = /canary-[sc]-/gu
const ownCanary = /canary-s-/gu

const jsonLines = (lines: ReadonlyArray<string>): ReadonlyArray<Readonly<Record<string, unknown>>> =>
  lines.filter((line) => line !== "").map((line) => {
    assert.isBelow(Buffer.byteLength(line), 64 * 1024)
    // What ends a line for some reader, or tells a terminal what to do.
    assert.notMatch(line, /[\p{Cc}\u2028\u2029\u202a-\u202e]/u)
    return JSON.parse(line)
  })

describe("the reference server, where nothing works", () => {
  it.scopedLive(
    "lets no secret out, and no word of its callers into what it tells of itself (SEC-26)",
    () =>
      Effect.gen(function*() {
        const server = yield* started
        assert.isAtLeast(shots.length, 80)
        const answers: Array<string> = []
        yield* Effect.forEach(shots, (shot) =>
          Effect.promise(async () => void answers.push(await send(server.origin, shot))), { concurrency: 8 })
        const pages = yield* Effect.forEach(["/metrics", "/healthz", "/readyz", "/livez"], (path) =>
          Effect.promise(() =>
            send(server.origin, { path, method: "GET" })
          ))
        yield* Balanced.until("the collector has traces, metrics and logs", () =>
          ["resourceSpans", "resourceMetrics", "resourceLogs"].every((kind) =>
            server.received.some((body) =>
              body.includes(kind)
            )
          ))
        server.child.kill("SIGTERM")
        yield* Effect.promise(() =>
          once(server.child, "exit")
        )
        const outputs = {
          stderr: server.lines.join("\n"),
          audit: readFileSync(server.audit, "utf8"),
          collector: server.received.join("\n"),
          pages: pages.join("\n")
        }
        for (const [where, text] of Object.entries(outputs)) {
          assert.isAbove(text.length, 500, where)
          assert.deepStrictEqual(hits(text, anyCanary), [], where)
        }
        assert.deepStrictEqual(hits(answers.join("\n"), ownCanary), [], "answers")
        if (Balanced.findProgram("promtool") !== undefined) {
          const checked = yield* Promtool.run(["check", "metrics"], pages[0])
          assert.deepStrictEqual([checked.code, checked.text.trim()], [0, ""])
        }
        jsonLines(server.lines.filter((line) =>
          !line.startsWith("causeway: stopping")
        ))
        const events = jsonLines(outputs.audit.split("\n"))
        assert.isAtLeast(events.filter(({ event }) => event === "call").length, tools.length * (strange.length - 1))
        assert.isAtLeast(events.filter(({ event }) => event === "refusal").length, 5)
      }),
    120_000
  )

  it.scopedLive(
    "writes one line for each event, whatever its callers are called and write (SEC-28)",
    () =>
      Effect.gen(function*() {
        const { audit, child, lines, origin } = yield* started
        const nasty = [
          "a\r\n{\"level\":\"error\"}",
          "\u001b[2J\u001b[31m",
          "\u2028\u2029\u0085",
          "\u202e\u0000\u007f",
          "\ud800"
        ]
        const huge = "\u001b".repeat(900_000)
        const ids: Array<unknown> = []
        for (const text of [...nasty, huge]) {
          const again: ReadonlyArray<Shot> = [
            call(tools[2] ?? "", { userId: text }, { id: text }),
            { ...call(text, {}, { id: `n${text}` }), headers: {} },
            call(tools[2] ?? "", {}, { meta: { "io.modelcontextprotocol/clientInfo": { name: text, version: text } } }),
            { body: JSON.stringify({ jsonrpc: "2.0", id: text, method: text, params: { _meta: meta } }) },
            {
              body: JSON.stringify({
                ...{ jsonrpc: "2.0", id: text, method: "initialize" },
                params: { protocolVersion: text, capabilities: {}, clientInfo: { name: text, version: text } }
              })
            }
          ]
          for (const shot of again) ids.push((yield* Effect.promise(() => send(origin, shot))).length)
        }
        const latin = "\u00ff\u00a0\t\u00e9".repeat(20)
        for (const name of ["traceparent", "tracestate", "user-agent", "mcp-name", "x-request-id"]) {
          const shot = call(tools[2] ?? "", {})
          yield* Effect.promise(() => send(origin, { ...shot, headers: { ...shot.headers, [name]: latin } }))
        }
        child.kill("SIGTERM")
        yield* Effect.promise(() => once(child, "exit"))
        const logged = jsonLines(lines.filter((line) => !line.startsWith("causeway: stopping")))
        for (const line of logged) {
          assert.hasAllKeys({ time: 0, level: 0, message: 0 }, ["time", "level", "message"], String(line))
        }
        const events = jsonLines(readFileSync(audit, "utf8").split("\n"))
        assert.isAtLeast(events.length, nasty.length * 2)
        for (const { requestId, tool } of events) {
          assert.isAtMost(String(requestId).length, 256)
          assert.isAtMost(String(tool ?? "").length, 128)
        }
      }),
    120_000
  )
})

describe("the reference server that cannot begin", () => {
  const wrong: ReadonlyArray<readonly [name: string, settings: Record<string, string>]> = [
    ["DATABASE_URL", { DATABASE_URL: `mysql://u:${secret("a")}@localhost/x` }],
    ["REDIS_URL", { REDIS_URL: `http://:${secret("a")}@localhost` }],
    ["LLM_GATEWAY_URL", { LLM_GATEWAY_URL: `ftp://u:${secret("a")}@localhost`, LLM_GATEWAY_KEY: secret("b") }],
    ["API_KEYS", { API_KEYS: `[{"hash":"${secret("a")}","id":1}]` }],
    ["SESSION_SECRETS", { SESSION_SECRETS: "canary-s-short" }],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", { OTEL_EXPORTER_OTLP_ENDPOINT: `http://u:${secret("a")}@localhost:4318` }],
    [
      "OTEL_EXPORTER_OTLP_HEADERS",
      { OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:4318", OTEL_EXPORTER_OTLP_HEADERS: secret("a") }
    ],
    [
      "OAUTH_JWKS_URI",
      {
        ...{ OAUTH_ISSUER: "https://issuer.example", OAUTH_RESOURCE: "https://host.example/mcp" },
        OAUTH_JWKS_URI: `ftp://u:${secret("a")}@issuer.example/keys`
      }
    ]
  ]
  it.scopedLive(
    "says in one line what is wrong, and not what the setting holds",
    () =>
      Effect.gen(function*() {
        yield* Effect.forEach(wrong, ([name, settings]) =>
          Effect.flatMap(Reference.dataDirectory, (dataDir) =>
            Effect.promise(async () => {
              const child = spawn(process.execPath, ["--import", "tsx", "examples/server.ts"], {
                env: {
                  ...Reference.environment(),
                  DATA_DIR: dataDir,
                  PORT: "0",
                  LOG_FORMAT: "json",
                  SAMPLE_CORPUS: "never",
                  ...settings
                },
                stdio: ["ignore", "pipe", "pipe"],
                timeout: 60_000
              })
              let text = ""
              for (const stream of [child.stdout, child.stderr]) {
                stream.on("data", (chunk) => (text += String(chunk)))
              }
              await once(child, "close")
              assert.strictEqual(child.exitCode, 1, `${name}: ${text}`)
              assert.deepStrictEqual(hits(text, anyCanary), [], name)
              assert.match(text, /^causeway: \S/mu, name)
            })), { concurrency: 2 })
      }),
    120_000
  )
})
