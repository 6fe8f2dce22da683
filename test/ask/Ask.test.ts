import { assert, describe, it } from "@effect/vitest"
import * as Ask from "causeway-mcp/ask/Ask"
import * as Asking from "causeway-mcp/ask/Asking"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { accept, everything, play } from "./Rounds.js"

const Seats = Schema.Struct({ seats: Schema.Int.pipe(Schema.between(1, 9)) })
const Name = Schema.Struct({ name: Schema.NonEmptyString })
const Sure = Schema.Struct({ sure: Schema.Boolean })

const messageOf = (request: Asking.Request | undefined): unknown => request?.params.message

const failureOf = (exit: Exit.Exit<unknown, Ask.NotAnswered>): unknown =>
  Exit.isFailure(exit) && exit.cause._tag === "Fail"
    ? { how: exit.cause.error.how, message: exit.cause.error.message, isRetryable: exit.cause.error.isRetryable }
    : exit

const defectOf = (exit: Exit.Exit<unknown, unknown>): string => {
  const defect = Exit.isFailure(exit) ? [...Cause.defects(exit.cause)][0] : undefined
  return defect instanceof Error ? defect.message : `no defect but ${JSON.stringify(exit)}`
}

const counter = () => {
  let count = 0
  return { up: Effect.sync(() => ++count), count: () => count }
}

describe("Ask.form", () => {
  it.effect("succeeds with the decoded content of a form that was accepted", () =>
    Effect.gen(function*() {
      const When = Schema.Struct({ day: Schema.DateFromString })
      const { asked, exit } = yield* play(
        Ask.form("When?", When),
        () => ({ "ask-1": accept({ day: "2026-11-22T00:00:00.000Z" }) })
      )
      assert.deepStrictEqual(exit, Exit.succeed({ day: new Date("2026-11-22") }))
      assert.deepStrictEqual(asked, [{
        "ask-1": {
          method: "elicitation/create",
          params: {
            message: "When?",
            requestedSchema: { type: "object", properties: { day: { type: "string" } }, required: ["day"] }
          }
        }
      }])
    }))
  it.effect("fails when the user declines, and when the user dismisses it", () =>
    Effect.gen(function*() {
      const declined = yield* play(Ask.form("Seats?", Seats), () => ({ "ask-1": { action: "decline" } }))
      assert.deepStrictEqual(failureOf(declined.exit), {
        how: "declined",
        message: "The user declined to answer.",
        isRetryable: false
      })
      const cancelled = yield* play(Ask.form("Seats?", Seats), () => ({ "ask-1": { action: "cancel" } }))
      assert.deepStrictEqual(failureOf(cancelled.exit), {
        how: "cancelled",
        message: "The user dismissed the question without an answer.",
        isRetryable: false
      })
    }))
  it.effect("asks again under a new key, saying first what did not fit", () =>
    Effect.gen(function*() {
      const { asked, exit, memo } = yield* play(
        Ask.form("How many seats?", Seats, { key: "seats" }),
        (_, round) => round === 1 ? { seats: accept({ seats: 12 }) } : { "seats-2": accept({ seats: 2 }) }
      )
      assert.deepStrictEqual(exit, Exit.succeed({ seats: 2 }))
      assert.deepStrictEqual(asked.map(Object.keys), [["seats"], ["seats-2"]])
      assert.strictEqual(messageOf(asked[0]?.seats), "How many seats?")
      assert.strictEqual(
        messageOf(asked[1]?.["seats-2"]),
        "The last answer did not fit: seats: Expected a number between 1 and 9, actual 12. How many seats?"
      )
      assert.deepStrictEqual(memo, { answers: { seats: accept({ seats: 12 }) }, steps: {}, open: ["seats-2"] })
    }))
  it.effect("asks again after an action it does not know, and after content that is none", () =>
    Effect.gen(function*() {
      const { asked, exit } = yield* play(Ask.form("Name?", Name, { key: "name" }), (_, round) =>
        [
          { name: { action: "maybe", content: { name: "Ada" } } },
          { "name-2": { content: { name: "Ada" } } },
          { "name-3": accept(null) },
          { "name-4": accept({ name: "Ada" }) }
        ][round - 1] ?? {})
      assert.deepStrictEqual(exit, Exit.succeed({ name: "Ada" }))
      assert.strictEqual(asked.length, 4)
      assert.strictEqual(
        messageOf(asked[1]?.["name-2"]),
        "The last answer did not fit: it neither accepted, declined nor cancelled. Name?"
      )
    }))
  it.effect("gives up as cancelled when five answers did not fit", () =>
    Effect.gen(function*() {
      const { asked, exit } = yield* play(
        Ask.form("Name?", Name, { key: "name" }),
        (requests) => Object.fromEntries(Object.keys(requests).map((key) => [key, accept({})]))
      )
      assert.deepStrictEqual(asked.map(Object.keys), [["name"], ["name-2"], ["name-3"], ["name-4"], ["name-5"]])
      assert.deepStrictEqual(failureOf(exit), {
        how: "cancelled",
        message: "The question was asked 5 times and no answer fitted.",
        isRetryable: false
      })
    }))
  it.effect("takes acceptance without content for an empty form", () =>
    Effect.gen(function*() {
      const { asked, exit } = yield* play(
        Ask.form("Go on?", Schema.Struct({})),
        () => ({ "ask-1": { action: "accept" } })
      )
      assert.deepStrictEqual(exit, Exit.succeed({}))
      assert.deepStrictEqual(asked[0]?.["ask-1"]?.params.requestedSchema, { type: "object", properties: {} })
    }))
  it.effect("shows another form when it is given one", () =>
    Effect.gen(function*() {
      const requestedSchema = {
        type: "object",
        properties: { name: { type: "string", enum: ["a", "b"], enumNames: ["Ada", "Bea"] } }
      }
      const question = Ask.form("Who?", Name, { requestedSchema })
      assert.deepStrictEqual(question.request.params, { message: "Who?", requestedSchema })
    }))
})

