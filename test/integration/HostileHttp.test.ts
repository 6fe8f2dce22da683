import { assert, describe, it, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Cases from "./hostileCases.js"
import * as HostileHttp from "./hostileHttp.js"
import * as RawHttp from "./RawHttp.js"

class Server extends Context.Tag("test/Hostile")<Server, HostileHttp.Hostile>() {}

const groups: ReadonlyArray<readonly [string, ReadonlyArray<Cases.Case>]> = [
  ["where a message begins and ends", Cases.framing],
  ["the first line and what a client wishes", Cases.lines],
  ["what the body is", Cases.content],
  ["who asks", Cases.hosts]
]

layer(Layer.scoped(Server, HostileHttp.start), { excludeTestServices: true, timeout: "30 seconds" })(
  "HttpTransport under hostile input",
  (it) => {
    for (const [about, cases] of groups) {
      for (const [what, bytes, statuses, code] of cases) {
        it.effect(`answers ${statuses.join(" and ") || "nothing"} to ${what} (${about}), and serves on`, () =>
          Effect.gen(function*() {
            const { isServing, send } = yield* Server
            for (const which of ["modern", "older"] as const) {
              const received = HostileHttp.answers(yield* send(bytes(which)))
              assert.deepStrictEqual(received.map(({ status }) => status), statuses, JSON.stringify(received))
              assert.strictEqual(received.at(-1)?.code, code)
              assert.notInclude(received.map(({ text }) => text).join(), "evil")
            }
            yield* isServing
          }))
      }
    }
    it.effect("answers a client that says at once that it has nothing more to say", () =>
      Effect.gen(function*() {
        const { port } = yield* Server
        const raw = yield* RawHttp.open(port)
        raw.socket.end(HostileHttp.request("older"))
        assert.include(yield* raw.closed, "hello of")
      }).pipe(Effect.scoped))
  }
)

/** Opens so many connections that send these bytes and then nothing. */
const silent = (port: number, count: number, bytes: string) =>
  Effect.forEach(
    Array.from({ length: count }),
    () => Effect.tap(RawHttp.open(port), (raw) => Effect.sync(() => raw.write(bytes)))
  )

const statusesOf = (raws: ReadonlyArray<RawHttp.Raw>) =>
  Effect.map(
    Effect.forEach(raws, (raw) => raw.closed, { concurrency: "unbounded" }),
    (received) => received.map((text) => HostileHttp.answers(text)[0]?.status)
  )

describe("HttpTransport under those who take their time", () => {
  it.scopedLive(
    "ends 400 slow heads and bodies with 408 in time, and answers others meanwhile",
    () =>
      Effect.gen(function*() {
        const { isServing, port } = yield* HostileHttp.start
        yield* isServing
        const began = performance.now()
        const attackers = [
          ...(yield* silent(port, 200, "POST /mcp HTTP/1.1\r\nhost: localhost\r\nx-slow: ")),
          ...(yield* silent(
            port,
            150,
            HostileHttp.request("modern", { body: "", headers: { "content-length": "100" } })
          )),
          ...(yield* silent(port, 50, ""))
        ]
        // A byte now and then does not buy more time.
        const timer = setInterval(
          () => attackers.slice(0, 350).forEach((raw) => raw.socket.writable && raw.write("x")),
          200
        )
        yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(timer)))
        const took = yield* Effect.replicateEffect(isServing, 40)
        assert.isBelow(took.sort((a, b) => a - b)[20] ?? Infinity, 250)
        const statuses = yield* statusesOf(attackers)
        assert.isBelow(performance.now() - began, 8000)
        assert.deepStrictEqual([...new Set(statuses)], [408])
        yield* isServing
      }),
    30_000
  )

  it.scopedLive(
    "reads 64 MiB of bodies at once and no more, says so with 503, and has the room again",
    () =>
      Effect.gen(function*() {
        const { isServing, memory, port } = yield* HostileHttp.start
        yield* isServing
        const mebibyte = 1024 * 1024
        const bytes = HostileHttp.request("modern", {
          body: "x".repeat(mebibyte - 1),
          headers: { "content-length": String(mebibyte) }
        })
        const before = memory()
        for (let round = 0; round < 3; round++) {
          const statuses = yield* Effect.scoped(Effect.flatMap(silent(port, 100, bytes), (raws) =>
            round === 1
              // These go before they are told anything.
              ? Effect.as(Effect.sleep("300 millis"), [])
              : statusesOf(raws)))
          const refused = statuses.filter((status) => status === 503).length
          if (round !== 1) assert.deepStrictEqual([refused, statuses.length - refused], [36, 64])
          assert.isTrue(statuses.every((status) => status === 503 || status === 408))
          yield* isServing
        }
        assert.isBelow(memory() - before, 256)
      }),
    60_000
  )

  it.scopedLive(
    "holds no more for 50 bodies of 1 GiB, and for 50 without an end, than 100 MB",
    () =>
      Effect.gen(function*() {
        const { isServing, memory, send } = yield* HostileHttp.start
        const good = HostileHttp.request("modern")
        const attack = (bytes: string) =>
          Effect.forEach(Array.from({ length: 50 }), () => send(bytes), { concurrency: "unbounded" })
        const flood = "x".repeat(256 * 1024)
        const chunked = { "content-length": undefined, "transfer-encoding": "chunked" }
        const endless = HostileHttp.request("modern", { body: "", headers: chunked }) +
          `${flood.length.toString(16)}\r\n${flood}\r\n`.repeat(6)
        for (let round = 0; round < 4; round++) yield* attack(good)
        const before = memory()
        for (let round = 0; round < 3; round++) {
          const huge = yield* attack(
            HostileHttp.request("modern", { body: flood, headers: { "content-length": String(2 ** 30) } })
          )
          const open = yield* attack(endless)
          assert.deepStrictEqual(
            [...new Set([...huge, ...open].map((text) => HostileHttp.answers(text)[0]?.status))],
            [413]
          )
          yield* isServing
        }
        // What 50 clients may send before they are refused, and what the runtime has not given back yet.
        assert.isBelow(memory() - before, 100)
      }),
    60_000
  )
})
