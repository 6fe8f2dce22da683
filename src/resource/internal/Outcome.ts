/**
 * What a client is told of how a read ended.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Unavailable } from "../../catalog/Unavailable.js"
import type { McpError } from "../../protocol/McpError.js"
import { invalidParams } from "../../protocol/McpError.js"
import type * as Mcp from "../../protocol/McpSchema.js"
import type * as McpResource from "../McpResource.js"
import { ResourceError } from "../ResourceError.js"
import { maxUriLength } from "../UriTemplate.js"

const uncached: Mcp.CacheHint = Object.freeze({ ttlMs: 0, scope: "private" })

/** The same words for a resource that is not there and one that the caller may not see. */
export const notFound = (uri: string): McpError =>
  invalidParams("Resource not found", { uri: uri.slice(0, maxUriLength) })

/** What a handler's own error means to the client. */
export const reason = (failure: unknown, uri: string): McpError | Unavailable | undefined => {
  if (!(failure instanceof ResourceError)) return undefined
  return failure.reason._tag === "NotFound" ? notFound(uri) : failure.reason
}

const filled = (
  { _meta, mimeType, uri, usualMimeType, ...body }: McpResource.Content,
  readUri: string,
  ownMimeType: string | undefined
): Mcp.ResourceContents => {
  const type = mimeType ?? ownMimeType ?? usualMimeType
  return {
    uri: uri ?? readUri,
    ...(type === undefined ? {} : { mimeType: type }),
    ...body,
    ...(_meta === undefined ? {} : { _meta })
  }
}

const isSeveral = (contents: McpResource.Contents): contents is ReadonlyArray<McpResource.Content> =>
  Array.isArray(contents)

/** The result of a read. `isAnswered` says that it may depend on what a client answered. */
export const settle = (
  resource: McpResource.Any,
  uri: string,
  contents: McpResource.Contents,
  isAnswered: boolean
): Effect.Effect<Mcp.ReadResult, McpError> => {
  const several = isSeveral(contents) ? contents : [contents]
  return several.length === 0 ? Exit.fail(notFound(uri)) : Exit.succeed({
    _tag: "Complete",
    contents: several.map((content) => filled(content, uri, resource.mimeType)),
    // Another who reads this URI has not given that answer.
    cache: isAnswered ? uncached : resource.cache
  })
}