describe("Ask.url", () => {
  it.effect("succeeds when the user consents, and fails when not", () =>
    Effect.gen(function*() {
      const question = Ask.url("Sign in", "https://example.com/connect", { key: "connect" })
      const consented = yield* play(question, () => ({ connect: { action: "accept" } }))
      assert.deepStrictEqual(consented.exit, Exit.void)
      assert.deepStrictEqual(consented.asked, [{
        connect: {
          method: "elicitation/create",
          params: { mode: "url", message: "Sign in", url: "https://example.com/connect" }
        }
      }])
      const declined = yield* play(question, () => ({ connect: { action: "decline" } }))
      assert.propertyVal(failureOf(declined.exit), "how", "declined")
    }))
  it("takes http on this machine", () => {
    for (const host of ["localhost:3000", "127.0.0.1", "127.1.2.3:80", "[::1]:9", "app.localhost"]) {
      assert.strictEqual(Ask.url("Open", `http://${host}/a`).request.params.mode, "url")
    }
  })
  it("refuses any other address", () => {
    const addresses = [
      "http://example.com/",
      "http://localhost.example.com/",
      "http://127.0.0.1.example.com/",
      "ftp://localhost/",
      "javascript:alert(1)",
      "https://user:word@example.com/",
      "https://user@example.com/",
      "/relative",
      ""
    ]
    for (const address of addresses) {
      assert.throws(() => Ask.url("Open", address), /takes an https address, or an http one on this machine/u)
    }
  })
})

