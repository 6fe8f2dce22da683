import { assert, describe, it } from "@effect/vitest"
import type * as Chat from "causeway-mcp/llm/Chat"
import * as Prompt from "causeway-mcp/llm/Prompt"
import * as ExtractiveLlm from "causeway-mcp/provider/ExtractiveLlm"
import * as Sentences from "causeway-mcp/provider/internal/Sentences"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Stream from "effect/Stream"

const model = ExtractiveLlm.model

const ask = (question: string, context?: ReadonlyArray<Chat.ContextPassage>): Chat.Request => ({
  messages: [{ role: "system", text: "Answer." }, { role: "user", text: question }],
  ...(context === undefined ? {} : { context })
})

const answer = (question: string, context?: ReadonlyArray<Chat.ContextPassage>) =>
  Effect.runSync(model.generateText(ask(question, context)))

const acme: ReadonlyArray<Chat.ContextPassage> = [
  {
    id: "acme-q2",
    title: "Acme Corp. second quarter 2025",
    text: "Acme Corp. makes anvils. Quarterly revenue was $5.2 million. The weather in Ohio was fine.",
    publishedAt: "2025-08-01"
  },
  {
    id: "acme-q2-late",
    title: "Acme Corp. second quarter 2026",
    text: "Quarterly revenue was $7.1 million. Mr. Coyote left the board in May.",
    publishedAt: "2026-08-01"
  },
  { id: "zen", title: "Gardens", text: "Raking gravel calms the mind." }
]

describe("ExtractiveLlm.generateText", () => {
  it("says that there is nothing to answer from when no passage was given", () => {
    for (const context of [undefined, []]) {
      const { citations, model, text } = answer("Why?", context)
      assert.strictEqual(text, ExtractiveLlm.noPassages)
      assert.deepStrictEqual(citations, [])
      assert.strictEqual(model, "extractive")
    }
  })

  it("says that the passages do not answer when they hold nothing of the question", () => {
    for (
      const question of ["What is the capital of France?", "", "the of and", "???", "Which revenue does Zeus plan?"]
    ) {
      const { citations, text } = answer(question, acme)
      assert.strictEqual(text, ExtractiveLlm.notAnswered, question)
      assert.deepStrictEqual(citations, [])
    }
  })

  it("quotes the sentence that answers, with its id", () => {
    const { citations, text } = answer("Who left the board?", acme)
    assert.strictEqual(text, "Mr. Coyote left the board in May. [acme-q2-late]")
    assert.deepStrictEqual(citations, ["acme-q2-late"])
  })

  it("quotes the newer of two passages that contradict each other, in either order", () => {
    for (const context of [acme, [...acme].reverse()]) {
      const { text } = answer("What was the quarterly revenue?", context)
      assert.strictEqual(text, "Quarterly revenue was $7.1 million. [acme-q2-late]")
    }
  })

  it("is not drawn to a sentence because it says today, as the question does", () => {
    const { text } = answer("Who is chief executive of Acme today?", [
      { id: "plant", title: "Acme plant", text: "The hall makes four times the anvils that Acme processes today." },
      {
        id: "call",
        title: "Acme results",
        text: "Chief executive Wilma Ford spoke of a good year.",
        publishedAt: "2026"
      },
      { id: "guest", title: "Acme dinner", text: "A former chief executive spoke." },
      { id: "board", title: "Acme board", text: "The chief executive chairs no committee." }
    ])
    assert.notInclude(text.slice(0, text.indexOf("]")), "anvils")
  })

  it("takes a date that cannot be read for no date", () => {
    const { text } = answer("What was the quarterly revenue?", [
      { id: "a", text: "Quarterly revenue was 1.", publishedAt: "long ago" },
      { id: "b", text: "Quarterly revenue was 2.", publishedAt: "2020-01-01" }
    ])
    assert.strictEqual(text, "Quarterly revenue was 2. [b]")
  })

  it("counts the title for what the sentence leaves unsaid", () => {
    const { citations } = answer("Acme anvils?", [
      { id: "x", title: "Acme", text: "Anvils are sold out." },
      { id: "y", title: "Bolt", text: "Anvils are on sale." }
    ])
    assert.strictEqual(citations[0], "x")
  })

  it("answers with at most four sentences", () => {
    const text = Array.from(
      { length: 30 },
      (_, i) => `Revenue item ${"abcdefghij"[i % 10]}${i} grew by word${i} in place${i}.`
    )
    const { text: answered } = answer("How did revenue item grow?", [{ id: "r", text: text.join(" ") }])
    const count = answered.split("[r]").length - 1
    assert.isAtLeast(count, 1)
    assert.isAtMost(count, 4)
  })

  it("summarises with sentences from several passages", () => {
    const { citations, text } = answer("Please summarise these documents.", acme)
    assert.include(citations, "acme-q2")
    assert.include(citations, "acme-q2-late")
    assert.notStrictEqual(text, ExtractiveLlm.notAnswered)
  })

  it("streams the same answer", () => {
    const [deltas, whole] = Effect.runSync(Effect.all([
      Stream.runCollect(model.streamText(ask("Who left the board?", acme))),
      model.generateText(ask("Who left the board?", acme))
    ]))
    assert.deepStrictEqual([...deltas].map((delta) => delta._tag), ["Text", "Done"])
    const [first] = [...deltas]
    assert.strictEqual(first?._tag === "Text" ? first.text : "", whole.text)
  })

  const word = FastCheck.constantFrom(
    "revenue",
    "price",
    "Acme",
    "rose",
    "fell",
    "the",
    "of",
    "12.5%",
    "$3",
    "e.g.",
    "Inc.",
    "board",
    "in",
    "2026",
    "[a]",
    "“so”",
    "日本。",
    "\n",
    "🌊",
    "- item"
  )
  const prose = FastCheck.array(FastCheck.tuple(word, FastCheck.constantFrom(" ", ". ", "! ", ", ", "\n", "? ")), {
    maxLength: 60
  })
    .map((parts) => parts.flat().join(""))
  const passages = FastCheck.array(
    FastCheck.record({
      id: FastCheck.constantFrom("p1", "p2", "p3", "p4"),
      text: FastCheck.oneof(prose, FastCheck.string({ unit: "binary", maxLength: 80 })),
      title: FastCheck.oneof(prose, FastCheck.constant(undefined)),
      publishedAt: FastCheck.constantFrom(undefined, "2026-01-01", "nonsense")
    }),
    { maxLength: 4 }
  )

  it("never invents: the answer is sentences of passages, each before the id it stands in", () => {
    let quoted = 0
    FastCheck.assert(
      FastCheck.property(prose, passages, (question, given) => {
        const context = given.map((passage, index) => ({ ...passage, id: `${passage.id}-${index}` }))
        const { citations, text } = answer(question, context)
        if (text === ExtractiveLlm.notAnswered || text === ExtractiveLlm.noPassages) {
          assert.deepStrictEqual(citations, [])
          return
        }
        quoted++
        let rest = text
        let count = 0
        while (rest !== "") {
          const owner = context.find((passage) =>
            Sentences.split(passage.text).some((sentence) => rest.startsWith(`${sentence} [${passage.id}]`))
          )
          assert.isDefined(owner, rest)
          if (owner === undefined) return
          const sentence = Sentences.split(owner.text).filter((s) => rest.startsWith(`${s} [${owner.id}]`))[0] ?? ""
          assert.isTrue(owner.text.includes(sentence))
          assert.include(citations, owner.id)
          rest = rest.slice(`${sentence} [${owner.id}]`.length).replace(/^ /u, "")
          count++
        }
        assert.isAtMost(count, 4)
      }),
      { numRuns: 500 }
    )
    assert.isAbove(quoted, 10)
  })

  it("answers from a megabyte of hostile text in reasonable time", () => {
    const texts = [
      ".".repeat(1_000_000),
      "\n".repeat(1_000_000),
      "a ".repeat(500_000),
      "revenue! ".repeat(110_000),
      " ".repeat(1_000_000),
      "x".repeat(1_000_000)
    ]
    for (const text of texts) {
      const startedAt = performance.now()
      answer("What is the revenue of a company?", [{ id: "big", text }])
      assert.isBelow(performance.now() - startedAt, 5000, text.slice(0, 10))
    }
  })
})

