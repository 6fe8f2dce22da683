/**
 * The stateless revision: every request names its version and the client's
 * capabilities, and every result names its kind and the server.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import { isObject } from "../JsonRpc.js"
import type { Json } from "../JsonRpc.js"
import { missingClientCapability } from "../McpError.js"
import type { CacheHint, ClientCapabilities, Implementation, InputRequired } from "../McpSchema.js"
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

const frame = (server: Implementation): Frame => {
  const plain = `,"resultType":"complete","_meta":${JSON.stringify({ [Key.serverInfo]: server })}}`
  return {
    end: (meta) =>
      meta === undefined
        ? plain
        : `,"resultType":"complete","_meta":${JSON.stringify({ ...meta, [Key.serverInfo]: server })}}`,
    cache
  }
}

/** What a client must declare before it may be asked this. */
const needed = (method: string, params: unknown, declared: ClientCapabilities): Json | undefined => {
  const asked = isObject(params) ? params : {}
  switch (method) {
    case "elicitation/create": {
      const { elicitation } = declared
      if (asked.mode === "url") {
        return isObject(elicitation) && Object.hasOwn(elicitation, "url") ? undefined : { elicitation: { url: {} } }
      }
      // An empty declaration means forms, and nothing else.
      return isObject(elicitation) && (Object.hasOwn(elicitation, "form") || !Object.hasOwn(elicitation, "url"))
        ? undefined
        : { elicitation: { form: {} } }
    }
    case "sampling/createMessage": {
      const { sampling } = declared
      if (!isObject(sampling)) return { sampling: {} }
      if ((asked.tools !== undefined || asked.toolChoice !== undefined) && !Object.hasOwn(sampling, "tools")) {
        return { sampling: { tools: {} } }
      }
      return asked.includeContext !== undefined && asked.includeContext !== "none" &&
          !Object.hasOwn(sampling, "context")
        ? { sampling: { context: {} } }
        : undefined
    }
    case "roots/list":
      return isObject(declared.roots) ? undefined : { roots: {} }
    default:
      return undefined
  }
}

const lacking = (asked: InputRequired, declared: ClientCapabilities): Json | undefined => {
  for (const { method, params } of Object.values(asked.inputRequests ?? {})) {
    const required = needed(method, params, declared)
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
    "completion/complete"
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
    return {
      ...results(shape, own),
      introduction: ({ cache, capabilities, instructions }) => {
        const facts = JSON.stringify({ supportedVersions: [version], capabilities, instructions })
        return `${facts.slice(0, -1)}${own.cache(cache)}${own.end()}`
      },
      inputRequired: (_method, asked, declared) => {
        const required = lacking(asked, declared)
        return required === undefined
          ? Either.right(inputRequired(asked, server))
          : Either.left(missingClientCapability(required))
      },
      error: (_method, error) => error
    }
  }
}
