/**
 * The settings of the HTTP transport: those of a server of its own, and those
 * that hold on the MCP path whoever owns the server.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as JsonBounds from "../../protocol/JsonBounds.js"
import * as Transport from "../Transport.js"

/**
 * What holds on the MCP path, whoever owns the server.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Rules {
  /**
   * What a `Host` header may say, with or without a port; `"*"` allows any. The
   * names of this machine's loopback unless given, and the address listened on
   * where it is known.
   */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
  /** Web origins whose pages may call, for example `https://app.example.com`. Those of loopback unless given. */
  readonly allowedOrigins?: ReadonlyArray<string> | undefined
  /** The longest request body in bytes; 1 MiB unless given. */
  readonly maxBodyBytes?: number | undefined
  /** How large the JSON of a message may be besides; 128 levels, 100,000 values and strings of 1 MiB unless given. */
  readonly bounds?: Partial<JsonBounds.Bounds> | undefined
  /** Calls in flight at once, subscriptions apart; 1,024 unless given. More are answered 503. */
  readonly maxInFlight?: number | undefined
  /** Open subscriptions and streams of sessions, together; 10,000 unless given. More are answered 503. */
  readonly maxStreams?: number | undefined
  /** How often an open event stream gets a comment; 15 seconds unless given. */
  readonly keepAlive?: Duration.DurationInput | undefined
  /** How long calls in flight may go on when the scope closes; 20 seconds unless given. */
  readonly drain?: Duration.DurationInput | undefined
}

/**
 * Settings that a file or the environment can hold.
 *
 * @since 0.1.0
 * @category configuration
 */
export interface Settings extends Rules {
  /** 0 to 65535; 0 takes any free port. */
  readonly port: number
  /** The address to listen on; `127.0.0.1` unless given. */
  readonly host?: string | undefined
  /** The path that MCP is served on; `/mcp` unless given. */
  readonly path?: string | undefined
  /** Permits an address that other machines can reach; false unless given. */
  readonly allowUnauthenticatedRemote?: boolean | undefined
  /** The longest headers of a request in bytes, taken together; 16 KiB unless given. */
  readonly maxHeaderBytes?: number | undefined
  /** Connections open at once; unlimited unless given. */
  readonly maxConnections?: number | undefined
  /** How long the headers of a request may take to arrive; 10 seconds unless given. */
  readonly headersTimeout?: Duration.DurationInput | undefined
  /** How long a whole request may take to arrive, not to be answered; 30 seconds unless given. */
  readonly requestTimeout?: Duration.DurationInput | undefined
  /**
   * How long the server, asked to stop, goes on serving everything while it says
   * that it is not ready, so that a load balancer sees it before a connection is
   * refused; 0 unless given. Two or three of the balancer's probes behind one.
   */
  readonly lameDuck?: Duration.DurationInput | undefined
  /** How long an idle connection is kept; 65 seconds unless given: longer than usual load balancers keep theirs. */
  readonly idleTimeout?: Duration.DurationInput | undefined
}

const maxHeaderBytes = 16 * 1024
const maxInFlight = 1024
const maxStreams = 10_000
const drain = Duration.seconds(20)

/**
 * A duration in milliseconds.
 *
 * @since 0.1.0
 * @category configuration
 */
export const millis = (given: Duration.DurationInput | undefined, otherwise: Duration.DurationInput): number =>
  Duration.toMillis(given ?? otherwise)

/**
 * The limits that the rules set, each with its default.
 *
 * @since 0.1.0
 * @category configuration
 */
export const limits = (rules: Rules) => ({
  maxBodyBytes: rules.maxBodyBytes ?? Transport.maxBodyBytes,
  bounds: { ...JsonBounds.defaults, ...rules.bounds },
  maxInFlight: rules.maxInFlight ?? maxInFlight,
  maxStreams: rules.maxStreams ?? maxStreams,
  keepAliveMillis: millis(rules.keepAlive, "15 seconds"),
  drainMillis: millis(rules.drain, drain)
})

