/**
 * How the environment is read: an empty variable is an absent one, and what was
 * chosen, or why it does not do, is told without a secret in it.
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

/** A secret, or a URL that may hold one. */
export const optional = (name: string) =>
  Config.option(Config.redacted(name)).pipe(Config.map(Option.filter((value) => Redacted.value(value) !== "")))

/** A text that is no secret. */
export const text = (name: string) =>
  Config.option(Config.string(name)).pipe(Config.map(Option.filter((value) => value.trim() !== "")))

export const databaseUrl = optional("DATABASE_URL").pipe(
  Config.withDescription("Where documents are kept: postgres://user:password@host:port/database")
)

export const redisUrl = optional("REDIS_URL").pipe(
  Config.withDescription("Where session history is kept and calls are counted: redis://host:port")
)

export const redisCluster = Config.all({
  cluster: Config.literal("on", "off", "")("REDIS_CLUSTER").pipe(
    Config.withDefault("off"),
    Config.map((setting) => setting === "on"),
    Config.withDescription("Whether REDIS_URL is a node of a cluster")
  ),
  clusterNodes: text("REDIS_CLUSTER_NODES").pipe(
    Config.map(Option.map((nodes) => nodes.split(",").map((node) => node.trim()))),
    Config.map(Option.getOrUndefined),
    Config.withDescription("Further nodes to begin with: host:port, separated by commas")
  )
})

export const mirror = text("MIRROR").pipe(
  Config.mapOrFail((setting) => {
    const value = Option.getOrElse(setting, () => "false")
    return value === "true" || value === "false"
      ? Either.right(value === "true")
      : Either.left(ConfigError.InvalidData(["MIRROR"], "write true, false, or nothing, which is false"))
  }),
  Config.withDescription("Whether tenants that are searched are copied to this process's memory")
)

/** What was chosen, a line each, for the operator. */
export const announce = (line: string) => Effect.logInfo(line)

/** A URL without its user and password. */
export const whereOf = (url: URL): string => `${url.host}${url.pathname}`

/** A URL of one of these protocols, each with its colon. */
export const parse = (name: string, url: Redacted.Redacted, protocols: ReadonlyArray<string>) => {
  const value = Redacted.value(url)
  const parsed = URL.canParse(value) ? new URL(value) : undefined
  return parsed !== undefined && protocols.includes(parsed.protocol)
    ? Effect.succeed(parsed)
    : Effect.fail(ConfigError.InvalidData([name], `write a URL that begins with ${protocols.join("// or ")}//`))
}

const settingOf = (error: ConfigError.ConfigError): string =>
  ConfigError.isAnd(error) || ConfigError.isOr(error)
    ? `${settingOf(error.left)}; ${settingOf(error.right)}`
    : `${error.path.join(".")}: ${error.message}`

/** What stopped a program, in one line for its operator. */
export const explain = (error: unknown): string => {
  if (ConfigError.isConfigError(error)) return `setting ${settingOf(error)}`
  return error instanceof Error ? error.message : String(error)
}
