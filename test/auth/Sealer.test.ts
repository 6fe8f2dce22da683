import { assert, describe, it } from "@effect/vitest"
import * as Sealer from "causeway-mcp/auth/Sealer"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Redacted from "effect/Redacted"

const secret = (text: string) => Redacted.make(text.padEnd(Sealer.minSecretBytes, "."))
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\u0000é"
const strings = FastCheck.array(FastCheck.string({ unit: "binary", maxLength: 8 }), { maxLength: 4 })

/** Checks a property of a sealer. */
const property = <T>(arbitrary: FastCheck.Arbitrary<T>, holds: (sealer: Sealer.Sealer, value: T) => boolean) =>
  Effect.map(
    Sealer.random,
    (sealer) => FastCheck.assert(FastCheck.property(arbitrary, (value) => holds(sealer, value)))
  )

describe("a sealer", () => {
  it.effect("opens what it sealed, of whatever length", () =>
    property(
      FastCheck.tuple(FastCheck.string({ unit: "grapheme" }), FastCheck.string(), strings),
      (sealer, [text, purpose, binding]) => sealer.open(purpose, sealer.seal(purpose, text, binding), binding) === text
    ))
  it.effect("gives visible ASCII, and never the same twice", () =>
    property(FastCheck.string({ unit: "binary" }), (sealer, text) => {
      const tokens = [sealer.seal("p", text, []), sealer.seal("p", text, [])]
      return tokens[0] !== tokens[1] && tokens.every((token) => /^v1\.[\w-]{8}\.[\w-]{38,}$/u.test(token))
    }))
  it.effect("does not open a token of which any character was changed", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      // Lengths that end in every way base64 can.
      for (const text of ["", "a", "ab", "abc"]) {
        const token = sealer.seal("p", text, ["b"])
        for (let at = 0; at < token.length; at++) {
          for (const character of alphabet) {
            if (character === token[at]) continue
            const changed = token.slice(0, at) + character + token.slice(at + 1)
            assert.isUndefined(sealer.open("p", changed, ["b"]), `at ${at}, ${JSON.stringify(character)}`)
          }
        }
      }
    }))
  it.effect("does not open a token that was cut, lengthened or padded", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const token = sealer.seal("p", "text", [])
      for (let end = 0; end < token.length; end++) assert.isUndefined(sealer.open("p", token.slice(0, end), []))
      for (const more of ["A", "AA", "AAA", "AAAA", "=", "==", "\n", " "]) {
        assert.isUndefined(sealer.open("p", token + more, []))
      }
      assert.isUndefined(sealer.open("p", ` ${token}`, []))
    }))
  it.effect("never throws, whatever it is given to open", () =>
    property(FastCheck.oneof(FastCheck.string({ unit: "binary" }), FastCheck.base64String()), (sealer, any) => {
      const [, id] = sealer.seal("p", "", []).split(".")
      return sealer.open("p", any, []) === undefined && sealer.open("p", `v1.${id}.${any}`, []) === undefined
    }))
  it.effect("does not open for another purpose", () =>
    property(
      FastCheck.tuple(FastCheck.string({ unit: "binary" }), FastCheck.string({ unit: "binary" })),
      (sealer, [one, other]) => (sealer.open(other, sealer.seal(one, "text", []), []) === "text") === (one === other)
    ))
  it.effect("does not open under another binding, however its parts are cut", () =>
    Effect.gen(function*() {
      yield* property(FastCheck.tuple(strings, strings), (sealer, [one, other]) =>
        (sealer.open("p", sealer.seal("p", "text", one), other) === "text") ===
          (JSON.stringify(one) === JSON.stringify(other)))
      const sealer = yield* Sealer.random
      const alike: ReadonlyArray<ReadonlyArray<string>> = [
        ["a", "bc"],
        ["ab", "c"],
        ["abc"],
        ["abc", ""],
        ["", "abc"],
        ["bc", "a"],
        ["\ud800"],
        ["\ud801"],
        ["\ufffd"]
      ]
      for (const one of alike) {
        const token = sealer.seal("p", "text", one)
        for (const other of alike) {
          assert.strictEqual(sealer.open("p", token, other) === "text", one === other)
        }
      }
      assert.isUndefined(sealer.open("p", sealer.seal("pa", "text", ["b"]), ["ab"]))
    }))
  it.effect("does not look at a token that is too long, and makes none", () =>
    Effect.gen(function*() {
      const sealer = yield* Sealer.random
      const most = Math.floor((Sealer.maxTokenLength - "v1.12345678.".length) * 3 / 4) - 28
      const token = sealer.seal("p", "x".repeat(most), [])
      assert.strictEqual(token.length, Sealer.maxTokenLength)
      assert.strictEqual(sealer.open("p", token, [])?.length, most)
      assert.throws(() => sealer.seal("p", "x".repeat(most + 1), []), /may have 131072 characters/u)
      assert.isUndefined(sealer.open("p", `${token}A`, []))
    }))
})

describe("Sealer.make", () => {
  it.effect("opens what any instance with the same secret sealed", () =>
    Effect.gen(function*() {
      const one = yield* Sealer.make([secret("a")])
      const other = yield* Sealer.make([secret("a")])
      assert.strictEqual(other.open("p", one.seal("p", "text", ["b"]), ["b"]), "text")
      assert.isUndefined((yield* Sealer.random).open("p", one.seal("p", "text", []), []))
    }))
  it.effect("opens with every secret, seals with the first, and no longer opens when one is removed", () =>
    Effect.gen(function*() {
      const before = yield* Sealer.make([secret("old")])
      const during = yield* Sealer.make([secret("new"), secret("old")])
      const after = yield* Sealer.make([secret("new")])
      const old = before.seal("p", "text", [])
      const recent = during.seal("p", "text", [])
      assert.strictEqual(during.open("p", old, []), "text")
      assert.strictEqual(during.open("p", recent, []), "text")
      assert.strictEqual(after.open("p", recent, []), "text")
      assert.isUndefined(after.open("p", old, []))
      assert.isUndefined(before.open("p", recent, []))
    }))
  it.effect("refuses a short secret, saying which, and not what it is", () =>
    Effect.gen(function*() {
      const refused = yield* Effect.either(Sealer.make([secret("long"), Redacted.make("x".repeat(31))]))
      assert.isTrue(Either.isLeft(refused))
      if (Either.isLeft(refused)) {
        assert.strictEqual(
          refused.left.message,
          "Secret 2 has 31 bytes and needs at least 32; make one with \"openssl rand -base64 32\" and give it to every instance."
        )
        assert.isFalse(refused.left.isRetryable)
        assert.notInclude(JSON.stringify(refused.left), "xxx")
      }
    }))
  it.effect("counts the bytes of a secret, not its characters", () =>
    Effect.gen(function*() {
      assert.isTrue(Either.isRight(yield* Effect.either(Sealer.make([Redacted.make("é".repeat(16))]))))
    }))
})
