/**
 * Tells whether an answer is written as its question was.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Chat from "../Chat.js"
import * as Prompt from "../Prompt.js"
import * as AnswerText from "./AnswerText.js"
import * as Writing from "./Writing.js"

/** Fewer letters say nothing sure of a text. */
const minLetters = 40

/** Of a message so much of its beginning and its end is searched for the name of a language. */
const maxSearched = 4 * 1024

/** Who speaks of a language or of translation may well want an answer in another one. */
const named =
  /translat|traduc|tradui|traduz|übersetz|перев[её]д|перевод|翻译|翻譯|翻訳|번역|ترجم|\b(?:arabic|armenian|bengali|bulgarian|cantonese|chinese|croatian|czech|danish|dutch|english|farsi|finnish|french|georgian|german|greek|hebrew|hindi|hungarian|indonesian|italian|japanese|korean|malay|mandarin|norwegian|persian|polish|portuguese|romanian|russian|serbian|spanish|swedish|tamil|telugu|thai|turkish|ukrainian|urdu|vietnamese|deutsch|español|français|italiano|português|anglais|inglés|inglês|englisch)\b|английск|русск|英语|英文|英語|中文|汉语|漢語|中国語|日语|日文|日本語|韩语|한국어|영어|العربية|הספרה|अंग्रेज़ी|हिन्दी/iu

const speaksOfLanguage = (text: string): boolean =>
  named.test(text.slice(0, maxSearched)) || (text.length > maxSearched && named.test(text.slice(-maxSearched)))

/** Whether the request says something of languages itself. */
const isAboutLanguage = (request: Chat.Request): boolean =>
  speaksOfLanguage(Prompt.question(request)) ||
  request.messages.some((message) => message.role === "system" && speaksOfLanguage(message.text))

/** Whether a text has letters enough of a writing that is like none of those given. */
const mayDiffer = (text: string, writings: ReadonlyArray<Writing.Writing>): boolean => {
  for (const [found, letters] of Writing.count(text, true)) {
    if (letters >= minLetters && !writings.some((writing) => Writing.isAlike(writing, found))) return true
  }
  return false
}

/** What others said may be in their language. */
const quotation = /["“„«「『][^"“”„«»「」『』\n]+["“”»」』]/gu

/** Whether a text is, as good as throughout, in a writing that is like none of those given. */
const differs = (prose: string, writings: ReadonlyArray<Writing.Writing>): boolean => {
  const found = Writing.main(Writing.count(prose.replace(quotation, " "), false), minLetters)
  return found !== undefined && !writings.some((writing) => Writing.isAlike(writing, found))
}

const isLong = (prose: string): boolean => {
  let letters = 0
  for (const size of Writing.count(prose, true).values()) letters += size
  return letters >= minLetters
}

/** The language alone, whatever region or script a tag adds. */
const primary = (tag: string): string | undefined => tag.toLowerCase().split(/[-_]/u)[0]

type Detect = (text: string) => Effect.Effect<Option.Option<string>>

/**
 * Makes what tells whether a text is in another language than `expected`, or than
 * the question; at once where scripts tell. Throws a `RangeError` when `expected`
 * is no language tag.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  expected: string | undefined,
  detect: Detect | undefined
): (request: Chat.Request, text: string) => boolean | Effect.Effect<boolean> => {
  const given = expected === undefined ? undefined : Writing.ofLanguage(expected)
  return (request, text) => {
    const read = AnswerText.part(text)
    const writings = expected === undefined
      ? Writing.present(Writing.count(AnswerText.part(Prompt.question(request)), true))
      : given === undefined
      ? []
      : [given]
    // Most answers are seen to be fine here, before anything is taken apart.
    const isSuspect = writings.length > 0 && mayDiffer(read, writings)
    if (!isSuspect && detect === undefined) return false
    if (expected === undefined && isAboutLanguage(request)) return false
    const prose = AnswerText.prose(read)
    if (isSuspect && differs(prose, writings)) return true
    if (detect === undefined || !isLong(prose)) return false
    const question = expected === undefined ? AnswerText.prose(Prompt.question(request)) : ""
    const wanted = expected !== undefined
      ? Effect.succeedSome(expected)
      : isLong(question)
      ? detect(question)
      : Effect.succeedNone
    return Effect.zipWith(
      wanted,
      detect(prose),
      (wanted, found) => Option.isSome(wanted) && Option.isSome(found) && primary(wanted.value) !== primary(found.value)
    )
  }
}
