/**
 * What the bench of stores measures, and how it is written down.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

/**
 * One line of the table, of one store.
 *
 * @since 0.1.0
 */
export interface Figure {
  readonly name: string
  readonly unit: "ms" | "/s" | "MB" | "%" | ""
  readonly value?: number
  /** Of `count` times, in milliseconds. */
  readonly p50?: number
  readonly p99?: number
  readonly count?: number
  /** What the median may be at 10,000 passages. */
  readonly budget?: number
  readonly note?: string
}

/**
 * @since 0.1.0
 */
export type Report = (figure: Figure) => void

/**
 * The figure of many times, in milliseconds.
 *
 * @since 0.1.0
 */
export const ofTimes = (
  name: string,
  times: ReadonlyArray<number>,
  more: Pick<Figure, "budget" | "note"> = {}
): Figure => {
  const sorted = [...times].sort((a, b) => a - b)
  const quantile = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { name, unit: "ms", p50: quantile(0.5), p99: quantile(0.99), count: sorted.length, ...more }
}

/**
 * What an effect gives, and the milliseconds it took.
 *
 * @since 0.1.0
 */
export const timed = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<readonly [millis: number, value: A], E, R> =>
  Effect.suspend(() => {
    const from = performance.now()
    return Effect.map(effect, (value) => [performance.now() - from, value] as const)
  })

const turn = (): number => {
  const from = performance.now()
  let state = 1
  for (let n = 0; n < 60_000_000; n++) state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  // The sum is looked at, or the loop would be left out.
  return performance.now() - from + (state === 0 ? 1 : 0)
}

/**
 * A loop that always does the same: what it takes tells a slow or busy machine
 * from a slow store.
 *
 * @since 0.1.0
 */
export const loop = (name: string): Figure => {
  turn()
  return ofTimes(name, Array.from({ length: 25 }, turn))
}

const written = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)

/** A budget is one for 10,000 passages only. */
const cell = (figure: Figure | undefined, isJudged: boolean): string => {
  if (figure === undefined) return "-"
  const { budget, note, p50, p99, value } = figure
  const times = p50 === undefined || p99 === undefined
    ? undefined
    : `${written(p50)} / ${written(p99)}${budget === undefined ? "" : ` of ${budget}`}${
      isJudged && budget !== undefined && p50 > budget ? "!" : ""
    }`
  return times ?? (value === undefined ? note ?? "-" : written(value))
}

const labelOf = ({ name, unit }: Pick<Figure, "name" | "unit">): string => unit === "" ? name : `${name}, ${unit}`

/**
 * One figure by itself.
 *
 * @since 0.1.0
 */
export const line = (figure: Figure): string => `${labelOf(figure)}: ${cell(figure, false)}`

/**
 * The same figures by store and name, for programs to read.
 *
 * @since 0.1.0
 */
export const record = (
  stores: ReadonlyMap<string, ReadonlyArray<Figure>>
): { readonly [store: string]: { readonly [name: string]: Omit<Figure, "name"> } } =>
  Object.fromEntries(
    Array.from(stores, ([store, figures]) => [
      store,
      Object.fromEntries(figures.map(({ name, ...figure }) => [name, figure]))
    ])
  )

/** Each store's lines in its own order, those that only a later store has after the one before them. */
const rowsOf = (stores: ReadonlyMap<string, ReadonlyArray<Figure>>): ReadonlyArray<string> => {
  const rows: Array<string> = []
  for (const figures of stores.values()) {
    let at = 0
    for (const { name } of figures) {
      const known = rows.indexOf(name)
      if (known < 0) rows.splice(at, 0, name)
      at = (known < 0 ? at : known) + 1
    }
  }
  return rows
}

/**
 * All stores side by side.
 *
 * @since 0.1.0
 */
export const table = (stores: ReadonlyMap<string, ReadonlyArray<Figure>>, isJudged: boolean): string => {
  const lines = rowsOf(stores).map((name) => {
    const found = [...stores.values()].map((figures) => figures.find((figure) => figure.name === name))
    const unit = found.find((figure) => figure !== undefined)?.unit ?? ""
    return [labelOf({ name, unit }), ...found.map((figure) => cell(figure, isJudged))]
  })
  const all = [["", ...stores.keys()], ...lines]
  const notes = [...stores].flatMap(([store, figures]) =>
    figures.flatMap(({ name, note, p50, value }) =>
      note === undefined || (p50 === undefined && value === undefined) ? [] : [`${store}, ${name}: ${note}`]
    )
  )
  return [
    ...all.map(([first = "", ...rest]) => first.padEnd(46) + rest.map((text) => text.padStart(24)).join("")),
    "",
    "Of times: p50 / p99, and what p50 may be at 10,000 passages (design, section 3); ! is over it.",
    ...notes
  ].join("\n")
}
