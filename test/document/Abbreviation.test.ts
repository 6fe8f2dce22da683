import { assert, describe, it } from "@effect/vitest"
import * as Abbreviation from "causeway-mcp/document/Abbreviation"
import * as Chunker from "causeway-mcp/document/Chunker"
import * as Sentences from "causeway-mcp/provider/internal/Sentences"

/** `|` stands where a full stop ends the first sentence. */
const cases = [
  "Mr. Coyote left.| He came back.",
  "Acme Corp. Europe grew.| Brook (U.S. Holdings) did not.",
  "Sales in the U.S. Northeast fell.| J. P. Acme resigned.",
  "It came on Nov. 5 with No. 7.| The rest followed in Dec.| Prices rose.",
  "She said no.| Nobody asked again."
]

describe("Abbreviation.holdsStop", () => {
  it("tells the full stop of a word from the end of a sentence", () => {
    for (const marked of cases) {
      const text = marked.replaceAll("|", "")
      const ends = [...text.matchAll(/\.(?= |$)/gu)].map(({ index }) => index).filter((at) =>
        !Abbreviation.holdsStop(text, at)
      )
      const parts = marked.split("|")
      const wanted = parts.map((_, n) => parts.slice(0, n + 1).join("").length - 1)
      assert.deepStrictEqual(ends, wanted, marked)
    }
  })

  it("is what quotes and passages go by alike", () => {
    for (const marked of cases) {
      const sentences = marked.split("|").map((part) => part.trim())
      const text = marked.replaceAll("|", "")
      assert.deepStrictEqual(Sentences.split(text), sentences)
      const long = Array.from({ length: 4 }, () => text).join(" ")
      for (const passage of Chunker.chunk({ text: long }, { maxLength: 100, overlap: 0 })) {
        assert.isTrue(sentences.some((sentence) => passage.text.endsWith(sentence)), passage.text)
      }
    }
  })
})