describe("Ask.all", () => {
  it.effect("asks everything in one pause and gives the answers by name", () =>
    Effect.gen(function*() {
      const both = Ask.all({
        seats: Ask.form("Seats?", Seats),
        who: Ask.form("Who?", Name, { key: "name" }),
        open: Ask.url("Open", "https://example.com/")
      })
      const { asked, exit } = yield* play(both, () => ({
        seats: accept({ seats: 3 }),
        name: accept({ name: "Ada" }),
        open: { action: "accept" }
      }))
      assert.deepStrictEqual(exit, Exit.succeed({ seats: { seats: 3 }, who: { name: "Ada" }, open: undefined }))
      assert.deepStrictEqual(asked.map(Object.keys), [["seats", "name", "open"]])
    }))
  it.effect("asks again for those alone that are missing or did not fit", () =>
    Effect.gen(function*() {
      const all = Ask.all({ a: Ask.form("A?", Name), b: Ask.form("B?", Name), c: Ask.form("C?", Name) })
      const { asked, exit } = yield* play(all, (_, round) =>
        round === 1
          ? { a: accept({ name: "a" }), b: accept({ name: "" }) }
          : { "b-2": accept({ name: "b" }), c: accept({ name: "c" }) })
      assert.deepStrictEqual(exit, Exit.succeed({ a: { name: "a" }, b: { name: "b" }, c: { name: "c" } }))
      assert.deepStrictEqual(asked.map(Object.keys), [["a", "b", "c"], ["b-2", "c"]])
    }))
  it.effect("fails at once when one is declined, however the others stand", () =>
    Effect.gen(function*() {
      const all = Ask.all({ a: Ask.form("A?", Name), b: Ask.form("B?", Name) })
      const { asked, exit } = yield* play(all, () => ({ b: { action: "decline" } }))
      assert.propertyVal(failureOf(exit), "how", "declined")
      assert.strictEqual(asked.length, 1)
    }))
  it.effect("succeeds with nothing when nothing is asked", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* play(Ask.all({}), () => ({}))).exit, Exit.succeed({}))
    }))
})

