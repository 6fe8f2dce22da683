import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, layer } from "@effect/vitest"
import * as Capabilities from "causeway-mcp/provider/Capabilities"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"
import { connect, failure, key, question } from "./providerModel.js"
import * as RawProvider from "./rawProvider.js"

/** Every way an exit may come to be read. */
const renderings = (exit: Exit.Exit<unknown, unknown>): ReadonlyArray<string> => {
  if (!Exit.isFailure(exit)) return []
  const error = Cause.squash(exit.cause)
  return [
    Cause.pretty(exit.cause, { renderErrorCause: true }),
    String(error),
    JSON.stringify(error),
    JSON.stringify(exit),
    inspect(exit, { depth: 12, showHidden: true })
  ]
}

const environment = Layer.merge(FakeProvider.layer, NodeHttpClient.layerUndici)

layer(environment, { excludeTestServices: true })("OpenAiCompatible", (it) => {
  describe("the key", () => {
    it.effect("is in no rendering of any failure, and in no span", () =>
      Effect.gen(function*() {
        const spans: Array<string> = []
        const tracer = Tracer.make({
          span: (name, parent, context, links, startTime, kind) => {
            const attributes = new Map<string, unknown>()
            const span: Tracer.Span = {
              _tag: "Span",
              name,
              spanId: "0000000000000001",
              traceId: "00000000000000000000000000000001",
              parent,
              context,
              status: { _tag: "Started", startTime },
              attributes,
              links: [...links],
              sampled: true,
              kind,
              end: () => {
                spans.push(inspect([name, ...attributes], { depth: 5 }))
              },
              attribute: (name, value) => {
                attributes.set(name, value)
              },
              event: () => undefined,
              addLinks: () => undefined
            }
            return span
          },
          context: (run) => run()
        })
        const replies = [
          FakeProvider.status(401, { error: { message: `bad key ${key}`, code: key, type: key, param: key } }),
          FakeProvider.status(500, `key ${key}`),
          FakeProvider.status(200, `key ${key}`),
          FakeProvider.reset(),
          FakeProvider.reset("half"),
          FakeProvider.hang()
        ]
        for (const reply of replies) {
          for (const capabilities of [Capabilities.table.generic, Capabilities.table.portkey]) {
            const { model } = yield* connect([reply], {
              timeout: "100 millis",
              firstTextTimeout: "100 millis",
              capabilities,
              headers: { "x-upstream": Redacted.make(key) }
            })
            const whole = model.generateText(question)
            const pieces = Stream.runDrain(model.streamText(question))
            for (const asked of [whole, pieces]) {
              const exit = yield* Effect.exit(Effect.withTracer(asked, tracer))
              assert.isTrue(Exit.isFailure(exit))
              for (const rendering of renderings(exit)) assert.notInclude(rendering, key)
            }
          }
        }
        assert.isAbove(spans.length, 20)
        assert.isTrue(spans.some((span) => span.includes("OpenAiCompatible.generateText")))
        for (const span of spans) assert.notInclude(span, key)
      }))

    it.effect("is in no error of what is no HTTP, though the provider sent it back", () =>
      Effect.scoped(Effect.gen(function*() {
        const echoes: ReadonlyArray<string> = [
          `${key} ${key}\r\n\r\n`,
          `HTTP/1.1 200 OK\r\n${key}: \0${key}\r\n\r\n`,
          `HTTP/1.1 200 OK\r\nx: ${key.repeat(4000)}\r\n\r\n`,
          `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${key}`,
          `HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{"error":{"message":"${key}"`,
          `HTTP/1.1 ${key}\r\n\r\n`
        ]
        for (const client of [NodeHttpClient.layerUndici, NodeHttpClient.layer, FetchHttpClient.layer]) {
          for (const echo of echoes) {
            const server = yield* RawProvider.make((socket) => socket.end(echo))
            const { model } = yield* connect([], { baseUrl: server.baseUrl, timeout: "2 seconds" })
            for (const asked of [model.generateText(question), Stream.runDrain(model.streamText(question))]) {
              const exit = yield* Effect.exit(Effect.provide(asked, client))
              assert.isTrue(Exit.isFailure(exit))
              for (const rendering of renderings(exit)) assert.notInclude(rendering, key)
            }
          }
        }
      })))

    it.effect("is not sent on to where a redirect leads, by no HTTP client", () =>
      Effect.scoped(Effect.gen(function*() {
        const elsewhere = yield* FakeProvider.make
        for (const client of [NodeHttpClient.layerUndici, NodeHttpClient.layer, FetchHttpClient.layer]) {
          for (const code of [301, 302, 307, 308]) {
            const error = yield* failure(
              FakeProvider.status(code, undefined, { location: `${elsewhere.baseUrl}/chat/completions` })
            ).pipe(Effect.provide(client))
            assert.strictEqual(error.reason, "ModelUnavailable")
          }
        }
        assert.deepStrictEqual(yield* elsewhere.requests, [])
      })))
  })
})