/**
 * What a listening socket is held to. Times are in milliseconds.
 *
 * @since 0.1.0
 * @category configuration
 */
export const listening = (settings: Settings) => ({
  headersTimeout: millis(settings.headersTimeout, "10 seconds"),
  requestTimeout: millis(settings.requestTimeout, "30 seconds"),
  idleTimeout: millis(settings.idleTimeout, "65 seconds"),
  maxConnections: settings.maxConnections,
  maxHeaderBytes: settings.maxHeaderBytes ?? maxHeaderBytes
})

/** A whole number within bounds; an empty variable is an absent one, not 0. */
const whole = (name: string, least: number, most: number): Config.Config<number> =>
  Config.nonEmptyString(name).pipe(Config.mapOrFail((text) => {
    const value = /^\d{1,15}$/u.test(text.trim()) ? Number(text) : NaN
    return value >= least && value <= most
      ? Either.right(value)
      : Either.left(ConfigError.InvalidData([], `write a whole number from ${least} to ${most}`))
  }))

const listOf = (name: string): Config.Config<ReadonlyArray<string> | undefined> =>
  Config.withDefault(Config.array(Config.nonEmptyString(), name), undefined)

/**
 * The settings under the names that the environment usually has for them.
 *
 * @since 0.1.0
 * @category configuration
 */
export const settings: Config.Config<Settings> = Config.all({
  port: whole("PORT", 0, 65_535).pipe(
    Config.withDefault(3333),
    Config.withDescription("The port to listen on; 0 takes any free one")
  ),
  host: Config.nonEmptyString("HOST").pipe(
    Config.withDefault("127.0.0.1"),
    Config.withDescription("The address to listen on")
  ),
  path: Config.nonEmptyString("MCP_PATH").pipe(
    Config.withDefault("/mcp"),
    Config.withDescription("The path that MCP is served on")
  ),
  allowedHosts: listOf("ALLOWED_HOSTS").pipe(
    Config.withDescription("What a Host header may say, separated by commas; * allows any")
  ),
  allowedOrigins: listOf("ALLOWED_ORIGINS").pipe(
    Config.withDescription("Web origins whose pages may call, separated by commas")
  ),
  allowUnauthenticatedRemote: Config.boolean("ALLOW_UNAUTHENTICATED_REMOTE").pipe(
    Config.withDefault(false),
    Config.withDescription("Permits an address that other machines can reach")
  ),
  maxBodyBytes: whole("MAX_BODY_BYTES", 1, 2 ** 30).pipe(
    Config.withDefault(Transport.maxBodyBytes),
    Config.withDescription("The longest request body in bytes")
  ),
  maxHeaderBytes: whole("MAX_HEADER_BYTES", 1024, 2 ** 20).pipe(
    Config.withDefault(maxHeaderBytes),
    Config.withDescription("The longest headers of a request in bytes, taken together")
  ),
  maxConnections: whole("MAX_CONNECTIONS", 1, 2 ** 20).pipe(
    Config.withDefault(undefined),
    Config.withDescription("Connections open at once; unlimited unless given")
  ),
  maxInFlight: whole("MAX_IN_FLIGHT", 1, 2 ** 20).pipe(
    Config.withDefault(maxInFlight),
    Config.withDescription("Calls in flight at once; more are answered 503")
  ),
  maxStreams: whole("MAX_STREAMS", 0, 2 ** 20).pipe(
    Config.withDefault(maxStreams),
    Config.withDescription("Open subscriptions and streams of sessions; more are answered 503")
  ),
  lameDuck: Config.duration("DRAIN_LAME_DUCK").pipe(
    Config.withDefault(Duration.zero),
    Config.withDescription(
      "How long a server that stops goes on serving while /readyz says so; 2 seconds behind a balancer"
    )
  ),
  drain: Config.duration("DRAIN_TIMEOUT").pipe(
    Config.withDefault(drain),
    Config.withDescription("How long calls in flight may go on when the server stops")
  )
})
