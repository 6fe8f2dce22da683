/**
 * What a request says about itself in `params._meta`: on 2026-07-28 its version
 * and the client's capabilities, on every revision where progress goes.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { Json } from "./JsonRpc.js"
import { isId, isObject } from "./JsonRpc.js"
import * as Logging from "./Logging.js"
import type { McpError } from "./McpError.js"
import { invalidParams } from "./McpError.js"
import type { ClientCapabilities, Implementation, RequestId } from "./McpSchema.js"

/**
 * The keys that MCP reserves and this library reads or writes.
 *
 * @since 0.1.0
 * @category models
 */
export const Key = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  logLevel: "io.modelcontextprotocol/logLevel",
  serverInfo: "io.modelcontextprotocol/serverInfo",
  subscriptionId: "io.modelcontextprotocol/subscriptionId"
} as const

/**
 * What every revision allows: a token that asks for progress, and anything else.
 *
 * @since 0.1.0
 * @category models
 */
export interface Common {
  readonly meta: Json
  readonly progressToken: RequestId | undefined
}

/**
 * What a request of 2026-07-28 must say, and may say.
 *
 * @since 0.1.0
 * @category models
 */
export interface Envelope extends Common {
  readonly version: string
  readonly clientCapabilities: ClientCapabilities
  readonly clientInfo: Implementation | undefined
  /** The least severe level that the client wants to see of this request; none without it. */
  readonly logLevel: Logging.Level | undefined
}

const noMeta: Json = Object.freeze({})

const refuse = (key: string, rule: string): Either.Either<never, McpError> =>
  Either.left(invalidParams(`params._meta["${key}"] ${rule}`))

const isOptionalString = (value: unknown): boolean => value === undefined || typeof value === "string"

const isIcon = (value: unknown): boolean => isObject(value) && typeof value.src === "string"

/**
 * Whether a value names a program: `name` and `version` are strings, and what
 * else is known of it has the right type.
 *
 * @since 0.1.0
 * @category guards
 */
export const isImplementation = (value: unknown): value is Implementation =>
  isObject(value) && typeof value.name === "string" && typeof value.version === "string" &&
  isOptionalString(value.title) && isOptionalString(value.description) && isOptionalString(value.websiteUrl) &&
  (value.icons === undefined || (Array.isArray(value.icons) && value.icons.every(isIcon)))

/**
 * Whether the request claims to be of a revision without a handshake: the key
 * is there, whatever its value. Nothing else is a claim.
 *
 * @since 0.1.0
 * @category guards
 */
export const isClaim = (params: Json): boolean =>
  isObject(params._meta) && Object.hasOwn(params._meta, Key.protocolVersion)

/**
 * The required keys that `params._meta` does not have.
 *
 * @since 0.1.0
 * @category accessors
 */
export const missing = (params: Json): ReadonlyArray<string> => {
  const meta = isObject(params._meta) ? params._meta : noMeta
  return [Key.protocolVersion, Key.clientCapabilities].filter((key) => !Object.hasOwn(meta, key))
}

const tokenRule = "must be a string of at most 1024 characters or a safe integer"

/**
 * Reads what every revision allows. Fails with `invalidParams`.
 *
 * @since 0.1.0
 * @category decoding
 */
export const common = (params: Json): Either.Either<Common, McpError> => {
  const meta = params._meta
  if (meta === undefined) return Either.right({ meta: noMeta, progressToken: undefined })
  if (!isObject(meta)) return Either.left(invalidParams("params._meta must be an object"))
  const token = meta.progressToken
  if (token === undefined) return Either.right({ meta, progressToken: undefined })
  return isId(token) ? Either.right({ meta, progressToken: token }) : refuse("progressToken", tokenRule)
}

/**
 * Reads the envelope of 2026-07-28; the version may be one that nobody knows.
 * Fails with `invalidParams`, naming the key.
 *
 * @since 0.1.0
 * @category decoding
 */
export const envelope = (params: Json): Either.Either<Envelope, McpError> => {
  const meta = params._meta
  if (!isObject(meta)) return refuse(Key.protocolVersion, "is missing")
  const version = meta[Key.protocolVersion]
  if (typeof version !== "string") return refuse(Key.protocolVersion, "must be a string")
  const clientCapabilities = meta[Key.clientCapabilities]
  if (clientCapabilities === undefined) return refuse(Key.clientCapabilities, "is missing")
  if (!isObject(clientCapabilities)) return refuse(Key.clientCapabilities, "must be an object")
  const clientInfo = meta[Key.clientInfo]
  if (clientInfo !== undefined && !isImplementation(clientInfo)) {
    return refuse(Key.clientInfo, "must have a name and a version, and be an Implementation")
  }
  const logLevel = meta[Key.logLevel]
  if (logLevel !== undefined && !Logging.isLevel(logLevel)) return refuse(Key.logLevel, "must be a logging level")
  const progressToken = meta.progressToken
  if (progressToken !== undefined && !isId(progressToken)) return refuse("progressToken", tokenRule)
  return Either.right({ version, clientCapabilities, clientInfo, logLevel, progressToken, meta })
}
