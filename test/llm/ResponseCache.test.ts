import { assert, describe, it } from "@effect/vitest"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as ResponseCache from "causeway-mcp/llm/ResponseCache"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"

const model = { provider: "p", model: "m" }

const request: Chat.Request = { messages: [{ role: "user", text: "Why?" }], temperature: 0 }

const answer = (text: string): Chat.TextAnswer => ({
  text,
  citations: [],
  provider: "p",
  model: "m",
  usage: { inputTokens: 1, outputTokens: 2 },
  attempts: [{ provider: "p", model: "m", outcome: "answered", elapsedMs: 5 }]
})

const ofText = (request: Chat.Request) => ResponseCache.keyOf("generateText", model, request)
const ofSchema = (schema: unknown) => ResponseCache.keyOf("generateObject", model, { ...request, schema })

describe("ResponseCache.keyOf", () => {
  it("is another for anything that shapes the answer", () => {
    const others: ReadonlyArray<string> = [
      ofText(request),
      ResponseCache.keyOf("generateObject", model, request),
      ResponseCache.keyOf("generateText", { provider: "q", model: "m" }, request),
      ResponseCache.keyOf("generateText", { provider: "p", model: "n" }, request),
      ...[
        { messages: [{ role: "user" as const, text: "Why not?" }] },
        { messages: [{ role: "system" as const, text: "Why?" }] },
        { messages: [...request.messages, ...request.messages] },
        { context: [{ id: "1", text: "Because." }] },
        { context: [{ id: "2", text: "Because." }] },
        { task: "reasoning" as const },
        { temperature: 1 },
        { topP: 0.5 },
        { maxTokens: 5 },
        { stop: ["\n"] },
        { seed: 1 },
        { labels: ["eu"] },
        { tenant: "a" }
      ].map((change) => ofText({ ...request, ...change })),
      ofSchema({ type: "string" }),
      ofSchema({ type: "number" }),
      ResponseCache.keyOf("generateObject", model, { ...request, schema: { type: "string" }, schemaName: "s" })
    ]
    assert.strictEqual(new Set(others).size, others.length)
    for (const key of others) assert.match(key, /^[0-9a-f]{64}$/u)
  })

  it("does not tell absent from undefined, nor one order of members or labels from another", () => {
    assert.strictEqual(ofText({ ...request, topP: undefined, tenant: undefined, context: undefined }), ofText(request))
    assert.strictEqual(ofText({ temperature: 0, messages: request.messages }), ofText(request))
    assert.strictEqual(ofText({ ...request, temperature: -0 }), ofText(request))
    assert.strictEqual(
      ofSchema({ type: "object", properties: { a: {}, b: undefined } }),
      ofSchema({ properties: { a: {} }, type: "object" })
    )
    assert.strictEqual(
      ofText({ ...request, labels: ["eu", "iso", "eu"] }),
      ofText({ ...request, labels: ["iso", "eu"] })
    )
    assert.notStrictEqual(ofText({ ...request, stop: ["a", "b"] }), ofText({ ...request, stop: ["b", "a"] }))
  })

  it("keeps a member called __proto__ apart, and texts that only look like JSON", () => {
    assert.notStrictEqual(ofSchema(JSON.parse("{\"__proto__\":{\"a\":1}}")), ofSchema({}))
    assert.notStrictEqual(ofSchema(JSON.parse("{\"__proto__\":{\"a\":1}}")), ofSchema({ a: 1 }))
    assert.notStrictEqual(ofSchema("{}"), ofSchema({}))
    assert.notStrictEqual(ofSchema("null"), ofSchema(null))
    assert.notStrictEqual(ofText({ ...request, stop: ["a", "b"] }), ofText({ ...request, stop: ["a\",\"b"] }))
    assert.notStrictEqual(ofText({ ...request, tenant: "\uD800" }), ofText({ ...request, tenant: "\uDC00" }))
  })

  it("takes a schema a thousand levels deep", () => {
    const nested = (depth: number): unknown => JSON.parse("[".repeat(depth) + "]".repeat(depth))
    assert.notStrictEqual(ofSchema(nested(1_000)), ofSchema(nested(999)))
  })

  it("is equal for equal JSON and for nothing else", () => {
    FastCheck.assert(FastCheck.property(FastCheck.jsonValue(), FastCheck.jsonValue(), (a, b) => {
      assert.strictEqual(ofSchema(a), ofSchema(shuffled(a)))
      const isSame = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
      assert.strictEqual(ofSchema(a) === ofSchema(b), isSame)
    }))
  })
})

