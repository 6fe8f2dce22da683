import { assert, describe, it } from "@effect/vitest"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as StreamSafe from "causeway-mcp/embedding/StreamSafe"
import * as Effect from "effect/Effect"

const none = /(?!)/g

describe("StreamSafe.normalize", () => {
  it("changes nothing of a text with up to 30 marks in a row but its case and form", () => {
    for (const text of ["Müller", "Ａｂｃ", "한국어", "प्रकाश", `e${"\u0301".repeat(30)}`]) {
      assert.strictEqual(StreamSafe.normalize(text, none), text.normalize("NFKD").toLowerCase().normalize("NFC"))
    }
  })

  it("ends a longer run of marks by a joiner", () => {
    assert.include(StreamSafe.normalize(`e${"\u0316".repeat(31)}`, none), "\u034f")
  })

  it.effect("keeps a megabyte of marks from stopping the embedded embedder", () =>
    Effect.gen(function*() {
      const embedder = yield* Embedder.Embedder
      const [vector] = yield* embedder.embed([`a${"\u0315\u0300".repeat(500_000)}`])
      assert.strictEqual(vector?.length, embedder.dimensions)
    }).pipe(Effect.provide(Embedder.layerHash)), 10_000)
})
