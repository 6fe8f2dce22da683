import { assert, describe, it } from "@effect/vitest"
import * as Chunker from "causeway-mcp/document/Chunker"
import * as FastCheck from "effect/FastCheck"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"

const dense = (text: string) => text.replace(/\s+/gu, "")

const texts = (text: string, options?: Chunker.Options) => Chunker.chunk({ text }, options).map((chunk) => chunk.text)

/** Text as documents have it: sentences, blank lines, lists, headings, and the odd long word. */
const prose = FastCheck.array(
  FastCheck.oneof(
    FastCheck.string({ unit: "grapheme", maxLength: 40 }),
    FastCheck.lorem({ mode: "sentences", maxCount: 6 }),
    FastCheck.constantFrom(
      "\n\n",
      "\n- item ",
      "\n# Heading\n",
      "\n## Sub\n",
      ". ",
      "\r\n",
      "x".repeat(700),
      "e.g. ",
      "。",
      "\n| a | b |\n|---|---|\n| 1 | 2 |\n",
      "\n```js\n// one\n\n# two. Three.\n```\n",
      "\n```\n",
      "\n\nTitle\n=====\n",
      "<table><tr><td>x</td></tr></table>",
      "\n| x"
    )
  ),
  { maxLength: 40 }
).map((parts) => parts.join(" "))

