/**
 * The protocol's own errors: the question was wrong, whatever the tool.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

/**
 * The codes of MCP 2026-07-28, and of JSON-RPC 2.0 below them.
 *
 * @since 0.1.0
 * @category models
 */
export const Code = {
  ParseError: -32700,
  InvalidRequest: -32600,
  MethodNotFound: -32601,
  InvalidParams: -32602,
  InternalError: -32603,
  HeaderMismatch: -32020,
  MissingClientCapability: -32021,
  UnsupportedProtocolVersion: -32022
} as const

/**
 * @since 0.1.0
 * @category models
 */
export type Code = typeof Code[keyof typeof Code]

/**
 * A JSON-RPC error to be: `message` is one short sentence for the client's
 * developer, `data` has the shape the specification gives the code.
 *
 * @since 0.1.0
 * @category errors
 */
export class McpError extends Data.TaggedError("McpError")<{
  readonly code: number
  readonly message: string
  readonly data?: unknown
}> {}

/**
 * @since 0.1.0
 * @category constructors
 */
export const invalidRequest = (message: string): McpError => new McpError({ code: Code.InvalidRequest, message })

/**
 * @since 0.1.0
 * @category constructors
 */
export const methodNotFound = (method: string): McpError =>
  new McpError({ code: Code.MethodNotFound, message: `Method not found: ${method.slice(0, 128)}` })

/**
 * @since 0.1.0
 * @category constructors
 */
export const invalidParams = (message: string, data?: unknown): McpError =>
  new McpError({ code: Code.InvalidParams, message, ...(data === undefined ? {} : { data }) })

/**
 * @since 0.1.0
 * @category constructors
 */
export const headerMismatch = (message: string): McpError => new McpError({ code: Code.HeaderMismatch, message })

const wordsFor = ([capability, settings]: readonly [string, unknown]): string => {
  const parts = Object.keys(Object(settings))
  return parts.length === 0 ? capability : `${capability} (${parts.join(", ")})`
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const missingClientCapability = (required: { readonly [capability: string]: unknown }): McpError =>
  new McpError({
    code: Code.MissingClientCapability,
    message: `Missing client capability: ${Object.entries(required).map(wordsFor).join(", ")}`,
    data: { requiredCapabilities: required }
  })

/**
 * @since 0.1.0
 * @category constructors
 */
export const unsupportedVersion = (supported: ReadonlyArray<string>, requested: string): McpError =>
  new McpError({
    code: Code.UnsupportedProtocolVersion,
    message: `Unsupported protocol version; supported: ${supported.join(", ")}`,
    data: { supported, requested }
  })

/**
 * @since 0.1.0
 * @category constructors
 */
export const internalError = (incident: string): McpError =>
  new McpError({ code: Code.InternalError, message: `Internal error; incident ${incident}` })
