import { assert, describe, it } from "@effect/vitest"
import * as Lines from "causeway-mcp/transport/internal/Lines"
import * as FastCheck from "effect/FastCheck"

const collect = (maxBytes: number, chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<string> => {
  const seen: Array<string> = []
  const lines = Lines.make(maxBytes, { onText: (text) => seen.push(text), onUnreadable: () => seen.push("?") })
  for (const chunk of chunks) lines.push(chunk)
  lines.end()
  return seen
}

const cut = (bytes: Buffer, size: number): ReadonlyArray<Buffer> =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size))

describe("Lines", () => {
  it("gives the same lines however the bytes are cut", () => {
    const characters = ["a", "\u00e9", "\u4e2d", "\u{1f600}", "\u2028", "\u0000", "\r", " "]
    const line = FastCheck.array(FastCheck.constantFrom(...characters)).map((text) => `{${text.join("")}}`)
    FastCheck.assert(
      FastCheck.property(FastCheck.array(line), FastCheck.integer({ min: 1, max: 9 }), (texts, size) => {
        const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(""))
        assert.deepStrictEqual(collect(1e6, cut(bytes, size)), texts)
        assert.deepStrictEqual(collect(1e6, [bytes]), texts)
      })
    )
  })

  it("skips blank lines and accepts a carriage return before the line end", () => {
    const seen = collect(100, [Buffer.from("\n\r\n  \t\n{\"a\":1}\r\n\n")])
    assert.deepStrictEqual(seen.map((text) => JSON.parse(text)), [{ a: 1 }])
  })

  it("reads a last line that has no line end", () => {
    assert.deepStrictEqual(collect(100, [Buffer.from("a\nb")]), ["a", "b"])
  })

  for (const size of [1, 3, 1000]) {
    it(`finds the one line that is not UTF-8 in chunks of ${size}`, () => {
      const bytes = Buffer.concat([Buffer.from("a\n"), Buffer.from([0xc3, 0x28]), Buffer.from("\n\u00e9\n")])
      assert.deepStrictEqual(collect(100, cut(bytes, size)), ["a", "?", "\u00e9"])
    })

    it(`reports a line that is too long once and reads on after it, in chunks of ${size}`, () => {
      const bytes = Buffer.from(`${"x".repeat(10)}\n${"y".repeat(11)}\n${"z".repeat(500)}\nok\n`)
      assert.deepStrictEqual(collect(10, cut(bytes, size)), ["x".repeat(10), "?", "?", "ok"])
    })
  }

  it("reports an endless line before it ends", () => {
    let reports = 0
    const lines = Lines.make(1000, { onText: () => assert.fail("there is no line"), onUnreadable: () => reports++ })
    for (let n = 0; n < 1000; n++) lines.push(Buffer.alloc(100, "x"))
    assert.strictEqual(reports, 1)
  })
})