describe("a handler that asks", () => {
  it.effect("meets the same keys however often it is run, and does a step once", () =>
    Effect.gen(function*() {
      const drafts = counter()
      const orders = counter()
      const handler = Effect.gen(function*() {
        const { name } = yield* Ask.form("Name?", Name)
        const draft = yield* Ask.step("draft", drafts.up)
        const { seats } = yield* Ask.form("Seats?", Seats)
        const order = yield* Ask.step("order", orders.up)
        const { sure } = yield* Ask.form("Sure?", Sure)
        return { name, draft, seats, order, sure }
      })
      const { asked, exit } = yield* play(handler, (requests) => {
        const answers: Record<string, unknown> = {
          "ask-1": accept({ name: "Ada" }),
          "ask-2": accept({ seats: 2 }),
          "ask-3": accept({ sure: true })
        }
        return Object.fromEntries(Object.keys(requests).map((key) => [key, answers[key]]))
      })
      assert.deepStrictEqual(exit, Exit.succeed({ name: "Ada", draft: 1, seats: 2, order: 1, sure: true }))
      assert.deepStrictEqual(asked.map(Object.keys), [["ask-1"], ["ask-2"], ["ask-3"]])
      assert.deepStrictEqual([drafts.count(), orders.count()], [1, 1])
    }))
  it.effect("gets each answer to its own question when it asks side by side", () =>
    Effect.gen(function*() {
      const handler = Effect.all([
        Ask.form("First?", Name),
        Ask.form("Second?", Name),
        Ask.form("Third?", Name, { key: "third" })
      ], { concurrency: "unbounded" })
      const { asked, exit } = yield* play(handler, (requests) =>
        Object.fromEntries(
          Object.entries(requests).map(([key, request]) => [key, accept({ name: `${messageOf(request)}` })])
        ))
      assert.deepStrictEqual(exit, Exit.succeed([{ name: "First?" }, { name: "Second?" }, { name: "Third?" }]))
      const keys = asked.flatMap(Object.keys)
      assert.deepStrictEqual([...new Set(keys)].sort(), ["ask-1", "ask-2", "third"])
      assert.isAtMost(asked.length, 3)
    }))
  it.effect("hears no answers but those to what it asked", () =>
    Effect.gen(function*() {
      const handler = Effect.gen(function*() {
        const first = yield* Ask.form("First?", Name, { key: "first" })
        const second = yield* Ask.form("Second?", Name, { key: "second" })
        return [first.name, second.name]
      })
      const { asked, exit, memo } = yield* play(handler, (_, round) =>
        round === 1
          ? { other: accept({ name: "x" }), second: accept({ name: "too early" }) }
          : round === 2
          ? { first: accept({ name: "1" }), second: accept({ name: "too early" }) }
          : { first: accept({ name: "changed" }), second: accept({ name: "2" }) })
      assert.deepStrictEqual(exit, Exit.succeed(["1", "2"]))
      assert.deepStrictEqual(asked.map(Object.keys), [["first"], ["first"], ["second"]])
      assert.deepStrictEqual(memo.answers, { first: accept({ name: "1" }) })
    }))
  it.effect("is asked on when an answer is no object", () =>
    Effect.gen(function*() {
      const { asked, exit } = yield* play(
        Ask.form("Name?", Name, { key: "name" }),
        (_, round) => ({ name: [null, 7, "text", ["a"], accept({ name: "Ada" })][round - 1] })
      )
      assert.deepStrictEqual(exit, Exit.succeed({ name: "Ada" }))
      assert.deepStrictEqual(asked.map(Object.keys), Array.from({ length: 5 }, () => ["name"]))
    }))
  it.effect("takes a key or a field named __proto__ for nothing special", () =>
    Effect.gen(function*() {
      const hostile = JSON.parse(
        "{\"__proto__\":{\"name\":{\"action\":\"accept\",\"content\":{\"name\":\"inherited\"}}},\"constructor\":{\"action\":\"accept\"}}"
      )
      const inherits = JSON.parse("{\"action\":\"accept\",\"content\":{\"__proto__\":{\"name\":\"inherited\"}}}")
      const { asked, exit } = yield* play(
        Ask.form("Name?", Name, { key: "name" }),
        (_, round) => round === 1 ? hostile : round === 2 ? { name: inherits } : { "name-2": accept({ name: "own" }) }
      )
      assert.deepStrictEqual(exit, Exit.succeed({ name: "own" }))
      assert.deepStrictEqual(asked.map(Object.keys), [["name"], ["name"], ["name-2"]])
      const kept = yield* play(
        Effect.zipRight(Ask.step("__proto__", Effect.succeed({ a: 1 })), Ask.form("Name?", Name)),
        () => ({ "ask-1": accept({ name: "Ada" }) })
      )
      assert.deepStrictEqual(Object.keys(kept.memo.steps), ["__proto__"])
      assert.deepStrictEqual(kept.exit, Exit.succeed({ name: "Ada" }))
    }))
  it.effect("asks one and the same question with a key only once", () =>
    Effect.gen(function*() {
      const question = Ask.form("Name?", Name, { key: "name" })
      const { asked, exit } = yield* play(Effect.zip(question, question), () => ({ name: accept({ name: "Ada" }) }))
      assert.deepStrictEqual(exit, Exit.succeed([{ name: "Ada" }, { name: "Ada" }] as const))
      assert.strictEqual(asked.length, 1)
    }))
  it.effect("dies when two questions have one key", () =>
    Effect.gen(function*() {
      const handler = Effect.zip(Ask.form("A?", Name, { key: "name" }), Ask.form("B?", Name, { key: "name" }))
      const { exit } = yield* play(handler, () => ({ name: accept({ name: "Ada" }) }))
      assert.strictEqual(
        defectOf(exit),
        "Two questions of one call have the key \"name\"; give each its own, and repeat a handler by Ask.fromStart."
      )
    }))
  it.effect("dies, and asks nothing, when its state has grown too large", () =>
    Effect.gen(function*() {
      const handler = Effect.zip(Ask.form("A?", Name), Ask.form("B?", Name))
      const { asked, exit } = yield* play(handler, () => ({ "ask-1": accept({ name: "x".repeat(Ask.maxStateBytes) }) }))
      assert.match(defectOf(exit), /^The answers and steps of this call have \d+ bytes; they may have 65536\./u)
      assert.strictEqual(asked.length, 1)
    }))
  it.effect("is not stopped by a large answer when it has no more to ask", () =>
    Effect.gen(function*() {
      const name = "x".repeat(Ask.maxStateBytes)
      const { exit } = yield* play(Ask.form("A?", Name), () => ({ "ask-1": accept({ name }) }))
      assert.deepStrictEqual(exit, Exit.succeed({ name }))
    }))
})

