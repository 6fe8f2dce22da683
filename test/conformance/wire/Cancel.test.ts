import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { layer as wire, Wire } from "./Fixture.js"
import type { Pipe } from "./WirePipe.js"
import { at, call, cancelled, claim, echo, handshakes, initialize, oldCall, plain, textOf, until } from "./Words.js"

const json = { accept: "application/json" }
const modes = [["JSON", json], ["a stream", { accept: "text/event-stream" }], ["either", {}]] as const

/** A name that no other test has. */
let names = 0
const fresh = (): string => `g${++names}`

/** How often something happened since. */
const since = (what: string) =>
  Effect.map(Wire, ({ ledger }) => {
    const before = ledger.count(what)
    return () => ledger.count(what) - before
  })

layer(wire(), { excludeTestServices: true })("§8.4, disconnecting over HTTP", (it) => {
  for (const [mode, headers] of modes) {
    it.scoped(`§8.4: losing the client cancels its call on 2026-07-28, accepting ${mode}`, () =>
      Effect.gen(function*() {
        const { http } = yield* Wire
        const begun = yield* since("never begun")
        const interrupted = yield* since("never interrupted")
        const visit = yield* http.start(call("never"), headers)
        yield* until(() => begun() === 1)
        assert.strictEqual(interrupted(), 0)
        visit.leave()
        yield* until(() => interrupted() === 1, "the interruption")
        assert.strictEqual(textOf((yield* http.post(echo("on"))).json), "on")
      }))
  }

  it.scoped("§8.4: losing the client cancels a call that streams progress", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const interrupted = yield* since("ticking interrupted")
      const visit = yield* http.start(call("ticking", {}, { _meta: { progressToken: "p" } }))
      yield* until(() => visit.events().length >= 3, "progress")
      assert.strictEqual(visit.header("content-type"), "text/event-stream")
      visit.leave()
      yield* until(() => interrupted() === 1, "the interruption")
    }))

  it.scoped("§8.4: losing one client cancels its own calls alone", () =>
    Effect.gen(function*() {
      const { http, ledger } = yield* Wire
      const gate = fresh()
      const begun = yield* since("gated begun")
      const interrupted = yield* since("gated interrupted")
      const leaving = yield* http.start(call("gated", { gate }, {}, 1))
      const staying = yield* http.start(call("gated", { gate }, {}, 1))
      yield* until(() => begun() === 2)
      leaving.leave()
      yield* until(() => interrupted() === 1, "the interruption")
      ledger.open(gate)
      yield* until(staying.isEnded, "the answer")
      assert.include(staying.text(), "through")
      assert.strictEqual(interrupted(), 1)
    }))

  for (const version of handshakes) {
    for (const [mode, headers] of modes) {
      for (const hasSession of [false, true]) {
        it.scoped(`§14.3: a call of ${version} runs on when its client goes, accepting ${mode}, session: ${hasSession}`, () =>
          Effect.gen(function*() {
            const { http, ledger } = yield* Wire
            const gate = fresh()
            const begun = yield* since("gated_progress begun")
            const finished = yield* since("gated_progress finished")
            const session = hasSession ? yield* http.session(initialize(version)) : {}
            const visit = yield* http.start(
              oldCall("gated_progress", { gate }, { _meta: { progressToken: 0 } }),
              { ...headers, ...session, "mcp-protocol-version": version }
            )
            yield* until(() => begun() === 1)
            if (headers !== json) yield* until(() => visit.events().length === 1, "progress")
            visit.leave()
            // The server has noticed that the connection is gone when it answers on another.
            yield* http.post(echo("on"))
            ledger.open(gate)
            yield* until(() => finished() === 1, "the end of the call")
            assert.strictEqual(ledger.count("gated_progress interrupted"), 0)
          }))
      }
    }
  }
})

