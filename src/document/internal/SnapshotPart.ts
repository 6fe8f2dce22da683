/**
 * The parts that a snapshot's frames hold, and whether something is one: what is
 * put back was looked at first, whoever wrote the file.
 *
 * @since 0.1.0
 */
import type { Metadata } from "../Document.js"
import * as Moment from "../Moment.js"
import type { Change } from "./MemoryChanges.js"
import type { Entry } from "./MemoryIndex.js"

/**
 * The first frame: whose vectors and whose words there are.
 *
 * @since 0.1.0
 * @category models
 */
export interface Head {
  readonly _tag: "Head"
  readonly embedder: string
  readonly dimensions: number
  /** The rule by which words were cut; absent where none are stored. */
  readonly words?: string | undefined
}

/**
 * What follows is this tenant's.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tenant {
  readonly _tag: "Tenant"
  readonly tenant: string
  readonly revision: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Changes {
  readonly _tag: "Changes"
  readonly changes: ReadonlyArray<Omit<Change, "tenant">>
}

/**
 * Everything about a document but its passages, and how many those are.
 *
 * @since 0.1.0
 * @category models
 */
export type About = Omit<Entry, "passages"> & { readonly version?: number | undefined; readonly count: number }

/**
 * Some of a document's passages, with everything else about it in the first piece.
 *
 * @since 0.1.0
 * @category models
 */
export interface Piece {
  readonly about?: About | undefined
  readonly passages: Entry["passages"]
}

/**
 * Behind it stand the vectors of the passages and the words of each by number,
 * as many as `lengths` says.
 *
 * @since 0.1.0
 * @category models
 */
export interface Documents {
  readonly _tag: "Documents"
  readonly pieces: ReadonlyArray<Piece>
  /** The words that no frame before named: their numbers go on where those ended. */
  readonly terms?: ReadonlyArray<string> | undefined
  readonly lengths?: ReadonlyArray<number> | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export type Part = Head | Tenant | Changes | Documents

type Fields = { readonly [key: string]: unknown }

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isText = (value: unknown): value is string => typeof value === "string"

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

const orAbsent = (value: unknown, is: (value: unknown) => boolean): boolean => value === undefined || is(value)

const areAll = (value: unknown, is: (value: unknown) => boolean): boolean => Array.isArray(value) && value.every(is)

const isMoment = (value: unknown): boolean => isText(value) && Moment.millis(value) !== undefined

const isChange = (value: unknown): boolean =>
  isFields(value) && isCount(value["revision"]) && isText(value["documentId"]) && isMoment(value["changedAt"]) &&
  (value["kind"] === "indexed" || value["kind"] === "removed") && orAbsent(value["version"], isCount)

const isFact = (value: unknown): value is Metadata[string] =>
  isText(value) || typeof value === "boolean" || Number.isFinite(value)

const isAbout = (value: unknown): boolean =>
  isFields(value) && isText(value["id"]) && isText(value["fingerprint"]) && isText(value["title"]) &&
  orAbsent(value["uri"], isText) && orAbsent(value["publishedAt"], Number.isSafeInteger) &&
  isMoment(value["indexedAt"]) && isFields(value["metadata"]) && Object.values(value["metadata"]).every(isFact) &&
  orAbsent(value["version"], isCount) && isCount(value["count"])

const isPassage = (value: unknown): boolean =>
  isFields(value) && isText(value["text"]) && isCount(value["start"]) &&
  value["end"] === value["start"] + value["text"].length

const isPiece = (value: unknown): boolean =>
  isFields(value) && orAbsent(value["about"], isAbout) && areAll(value["passages"], isPassage)

/**
 * Whether a frame's text is a part, every field of it of the right type.
 *
 * @since 0.1.0
 * @category guards
 */
export const isPart = (value: unknown): value is Part => {
  if (!isFields(value)) return false
  switch (value["_tag"]) {
    case "Head":
      return isText(value["embedder"]) && isCount(value["dimensions"]) && orAbsent(value["words"], isText)
    case "Tenant":
      return isText(value["tenant"]) && isCount(value["revision"])
    case "Changes":
      return areAll(value["changes"], isChange)
    case "Documents":
      return areAll(value["pieces"], isPiece) && orAbsent(value["terms"], (terms) => areAll(terms, isText)) &&
        orAbsent(value["lengths"], (lengths) => areAll(lengths, isCount))
    default:
      return false
  }
}
