import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { layer as wire, serve, Wire } from "./Fixture.js"
import type { Headers } from "./WireHttp.js"
import type { Json } from "./Words.js"
import { asked, at, call, claim, codeOf, filled, isError, Key, messageOf, textOf } from "./Words.js"

const answers = { inputResponses: { user_name: filled("Ada") } }

/** Asks over HTTP for a client that can fill in forms. */
const ask = (message: Json, headers: Headers = {}) =>
  Effect.map(Effect.flatMap(Wire, ({ http }) => http.post(message, headers)), (reply) => {
    assert.strictEqual(reply.status, 200, reply.body)
    return reply.json
  })

const again = (name: string, more: Json, args: Json = {}, headers: Headers = {}) =>
  ask(call(name, args, { ...asked, ...more }), headers)

const stateOf = (message: unknown): string => {
  assert.strictEqual(at(message, "result", "resultType"), "input_required", JSON.stringify(message))
  const state = at(message, "result", "requestState")
  assert.isString(state)
  return String(state)
}

/** The state of a first round. */
const round = (name: string, args: Json = {}, headers: Headers = {}) =>
  Effect.map(again(name, {}, args, headers), stateOf)

const prompt = (params: Json) => claim("prompts/get", { ...asked, ...params })
const resource = (params: Json) => claim("resources/read", { uri: "wire://asking", ...asked, ...params })

const keysOf = (message: unknown) => Object.keys(Object(at(message, "result", "inputRequests")))

