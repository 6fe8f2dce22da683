/**
 * The parameters of each request, read by hand: the checks are few, run on every
 * call, and name what is wrong.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { Filter } from "./Change.js"
import type { Json } from "./JsonRpc.js"
import { isObject } from "./JsonRpc.js"
import * as Logging from "./Logging.js"
import type { McpError } from "./McpError.js"
import { invalidParams } from "./McpError.js"
import type * as Mcp from "./McpSchema.js"
import type * as McpTask from "./McpTask.js"
import { isImplementation } from "./Meta.js"

/**
 * Reads parameters, or says with `invalidParams` which one is wrong.
 *
 * @since 0.1.0
 * @category models
 */
export type Decode<A> = (params: Json) => Either.Either<A, McpError>

/**
 * What a client says when it opens a handshake.
 *
 * @since 0.1.0
 * @category models
 */
export interface Initialize {
  readonly protocolVersion: string
  readonly capabilities: Mcp.ClientCapabilities
  readonly clientInfo: Mcp.Implementation
}

const noArguments: { readonly [key: string]: never } = Object.freeze({})

const refuse = (path: string, rule: string): Either.Either<never, McpError> =>
  Either.left(invalidParams(`params.${path} must be ${rule}`))

const isStrings = (value: Json): value is { readonly [key: string]: string } => {
  for (const key of Object.keys(value)) {
    if (typeof value[key] !== "string") return false
  }
  return true
}

/**
 * Reads who opens a handshake, and for which version; all three fields are required.
 *
 * @since 0.1.0
 * @category decoding
 */
export const initialize: Decode<Initialize> = ({ capabilities, clientInfo, protocolVersion }) => {
  if (typeof protocolVersion !== "string") return refuse("protocolVersion", "a string")
  if (!isObject(capabilities)) return refuse("capabilities", "an object")
  if (!isImplementation(clientInfo)) return refuse("clientInfo", "an object with a name and a version")
  return Either.right({ protocolVersion, capabilities, clientInfo })
}

/**
 * Where a page of a list starts; an empty string is a cursor like any other.
 *
 * @since 0.1.0
 * @category decoding
 */
export const cursor: Decode<string | undefined> = ({ cursor }) =>
  cursor === undefined || typeof cursor === "string" ? Either.right(cursor) : refuse("cursor", "a string")

/**
 * Reads which tool is called with what; missing arguments are `{}`.
 *
 * @since 0.1.0
 * @category decoding
 */
export const callTool: Decode<Mcp.CallTool> = ({ arguments: given, name }) => {
  if (typeof name !== "string") return refuse("name", "a string")
  if (given === undefined) return Either.right({ name, arguments: noArguments })
  return isObject(given) ? Either.right({ name, arguments: given }) : refuse("arguments", "an object")
}

/**
 * Reads which resource is wanted.
 *
 * @since 0.1.0
 * @category decoding
 */
export const readResource: Decode<Mcp.ReadResource> = ({ uri }) =>
  typeof uri === "string" ? Either.right({ uri }) : refuse("uri", "a string")

/**
 * Reads which prompt is wanted with what; arguments are strings, and `{}` when missing.
 *
 * @since 0.1.0
 * @category decoding
 */
export const getPrompt: Decode<Mcp.GetPrompt> = ({ arguments: given, name }) => {
  if (typeof name !== "string") return refuse("name", "a string")
  if (given === undefined) return Either.right({ name, arguments: noArguments })
  return isObject(given) && isStrings(given)
    ? Either.right({ name, arguments: given })
    : refuse("arguments", "an object of strings")
}

const completionRef: Decode<Mcp.Complete["ref"]> = ({ ref }) => {
  if (!isObject(ref)) return refuse("ref", "an object")
  if (ref.type === "ref/prompt") {
    return typeof ref.name === "string"
      ? Either.right({ type: ref.type, name: ref.name })
      : refuse("ref.name", "a string")
  }
  if (ref.type === "ref/resource") {
    return typeof ref.uri === "string" ? Either.right({ type: ref.type, uri: ref.uri }) : refuse("ref.uri", "a string")
  }
  return refuse("ref.type", "\"ref/prompt\" or \"ref/resource\"")
}

/**
 * Reads a question for completions as the first revision asked it: without the
 * arguments chosen so far.
 *
 * @since 0.1.0
 * @category decoding
 */
export const completeAlone: Decode<Mcp.Complete> = (params) => {
  const { argument } = params
  if (!isObject(argument)) return refuse("argument", "an object")
  const { name, value } = argument
  if (typeof name !== "string") return refuse("argument.name", "a string")
  if (typeof value !== "string") return refuse("argument.value", "a string")
  return Either.map(completionRef(params), (ref) => ({ ref, argument: { name, value }, context: noArguments }))
}

/**
 * Reads a question for completions; missing context is `{}`.
 *
 * @since 0.1.0
 * @category decoding
 */