describe("Sentences.split", () => {
  it("keeps abbreviations, initials and decimals whole", () => {
    assert.deepStrictEqual(
      Sentences.split(
        "Acme Inc. rose 12.5 percent vs. 3. J. Doe said \"No.\" Then e.g. this? Yes!\nNext line\ngoes on"
      ),
      ["Acme Inc. rose 12.5 percent vs. 3.", "J. Doe said \"No.\"", "Then e.g. this?", "Yes!", "Next line\ngoes on"]
    )
  })

  it("ends a sentence at a blank line, a bullet and a Chinese full stop", () => {
    assert.deepStrictEqual(Sentences.split("Heading\n\nbody text\n- item\n日本。中国"), [
      "Heading",
      "body text",
      "- item",
      "日本。",
      "中国"
    ])
  })

  it("loses nothing but white space, and gives pieces of at most 500", () => {
    FastCheck.assert(FastCheck.property(FastCheck.string({ unit: "binary", maxLength: 3000 }), (text) => {
      const sentences = Sentences.split(text)
      assert.strictEqual(sentences.join("").replace(/\s/gu, ""), text.replace(/\s/gu, ""))
      for (const sentence of sentences) {
        assert.isTrue(text.includes(sentence))
        assert.isAtMost(sentence.length, 500)
      }
    }))
  })
})

describe("ExtractiveLlm citations", () => {
  it("are what Prompt.citations finds in the text", () => {
    const { citations, text } = answer("Quarterly revenue and the board?", acme)
    assert.deepStrictEqual(Prompt.citations(text, acme.map((passage) => passage.id)), citations)
  })
})
