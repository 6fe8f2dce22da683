import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Parsing from "../../examples/ingest/parsing.js"

const markdown = (text: string) => Either.getOrThrow(Parsing.fromMarkdown(Buffer.from(text), "a.md", "a"))

describe("Parsing.fromMarkdown", () => {
  it("takes front matter that is empty for what it is, and loses no text behind it", () => {
    assert.deepInclude(markdown("---\n---\n# Title\nFirst.\n\n---\nSecond."), {
      title: "Title",
      text: "# Title\nFirst.\n\n---\nSecond."
    })
    assert.deepInclude(markdown("---\n---\nFirst."), { title: "a", text: "First." })
  })

  it("reads titles with CRLF at the end of lines, in quotes, with number signs behind, and leaves empty ones out", () => {
    for (
      const [text, title] of [
        ["---\r\ntitle:  'T, and more' \r\n---\r\nBody", "T, and more"],
        ["---\ntitle:\ndate: 2026-01-02\n---\n# Heading ##\nBody", "Heading"],
        ["#\n##  \n### \tOf three  # \r\nBody", "Of three"],
        ["# #\nBody", "a"],
        ["#hashtag\nBody", "a"]
      ] as const
    ) assert.strictEqual(markdown(text).title, title, JSON.stringify(text))
  })

  const size = Parsing.maxDocumentBytes - 100
  for (
    const [what, text] of [
      ["a title with blanks within", `---\ntitle: a${" ".repeat(size)}b\n---\nBody`],
      ["a heading with number signs within", `# a${"#".repeat(size)}b\nBody`],
      ["a heading with blanks within", `# a${" ".repeat(size)}b\nBody`],
      ["many rules", `---\n${"\n--- x".repeat(size / 6)}`]
    ] as const
  ) {
    it(`takes linear time for ${what}`, () => {
      const before = performance.now()
      assert.isTrue(Either.isRight(Parsing.fromMarkdown(Buffer.from(text), "a.md", "a")))
      // a tenth of a second on an idle core; others may be running
      assert.isBelow(performance.now() - before, 2000)
    })
  }
})

describe("Parsing.fromLine", () => {
  it("refuses a date that no calendar has, whatever the engine makes of it", () => {
    for (const publishedAt of ["0001-01-32", "2026-02-30", "2026-13-01T00:00", "0031-01-50T10:00Z"]) {
      const line = JSON.stringify({ id: "x", text: "t", publishedAt })
      assert.match(String(Either.getLeft(Parsing.fromLine(Buffer.from(line), "f", 0))), /publishedAt is not a date/)
    }
  })
})
