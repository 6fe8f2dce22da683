import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { createServer } from "node:http"
import * as Balanced from "./balanced.js"
import * as HostileHttp from "./hostileHttp.js"
import * as RawHttp from "./RawHttp.js"

const safeTools = "price_of_company\n"

/** Takes every message to its grave, and counts them. */
const grave = Effect.gen(function*() {
  const seen = { messages: 0 }
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.method !== "POST") return void response.end("ready")
    request.resume().on("end", () => {
      seen.messages += 1
      request.socket.destroy()
    })
  }
  const server = createServer(answer)
  yield* Effect.acquireRelease(
    Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )
  const address = server.address()
  return { seen, port: typeof address === "object" ? address?.port ?? 0 : 0 }
})

interface Asked {
  readonly which: HostileHttp.Era
  readonly headers: HostileHttp.Headers
}

const safe = { "mcp-name": "price_of_company" }
const cases: ReadonlyArray<readonly [what: string, asked: Asked, mayRepeat: boolean]> = [
  ["a call of a tool that is safe", { which: "modern", headers: safe }, true],
  ["a list", { which: "modern", headers: { "mcp-method": "tools/list", "mcp-name": undefined } }, true],
  ["a call of any other tool", { which: "modern", headers: { "mcp-name": "order_of_shares" } }, false],
  ["a call without a name", { which: "modern", headers: { "mcp-name": undefined } }, false],
  [
    "an older client's call, whose headers nobody holds to the body",
    { which: "older", headers: { "mcp-method": "tools/call", ...safe } },
    false
  ],
  [
    "a call without a version that says it is a list",
    { which: "older", headers: { "mcp-protocol-version": undefined, "mcp-method": "tools/list" } },
    false
  ]
]

/** Sees how often a message reaches an instance. */
const counted = (
  url: string,
  graves: ReadonlyArray<{ readonly seen: { messages: number } }>,
  [what, { headers, which }, mayRepeat]: typeof cases[number]
) =>
  Effect.gen(function*() {
    const before = graves.reduce((sum, { seen }) => sum + seen.messages, 0)
    const raw = yield* RawHttp.open(Number(new URL(url).port))
    raw.write(HostileHttp.request(which, { headers }))
    assert.match(yield* raw.closed, /^HTTP\/1.1 50[24] /u)
    const count = graves.reduce((sum, { seen }) => sum + seen.messages, 0) - before
    if (mayRepeat) assert.isAbove(count, 1, what)
    else assert.strictEqual(count, 1, what)
  }).pipe(Effect.scoped)

Balanced.suite("HAProxy in front of instances that answer nothing", () => {
  it.scopedLive(
    "sends a message again only when the server holds its headers to its body",
    () =>
      Effect.gen(function*() {
        const [a, b] = yield* Effect.all([grave, grave])
        const { bothUp, url } = yield* Balanced.balancer(a, b, safeTools)
        yield* bothUp
        for (const one of cases) yield* counted(url, [a, b], one)
      }),
    60_000
  )
})

const binary = Balanced.findProgram("nginx")

describe("nginx in front of instances that answer nothing", () => {
  it.scopedLive.skipIf(binary === undefined && process.env.REQUIRE_SERVICES !== "1")(
    "sends a message again only when the server holds its headers to its body",
    () =>
      Effect.gen(function*() {
        const [a, b] = yield* Effect.all([grave, grave])
        for (const one of cases) {
          // Each its own, since it asks no instance for two seconds that failed.
          const { url } = yield* Balanced.nginx(binary ?? "nginx", a, b, safeTools)
          yield* counted(url, [a, b], one)
        }
      }),
    60_000
  )
})