layer(wire(), { excludeTestServices: true })("§7, requestState", (it) => {
  it.effect("§7: the question is a method and params under the server's key, and no message of its own", () =>
    Effect.gen(function*() {
      for (const message of [call("ask_name", {}, asked), prompt({ name: "ask_name" }), resource({})]) {
        const result = at(yield* ask(message), "result")
        assert.deepStrictEqual(Object.keys(Object(at(result, "inputRequests", "user_name"))).sort(), [
          "method",
          "params"
        ])
        assert.strictEqual(at(result, "inputRequests", "user_name", "method"), "elicitation/create")
        assert.strictEqual(at(result, "inputRequests", "user_name", "params", "requestedSchema", "type"), "object")
        for (const field of ["ttlMs", "cacheScope", "content", "contents", "messages"]) {
          assert.isUndefined(at(result, field))
        }
        assert.match(String(at(result, "requestState")), /^[\x21-\x7e]+$/u)
      }
    }))

  it.effect("§7: a state changed anywhere is refused, always in the same words", () =>
    Effect.gen(function*() {
      const { pipe } = yield* Wire
      const state = yield* round("ask_name")
      const peer = yield* pipe()
      const words = new Set<string>()
      const changed = [...state].flatMap((character, index) =>
        (["A", "B", "~"] as const).filter((other) => other !== character).map((other) =>
          `${state.slice(0, index)}${other}${state.slice(index + 1)}`
        )
      )
      const cut = Array.from({ length: state.length }, (_, index) => state.slice(0, index))
      const shapes = [
        ...[`${state}A`, `${state}=`, ` ${state}`, `${state} `, state + state, state.toUpperCase(), "v1.", "v2.a.b"],
        ...["null", "{}", "..", "\u0000", "\ud800", "A".repeat(1_000_000)]
      ]
      const all = [...changed, ...cut, ...shapes]
      peer.say(...all.map((requestState, id) => call("ask_name", {}, { ...asked, ...answers, requestState }, id)))
      yield* peer.until(all.length)
      for (const [id] of all.entries()) {
        const answer = peer.answers(id)[0]
        isError(answer, -32602, id)
        words.add(messageOf(answer))
      }
      assert.strictEqual(words.size, 1)
      assert.strictEqual(textOf(yield* again("ask_name", { ...answers, requestState: state })), "Hello, Ada!")
    }).pipe(Effect.scoped))

  it.scoped("§7: there is one way to write a state: bits that decoding would drop are looked at", () =>
    Effect.gen(function*() {
      const { pipe } = yield* Wire
      const peer = yield* pipe()
      const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
      // Their states differ in length by one byte each, so one of them has bits to spare.
      for (const tool of ["ask_name", "ask_other", "ask_twice"]) {
        const state = yield* round(tool)
        for (const letter of [...alphabet].filter((letter) => !state.endsWith(letter))) {
          const requestState = state.slice(0, -1) + letter
          isError(yield* peer.ask(call(tool, {}, { ...asked, requestState }, requestState)), -32602, requestState)
        }
      }
    }))

  it.effect("§7: a state is good for its own user, method, name and arguments alone", () =>
    Effect.gen(function*() {
      const state = yield* round("ask_name", { topic: "tea" }, { "x-test-user": "alice" })
      const more = { ...answers, requestState: state }
      const alice = { "x-test-user": "alice" }
      const args = { topic: "tea" }
      const refused = [
        yield* again("ask_name", more, args, { "x-test-user": "bob" }),
        yield* again("ask_name", more, args),
        yield* again("ask_other", more, args, alice),
        yield* again("ask_twice", more, {}, alice),
        yield* again("ask_name", more, { topic: "tea " }, alice),
        yield* again("ask_name", more, {}, alice),
        yield* again("ask_name", more, { ...args, extra: 1 }, alice),
        yield* ask(prompt({ name: "ask_name", arguments: args, ...more }), alice),
        yield* ask(resource(more), alice)
      ]
      for (const answer of refused) isError(answer, -32602, 1)
      assert.strictEqual(new Set(refused.map(messageOf)).size, 1)
      assert.strictEqual(textOf(yield* again("ask_name", more, args, alice)), "Hello, Ada!")
    }))

  it.effect("§7: prompts and resources hold to the same, and take no tool's state", () =>
    Effect.gen(function*() {
      const tool = yield* round("ask_name")
      for (const [make, name] of [[prompt, "ask_name"], [resource, undefined]] as const) {
        const own = name === undefined ? {} : { name }
        const state = stateOf(yield* ask(make(own)))
        isError(yield* ask(make({ ...own, ...answers, requestState: tool })), -32602, 1)
        isError(yield* again("ask_name", { ...answers, requestState: state }), -32602, 1)
        isError(yield* ask(make({ ...own, ...answers, requestState: state }), { "x-test-user": "eve" }), -32602, 1)
        const done = yield* ask(make({ ...own, ...answers, requestState: state }))
        assert.strictEqual(at(done, "result", "resultType"), "complete")
        assert.include(JSON.stringify(done), "Hello, Ada!")
      }
    }))

  it.effect("§7: a state of another server, which has another secret, is refused", () =>
    Effect.scoped(Effect.gen(function*() {
      const other = yield* serve()
      const state = stateOf((yield* other.http.post(call("ask_name", {}, asked))).json)
      isError(yield* again("ask_name", { ...answers, requestState: state }), -32602, 1)
    })))

  it.effect("§7: the same state and answers may come twice, over any connection, and give the same", () =>
    Effect.gen(function*() {
      const { pipe } = yield* Wire
      const message = call("ask_name", {}, { ...asked, ...answers, requestState: yield* round("ask_name") })
      const outcomes = [yield* ask(message), yield* ask(message), yield* (yield* pipe()).ask(message)]
      assert.deepStrictEqual(outcomes.map(textOf), ["Hello, Ada!", "Hello, Ada!", "Hello, Ada!"])
    }).pipe(Effect.scoped))

  it.effect("§7: answers without a state, and a state without answers, put the question again", () =>
    Effect.gen(function*() {
      const state = yield* round("ask_name")
      for (
        const more of [
          answers,
          { inputResponses: {} },
          { requestState: state },
          { requestState: state, inputResponses: {} },
          { requestState: state, inputResponses: { other: filled("Eve") } },
          { requestState: state, inputResponses: { User_Name: filled("Eve"), "user_name ": filled("Eve") } },
          { requestState: state, inputResponses: { __proto__x: filled("Eve"), constructor: filled("Eve") } }
        ]
      ) assert.deepStrictEqual(keysOf(yield* again("ask_name", more)), ["user_name"])
    }))

  it.effect("§7: inputResponses and requestState of a wrong shape are errors", () =>
    Effect.gen(function*() {
      const requestState = yield* round("ask_name")
      for (const inputResponses of [null, 5, "x", true, [], [filled("Ada")]]) {
        isError(yield* again("ask_name", { inputResponses }), -32602, 1)
        isError(yield* again("ask_name", { inputResponses, requestState }), -32602, 1)
      }
      for (const response of [null, 5, "Ada", true, []]) {
        isError(yield* again("ask_name", { inputResponses: { user_name: response }, requestState }), -32602, 1)
      }
      for (const bad of [null, 5, true, {}, [requestState]]) {
        isError(yield* again("ask_name", { ...answers, requestState: bad }), -32602, 1)
      }
    }))

  it.effect("§7: keys nobody asked for are ignored", () =>
    Effect.gen(function*() {
      const requestState = yield* round("ask_name")
      const inputResponses = { ...answers.inputResponses, extra: { any: ["thing"] }, ask_name: filled("Eve") }
      assert.strictEqual(textOf(yield* again("ask_name", { inputResponses, requestState })), "Hello, Ada!")
    }))

  it.effect("§7: an answer of another shape than the form is asked for again under another key", () =>
    Effect.gen(function*() {
      const requestState = yield* round("ask_name")
      for (
        const response of [
          filled(5),
          filled(null),
          { action: "accept" },
          { action: "accept", content: [] },
          { action: "agree" },
          { content: { name: "Ada" } },
          {}
        ]
      ) {
        const second = yield* again("ask_name", { inputResponses: { user_name: response }, requestState })
        const [key = ""] = keysOf(second)
        assert.notStrictEqual(key, "user_name")
        const third = { inputResponses: { [key]: filled("Ada") }, requestState: stateOf(second) }
        assert.strictEqual(textOf(yield* again("ask_name", third)), "Hello, Ada!")
      }
    }))

  for (const action of ["decline", "cancel"]) {
    it.effect(`§7: ${action} is an answer: the tool ends with an error the model can read`, () =>
      Effect.gen(function*() {
        const requestState = yield* round("ask_name")
        const done = yield* again("ask_name", { inputResponses: { user_name: { action } }, requestState })
        assert.deepStrictEqual(
          [at(done, "result", "resultType"), at(done, "result", "isError")],
          ["complete", true]
        )
      }))
  }

  it.effect("§7: what was done before a question is done once, in all rounds and replays", () =>
    Effect.gen(function*() {
      const { ledger } = yield* Wire
      const steps = () => ["before", "between", "after"].map((name) => ledger.count(`ask_twice ${name}`))
      const start = steps()
      const done = () => steps().map((count, index) => count - (start[index] ?? 0))
      const first = yield* round("ask_twice")
      assert.deepStrictEqual(done(), [1, 0, 0])
      const one = { inputResponses: { first: filled("Ada") }, requestState: first }
      const second = stateOf(yield* again("ask_twice", one))
      assert.deepStrictEqual(done(), [1, 1, 0])
      // An answer that was taken is in the state: it needs not come again, and cannot be changed.
      const two = { inputResponses: { first: filled("Eve"), second: filled("Bob") }, requestState: second }
      assert.strictEqual(textOf(yield* again("ask_twice", two)), "Ada and Bob")
      assert.deepStrictEqual(done(), [1, 1, 1])
      // Nothing is single-use: a replay of a state repeats what came after it, and nothing before.
      assert.strictEqual(textOf(yield* again("ask_twice", two)), "Ada and Bob")
      assert.deepStrictEqual(done(), [1, 1, 2])
      yield* round("ask_twice")
      assert.deepStrictEqual(done(), [2, 1, 2])
    }))

  it.effect("§7: a retry whose client can no longer be asked is refused as any other", () =>
    Effect.gen(function*() {
      const { http } = yield* Wire
      const requestState = yield* round("ask_twice")
      for (const elicitation of [undefined, { url: {} }]) {
        const capabilities = elicitation === undefined ? {} : { elicitation }
        const reply = yield* http.post(
          call("ask_twice", {}, { _meta: { [Key.capabilities]: capabilities }, requestState })
        )
        assert.deepStrictEqual([reply.status, codeOf(reply.json)], [400, -32021])
      }
    }))

  it.effect("§7: methods that may not ask take no notice of states and answers", () =>
    Effect.gen(function*() {
      for (const method of ["tools/list", "server/discover", "prompts/list"]) {
        const answer = yield* ask(claim(method, { inputResponses: null, requestState: 5 }))
        assert.strictEqual(at(answer, "result", "resultType"), "complete")
      }
    }))
})

layer(Layer.empty)("§7, the expiry of requestState", (it) => {
  it.scoped("§7: a state is good until its time is over, and then refused in the same words as a forged one", () =>
    Effect.gen(function*() {
      const { pipe } = yield* serve({ server: { askTimeout: "5 minutes" } })
      const peer = yield* pipe()
      const requestState = stateOf(yield* peer.ask(call("ask_name", {}, asked, 1)))
      const retry = (id: number) => peer.ask(call("ask_name", {}, { ...asked, ...answers, requestState }, id))
      yield* TestClock.adjust("299 seconds")
      assert.strictEqual(textOf(yield* retry(2)), "Hello, Ada!")
      yield* TestClock.adjust("1 second")
      const late = yield* retry(3)
      isError(late, -32602, 3)
      const forged = yield* peer.ask(call("ask_name", {}, { ...asked, requestState: "x" }, 4))
      assert.strictEqual(messageOf(late), messageOf(forged))
    }))
})
