/**
 * What is known of one copy of the store: whether it answers, and how old what
 * it says may be.
 *
 * @since 0.1.0
 */
import type { PgReader } from "./PgReader.js"
import type { Ledger } from "./RegionLedger.js"
import type { Place } from "./RegionPlace.js"
import type { Need } from "./RegionTokens.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface State {
  readonly state: "serving" | "behind" | "down"
  /** Absent while it is not known. */
  readonly behindMillis?: number | undefined
  /** What somebody has to look after. */
  readonly note?: string | undefined
}

/**
 * Every moment is in milliseconds of a clock that does not jump.
 *
 * @since 0.1.0
 * @category models
 */
export interface Copy {
  readonly name: string
  readonly role: "primary" | "replica"
  readonly state: (now: number) => State
  /** Whether it is the one that is written to, now. */
  readonly isSource: () => boolean
  /** Whether what it says holds what is needed. */
  readonly has: (need: Need) => boolean
  readonly reader: () => PgReader | undefined
  /** It can be read, or why it cannot although it answers. */
  readonly opened: (reader: PgReader | string) => void
  /** It told where it stands. */
  readonly told: (place: Place) => void
  /** To be called when the ledger was written: whoever is ahead of the primary is no copy of it. */
  readonly compared: () => void
  /** It did not tell where it stands. */
  readonly silent: (now: number) => void
  /** It is well, whatever it was taken for: it was just written to. */
  readonly proven: () => void
  /** It answered a question, could not, or not in time. */
  readonly answered: () => void
  readonly failed: (now: number) => void
  readonly late: (now: number) => void
  /** When to look at it again, milliseconds from now. */
  readonly pause: (now: number) => number
}

/** A copy that is down is left alone this long at most, milliseconds. */
const longest = 2_000

/** So many late answers in a row are as good as none. */
const patience = 3

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  name: string,
  role: Copy["role"],
  ledger: Ledger,
  settings: { readonly checkEvery: number; readonly maxBehind: number }
): Copy => {
  let reader: PgReader | undefined
  let unreadable: string | undefined
  let place: Place | undefined
  /** How far it is known to have the primary's log. */
  let reached: Pick<Place, "lsn" | "timeline"> | undefined
  let isForeign = false
  let isUp = false
  let silences = 0
  let failures = 0
  let lateness = 0
  let notBefore = 0

  const isSource = () => role === "primary" && place?.isRecovering === false

  const comparable = (): bigint | undefined => {
    const timeline = ledger.timeline()
    return reached === undefined || isForeign || (timeline !== undefined && timeline !== reached.timeline)
      ? undefined
      : reached.lsn
  }

  const age = (now: number): number | undefined => {
    const lsn = comparable()
    const at = lsn === undefined ? undefined : ledger.seenAt(lsn)
    return at === undefined ? undefined : Math.max(0, now - at)
  }

  const note = (): string | undefined => {
    if (role === "primary" && place?.isRecovering === true) {
      return "it replays another server's log: it is no primary any more, and cannot be written to"
    }
    if (role === "replica" && place?.isRecovering === false) {
      return "it was promoted: it is no replica any more, and gets nothing from the primary"
    }
    if (isForeign) return "it holds what the primary never had: it is no replica of it"
    const timeline = ledger.timeline()
    if (place !== undefined && timeline !== undefined && place.timeline !== timeline) {
      return `it is on timeline ${place.timeline} of the log and the primary is on ${timeline}`
    }
    return unreadable
  }

  const down = (now: number): void => {
    isUp = false
    notBefore = now + Math.min(longest, settings.checkEvery * 2 ** (Math.max(silences, failures) - 1))
  }

  const failed = (now: number): void => {
    // of many that fail together the first counts: it is one outage
    if (!isUp) return
    failures++
    lateness = 0
    down(now)
  }

  return {
    name,
    role,
    isSource,
    reader: () => reader,
    opened: (result) => {
      if (typeof result === "string") unreadable = result
      else {
        unreadable = undefined
        reader = result
      }
    },
    state: (now) => {
      const why = note()
      const noted = why === undefined ? {} : { note: why }
      if (isUp && reader !== undefined && isSource()) return { state: "serving", behindMillis: 0, ...noted }
      const behindMillis = isSource() ? undefined : age(now)
      const known = behindMillis === undefined ? noted : { behindMillis, ...noted }
      if (!isUp || reader === undefined || isForeign) return { state: "down", ...known }
      return {
        state: place?.isRecovering === true && behindMillis !== undefined && behindMillis <= settings.maxBehind
          ? "serving"
          : "behind",
        ...known
      }
    },
    has: (need) => {
      if (need === undefined || isSource()) return true
      const lsn = comparable()
      return need !== "unknown" && lsn !== undefined && lsn >= need
    },
    told: (told) => {
      const isSet = place !== undefined && (told.timeline !== place.timeline || told.lsn < place.lsn)
      if (!isUp || isSet) isForeign = false
      place = told
      const timeline = ledger.timeline()
      // A promoted replica still has what it had; where it stands now is no place in the primary's log.
      if (isSource() || (told.isRecovering && (timeline === undefined || timeline === told.timeline))) {
        reached = { lsn: told.lsn, timeline: told.timeline }
      }
      silences = 0
      if (told.toldAt >= notBefore) isUp = true
    },
    compared: () => {
      const last = ledger.last()
      if (
        place !== undefined && last !== undefined && !isSource() && place.isRecovering &&
        place.timeline === ledger.timeline() && place.toldAt <= last.at && place.lsn > last.lsn
      ) isForeign = true
    },
    silent: (now) => {
      silences++
      down(now)
    },
    proven: () => {
      isUp = true
      silences = 0
      failures = 0
      lateness = 0
    },
    answered: () => {
      failures = 0
      lateness = 0
    },
    failed,
    late: (now) => {
      if (++lateness >= patience) failed(now)
    },
    pause: (now) => isUp ? settings.checkEvery : Math.max(0, notBefore - now)
  }
}
