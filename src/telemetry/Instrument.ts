/**
 * Metrics whose series are found once and then cost as little as a field: a label
 * set is bound where it becomes known, and what comes of it is called.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricKey from "effect/MetricKey"
import * as MetricLabel from "effect/MetricLabel"

/**
 * The values of a series' labels. They come from configuration or from a fixed
 * list, never from a request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Labels {
  readonly [label: string]: string
}

/**
 * A series that is set.
 *
 * @since 0.1.0
 * @category models
 */
export interface Level {
  readonly set: (value: number) => void
  /** Adds, or with a negative number takes away. */
  readonly add: (amount: number) => void
}

const toLabels = (labels: Labels): ReadonlyArray<MetricLabel.MetricLabel> =>
  Object.entries(labels).map(([name, value]) => MetricLabel.make(name, value))

const none: Labels = {}

/**
 * A counter; what it gives for labels adds to their series, which stands at 0 from
 * then on.
 *
 * @since 0.1.0
 * @category constructors
 */
export const counter = (name: string, description: string): (labels?: Labels) => (amount: number) => void => {
  const key = MetricKey.counter(name, { description, incremental: true })
  return (labels = none) => Metric.globalMetricRegistry.get(MetricKey.taggedWithLabels(key, toLabels(labels))).update
}

/**
 * A gauge; what it gives for labels sets their series.
 *
 * @since 0.1.0
 * @category constructors
 */
export const gauge = (name: string, description: string): (labels?: Labels) => Level => {
  const key = MetricKey.gauge(name, { description })
  return (labels = none) => {
    const hook = Metric.globalMetricRegistry.get(MetricKey.taggedWithLabels(key, toLabels(labels)))
    return { set: hook.update, add: hook.modify }
  }
}

/**
 * A histogram with these upper ends, and one more for what is above; what it gives
 * for labels takes a value.
 *
 * @since 0.1.0
 * @category constructors
 */
export const histogram = (
  name: string,
  description: string,
  ends: ReadonlyArray<number>
): (labels?: Labels) => (value: number) => void => {
  const key = MetricKey.histogram(name, MetricBoundaries.fromIterable(ends), description)
  return (labels = none) => Metric.globalMetricRegistry.get(MetricKey.taggedWithLabels(key, toLabels(labels))).update
}

/**
 * Makes a value for each key, once.
 *
 * @since 0.1.0
 * @category combinators
 */
export const keep = <K, V>(make: (key: K) => V): (key: K) => V => {
  const kept = new Map<K, V>()
  return (key) => {
    let found = kept.get(key)
    if (found === undefined) kept.set(key, found = make(key))
    return found
  }
}

/**
 * The same for texts that may be anybody's invention: beyond `most` of them, all
 * others are `Telemetry.other`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const keepAtMost = <V>(most: number, other: string, make: (key: string) => V): (key: string) => V => {
  const kept = new Map<string, V>()
  return (key) => {
    const found = kept.get(key)
    if (found !== undefined) return found
    const name = kept.size < most ? key : other
    const made = kept.get(name) ?? make(name)
    kept.set(name, made)
    return made
  }
}
