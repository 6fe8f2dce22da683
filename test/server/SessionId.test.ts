import { assert, describe, it } from "@effect/vitest"
import * as Principal from "causeway-mcp/auth/Principal"
import * as Sealer from "causeway-mcp/auth/Sealer"
import type { Handshake } from "causeway-mcp/protocol/Dispatcher"
import * as SessionId from "causeway-mcp/server/SessionId"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"

const ada = Principal.make({ id: "ada", tenant: "one" })
const now = 1_000_000
const handshake: Handshake = {
  version: "2025-11-25",
  clientCapabilities: { elicitation: { form: {} }, roots: { listChanged: true }, experimental: { own: { a: 1 } } },
  clientInfo: { name: "client", version: "1.0.0" }
}
const day = 24 * 60 * 60 * 1000

describe("SessionId", () => {
  it.effect("gives the handshake back", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const id = SessionId.seal(sealer, handshake, ada, now)
      assert.deepStrictEqual(SessionId.open(sealer, id, ada, now), handshake)
      const silent = { ...handshake, clientInfo: undefined }
      assert.deepStrictEqual(SessionId.open(sealer, SessionId.seal(sealer, silent, ada, now), ada, now), silent)
    }))
  it.effect("keeps of the client its name and version", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const clientInfo = {
        name: "client",
        version: "1.0.0",
        title: "Client",
        icons: [{ src: "https://example.com/i" }]
      }
      const id = SessionId.seal(sealer, { ...handshake, clientInfo }, ada, now)
      assert.deepStrictEqual(SessionId.open(sealer, id, ada, now), handshake)
    }))
  it.effect("is never the same twice", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const ids = Array.from({ length: 100 }, () => SessionId.seal(sealer, handshake, ada, now))
      assert.strictEqual(new Set(ids).size, 100)
      const nonces = ids.map((id) => JSON.parse(sealer.open("sessionId", id, ["ada", "one"]) ?? "{}").nonce)
      assert.strictEqual(new Set(nonces).size, 100)
      for (const nonce of nonces) assert.strictEqual(Buffer.from(nonce, "base64url").length, 16)
    }))
  it.effect("lasts for a day", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const id = SessionId.seal(sealer, handshake, ada, now)
      assert.deepStrictEqual(SessionId.open(sealer, id, ada, now + day - 1), handshake)
      assert.isUndefined(SessionId.open(sealer, id, ada, now + day))
    }))
  it.effect("is unknown for another caller, another tenant and another server", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const id = SessionId.seal(sealer, handshake, ada, now)
      assert.isUndefined(SessionId.open(sealer, id, Principal.make({ id: "bea", tenant: "one" }), now))
      assert.isUndefined(SessionId.open(sealer, id, Principal.make({ id: "ada", tenant: "two" }), now))
      assert.isUndefined(SessionId.open(sealer, id, Principal.make({ id: "adao", tenant: "ne" }), now))
      assert.isUndefined(SessionId.open(yield* Sealer.random, id, ada, now))
    }))
  it.effect("is unknown when it is anything but a whole id", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const id = SessionId.seal(sealer, handshake, ada, now)
      const expires = now + 1
      const sealed = [
        "",
        "[]",
        "{",
        JSON.stringify({ version: "2025-11-25", capabilities: {} }),
        JSON.stringify({ expires, version: 1, capabilities: {} }),
        JSON.stringify({ expires, version: "2025-11-25", capabilities: null })
      ].map((text) => sealer.seal("sessionId", text, ["ada", "one"]))
      const other = sealer.seal("requestState", sealer.open("sessionId", id, ["ada", "one"]) ?? "", ["ada", "one"])
      for (const text of ["", id.slice(0, -1), `${id}A`, id.toLowerCase(), other, ...sealed]) {
        assert.isUndefined(SessionId.open(sealer, text, ada, now))
      }
    }))
  it.effect("cuts large capabilities down to those that can be asked for", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const large = "x".repeat(5000)
      const opened = (clientCapabilities: Handshake["clientCapabilities"]) =>
        SessionId.open(sealer, SessionId.seal(sealer, { ...handshake, clientCapabilities }, ada, now), ada, now)
          ?.clientCapabilities
      assert.deepStrictEqual(
        opened({
          elicitation: { url: { large }, other: {} },
          sampling: { tools: {}, context: { large } },
          roots: { large },
          experimental: { own: { large } }
        }),
        { elicitation: { url: {} }, sampling: { tools: {}, context: {} }, roots: {} }
      )
      assert.deepStrictEqual(opened({ elicitation: {}, sampling: true, large }), { elicitation: {} })
    }))
  it.effect("is visible ASCII of less than 8 KiB, whatever the client says", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const idOf = (fill: string, name: string) => {
        const clientInfo = { name, version: name }
        return SessionId.seal(sealer, { ...handshake, clientCapabilities: { roots: { fill } }, clientInfo }, ada, now)
      }
      const isFit = (id: string) =>
        /^[\x21-\x7e]+$/u.test(id) && id.length < 8192 && SessionId.open(sealer, id, ada, now) !== undefined
      const overhead = JSON.stringify({ roots: { fill: "" } }).length
      // The longest there is: capabilities just small enough, and a name of nothing but escapes.
      const most = idOf("x".repeat(4096 - overhead), "\u0001".repeat(500))
      assert.isTrue(isFit(most) && most.length > 7000)
      assert.isTrue(isFit(idOf("x".repeat(4097 - overhead), "\ud83d".repeat(500))))
      FastCheck.assert(
        FastCheck.property(
          FastCheck.string({ unit: "binary", maxLength: 3000 }),
          FastCheck.string({ unit: "binary", maxLength: 200 }),
          (fill, name) => isFit(idOf(fill, name))
        ),
        { numRuns: 50 }
      )
    }))
})
