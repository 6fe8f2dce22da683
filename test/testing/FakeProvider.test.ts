import { assert, layer } from "@effect/vitest"
import * as FakeProvider from "causeway-mcp/testing/FakeProvider"
import * as ProviderFaults from "causeway-mcp/testing/ProviderFaults"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Net from "node:net"

const server = FakeProvider.FakeProvider

/** Asks a model and gives the status and the body as text. */
const post = (path: string, model: string, more: object = {}) =>
  Effect.flatMap(server, ({ baseUrl }) =>
    Effect.promise(async (signal) => {
      const response = await fetch(`${baseUrl}/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: "Bearer sk-secret" },
        body: JSON.stringify({ model, ...more }),
        signal
      })
      return { status: response.status, text: await response.text() }
    }))

/** What comes back on a bare socket, and whether the server had closed its side. */
const raw = (model: string) =>
  Effect.flatMap(
    server,
    ({ baseUrl }) =>
      Effect.async<{ readonly text: string; readonly isClosed: boolean }>((resume) => {
        const socket = Net.connect({ port: Number(new URL(baseUrl).port), host: "127.0.0.1", allowHalfOpen: true })
        let text = ""
        const finish = (isClosed: boolean) => {
          resume(Effect.succeed({ text, isClosed }))
          socket.destroy()
        }
        socket.on("data", (bytes) => {
          text += bytes.toString("latin1")
        })
        socket.on("end", () => finish(true))
        socket.on("error", () => finish(false))
        const body = JSON.stringify({ model })
        socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
      })
  )

const eventually = (condition: Effect.Effect<boolean>) =>
  Effect.flatMap(condition, (holds) => holds ? Effect.void : Effect.fail("not yet")).pipe(
    Effect.retry(Schedule.intersect(Schedule.spaced("10 millis"), Schedule.recurs(500)))
  )

layer(FakeProvider.layer, { excludeTestServices: true })("FakeProvider", (it) => {
  it.effect("says the same thing in the words of either API, whole and streamed", () =>
    Effect.gen(function*() {
      const { script } = yield* server
      yield* script("words", FakeProvider.text("It rains.", { finishReason: "length" }))
      const chat = JSON.parse((yield* post("chat/completions", "words")).text)
      assert.deepStrictEqual(chat.choices[0], {
        index: 0,
        message: { role: "assistant", content: "It rains." },
        finish_reason: "length"
      })
      const message = JSON.parse((yield* post("messages", "words")).text)
      assert.deepStrictEqual(message.content, [{ type: "text", text: "It rains." }])
      assert.deepStrictEqual([message.stop_reason, message.model], ["max_tokens", "words"])
      const chunks = (yield* post("chat/completions", "words", { stream: true })).text
      assert.include(chunks, "\"finish_reason\":\"length\"")
      assert.isTrue(chunks.endsWith("data: [DONE]\n\n"))
      const events = (yield* post("messages", "words", { stream: true })).text
      assert.include(events, "\"stop_reason\":\"max_tokens\"")
      assert.isTrue(events.endsWith("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"))
    }))

  it.effect("answers by a tool that is forced", () =>
    Effect.gen(function*() {
      const { script } = yield* server
      yield* script("tool", FakeProvider.json({ price: 1 }))
      const forced = { tool_choice: { type: "tool", name: "give" } }
      const message = JSON.parse((yield* post("messages", "tool", forced)).text)
      assert.deepInclude(message.content[0], { type: "tool_use", name: "give", input: { price: 1 } })
      assert.strictEqual(message.stop_reason, "tool_use")
      const events = (yield* post("messages", "tool", { ...forced, stream: true })).text
      assert.include(events, "input_json_delta")
    }))

  it.effect("plays a script in order, and its last reply for ever", () =>
    Effect.gen(function*() {
      const { script } = yield* server
      yield* script("order", FakeProvider.status(500), FakeProvider.status(429), FakeProvider.text("ok"))
      const seen: Array<number> = []
      for (let time = 0; time < 5; time++) seen.push((yield* post("chat/completions", "order")).status)
      assert.deepStrictEqual(seen, [500, 429, 200, 200, 200])
    }))

  it.effect("has no model that nobody scripted, in the words of either API", () =>
    Effect.gen(function*() {
      const chat = yield* post("chat/completions", "nobody")
      assert.deepStrictEqual([chat.status, JSON.parse(chat.text).error.code], [404, "model_not_found"])
      const message = yield* post("messages", "fault/nobody")
      assert.deepStrictEqual([message.status, JSON.parse(message.text).error.type], [404, "not_found_error"])
    }))

  it.effect("keeps when and in whose words it was asked, and no key", () =>
    Effect.gen(function*() {
      const { requests, reset, script } = yield* server
      yield* reset
      yield* script("log", FakeProvider.text("ok"))
      yield* post("chat/completions", "log")
      yield* post("messages?beta=true", "log")
      const seen = yield* requests
      assert.deepStrictEqual(seen.map(({ auth, model, wire }) => [wire, model, auth]), [
        ["chat", "log", "authorization: Bearer"],
        ["messages", "log", "authorization: Bearer"]
      ])
      const [first, second] = seen
      assert.isAbove(second?.at ?? 0, first?.at ?? Infinity)
      assert.notInclude(JSON.stringify(seen), "sk-secret")
      yield* reset
      assert.deepStrictEqual(yield* requests, [])
      assert.strictEqual((yield* post("chat/completions", "log")).status, 404)
    }))

  it.effect("makes a reply of the request, and waits before one", () =>
    Effect.gen(function*() {
      const { script } = yield* server
      yield* script(
        "made",
        FakeProvider.delayed(
          60,
          FakeProvider.depending((request) => FakeProvider.text(`You said ${String(request.body?.word)}.`))
        )
      )
      const [elapsed, reply] = yield* Effect.timed(post("chat/completions", "made", { word: "rain" }))
      assert.include(reply.text, "You said rain.")
      assert.isAbove(Duration.toMillis(elapsed), 50)
    }))

  it.effect("writes bytes as they are, and closes as it is told", () =>
    Effect.gen(function*() {
      const { active, script } = yield* server
      yield* script("bare", FakeProvider.raw(["HTTP/9.9 ", Uint8Array.of(0x32, 0xff), "!"]))
      assert.deepStrictEqual(yield* raw("bare"), { text: "HTTP/9.9 2\xff!", isClosed: true })
      yield* script("half", FakeProvider.raw(["half of it"], { end: "half" }))
      assert.deepStrictEqual(yield* raw("half"), { text: "half of it", isClosed: true })
      yield* script("torn", FakeProvider.raw(["torn off"], { end: "reset" }))
      assert.isFalse((yield* raw("torn")).isClosed)
      yield* eventually(Effect.map(active, (active) => active === 0))
    }))

  it.effect("makes an endless body no faster than it is read, and stops when nobody does", () =>
    Effect.gen(function*() {
      const { aborted, active, baseUrl, script } = yield* server
      let made = 0
      yield* script(
        "endless",
        FakeProvider.stream(function*() {
          while (true) {
            made++
            yield "x".repeat(64 * 1024)
          }
        })
      )
      const before = yield* aborted
      yield* Effect.promise(async () => {
        const gone = new AbortController()
        const response = await fetch(`${baseUrl}/chat/completions`, {
          method: "POST",
          body: JSON.stringify({ model: "endless" }),
          signal: gone.signal
        })
        await response.body?.getReader().read()
        gone.abort()
      })
      yield* eventually(Effect.map(active, (active) => active === 0))
      assert.strictEqual(yield* aborted, before + 1)
      const then = made
      yield* post("chat/completions", "nobody")
      assert.strictEqual(made, then)
      assert.isBelow(made, 1000)
    }))

  it.effect("counts no request as active whose connection is gone, also behind one without an end", () =>
    Effect.gen(function*() {
      const { aborted, active, baseUrl, requests, script } = yield* server
      yield* script("held", FakeProvider.raw(["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"], { end: "hang" }))
      const held = Effect.map(requests, (all) => all.filter(({ model }) => model === "held").length)
      const before = yield* aborted
      const body = JSON.stringify({ model: "held" })
      const socket = Net.connect({ port: Number(new URL(baseUrl).port), host: "127.0.0.1" })
      socket.write(
        `POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`.repeat(2)
      )
      yield* eventually(Effect.map(held, (count) => count === 2))
      assert.strictEqual(yield* active, 2)
      socket.destroy()
      yield* eventually(Effect.map(active, (active) => active === 0))
      assert.strictEqual(yield* aborted, before + 2)
    }))

  it.effect("plays a fault for a model that is named after it, from its beginning on each wire and after a reset", () =>
    Effect.gen(function*() {
      const { reset, script } = yield* server
      const model = ProviderFaults.model("500-once")
      const statuses = (path: string) =>
        Effect.map(Effect.all([post(path, model), post(path, model)]), (replies) => replies.map(({ status }) => status))
      assert.deepStrictEqual(yield* statuses("chat/completions"), [500, 200])
      assert.deepStrictEqual(yield* statuses("messages"), [500, 200])
      assert.deepStrictEqual(yield* statuses("messages"), [200, 200])
      yield* reset
      assert.deepStrictEqual(yield* statuses("messages"), [500, 200])
      yield* script(model, FakeProvider.status(418))
      assert.deepStrictEqual(yield* statuses("messages"), [418, 418])
      assert.strictEqual((yield* post("messages", ProviderFaults.model("246"))).status, 404)
    }))

  it.effect("lists its models for clients of either API", () =>
    Effect.gen(function*() {
      const { baseUrl, script } = yield* server
      yield* script("listed", FakeProvider.text("ok"))
      const list = JSON.parse(yield* Effect.promise(async () => (await fetch(`${baseUrl}/models`)).text()))
      assert.deepInclude(list.data, { id: "listed", object: "model", type: "model", display_name: "listed" })
      assert.isFalse(list.has_more)
    }))
})
