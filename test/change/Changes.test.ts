import { assert, describe, it, layer } from "@effect/vitest"
import * as Changes from "causeway-mcp/change/Changes"
import * as ChangesLaws from "causeway-mcp/testing/ChangesLaws"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

layer(Layer.provide(Changes.layerMemory, Logger.remove(Logger.defaultLogger)))("Changes.layerMemory", (it) => {
  for (const { check, name } of ChangesLaws.laws) it.effect(name, () => check)
})

describe("Changes.makeMemory", () => {
  it.effect("logs that a listener threw", () => {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ message }) => void lines.push(message))
    return Effect.gen(function*() {
      const changes = yield* Changes.makeMemory
      changes.listen(() => {
        throw new Error("this listener is broken")
      })
      yield* changes.publish({ _tag: "ToolsChanged" })
      assert.lengthOf(lines, 1)
      assert.include(String(lines[0]), "A listener for changes threw")
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })

  it.effect("does not tell the listeners of another", () =>
    Effect.gen(function*() {
      const [here, elsewhere] = yield* Effect.all([Changes.makeMemory, Changes.makeMemory])
      const heard: Array<Changes.Event> = []
      elsewhere.listen((event) => void heard.push(event))
      yield* here.publish({ _tag: "ToolsChanged" })
      assert.deepStrictEqual(heard, [])
    }))
})
