/**
 * What whoever tells of changes must obey, as checks that run against any layer
 * and under any test runner.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import * as Changes from "../change/Changes.js"
import * as ServiceLaw from "./internal/ServiceLaw.js"

/**
 * One promise of the contract, and the check that fails or dies when it is
 * broken. A check hears nothing but events of its own when it alone uses the
 * service.
 *
 * @since 0.1.0
 * @category models
 */
export type Law = ServiceLaw.Law<Changes.Changes>

/**
 * A promise between instances: its check builds instances of its own. Those of
 * one prefix belong together. Waiting is real: run it on the live clock.
 *
 * @since 0.1.0
 * @category models
 */
export type SharedLaw = ServiceLaw.SharedLaw<Changes.Changes>

type Service = Changes.Changes["Type"]

const updated = (uri: string): Changes.Event => ({ _tag: "ResourceUpdated", uri })

const events: ReadonlyArray<Changes.Event> = [
  { _tag: "ToolsChanged" },
  { _tag: "PromptsChanged" },
  { _tag: "ResourcesChanged" },
  updated("file:///a\nb \"c\" 🙂"),
  updated(""),
  { _tag: "TaskChanged", taskId: "t-1" },
  { _tag: "ToolsChanged" }
]

/** Begins to listen; `heard` grows. */
const hear = (changes: Service) => {
  const heard: Array<Changes.Event> = []
  const stop = changes.listen((event) => void heard.push(event))
  return { heard, stop }
}

const law = ServiceLaw.law(Changes.Changes)

const sharedLaw = ServiceLaw.sharedLaw(Changes.Changes)

/**
 * The laws that one instance obeys.
 *
 * @since 0.1.0
 * @category testing
 */
export const laws: ReadonlyArray<Law> = [
  law("tells every listener every event, in order, before the publisher goes on", (changes) =>
    Effect.gen(function*() {
      const [one, other] = [hear(changes), hear(changes)]
      for (const [index, event] of events.entries()) {
        yield* changes.publish(event)
        assert.equal(one.heard.length, index + 1)
      }
      assert.deepEqual(one.heard, events)
      assert.deepEqual(other.heard, events)
      one.stop()
      other.stop()
    })),

  law(
    "tells nobody without harm",
    (changes) => Effect.forEach(events, (event) => changes.publish(event), { discard: true })
  ),

  law("tells nothing of before, and nothing more once it is stopped, also twice", (changes) =>
    Effect.gen(function*() {
      yield* changes.publish(updated("before"))
      const [one, other] = [hear(changes), hear(changes)]
      yield* changes.publish(updated("a"))
      one.stop()
      one.stop()
      yield* changes.publish(updated("b"))
      assert.deepEqual(one.heard, [updated("a")])
      assert.deepEqual(other.heard, [updated("a"), updated("b")])
      other.stop()
    })),

  law("counts a listener that listens twice as two", (changes) =>
    Effect.gen(function*() {
      let heard = 0
      const listener = () => void heard++
      const [first, second] = [changes.listen(listener), changes.listen(listener)]
      yield* changes.publish(updated("a"))
      assert.equal(heard, 2)
      first()
      yield* changes.publish(updated("b"))
      assert.equal(heard, 3)
      second()
      yield* changes.publish(updated("c"))
      assert.equal(heard, 3)
    })),

  law("tells the others when one listener throws", (changes) =>
    Effect.gen(function*() {
      const one = hear(changes)
      const stop = changes.listen(() => {
        throw new Error("this listener is broken")
      })
      const other = hear(changes)
      yield* changes.publish(updated("a"))
      yield* changes.publish(updated("b"))
      assert.deepEqual(one.heard, [updated("a"), updated("b")])
      assert.deepEqual(other.heard, one.heard)
      one.stop()
      stop()
      other.stop()
    })),

  law(
    "tells an event to nobody whom that event stopped, and to nobody whom it brought",
    (changes) =>
      Effect.gen(function*() {
        const heard: Array<string> = []
        const stops: Array<() => void> = []
        stops.push(changes.listen(() => {
          heard.push("first")
          stops[1]?.()
          stops.push(changes.listen(() => void heard.push("third")))
        }))
        stops.push(changes.listen(() => void heard.push("second")))
        yield* changes.publish(updated("a"))
        assert.deepEqual(heard, ["first"])
        stops[0]?.()
        yield* changes.publish(updated("b"))
        assert.deepEqual(heard, ["first", "third"])
        for (const stop of stops) stop()
      })
  )
]

