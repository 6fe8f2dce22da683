import { assert, describe, it } from "@effect/vitest"
import type { Document } from "causeway-mcp/document/Document"
import * as MemoryStore from "causeway-mcp/document/internal/MemoryStore"
import * as Snapshot from "causeway-mcp/document/internal/Snapshot"
import type * as SnapshotFile from "causeway-mcp/document/internal/SnapshotFile"
import * as Effect from "effect/Effect"

const dimensions = 4

const embedder = {
  id: "test-4",
  dimensions,
  embed: (texts: ReadonlyArray<string>) =>
    Effect.succeed(texts.map((text) => new Float32Array([text.length % 7, text.length % 5, 1, 0])))
}

const framesOf = (capture: MemoryStore.Capture): ReadonlyArray<SnapshotFile.Frame> => {
  const next = Snapshot.frames(capture, embedder)
  const all: Array<SnapshotFile.Frame> = []
  for (let frame = next(); frame !== undefined; frame = next()) all.push(frame)
  capture.end()
  return all
}

/** What a store holds after it was written and read again, through JSON as in a file. */
const again = (frames: ReadonlyArray<SnapshotFile.Frame>) =>
  Effect.gen(function*() {
    const memory = MemoryStore.make({ embedder })
    const left = frames.map(({ bytes, json }) => ({ bytes, json: JSON.parse(JSON.stringify(json)) as unknown }))
    yield* Snapshot.restore(memory, embedder, Effect.sync(() => left.shift()))
    return memory
  })

const large = "x".repeat(60_000)

describe("Snapshot.frames", () => {
  it.effect("keeps every frame small, however much is known of each document", () =>
    Effect.gen(function*() {
      const memory = MemoryStore.make({ embedder })
      const documents = Array.from({ length: 200 }, (_, n): Document => ({
        id: `d${n}`,
        text: `Stork ${n}.`,
        title: "t".repeat(2_000),
        metadata: { large, n }
      }))
      yield* memory.index("t", documents)
      const frames = framesOf(memory.capture())
      for (const { bytes, json } of frames) assert.isBelow(JSON.stringify(json).length + bytes.length, 600_000)
      const read = yield* again(frames)
      assert.strictEqual((yield* read.get("t", "d199"))[0]?.metadata["large"], large)
      assert.strictEqual((yield* read.size("t")).documents, 200)
    }))

  it.effect("gives back words as often as they occur, and scores to the bit", () =>
    Effect.gen(function*() {
      const memory = MemoryStore.make({ embedder })
      yield* memory.index("t", [
        ...[1, 14, 15, 16, 30, 31, 45, 200].map((count) => ({
          id: `d${count}`,
          text: `${"heron ".repeat(count)}and ibis.`
        })),
        { id: "none", text: "The of and." },
        { id: "long", text: "A heron met an ibis. ".repeat(2_000), title: "Birds" }
      ])
      yield* memory.index("u", [{ id: "a", text: "Ibis heron." }, { id: "b", text: "Another stork and a heron." }])
      const frames = framesOf(memory.capture())
      const read = yield* again(frames)
      for (const tenant of ["t", "u"]) {
        for (const text of ["heron", "ibis heron", "stork birds"]) {
          const query = { tenant, text, limit: 100, vector: new Float32Array([1, 2, 3, 0]) }
          assert.deepStrictEqual(yield* read.search(query), yield* memory.search(query))
        }
      }
      const first = framesOf(read.capture())
      assert.deepStrictEqual(framesOf((yield* again(first)).capture()), first)
    }))

  it.effect("holds the words of what is replaced or removed while it is read", () =>
    Effect.gen(function*() {
      const memory = MemoryStore.make({ embedder })
      const state = (turn: number) =>
        Array.from({ length: 400 }, (_, n) => ({ id: `d${n}`, text: `Stork${n} of turn${turn}.` }))
      yield* memory.index("t", state(1))
      const query = { tenant: "t", text: "stork7 turn1 stork399", limit: 100 }
      const before = yield* memory.search(query)
      const capture = memory.capture()
      const next = Snapshot.frames(capture, embedder)
      const frames: Array<SnapshotFile.Frame> = []
      for (let frame = next(), n = 0; frame !== undefined; frame = next(), n++) {
        frames.push(frame)
        if (n === 1) yield* memory.index("t", state(2).slice(150, 300))
        if (n === 3) yield* memory.remove("t", state(1).map(({ id }) => id))
        if (n === 4) yield* memory.index("t", state(3).slice(390))
      }
      capture.end()
      assert.isAbove(frames.length, 5)
      const read = yield* again(frames)
      assert.deepStrictEqual(yield* read.search(query), before)
      assert.deepStrictEqual(yield* read.search({ ...query, text: "turn2 turn3" }), [])
    }))
})
