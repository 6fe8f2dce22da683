/**
 * The HTTP client to ask model providers with: connections that are kept, a
 * short time to connect, no redirects.
 *
 * @since 0.1.0
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import Undici from "@effect/platform-node/Undici"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"

/**
 * @since 0.1.0
 * @category configuration
 */
export interface Options {
  /** The longest until a connection stands, encryption included; 1 second unless given. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /** How long a connection is kept that nobody uses; shorter when the server says so; 30 seconds unless given. */
  readonly idleTimeout?: Duration.DurationInput | undefined
  /** Connections to one origin at most, 1 or more: further calls wait for one. As many as are needed unless given. */
  readonly connections?: number | undefined
  /** The largest headers of a response, all together, in bytes, 1,024 or more; 16,384 unless given. */
  readonly maxHeaderBytes?: number | undefined
  /** Certificates of authorities to trust in place of the well-known ones, in PEM. */
  readonly certificateAuthorities?: ReadonlyArray<string> | undefined
}

/** How long one address of a host may take before its next one is tried beside it, in milliseconds. */
const addressMillis = 250

const millisOf = (
  option: string,
  input: Duration.DurationInput
): Either.Either<number, ConfigError.ConfigError> => {
  const millis = Option.map(Duration.decodeUnknown(input), Duration.toMillis)
  return Option.isSome(millis) && millis.value >= 1 && Number.isFinite(millis.value)
    ? Either.right(Math.ceil(millis.value))
    : Either.left(ConfigError.InvalidData([option], "Expected a duration of 1 millisecond or more."))
}

const wholeFrom = (
  option: string,
  value: number | undefined,
  least: number
): Either.Either<number | undefined, ConfigError.ConfigError> =>
  value === undefined || (Number.isSafeInteger(value) && value >= least)
    ? Either.right(value)
    : Either.left(ConfigError.InvalidData([option], `Expected a whole number of ${least} or more.`))

/**
 * Builds the client. Closing the scope breaks its connections. A host's
 * addresses of both kinds are tried, so that it is reached when those of one
 * kind are dead. It waits for a response as long as its caller does. Fails with
 * a `ConfigError` that names the option when one is out of its range.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<HttpClient.HttpClient, ConfigError.ConfigError, Scope.Scope> =>
  Effect.gen(function*() {
    const connectTimeout = yield* millisOf("connectTimeout", options.connectTimeout ?? "1 second")
    const idleTimeout = yield* millisOf("idleTimeout", options.idleTimeout ?? "30 seconds")
    const connections = yield* wholeFrom("connections", options.connections, 1)
    const maxHeaderSize = yield* wholeFrom("maxHeaderBytes", options.maxHeaderBytes, 1024)
    const ca = options.certificateAuthorities
    const agent = yield* Effect.acquireRelease(
      Effect.sync(() =>
        new Undici.Agent({
          connect: { timeout: connectTimeout, ...(ca === undefined ? {} : { ca: [...ca] }) },
          autoSelectFamily: true,
          autoSelectFamilyAttemptTimeout: addressMillis,
          keepAliveTimeout: idleTimeout,
          // A server may ask for less, never for more.
          keepAliveMaxTimeout: idleTimeout,
          maxHeaderSize: maxHeaderSize ?? 16_384,
          pipelining: 1,
          ...(connections === undefined ? {} : { connections })
        })
      ),
      (agent) => Effect.promise(() => agent.destroy())
    )
    return NodeHttpClient.makeUndici(agent)
  })

/**
 * Provides the client.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<HttpClient.HttpClient, ConfigError.ConfigError> =>
  Layer.scoped(HttpClient.HttpClient, make(options))

/**
 * Provides the client, its options read through `Config`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<Options>
): Layer.Layer<HttpClient.HttpClient, ConfigError.ConfigError> =>
  Layer.scoped(HttpClient.HttpClient, Effect.flatMap(Config.unwrap(options), make))
