/**
 * Documents in the order in which a list gives them: the newest first, those
 * without a date last, those of one date by id.
 *
 * @since 0.1.0
 */

/**
 * What the order goes by.
 *
 * @since 0.1.0
 * @category models
 */
export interface Dated {
  readonly id: string
  /** Epoch milliseconds. */
  readonly publishedAt: number | undefined
}

/**
 * Below 0 when the first comes before the second.
 *
 * @since 0.1.0
 * @category combinators
 */
export const compare = (self: Dated, that: Dated): number =>
  self.publishedAt === that.publishedAt
    ? self.id < that.id ? -1 : self.id > that.id ? 1 : 0
    : (that.publishedAt ?? -Infinity) - (self.publishedAt ?? -Infinity)

/**
 * @since 0.1.0
 * @category models
 */
export interface SortedDocuments<A extends Dated> {
  readonly add: (document: A) => void
  /** Takes out the document of that id and date. */
  readonly remove: (document: Dated) => void
  /** The documents after a place, which need not be in the list; all without one. */
  readonly after: (place: Dated | undefined) => Iterable<A>
}

/** A document is put into a short array; one that grows longer is halved. */
const most = 512

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = <A extends Dated>(): SortedDocuments<A> => {
  const runs: Array<Array<A>> = []

  /** How many of the items come before a document. */
  const before = <B>(items: ReadonlyArray<B>, of: (item: B) => Dated | undefined, document: Dated): number => {
    let low = 0
    let high = items.length
    while (low < high) {
      const middle = (low + high) >> 1
      const item = items[middle]
      const dated = item === undefined ? undefined : of(item)
      if (dated !== undefined && compare(dated, document) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  const itself = (item: A): Dated => item
  const last = (run: Array<A>): Dated | undefined => run.at(-1)

  return {
    add: (document) => {
      // the first run that does not end before the document, or the last one
      const at = Math.min(runs.length - 1, before(runs, last, document))
      const run = runs[at]
      if (run === undefined) {
        runs.push([document])
        return
      }
      run.splice(before(run, itself, document), 0, document)
      if (run.length > most) runs.splice(at + 1, 0, run.splice(most / 2))
    },
    remove: (document) => {
      const at = before(runs, last, document)
      const run = runs[at]
      if (run === undefined) return
      const place = before(run, itself, document)
      if (run[place]?.id !== document.id) return
      run.splice(place, 1)
      if (run.length === 0) runs.splice(at, 1)
    },
    *after(place) {
      const first = place === undefined ? 0 : before(runs, last, place)
      for (let n = first; n < runs.length; n++) {
        const run = runs[n] ?? []
        let from = n === first && place !== undefined ? before(run, itself, place) : 0
        const found = run[from]
        if (place !== undefined && found !== undefined && compare(found, place) === 0) from++
        for (; from < run.length; from++) {
          const document = run[from]
          if (document !== undefined) yield document
        }
      }
    }
  }
}
