/**
 * How a server that stops looks from outside.
 */
import { assert, describe, it } from "@effect/vitest"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { refusal, until } from "./Law.js"
import { v2 } from "./official-v2.js"
import { connected } from "./official.js"
import { Place } from "./Place.js"

/** Checks what a client sees of a server that stops while it listens and waits. */
export const suite = (
  name: Context.Tag.Service<Place>["name"],
  layer: Layer.Layer<Place>,
  outcome: "answered" | "refused"
): void => {
  describe(`the full server over ${name}, when it stops`, () => {
    it.scopedLive(`ends a subscription with its result, and a call in flight is ${outcome}`, () =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(layer, scope)
        const { lines, stop, v2: open } = yield* Effect.provide(Place, context)
        const carrier = yield* Scope.extend(open, scope)
        const client = yield* connected(() => v2(carrier, { pin: "2026-07-28" }))
        const subscription = yield* Effect.promise(() => client.listen({ toolsListChanged: true }))
        const call = client.call("slow_words", { key: "stop", ms: 100 }).then(() => "answered", () => "refused")
        yield* Effect.promise(() => until(() => lines.includes("stop began"), "the call to begin"))

        stop()
        const stopped = yield* Effect.fork(Scope.close(scope, Exit.void))
        assert.strictEqual(yield* Effect.promise(() => subscription.closed), "graceful")
        assert.strictEqual(yield* Effect.promise(() => call), outcome)
        yield* Fiber.join(stopped)
        yield* Effect.promise(() => refusal(client.call("sum_of_numbers", { numbers: [] })))
        const expected = [
          "stop began",
          outcome === "answered" ? "stop finished" : "stop interrupted",
          ...(name === "stdio" ? ["process exited 0"] : [])
        ]
        yield* Effect.promise(() => until(() => lines.length >= expected.length, expected.join(", ")))
        assert.deepEqual([...lines], expected)
      }))
  })
}
