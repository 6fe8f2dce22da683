/**
 * The lines of an exposition: what is the same in every scrape is written once for
 * each series and kept with its key.
 *
 * @since 0.1.0
 */
import type * as MetricKey from "effect/MetricKey"
import * as MetricKeyType from "effect/MetricKeyType"
import type * as MetricPair from "effect/MetricPair"
import * as MetricState from "effect/MetricState"
import * as Option from "effect/Option"
import * as Telemetry from "../Telemetry.js"

type Kind = "counter" | "gauge" | "histogram" | "summary"

interface Series {
  readonly kind: Kind
  /** The family's name: for a counter without `_total`. */
  readonly name: string
  readonly help: string
  /** Names and escaped values between the braces; empty without labels. */
  readonly labels: string
  /** The beginnings of a histogram's lines, the last for all values. */
  readonly buckets: ReadonlyArray<string>
}

interface Family {
  readonly kind: Kind
  readonly name: string
  readonly help: string
  readonly members: Array<readonly [series: Series, state: unknown]>
}

const noHelp = "Its program says no more of it."

const safeName = (name: string): string => {
  const safe = name.replace(/[^a-zA-Z0-9_:]/gu, "_")
  return /^[a-zA-Z_:]/u.test(safe) ? safe : `_${safe}`
}

const safeLabel = (name: string, reserved: string | undefined): string => {
  const safe = name.replace(/[^a-zA-Z0-9_]/gu, "_")
  if (safe === reserved || safe === "quantile" || safe === "le") return `exported_${safe}`
  return /^[a-zA-Z_]/u.test(safe) ? safe : `_${safe}`
}

const escape = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll("\"", "\\\"").replaceAll("\n", "\\n").replaceAll("\r", " ")

const numberOf = (value: number | bigint): string => {
  if (value === Infinity) return "+Inf"
  return value === -Infinity ? "-Inf" : String(value)
}

/** With a point, in both formats, so that a series is the same in either. */
const boundOf = (bound: number): string => {
  const written = numberOf(bound)
  return /^-?\d+$/u.test(written) ? `${written}.0` : written
}

const kindOf = ({ keyType }: MetricKey.MetricKey.Untyped): Kind => {
  if (MetricKeyType.isHistogramKey(keyType)) return "histogram"
  if (MetricKeyType.isSummaryKey(keyType)) return "summary"
  if (MetricKeyType.isFrequencyKey(keyType)) return "counter"
  // What may be taken from is no counter to Prometheus.
  return MetricKeyType.isCounterKey(keyType) && Object(keyType).incremental === true ? "counter" : "gauge"
}

/** With the labels in the order of their names; of two that come to one name the first stays. */
const labelsOf = (key: MetricKey.MetricKey.Untyped, reserved: string | undefined): string => {
  const given = new Map<string, string>()
  for (const { key: name, value } of [...key.tags].sort((a, b) => (a.key < b.key ? -1 : 1))) {
    const safe = safeLabel(name, reserved)
    if (!given.has(safe)) given.set(safe, value)
  }
  return [...given].map(([name, value]) => `${name}="${escape(value)}"`).join(",")
}

const braced = (labels: string): string => (labels === "" ? "" : `{${labels}}`)

const joined = (labels: string, more: string): string => `{${labels === "" ? more : `${labels},${more}`}}`

const seriesOf = (key: MetricKey.MetricKey.Untyped): Series => {
  const kind = kindOf(key)
  const safe = safeName(key.name)
  const name = kind === "counter" ? safe.replace(/_total$/u, "") : safe
  const labels = labelsOf(key, MetricKeyType.isFrequencyKey(key.keyType) ? "word" : undefined)
  const bounds = MetricKeyType.isHistogramKey(key.keyType)
    ? [...key.keyType.boundaries.values].sort((a, b) => a - b).filter((bound) => bound !== Infinity)
    : []
  return {
    kind,
    name,
    help: Option.getOrElse(key.description, () => noHelp),
    labels,
    buckets: kind === "histogram"
      ? [...bounds, Infinity].map((bound) => `${name}_bucket${joined(labels, `le="${boundOf(bound)}"`)} `)
      : []
  }
}

/** A registry keeps its keys, so each is looked at once. */
const known = new WeakMap<MetricKey.MetricKey.Untyped, Series>()

const knownOf = (key: MetricKey.MetricKey.Untyped): Series => {
  let series = known.get(key)
  if (series === undefined) known.set(key, series = seriesOf(key))
  return series
}

const endings: { readonly [K in Kind]: ReadonlyArray<string> } = {
  counter: ["", "_total"],
  gauge: [""],
  histogram: ["", "_bucket", "_sum", "_count"],
  summary: ["", "_sum", "_count"]
}