describe("Chunker.chunk", () => {
  it("leaves a short text whole, without white space around it", () => {
    assert.deepStrictEqual(Chunker.chunk({ text: "  One. Two.\n" }), [{
      position: 0,
      text: "One. Two.",
      span: { start: 2, end: 11 }
    }])
  })

  it("gives no passage for a blank text", () => {
    assert.deepStrictEqual(Chunker.chunk({ text: " \n\t\n " }), [])
  })

  it("ends passages at sentences and repeats the last short one", () => {
    const sentences = Array.from({ length: 12 }, (_, n) => `Sentence number ${n} says a little something.`)
    const passages = texts(sentences.join(" "), { maxLength: 400 })
    assert.isAbove(passages.length, 1)
    for (const [n, passage] of passages.entries()) {
      assert.match(passage, /^Sentence .*something\.$/s)
      const last = passage.slice(passage.lastIndexOf("Sentence"))
      const next = passages[n + 1]
      if (next !== undefined) assert.isTrue(next.startsWith(last.slice(0, 20)))
    }
  })

  it("repeats nothing when no overlap is wanted", () => {
    const text = Array.from({ length: 30 }, (_, n) => `Sentence number ${n} says something.`).join(" ")
    assert.strictEqual(dense(texts(text, { maxLength: 200, overlap: 0 }).join(" ")), dense(text))
  })

  it("does not end a sentence at an abbreviation or an initial", () => {
    const text = `${"Dr. J. Smith of Acme Inc. Boston spoke to Mrs. Jones for a while. ".repeat(4)}`
    for (const passage of texts(text, { maxLength: 150, overlap: 0 })) assert.match(passage, /^Dr\. .*while\.$/s)
  })

  it("keeps a heading with the text after it", () => {
    const body = "Some text about it goes here and on. ".repeat(7)
    const passages = texts(`# One\n${body}\n# Two\n## Deeper\n${body}`, { maxLength: 300, overlap: 0 })
    assert.isTrue(passages.some((passage) => /^# Two\s+## Deeper\s+Some text/.test(passage)))
    for (const passage of passages) assert.notMatch(passage, /#+ \w+$/)
  })

  it("cuts a giant word and keeps surrogate pairs whole", () => {
    const passages = texts("🦜".repeat(2000), { maxLength: 101 })
    assert.strictEqual(passages.join(""), "🦜".repeat(2000))
    for (const passage of passages) assert.isFalse(/\p{Cs}/u.test(passage))
  })

  it("cuts a long table at line ends", () => {
    const text = Array.from({ length: 60 }, (_, n) => `row ${n} cell cell cell`).join("\n")
    for (const passage of texts(text, { maxLength: 300 })) assert.match(passage, /^row .*cell$/s)
  })

  it("cuts prose as it did when the lengths were tuned", () => {
    const texts = ["news", "filings", "notes"].flatMap((name) =>
      readFileSync(new URL(`../../examples/corpus/${name}.jsonl`, import.meta.url), "utf8").trim().split("\n")
        .map((line): string => JSON.parse(line).text)
    )
    const all = [
      ...texts,
      texts.join(" "),
      texts.join("\n\n"),
      texts.map((text, n) => `# Part ${n}\n${text}`).join("\n\n"),
      texts.join("\r\n\r\n")
    ]
    const digest = (options: Chunker.Options) => {
      const spans = all.map((text) => Chunker.chunk({ text }, options).map(({ span }) => [span.start, span.end]))
      return createHash("sha256").update(JSON.stringify(spans)).digest("hex").slice(0, 16)
    }
    assert.strictEqual(digest({}), "83c0d2e162999594")
    assert.strictEqual(digest({ maxLength: 300 }), "c4d9e1dc71eb6d5f")
    assert.strictEqual(digest({ maxLength: 600, overlap: 0 }), "6c40e6a2f09f6cac")
  })

  it("makes passages of about equal length rather than a short last one", () => {
    const passages = texts("A sentence of forty characters, more or less. ".repeat(40), { maxLength: 1600, overlap: 0 })
    assert.strictEqual(passages.length, 2)
    assert.isBelow(Math.abs((passages[0] ?? "").length - (passages[1] ?? "").length), 100)
  })

  it("loses nothing but white space, stays within bounds and gives no blank passage, whatever the text", () => {
    FastCheck.assert(FastCheck.property(prose, FastCheck.integer({ min: 100, max: 800 }), (text, maxLength) => {
      const chunks = Chunker.chunk({ text }, { maxLength, overlap: 0 })
      assert.strictEqual(dense(chunks.map((chunk) => chunk.text).join("\n")), dense(text))
      for (const [n, chunk] of chunks.entries()) {
        assert.strictEqual(chunk.position, n)
        assert.isTrue(chunk.text.length <= maxLength && chunk.text.trim() === chunk.text && chunk.text !== "")
        assert.strictEqual(text.slice(chunk.span.start, chunk.span.end), chunk.text)
      }
    }))
  })

  it("keeps passages within bounds, in order and covering the text also when they overlap", () => {
    FastCheck.assert(FastCheck.property(prose, (text) => {
      const chunks = Chunker.chunk({ text }, { maxLength: 300 })
      let covered = 0
      let from = 0
      for (const { span: { end, start }, text: passage } of chunks) {
        assert.isAtMost(passage.length, 300)
        assert.strictEqual(text.slice(start, end), passage)
        assert.isTrue(start >= from && end > covered && dense(text.slice(covered, start)) === "")
        covered = end
        from = start
      }
      assert.strictEqual(dense(text.slice(covered)), "")
    }))
  })
})

describe("Chunker.check", () => {
  it("takes an ordinary document, also with tabs, control characters here and there, and a date", () => {
    assert.isUndefined(Chunker.check({
      id: "a",
      text: "Line\tone.\r\n\fPage two has a stray \x07 in a long enough line of text.",
      publishedAt: "2026-11-22T09:00:00+01:00",
      metadata: { a: 1, b: true, c: "x" }
    }))
  })

  it("says of each thing that is wrong what it is, where, and what to do", () => {
    const wrong: ReadonlyArray<readonly [string, Parameters<typeof Chunker.check>[0]]> = [
      ["the id is empty: give each document one of its own", { id: " ", text: "x" }],
      ["the id is longer than 512 characters: shorten it", { id: "x".repeat(513), text: "x" }],
      ["the id holds a NUL or half a surrogate pair at offset 1: remove it", { id: "a\0", text: "x" }],
      ["the text is empty: leave the document out, or remove it by its id", { id: "a", text: "\u200b \u0301" }],
      ["the text holds a NUL or half a surrogate pair at offset 1: remove it", { id: "a", text: "x\0" }],
      [
        "the text looks binary: extract its words, or decode it with the encoding it was written in",
        { id: "a", text: "\x01\x02PK\x03\x04\ufffd\ufffd" }
      ],
      ["the text is larger than 2 MiB: index it in parts", { id: "a", text: "é".repeat(1_100_000) }],
      ["the title is longer than 2000 characters: shorten it", { id: "a", text: "x", title: "t".repeat(2001) }],
      ["the uri is longer than 4096 characters: shorten it", { id: "a", text: "x", uri: "t".repeat(4097) }],
      ["the uri holds a NUL or half a surrogate pair at offset 0: remove it", { id: "a", text: "x", uri: "\ud800" }],
      ["metadata \"n\" is not a finite number: leave it out", { id: "a", text: "x", metadata: { n: Number.NaN } }],
      [
        "metadata \"n\" holds a NUL or half a surrogate pair at offset 0: remove it",
        { id: "a", text: "x", metadata: { n: "\0" } }
      ],
      [
        "the name of metadata \"n\\u0000\" holds a NUL or half a surrogate pair: remove it",
        { id: "a", text: "x", metadata: { "n\0": 1 } }
      ],
      [
        "the metadata is longer than 65536 characters: keep what searches filter by",
        { id: "a", text: "x", metadata: { n: "x".repeat(70_000) } }
      ],
      [
        "there are 65 metadata entries: give at most 64",
        { id: "a", text: "x", metadata: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`k${n}`, n])) }
      ]
    ]
    for (const [reason, document] of wrong) assert.strictEqual(Chunker.check(document), reason)
  })

  it("refuses a document of the wrong types rather than failing at it", () => {
    const wrong: ReadonlyArray<readonly [string, unknown]> = [
      ["the id is not text: give it as a string", { id: 7, text: "x" }],
      ["the text is not text: give it as a string", { id: "a" }],
      ["the text is not text: give it as a string", { id: "a", text: null }],
      ["the title is not text: give it as a string", { id: "a", text: "x", title: null }],
      ["the uri is not text: give it as a string", { id: "a", text: "x", uri: 1 }],
      ["the metadata is no object: give values by name", { id: "a", text: "x", metadata: ["x"] }],
      [
        "metadata \"n\" is no text, number, true or false: give one of these, or leave it out",
        { id: "a", text: "x", metadata: { n: { deep: 1 } } }
      ]
    ]
    for (const [reason, document] of wrong) {
      // what a program without types hands in
      assert.strictEqual(Chunker.check(document as Parameters<typeof Chunker.check>[0]), reason)
    }
    assert.match(Chunker.check({ id: "a", text: "x", publishedAt: 20261122 } as never) ?? "", /^publishedAt is not/)
    assert.match(Chunker.check({ id: "a", text: "x", version: "3" } as never) ?? "", /^the version is not/)
  })

  it("takes a whole number from 0 to 2^53 - 1 for a version, and nothing else", () => {
    for (const version of [0, 1, 2 ** 53 - 1, undefined]) {
      assert.isUndefined(Chunker.check({ id: "a", text: "x", version }), String(version))
    }
    for (const version of [-1, 0.5, 2 ** 53, Number.NaN, Infinity]) {
      assert.strictEqual(
        Chunker.check({ id: "a", text: "x", version }),
        "the version is not a whole number from 0 to 2^53 - 1: count the document's states, or leave it out"
      )
    }
  })

  it("takes an empty name, 64 entries and the longest of everything", () => {
    assert.isUndefined(Chunker.check({
      id: "i".repeat(512),
      text: "é".repeat(1024 * 1024),
      title: "t".repeat(2000),
      uri: "u".repeat(4096),
      metadata: { "": "", ...Object.fromEntries(Array.from({ length: 63 }, (_, n) => [`k${n}`, n])) }
    }))
  })

  it("reads dates as ISO 8601 only", () => {
    const dated = (publishedAt: string) => Chunker.check({ id: "a", text: "x", publishedAt }) === undefined
    for (
      const good of ["2026", "2026-11", "2026-11-22", "2026-11-22T09:00", "2026-11-22T09:00:00.123456Z", "2024-02-29"]
    ) {
      assert.isTrue(dated(good), good)
    }
    for (
      const bad of [
        "",
        "22.11.2026",
        "Nov 22 2026",
        "2026-13-01",
        "2026-02-30",
        "2025-02-29T09:00Z",
        "2026-02-30T25:00Z",
        "0000-01-01",
        "10000-01-01",
        "+010000-01-01",
        "-0001-01-01",
        "2026-00-10",
        "2026-01-00",
        "1",
        "x 1"
      ]
    ) {
      assert.isFalse(dated(bad), bad)
    }
  })
})

describe("Chunker.fingerprint", () => {
  const document = { id: "a", text: "x", metadata: { a: 1, b: 2 } }

  it("is the same for the same content and embedder only", () => {
    const of = Chunker.fingerprint(document, "e1")
    assert.strictEqual(Chunker.fingerprint({ ...document, metadata: { b: 2, a: 1 } }, "e1"), of)
    assert.notStrictEqual(Chunker.fingerprint(document, "e2"), of)
    assert.notStrictEqual(Chunker.fingerprint({ ...document, text: "y" }, "e1"), of)
    assert.notStrictEqual(Chunker.fingerprint({ ...document, metadata: { a: 1, b: "2" } }, "e1"), of)
  })
})
