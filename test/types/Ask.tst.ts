import * as Ask from "causeway-mcp/ask/Ask"
import type * as Asking from "causeway-mcp/ask/Asking"
import * as Deprecated from "causeway-mcp/ask/Deprecated"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, test } from "tstyche"

class Store extends Context.Tag("Store")<Store, { readonly next: Effect.Effect<number> }>() {}
class Full extends Schema.TaggedError<Full>()("Full", {}) {}

const Booking = Schema.Struct({
  day: Schema.DateFromString,
  seats: Schema.optional(Schema.Int),
  meals: Schema.Array(Schema.Literal("fish", "rice")),
  window: Schema.optionalWith(Schema.Boolean, { default: () => false })
})
interface Booking extends Schema.Schema.Type<typeof Booking> {}

describe("Ask.form", () => {
  test("is an effect of the decoded content", () => {
    const question = Ask.form("Book?", Booking)
    expect(question).type.toBe<Ask.Question<Booking>>()
    expect(question).type.toBeAssignableTo<Effect.Effect<Booking, Ask.NotAnswered, Asking.Asking>>()
  })
  test("gives a handler the content, its failure and its need of a call", () => {
    const handler = Effect.gen(function*() {
      const { day, seats } = yield* Ask.form("Book?", Booking, { key: "booking" })
      return { day, seats }
    })
    expect(handler).type.toBe<
      Effect.Effect<{ day: Date; seats: number | undefined }, Ask.NotAnswered, Asking.Asking>
    >()
  })
  test("takes a class", () => {
    class Named extends Schema.Class<Named>("Named")({ name: Schema.String }) {}
    expect(Ask.form("Name?", Named)).type.toBe<Ask.Question<Named>>()
  })
  test("refuses what a form cannot hold", () => {
    expect(Ask.form).type.not.toBeCallableWith("Name?", Schema.Struct({ name: Schema.NullOr(Schema.String) }))
    expect(Ask.form).type.not.toBeCallableWith("Who?", Schema.Struct({ who: Schema.Struct({ name: Schema.String }) }))
    expect(Ask.form).type.not.toBeCallableWith("Sizes?", Schema.Struct({ sizes: Schema.Array(Schema.Number) }))
    expect(Ask.form).type.not.toBeCallableWith("Name?", Schema.String)
  })
})

describe("Ask.url", () => {
  test("gives nothing", () => {
    expect(Ask.url("Open", "https://example.com/")).type.toBe<Ask.Question<void>>()
  })
})

describe("Ask.all", () => {
  test("gives each answer under its name", () => {
    const all = Ask.all({
      booking: Ask.form("Book?", Booking),
      open: Ask.url("Open", "https://example.com/"),
      said: Deprecated.sample({ messages: [], maxTokens: 1 }),
      roots: Deprecated.roots()
    })
    expect(all).type.toBe<
      Effect.Effect<
        {
          readonly booking: Booking
          readonly open: void
          readonly said: Deprecated.Sampled
          readonly roots: ReadonlyArray<Deprecated.Root>
        },
        Ask.NotAnswered,
        Asking.Asking
      >
    >()
  })
  test("refuses an effect that is no question", () => {
    expect(Ask.all).type.not.toBeCallableWith({ a: Effect.succeed(1) })
  })
})

describe("Ask.step", () => {
  test("keeps the effect's value, failure and needs", () => {
    const next = Effect.flatMap(Store, (store) => store.next)
    const counted = Effect.filterOrFail(next, (count) => count < 9, () => new Full())
    expect(Ask.step("count", counted)).type.toBe<Effect.Effect<number, Full, Store | Asking.Asking>>()
    expect(Ask.step("done", Effect.void)).type.toBe<Effect.Effect<void, never, Asking.Asking>>()
  })
  test("takes a schema of the value", () => {
    const now = Effect.sync(() => new Date())
    expect(Ask.step("now", now, { schema: Schema.Date })).type.toBe<Effect.Effect<Date, never, Asking.Asking>>()
    expect(Ask.step).type.not.toBeCallableWith("now", now, { schema: Schema.Number })
  })
})

describe("Ask.isSupported", () => {
  test("takes any question", () => {
    expect(Ask.isSupported(Ask.form("Book?", Booking))).type.toBe<Effect.Effect<boolean, never, Asking.Asking>>()
  })
})

describe("Ask.fromStart", () => {
  test("leaves an effect's type as it is", () => {
    const handler: Effect.Effect<number, Full, Store | Asking.Asking> = Effect.die("none")
    expect(Ask.fromStart(handler)).type.toBe<Effect.Effect<number, Full, Store | Asking.Asking>>()
  })
})