/** Waits for something to come about, ten seconds at most. */
const until = (isSo: () => boolean): Effect.Effect<void, unknown> =>
  Effect.suspend(() => (isSo() ? Effect.void : Effect.fail("not yet"))).pipe(
    Effect.retry(Schedule.spaced("5 millis")),
    Effect.timeoutFail({ duration: "10 seconds", onTimeout: () => "it was not heard within 10 s" })
  )

const includes = (heard: ReadonlyArray<Changes.Event>, uri: string): boolean =>
  heard.some((event) => event._tag === "ResourceUpdated" && event.uri === uri)

/** Goes on when what one instance publishes is heard by the other. */
const connected = (from: Service, to: Service): Effect.Effect<void, unknown> =>
  Effect.gen(function*() {
    const [marker, last] = [`marker-${randomUUID()}`, `last-${randomUUID()}`]
    const { heard, stop } = hear(to)
    yield* Effect.raceFirst(
      until(() => includes(heard, marker)),
      Effect.forever(Effect.zipRight(from.publish(updated(marker)), Effect.sleep("20 millis")))
    )
    // The markers that are still on their way come before the last.
    yield* from.publish(updated(last))
    yield* until(() => includes(heard, last))
    stop()
  })

/**
 * The laws that instances obey together.
 *
 * @since 0.1.0
 * @category testing
 */
export const sharedLaws: ReadonlyArray<SharedLaw> = [
  sharedLaw("tells the listeners of another instance every event, in order", (open, prefix) =>
    Effect.gen(function*() {
      const [here, there] = yield* Effect.all([open(prefix), open(prefix)])
      yield* connected(here, there)
      const { heard } = hear(there)
      const many = [...events, ...Array.from({ length: 500 }, (_, index) => updated(`n-${index}`))]
      for (const event of many) yield* here.publish(event)
      yield* until(() => heard.length >= many.length)
      assert.deepEqual(heard, many)
    })),

  sharedLaw(
    "tells its own listeners once, at once, though the event also travels",
    (open, prefix) =>
      Effect.gen(function*() {
        const [here, there] = yield* Effect.all([open(prefix), open(prefix)])
        yield* connected(here, there)
        yield* connected(there, here)
        const [own, other] = [hear(here), hear(there)]
        yield* here.publish(updated("a"))
        assert.deepEqual(own.heard, [updated("a")])
        yield* until(() => other.heard.length === 1)
        // What comes back to the first instance later than its own event would have.
        yield* there.publish(updated("b"))
        yield* until(() => own.heard.length > 1)
        assert.deepEqual(own.heard, [updated("a"), updated("b")])
      })
  ),

  sharedLaw("tells nothing to instances of another prefix", (open, prefix) =>
    Effect.gen(function*() {
      const [here, there, elsewhere] = yield* Effect.all([open(prefix), open(prefix), open(`other-${prefix}`)])
      const [second, beyond] = yield* Effect.all([open(`other-${prefix}`), open(prefix)])
      yield* connected(here, there)
      yield* connected(here, beyond)
      yield* connected(elsewhere, second)
      const [own, foreign] = [hear(there), hear(second)]
      yield* here.publish(updated("a"))
      yield* elsewhere.publish(updated("b"))
      yield* until(() => own.heard.length === 1 && foreign.heard.length === 1)
      yield* connected(here, there)
      yield* connected(elsewhere, second)
      assert.ok(!includes(own.heard, "b"))
      assert.ok(!includes(foreign.heard, "a"))
    })),

  sharedLaw(
    "tells a listener of another instance nothing more once it is stopped",
    (open, prefix) =>
      Effect.gen(function*() {
        const [here, there] = yield* Effect.all([open(prefix), open(prefix)])
        yield* connected(here, there)
        const [stopped, other] = [hear(there), hear(there)]
        yield* here.publish(updated("a"))
        yield* until(() => other.heard.length === 1)
        stopped.stop()
        yield* here.publish(updated("b"))
        yield* until(() => other.heard.length === 2)
        assert.deepEqual(stopped.heard, [updated("a")])
      })
  ),

  sharedLaw("tells the others of its instance when a listener throws", (open, prefix) =>
    Effect.gen(function*() {
      const [here, there] = yield* Effect.all([open(prefix), open(prefix)])
      yield* connected(here, there)
      there.listen(() => {
        throw new Error("this listener is broken")
      })
      const { heard } = hear(there)
      yield* here.publish(updated("a"))
      yield* here.publish(updated("b"))
      yield* until(() => heard.length === 2)
      assert.deepEqual(heard, [updated("a"), updated("b")])
    }))
]
