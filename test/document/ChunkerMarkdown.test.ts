import { assert, describe, it } from "@effect/vitest"
import * as Chunker from "causeway-mcp/document/Chunker"

const texts = (text: string, options?: Chunker.Options) => Chunker.chunk({ text }, options).map((chunk) => chunk.text)

const filler = (count: number) => "A sentence of forty characters, more or less. ".repeat(count)

const rows = (count: number, from = 0) =>
  Array.from({ length: count }, (_, n) => `| Row ${from + n}. | A cell. Another. |`).join("\n")

const table = (count: number) => `| Name | Value |\n| :--- | ---: |\n${rows(count)}`

describe("Chunker.chunk on tables", () => {
  it("keeps a table whole when it fits, wherever in the text it stands", () => {
    for (const before of [0, 1, 3, 5, 7]) {
      const text = `${filler(before)}\n\n${table(10)}\n\n${filler(6)}`
      const passages = texts(text, { maxLength: 600 })
      assert.strictEqual(passages.filter((passage) => passage.includes(table(10))).length, 1, String(before))
    }
  })

  it("cuts a table that is too long between its rows, the head staying with the first row", () => {
    const passages = texts(`${filler(2)}\n\n${table(60)}\n\n${filler(2)}`, { maxLength: 400, overlap: 0 })
    for (const passage of passages) {
      for (const line of passage.split("\n").filter((line) => line.includes("|"))) assert.match(line, /^\|.*\|$/)
    }
    const first = passages.find((passage) => passage.includes("Name"))
    assert.include(first, "| Name | Value |\n| :--- | ---: |\n| Row 0. |")
  })

  it("knows a table without outer bars, and ends it at the first line without one", () => {
    const open = `Name | Value\n--- | ---\n${Array.from({ length: 8 }, (_, n) => `Row ${n}. It | is ${n}`).join("\n")}`
    const passages = texts(`${filler(5)}\n${open}\n${filler(5)}`, { maxLength: 400, overlap: 0 })
    assert.isTrue(passages.some((passage) => passage.includes(open)))
    const bar = texts("Either a | b is meant.\nThen another line. And more.", { maxLength: 100 })
    assert.deepStrictEqual(bar, ["Either a | b is meant.\nThen another line. And more."])
  })

  it("understands tables with CRLF line ends and tabs", () => {
    const windows = table(8).replaceAll("\n", "\r\n").replaceAll("| A", "|\tA")
    const passages = texts(`${filler(5)}\r\n\r\n${windows}\r\n\r\n${filler(5)}`, { maxLength: 400 })
    assert.isTrue(passages.some((passage) => passage.includes(windows)))
  })

  it("keeps a heading with the table below it, also when both only just fit, and when they do not", () => {
    for (const count of [8, 9, 10, 11, 12, 13, 14, 30]) {
      const passages = texts(`${filler(6)}\n\n# Revenue\n\n${table(count)}\n\n${filler(6)}`, { maxLength: 400 })
      for (const passage of passages) assert.notMatch(passage, /# Revenue$/, String(count))
      assert.isTrue(passages.some((passage) => /# Revenue\s+\| Name/.test(passage)), String(count))
    }
  })

  it("keeps an HTML table whole when it fits and cuts it between rows when it does not", () => {
    const html = (count: number) =>
      `<table class="x"><tr><th>Name</th></tr>${
        Array.from({ length: count }, (_, n) => `<tr><td>Row ${n}. It is. So.</td></tr>`).join("")
      }</table>`
    const whole = texts(`${filler(5)}${html(6)} ${filler(5)}`, { maxLength: 400 })
    assert.isTrue(whole.some((passage) => passage.includes(html(6))))
    const cut = texts(html(40), { maxLength: 400, overlap: 0 })
    assert.isAbove(cut.length, 3)
    assert.match(cut[0] ?? "", /^<table class="x"><tr><th>Name<\/th><\/tr><tr><td>Row 0/)
    for (const passage of cut.slice(1)) assert.match(passage, /^<tr>.*(?:<\/tr>|<\/table>)$/)
  })

  it("takes a table that is never closed, or is in code, for text", () => {
    const open = `<table><tr><td>${filler(20)}`
    assert.strictEqual(texts(open, { maxLength: 300, overlap: 0 }).join(" "), open.trim())
    const code = `\`\`\`html\n<table>\n${"<p>One. Two.\n".repeat(10)}\`\`\``
    const passages = texts(`${filler(4)}\n\n${code}\n\n${filler(4)}</table> ${filler(4)}`, { maxLength: 300 })
    assert.isTrue(passages.some((passage) => passage.includes(code)))
  })

  it("cuts a row longer than a passage between words", () => {
    const passages = texts(`| a | b |\n|---|---|\n| ${"cell ".repeat(100)}|`, { maxLength: 200, overlap: 0 })
    for (const passage of passages) assert.notMatch(passage, /\b(?:c|ce|cel)$/)
  })
})

describe("Chunker.chunk on code and lists", () => {
  const code = (count: number) => Array.from({ length: count }, (_, n) => `call(${n}); // It is. So. # no`).join("\n")

  it("keeps fenced code whole when it fits, blank lines and comments and all", () => {
    for (const fence of ["```", "````", "~~~"]) {
      const block = `${fence}sh\n# A comment. Not a heading.\n\n${code(4)}\n\n  indented. Deep.\n${fence}`
      const passages = texts(`${filler(5)}\n\n${block}\n\n${filler(5)}`, { maxLength: 400 })
      assert.isTrue(passages.some((passage) => passage.includes(block)), fence)
    }
  })

  it("cuts code that is too long between lines", () => {
    const passages = texts(`\`\`\`\n${code(60)}\n\`\`\``, { maxLength: 400, overlap: 0 })
    assert.isAbove(passages.length, 4)
    for (const passage of passages) assert.match(passage, /(?:# no|```)$/)
  })

  it("does not take what follows a fence that nothing closes for code", () => {
    const passages = texts(`\`\`\`\n${filler(20)}\n\n# Heading\n${filler(10)}`, { maxLength: 300, overlap: 0 })
    for (const passage of passages) assert.match(passage, /less\.$/)
  })

  it("ends code at a fence of the same mark that is as long, not at another", () => {
    const block = `~~~~\n\`\`\`\n~~~\nOne. Two. Three.\n~~~~`
    const passages = texts(`${filler(3)}\n\n${block}\n\n${filler(3)}`, { maxLength: 180 })
    assert.isTrue(passages.some((passage) => passage.includes(block)))
  })

  it("cuts lists, also nested ones, between their lines", () => {
    const list = Array.from(
      { length: 20 },
      (_, n) => `- Item ${n}. It has two sentences.\n\t* A nested one. So has it.\n    1. And a third. Deep.`
    ).join("\n")
    const passages = texts(`${filler(2)}\n\n${list}`, { maxLength: 300, overlap: 0 })
    assert.isAbove(passages.length, 5)
    for (const passage of passages) {
      assert.match(passage, /(?:sentences\.|So has it\.|Deep\.|less\.)$/)
      assert.match(passage, /^(?:- |\* |1\. |A sentence)/)
    }
  })

  it("cuts an item that is longer than a passage at its sentences", () => {
    const passages = texts(`- ${filler(12)}`, { maxLength: 200, overlap: 0 })
    assert.isAbove(passages.length, 2)
    for (const passage of passages) assert.match(passage, /less\.$/)
  })
})

describe("Chunker.chunk on headings", () => {
  it("keeps an underlined heading with the text after it", () => {
    for (const rule of ["===", "-----", "=", "--  \r"]) {
      const passages = texts(`${filler(6)}\n\nResults of 2026\n${rule}\n${filler(6)}`, { maxLength: 300, overlap: 0 })
      assert.isTrue(passages.some((passage) => passage.startsWith("Results of 2026\n")), rule)
    }
  })

  it("takes a rule below a paragraph, a list or nothing for no heading", () => {
    const paragraph = `${filler(3)}\nstill the paragraph\n---\n${filler(3)}`
    assert.isTrue(texts(paragraph, { maxLength: 180, overlap: 0 }).some((passage) => /paragraph\s+---/.test(passage)))
    assert.deepStrictEqual(texts("---\n\n- item\n---\n\n==="), ["---\n\n- item\n---\n\n==="])
  })
})

describe("Chunker.chunk of CRLF lines", () => {
  it("keeps fenced code whole, as it does with line feeds alone", () => {
    const text = "Intro words that come before the code. They are long enough.\n\n" +
      "```js\nconst a = 1.\n\n# Not a heading\n\nB. C is here as well\n```\n\nEnd here."
    const passages = (of: string) =>
      Chunker.chunk({ text: of }, { maxLength: 110 }).map((chunk) => chunk.text.replaceAll("\r", ""))
    assert.include(passages(text).join("|"), "|```js\nconst a = 1.\n\n# Not a heading\n\nB. C is here as well\n```")
    assert.deepStrictEqual(passages(text.replaceAll("\n", "\r\n")), passages(text))
  })
})

describe("Chunker.chunk on two megabytes", () => {
  const size = 2 * 1024 * 1024
  const fill = (part: string) => part.repeat(Math.ceil(size / part.length)).slice(0, size)
  const hostile: { readonly [name: string]: string } = {
    "one word": fill("a"),
    "one word after white space": `${" ".repeat(size)}a`,
    "full stops": fill(". "),
    "a full stop and white space": `.${" ".repeat(size)}x`,
    "quoted full stops": fill(".\""),
    "blank lines": `${fill("\n ")}x`,
    "lines of tabs": fill("\t\t\t\n"),
    "headings": fill("# a\n"),
    "underlined headings": fill("a\n===\n\n"),
    "rules": fill("--\n"),
    "accents": `e${fill("\u0301")}`,
    "Chinese without a mark": fill("银行提高了利率"),
    "Chinese sentences": fill("银行。"),
    "CRLF lines": fill("A line. Another.\r\n\r\n"),
    "bars": fill("|"),
    "lines of a bar": fill("|\n"),
    "rules of tables": fill("|-\n"),
    "small tables": fill("a|b\n-|-\n"),
    "one table": `| a | b |\n|---|---|\n${fill("| 1 | 2 |\n")}`,
    "HTML tables": fill("<table></table>x"),
    "HTML tables behind fences": fill("~~~<table></table>"),
    "HTML tables behind ticks": fill("```<table></table>"),
    "HTML tables left open": fill("<table>"),
    "one HTML table": `<table>${fill("<tr><td>x</td></tr>")}</table>`,
    "closings without an end": fill("</table "),
    "fences": fill("```\n"),
    "fences of two kinds": fill("~~~\n````\n"),
    "fences left open": fill("```js\n"),
    "fences ever shorter": Array.from({ length: 2000 }, (_, n) => `${"`".repeat(2003 - n)}x`).join("\n"),
    "a fence and white space": `\`\`\`${" ".repeat(size)}x`,
    "items": fill("- a. B\n"),
    "one item of sentences": `- ${fill("Word. ")}`,
    "nested items": fill("- a\n\t- b\n"),
    "everything": fill("```\n| a |\n<table>\n# x\n- y\n===\n")
  }

  for (const [name, text] of Object.entries(hostile)) {
    it(`takes linear time for ${name}`, () => {
      const before = performance.now()
      const chunks = Chunker.chunk({ text })
      // under a second on an idle core; others may be running
      assert.isBelow(performance.now() - before, 4000)
      assert.isBelow(chunks.length, 6000)
      assert.isTrue(chunks.every(({ text }) => text.length <= 1600 && !/[\ud800-\udbff]$/.test(text)))
    })
  }
})
