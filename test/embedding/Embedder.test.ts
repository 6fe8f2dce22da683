import { assert, layer } from "@effect/vitest"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as HashEmbedder from "causeway-mcp/embedding/HashEmbedder"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { createHash } from "node:crypto"

/** Any UTF-16 units, half surrogate pairs included, with letters and marks among them. */
const anyText = FastCheck.array(
  FastCheck.oneof(FastCheck.integer({ min: 0, max: 0xffff }), FastCheck.integer({ min: 32, max: 126 })),
  { maxLength: 150 }
).map((units) => String.fromCharCode(...units))

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, n) => sum + value * (b[n] ?? 0), 0)

const pinned = "The Central Bank raised rates by 0.25% on 2026-11-22; traders' bonds fell. Zürich, 日本銀行 🦜"

layer(Embedder.layerHash)("Embedder.layerHash", (it) => {
  const embed = (...texts: ReadonlyArray<string>) =>
    Effect.flatMap(Embedder.Embedder, (embedder) => embedder.embed(texts))

  it.effect("gives one unit vector of its dimensions per text, in order", () =>
    Effect.gen(function*() {
      const { dimensions, embed, id } = yield* Embedder.Embedder
      assert.strictEqual(id, "causeway-hash-384-v1")
      const texts = Array.from({ length: 50 }, (_, n) => `text number ${n}`)
      const vectors = yield* embed(texts)
      assert.strictEqual(vectors.length, 50)
      for (const [n, vector] of vectors.entries()) {
        assert.strictEqual(vector.length, dimensions)
        assert.closeTo(Math.sqrt(dot(vector, vector)), 1, 1e-6)
        assert.deepStrictEqual(vector, HashEmbedder.vector(texts[n] ?? ""))
      }
    }))

  it.effect("gives the zero vector for a text without words, and none for none", () =>
    Effect.gen(function*() {
      for (const vector of yield* embed("", "   ", "the of and", "?!")) {
        assert.isTrue(vector.every((value) => value === 0))
      }
      assert.deepStrictEqual(yield* embed(), [])
    }))

  it.effect("gives the same bits everywhere and always: another value needs another id", () =>
    Effect.gen(function*() {
      const [vector = new Float32Array()] = yield* embed(pinned)
      const bytes = Buffer.alloc(vector.length * 4)
      for (const [n, value] of vector.entries()) bytes.writeFloatLE(value, n * 4)
      assert.strictEqual(
        createHash("sha256").update(bytes).digest("hex"),
        "b6e6124a0a6cc8a9cacf4ce2c125caec08a05403c20ec15b63af872940ea4d77"
      )
    }))

  it.effect("puts texts that share words or parts of words nearer than others", () =>
    Effect.gen(function*() {
      const [query, same, related, other] = yield* embed(
        "central bank interest rates",
        "Interest rates of the Central Bank",
        "banking and centralised rate setting",
        "the quick brown fox jumps over lazy dogs"
      )
      assert.isDefined(other)
      if (query === undefined || same === undefined || related === undefined || other === undefined) return
      assert.closeTo(dot(query, same), 1, 1e-5)
      assert.isAbove(dot(query, related), dot(query, other) + 0.1)
      assert.isBelow(Math.abs(dot(query, other)), 0.2)
    }))

  it.effect("forgives a misspelt letter", () =>
    Effect.gen(function*() {
      const [right, wrong, other] = yield* embed("macroeconomics", "macroeconomcs", "ornithology")
      if (right === undefined || wrong === undefined || other === undefined) return assert.fail("no vectors")
      assert.isAbove(dot(right, wrong), 0.2)
      assert.isAbove(dot(right, wrong), dot(right, other) + 0.2)
    }))

  it.effect("takes a megabyte without a space", () =>
    Effect.gen(function*() {
      const [vector] = yield* embed("a".repeat(1_000_000))
      assert.closeTo(dot(vector ?? new Float32Array(), vector ?? new Float32Array()), 1, 1e-5)
    }))

  it.effect("lets others run between the texts of a large batch", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      yield* Effect.all([
        Effect.tap(embed(...Array.from({ length: 100 }, (_, n) => `text ${n}`)), () =>
          Effect.sync(() => order.push("large"))),
        Effect.sync(() =>
          order.push("small")
        )
      ], { concurrency: "unbounded" })
      assert.deepStrictEqual(order, ["small", "large"])
    }))

  it.effect("gives finite unit or zero vectors, whatever the text", () =>
    Effect.sync(() => {
      FastCheck.assert(FastCheck.property(anyText, (text) => {
        const vector = HashEmbedder.vector(text)
        const square = dot(vector, vector)
        assert.isTrue(square === 0 || Math.abs(square - 1) < 1e-5)
      }))
    }))
})
