/**
 * Composes an answer from sentences of the given passages and from nothing else.
 *
 * @since 0.1.0
 */
import * as Tokenizer from "../../document/Tokenizer.js"
import type * as Chat from "../../llm/Chat.js"
import * as Sentences from "./Sentences.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Quote {
  readonly id: string
  readonly sentence: string
}

interface Candidate extends Quote {
  readonly passage: number
  readonly position: number
  readonly terms: ReadonlySet<string>
  /** The words of the question that the sentence holds. */
  readonly matched: ReadonlySet<string>
  readonly score: number
  /** Milliseconds since the epoch; minus infinity without a date. */
  readonly published: number
}

const maxQuotes = 4

/** The least part of the question's weight that a sentence must hold to be an answer at all. */
const minShare = 0.25

/** Of the best sentences, how many are compared with each other. */
const maxCompared = 50

const summary = /\b(?:summar(?:y|ies|i[sz]e[sd]?|i[sz]ing)|overview|key points|main points|tl;?dr|digest)\b/iu

/** Words that ask for a summary and say nothing about what it is of. */
const askingWords = new Set(
  Tokenizer.terms(
    "summary summarize summarise overview key main points digest document text passage article please brief short give write"
  )
)

/** Words that ask how things stand now. A sentence that holds one is no nearer to that: its date tells. */
const presentWords = new Set(Tokenizer.terms("today nowadays"))

const number = /\p{N}/u

/**
 * The sentences that answer a question, best first, at most four; none when the
 * passages say nothing about it. A sentence scores by the share of the
 * question's words that it and its passage's title hold, weighted by how rare
 * each word is among the passages. Of two sentences that state the same matter
 * the newer counts, and the other is left out. A question for a summary is
 * answered with the sentences closest to what the passages speak of most.
 *
 * @since 0.1.0
 * @category combinators
 */
export const compose = (question: string, passages: ReadonlyArray<Chat.ContextPassage>): ReadonlyArray<Quote> => {
  const asked = Tokenizer.terms(question)
  const subject = asked.filter((term) => !askingWords.has(term) && !presentWords.has(term))
  const isSummary = summary.test(question)
  const parts = passages.map((passage) => ({
    passage,
    title: new Set(Tokenizer.tokens(passage.title ?? "")),
    sentences: Sentences.split(passage.text).map((sentence) => ({
      sentence,
      terms: new Set(Tokenizer.tokens(sentence))
    }))
  }))
  const spread = new Map<string, number>()
  for (const part of parts) {
    const here = new Set(part.title)
    for (const { terms } of part.sentences) for (const term of terms) here.add(term)
    for (const term of here) spread.set(term, (spread.get(term) ?? 0) + 1)
  }
  const idf = (term: string): number => Math.log(1 + (passages.length + 0.5) / ((spread.get(term) ?? 0) + 0.5))
  const known = subject.filter((term) => spread.has(term))
  if (isSummary && known.length < 2) return summarise(parts)
  if (known.length === 0) return []

  // A word that no passage holds counts like an average one: it must not outweigh those that all of them hold.
  const total = known.reduce((sum, term) => sum + idf(term), 0) * subject.length / known.length
  const needed = Math.min(2, subject.length)
  const candidates: Array<Candidate> = []
  parts.forEach(({ passage, sentences, title }, index) => {
    const published = passage.publishedAt === undefined ? NaN : Date.parse(passage.publishedAt)
    sentences.forEach(({ sentence, terms }, position) => {
      const matched = new Set<string>()
      let weight = 0
      let inTitle = 0
      for (const term of known) {
        if (terms.has(term)) {
          matched.add(term)
          weight += idf(term)
        } else if (title.has(term)) {
          inTitle++
          weight += idf(term) / 2
        }
      }
      const share = weight / total
      if (matched.size === 0 || matched.size + inTitle < needed || share < minShare) return
      const isHeading = terms.size < 4 && !/[.!?。！？]["'”’)\]]?$/u.test(sentence)
      candidates.push({
        id: passage.id,
        sentence,
        passage: index,
        position,
        terms,
        matched,
        score: share * (isHeading ? 0.6 : 1),
        published: Number.isNaN(published) ? -Infinity : published
      })
    })
  })
  return pick(candidates)
}

/** Whether two sentences state the same matter, perhaps with other figures. */
const isAlike = (a: Candidate, b: Candidate): boolean => {
  let common = 0
  let union = 0
  for (const term of a.terms) {
    if (number.test(term)) continue
    union++
    if (b.terms.has(term)) common++
  }
  for (const term of b.terms) if (!number.test(term) && !a.terms.has(term)) union++
  return union > 0 && common / union >= 0.5
}

const pick = (candidates: Array<Candidate>): ReadonlyArray<Quote> => {
  const ranked = candidates
    .sort((a, b) => b.score - a.score || b.published - a.published || a.passage - b.passage || a.position - b.position)
    .slice(0, maxCompared)
  const best = ranked[0]
  if (best === undefined) return []
  const picked: Array<Candidate> = []
  const dropped = new Set<Candidate>()
  for (const candidate of ranked) {
    if (picked.length === maxQuotes) break
    if (dropped.has(candidate) || candidate.score < best.score * 0.6) continue
    let chosen = candidate
    for (const rival of ranked) {
      if (rival === candidate || dropped.has(rival) || !isAlike(candidate, rival)) continue
      dropped.add(rival)
      if (rival.passage !== chosen.passage && rival.published > chosen.published) chosen = rival
    }
    dropped.add(candidate)
    picked.push(chosen)
  }
  return picked.map(({ id, sentence }) => ({ id, sentence }))
}

interface Part {
  readonly passage: Chat.ContextPassage
  readonly sentences: ReadonlyArray<{ readonly sentence: string; readonly terms: ReadonlySet<string> }>
}

/** From each passage the sentence whose words recur most in all of them, at most four in all, in reading order. */
const summarise = (parts: ReadonlyArray<Part>): ReadonlyArray<Quote> => {
  const frequency = new Map<string, number>()
  for (const { sentences } of parts) {
    for (const { terms } of sentences) for (const term of terms) frequency.set(term, (frequency.get(term) ?? 0) + 1)
  }
  const ranked = parts.flatMap(({ passage, sentences }, index) =>
    sentences.map(({ sentence, terms }, position) => {
      let sum = 0
      for (const term of terms) sum += Math.log(frequency.get(term) ?? 1)
      // Short sentences are headings; the first ones say what a text is about.
      const score = terms.size < 4 ? 0 : sum / (terms.size + 4) + (position === 0 ? 0.3 : 0)
      return { id: passage.id, sentence, index, position, score }
    })
  ).filter((candidate) => candidate.score > 0).sort((a, b) =>
    b.score - a.score || a.index - b.index || a.position - b.position
  )
  const perPassage = Math.max(1, Math.ceil(maxQuotes / Math.max(1, parts.length)))
  const taken = new Map<number, number>()
  const seen = new Set<string>()
  const picked: typeof ranked = []
  for (const candidate of ranked) {
    const already = taken.get(candidate.index) ?? 0
    if (picked.length === maxQuotes) break
    if (already >= perPassage || seen.has(candidate.sentence)) continue
    taken.set(candidate.index, already + 1)
    seen.add(candidate.sentence)
    picked.push(candidate)
  }
  return picked.sort((a, b) => a.index - b.index || a.position - b.position).map(({ id, sentence }) => ({
    id,
    sentence
  }))
}