/** A family has one type, and no line of its own in another; what would have is a family of another name. */
const gather = (pairs: Iterable<MetricPair.MetricPair.Untyped>): ReadonlyArray<Family> => {
  const families = new Map<string, Family>()
  const taken = new Set<string>()
  const begin = ({ help, kind, name: wanted }: Series): Family => {
    const isFree = (name: string): boolean => endings[kind].every((ending) => !taken.has(`${name}${ending}`))
    let name = wanted
    while (!isFree(name)) name = `${name}_${kind}`
    for (const ending of endings[kind]) taken.add(`${name}${ending}`)
    return { kind, name, help, members: [] }
  }
  for (const { metricKey, metricState } of pairs) {
    const series = knownOf(metricKey)
    const key = `${series.kind} ${series.name}`
    let family = families.get(key)
    if (family === undefined) families.set(key, family = begin(series))
    family.members.push([family.name === series.name ? series : renamed(series, family.name), metricState])
  }
  return [...families.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

const renamed = (series: Series, name: string): Series => ({
  ...series,
  name,
  buckets: series.buckets.map((line) => `${name}${line.slice(series.name.length)}`)
})

const maxWords = 100

const words = (occurrences: ReadonlyMap<string, number>): ReadonlyArray<readonly [string, number]> => {
  const all = [...occurrences].sort(([a], [b]) => (a < b ? -1 : 1))
  if (all.length <= maxWords) return all
  const shown = new Map(all.slice(0, maxWords))
  for (const [, count] of all.slice(maxWords)) shown.set(Telemetry.other, (shown.get(Telemetry.other) ?? 0) + count)
  return [...shown]
}

const linesOf = ({ buckets, kind, labels, name }: Series, state: unknown): string => {
  if (MetricState.isHistogramState(state)) {
    let lines = ""
    let at = 0
    for (const [bound, count] of state.buckets) {
      if (bound !== Infinity) lines += `${buckets[at++] ?? ""}${count}\n`
    }
    const own = braced(labels)
    return `${lines}${buckets[at] ?? ""}${state.count}\n${name}_sum${own} ${
      numberOf(state.sum)
    }\n${name}_count${own} ${state.count}\n`
  }
  if (MetricState.isSummaryState(state)) {
    const own = braced(labels)
    const lines = state.quantiles.map(([quantile, value]) =>
      `${name}${joined(labels, `quantile="${boundOf(quantile)}"`)} ${numberOf(Option.getOrElse(value, () => NaN))}\n`
    )
    return `${lines.join("")}${name}_sum${own} ${numberOf(state.sum)}\n${name}_count${own} ${state.count}\n`
  }
  if (MetricState.isFrequencyState(state)) {
    return words(state.occurrences)
      .map(([word, count]) => `${name}_total${joined(labels, `word="${escape(word)}"`)} ${count}\n`)
      .join("")
  }
  const suffix = kind === "counter" ? "_total" : ""
  if (MetricState.isCounterState(state)) return `${name}${suffix}${braced(labels)} ${numberOf(state.count)}\n`
  return MetricState.isGaugeState(state) ? `${name}${braced(labels)} ${numberOf(state.value)}\n` : ""
}

const compare = ([a]: readonly [Series, unknown], [b]: readonly [Series, unknown]): number =>
  a.labels === b.labels ? 0 : a.labels < b.labels ? -1 : 1

const head = (name: string, kind: Kind, help: string, isOpenMetrics: boolean): string => {
  const shown = kind === "counter" && !isOpenMetrics ? `${name}_total` : name
  const text = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", " ")
  return `# HELP ${shown} ${isOpenMetrics ? text.replaceAll("\"", "\\\"") : text}\n# TYPE ${shown} ${kind}\n`
}

/**
 * Writes a snapshot of a registry.
 *
 * @since 0.1.0
 * @category constructors
 */
export const write = (
  pairs: Iterable<MetricPair.MetricPair.Untyped>,
  isOpenMetrics: boolean,
  maxSeries: number
): string => {
  let text = ""
  let leftOut = 0
  for (const { help, kind, members, name } of gather(pairs)) {
    text += head(name, kind, help, isOpenMetrics)
    members.sort(compare)
    const shown = members.length > maxSeries ? members.slice(0, maxSeries) : members
    leftOut += members.length - shown.length
    let last: string | undefined
    for (const [series, state] of shown) {
      // Names that differ only in characters that may not be there come to one series.
      if (series.labels === last) continue
      last = series.labels
      text += linesOf(series, state)
    }
  }
  if (leftOut > 0) {
    const name = "causeway_metrics_left_out"
    text += `${head(name, "gauge", "Series that were too many to show.", isOpenMetrics)}${name} ${leftOut}\n`
  }
  return isOpenMetrics ? `${text}# EOF\n` : text
}