layer(wire(), { excludeTestServices: true })("§6.7, cancelling over HTTP", (it) => {
  it.scoped("§6.7: notifications/cancelled is for pipes: on 2026-07-28 a posted one is taken and cancels nothing", () =>
    Effect.gen(function*() {
      const { http, ledger } = yield* Wire
      const gate = fresh()
      const begun = yield* since("gated begun")
      const visit = yield* http.start(call("gated", { gate }, {}, 5))
      yield* until(() => begun() === 1)
      const params = claim("x").params
      const told = yield* http.post({ ...cancelled(5), params: { requestId: 5, ...(params as object) } })
      assert.deepStrictEqual([told.status, told.body], [202, ""])
      ledger.open(gate)
      yield* until(visit.isEnded, "the answer")
      assert.include(visit.text(), "through")
    }))

  for (const version of handshakes) {
    for (const [mode, headers] of modes) {
      it.scoped(`§14.2: under ${version} a POST cancels the session's own call, accepting ${mode}, and nothing is sent for it`, () =>
        Effect.gen(function*() {
          const { http } = yield* Wire
          const begun = yield* since("never begun")
          const interrupted = yield* since("never interrupted")
          const session = yield* http.session(initialize(version))
          const other = yield* http.session(initialize(version))
          const visit = yield* http.start(oldCall("never", {}, {}, 0), { ...headers, ...session })
          const same = yield* http.start(oldCall("never", {}, {}, 0), { ...headers, ...other })
          yield* until(() => begun() === 2)
          const outcome = yield* http.post(cancelled(0), session)
          assert.deepStrictEqual([outcome.status, outcome.body], [202, ""])
          yield* until(() => interrupted() === 1, "the interruption")
          yield* until(visit.isEnded, "the end of the cancelled call's response")
          assert.strictEqual(visit.text(), "")
          assert.strictEqual(same.status(), undefined)
          // Again, when it is over; and by somebody else.
          assert.strictEqual((yield* http.post(cancelled(0), session)).status, 202)
          assert.strictEqual((yield* http.post(cancelled("0"), other)).status, 202)
          assert.strictEqual((yield* http.post(cancelled(0))).status, 202)
          assert.strictEqual((yield* http.post(cancelled(0), { ...other, "x-test-user": "mallory" })).status, 404)
          assert.strictEqual(interrupted(), 1)
          assert.strictEqual((yield* http.post(cancelled(0), other)).status, 202)
          yield* until(() => interrupted() === 2, "the second interruption")
        }))
    }
  }

  it.scoped("§14.2: a request in a batch is cancelled alone, and the others are answered", () =>
    Effect.gen(function*() {
      const { http, ledger } = yield* Wire
      const gate = fresh()
      const begun = yield* since("gated begun")
      const interrupted = yield* since("gated interrupted")
      const session = yield* http.session(initialize("2025-03-26"))
      const visit = yield* http.start([oldCall("gated", { gate }, {}, 1), oldCall("gated", { gate }, {}, 2)], session)
      yield* until(() => begun() === 2)
      yield* http.post(cancelled(1), session)
      yield* until(() => interrupted() === 1, "the interruption")
      ledger.open(gate)
      yield* until(visit.isEnded, "the answer")
      assert.deepStrictEqual(JSON.parse(visit.text()).map((answer: unknown) => at(answer, "id")), [2])
    }))

  it.scoped("§14.2: a call that was cancelled leaves its id free", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const begun = yield* since("never begun")
      const session = yield* http.session(initialize("2025-11-25"))
      const visit = yield* http.start(oldCall("never", {}, {}, 1), session)
      yield* until(() => begun() === 1)
      yield* http.post(cancelled(1), session)
      yield* until(visit.isEnded, "the end")
      assert.strictEqual(textOf((yield* http.post(oldCall("echo", { text: "x" }, {}, 1), session)).json), "x")
    }))
})

