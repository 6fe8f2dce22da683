/**
 * Documents and questions for the bench of stores: English words as common as in
 * prose, in sentences and paragraphs, each document about something. The same
 * every time, and each document by its number alone, so that none has to be kept.
 *
 * @since 0.1.0
 */
import type { Document } from "causeway-mcp/document/Document"
import type { Filter } from "causeway-mcp/document/DocumentStore"
import * as WordTable from "causeway-mcp/embedding/internal/WordTable"
import * as Either from "effect/Either"
import { readFileSync } from "node:fs"

/**
 * The tenant that is asked, and another that is in its way.
 *
 * @since 0.1.0
 */
export const tenants = { asked: "north", other: "south" } as const

/**
 * @since 0.1.0
 */
export type Tenant = typeof tenants[keyof typeof tenants]

/**
 * @since 0.1.0
 */
export interface Corpus {
  /** One to eight passages, three at a mean; its id begins with the tenant's name. */
  readonly document: (tenant: Tenant, n: number) => Document
  /** Different words that a reader of one of the asked tenant's first documents might ask for. */
  readonly question: (n: number, words: number, documents: number) => string
}

/**
 * A document passes this filter in 1 of 100 cases.
 *
 * @since 0.1.0
 */
export const few: Filter = { metadata: { company: "company-07" } }

/**
 * A document passes this filter in 95 of 100 cases.
 *
 * @since 0.1.0
 */
export const most: Filter = { metadata: { priority: { min: 5 } } }

type Random = () => number

/** Mulberry32: numbers from 0 to 1, the same for one seed and unlike those of the next. */
const generator = (seed: number): Random => {
  let state = Math.imul(seed + 1, 0x9e37_79b1) >>> 0
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** As often between 1 and 10 as between 10 and 100. */
const spread = (random: Random, least: number, most: number): number => Math.floor(least * (most / least) ** random())

const list = <A>(count: number, make: () => A): ReadonlyArray<A> => Array.from({ length: count }, make)

const one = (random: Random, of: ReadonlyArray<string>): string => of[Math.floor(random() * of.length)] ?? ""

const titled = (words: string): string => words.slice(0, 1).toUpperCase() + words.slice(1)

const firstSeed: { readonly [tenant in Tenant]: number } = { north: 0, south: 500_000_000 }
const topicSeed = 1_000_000_000
const questionSeed = 2_000_000_000

const topicCount = 200
const kinds = ["filing", "news", "note", "transcript"]
const firstDay = Date.UTC(2023, 0, 1)
const days = 1_000

/** What a document is about: its topic's words, and some that hardly another document has. */
interface Subject {
  readonly topic: ReadonlyArray<string>
  readonly own: ReadonlyArray<string>
}

/**
 * The words are those of the package's table of words, by falling frequency.
 *
 * @since 0.1.0
 */
export const make = (table: string): Corpus => {
  const { ranks } = Either.getOrThrowWith(WordTable.decode(readFileSync(table)), (why) => new Error(why))
  const words = [...ranks.keys()].filter((word) => /^[a-z]+$/.test(word))
  const word = (rank: number): string => words[Math.min(rank, words.length - 1)] ?? ""

  /** Of rank r about 1/(r + 2.7) of the time: Zipf's law as Mandelbrot corrected it. */
  const reach = Math.log((words.length + 2.7) / 2.7)
  const common = (random: Random): string => word(Math.floor(2.7 * Math.exp(reach * random()) - 2.7))

  const topics = Array.from({ length: topicCount }, (_, n) => {
    const random = generator(topicSeed + n)
    return list(60, () => word(spread(random, 150, 15_000)))
  })

  const subject = (random: Random): Subject => ({
    topic: topics[Math.floor(random() * topicCount)] ?? [],
    own: list(12, () => word(spread(random, 500, words.length)))
  })

  const sentence = (random: Random, { own, topic }: Subject): string => {
    const said = list(6 + Math.floor(21 * random()), () => {
      const chance = random()
      const next = chance < 0.72 ? common(random) : chance < 0.92 ? one(random, topic) : one(random, own)
      return chance < 0.04 ? `${next},` : next
    })
    return `${titled(said.join(" ").replace(/,$/, ""))}.`
  }

  return {
    document: (tenant, n) => {
      const random = generator(firstSeed[tenant] + n)
      const about = subject(random)
      const paragraphs = list(
        spread(random, 2, 16),
        () => list(3 + Math.floor(5 * random()), () => sentence(random, about)).join(" ")
      )
      const id = `${tenant}-${n}`
      const hundredth = Math.floor(100 * random())
      return {
        id,
        title: titled(list(5, () => one(random, random() < 0.6 ? about.topic : about.own)).join(" ")),
        uri: `https://documents.example.test/${id}`,
        text: paragraphs.join("\n\n"),
        publishedAt: new Date(firstDay + Math.floor(days * 86_400 * random()) * 1_000).toISOString(),
        metadata: {
          company: `company-${String(hundredth).padStart(2, "0")}`,
          kind: one(random, kinds),
          priority: Math.floor(100 * random())
        }
      }
    },
    question: (n, count, documents) => {
      const random = generator(questionSeed + n)
      const { own, topic } = subject(generator(firstSeed[tenants.asked] + Math.floor(documents * random())))
      // A word of the topic first: the others may be too common to be looked for.
      const asked = new Set([one(random, topic)])
      while (asked.size < count) {
        const chance = random()
        asked.add(chance < 0.4 ? one(random, topic) : chance < 0.65 ? one(random, own) : common(random))
      }
      return [...asked].join(" ")
    }
  }
}