export const complete: Decode<Mcp.Complete> = (params) =>
  Either.flatMap(completeAlone(params), (request): Either.Either<Mcp.Complete, McpError> => {
    const { context } = params
    if (context === undefined) return Either.right(request)
    if (!isObject(context)) return refuse("context", "an object")
    const chosen = context.arguments
    if (chosen === undefined) return Either.right(request)
    return isObject(chosen) && isStrings(chosen)
      ? Either.right({ ...request, context: chosen })
      : refuse("context.arguments", "an object of strings")
  })

/**
 * Reads, besides the parameters, what a retry brings back: the answers to an
 * `InputRequired`, each an object, and the state it was given.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withInputs = <A extends Mcp.InputResponses>(decode: Decode<A>): Decode<A> => (params) => {
  const { inputResponses, requestState } = params
  if (inputResponses === undefined && requestState === undefined) return decode(params)
  if (requestState !== undefined && typeof requestState !== "string") return refuse("requestState", "a string")
  if (inputResponses !== undefined && !isObject(inputResponses)) return refuse("inputResponses", "an object")
  if (inputResponses !== undefined && !Object.values(inputResponses).every(isObject)) {
    return refuse("inputResponses", "an object of objects")
  }
  return Either.map(decode(params), (request) => ({
    ...request,
    ...(inputResponses === undefined ? {} : { inputResponses }),
    ...(requestState === undefined ? {} : { requestState })
  }))
}

/**
 * Reads the least severe level that a client of a handshake revision wants to see.
 *
 * @since 0.1.0
 * @category decoding
 */
export const level: Decode<Logging.Level> = ({ level }) =>
  Logging.isLevel(level) ? Either.right(level) : refuse("level", `one of ${Logging.levels.join(", ")}`)

/**
 * Reads which resource a subscription of a handshake revision is about.
 *
 * @since 0.1.0
 * @category decoding
 */
export const uri: Decode<string> = ({ uri }) =>
  typeof uri === "string" && uri.length <= maxNamed
    ? Either.right(uri)
    : refuse("uri", `a string of at most ${maxNamed} characters`)

/** The longest URI or id that a subscription may name, and how many it may name. */
const maxNamed = 8192
const mostNamed = 1000

const isFlag = (value: unknown): value is boolean | undefined => value === undefined || typeof value === "boolean"

const isNames = (value: unknown): value is ReadonlyArray<string> | undefined =>
  value === undefined ||
  (Array.isArray(value) && value.length <= mostNamed &&
    value.every((name) => typeof name === "string" && name.length <= maxNamed))

/**
 * Reads what a subscription wants to hear of: at most 1000 resources and 1000
 * tasks.
 *
 * @since 0.1.0
 * @category decoding
 */
export const listen: Decode<Filter> = ({ notifications }) => {
  if (!isObject(notifications)) return refuse("notifications", "an object")
  const { promptsListChanged, resourceSubscriptions, resourcesListChanged, taskIds, toolsListChanged } = notifications
  if (!isFlag(toolsListChanged)) return refuse("notifications.toolsListChanged", "a boolean")
  if (!isFlag(promptsListChanged)) return refuse("notifications.promptsListChanged", "a boolean")
  if (!isFlag(resourcesListChanged)) return refuse("notifications.resourcesListChanged", "a boolean")
  const names = `an array of at most ${mostNamed} strings`
  if (!isNames(resourceSubscriptions)) return refuse("notifications.resourceSubscriptions", names)
  if (!isNames(taskIds)) return refuse("notifications.taskIds", names)
  return Either.right({
    ...(toolsListChanged === true ? { toolsListChanged } : {}),
    ...(promptsListChanged === true ? { promptsListChanged } : {}),
    ...(resourcesListChanged === true ? { resourcesListChanged } : {}),
    ...(resourceSubscriptions === undefined ? {} : { resourceSubscriptions }),
    ...(taskIds === undefined ? {} : { taskIds })
  })
}

/**
 * Reads which task is meant.
 *
 * @since 0.1.0
 * @category decoding
 */
export const taskId: Decode<string> = ({ taskId }) =>
  typeof taskId === "string" ? Either.right(taskId) : refuse("taskId", "a string")

const isObjects = (value: unknown): value is McpTask.Update["inputResponses"] =>
  isObject(value) && Object.values(value).every(isObject)

/**
 * Reads the answers to a task's questions, each an object.
 *
 * @since 0.1.0
 * @category decoding
 */
export const updateTask: Decode<McpTask.Update> = (params) =>
  Either.flatMap(taskId(params), (taskId): Either.Either<McpTask.Update, McpError> => {
    const { inputResponses } = params
    return isObjects(inputResponses)
      ? Either.right({ taskId, inputResponses })
      : refuse("inputResponses", "an object of objects")
  })
