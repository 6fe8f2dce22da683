/**
 * The stateless revision: every request names its version and the client's
 * capabilities, and every result names its kind and the server.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as ClientCapability from "../ClientCapability.js"
import type { Json } from "../JsonRpc.js"
import { missingClientCapability } from "../McpError.js"
import type { CacheHint, ClientCapabilities, Implementation, InputRequired } from "../McpSchema.js"
import * as McpTask from "../McpTask.js"
import { Key } from "../Meta.js"
import * as Params from "../Params.js"
import type { Frame, Revision, Shape } from "../Revision.js"
import { results } from "../Revision.js"

/**
 * Its name on the wire.
 *
 * @since 0.1.0
 * @category models
 */
export const version = "2026-07-28"

/**
 * Everything is shown as it is.
 *
 * @since 0.1.0
 * @category models
 */
export const shape: Shape = {
  implementation: (self) => self,
  tool: (self) => self,
  resource: (self) => self,
  template: (self) => self,
  prompt: (self) => self,
  contents: (self) => self,
  content: (self) => self,
  structured: () => true
}

const cache = (hint: CacheHint): string => {
  const ttlMs = Number.isFinite(hint.ttlMs) ? Math.max(0, Math.floor(hint.ttlMs)) : 0
  return `,"ttlMs":${ttlMs},"cacheScope":"${hint.scope}"`
}

/** The end of a result of some kind: its last fields and the closing brace. */
const ending = (resultType: "complete" | "task", server: Implementation, meta?: Json): string =>
  `,"resultType":"${resultType}","_meta":${JSON.stringify({ ...meta, [Key.serverInfo]: server })}}`

const frame = (server: Implementation): Frame => {
  const plain = ending("complete", server)
  return { end: (meta) => (meta === undefined ? plain : ending("complete", server, meta)), cache }
}

const lacking = (asked: InputRequired, declared: ClientCapabilities): Json | undefined => {
  for (const { method, params } of Object.values(asked.inputRequests ?? {})) {
    const required = ClientCapability.missing(method, params, declared)
    if (required !== undefined) return required
  }
  return undefined
}

/**
 * Writes what a handler wants to know first. Throws when it wants to know
 * nothing and gives no state either: a mistake of the handler.
 */
const inputRequired = (asked: InputRequired, server: Implementation): string => {
  if (asked.inputRequests === undefined && asked.requestState === undefined) {
    throw new Error("an InputRequired must have inputRequests, requestState or both")
  }
  return JSON.stringify({
    inputRequests: asked.inputRequests,
    requestState: asked.requestState,
    resultType: "input_required",
    _meta: { [Key.serverInfo]: server }
  })
}

/**
 * The revision 2026-07-28, whole.
 *
 * @since 0.1.0
 * @category models
 */
export const revision: Revision = {
  version,
  isStateless: true,
  acceptsBatches: false,
  methods: new Set([
    "server/discover",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "subscriptions/listen",
    "tasks/get",
    "tasks/update",
    "tasks/cancel"
  ]),
  reading: {
    callTool: Params.withInputs(Params.callTool),
    readResource: Params.withInputs(Params.readResource),
    getPrompt: Params.withInputs(Params.getPrompt),
    complete: Params.complete
  },
  shape,
  writing: (server) => {
    const own = frame(server)
    const createdEnd = ending("task", server)
    const written = results(shape, own)
    const fields = (state: McpTask.State): string => McpTask.fields(state, written.toolResult)
    return {
      ...written,
      introduction: ({ cache, capabilities, instructions }) => {
        const facts = JSON.stringify({ supportedVersions: [version], capabilities, instructions })
        return `${facts.slice(0, -1)}${own.cache(cache)}${own.end()}`
      },
      task: {
        created: (state) => `{${fields(state)}${createdEnd}`,
        state: (state) => `{${fields(state)}${own.end()}`,
        fields,
        heard: `{${own.end().slice(1)}`
      },
      listened: (id) => `{${own.end({ [Key.subscriptionId]: id }).slice(1)}`,
      inputRequired: (asked, declared) => {
        const required = lacking(asked, declared)
        return required === undefined
          ? Either.right(inputRequired(asked, server))
          : Either.left(missingClientCapability(required))
      },
      error: (_method, error) => error
    }
  }
}
