/**
 * Subscriptions as their clients see them, on both transports.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Served } from "./Fixture.js"
import type { Visit } from "./WireHttp.js"
import type { Pipe } from "./WirePipe.js"
import type { Json } from "./Words.js"
import { at, Key, until } from "./Words.js"

export const acknowledged = "notifications/subscriptions/acknowledged"
export const tools = { _tag: "ToolsChanged" } as const
export const prompts = { _tag: "PromptsChanged" } as const
export const resources = { _tag: "ResourcesChanged" } as const
export const updated = (uri: string) => ({ _tag: "ResourceUpdated", uri }) as const

export const idOf = (message: unknown): unknown => at(message, "params", "_meta", Key.subscriptionId)
export const methodOf = (message: unknown): unknown => at(message, "method")

/** Messages of one subscription, whatever carries it. */
export interface Heard {
  readonly all: () => ReadonlyArray<unknown>
  readonly until: (count: number) => Effect.Effect<void>
}

export const heardOn = (visit: Visit): Heard => ({
  all: visit.events,
  until: (count) => until(() => visit.events().length >= count, () => `${count} events, got ${visit.text()}`)
})

export const overHttp = (served: Served, message: Json, user?: string) =>
  Effect.gen(function*() {
    const headers = user === undefined ? {} : { "x-test-user": user }
    const visit = yield* served.http.start(message, headers)
    yield* until(() => visit.events().length > 0 || visit.isEnded(), "the first message")
    return visit
  })

const onPipe = (pipe: Pipe): Heard => ({ all: () => pipe.received, until: pipe.until })

/** A subscription on each transport that takes everything from its ack on. */
export const carriers = [
  ["HTTP", (served: Served, message: Json) => Effect.map(overHttp(served, message), heardOn)],
  ["a pipe", (served: Served, message: Json) =>
    Effect.gen(function*() {
      const pipe = yield* served.pipe()
      pipe.say(message)
      yield* pipe.until(1)
      return onPipe(pipe)
    })]
] as const

export const isTagged = (heard: Heard, id: unknown): void => {
  for (const message of heard.all()) assert.strictEqual(idOf(message), id, JSON.stringify(message))
}
