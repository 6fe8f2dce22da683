import { assert, describe, it } from "@effect/vitest"
import * as HeaderValue from "causeway-mcp/protocol/HeaderValue"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"

/** Any character that has a UTF-8 form. */
const character = FastCheck.integer({ min: 0, max: 0x10ffff })
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code))

const decodes = (raw: string, value: string) => assert.deepStrictEqual(HeaderValue.decode(raw), Option.some(value))

const refuses = (raw: string) => assert.deepStrictEqual(HeaderValue.decode(raw), Option.none())

describe("HeaderValue.decode", () => {
  it("reads a plain value as it is", () => {
    decodes("deploy", "deploy")
    decodes("a b\tc", "a b\tc")
    decodes("SGVsbG8=", "SGVsbG8=")
  })

  it("reads base64 between the markers", () => {
    decodes("=?base64?SGVsbG8=?=", "Hello")
    decodes("=?base64?w7zwn5KhIA==?=", "ü💡 ")
  })

  it("takes blanks off both ends before it looks for markers", () => {
    decodes(" \tdeploy\t ", "deploy")
    decodes("  =?base64?SGVsbG8=?=  ", "Hello")
  })

  it("keeps blanks that are inside the base64", () => decodes("=?base64?IGEg?=", " a "))

  it("reads an empty value both ways", () => {
    decodes("", "")
    decodes("   ", "")
    decodes("=?base64??=", "")
  })

  it("takes a value with one marker, or with other letters in it, literally", () => {
    decodes("=?base64?SGVsbG8=", "=?base64?SGVsbG8=")
    decodes("SGVsbG8=?=", "SGVsbG8=?=")
    decodes("=?BASE64?SGVsbG8=?=", "=?BASE64?SGVsbG8=?=")
    decodes("=?Base64?SGVsbG8=?=", "=?Base64?SGVsbG8=?=")
    decodes("=?base64?=", "=?base64?=")
  })

  it("refuses padding that is missing, short or too long", () => {
    for (const payload of ["SGVsbG8", "SGVsbA", "SGVsbA=", "SGVsbG8==", "=", "====", "A", "SGVsbG8=SGVs"]) {
      refuses(`=?base64?${payload}?=`)
    }
  })

  it("refuses characters outside the standard alphabet", () => {
    for (const payload of ["SGVs_G8=", "SGVs-G8=", "SGVs bG8=", "SGVs!G8=", "SGVs\tbG8"]) {
      refuses(`=?base64?${payload}?=`)
    }
  })

  it("refuses bytes that are not UTF-8", () => {
    refuses(`=?base64?${Buffer.from([0xff, 0xfe]).toString("base64")}?=`)
    refuses(`=?base64?${Buffer.from([0xc3]).toString("base64")}?=`)
    refuses(`=?base64?${Buffer.from([0xed, 0xa0, 0x80]).toString("base64")}?=`)
  })

  it("refuses characters that a plain value cannot have", () => {
    for (const raw of ["é", "a\u0000b", "a\nb", "a\u007fb", "日本"]) refuses(raw)
  })
})

describe("HeaderValue.encode", () => {
  it("leaves alone what can travel plain", () => {
    for (const value of ["", "deploy", "a b\tc", "file:///a?b=c", "=?base64?", "SGVsbG8="]) {
      assert.strictEqual(HeaderValue.encode(value), value)
    }
  })

  it("encodes what cannot, and what would be taken for encoded", () => {
    assert.strictEqual(HeaderValue.encode("ü"), "=?base64?w7w=?=")
    assert.strictEqual(HeaderValue.encode(" a"), "=?base64?IGE=?=")
    assert.strictEqual(HeaderValue.encode("a\n"), "=?base64?YQo=?=")
    assert.strictEqual(HeaderValue.encode("=?base64?QQ==?="), "=?base64?PT9iYXNlNjQ/UVE9PT89?=")
  })

  it("writes only what a header can carry, and decode gives it back", () => {
    const strings = FastCheck.oneof(
      FastCheck.string({ unit: character }),
      FastCheck.string(),
      FastCheck.string({ unit: FastCheck.constantFrom("=", "?", "base64", " ", "\t", "é", "A") })
    )
    FastCheck.assert(
      FastCheck.property(strings, (value) => {
        const raw = HeaderValue.encode(value)
        assert.match(raw, /^[\t\x20-\x7e]*$/u)
        decodes(raw, value)
        decodes(` ${raw}\t`, value)
      }),
      { numRuns: 1000 }
    )
  })

  it("keeps a byte order mark", () => decodes(HeaderValue.encode("\ufeffa"), "\ufeffa"))
})

describe("HeaderValue.trim", () => {
  it("takes off spaces and tabs, and nothing else", () => {
    assert.strictEqual(HeaderValue.trim(" \t 2026-07-28\t"), "2026-07-28")
    assert.strictEqual(HeaderValue.trim("\u00a0x\u00a0"), "\u00a0x\u00a0")
    assert.strictEqual(HeaderValue.trim(" \t "), "")
  })
})
