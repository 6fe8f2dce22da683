import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as JsonBounds from "causeway-mcp/protocol/JsonBounds"
import type { McpServer } from "causeway-mcp/server/McpServer"
import type { Posted } from "causeway-mcp/server/Posted"
import * as TransportLaws from "causeway-mcp/testing/TransportLaws"
import * as HttpCalls from "causeway-mcp/transport/internal/HttpCalls"
import type * as HttpOutput from "causeway-mcp/transport/internal/HttpOutput"
import * as Effect from "effect/Effect"
import * as FixtureServer from "./FixtureServer.js"

const ignore = (): void => {}

/** A peer that has gone before its answer can wait. */
const gone: HttpOutput.Output<string> = {
  reply: ignore,
  open: ignore,
  flush: ignore,
  isBehind: () => false,
  write: ignore,
  remind: ignore,
  end: ignore,
  wait: (_target, onLost) => onLost(),
  settle: ignore,
  run: (_target, reply) => Effect.runFork(reply),
  peer: () => undefined
}

const calls = (post: (typeof McpServer.Service)["post"]) =>
  HttpCalls.make<string>({
    server: { ...FixtureServer.make(TransportLaws.makeProbe()), post },
    output: gone,
    refusals: { note: ignore, close: ignore },
    run: ignore,
    maxStreams: 1,
    maxInFlight: 1,
    bounds: JsonBounds.defaults
  })

const listen = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "subscriptions/listen", params: {} })

describe("HttpCalls", () => {
  it("keeps no place for a subscriber that has gone while its stream began", () => {
    let closed = 0
    const { answer, streams } = calls((_message, _headers, { notify }): Posted => {
      notify(`{"method":"acknowledged"}`)
      return {
        reply: Effect.never,
        cancelledByDisconnect: true,
        tells: [],
        end: ignore,
        held: {
          hold: ignore,
          last: () => "{}",
          end: ignore,
          close: () => {
            closed += 1
          }
        }
      }
    })
    answer("target", listen, () => undefined, "either", [], Principal.local)
    assert.strictEqual(closed, 1)
    assert.isUndefined(streams.full())
  })

  it("keeps no place for a caller that has gone while its call began", () => {
    const { answer, isBusy } = calls(() => ({ reply: Effect.never, cancelledByDisconnect: true, tells: [] }))
    for (let time = 0; time < 3; time++) {
      answer(
        "target",
        JSON.stringify({ jsonrpc: "2.0", id: 1, method: "x" }),
        () => undefined,
        "json",
        [],
        Principal.local
      )
    }
    return Effect.runPromise(
      Effect.yieldNow().pipe(
        Effect.repeat({ until: () => !isBusy(), times: 100 }),
        Effect.map(() => assert.isFalse(isBusy()))
      )
    )
  })
})
