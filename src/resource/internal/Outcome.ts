/**
 * What a client is told of how a read ended.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { NotAnswered } from "../../ask/Ask.js"
import { Code, invalidParams, McpError } from "../../protocol/McpError.js"
import type * as Mcp from "../../protocol/McpSchema.js"
import type * as McpResource from "../McpResource.js"
import { ResourceError } from "../ResourceError.js"
import { maxUriLength } from "../UriTemplate.js"

const uncached: Mcp.CacheHint = Object.freeze({ ttlMs: 0, scope: "private" })

/** The same words for a resource that is not there and one that the caller may not see. */
export const notFound = (uri: string): Exit.Exit<never, McpError> =>
  Exit.fail(invalidParams("Resource not found", { uri: uri.slice(0, maxUriLength) }))

/** A handler that throws before it gives an effect is as broken as one whose effect dies. */
export const begin = <A>(handler: () => Effect.Effect<A, unknown, unknown>): Effect.Effect<A, unknown, unknown> => {
  try {
    return handler()
  } catch (defect) {
    return Exit.die(defect)
  }
}

/** The effect itself when it has ended already, so that it needs no fiber. */
export const exitOf = <A>(effect: Effect.Effect<A, unknown, unknown>): Exit.Exit<A, unknown> | undefined =>
  // An effect that is an exit is one of its own types; the guard forgets them.
  Exit.isExit(effect) ? effect as Exit.Exit<A, unknown> : undefined

/** The failure as the client sees it. One that was not declared is a defect, and so is a handler that stops itself. */
export const fail = (uri: string, cause: Cause.Cause<unknown>): Effect.Effect<never, McpError> => {
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  if (failure instanceof McpError) return Exit.fail(failure)
  if (failure instanceof NotAnswered) {
    return Exit.fail(new McpError({ code: Code.InternalError, message: failure.message }))
  }
  if (failure instanceof ResourceError) {
    if (failure.reason._tag === "NotFound") return notFound(uri)
    const told = Exit.fail(new McpError({ code: Code.InternalError, message: failure.message }))
    return failure.reason.cause === undefined
      ? told
      : Effect.zipRight(Effect.logDebug(`Resource ${uri} was not read`, cause), told)
  }
  return Option.match(Cause.keepDefects(cause), {
    onSome: Exit.failCause,
    onNone: () => Exit.die(failure ?? new Error(`the handler of ${uri} interrupted itself`))
  })
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
  exit: Exit.Exit<McpResource.Contents, unknown>,
  isAnswered: boolean
): Effect.Effect<Mcp.ReadResult, McpError> => {
  if (Exit.isFailure(exit)) return fail(uri, exit.cause)
  const contents = isSeveral(exit.value) ? exit.value : [exit.value]
  if (contents.length === 0) return notFound(uri)
  return Exit.succeed({
    _tag: "Complete",
    contents: contents.map((content) => filled(content, uri, resource.mimeType)),
    // Another who reads this URI has not given that answer.
    cache: isAnswered ? uncached : resource.cache
  })
}
