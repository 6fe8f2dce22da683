/**
 * Writes what Effect's metrics stand at as Prometheus reads it: the text format
 * 0.0.4, or OpenMetrics 1.0.0 for who prefers that.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"
import * as Exposition from "./internal/Exposition.js"

/**
 * @since 0.1.0
 * @category models
 */
export type Format = "text" | "openmetrics"

/**
 * The content type of each format.
 *
 * @since 0.1.0
 * @category constants
 */
export const contentTypes: { readonly [F in Format]: string } = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
}

const qualityOf = (parameters: ReadonlyArray<string>): number => {
  const given = parameters.map((parameter) => parameter.trim()).find((parameter) => /^q=/iu.test(parameter))
  if (given === undefined) return 1
  const quality = Number(given.slice(2))
  return quality >= 0 && quality <= 1 ? quality : 0
}

/** Of an OpenMetrics that we write: version 1.0.0, or any. */
const isOurs = (parameters: ReadonlyArray<string>): boolean =>
  parameters.every((parameter) => {
    const [name = "", value] = parameter.trim().split("=")
    return name.toLowerCase() !== "version" || value === "1.0.0"
  })

/**
 * The format that a client likes best by its `Accept` header: the text format when
 * it says nothing, or nothing that is known.
 *
 * @since 0.1.0
 * @category accessors
 */
export const negotiate = (accept: string | undefined): Format => {
  let openmetrics = 0
  let text = 0
  for (const entry of (accept ?? "").slice(0, 2048).split(",")) {
    const [type = "", ...parameters] = entry.split(";")
    const quality = qualityOf(parameters)
    const range = type.trim().toLowerCase()
    if (range === "application/openmetrics-text" && isOurs(parameters)) openmetrics = Math.max(openmetrics, quality)
    if (range === "text/plain") text = Math.max(text, quality)
  }
  return openmetrics > 0 && openmetrics >= text ? "openmetrics" : "text"
}

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** `text` unless given. */
  readonly format?: Format | undefined
  /** The most series of one metric, above 0; further ones are left out, and counted. 2,000 unless given. */
  readonly maxSeries?: number | undefined
}

/**
 * Every metric there is, in the order of their names and labels. Counters get the
 * ending `_total` where they lack it, and what may also go down is a gauge.
 * Characters that names may not have become `_`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const render = (options: Options = {}): string =>
  Exposition.write(Metric.unsafeSnapshot(), options.format === "openmetrics", options.maxSeries ?? 2000)