const rebuilt = (order: (names: Array<string>) => Array<string>) => {
  const rebuild = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(rebuild)
      : typeof value === "object" && value !== null
      ? order(Object.keys(value)).reduce(
        (out: object, name) =>
          Object.defineProperty(out, name, {
            value: rebuild(Object.getOwnPropertyDescriptor(value, name)?.value),
            enumerable: true,
            configurable: true,
            writable: true
          }),
        {}
      )
      : value
  return rebuild
}
const shuffled = rebuilt((names) => names.reverse())
const sorted = rebuilt((names) => names.sort())

describe("ResponseCache.isCacheable", () => {
  it("is so at temperature 0 in so many words, and at no other", () => {
    assert.isTrue(ResponseCache.isCacheable(request))
    for (const temperature of [undefined, 0.1, 1, Number.NaN]) {
      assert.isFalse(ResponseCache.isCacheable({ ...request, temperature }))
    }
    assert.isFalse(ResponseCache.isCacheable({ messages: [] }))
  })
})

describe("ResponseCache.memory", () => {
  const has = (cache: ResponseCache.ResponseCache, key: string) => Effect.map(cache.get(key), Option.isSome)

  it.effect("gives what was kept, and nothing for another key", () =>
    Effect.gen(function*() {
      const cache = yield* ResponseCache.memory()
      yield* cache.set("a", answer("because"))
      assert.deepStrictEqual(yield* cache.get("a"), Option.some(answer("because")))
      assert.deepStrictEqual(yield* cache.get("__proto__"), Option.none())
    }))

  it.effect("keeps a copy and gives copies", () =>
    Effect.gen(function*() {
      const cache = yield* ResponseCache.memory()
      const value = { list: [1], ["__proto__"]: "own" }
      const { citations: _citations, text: _text, ...provenance } = answer("")
      yield* cache.set("a", { ...provenance, value })
      value.list.push(2)
      const first = Option.getOrThrow(yield* cache.get("a"))
      assert.deepStrictEqual(first, { ...provenance, value: { list: [1], ["__proto__"]: "own" } })
      if ("value" in first) Object.assign(Object(first.value), { list: "changed" })
      assert.deepStrictEqual(Option.getOrThrow(yield* cache.get("a")), {
        ...provenance,
        value: { list: [1], ["__proto__"]: "own" }
      })
    }))

  it.effect("forgets the longest unused when there are too many", () =>
    Effect.gen(function*() {
      const cache = yield* ResponseCache.memory({ capacity: 2 })
      yield* cache.set("a", answer("1"))
      yield* cache.set("b", answer("2"))
      yield* cache.get("a")
      yield* cache.set("c", answer("3"))
      assert.deepStrictEqual([yield* has(cache, "a"), yield* has(cache, "b"), yield* has(cache, "c")], [
        true,
        false,
        true
      ])
    }))

  it.effect("forgets each answer after its time to live, a tenth more or less", () =>
    Effect.gen(function*() {
      const cache = yield* ResponseCache.memory({ timeToLive: "100 seconds", capacity: 200 })
      const keys = Arr.makeBy(200, String)
      yield* Effect.forEach(keys, (key) => cache.set(key, answer(key)))
      yield* TestClock.adjust("89 seconds")
      const alive = Effect.map(Effect.filter(keys, (key) => has(cache, key)), (keys) => keys.length)
      assert.strictEqual(yield* alive, 200)
      yield* TestClock.adjust("11 seconds")
      const halfway = yield* alive
      assert.isTrue(halfway > 50 && halfway < 150, String(halfway))
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual(yield* alive, 0)
    }))

  it.effect("begins the time of an answer anew when it is kept anew", () =>
    Effect.gen(function*() {
      const cache = yield* ResponseCache.memory({ timeToLive: "100 seconds" })
      yield* cache.set("a", answer("old"))
      yield* TestClock.adjust("80 seconds")
      yield* cache.set("a", answer("new"))
      yield* TestClock.adjust("80 seconds")
      assert.deepStrictEqual(yield* cache.get("a"), Option.some(answer("new")))
    }))

  it.effect("keeps all answers together within their length, and none that is longer by itself", () =>
    Effect.gen(function*() {
      const length = JSON.stringify(answer("x")).length
      const cache = yield* ResponseCache.memory({ maxLength: 2 * length })
      yield* cache.set("a", answer("1"))
      yield* cache.set("b", answer("2"))
      yield* cache.set("a", answer("3"))
      assert.deepStrictEqual([yield* has(cache, "a"), yield* has(cache, "b")], [true, true])
      yield* cache.set("c", answer("4"))
      assert.deepStrictEqual([yield* has(cache, "a"), yield* has(cache, "b"), yield* has(cache, "c")], [
        false,
        true,
        true
      ])
      yield* cache.set("c", answer("x".repeat(length * 2)))
      assert.deepStrictEqual([yield* has(cache, "b"), yield* has(cache, "c")], [true, false])
    }))

  it.effect("never holds more than it may, whatever comes", () =>
    Effect.promise(() =>
      FastCheck.assert(FastCheck.asyncProperty(
        FastCheck.array(FastCheck.tuple(FastCheck.constantFrom("a", "b", "c", "d", "e"), FastCheck.nat(300))),
        (steps) =>
          Effect.runPromise(Effect.gen(function*() {
            const cache = yield* ResponseCache.memory({ capacity: 3, maxLength: 600 })
            for (const [key, length] of steps) yield* cache.set(key, answer("x".repeat(length)))
            const kept = Arr.getSomes(yield* Effect.forEach(["a", "b", "c", "d", "e"], cache.get))
            assert.isTrue(kept.length <= 3)
            assert.isTrue(kept.reduce((sum, answer) => sum + JSON.stringify(answer).length, 0) <= 600)
            const last = steps.at(-1)
            if (last !== undefined && JSON.stringify(answer("x".repeat(last[1]))).length <= 600) {
              assert.isTrue(yield* has(cache, last[0]))
            }
          }))
      ))
    ))

  it.effect("keeps nothing that JSON cannot write, and does not fail over it", () =>
    Effect.gen(function*() {
      const cache = yield* ResponseCache.memory()
      const circle: { self?: unknown } = {}
      circle.self = circle
      yield* cache.set("a", { ...answer("x"), value: circle })
      yield* cache.set("b", { ...answer("x"), value: 1n })
      assert.deepStrictEqual([yield* has(cache, "a"), yield* has(cache, "b")], [false, false])
    }))

  it.effect("names the option that is out of its range", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<readonly [string, Parameters<typeof ResponseCache.memory>[0]]> = [
        ["capacity", { capacity: 0 }],
        ["capacity", { capacity: Number.NaN }],
        ["maxLength", { maxLength: 0.5 }],
        ["timeToLive", { timeToLive: 0 }]
      ]
      for (const [name, options] of wrong) {
        const cause = yield* Effect.flip(Effect.sandbox(ResponseCache.memory(options)))
        assert.include(String(cause), `RangeError: ${name} has to be`)
      }
    }))
})
