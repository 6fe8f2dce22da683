import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, describe, layer } from "@effect/vitest"
import * as Authenticator from "causeway-mcp/auth/Authenticator"
import * as Principal from "causeway-mcp/auth/Principal"
import type * as Llm from "causeway-mcp/llm/Llm"
import * as Annotate from "causeway-mcp/middleware/Annotate"
import * as Measure from "causeway-mcp/middleware/Measure"
import * as Observer from "causeway-mcp/middleware/Observer"
import * as Trace from "causeway-mcp/middleware/Trace"
import * as McpServer from "causeway-mcp/server/McpServer"
import * as OtelTelemetry from "causeway-mcp/telemetry/OtelTelemetry"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Evidence from "causeway-mcp/tool/Evidence"
import * as Tool from "causeway-mcp/tool/Tool"
import { ToolError } from "causeway-mcp/tool/ToolError"
import * as Toolkit from "causeway-mcp/toolkit/Toolkit"
import * as HttpTransport from "causeway-mcp/transport/HttpTransport"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { choice, connect, question } from "./providerModel.js"

interface Received {
  readonly path: string
  readonly key: string | undefined
  readonly body: string
}

/** A collector on a socket, which may do nothing with what it gets. */
const collector = (isDeaf = false) =>
  Effect.acquireRelease(
    Effect.async<{ readonly url: string; readonly received: Array<Received>; readonly close: () => void }>((resume) => {
      const received: Array<Received> = []
      const server = createServer((request, response) => {
        if (isDeaf) return
        let body = ""
        request.on("data", (chunk) => (body += String(chunk)))
        request.on("end", () => {
          received.push({ path: String(request.url), key: String(request.headers["x-key"]), body })
          response.writeHead(200, { "content-type": "application/json" }).end("{}")
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const close = () => {
          server.close()
          server.closeAllConnections()
        }
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, received, close }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

const toolkit = (
  model: Llm.Model | { readonly generateText: (_: typeof question) => Effect.Effect<unknown, unknown> }
) =>
  Toolkit.make(
    Tool.make("words_of_model", {
      description: "Asks a model and gives its words",
      parameters: { about: Schema.String },
      success: Schema.Struct({ said: Schema.String }),
      safety: "readOnly"
    }).implement(({ about }) =>
      about.startsWith("fail")
        ? Effect.fail(new ToolError({ code: "not_found", message: `nothing about ${about}` }))
        : Effect.orDie(model.generateText(question)).pipe(
          Effect.zipRight(Effect.logInfo("the model answered")),
          Effect.zipRight(Evidence.computed("model", { said: "words" }))
        )
    )
  )

const who = Authenticator.make(() => Effect.succeed(Principal.make({ id: "ada", tenant: "heronry", scopes: ["*"] })))

const traceId = "0af7651916cd43dd8448eb211c80319c"
const traceparent = `00-${traceId}-b7ad6b7169203331-01`

/** Serves, calls by this function, and ends: then everything was sent, or given up. */
const session = (
  url: string,
  run: (call: (about: string) => Effect.Effect<number>) => Effect.Effect<unknown>,
  options: Partial<OtelTelemetry.Options> = {}
) =>
  Effect.gen(function*() {
    const { model, requests } = yield* connect([FakeProvider.status(200, choice({ content: "x" }))])
    const scope = yield* Scope.make()
    const telemetry = OtelTelemetry.layer({
      ...{ url, serviceName: "market", encoding: "json", headers: { "x-key": Redacted.make("k-1") } },
      ...options
    })
    const server = McpServer.layerTools(toolkit(model), { name: "traced", version: "0.0.0" }).pipe(
      Layer.provide(Observer.layer(Measure.observer, Trace.observer, Annotate.observer))
    )
    const http = Layer.scopedDiscard(Effect.gen(function*() {
      const address = yield* HttpTransport.make({ port: 0 })
      yield* run((about) =>
        Effect.promise(async () => {
          const response = await fetch(address.url, {
            method: "POST",
            headers: {
              ...{ "content-type": "application/json", accept: "application/json, text/event-stream" },
              ...{ "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "words_of_model" },
              ...{ authorization: "Bearer canary-token", traceparent, tracestate: "k=canary-state" }
            },
            body: JSON.stringify({
              ...{ jsonrpc: "2.0", id: 5, method: "tools/call" },
              params: {
                name: "words_of_model",
                arguments: { about },
                _meta: {
                  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                  "io.modelcontextprotocol/clientInfo": { name: "test", version: "0.0.0" },
                  "io.modelcontextprotocol/clientCapabilities": {}
                }
              }
            })
          })
          await response.text()
          return response.status
        })
      )
    }))
    const all = http.pipe(
      Layer.provide(server),
      Layer.provide(Layer.succeed(Authenticator.Authenticator, who)),
      Layer.provide(telemetry),
      Layer.provide(Logger.remove(Logger.defaultLogger))
    )
    yield* Layer.buildWithScope(all, scope)
    const began = performance.now()
    yield* Scope.close(scope, Exit.void)
    return { requests: yield* requests, endedWithin: performance.now() - began }
  })

const ofPath = (received: ReadonlyArray<Received>, path: string): string =>
  received.filter((one) => one.path === path).map(({ body }) => body).join("\n")

layer(Layer.merge(FakeProvider.layer, NodeHttpClient.layerUndici), { excludeTestServices: true })(
  "OtelTelemetry",
  (it) => {
    describe("over a socket", () => {
      it.scoped("sends the trace that a client began, on to the collector and to the provider, and no secret", () =>
        Effect.gen(function*() {
          const { received, url } = yield* collector()
          const { requests } = yield* session(url, (call) =>
            Effect.gen(function*() {
              assert.strictEqual(yield* call("canary-argument"), 200)
              assert.strictEqual(yield* call("fail canary-argument"), 200)
            }))
          const spans: ReadonlyArray<{ readonly [member: string]: unknown }> = received
            .filter(({ path }) => path === "/v1/traces")
            .flatMap(({ body }) => JSON.parse(body).resourceSpans[0].scopeSpans[0].spans)
          const calls = spans.filter(({ name }) => name === "tools/call words_of_model")
          assert.lengthOf(calls, 2)
          for (const call of calls) assert.deepInclude(call, { traceId, parentSpanId: "b7ad6b7169203331", kind: 2 })
          const asked = spans.find(({ parentSpanId }) => parentSpanId === calls[0]?.spanId)
          assert.strictEqual(asked?.traceId, traceId)
          const sent = requests[0]?.headers
          assert.match(String(sent?.traceparent), new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`, "u"))
          assert.notInclude(JSON.stringify(requests), "canary")
          assert.include(ofPath(received, "/v1/metrics"), "causeway_tool_calls_total")
          assert.include(ofPath(received, "/v1/logs"), "the model answered")
          assert.include(ofPath(received, "/v1/logs"), traceId)
          assert.isTrue(received.every(({ key }) => key === "k-1"))
          assert.notInclude(received.map(({ body }) => body).join(), "canary")
        }))

      it.scoped("writes protobuf unless told otherwise", () =>
        Effect.gen(function*() {
          const { received, url } = yield* collector()
          yield* session(url, (call) => call("x"), { encoding: "protobuf", signals: ["traces"] })
          assert.deepStrictEqual(received.map(({ path }) => path), ["/v1/traces"])
          assert.include(received[0]?.body, "tools/call words_of_model")
        }))

      it.scoped("costs calls nothing when nobody listens, and ends soon", () =>
        Effect.gen(function*() {
          const { close, url } = yield* collector()
          close()
          const times: Array<number> = []
          const { endedWithin } = yield* session(url, (call) =>
            Effect.repeatN(
              Effect.suspend(() => {
                const began = performance.now()
                return Effect.map(call("fail"), () => void times.push(performance.now() - began))
              }),
              50
            ), { exportInterval: "10 millis" })
          assert.isBelow(times.sort((a, b) => a - b)[25] ?? Infinity, 250)
          assert.isBelow(endedWithin, 8000)
        }))

      it.scoped("holds little of a collector that never stops to answer", () =>
        Effect.gen(function*() {
          let sent = 0
          const { port } = yield* Effect.acquireRelease(
            Effect.async<{ readonly port: number; readonly close: () => void }>((resume) => {
              const piece = Buffer.alloc(64 * 1024, "x")
              const server = createServer((request, response) => {
                request.resume()
                response.writeHead(200, { "content-type": "application/json" })
                const more = (): void => {
                  while (!response.destroyed && response.write(piece)) sent += piece.length
                  if (!response.destroyed) response.once("drain", more)
                }
                more()
              })
              server.listen(0, "127.0.0.1", () => {
                const close = () => {
                  server.close()
                  server.closeAllConnections()
                }
                resume(Effect.succeed({ port: (server.address() as AddressInfo).port, close }))
              })
            }),
            ({ close }) => Effect.sync(close)
          )
          const { endedWithin } = yield* session(`http://127.0.0.1:${port}`, (call) => call("fail"))
          assert.isBelow(endedWithin, 4000)
          // Three signals, each with what two sockets hold.
          assert.isBelow(sent, 100 * 1024 * 1024)
        }))

      it.scoped("gives up a collector that never answers when it ends", () =>
        Effect.gen(function*() {
          const { url } = yield* collector(true)
          const { endedWithin } = yield* session(url, (call) => call("fail"), { shutdownTimeout: "300 millis" })
          assert.isBelow(endedWithin, 4000)
        }))
    })
  }
)
