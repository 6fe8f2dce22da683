import { assert, describe, it } from "@effect/vitest"
import * as Overload from "causeway-mcp/policy/Overload"
import * as TransportLaws from "causeway-mcp/testing/TransportLaws"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as FixtureServer from "../transport/FixtureServer.js"
import * as Balanced from "./balanced.js"
import * as HttpRouteServer from "./HttpRouteServer.js"
import { freePort } from "./postgres.js"
import * as RawHttp from "./RawHttp.js"

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "0.0.0" },
  "io.modelcontextprotocol/clientCapabilities": {}
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly retryAfter: string | null
}

const post = (url: string, method: string, params: object = {}, name?: string): Promise<Answer> =>
  fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...(name === undefined ? {} : { "mcp-name": name })
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 7, method, params: { ...params, _meta: meta } })
  }).then(async (response) => ({
    status: response.status,
    text: await response.text(),
    retryAfter: response.headers.get("retry-after")
  }))

const call = (url: string, name: string, args: object = {}): Promise<Answer> =>
  post(url, "tools/call", { name, arguments: args }, name)

const asked = {
  background: (url: string) => call(url, "background_answer"),
  normal: (url: string) => call(url, "normal_answer"),
  critical: (url: string) => call(url, "critical_answer"),
  list: (url: string) => post(url, "tools/list"),
  discover: (url: string) => post(url, "server/discover")
}

type Seen = { readonly [kind in keyof typeof asked]: Answer }

const expected: ReadonlyArray<{ readonly [kind in keyof typeof asked]: number }> = [
  { background: 200, normal: 200, critical: 200, list: 200, discover: 200 },
  { background: 503, normal: 200, critical: 200, list: 200, discover: 200 },
  { background: 503, normal: 503, critical: 200, list: 200, discover: 200 },
  { background: 503, normal: 503, critical: 503, list: 503, discover: 503 }
]

/** What is answered at the level that the server is at; nothing when that changed meanwhile. */
const look = async (origin: string): Promise<readonly [level: number, seen: Seen] | undefined> => {
  const level = async (): Promise<number> => {
    const { pressure } = await (await fetch(`${origin}/healthz`)).json() as { pressure: { level: number } }
    return pressure.level
  }
  const before = await level()
  const url = `${origin}/mcp`
  const [background, normal, critical, list, discover] = await Promise.all([
    asked.background(url),
    asked.normal(url),
    asked.critical(url),
    asked.list(url),
    asked.discover(url)
  ])
  return before === await level() ? [before, { background, normal, critical, list, discover }] : undefined
}

describe("a server whose event loop is held up", () => {
  it.scopedLive(
    "sees it, says so, sheds the background first on its way back, and heals",
    () =>
      Effect.gen(function*() {
        const port = yield* freePort
        const server = yield* Balanced.program(process.execPath, [
          "--import",
          "tsx",
          "test/integration/overloadServer.ts",
          String(port)
        ])
        const origin = `http://127.0.0.1:${port}`
        yield* Balanced.until("it is ready", async () => (await Balanced.page(`${origin}/readyz`)).status === 200)
        const seen = new Map<number, Seen>()
        const note = async (): Promise<void> => {
          const looked = await look(origin)
          if (looked !== undefined) seen.set(...looked)
        }
        yield* Balanced.until("it is calm", async () => {
          await note()
          return seen.has(0)
        })
        // Until nothing is let in.
        const ends: Array<boolean> = []
        while (ends.at(-1) !== false && ends.length < 12) {
          const { text } = yield* Effect.promise(() => call(`${origin}/mcp`, "evil_loop", { ms: 1300 }))
          ends.push(text.includes("done"))
        }
        assert.isAtLeast(ends.length, 3)
        assert.match(server.output, /The event loop was held up for \d+ ms; what began just before: evil_loop\n/u)

        // Refused before anything of the body was sent.
        const raw = yield* RawHttp.open(port)
        raw.write(
          `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 900000\r\n\r\n`
        )
        const early = yield* raw.until(/-32603/u)
        assert.match(early, /^HTTP\/1.1 503 [^]*retry-after: [3-6]\r\n/u)

        yield* Balanced.until("it was seen at every level", async () => {
          await note()
          return seen.size === 4
        })
        for (const [level, answers] of seen) {
          const statuses = Object.fromEntries(Object.entries(answers).map(([kind, { status }]) => [kind, status]))
          // A share of them is let in.
          if (level === 2) statuses.normal = 503
          assert.deepStrictEqual(statuses, expected[level], `level ${level}`)
          for (const { retryAfter, status, text } of Object.values(answers)) {
            if (status !== 503) continue
            assert.match(retryAfter ?? "", /^[1-6]$/u)
            assert.include(text, "The server has too much to do")
          }
        }
        assert.include(seen.get(1)?.background.text ?? "", "\"id\":7")
        yield* Balanced.until("it has healed", async () => (await look(origin))?.[0] === 0)
        const levels = [...server.output.matchAll(/Overload level (\d) after \d: the event loop was (\d+) ms late/gu)]
        const highest = levels.find(([, level]) => level === "3")
        assert.isAtLeast(Number(highest?.[2] ?? 0), 1000, server.output)
        const { text } = yield* Effect.promise(() => Balanced.page(`${origin}/metrics`))
        assert.match(text, /^causeway_http_shed_total\{reason="overload"\} [1-9]\d*$/mu)
      }),
    90_000
  )
})

describe("a route in another server", () => {
  it.scopedLive("turns every request away while nothing is let in", () =>
    Effect.gen(function*() {
      let level: Overload.Level = 3
      const overload = Layer.succeed(Overload.Overload, {
        pressure: () => ({ level, loopDelayMs: 0, heapRatio: 0 }),
        turnsAway: () => level === 3 ? 2500 : 0
      })
      const { url } = yield* HttpRouteServer.start().pipe(
        Effect.provide(FixtureServer.layer(TransportLaws.makeProbe())),
        Effect.provide(overload),
        Effect.provide(Logger.remove(Logger.defaultLogger))
      )
      const refused = yield* Effect.promise(() => call(url, "echo", { text: "x" }))
      assert.deepStrictEqual([refused.status, refused.retryAfter], [503, "3"])
      level = 0
      assert.strictEqual((yield* Effect.promise(() => call(url, "echo", { text: "x" }))).status, 200)
    }))
})
