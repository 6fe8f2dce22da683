/**
 * Judges a regular expression from outside before it is run: how its time grows
 * with the text, and whether that is bearable.
 *
 * @since 0.1.0
 */

/** The longest pattern, in UTF-16 units. */
const maxLength = 200

/** How often a fixed count may repeat. */
const maxRepeat = 1000

/** Choices that multiply (`a?`, `(x|y)`) double the work each; this many doublings at most. */
const maxBits = 10

interface Group {
  isVarying: boolean
  branches: number
  bits: number
  size: number
}

interface Quantifier {
  readonly length: number
  readonly kind: "none" | "optional" | "exact" | "varying"
  readonly times: number
}

const none: Quantifier = { length: 0, kind: "none", times: 1 }

const quantifierAt = (pattern: string, at: number): Quantifier => {
  const rest = pattern.slice(at)
  const match = /^(?:[*+?]|\{(\d{1,4})(,(\d{0,4}))?\})\??/u.exec(rest)
  if (match === null) return none
  const length = match[0].length
  if (rest.startsWith("?")) return { length, kind: "optional", times: 1 }
  if (match[1] === undefined) return { length, kind: "varying", times: 1 }
  const from = Number(match[1])
  if (match[2] === undefined || match[3] === match[1]) return { length, kind: "exact", times: from }
  return { length, kind: "varying", times: Number(match[3] === "" ? match[1] : match[3]) }
}

const classEnd = (pattern: string, at: number): number => {
  for (let i = at + 1; i < pattern.length; i++) {
    if (pattern[i] === "\\") i++
    else if (pattern[i] === "]") return i
  }
  return pattern.length
}

/**
 * How long a match may take: `choices` times the text's length to the power of
 * `degree`, in steps.
 *
 * @since 0.1.0
 * @category models
 */
export interface Growth {
  readonly choices: number
  /** 1 to 3. */
  readonly degree: number
}

/** Steps of one match; a step takes about a tenth of a microsecond. */
const maxSteps = 500_000

/** A pattern that can be run on nothing longer is of no use. */
const minReach = 16

/**
 * The steps a match on a text of this length may take.
 *
 * @since 0.1.0
 * @category combinators
 */
export const steps = ({ choices, degree }: Growth, length: number): number => choices * length ** degree

/**
 * The longest text a pattern may be run on, in UTF-16 units, 100,000 at most.
 *
 * @since 0.1.0
 * @category combinators
 */
export const reach = ({ choices, degree }: Growth): number =>
  Math.min(100_000, Math.floor((maxSteps / choices) ** (1 / degree)))

/**
 * How a pattern's time grows; `undefined` when it may grow too fast, or the
 * pattern is none. Looking around, referring back and repeating a group that
 * itself varies are not judged and give `undefined`.
 *
 * @since 0.1.0
 * @category guards
 */
export const growth = (pattern: string): Growth | undefined => {
  if (pattern.length > maxLength) return undefined
  try {
    new RegExp(pattern, "u")
  } catch {
    return undefined
  }
  const root: Group = { isVarying: false, branches: 1, bits: 0, size: 0 }
  const open: Array<Group> = [root]
  let varying = 0
  let at = 0
  while (at < pattern.length) {
    const group = open[open.length - 1] ?? root
    const unit = pattern.charAt(at)
    let closed: Group | undefined
    if (unit === "\\") {
      if (/[1-9k]/u.test(pattern.charAt(at + 1))) return undefined
      const property = /^\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/u.exec(pattern.slice(at))
      at += property?.[0].length ?? 2
    } else if (unit === "[") at = classEnd(pattern, at) + 1
    else if (unit === "(") {
      const head = /^\((?:\?(?::|<[^=!>]+>|(.)))?/u.exec(pattern.slice(at))
      if (head?.[1] !== undefined) return undefined
      open.push({ isVarying: false, branches: 1, bits: 0, size: 0 })
      at += head?.[0].length ?? 1
      continue
    } else if (unit === "|") {
      group.branches++
      at++
      continue
    } else if (unit === ")") {
      closed = open.pop()
      at++
    } else at++

    const quantifier = quantifierAt(pattern, at)
    at += quantifier.length
    if (quantifier.times > maxRepeat) return undefined
    const parent = open[open.length - 1] ?? root
    const bits = closed === undefined ? 0 : closed.bits + Math.log2(closed.branches)
    const repeats = quantifier.kind === "varying" || (quantifier.kind === "exact" && quantifier.times > 1)
    if (repeats && closed?.isVarying === true) return undefined
    if (quantifier.kind === "varying" && bits > 0) return undefined
    if (quantifier.kind === "varying") varying++
    parent.size += (closed?.size ?? 1) * Math.max(1, quantifier.times)
    parent.bits += bits * (quantifier.kind === "exact" ? quantifier.times : 1) +
      (quantifier.kind === "optional" ? 1 : 0)
    if (quantifier.kind === "varying" || closed?.isVarying === true) parent.isVarying = true
  }
  const bits = root.bits + Math.log2(root.branches)
  const isAnchored = pattern.startsWith("^") && root.branches === 1
  const degree = Math.max(1, varying + (varying > 0 && !isAnchored ? 1 : 0))
  if (bits > maxBits || degree > 3) return undefined
  // Written-out length costs time too; that of an ordinary pattern is within the measure of a step.
  const found = { choices: 2 ** bits * Math.max(1, root.size / 8), degree }
  return reach(found) < minReach ? undefined : found
}
