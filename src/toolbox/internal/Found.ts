/**
 * What a search found, told as filters, passages and sources.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Filter, Origin } from "../../document/DocumentStore.js"
import * as Moment from "../../document/Moment.js"
import type { Retrieval, Retrieved } from "../../document/Retriever.js"
import * as Evidence from "../../tool/Evidence.js"
import type * as Fields from "./Fields.js"

/**
 * The store's filter for the filters of a call.
 *
 * @since 0.1.0
 * @category constructors
 */
export const filter = (filters: Fields.Filters | undefined): Filter | undefined => {
  if (filters === undefined) return undefined
  const { company, period, type, since, until } = filters
  return {
    metadata: {
      ...(company === undefined ? {} : { company }),
      ...(period === undefined ? {} : { period }),
      ...(type === undefined ? {} : { type })
    },
    since,
    until
  }
}

/**
 * All that was found of one document, passages in the order of the text.
 *
 * @since 0.1.0
 * @category models
 */
export interface Found {
  readonly id: string
  readonly passages: ReadonlyArray<Retrieved>
  /** Of the best passage. */
  readonly confidence: number
  readonly best: Retrieved
}

/**
 * Gathers passages by document, the document of the best passage first.
 *
 * @since 0.1.0
 * @category constructors
 */
export const byDocument = (passages: ReadonlyArray<Retrieved>): ReadonlyArray<Found> => {
  const groups = new Map<string, Array<Retrieved>>()
  for (const item of passages) {
    const group = groups.get(item.passage.documentId)
    if (group === undefined) groups.set(item.passage.documentId, [item])
    else group.push(item)
  }
  return [...groups].flatMap(([id, group]) => {
    const [first, ...rest] = group
    if (first === undefined) return []
    const best = rest.reduce((a, b) => b.confidence > a.confidence ? b : a, first)
    return [{
      id,
      passages: group.sort((a, b) => a.passage.position - b.passage.position),
      confidence: best.confidence,
      best
    }]
  })
}

/**
 * A document as the source of an answer.
 *
 * @since 0.1.0
 * @category constructors
 */
export const source = ({ id, best, confidence }: Found): Effect.Effect<Evidence.Source> => {
  const { title, uri } = best.passage
  const publishedAt = Moment.normal(best.passage.publishedAt)
  return Evidence.source({
    id,
    kind: "document-store",
    ...(title === "" ? {} : { title }),
    ...(uri === undefined ? {} : { uri }),
    ...(publishedAt === undefined ? {} : { publishedAt }),
    confidence: Math.min(1, Math.max(0, confidence))
  })
}

/**
 * The document store itself as a source: it was asked and holds nothing that fits.
 *
 * @since 0.1.0
 * @category constructors
 */
export const nothing: Effect.Effect<Evidence.Source> = Effect.suspend(() =>
  Evidence.source({ id: "document-store", kind: "document-store", title: "The document index" })
)

/** The question had no vector to search with. */
const lexicalOnly: Evidence.Degraded = {
  reason: "the question could not be compared by meaning, so passages were found by words alone",
  missing: ["embedder"]
}

/** A copy that is this little behind is as good as the original: documents take as long to arrive. */
const mostBehind = 1000

const behind = ({ behindMillis, region }: Origin): Evidence.Degraded => ({
  reason: `the region ${region} answered, whose copy of the documents may be ${
    behindMillis === undefined
      ? "behind by a time nobody knows"
      : `${Duration.format(Duration.seconds(Math.ceil(behindMillis / 1000)))} behind`
  }`,
  missing: []
})

const isBehind = ({ behindMillis = Infinity }: Origin): boolean => behindMillis > mostBehind

/**
 * What an answer has to say of how its search went: that meaning was not
 * compared; that the copy which answered may be more than a second behind, or nobody
 * knows how far.
 *
 * @since 0.1.0
 * @category combinators
 */
export const notes = (
  { lexicalOnly: isLexical, origin }: Pick<Retrieval, "lexicalOnly" | "origin">
): ReadonlyArray<Evidence.Degraded> => [
  ...(isLexical ? [lexicalOnly] : []),
  ...(origin !== undefined && isBehind(origin) ? [behind(origin)] : [])
]

/**
 * What is missing, added to an answer whose confidence has been judged already.
 *
 * @since 0.1.0
 * @category combinators
 */
export const noting = <A>(
  evidence: Evidence.Evidence<A>,
  notes: ReadonlyArray<Evidence.Degraded>
): Evidence.Evidence<A> => notes.reduce((sum, note) => Evidence.degrade(sum, note, 1), evidence)
