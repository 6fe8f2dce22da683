import { assert, describe, it } from "@effect/vitest"
import * as Sse from "causeway-mcp/provider/internal/Sse"
import * as FastCheck from "effect/FastCheck"

const encoder = new TextEncoder()

const readAll = (pieces: ReadonlyArray<Uint8Array>) => {
  const reader = Sse.make()
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()]
}

const readText = (text: string) => readAll([encoder.encode(text)])

describe("Sse", () => {
  it("reads CR, LF and CRLF, comments, other fields and data without a space", () => {
    const text =
      "\uFEFF: hello\r\n\r\nevent: x\r\nid: 1\r\ndata: one\r\n\r\nretry: 5\ndata:two\n\n\n\ndata: three\r\r: bye\n\n"
    assert.deepStrictEqual(readText(text), ["one", "two", "three"])
  })

  it("joins several data lines of one event, and keeps an empty one", () => {
    assert.deepStrictEqual(readText("data: a\ndata\ndata: b\n\ndata:\n\n"), ["a\n\nb", ""])
  })

  it("gives an event that the end left without its blank line", () => {
    assert.deepStrictEqual(readText("data: a\n\ndata: b\n"), ["a", "b"])
    assert.deepStrictEqual(readText("data: a\n\ndata: b"), ["a", "b"])
  })

  it("reads the same however the bytes are cut, also inside a character and inside CRLF", () => {
    const texts = FastCheck.array(FastCheck.constantFrom("héllo 🌊", "日本", "{\"a\":1}", "x"), {
      minLength: 1,
      maxLength: 6
    })
    const ending = FastCheck.constantFrom("\n", "\r", "\r\n")
    FastCheck.assert(FastCheck.property(
      texts,
      ending,
      FastCheck.array(FastCheck.nat(400), { maxLength: 12 }),
      (texts, end, cuts) => {
        const bytes = encoder.encode(texts.map((text) => `: ping${end}${end}data: ${text}${end}${end}`).join(""))
        const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
        const pieces = places.slice(1).map((place, index) => bytes.subarray(places[index], place))
        assert.deepStrictEqual(readAll(pieces), texts)
      }
    ))
  })

  it("refuses bytes that are not UTF-8", () => {
    assert.throws(() => readAll([Uint8Array.of(0x64, 0xff, 0x0a)]), TypeError)
  })

  it("refuses an event without end", () => {
    const reader = Sse.make()
    const piece = encoder.encode("x".repeat(100_000))
    assert.throws(() => {
      for (let i = 0; i < 20; i++) reader.push(piece)
    }, RangeError)
  })

  it("reads a megabyte that comes byte by byte in reasonable time", () => {
    const startedAt = performance.now()
    const bytes = encoder.encode(`data: ${"x".repeat(500_000)}\n\n`)
    const reader = Sse.make()
    let found = 0
    for (let at = 0; at < bytes.length; at++) found += reader.push(bytes.subarray(at, at + 1)).length
    assert.strictEqual(found, 1)
    assert.isBelow(performance.now() - startedAt, 5000)
  })
})
