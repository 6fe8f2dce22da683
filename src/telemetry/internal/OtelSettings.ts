/**
 * What can be said of the way to a collector, and OpenTelemetry's standard
 * variables for it.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

/**
 * What is sent.
 *
 * @since 0.1.0
 * @category models
 */
export type Signal = "traces" | "metrics" | "logs"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** The collector: `https://host:4318`, to which `/v1/traces` and so on are added. */
  readonly url: string
  /** Where a signal goes instead, whole. */
  readonly urls?: { readonly [S in Signal]?: string | undefined } | undefined
  /** Which go out; all three unless given. */
  readonly signals?: ReadonlyArray<Signal> | undefined
  /** Sent with every request, for example the key of a vendor. */
  readonly headers?: { readonly [name: string]: Redacted.Redacted } | undefined
  /** The name of this service in traces. */
  readonly serviceName: string
  readonly serviceVersion?: string | undefined
  /** Further attributes of this instance, for example `deployment.environment.name`. */
  readonly resource?: { readonly [name: string]: string } | undefined
  /** Of the traces that begin here, the share that is kept, 0 to 1; all unless given. */
  readonly sampleRatio?: number | undefined
  /** Whether a trace that came from outside is kept when its sender keeps it, and only then; otherwise by the ratio too. `true` unless given. */
  readonly followsParents?: boolean | undefined
  /** How it is written; `protobuf` unless given. */
  readonly encoding?: "protobuf" | "json" | undefined
  /** How often traces and logs go out; every 5 seconds unless given. */
  readonly exportInterval?: Duration.DurationInput | undefined
  /** How often metrics go out; every minute unless given. */
  readonly metricsInterval?: Duration.DurationInput | undefined
  /** How long one request may take; 10 seconds unless given. */
  readonly timeout?: Duration.DurationInput | undefined
  /** How long the last requests may take when the layer ends; 3 seconds unless given. */
  readonly shutdownTimeout?: Duration.DurationInput | undefined
}

/** An empty variable is an absent one, as the specification says. */
const text = (name: string): Config.Config<string | undefined> =>
  Config.map(Config.option(Config.string(name)), (value) => {
    const trimmed = Option.getOrElse(value, () => "").trim()
    return trimmed === "" ? undefined : trimmed
  })

const secret = (name: string): Config.Config<Redacted.Redacted | undefined> =>
  Config.map(
    Config.option(Config.redacted(name)),
    (value) => Option.getOrUndefined(Option.filter(value, (one) => Redacted.value(one).trim() !== ""))
  )

const oneOf = <const A extends string>(name: string, values: ReadonlyArray<A>): Config.Config<A | undefined> =>
  Config.mapOrFail(text(name), (value) => {
    const found = values.find((one) => one === value)
    return value === undefined || found !== undefined
      ? Either.right(found)
      : Either.left(ConfigError.InvalidData([name], `Expected one of ${values.join(", ")}.`))
  })

const numeric = (name: string, least: number, most: number): Config.Config<number | undefined> =>
  Config.mapOrFail(text(name), (value) => {
    const number = value === undefined ? undefined : Number(value)
    return number === undefined || (number >= least && number <= most)
      ? Either.right(number)
      : Either.left(ConfigError.InvalidData([name], `Expected a number from ${least} to ${most}.`))
  })

const decoded = (value: string): string | undefined => {
  try {
    return decodeURIComponent(value)
  } catch {
    return undefined
  }
}

/** `a=1,b=2`, each value percent-encoded where it has to be. */
const pairs = (
  name: string,
  list: string
): Either.Either<ReadonlyArray<readonly [string, string]>, ConfigError.ConfigError> => {
  const found: Array<readonly [string, string]> = []
  for (const entry of list.split(",")) {
    if (entry.trim() === "") continue
    const at = entry.indexOf("=")
    const value = decoded(entry.slice(at + 1).trim())
    if (at < 1 || value === undefined) {
      return Either.left(ConfigError.InvalidData([name], "Expected name=value pairs between commas."))
    }
    found.push([entry.slice(0, at).trim(), value])
  }
  return Either.right(found)
}

const headers = Config.mapOrFail(secret("OTEL_EXPORTER_OTLP_HEADERS"), (value) =>
  Either.map(
    pairs("OTEL_EXPORTER_OTLP_HEADERS", value === undefined ? "" : Redacted.value(value)),
    (all) => Object.fromEntries(all.map(([name, one]) => [name, Redacted.make(one)]))
  ))

const resource = Config.mapOrFail(
  text("OTEL_RESOURCE_ATTRIBUTES"),
  (value) => Either.map(pairs("OTEL_RESOURCE_ATTRIBUTES", value ?? ""), (all) => Object.fromEntries(all))
)

const samplers = [
  ...["always_on", "always_off", "traceidratio"],
  ...["parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"]
]

const ratioOf = (sampler: string, ratio: number): number => {
  if (sampler.endsWith("always_on")) return 1
  return sampler.endsWith("always_off") ? 0 : ratio
}

const exporters = ["otlp", "none"] as const

const read = Config.all({
  isDisabled: Config.map(text("OTEL_SDK_DISABLED"), (value) => value?.toLowerCase() === "true"),
  endpoint: text("OTEL_EXPORTER_OTLP_ENDPOINT"),
  urls: Config.all({
    traces: text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
    metrics: text("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"),
    logs: text("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")
  }),
  exporters: Config.all({
    traces: oneOf("OTEL_TRACES_EXPORTER", exporters),
    metrics: oneOf("OTEL_METRICS_EXPORTER", exporters),
    logs: oneOf("OTEL_LOGS_EXPORTER", exporters)
  }),
  protocol: oneOf("OTEL_EXPORTER_OTLP_PROTOCOL", ["http/protobuf", "http/json"]),
  headers,
  timeout: numeric("OTEL_EXPORTER_OTLP_TIMEOUT", 1, 600_000),
  sampler: oneOf("OTEL_TRACES_SAMPLER", samplers),
  samplerArg: numeric("OTEL_TRACES_SAMPLER_ARG", 0, 1),
  serviceName: text("OTEL_SERVICE_NAME"),
  resource,
  exportInterval: numeric("OTEL_BSP_SCHEDULE_DELAY", 10, 3_600_000),
  metricsInterval: numeric("OTEL_METRIC_EXPORT_INTERVAL", 10, 3_600_000)
})

const names: ReadonlyArray<Signal> = ["traces", "metrics", "logs"]

/**
 * @since 0.1.0
 * @category configuration
 */
export const settings: Config.Config<Options | undefined> = Config.map(read, (found) => {
  const { endpoint, urls } = found
  const signals = names.filter((signal) =>
    found.exporters[signal] !== "none" && (endpoint ?? urls[signal]) !== undefined
  )
  const url = endpoint ?? signals.map((signal) => urls[signal]).find((one) => one !== undefined)
  if (found.isDisabled || url === undefined || signals.length === 0) return undefined
  const sampler = found.sampler ?? "parentbased_always_on"
  const { "service.name": named, "service.version": serviceVersion, ...attributes } = found.resource
  return {
    url,
    urls,
    signals,
    headers: found.headers,
    serviceName: found.serviceName ?? named ?? "causeway",
    serviceVersion,
    resource: attributes,
    sampleRatio: ratioOf(sampler, found.samplerArg ?? 1),
    followsParents: sampler.startsWith("parentbased"),
    encoding: found.protocol === "http/json" ? "json" : "protobuf",
    timeout: found.timeout,
    exportInterval: found.exportInterval,
    metricsInterval: found.metricsInterval
  }
})
