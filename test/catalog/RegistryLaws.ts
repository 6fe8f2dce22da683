/**
 * What a registry promises whatever it is a registry of: each test runs for
 * resources and for prompts.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Ask from "causeway-mcp/ask/Ask"
import * as Asking from "causeway-mcp/ask/Asking"
import * as Principal from "causeway-mcp/auth/Principal"
import type * as Handling from "causeway-mcp/catalog/Handling"
import * as Changes from "causeway-mcp/change/Changes"
import { isExit } from "causeway-mcp/protocol/Ended"
import { McpError } from "causeway-mcp/protocol/McpError"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"

/** A caller with one scope, which nothing here asks for. */
export const reader = Principal.make({ id: "r", scopes: ["all:read"] })

export const inputs: Asking.Inputs = {
  memo: Asking.nothing,
  responses: {},
  clientCapabilities: { elicitation: {} }
}

export interface Request extends Handling.Call {
  readonly asking: Asking.Inputs
}

export const request = (caller = Principal.local, asking = inputs): Request => ({
  caller,
  requestId: 7,
  meta: {},
  progress: () => undefined,
  log: () => undefined,
  asking
})

/** `Changes` that only writes down what happened. */
export const recorded = () => {
  const events: Array<string> = []
  const changes: Changes.Changes["Type"] = {
    publish: (event) => Effect.sync(() => void events.push(event._tag)),
    listen: () => () => undefined
  }
  return { events, changes }
}

/** The result of a run that was not paused. */
export const completed = <A extends { readonly _tag: string }>(result: A): Exclude<A, Asking.Paused> => {
  if (result._tag === "Paused") throw new Error("the run is paused")
  return result as Exclude<A, Asking.Paused>
}

/** Gives the text of one entry. */
export type Handler<E> = (
  call: Handling.Call
) => Effect.Effect<string, E | McpError | Ask.NotAnswered, Asking.Asking>

export interface Entry<E> {
  readonly scopes?: ReadonlyArray<string>
  readonly run: Handler<E>
}

export interface Entries<E> {
  readonly [key: string]: Entry<E> | Handler<E>
}

export const entryOf = <E>(entry: Entry<E> | Handler<E>): Entry<E> =>
  typeof entry === "function" ? { run: entry } : entry

/** A handler of one kind that gives what is made of the text; an `Exit` when the handler's effect is one. */
export const giving = <E, B>(handler: Handler<E>, make: (text: string) => B) => (call: Handling.Call) => {
  const effect = handler(call)
  return isExit(effect) ? Exit.map(effect, make) : Effect.map(effect, make)
}

export interface Registry<E, A> {
  readonly call: (key: string, request: Request) => Effect.Effect<A | Asking.Paused, McpError>
  readonly list: (caller: Principal.Principal) => Effect.Effect<ReadonlyArray<unknown>>
  readonly add: (entries: Entries<E>) => Effect.Effect<void, { readonly problems: ReadonlyArray<string> }>
  readonly remove: (key: string) => Effect.Effect<boolean>
}

export interface Subject<E, A extends { readonly _tag: string }> {
  /** For sentences: `resource`. */
  readonly noun: string
  readonly changed: Changes.Event["_tag"]
  readonly open: (entries: Entries<E>, timeout?: Duration.DurationInput) => Effect.Effect<Registry<E, A>, unknown>
  readonly textOf: (result: A) => unknown
  readonly unavailable: (message: string, cause?: unknown) => E
  /** Registered, it cannot be served. */
  readonly wrongKey: string
}

const errorOf = <A>(effect: Effect.Effect<A, McpError>) =>
  Effect.map(Effect.flip(effect), ({ code, data, message }) => ({ code, message, data }))

