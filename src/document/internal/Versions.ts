/**
 * What a document's version means for what is stored, alike in every store.
 *
 * @since 0.1.0
 */

/**
 * What a document says of its state.
 *
 * @since 0.1.0
 * @category models
 */
export interface Versioned {
  readonly version?: number | undefined
}

/**
 * What is to be done with a document. `version` of `Keep` is what the stored
 * version becomes: content that is the same is not written, yet its version may
 * be.
 *
 * @since 0.1.0
 * @category models
 */
export type Verdict =
  | { readonly _tag: "Write" }
  | { readonly _tag: "Keep"; readonly version: number | undefined }
  | { readonly _tag: "Outdated" }
  | { readonly _tag: "Refuse"; readonly reason: string }

/**
 * Judges a document by what is stored of it. The same content is never written
 * again: with a version of its own, the stored version becomes the higher of the
 * two, and without one there is none any more. Other content without a version
 * replaces whatever is stored; a version lower than the stored one is outdated
 * and the same one is refused, since two states cannot share it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const judge = (given: Versioned, stored: Versioned | undefined, isSame: boolean): Verdict => {
  if (stored === undefined) return { _tag: "Write" }
  if (isSame) {
    const version = given.version === undefined || stored.version === undefined
      ? given.version
      : Math.max(given.version, stored.version)
    return { _tag: "Keep", version }
  }
  if (given.version === undefined || stored.version === undefined || given.version > stored.version) {
    return { _tag: "Write" }
  }
  return given.version < stored.version
    ? { _tag: "Outdated" }
    : { _tag: "Refuse", reason: `version ${given.version} is stored with other content; raise the version` }
}

/**
 * Of a batch, the document that counts for each id, in the order in which the
 * ids came: the last, unless it has a lower version than the one before it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const winners = <A extends Versioned & { readonly id: string }>(
  documents: Iterable<A>
): ReadonlyMap<string, A> => {
  const all = new Map<string, A>()
  for (const document of documents) {
    const earlier = all.get(document.id)?.version
    if (earlier === undefined || document.version === undefined || document.version >= earlier) {
      all.set(document.id, document)
    }
  }
  return all
}
