import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as Progress from "../../examples/ingest/progress.js"

describe("progress", () => {
  const record = (isTerminal: boolean) => {
    const written: Array<string> = []
    return Effect.map(
      Progress.make({ isTerminal, write: (text) => written.push(text) }),
      (progress) => ({ progress, written })
    )
  }
  const state = (documents: number, bytes: number): Progress.State => ({ documents, bytes, totalBytes: 1000 })

  it.effect("redraws one line on a terminal, ten times a second at most, and takes it away at the end", () =>
    Effect.gen(function*() {
      const { progress, written } = yield* record(true)
      yield* TestClock.adjust("10 seconds")
      yield* progress.update(state(50, 250))
      yield* progress.update(state(60, 300))
      yield* TestClock.adjust("10 seconds")
      yield* progress.update(state(1200, 500))
      yield* progress.finish
      assert.deepStrictEqual(written, [
        "\r\u001b[2K[######------------------] 25%, 50 documents, 5/s, 0:30 left",
        "\r\u001b[2K[############------------] 50%, 1,200 documents, 60/s, 0:20 left",
        "\r\u001b[2K"
      ])
    }))

  it.effect("writes a line every two seconds or 500 documents elsewhere", () =>
    Effect.gen(function*() {
      const { progress, written } = yield* record(false)
      yield* TestClock.adjust("1 second")
      yield* progress.update(state(50, 50))
      yield* progress.update(state(500, 500))
      yield* TestClock.adjust("1 second")
      yield* progress.update(state(550, 550))
      yield* TestClock.adjust("1 second")
      yield* progress.update(state(600, 600))
      yield* progress.finish
      assert.deepStrictEqual(written, [
        "50%, 500 documents, 500/s, 0:01 left\n",
        "60%, 600 documents, 200/s, 0:02 left\n"
      ])
    }))
})
