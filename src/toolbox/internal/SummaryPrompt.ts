/**
 * What a model is asked when documents are summarised.
 *
 * @since 0.1.0
 */
import type * as Chat from "../../llm/Chat.js"
import * as TokenEstimate from "../../llm/TokenEstimate.js"

/**
 * What is to be summarised: a whole document, a part of one, the summaries of
 * its parts, the summaries of several documents, or summaries of those.
 *
 * @since 0.1.0
 * @category models
 */
export type Subject = "document" | "part" | "parts" | "documents" | "groups"

const asks: { readonly [S in Subject]: string } = {
  document: "Summarise the document.",
  part: "The passage is one part of a longer document. Summarise it so that a summary of the whole document can be " +
    "written from the summaries of its parts.",
  parts: "The passages are summaries of the parts of one document, in order. Write one summary of the whole document.",
  documents: "The passages are summaries of different documents. Write one summary of what they say together: where " +
    "they agree, where they differ, and what changed from one to the next.",
  groups: "The passages are summaries of several documents each. Write one summary of what they say together: where " +
    "they agree, where they differ, and what changed from one to the next."
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Brief {
  readonly tenant: string
  /** What to look at above all. */
  readonly instruction: string | undefined
}

const system = (subject: Subject, words: number, isAimed: boolean): string =>
  `You summarise documents for an analyst. ${asks[subject]} ${
    isAimed ? "The user's message says what to look at above all. " : ""
  }Keep figures, dates, names and units as they stand. Add ` +
  "nothing that does not stand there, and give no advice. " +
  `Write at most ${words} words of plain prose, without a heading and without a list, in the language of the user's ` +
  `message. ${subject === "documents" ? "Cite each document where you tell of it" : "Cite each passage once"}.`

/** What a model may take for so many words, in whatever language. */
const tokensOf = (words: number): number => words * 3 + 100

/**
 * The request for a summary of at most so many words. It is the same for the
 * same documents, and asks for no variety, so that it can be answered from a
 * cache.
 *
 * @since 0.1.0
 * @category constructors
 */
export const request = (
  brief: Brief,
  options: {
    readonly subject: Subject
    readonly passages: ReadonlyArray<Chat.ContextPassage>
    readonly words: number
  }
): Chat.Request => ({
  messages: [
    { role: "system", text: system(options.subject, options.words, brief.instruction !== undefined) },
    // Nothing else: its language is the one to answer in.
    { role: "user", text: brief.instruction ?? "Summarise this." }
  ],
  context: options.passages,
  task: "longContextBatch",
  tenant: brief.tenant,
  maxTokens: tokensOf(options.words),
  temperature: 0
})

/** A budget below this cuts texts into pieces that say nothing by themselves, in tokens. */
const least = 200

/**
 * How many tokens of text a window leaves beside everything else in a request
 * and its answer; never below 200.
 *
 * @since 0.1.0
 * @category combinators
 */
export const room = (window: number, empty: Chat.Request): number =>
  Math.max(least, window - TokenEstimate.ofRequest(empty) - (empty.maxTokens ?? 0))
