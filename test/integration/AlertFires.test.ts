import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Reference from "../interop/server.js"
import * as Balanced from "./balanced.js"
import { freePort } from "./postgres.js"

/** The rules as they are, in which every time is a thirtieth: two minutes are four seconds. */
const scaled = (rules: string): string =>
  rules.replace(
    /(\[|for: )(\d+)(s|m)/gu,
    (_, before: string, count: string, unit: string) =>
      `${before}${Number(count) * (unit === "m" ? 60 : 1) * 1000 / 30}ms`
  )

/** A provider of models that takes as long as it is told. */
const provider = Effect.acquireRelease(
  Effect.async<{ readonly url: string; readonly state: { millis: number }; readonly server: Http.Server }>((resume) => {
    const state = { millis: 50 }
    const body = JSON.stringify({
      ...{ id: "1", object: "chat.completion", created: 1, model: "steady" },
      choices: [{
        ...{ index: 0, finish_reason: "stop" },
        message: { role: "assistant", content: "Revenue grew in the last quarter [1]." }
      }],
      usage: { prompt_tokens: 10, completion_tokens: 10, total_tokens: 20 }
    })
    const server = Http.createServer((request, response) => {
      request.resume()
      setTimeout(() => {
        response.writeHead(200, { "content-type": "application/json" }).end(body)
      }, state.millis)
    })
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      resume(Effect.succeed({ url: `http://127.0.0.1:${port}/v1`, state, server }))
    })
  }),
  ({ server }) =>
    Effect.sync(() => {
      server.close()
      server.closeAllConnections()
    })
)

const prometheus = (binary: string, target: string) =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "causeway-prometheus-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
    )
    writeFileSync(join(folder, "alerts.yml"), scaled(readFileSync("examples/production/prometheus/alerts.yml", "utf8")))
    writeFileSync(
      join(folder, "prometheus.yml"),
      JSON.stringify({
        global: { scrape_interval: "500ms", scrape_timeout: "500ms", evaluation_interval: "500ms" },
        rule_files: ["alerts.yml"],
        scrape_configs: [{ job_name: "causeway", static_configs: [{ targets: [target] }] }]
      })
    )
    const port = yield* freePort
    yield* Balanced.program(binary, [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=error"
    ])
    const read = async (path: string): Promise<unknown> => {
      const { status, text } = await Balanced.page(`http://127.0.0.1:${port}${path}`)
      return status === 200 ? JSON.parse(text) : undefined
    }
    return {
      /** The state of an alert for a tool; `quiet` when there is none. */
      state: async (name: string, tool: string): Promise<string> => {
        const found = await read("/api/v1/alerts") as {
          data: { alerts: ReadonlyArray<{ state: string; labels: Record<string, string> }> }
        } | undefined
        if (found === undefined) return "unknown"
        return found.data.alerts.find(({ labels }) => labels.alertname === name && labels.tool === tool)?.state ??
          "quiet"
      },
      value: async (query: string): Promise<number> => {
        const found = await read(`/api/v1/query?query=${encodeURIComponent(query)}`) as {
          data: { result: ReadonlyArray<{ value: [number, string] }> }
        } | undefined
        return Number(found?.data.result[0]?.value[1] ?? NaN)
      }
    }
  })

const tool = "answer_market_question"

const ask = (url: string, n: number): Promise<string> =>
  fetch(url, {
    method: "POST",
    headers: {
      ...{ "content-type": "application/json", accept: "application/json, text/event-stream" },
      "mcp-protocol-version": "2025-11-25"
    },
    body: JSON.stringify({
      ...{ jsonrpc: "2.0", id: n, method: "tools/call" },
      params: { name: tool, arguments: { question: `How did revenue develop in quarter ${n}?` } }
    })
  }).then((response) => response.text())

const binary = Balanced.findProgram("prometheus")

describe("the alert for slow calls", () => {
  const body = (path: string) =>
    Effect.gen(function*() {
      const model = yield* provider
      const { url } = yield* Reference.http({
        ...{ LLM_GATEWAY_URL: model.url, LLM_GATEWAY_KEY: "k", LLM_MODELS: "steady", LLM_CACHE: "off" },
        ...{ LLM_WIRE: "whole", LLM_DEADLINE: "6 seconds", LLM_ATTEMPT_TIMEOUT: "5 seconds", RATE_LIMIT: "0" }
      })
      let isOver = false
      let asked = 0
      const failed: Array<string> = []
      const work = async (): Promise<void> => {
        while (!isOver) {
          const text = await ask(url, asked++)
          if (!text.includes("\"confidence\"")) failed.push(text.slice(0, 300))
          await new Promise((resolve) => setTimeout(resolve, 100))
        }
      }
      const workers = Array.from({ length: 6 }, work)
      yield* Effect.addFinalizer(() =>
        Effect.promise(async () => {
          isOver = true
          await Promise.all(workers)
        })
      )
      const { state, value } = yield* prometheus(path, new URL(url).host)
      const p99 = () => value(`causeway:tool_call_duration_seconds:p99{tool="${tool}"}`)
      yield* Balanced.until("calls are measured, and fast", async () => await p99() < 2)
      assert.strictEqual(yield* Effect.promise(() => state("CausewayToolSlow", tool)), "quiet")

      model.state.millis = 2600
      const slowed = performance.now()
      yield* Balanced.until(
        "the alert is pending",
        async () => await state("CausewayToolSlow", tool) === "pending"
      )
      yield* Balanced.until("the alert fires", async () => await state("CausewayToolSlow", tool) === "firing")
      const firedAfter = performance.now() - slowed
      // The five minutes that it has to last are ten seconds here.
      assert.isAbove(firedAfter, 10_000)
      assert.isAbove(yield* Effect.promise(p99), 2)

      model.state.millis = 50
      const mended = performance.now()
      yield* Balanced.until("the alert is over", async () => await state("CausewayToolSlow", tool) === "quiet")
      // No longer than the window, and what was under way.
      assert.isBelow(performance.now() - mended, 15_000)
      assert.deepStrictEqual(failed, [])
    })
  if (binary !== undefined) {
    it.scopedLive("fires while a provider is slow, and is over soon after", () => body(binary), 120_000)
  } else {
    it.skipIf(process.env.REQUIRE_SERVICES !== "1")("needs prometheus on the PATH: install it", () => {
      assert.fail("prometheus is missing")
    })
  }
})
