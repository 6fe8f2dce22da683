import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { layer as wire, Wire } from "./Fixture.js"
import type { Json } from "./Words.js"
import {
  at,
  call,
  cancelled,
  claim,
  codeOf,
  echo,
  handshakes,
  initialize,
  isError,
  isOld,
  itemsAt,
  Key,
  listen,
  messageOf,
  meta,
  modern,
  notice,
  oldCall,
  plain,
  textOf,
  until
} from "./Words.js"

const open = (version?: string) =>
  Effect.gen(function*() {
    const { pipe } = yield* Wire
    const opened = yield* pipe()
    if (version !== undefined) yield* opened.handshake(version)
    return opened
  })

const settled = [undefined, ...handshakes]

interface Refusal {
  readonly row: number
  readonly what: string
  readonly line: unknown
  readonly code: number
  readonly id?: unknown
}

const claiming = (more: Json) => plain("tools/list", { _meta: meta(more) }, 6)

/** Refused whatever the connection has settled before. */
const refusals: ReadonlyArray<Refusal> = [
  ...["{", "nonsense", "{\"jsonrpc\":\"2.0\"", "undefined", "NaN", "'x'"].map((text) => ({
    row: 1,
    what: text,
    line: `${text}\n`,
    code: -32700
  })),
  { row: 4, what: "a version that is a number", line: claiming({ [Key.version]: 1 }), code: -32602, id: 6 },
  { row: 4, what: "no capabilities", line: claiming({ [Key.capabilities]: undefined }), code: -32602, id: 6 },
  {
    row: 4,
    what: "a claim of a handshake version",
    line: claiming({ [Key.version]: "2025-11-25" }),
    code: -32022,
    id: 6
  },
  { row: 4, what: "a claim nobody knows", line: claiming({ [Key.version]: "2030-01-01" }), code: -32022, id: 6 },
  ...["initialize", "ping", "logging/setLevel", "no/such"].map((method) => ({
    row: 4,
    what: `${method} with a claim`,
    line: claim(
      method,
      { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "1" } },
      "x"
    ),
    code: -32601,
    id: "x"
  })),
  { row: 0, what: "an id of null", line: plain("ping", {}, null), code: -32600 },
  { row: 0, what: "no method", line: { jsonrpc: "2.0", id: 4 }, code: -32600, id: 4 },
  { row: 0, what: "a string", line: "\"ping\"\n", code: -32600 },
  { row: 0, what: "null", line: "null\n", code: -32600 }
]

/** Lines that nobody answers. */
const unanswered: ReadonlyArray<readonly [row: number, what: string, line: unknown]> = [
  [3, "a result nobody asked for", { jsonrpc: "2.0", id: "srv-1", result: {} }],
  [3, "an error under an id of a request", { jsonrpc: "2.0", id: 1, error: { code: 1, message: "m" } }],
  [3, "an error without an id", { jsonrpc: "2.0", error: { code: 1, message: "m" } }],
  ...[1, "1", null, {}, 1.5, undefined].map((id) =>
    [8, `a cancel of ${JSON.stringify(id)}, which is nobody's`, cancelled(id)] as const
  ),
  [8, "a cancel without params", notice("notifications/cancelled")],
  [9, "initialized", notice("notifications/initialized")],
  [9, "roots changed", notice("notifications/roots/list_changed")],
  [9, "an unknown notification", notice("notifications/none/such", { a: 1 })],
  [9, "a method that is none of the notifications, without an id", notice("tools/call", { name: "never" })],
  [9, "a blank line", "   \n\r\n\n"]
]

