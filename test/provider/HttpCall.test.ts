import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import * as HttpCall from "causeway-mcp/provider/internal/HttpCall"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

const endpoint: HttpCall.Endpoint = {
  provider: "acme",
  baseUrl: "https://acme.example/v1",
  apiKey: Redacted.make("sk-test"),
  auth: { header: "authorization", scheme: "Bearer" },
  headers: {}
}

/** What arrives of a body that is sent. */
const sent = (body: unknown) =>
  Effect.gen(function*() {
    let arrived = ""
    const client = HttpClient.make((request) =>
      Effect.sync(() => {
        if (request.body._tag === "Uint8Array") arrived = new TextDecoder().decode(request.body.body)
        return HttpClientResponse.fromWeb(request, new Response("{}"))
      })
    )
    const call = yield* Effect.provideService(HttpCall.make(endpoint), HttpClient.HttpClient, client)
    yield* call.exchange("POST", "/chat/completions", JSON.stringify(body), undefined)
    return arrived
  })

describe("HttpCall.exchange", () => {
  it.effect("sends no half of a character, which providers refuse, and all else as it is", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* sent({ text: "a\ud83d b\udc00\ud800" }), "{\"text\":\"a\ufffd b\ufffd\ufffd\"}")
      const whole = { text: "\u{1f600} \\ud83d \\\\ud83d \n", "\u{1f600}": "C:\\udder" }
      assert.strictEqual(yield* sent(whole), JSON.stringify(whole))
      assert.strictEqual(yield* sent({ text: "\\\ud83d" }), "{\"text\":\"\\\\\ufffd\"}")
    }))
})
