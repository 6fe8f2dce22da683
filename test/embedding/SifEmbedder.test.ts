import { assert, describe, it, layer } from "@effect/vitest"
import * as Embedder from "causeway-mcp/embedding/Embedder"
import * as WordTable from "causeway-mcp/embedding/internal/WordTable"
import * as SifEmbedder from "causeway-mcp/embedding/SifEmbedder"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

const file = new URL("../../src/embedding/data/words-100d.bin", import.meta.url)

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, n) => sum + value * (b[n] ?? 0), 0)

/** The part that comes of the table. */
const meaning = (vector: Float32Array) => vector.subarray(284)

const isZero = (vector: Float32Array) => vector.every((value) => value === 0)

const isUnit = (vector: Float32Array) => Math.abs(Math.sqrt(dot(vector, vector)) - 1) < 1e-6

/** Any UTF-16 units, half surrogate pairs included, with letters and marks among them. */
const anyText = FastCheck.array(
  FastCheck.oneof(FastCheck.integer({ min: 0, max: 0xffff }), FastCheck.integer({ min: 32, max: 126 })),
  { maxLength: 150 }
).map((units) => String.fromCharCode(...units))

const pinned = [
  "The Central Bank raised rates by 0.25% on 2026-11-22; traders' bonds fell.",
  "Zürich, 日本銀行 🦜 and the analysis of unheardofwords",
  "Revenue, revenue and revenues: a company's income before its costs."
]

const digestOf = (vectors: ReadonlyArray<Float32Array>): string => {
  const bytes = Buffer.alloc(vectors.reduce((sum, { length }) => sum + length * 4, 0))
  let at = 0
  for (const vector of vectors) for (const value of vector) at = bytes.writeFloatLE(value, at)
  return createHash("sha256").update(bytes).digest("hex")
}

layer(SifEmbedder.layer())("SifEmbedder.layer", (it) => {
  const embed = (...texts: ReadonlyArray<string>) =>
    Effect.flatMap(Embedder.Embedder, (embedder) => embedder.embed(texts))

  it.effect("names its version and its table", () =>
    Effect.gen(function*() {
      const { dimensions, id } = yield* Embedder.Embedder
      assert.strictEqual(id, "causeway-sif-384-v1-ef2da24e")
      assert.strictEqual(dimensions, 384)
    }))

  it.effect("gives the same bits everywhere and always: another value needs another id", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        digestOf(yield* embed(...pinned)),
        "19209f5efd379fccfee9601f641ba55072b222ab2539c544e483cb1998a752be"
      )
    }))

  it.effect("gives one unit vector of its dimensions per text, in order, however many", () =>
    Effect.gen(function*() {
      const texts = Array.from({ length: 50 }, (_, n) => `text number ${n} of the report`)
      const vectors = yield* embed(...texts)
      assert.strictEqual(vectors.length, 50)
      for (const [n, vector] of vectors.entries()) {
        assert.strictEqual(vector.length, 384)
        assert.isTrue(isUnit(vector))
        assert.deepStrictEqual([vector], yield* embed(texts[n] ?? ""))
      }
    }))

  it.effect("gives the zero vector for a text without words, and none for none", () =>
    Effect.gen(function*() {
      for (const vector of yield* embed("", "   ", "the of and", "?!")) assert.isTrue(isZero(vector))
      assert.deepStrictEqual(yield* embed(), [])
    }))

  it.effect("puts what is used alike nearer than what is not, though spelt otherwise", () =>
    Effect.gen(function*() {
      const near = Effect.fnUntraced(function*(...texts: readonly [string, string, string]) {
        const [self = new Float32Array(), alike = self, other = self] = yield* embed(...texts)
        assert.isAbove(dot(self, alike), dot(self, other) + 0.05, texts.join(", "))
        assert.isAbove(dot(meaning(self), meaning(alike)), dot(meaning(self), meaning(other)) + 0.1, texts.join(", "))
      })
      yield* near("car", "automobile", "banana")
      yield* near("physician", "doctor", "mortgage")
      yield* near("revenue", "earnings", "mountain")
      yield* near("The company sacked its chief", "A firm dismissed the executive", "Rain fell on the hills all day")
    }))

  it.effect("goes by spelling alone where the table knows no word", () =>
    Effect.gen(function*() {
      const [right = new Float32Array(), wrong = right, other = right] = yield* embed(
        "zyxomatronics",
        "zyxomatronic",
        "quuxbarification"
      )
      for (const vector of [right, wrong, other]) {
        assert.isTrue(isUnit(vector))
        assert.isTrue(isZero(meaning(vector)))
      }
      assert.isAbove(dot(right, wrong), dot(right, other) + 0.2)
    }))

  it.effect("knows the plural of a word it knows", () =>
    Effect.gen(function*() {
      const [self = new Float32Array(), plural = self] = yield* embed("causeway", "causeways")
      assert.isFalse(isZero(meaning(self)))
      assert.isAbove(dot(self, plural), 0.9)
    }))

  it.effect("sees spelling in other scripts, and folds accents", () =>
    Effect.gen(function*() {
      const [bank = new Float32Array(), more = bank, greek = bank, accents = bank, plain = bank] = yield* embed(
        "日本銀行",
        "日本銀行の金利",
        "τράπεζα της Ελλάδος",
        "Café",
        "cafe"
      )
      for (const vector of [bank, more, greek]) assert.isTrue(isUnit(vector))
      assert.isAbove(dot(bank, more), dot(bank, greek) + 0.2)
      assert.deepStrictEqual(accents, plain)
    }))

  it.effect("takes a megabyte, of one word or of many", () =>
    Effect.gen(function*() {
      for (const vector of yield* embed("a".repeat(1_000_000), "market and price ".repeat(60_000))) {
        assert.isTrue(isUnit(vector))
      }
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
    Effect.gen(function*() {
      const { embed } = yield* Embedder.Embedder
      yield* Effect.promise(() =>
        FastCheck.assert(FastCheck.asyncProperty(anyText, async (text) => {
          const [vector = new Float32Array(1).fill(Number.NaN)] = await Effect.runPromise(embed([text]))
          const square = dot(vector, vector)
          assert.isTrue(square === 0 || Math.abs(square - 1) < 1e-5)
        }))
      )
    }))
})