layer(wire(), { excludeTestServices: true })("§15.2, the table for pipes", (it) => {
  for (const { code, id, line, row, what } of refusals) {
    it.scoped(`§15.2 row ${row}: ${what}`, () =>
      Effect.forEach(settled, (version) =>
        Effect.scoped(Effect.gen(function*() {
          const pipe = yield* open(version)
          const before = pipe.received.length
          pipe.say(line)
          yield* pipe.until(before + 1)
          isError(pipe.received.at(-1), code, id)
          assert.strictEqual(textOf(yield* pipe.ask(echo("on", "next"))), "on")
          assert.lengthOf(pipe.received, before + 2)
        }))))
  }

  for (const [row, what, line] of unanswered) {
    it.scoped(`§15.2 row ${row}: ${what}`, () =>
      Effect.forEach(settled, (version) =>
        Effect.scoped(Effect.gen(function*() {
          const pipe = yield* open(version)
          const before = pipe.received.length
          pipe.say(line)
          assert.strictEqual(textOf(yield* pipe.ask(echo("on", "next"))), "on")
          assert.lengthOf(pipe.received, before + 1)
          assert.strictEqual((yield* Wire).ledger.count("never begun"), 0)
        }))))
  }

  it.scoped("§15.2 row 2: an array is a batch under 2025-03-26 alone", () =>
    Effect.gen(function*() {
      for (const version of settled) {
        const pipe = yield* open(version)
        const before = pipe.received.length
        pipe.say([plain("ping", {}, 1), notice("x"), oldCall("echo", { text: "b" }, {}, 2)])
        yield* pipe.until(before + 1)
        const answer = pipe.received.at(-1)
        if (version !== "2025-03-26") {
          isError(answer, -32600)
          continue
        }
        assert.deepStrictEqual([at(answer, 0, "id"), textOf(at(answer, 1))], [1, "b"])
        assert.lengthOf(itemsAt(answer), 2)
        isOld(answer)
      }
    }))

  it.scoped("§15.2 row 4: serves a claim before, between and after handshakes, and remembers nothing of it", () =>
    Effect.gen(function*() {
      const pipe = yield* open()
      assert.strictEqual(at(yield* pipe.ask(claim("server/discover", {}, 1)), "result", "resultType"), "complete")
      isError(yield* pipe.ask(plain("tools/list", {}, 2)), -32602, 2)
      yield* pipe.handshake("2025-06-18")
      isOld(yield* pipe.ask(plain("tools/list", {}, 3)))
      const after = yield* pipe.ask(claim("tools/list", {}, 4))
      assert.strictEqual(at(after, "result", "resultType"), "complete")
      assert.isNumber(at(after, "result", "ttlMs"))
    }))

  for (const version of handshakes) {
    it.scoped(`§15.2 row 5: a second initialize is refused and changes nothing, under ${version}`, () =>
      Effect.gen(function*() {
        const pipe = yield* open(version)
        isError(yield* pipe.ask(initialize("2025-03-26", {}, "again")), -32600, "again")
        isError(yield* pipe.ask(initialize(version, {}, 0)), -32600, 0)
        const before = pipe.received.length
        pipe.say([plain("ping", {}, 1)])
        yield* pipe.until(before + 1)
        assert.strictEqual(Array.isArray(pipe.received.at(-1)), version === "2025-03-26")
      }))

    it.scoped(`§15.2 row 6: any other request is served as ${version}, once that is settled`, () =>
      Effect.gen(function*() {
        const pipe = yield* open(version)
        const list = yield* pipe.ask(plain("tools/list", { _meta: { progressToken: 1, [Key.capabilities]: {} } }, 1))
        assert.isNotEmpty(itemsAt(list, "result", "tools"))
        isOld(list)
        isError(yield* pipe.ask(plain("server/discover", {}, 2)), -32601, 2)
        isError(yield* pipe.ask(plain("subscriptions/listen", { notifications: {} }, 3)), -32601, 3)
      }))
  }

  it.scoped("§15.2 row 5: an initialize that is refused settles nothing, and the next may", () =>
    Effect.gen(function*() {
      const pipe = yield* open()
      isError(yield* pipe.ask(plain("initialize", { protocolVersion: "2025-11-25" }, 1)), -32602, 1)
      isError(yield* pipe.ask(plain("tools/list", {}, 2)), -32602, 2)
      yield* pipe.handshake("2025-11-25")
      assert.isDefined(at(yield* pipe.ask(plain("tools/list", {}, 3)), "result"))
    }))

  it.scoped("§15.2 row 7: before a handshake ping is answered, and anything else names what it lacks", () =>
    Effect.gen(function*() {
      const pipe = yield* open()
      assert.deepStrictEqual(at(yield* pipe.ask(plain("ping", {}, 0)), "result"), {})
      for (const method of ["tools/list", "tools/call", "server/discover", "logging/setLevel", "none/such"]) {
        const answer = yield* pipe.ask(plain(method, { name: "never" }, method))
        isError(answer, -32602, method)
        assert.include(messageOf(answer), Key.version)
        assert.include(messageOf(answer), "initialize")
      }
    }))

  it.scoped("§15.2 row 8: cancels listens, modern calls and older calls alike", () =>
    Effect.gen(function*() {
      const { ledger } = yield* Wire
      const pipe = yield* open("2025-11-25")
      pipe.say(listen({ toolsListChanged: true }, "l"), call("never", {}, {}, "m"), oldCall("never", {}, {}, "o"))
      yield* until(() => ledger.count("never begun") === 2)
      const before = ledger.count("never interrupted")
      pipe.say(cancelled("l"), cancelled("m"), cancelled("o"))
      yield* until(() => ledger.count("never interrupted") === before + 2)
      yield* pipe.ask(plain("ping", {}, "barrier"))
      for (const id of ["l", "m", "o"]) assert.deepStrictEqual(pipe.answers(id), [])
    }))
})