describe("the key of a question", () => {
  it("is refused when it could be that of a question asked again, or is no name", () => {
    for (const key of ["name-2", "ask-1", "", "__proto__", "a b", "é", "x".repeat(65)]) {
      assert.throws(() => Ask.form("Name?", Name, { key }), /cannot be the key of a question/u)
    }
    for (const key of ["a", "name.2", "a-b", "2nd", "confirm-2nd", "x".repeat(64)]) {
      assert.strictEqual(Ask.form("Name?", Name, { key }).key, key)
    }
  })
  it.effect("is refused as a name in Ask.all as well", () =>
    Effect.gen(function*() {
      const { exit } = yield* play(Ask.all({ "name-2": Ask.form("Name?", Name) }), () => ({}))
      assert.match(defectOf(exit), /^"name-2" cannot be the key of a question/u)
    }))
})

describe("Ask.isSupported", () => {
  it.effect("says what the client has declared", () =>
    Effect.gen(function*() {
      const form = Ask.isSupported(Ask.form("Name?", Name))
      const url = Ask.isSupported(Ask.url("Open", "https://example.com/"))
      const both = (capabilities: Asking.Inputs["clientCapabilities"]) =>
        play(Effect.all([form, url]), () => ({}), capabilities)
      assert.deepStrictEqual((yield* both({})).exit, Exit.succeed([false, false] as const))
      assert.deepStrictEqual((yield* both({ elicitation: {} })).exit, Exit.succeed([true, false] as const))
      assert.deepStrictEqual((yield* both({ elicitation: { url: {} } })).exit, Exit.succeed([false, true] as const))
      assert.deepStrictEqual((yield* both(everything)).exit, Exit.succeed([true, true] as const))
    }))
})

/** Runs a step, asks, and runs it again; gives what both runs got. */
const twice = <A, E>(step: Effect.Effect<A, E, Asking.Asking>) =>
  Effect.gen(function*() {
    const got: Array<A> = []
    const { exit, memo } = yield* play(
      Effect.zipRight(Effect.tap(step, (value) => got.push(value)), Ask.form("Go on?", Schema.Struct({}))),
      () => ({ "ask-1": accept({}) })
    )
    return { got, exit, memo }
  })