describe("SifEmbedder.make", () => {
  /** A file with these bytes, for as long as the scope is open. */
  const table = (bytes: Buffer) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "causeway-sif-"))
        const table = Path.join(folder, "words.bin")
        Fs.writeFileSync(table, bytes)
        return { folder, table }
      }),
      ({ folder }) => Effect.sync(() => Fs.rmSync(folder, { recursive: true, force: true }))
    )

  const refusal = (bytes: Buffer) =>
    table(bytes).pipe(
      Effect.flatMap(({ table }) => Effect.flip(SifEmbedder.make({ table }))),
      Effect.scoped
    )

  it.effect("reads another table, under another id", () =>
    Effect.gen(function*() {
      const words = [
        { word: "bank", vector: Float32Array.of(1, 0, 0) },
        { word: "lender", vector: Float32Array.of(0.9, 0.1, 0) },
        { word: "banana", vector: Float32Array.of(0, 0, 1) }
      ]
      const written = yield* table(WordTable.encode(words, Float32Array.of(0, 1, 0)))
      const { dimensions, embed, id } = yield* SifEmbedder.make(written)
      assert.match(id, /^causeway-sif-384-v1-[0-9a-f]{8}$/)
      assert.notStrictEqual(id, (yield* SifEmbedder.make()).id)
      assert.strictEqual(dimensions, 384)
      const [bank = new Float32Array(), lender = bank, banana = bank] = yield* embed(["bank", "lender", "banana"])
      for (const vector of [bank, lender, banana]) {
        assert.strictEqual(vector.length, 384)
        assert.isTrue(isUnit(vector))
      }
      // the second direction is the one that all texts share
      assert.closeTo(dot(bank.subarray(381), lender.subarray(381)), 0.5, 1e-6)
      assert.closeTo(dot(bank.subarray(381), banana.subarray(381)), 0, 1e-6)
    }).pipe(Effect.scoped))

  it.effect("fails for good, with the cause, when the table is not there", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(SifEmbedder.make({ table: Path.join(Os.tmpdir(), "causeway-sif-none.bin") }))
      assert.strictEqual(error._tag, "EmbedderError")
      assert.isFalse(error.isRetryable)
      assert.isDefined(error.cause)
      assert.notInclude(error.message, Os.tmpdir())
    }))

  it.effect("refuses a table of which a bit is wrong or the end is missing", () =>
    Effect.gen(function*() {
      const whole = Fs.readFileSync(file)
      for (const at of [9, 100, 300_000, 3_000_000, whole.length - 1]) {
        const damaged = Buffer.from(whole)
        damaged[at] = (damaged[at] ?? 0) ^ 1
        const error = yield* refusal(damaged)
        assert.isFalse(error.isRetryable)
        assert.include(error.message, "damaged")
      }
      for (const length of [60, 4096, whole.length - 1]) {
        assert.include((yield* refusal(whole.subarray(0, length))).message, "damaged")
      }
    }))

  it.effect("refuses a table of another version, and says of which", () =>
    Effect.gen(function*() {
      const other = Buffer.from(Fs.readFileSync(file))
      other.writeUInt32LE(2, 4)
      assert.include((yield* refusal(other)).message, "version 2")
    }))

  it.effect("refuses what is no table, and one that leaves no room for spelling", () =>
    Effect.gen(function*() {
      for (const bytes of [Buffer.alloc(0), Buffer.from("no table"), Buffer.alloc(5000, "text")]) {
        assert.include((yield* refusal(bytes)).message, "no word table")
      }
      const wide = WordTable.encode(
        [{ word: "wide", vector: new Float32Array(384).fill(1) }],
        new Float32Array(384)
      )
      assert.include((yield* refusal(wide)).message, "384 dimensions")
    }))

  it("ships a table that a repository and a package can hold", () => {
    assert.isBelow(Fs.statSync(file).size, 4_000_000)
  })
})
