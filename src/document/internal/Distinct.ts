/**
 * Leaves one of the passages that say the same.
 *
 * @since 0.1.0
 */
import type { Passage } from "../Document.js"
import type { Hit } from "../DocumentStore.js"
import * as Moment from "../Moment.js"
import * as Duplicates from "./Duplicates.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Distinct extends Hit {
  /** The documents that say the same, its own among them. */
  readonly copies: ReadonlyArray<string>
}

const fact = ({ metadata }: Passage, key: string) => Object.hasOwn(metadata, key) ? metadata[key] : undefined

/** A sentence that every report repeats is another statement in each: never of two companies, nor of two periods. */
const isOnOneMatter = (self: Passage, that: Passage): boolean =>
  ["company", "period"].every((key) => {
    const [mine, theirs] = [fact(self, key), fact(that, key)]
    return mine === undefined || theirs === undefined || mine === theirs
  })

const publishedAt = ({ publishedAt }: Passage): number =>
  (publishedAt === undefined ? undefined : Moment.millis(publishedAt)) ?? -Infinity

interface Group {
  hit: Hit
  readonly score: number
  readonly sketch: Duplicates.Sketch
  readonly copies: Set<string>
}

/**
 * One of each passage, in the order given: the newest, at the rank and with the
 * score of the best.
 *
 * @since 0.1.0
 * @category combinators
 */
export const distinct = (hits: ReadonlyArray<Hit>): ReadonlyArray<Distinct> => {
  const groups: Array<Group> = []
  for (const hit of hits) {
    const sketch = Duplicates.sketch(hit.passage.text)
    const twin = groups.find((group) =>
      Duplicates.isSame(sketch, group.sketch) && isOnOneMatter(hit.passage, group.hit.passage)
    )
    if (twin === undefined) {
      groups.push({ hit, score: hit.score, sketch, copies: new Set([hit.passage.documentId]) })
      continue
    }
    twin.copies.add(hit.passage.documentId)
    if (publishedAt(hit.passage) > publishedAt(twin.hit.passage)) twin.hit = hit
  }
  return groups.map(({ copies, hit, score }) => ({ ...hit, score, copies: [...copies] }))
}
