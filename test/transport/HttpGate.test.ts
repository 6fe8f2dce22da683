import { assert, describe, it } from "@effect/vitest"
import * as HttpGate from "causeway-mcp/transport/internal/HttpGate"

describe("HttpGate", () => {
  const accepts: ReadonlyArray<readonly [string | undefined, HttpGate.Accepted]> = [
    [undefined, "json"],
    ["*/*", "json"],
    ["application/json", "json"],
    ["application/json, text/event-stream", "either"],
    ["TEXT/EVENT-STREAM;q=0.9,application/*", "either"],
    ["application/json, text/event-stream;q=0", "json"],
    ["text/event-stream", "stream"],
    ["application/json;q=0.0, text/event-stream", "stream"],
    ["text/html", "neither"],
    ["application/jsonp", "neither"]
  ]
  for (const [accept, expected] of accepts) {
    it(`reads ${accept ?? "no Accept header"} as ${expected}`, () => {
      assert.strictEqual(HttpGate.accepted(accept), expected)
    })
  }

  for (const host of ["localhost", "127.0.0.1", "127.255.0.1", "::1"]) {
    it(`takes ${host} for an address of this machine alone`, () => {
      assert.isTrue(HttpGate.isLoopback(host))
    })
  }
  for (
    const host of [
      "0.0.0.0",
      "::",
      "localhost.example.com",
      "127.0.0.1.example.com",
      "10.0.0.1",
      "",
      "::ffff:127.0.0.1"
    ]
  ) {
    it(`takes ${JSON.stringify(host)} for an address that others may reach`, () => {
      assert.isFalse(HttpGate.isLoopback(host))
    })
  }
})