describe("Ask.step", () => {
  it.effect("gives a later run what the first one got, for any plain JSON", () =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(FastCheck.jsonValue({ maxDepth: 3 }), (any) => {
          // Minus zero has no JSON of its own.
          const value: unknown = JSON.parse(JSON.stringify(any))
          return Effect.runPromise(Effect.map(twice(Ask.step("made", Effect.succeed(value))), ({ got }) => {
            assert.deepStrictEqual(got, [value, value])
          }))
        }),
        { numRuns: 50 }
      )
    ))
  it.effect("tells nothing from null", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* twice(Ask.step("void", Effect.void))).got, [undefined, undefined])
      assert.deepStrictEqual((yield* twice(Ask.step("null", Effect.succeed(null)))).got, [null, null])
      assert.deepStrictEqual((yield* twice(Ask.step("array", Effect.succeed([null])))).got, [[null], [null]])
    }))
  it.effect("remembers anything that its schema encodes", () =>
    Effect.gen(function*() {
      const Visit = Schema.Struct({ at: Schema.Date, by: Schema.optional(Schema.String) })
      const value = { at: new Date("2026-11-22"), by: undefined }
      const { got, memo } = yield* twice(Ask.step("visit", Effect.succeed(value), { schema: Visit }))
      assert.deepStrictEqual(got, [value, { at: value.at }])
      assert.deepStrictEqual(memo.steps, { visit: [{ at: "2026-11-22T00:00:00.000Z" }] })
    }))
  it.effect("dies of a value that JSON would change, and says where", () =>
    Effect.gen(function*() {
      class Point {
        readonly x = 1
      }
      const circle: Record<string, unknown> = {}
      circle.self = circle
      const cases: ReadonlyArray<readonly [unknown, string]> = [
        [{ a: [{ b: undefined }] }, "a[0].b is undefined"],
        [[undefined], "[0] is undefined"],
        [Array(1), "[0] is undefined"],
        [new Date(0), "it is an instance of Date"],
        [{ m: new Map() }, "m is an instance of Map"],
        [Number.NaN, "it is NaN"],
        [[1, Number.POSITIVE_INFINITY], "[1] is Infinity"],
        [new Point(), "it is an instance of Point"],
        [1n, "it is a bigint"],
        [{ f: () => 1 }, "f is a function"],
        [{ s: Symbol("s") }, "s is a symbol"],
        [{ [Symbol("s")]: 1 }, "it is a special object"],
        [circle, "self holds itself"],
        [new Uint8Array(1), "it is an instance of Uint8Array"]
      ]
      for (const [value, problem] of cases) {
        const { exit } = yield* twice(Ask.step("made", Effect.succeed(value)))
        assert.strictEqual(
          defectOf(exit),
          `What the step "made" gave cannot be remembered: ${problem}. Give plain JSON, or a schema.`
        )
      }
    }))
  it.effect("takes a value that holds the same part twice", () =>
    Effect.gen(function*() {
      const part = { a: 1 }
      const { got } = yield* twice(Ask.step("made", Effect.succeed([part, part])))
      assert.deepStrictEqual(got, [[part, part], [part, part]])
    }))
  it.effect("is not touched by what is done to the value it gave", () =>
    Effect.gen(function*() {
      const list = ["a"]
      const { got } = yield* twice(
        Ask.step("list", Effect.succeed(list)).pipe(
          Effect.map((value) => {
            const before = [...value]
            value.push("b")
            return before
          })
        )
      )
      assert.deepStrictEqual(got, [["a"], ["a"]])
    }))
  it.effect("does not remember a failure, and can be tried again", () =>
    Effect.gen(function*() {
      const tries = counter()
      const flaky = Effect.flatMap(tries.up, (count) => count < 3 ? Effect.fail("not yet") : Effect.succeed(count))
      const { exit, got } = yield* twice(Ask.step("flaky", flaky).pipe(Effect.retry({ times: 5 })))
      assert.isTrue(Exit.isSuccess(exit))
      assert.deepStrictEqual([got, tries.count()], [[3, 3], 3])
    }))
  it.effect("runs again what was interrupted, and keeps what was done", () =>
    Effect.gen(function*() {
      const run = Asking.start({ memo: Asking.nothing, responses: {}, clientCapabilities: {} })
      const within = <A, E>(self: Effect.Effect<A, E, Asking.Asking>) => Effect.provideService(self, Asking.Asking, run)
      const fiber = yield* Effect.fork(within(Ask.step("slow", Effect.never)))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([...run.steps.keys()], [])
      yield* within(Ask.step("slow", Effect.succeed(1)))
      assert.deepStrictEqual([...run.steps.keys()], ["slow"])
    }))
  it.effect("dies when its name is used twice", () =>
    Effect.gen(function*() {
      const { exit } = yield* twice(Effect.zip(Ask.step("a", Effect.void), Ask.step("a", Effect.void)))
      assert.strictEqual(
        defectOf(exit),
        "Two steps of one call have the name \"a\"; give each its own, and repeat a handler by Ask.fromStart."
      )
    }))
  it.effect("dies when there is more to remember than may be", () =>
    Effect.gen(function*() {
      const fits = yield* twice(Ask.step("a", Effect.succeed("x".repeat(Ask.maxStateBytes - 100))))
      assert.isTrue(Exit.isSuccess(fits.exit))
      const { exit } = yield* twice(Ask.step("a", Effect.succeed("é".repeat(Ask.maxStateBytes / 2))))
      assert.match(defectOf(exit), /^The answers and steps of this call have \d+ bytes; they may have 65536\./u)
    }))
  it.effect("dies when what it remembers no longer fits its schema", () =>
    Effect.gen(function*() {
      const runs = counter()
      const handler = Effect.gen(function*() {
        const isFirst = (yield* runs.up) === 1
        yield* isFirst
          ? Ask.step("a", Effect.succeed("text"), { schema: Schema.String })
          : Ask.step("a", Effect.succeed(1), { schema: Schema.Number })
        yield* Ask.form("Go on?", Schema.Struct({}))
      })
      const { exit } = yield* play(handler, () => ({ "ask-1": accept({}) }))
      assert.strictEqual(defectOf(exit), "What is remembered of the step \"a\" does not fit its schema.")
    }))
})