layer(wire(), { excludeTestServices: true })("§15.2, how clients begin", (it) => {
  it.scoped("§15.2: discover, then initialize", () =>
    Effect.gen(function*() {
      const pipe = yield* open()
      assert.deepStrictEqual(at(yield* pipe.ask(claim("server/discover")), "result", "supportedVersions"), [modern])
      const opening = yield* pipe.handshake("2025-11-25")
      assert.strictEqual(at(opening, "result", "protocolVersion"), "2025-11-25")
      assert.strictEqual(textOf(yield* pipe.ask(oldCall("echo", { text: "old" }, {}, 2))), "old")
    }))

  it.scoped("§15.2: initialize and more, pipelined behind discover in one chunk", () =>
    Effect.gen(function*() {
      const pipe = yield* open()
      pipe.say(
        claim("server/discover", {}, "d"),
        initialize("2025-06-18", {}, "i"),
        notice("notifications/initialized"),
        oldCall("echo", { text: "old" }, {}, "o"),
        echo("new", "n")
      )
      yield* pipe.until(4)
      assert.strictEqual(at(pipe.answers("d")[0], "result", "resultType"), "complete")
      assert.strictEqual(at(pipe.answers("i")[0], "result", "protocolVersion"), "2025-06-18")
      assert.deepStrictEqual([textOf(pipe.answers("o")[0]), textOf(pipe.answers("n")[0])], ["old", "new"])
      isOld(pipe.answers("o")[0])
      assert.strictEqual(at(pipe.answers("n")[0], "result", "resultType"), "complete")
    }))

  it.scoped("§15.2: several discovers, before and after a handshake, answer the same", () =>
    Effect.gen(function*() {
      const pipe = yield* open()
      const found = []
      for (const id of [1, 2]) found.push(at(yield* pipe.ask(claim("server/discover", {}, id)), "result"))
      yield* pipe.handshake("2025-03-26")
      found.push(at(yield* pipe.ask(claim("server/discover", {}, 3)), "result"))
      assert.deepStrictEqual(found[1], found[0])
      assert.deepStrictEqual(found[2], found[0])
    }))

  it.scoped("§15.2: a modern client that never initializes", () =>
    Effect.gen(function*() {
      const pipe = yield* open()
      assert.strictEqual(textOf(yield* pipe.ask(echo("one", 1))), "one")
      assert.strictEqual(textOf(yield* pipe.ask(echo("two", 2))), "two")
    }))

  it.scoped("§15.4: a probe with a version of tomorrow hears what is served, and goes on with it", () =>
    Effect.gen(function*() {
      const pipe = yield* open()
      const probe = yield* pipe.ask(plain("server/discover", { _meta: meta({ [Key.version]: "2027-01-01" }) }, 1))
      assert.strictEqual(codeOf(probe), -32022)
      assert.deepStrictEqual(at(probe, "error", "data"), { supported: [modern], requested: "2027-01-01" })
      assert.isDefined(at(yield* pipe.ask(claim("server/discover", {}, 2)), "result"))
    }))

  it.scoped("§9: takes lines that end in CRLF, come byte by byte, and cut through a character", () =>
    Effect.gen(function*() {
      const pipe = yield* open()
      const line = Buffer.from(`${JSON.stringify(echo("grüße 😀", 1))}\r\n`)
      for (const byte of line) pipe.say(Buffer.from([byte]))
      yield* pipe.until(1)
      assert.strictEqual(textOf(pipe.received[0]), "grüße 😀")
    }))

  it.scoped("§9: serves two peers apart: a handshake of one settles nothing for the other", () =>
    Effect.gen(function*() {
      const one = yield* open("2025-11-25")
      const other = yield* open()
      assert.isDefined(at(yield* one.ask(plain("tools/list", {}, 1)), "result"))
      isError(yield* other.ask(plain("tools/list", {}, 1)), -32602, 1)
    }))
})