layer(wire(), { excludeTestServices: true })("§6.7, cancelling on a pipe", (it) => {
  const eras = [undefined, ...handshakes]

  /** Runs a test in each era: how to call there, and how to ask something that is answered at once. */
  const each = (
    name: string,
    test: (
      pipe: Pipe,
      call: (name: string, args: object, id: unknown, more?: object) => unknown,
      barrier: Effect.Effect<unknown>
    ) => Effect.Effect<void, never, Wire>
  ) => {
    for (const version of eras) {
      it.scoped(`§6.7, ${version ?? "2026-07-28"}: ${name}`, () =>
        Effect.gen(function*() {
          const { pipe } = yield* Wire
          const peer = yield* pipe()
          if (version !== undefined) yield* peer.handshake(version)
          const make = version === undefined ? call : oldCall
          const barrier = Effect.suspend(() =>
            peer.ask(version === undefined ? claim("server/discover", {}, fresh()) : plain("ping", {}, fresh()))
          )
          yield* test(peer, (name, args, id, more = {}) => make(name, { ...args }, { ...more }, id), barrier)
        }))
    }
  }

  each(
    "cancels by id, 0 and \"\" and \"0\" apart, once and twice, and says nothing of it",
    (pipe, call, barrier) =>
      Effect.gen(function*() {
        const begun = yield* since("never begun")
        const interrupted = yield* since("never interrupted")
        const ids = [0, "", "0", 1, "1"]
        pipe.say(...ids.map((id) => call("never", {}, id)))
        yield* until(() => begun() === 5)
        for (const [index, id] of ids.entries()) {
          pipe.say(cancelled(id), cancelled(id))
          yield* until(() => interrupted() === index + 1, "the interruption")
        }
        yield* barrier
        for (const id of ids) assert.deepStrictEqual(pipe.answers(id), [])
      })
  )

  each(
    "a cancel after the answer, of nobody, or without sense changes nothing",
    (pipe, call, barrier) =>
      Effect.gen(function*() {
        assert.strictEqual(textOf(yield* pipe.ask(call("echo", { text: "a" }, 1))), "a")
        const before = pipe.received.length
        for (const id of [1, 2, "1", null, {}, [1], 1.5, "__proto__", undefined]) pipe.say(cancelled(id))
        yield* barrier
        assert.lengthOf(pipe.received, before + 1)
        assert.strictEqual(textOf(yield* pipe.ask(call("echo", { text: "b" }, 1))), "b")
      })
  )

  each(
    "a cancel in the same chunk as its request, before it and behind it",
    (pipe, call, barrier) =>
      Effect.gen(function*() {
        const interrupted = yield* since("never interrupted")
        const begun = yield* since("never begun")
        pipe.say(cancelled("c"), call("never", {}, "c"), cancelled("c"))
        yield* barrier
        yield* until(() => interrupted() === begun(), "what began to be interrupted")
        assert.deepStrictEqual(pipe.answers("c"), [])
        assert.strictEqual(textOf(yield* pipe.ask(call("echo", { text: "on" }, "next"))), "on")
        assert.deepStrictEqual(pipe.answers("c"), [])
      })
  )

  each("a cancel while progress streams stops the progress too", (pipe, call, barrier) =>
    Effect.gen(function*() {
      const interrupted = yield* since("ticking interrupted")
      pipe.say(call("ticking", {}, 0, { _meta: { progressToken: 7 } }))
      yield* until(() => pipe.told("notifications/progress").length >= 3, "progress")
      pipe.say(cancelled(0))
      yield* until(() => interrupted() === 1, "the interruption")
      yield* barrier
      const told = pipe.told("notifications/progress")
      yield* barrier
      assert.lengthOf(pipe.told("notifications/progress"), told.length)
      assert.deepStrictEqual(pipe.answers(0), [])
      assert.deepStrictEqual(
        told.map((message) => [at(message, "params", "progressToken"), at(message, "params", "progress")]),
        told.map((_, index) => [7, index + 1])
      )
    }))

  each(
    "a race of many cancels and answers gives each id one answer or none",
    (pipe, call, barrier) =>
      Effect.gen(function*() {
        const { ledger } = yield* Wire
        const gate = fresh()
        const ended = () => ledger.count("gated finished") + ledger.count("gated interrupted")
        const before = ended()
        const ids = Array.from({ length: 100 }, (_, index) => index)
        pipe.say(...ids.map((id) => call("gated", { gate }, id)))
        ledger.open(gate)
        pipe.say(...ids.filter((id) => id % 3 === 0).map(cancelled))
        yield* until(() => ended() === before + 100, "all to end")
        yield* barrier
        for (const id of ids) assert.isAtMost(pipe.answers(id).length, 1)
        for (const id of ids.filter((id) => id % 3 !== 0)) assert.strictEqual(textOf(pipe.answers(id)[0]), "through")
      })
  )
})