class Busy extends Data.TaggedError("Busy") {}

describe("Ask.fromStart", () => {
  it.effect("lets a handler that is tried again meet the same answers and steps", () =>
    Effect.gen(function*() {
      const tries = counter()
      const orders = counter()
      const handler = Effect.gen(function*() {
        const { name } = yield* Ask.form("Name?", Name)
        const order = yield* Ask.step("order", orders.up)
        if ((yield* tries.up) < 3) return yield* new Busy()
        return { name, order }
      })
      const { asked, exit } = yield* play(
        Effect.retry(Ask.fromStart(handler), { times: 5 }),
        () => ({ "ask-1": accept({ name: "Ada" }) })
      )
      assert.deepStrictEqual(exit, Exit.succeed({ name: "Ada", order: 1 }))
      assert.strictEqual(asked.length, 1)
    }))
  it.effect("dies when questions inside and outside would be taken for one another", () =>
    Effect.gen(function*() {
      const read = Ask.form("Read it?", Name)
      const erase = Ask.form("Delete it?", Name)
      const parts = [
        Effect.zipRight(Ask.fromStart(read), erase),
        Effect.zipRight(read, Ask.fromStart(erase)),
        Effect.zipRight(Ask.fromStart(Ask.fromStart(read)), erase)
      ]
      for (const handler of parts) {
        const { exit } = yield* play(handler, () => ({ "ask-1": accept({ name: "Ada" }) }))
        assert.isTrue(Exit.isFailure(exit) && Cause.pretty(exit.cause).includes("give them keys"))
      }
    }))
  it.effect("lets questions with keys be asked inside and outside", () =>
    Effect.gen(function*() {
      const named = Ask.form("Read it?", Name, { key: "read" })
      const handler = Effect.zip(Ask.fromStart(Ask.fromStart(named)), Ask.form("Delete it?", Name))
      const { exit } = yield* play(handler, (asked) => {
        const answers = { read: accept({ name: "Ada" }), "ask-1": accept({ name: "Bea" }) }
        return Object.fromEntries(Object.entries(answers).filter(([key]) => key in asked))
      })
      assert.deepStrictEqual(exit, Exit.succeed([{ name: "Ada" }, { name: "Bea" }]))
    }))
  it.effect("changes nothing outside of a call", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Ask.fromStart(Effect.succeed(1)), 1)
    }))
})
