/**
 * Sends traces, metrics and logs to an OpenTelemetry collector by OTLP over HTTP.
 * A collector that is down costs the server nothing, and the log one line.
 *
 * @since 0.1.0
 */
import * as OtlpLogger from "@effect/opentelemetry/OtlpLogger"
import * as OtlpMetrics from "@effect/opentelemetry/OtlpMetrics"
import * as OtlpSerialization from "@effect/opentelemetry/OtlpSerialization"
import * as OtlpTracer from "@effect/opentelemetry/OtlpTracer"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as OtelCollector from "./internal/OtelCollector.js"
import type { Options, Signal } from "./internal/OtelSettings.js"
import * as OtelSettings from "./internal/OtelSettings.js"
import * as OtelSpans from "./internal/OtelSpans.js"

export type {
  /**
   * @since 0.1.0
   * @category configuration
   */
  Options,
  /**
   * What is sent.
   *
   * @since 0.1.0
   * @category models
   */
  Signal
} from "./internal/OtelSettings.js"

const headerForm = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/u
const valueForm = /^[\t\x20-\x7e]*$/u

const check = (options: Options): Effect.Effect<void, ConfigError.ConfigError> => {
  const wrong = (option: string, sentence: string) => Effect.fail(ConfigError.InvalidData([option], sentence))
  for (const url of [options.url, ...Object.values(options.urls ?? {})]) {
    if (url === undefined) continue
    if (!URL.canParse(url) || !/^https?:$/u.test(new URL(url).protocol)) {
      return wrong("url", "Expected a URL that begins with https:// or http://.")
    }
    if (new URL(url).username !== "" || new URL(url).password !== "") {
      return wrong("url", "The URL must hold no user name or password; give them as a header.")
    }
  }
  const ratio = options.sampleRatio ?? 1
  if (!(ratio >= 0 && ratio <= 1)) return wrong("sampleRatio", "Expected a share from 0 to 1.")
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (!headerForm.test(name) || !valueForm.test(Redacted.value(value))) {
      return wrong("headers", "One of the headers has a name or a value that HTTP does not allow.")
    }
  }
  return Effect.void
}

/**
 * Sends what the program tells, for as long as the layer is there: provide it
 * around everything. Every span goes on with its parent's decision to keep it.
 * Errors in spans have their own sentence where they are this library's, and no
 * more than their name where they are not: no stack, no cause. Fails with a
 * `ConfigError` that names the option when one is out of its range.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<never, ConfigError.ConfigError, HttpClient.HttpClient> =>
  Layer.unwrapScoped(Effect.gen(function*() {
    yield* check(options)
    const { encoding = "protobuf", serviceName, serviceVersion, shutdownTimeout } = options
    const signals = new Set<Signal>(options.signals ?? ["traces", "metrics", "logs"])
    const client = yield* OtelCollector.make(yield* HttpClient.HttpClient, {
      url: options.url,
      timeout: Duration.decode(options.timeout ?? "10 seconds")
    })
    const headers = Object.fromEntries(
      Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), Redacted.value(value)])
    )
    const common = (signal: Signal) => ({
      url: options.urls?.[signal] ?? `${options.url.replace(/\/{1,8}$/u, "")}/v1/${signal}`,
      resource: { serviceName, serviceVersion, attributes: { ...options.resource } },
      headers,
      shutdownTimeout: shutdownTimeout ?? "3 seconds"
    })
    const exportInterval = options.exportInterval ?? "5 seconds"
    const tracer = Layer.unwrapScoped(Effect.map(
      OtlpTracer.make({ ...common("traces"), exportInterval, maxBatchSize: 1000 }),
      (tracer) =>
        Layer.setTracer(
          OtelSpans.sampling(tracer, {
            ratio: options.sampleRatio ?? 1,
            followsParents: options.followsParents !== false
          })
        )
    ))
    const sent = Layer.mergeAll(
      signals.has("traces") ? tracer : Layer.empty,
      signals.has("metrics")
        ? OtlpMetrics.layer({ ...common("metrics"), exportInterval: options.metricsInterval ?? "1 minute" })
        : Layer.empty,
      signals.has("logs")
        ? OtlpLogger.layer({ ...common("logs"), exportInterval, maxBatchSize: 1000, excludeLogSpans: true })
        : Layer.empty
    )
    const written = Layer.map(
      encoding === "json" ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf,
      OtelSpans.written
    )
    return sent.pipe(Layer.provide(written), Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))
  }))

/**
 * The standard variables: `OTEL_SDK_DISABLED`, `OTEL_EXPORTER_OTLP_ENDPOINT` and
 * `_HEADERS`, `_PROTOCOL`, `_TIMEOUT`, the endpoints of single signals,
 * `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER` and `OTEL_LOGS_EXPORTER` (`otlp`
 * or `none`), `OTEL_TRACES_SAMPLER` and `_ARG`, `OTEL_SERVICE_NAME`,
 * `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_BSP_SCHEDULE_DELAY` and
 * `OTEL_METRIC_EXPORT_INTERVAL`. `undefined` where nothing says where to send.
 *
 * @since 0.1.0
 * @category configuration
 */
export const settings: Config.Config<Options | undefined> = OtelSettings.settings

/**
 * Sends as the standard variables say, and nothing where none of them names a
 * collector.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<never, ConfigError.ConfigError, HttpClient.HttpClient> = Layer.unwrapEffect(
  Effect.map(settings, (options) => (options === undefined ? Layer.empty : layer(options)))
)
