/**
 * Packs documents and session history into what a model may rely on, each under
 * an id of its own.
 *
 * @since 0.1.0
 */
import * as Moment from "../../document/Moment.js"
import * as Tokenizer from "../../document/Tokenizer.js"
import type * as Chat from "../../llm/Chat.js"
import type { SessionEvent } from "../../session/SessionStore.js"
import type { Found } from "./Found.js"

/**
 * An item that may be cited, and where it came from.
 *
 * @since 0.1.0
 * @category models
 */
export type Item =
  | { readonly _tag: "Document"; readonly passage: Chat.ContextPassage; readonly found: Found }
  | { readonly _tag: "Event"; readonly passage: Chat.ContextPassage; readonly event: SessionEvent }

/** Of one document, of one event, of all documents together, in UTF-16 units. */
const maxDocument = 4000
const maxEvent = 500
const maxTotal = 24_000

const clip = (text: string, length: number): string => {
  if (text.length <= length) return text
  const last = text.charCodeAt(length - 1)
  return `${text.slice(0, last >= 0xd800 && last < 0xdc00 ? length - 1 : length)}…`
}

/**
 * Documents, each once, its passages in the order of the text; the best first,
 * as many as fit.
 *
 * @since 0.1.0
 * @category constructors
 */
export const documents = (found: ReadonlyArray<Found>): ReadonlyArray<Item> => {
  let left = maxTotal
  return found.flatMap((document): ReadonlyArray<Item> => {
    const { title } = document.best.passage
    const publishedAt = Moment.normal(document.best.passage.publishedAt)
    const text = clip(document.passages.map((item) => item.passage.text).join("\n\n"), maxDocument)
    if (text.length > left) return []
    left -= text.length
    return [{
      _tag: "Document",
      found: document,
      passage: {
        id: document.id,
        text,
        ...(title === "" ? {} : { title }),
        ...(publishedAt === undefined ? {} : { publishedAt })
      }
    }]
  })
}

const normal = (text: string): string => Tokenizer.tokens(text).join(" ")

/**
 * Events as `history:<eventId>`, newest first, without empty ones and without
 * the question itself. An id that a document has taken is not used again.
 *
 * @since 0.1.0
 * @category constructors
 */
export const events = (
  history: ReadonlyArray<SessionEvent>,
  question: string,
  taken: ReadonlyArray<Item>
): ReadonlyArray<Item> => {
  const ids = new Set(taken.map((item) => item.passage.id))
  return history.flatMap((event): ReadonlyArray<Item> => {
    const id = `history:${event.eventId}`
    if (ids.has(id) || event.text.trim() === "" || normal(event.text) === normal(question)) return []
    ids.add(id)
    const publishedAt = Moment.normal(event.occurredAt)
    return [{
      _tag: "Event",
      event,
      passage: {
        id,
        title: `Session history: ${clip(event.type, 64)}`,
        text: clip(event.text, maxEvent),
        ...(publishedAt === undefined ? {} : { publishedAt })
      }
    }]
  })
}

/**
 * The sentence of an item that says most of what the answer says, word for word
 * as it stands there, at most 300 characters; `undefined` when none shares two
 * words with the answer.
 *
 * @since 0.1.0
 * @category combinators
 */
export const quote = (item: Item, answer: string): string | undefined => {
  const told = new Set(Tokenizer.tokens(answer))
  let best: string | undefined
  let most = 1
  for (const sentence of item.passage.text.split(/(?<=[.!?])\s+|\n+/u)) {
    const common = [...new Set(Tokenizer.tokens(sentence))].filter((token) => told.has(token)).length
    if (common > most) {
      most = common
      best = sentence.trim()
    }
  }
  return best === undefined || best === "" ? undefined : clip(best, 299)
}