export const suite = <E, A extends { readonly _tag: string }>(name: string, subject: Subject<E, A>): void => {
  const { changed, noun, open, unavailable } = subject
  const textOf = (result: A | Asking.Paused) => {
    if (result._tag === "Paused") throw new Error("the run is paused")
    return subject.textOf(result as A)
  }

  describe(`${name} and its handlers`, () => {
    it.effect("is already an Exit when the handler's effect is one", () =>
      Effect.gen(function*() {
        const registry = yield* open({
          now: () => Effect.succeed("now"),
          failed: () => Exit.fail(unavailable("Not now.")),
          later: () => Effect.sync(() => "later")
        })
        assert.isTrue(Exit.isExit(registry.call("now", request())))
        assert.isTrue(Exit.isExit(registry.call("failed", request())))
        assert.isTrue(Exit.isExit(registry.call("none", request())))
        assert.isFalse(Exit.isExit(registry.call("later", request())))
        assert.strictEqual(textOf(yield* registry.call("later", request())), "later")
      }))

    it.effect("tells the client why one failed, and the log alone what caused it", () =>
      Effect.gen(function*() {
        const lines: Array<string> = []
        const logger = Logger.make(({ cause }) => void lines.push(Cause.pretty(cause, { renderErrorCause: true })))
        const down = unavailable("It is down until noon.", new Error("secret 123"))
        const registry = yield* open({
          down: () => Effect.fail(down),
          downAtOnce: () => Exit.fail(down),
          causeless: () => Effect.fail(unavailable("It is away.")),
          own: () => Effect.fail(new McpError({ code: 1234, message: "own words", data: 1 }))
        })
        const told = (key: string) => errorOf(registry.call(key, request()))
        yield* Effect.gen(function*() {
          for (const key of ["down", "downAtOnce"]) {
            assert.deepStrictEqual(yield* told(key), {
              code: -32603,
              message: "It is down until noon.",
              data: undefined
            })
            assert.lengthOf(lines, 1)
            assert.include(lines.pop(), "secret 123")
          }
          assert.deepStrictEqual(yield* told("causeless"), { code: -32603, message: "It is away.", data: undefined })
          assert.deepStrictEqual(yield* told("own"), { code: 1234, message: "own words", data: 1 })
          assert.lengthOf(lines, 0)
        }).pipe(
          Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
          Logger.withMinimumLogLevel(LogLevel.Debug)
        )
      }))

    it.effect("leaves defects to the protocol, and makes one of what would leave the client without an answer", () =>
      Effect.gen(function*() {
        const handlers: Entries<E> = {
          dies: () => Effect.die("a defect"),
          throws: () => {
            throw new Error("thrown")
          },
          stops: () => Effect.interrupt,
          lies: () => Effect.fail("undeclared" as unknown as E)
        }
        const registry = yield* open(handlers)
        for (const key of Object.keys(handlers)) {
          const exit = yield* Effect.exit(registry.call(key, request()))
          assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause), key)
        }
      }))

    for (const [timeout, words] of [["2 seconds", "2s"], [undefined, "30s"]] as const) {
      it.effect(`ends one that takes longer than ${words}`, () =>
        Effect.gen(function*() {
          const stopped = yield* Deferred.make<void>()
          const slow = Effect.onInterrupt(Effect.never, () => Deferred.succeed(stopped, undefined))
          const registry = yield* open({ slow: () => slow }, timeout)
          const fiber = yield* Effect.fork(errorOf(registry.call("slow", request())))
          yield* TestClock.adjust(timeout ?? "30 seconds")
          assert.deepInclude(yield* Fiber.join(fiber), {
            code: -32603,
            message: `The ${noun} was not ready within ${words}. Try again.`
          })
          yield* Deferred.await(stopped)
        }))
    }

    it.effect("hands each handler who asks, and where progress and logs go", () =>
      Effect.gen(function*() {
        const told: Array<unknown> = []
        const registry = yield* open({
          x: (call) =>
            Effect.sync(() => {
              call.progress({ progress: 1 })
              call.log({ level: "info", data: call.meta })
              return `${call.caller.id} ${call.requestId}`
            })
        })
        const result = yield* registry.call("x", {
          ...request(reader),
          meta: { k: 1 },
          progress: (update) => told.push(update),
          log: (message) => told.push(message)
        })
        assert.strictEqual(textOf(result), "r 7")
        assert.deepStrictEqual(told, [{ progress: 1 }, { level: "info", data: { k: 1 } }])
      }))

    it.effect("is paused where the user must be asked, and goes on with the answer", () =>
      Effect.gen(function*() {
        const registry = yield* open({
          asked: () =>
            Effect.map(
              Ask.form("Which part?", Schema.Struct({ part: Schema.String }), { key: "part" }),
              ({ part }) => part
            )
        })
        const paused = yield* registry.call("asked", request())
        assert.strictEqual(paused._tag, "Paused")
        const { memo, requests } = paused as Asking.Paused
        assert.deepStrictEqual(Object.keys(requests), ["part"])
        const again = (response: unknown) =>
          registry.call("asked", request(Principal.local, { ...inputs, memo, responses: { part: response } }))
        assert.strictEqual(textOf(yield* again({ action: "accept", content: { part: "two" } })), "two")
        const declined = yield* errorOf(again({ action: "decline" }))
        assert.deepInclude(declined, { code: -32600, message: "The user declined to answer." })
      }))
  })

  describe(`${name} and its entries`, () => {
    it.effect("shows each caller what it may see, the same array as long as nothing changes", () =>
      Effect.gen(function*() {
        const registry = yield* open({
          open: () => Effect.succeed("open"),
          shut: { scopes: ["all:admin"], run: () => Effect.succeed("shut") }
        })
        assert.lengthOf(yield* registry.list(reader), 1)
        assert.lengthOf(yield* registry.list(Principal.local), 2)
        assert.lengthOf(yield* registry.list(Principal.make({ id: "a", scopes: ["all:admin"] })), 2)
        assert.strictEqual(yield* registry.list(reader), yield* registry.list(Principal.make({ id: "other" })))
        assert.strictEqual((yield* errorOf(registry.call("shut", request(reader)))).code, -32602)
        assert.strictEqual(textOf(yield* registry.call("shut", request())), "shut")
      }))

    it.effect("changes what is listed and called, and announces it", () =>
      Effect.gen(function*() {
        const { changes, events } = recorded()
        const registry = yield* Effect.provideService(open({}), Changes.Changes, changes)
        const before = yield* registry.list(reader)
        yield* registry.add({ one: () => Effect.succeed("first"), other: () => Effect.succeed("other") })
        const two = yield* registry.list(reader)
        assert.strictEqual(textOf(yield* registry.call("one", request())), "first")
        yield* registry.add({ one: () => Effect.succeed("anew") })
        assert.strictEqual(textOf(yield* registry.call("one", request())), "anew")
        assert.deepStrictEqual(yield* registry.list(reader), two)
        assert.isTrue(yield* registry.remove("one"))
        assert.isFalse(yield* registry.remove("one"))
        assert.deepStrictEqual(yield* registry.list(reader), two.slice(1))
        assert.strictEqual((yield* errorOf(registry.call("one", request()))).code, -32602)
        yield* registry.add({})
        assert.deepStrictEqual([before, events], [[], [changed, changed, changed]])
      }))

    it.effect("changes nothing when one of what is added cannot be served", () =>
      Effect.gen(function*() {
        const { changes, events } = recorded()
        const registry = yield* Effect.provideService(open({}), Changes.Changes, changes)
        const handler = () => Effect.succeed("")
        const error = yield* Effect.flip(registry.add({ right: handler, [subject.wrongKey]: handler }))
        assert.lengthOf(error.problems, 1)
        assert.deepStrictEqual([yield* registry.list(reader), events], [[], []])
      }))

    it.effect("runs handlers within the span of the call, not of the registration", () =>
      Effect.gen(function*() {
        const here = Effect.map(Effect.currentSpan, (span) => span.name)
        const registry = yield* Effect.withSpan(open({ where: () => Effect.orDie(here) }), "registration")
        const result = yield* Effect.withSpan(registry.call("where", request()), "call")
        assert.strictEqual(textOf(result), "call")
      }))
  })
}
