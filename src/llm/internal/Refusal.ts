/**
 * Tells a refusal from an answer, by how it begins and by what follows.
 *
 * @since 0.1.0
 */
import type * as Chat from "../Chat.js"
import * as AnswerText from "./AnswerText.js"

/** A refusal begins within so many signs, and is not longer than that many. */
const maxStart = 200
const maxLength = 2000
const maxApology = 300

/** So many words that say something make an answer of what began like a refusal. */
const minWords = 8

/** What may come before: regret, a greeting, thanks, what the model says it is. */
const opener =
  /^(?:(?:i am|i'm|we are|we're) (?:very |so |really |truly |deeply |terribly )?(?:sorry|afraid)|sorry|(?:i|we) (?:do |sincerely )?apologi[sz]e|(?:my|our) apologies|apologies|unfortunately|regrettably|i regret|hello|hi|hey|thank you|thanks|i understand|i appreciate|i see|as an? (?:ai|artificial|large|language|responsible))\b/u

const cannot =
  /^(?:i|we)(?:'m| am|'re| are)? (?:simply |really |also )?(?:can't|cannot|can not|won't|will not|unable to|not able to|not allowed to|not permitted to|not going to|not comfortable|don't feel comfortable|do not feel comfortable|must decline|must refuse|have to decline|decline|refuse)\b(?: to)?(?: (?:be able to|directly|currently|personally|ethically|legally|in good conscience|further))?/u

const doing =
  /^ ?(?:help|assist|comply|fulfil|engage|participat|support|provid|shar|giv|offer|discuss|answer|respond|talk|creat|generat|writ|produc|do |do\.|doing|continu|proceed|complet|carry|process)/u

/** What it declines is the request as a whole. */
const whole =
  /^ ?(?:comply|fulfil|[a-z]+ (?:you )?(?:(?:with|to|in|on|about|for) )?(?:that|this|it|these|those|such|(?:your|the) request|anything|content that|requests? (?:that|of|like|involving))\b)/u

const otherWords: ReadonlyArray<RegExp> = [
  /^(?:that's|that is|this is) beyond my current scope/u,
  /^(?:this|that|your) (?:request|question|topic|content) (?:goes against|violates|is against|is not something)/u,
  /^(?:it's|it is|that's|that is|it would be) (?:against my|not appropriate|inappropriate|unethical)/u
]

/** The same in other languages, regret and refusal in one. */
const otherLanguages: ReadonlyArray<RegExp> = [
  /^(?:(?:很|非常|十分)?(?:抱歉|对不起|遗憾)|你好|您好|作为(?:一个|一名)?(?:ai|人工智能)|我(?:无法|不能))[^。]{0,30}(?:无法|不能|没办法|不便|暂时)[^。]{0,20}(?:回答|提供|帮助|协助|满足|讨论|完成|生成|处理|继续)/u,
  /^(?:大変)?(?:申し訳|すみません|恐れ入りますが)[^。]{0,60}(?:できません|いたしかねます|できかねます)/u,
  /^(?:죄송|미안)[^.]{0,60}(?:수 없습니다|드릴 수 없|어렵습니다)/u,
  /^(?:lo siento|perdona|disculpa|lamentablemente)[^.]{0,30}no puedo (?:ayudar|proporcionar|cumplir|responder|hacer|generar|compartir)/u,
  /^(?:je suis (?:vraiment )?désolée?|désolée?|malheureusement)[^.]{0,30}je ne (?:peux|suis)[^.]{0,30}(?:aider|fournir|répondre|partager|faire|satisfaire)/u,
  /^(?:es tut mir leid|tut mir leid|entschuldigung|leider)[^.]{0,30}(?:kann|darf|werde)[^.]{0,60}(?:nicht|keine)[^.]{0,30}(?:helfen|beantworten|erfüllen|unterstützen|bereitstellen|nachkommen|teilen)/u,
  /^(?:desculpe|sinto muito|lamento|infelizmente)[^.]{0,30}não posso (?:ajudar|fornecer|responder|atender|fazer|gerar|compartilhar)/u,
  /^(?:mi dispiace|spiacente|purtroppo)[^.]{0,30}non posso (?:aiutar|fornir|risponder|soddisfar|fare|generar|condivider)/u,
  /^(?:извините|простите|к сожалению|прошу прощения)[^.]{0,30}я не могу (?:помочь|ответить|предоставить|выполнить|обсуждать|сделать)/u
]

/** It does not decline, it lacks something to answer from: that is what it was told to say. */
const lacking =
  /(?:in|from|by|with|on) (?:the |these |this |any )?(?:\w+ )?(?:passages?|context|documents?|sources?|excerpts?|texts?)\b|(?:passages?|context|documents?|sources?|excerpts?|texts?) (?:do|does|did|don't|doesn't|didn't|you|that|say|says|mention|mentions|contain|contains|cover|covers|state|states|have|has|lack|lacks|only)\b|enough information|insufficient|based on|(?:information|data|text|details) (?:available|provided|given|you)|provided (?:information|data|text)|dokument|kontext|passage[ns]|textstelle|auszüg|extraits?|pasaje|passagens|passaggi|отрывк|quelle|contexte|contexto|documento|fuente|fonte|источник|документ|контекст|资料|文档|上下文|段落|文件|資料|文書|記載|자료|문서/u

/** What follows a refusal and says nothing: offers, reasons, requests to whoever reads. */
const filler =
  /\b(?:instead|something else|anything else|other (?:questions?|topics?|ways?)|feel free|let me know|happy to|glad to|if you|i can (?:help|assist|offer|provide|share|discuss|suggest|still help)|i could|i'd|would you|can i help|help you|assist you|polic(?:y|ies)|guidelines?|principles|harmful|illegal|unethical|dangerous|inappropriate|safety|consult|professional|please|(?:mark|rate|grade|treat|score|accept|approve|classify|label|count) (?:this|it|the|my)|换个话题|其他问题)/u

const pivot = /^(?:however|but|that said|still|nevertheless|nonetheless|according to|based on|from the|in the)\b/u

const plain = (text: string): string =>
  text.slice(0, maxLength).toLowerCase().replace(/[\u2018\u2019\u02bc]/gu, "'").replace(/\s+/gu, " ")
    .replace(/^[\s*_#>]+/u, "")

/** Where the next thing said may begin: behind the regret, behind its "but", behind its sentence. */
const behind = (text: string, from: number, isOpener: boolean): ReadonlyArray<number> => {
  const found: Array<number> = []
  if (isOpener) {
    const rest =
      /^[\w' ]*?(?:sorry|afraid|unfortunately|regrettably|apologies|hello|hi|hey)(?: there)?[,.!: —–-]*(?:but |however,? |that )?/u
        .exec(text.slice(from, from + 80))
    if (rest !== null) found.push(from + rest[0].length)
  }
  for (const mark of [", but ", " but ", ", ", ". ", "! ", "; ", " — "]) {
    const at = text.indexOf(mark, from)
    if (at !== -1 && at < maxStart) found.push(at + mark.length)
  }
  return found
}

interface Refused {
  /** Where the sentence that declines begins. */
  readonly at: number
  readonly isWhole: boolean
}

const refusedAt = (text: string): Refused | undefined => {
  const starts = [0]
  const seen = new Set<number>(starts)
  for (let next = 0; next < starts.length && next < 32; next++) {
    const at = starts[next] ?? 0
    const rest = text.slice(at, at + 400)
    const can = cannot.exec(rest)
    if (can !== null) {
      const done = rest.slice(can[0].length)
      const isPlain = /(?:decline|refuse)$/u.test(can[0]) && /^(?:[.,;!]|$| (?:this|that|your|the) )/u.test(done)
      if (isPlain || doing.test(done)) return { at, isWhole: isPlain || whole.test(done) }
    }
    if (otherWords.some((words) => words.test(rest))) return { at, isWhole: true }
    if (otherLanguages.some((words) => words.test(rest))) return { at, isWhole: false }
    if (!opener.test(rest)) continue
    for (const start of behind(text, at, true)) {
      if (!seen.has(start) && start < maxStart) {
        seen.add(start)
        starts.push(start)
      }
    }
  }
  return undefined
}

const sentenceEnd = /[.!?](?= |$)|[。！？]/u

const wordsIn = (text: string): number => {
  const signs = text.match(/[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/gu)?.length ?? 0
  return Math.max(text.split(" ").filter((word) => word !== "").length, signs / 2)
}

/** Whether what follows is an answer after all. */
const isAnswered = (text: string, isWhole: boolean): boolean => {
  let words = 0
  for (const sentence of text.split(/(?<=[.!?]) |(?<=[。！？])/u)) {
    const said = sentence.trim()
    if (said === "" || filler.test(said)) continue
    if (/\d/u.test(said) || (pivot.test(said) && wordsIn(said) >= 6)) return true
    if (!isWhole) words += wordsIn(said)
  }
  return words >= minWords
}

/**
 * Whether a text of prose declines to answer: by its first words or those right
 * after an apology, with nothing after them that answers all the same. A text
 * that says what the passages lack, or quotes or discusses refusals, does not.
 * Reads the first 2,000 signs only.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRefusal = (text: string): boolean => {
  if (text.length > maxLength) return false
  const said = plain(text)
  const refused = refusedAt(said)
  if (refused === undefined) return false
  const rest = said.slice(refused.at)
  const end = sentenceEnd.exec(rest)
  const sentence = end === null ? rest : rest.slice(0, end.index + 1)
  if (lacking.test(sentence)) return false
  const turn = /(?:,| —|;) (?:but|however|though|although) /u.exec(sentence)
  const more = turn === null ? "" : `but ${sentence.slice(turn.index + turn[0].length)} `
  return !isAnswered(more + rest.slice(sentence.length), refused.isWhole)
}

/**
 * Whether a text that should have been JSON is a short apology instead.
 *
 * @since 0.1.0
 * @category guards
 */
export const isApology = (text: string): boolean => {
  if (text.length > maxApology) return false
  const said = plain(text)
  return /^(?:(?:i am|i'm|we are|we're) (?:\w+ )?(?:sorry|unable|afraid|not able)|sorry|i apologi[sz]e|my apologies|apologies|unfortunately|i (?:can't|cannot|won't)|as an? (?:ai|large|language))\b/u
    .test(said) || isRefusal(said)
}

/**
 * Whether an answer declines: a text by its words, a value when it is a short
 * apology, or has a refusal for its only text and no figure but 0. What cites a
 * passage answers.
 *
 * @since 0.1.0
 * @category guards
 */
export const declines = (answer: Chat.TextAnswer | Chat.ObjectAnswer): boolean => {
  if (!AnswerText.isObject(answer)) return answer.citations.length === 0 && isRefusal(answer.text)
  if (typeof answer.value === "string") return isApology(answer.value)
  const texts = AnswerText.texts(answer.value)
  // Beside a figure it is more likely a quotation that only sounds like a refusal.
  return texts.length === 1 && texts.every(isRefusal) && !AnswerText.hasFigure(answer.value)
}
