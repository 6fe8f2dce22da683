/**
 * All laws, checked on one client after the other.
 */
import { layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { Law, Subject } from "./Law.js"
import * as Calls from "./law/calls.js"
import * as Changes from "./law/changes.js"
import * as Offer from "./law/offer.js"
import * as Questions from "./law/questions.js"
import * as Tasks from "./law/tasks.js"
import { v1 } from "./official-v1.js"
import { modes, v2 } from "./official-v2.js"
import type { Official, Settings } from "./official.js"
import { connected } from "./official.js"
import { Place } from "./Place.js"

const laws: ReadonlyArray<Law> = [
  ...Offer.laws,
  ...Calls.laws,
  ...Questions.laws,
  ...Changes.laws,
  ...Tasks.laws,
  ...Calls.closing
]

interface Kind {
  readonly name: string
  readonly isModern: boolean
  readonly connect: (
    place: Context.Tag.Service<Place>,
    settings?: Settings
  ) => Effect.Effect<Official, never, Scope.Scope>
}

const kinds: ReadonlyArray<Kind> = [
  {
    name: "SDK v1",
    isModern: false,
    connect: (place, settings) => Effect.flatMap(place.v1, (carrier) => connected(() => v1(carrier, settings)))
  },
  ...modes.map(([name, mode, revision]): Kind => ({
    name: `the v2 client in mode ${name}`,
    isModern: revision === "2026-07-28",
    connect: (place, settings) => Effect.flatMap(place.v2, (carrier) => connected(() => v2(carrier, mode, settings)))
  }))
]

class Connected extends Context.Tag("interop/Connected")<Connected, Subject>() {}

const subject = (kind: Kind): Layer.Layer<Connected, never, Place> =>
  Layer.scoped(
    Connected,
    Effect.gen(function*() {
      const place = yield* Place
      const scope = yield* Effect.scope
      const client = yield* kind.connect(place)
      return {
        client,
        isModern: kind.isModern,
        place: place.name,
        own: (name) => `${kind.name}: ${name}`,
        noted: (key) =>
          place.lines.filter((line) => line.startsWith(`${key} `)).map((line) => line.slice(key.length + 1)),
        connect: (settings) => Effect.runPromise(Scope.extend(kind.connect(place, settings), scope))
      }
    })
  )

/** Checks every law, with each official client, where they meet the server. */
export const suite = (name: Context.Tag.Service<Place>["name"], place: Layer.Layer<Place>): void => {
  layer(place, { excludeTestServices: true, timeout: "60 seconds" })(`the full server over ${name}`, (it) => {
    for (const kind of kinds) {
      it.layer(subject(kind), { timeout: "60 seconds" })(`with ${kind.name}`, (it) => {
        for (const law of laws) {
          if (law.where?.({ isModern: kind.isModern, place: name }) === false) continue
          it.effect(law.name, () => Effect.flatMap(Connected, (subject) => Effect.promise(() => law.check(subject))))
        }
      })
    }
  })
}
