import { assert, describe, it } from "@effect/vitest"
import * as WatchedFile from "causeway-mcp/auth/internal/WatchedFile"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

class Unusable extends Data.TaggedError("Unusable")<{ readonly message: string }> {}

const open = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "causeway-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const file = join(folder, "words")
  writeFileSync(file, "one")
  utimesSync(file, 1_000_000_000, 1_000_000_000)
  const logged: Array<string> = []
  const changes: Array<string> = []
  const current = yield* WatchedFile.make<string, Unusable>(file, {
    parse: (text) => (text === "bad" ? Either.left(new Unusable({ message: "it is bad" })) : Either.right(text)),
    unreadable: () => new Unusable({ message: "it cannot be read" }),
    name: "The words",
    changed: (before, after) => void changes.push(`${before} ${after}`)
  }).pipe(
    Effect.provide(
      Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => void logged.push(String(message))))
    )
  )
  const look = Effect.zipRight(
    TestClock.adjust("2 seconds"),
    Effect.promise(() => new Promise((done) => setTimeout(done, 10)))
  )
  /** Looks until it is so. */
  const until = (isSo: () => boolean) => Effect.repeat(look, { until: isSo, times: 500 })
  return { file, current, logged, changes, look, until }
})

describe("WatchedFile", () => {
  it.scoped("takes what is new when it looks, and tells of it", () =>
    Effect.gen(function*() {
      const { changes, current, file, until } = yield* open
      writeFileSync(file, "three")
      assert.strictEqual(current(), "one")
      yield* until(() => current() === "three")
      assert.deepStrictEqual(changes, ["one three"])
    }))

  it.scoped("notices other words of the same length and the same date", () =>
    Effect.gen(function*() {
      const { changes, file, until } = yield* open
      writeFileSync(file, "two")
      utimesSync(file, 1_000_000_000, 1_000_000_000)
      yield* until(() => changes.length > 0)
      assert.deepStrictEqual(changes, ["one two"])
    }))

  it.scoped("says once that a version cannot be used, or cannot be read, and takes the next", () =>
    Effect.gen(function*() {
      const { changes, current, file, logged, look, until } = yield* open
      writeFileSync(file, "bad")
      yield* until(() => logged.length > 0)
      yield* Effect.repeatN(look, 3)
      assert.deepStrictEqual(logged, ["The words stay as they were: it is bad"])
      rmSync(file)
      mkdirSync(file)
      yield* until(() => logged.length > 1)
      yield* Effect.repeatN(look, 3)
      assert.isTrue(logged.slice(1).every((line) => line === "The words stay as they were: it cannot be read"))
      assert.isAtMost(logged.length, 3)
      assert.strictEqual(current(), "one")
      rmSync(file, { recursive: true })
      writeFileSync(file, "four")
      yield* until(() => changes.length > 0)
      assert.deepStrictEqual(changes, ["one four"])
    }))
})
