/**
 * The newest handshake revision, and what all handshake revisions share: plain
 * results, the server named once, no questions inside an answer.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Struct from "effect/Struct"
import * as ClientCapability from "../ClientCapability.js"
import { isObject } from "../JsonRpc.js"
import { Code, invalidRequest, McpError } from "../McpError.js"
import * as Params from "../Params.js"
import type { Frame, Revision, Shape } from "../Revision.js"
import { results } from "../Revision.js"
import * as Newer from "./V2026_07_28.js"

/**
 * Its name on the wire.
 *
 * @since 0.1.0
 * @category models
 */
export const version = "2025-11-25"

const frame: Frame = {
  end: (meta) => (meta === undefined ? "}" : `,"_meta":${JSON.stringify(meta)}}`),
  cache: () => ""
}

/**
 * Structured content is an object here, and so is the schema of it.
 *
 * @since 0.1.0
 * @category models
 */
export const shape: Shape = {
  ...Newer.shape,
  tool: (self) => {
    const tool = Newer.shape.tool(self)
    return tool.outputSchema === undefined || tool.outputSchema.type === "object"
      ? tool
      : Struct.omit(tool, "outputSchema")
  },
  structured: (json) => json.startsWith("{")
}

const wordsFor: { readonly [method: string]: string } = {
  "elicitation/create": "to ask the user (elicitation)",
  "sampling/createMessage": "to ask the client's model (sampling)",
  "roots/list": "the client's roots"
}

/**
 * Whether a client that declared these capabilities can be asked; if not, a
 * sentence for its user.
 *
 * @since 0.1.0
 * @category guards
 */
export const question: NonNullable<Revision["question"]> = (method, params, declared) => {
  const missing = ClientCapability.missing(method, params, declared)
  return missing === undefined ? Either.right(params) : Either.left(
    `This needs ${
      wordsFor[method] ?? method
    }, which the client did not declare when it connected. Use a client with that capability.`
  )
}

/** The code these revisions have for a resource that is not there; newer ones retired it. */
const resourceNotFound = -32002

/**
 * A revision with a handshake: the methods and parameters of 2025-11-25, in a
 * shape of its own.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  own: Pick<Revision, "version" | "shape" | "acceptsBatches"> & Partial<Pick<Revision, "reading" | "question">>
): Revision => ({
  isStateless: false,
  methods: new Set([
    "ping",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe"
  ]),
  reading: {
    callTool: Params.callTool,
    readResource: Params.readResource,
    getPrompt: Params.getPrompt,
    complete: Params.complete
  },
  question,
  ...own,
  writing: (server) => ({
    ...results(own.shape, frame),
    introduction: ({ capabilities, instructions }) =>
      JSON.stringify({
        protocolVersion: own.version,
        capabilities,
        serverInfo: own.shape.implementation(server),
        instructions
      }),
    error: (method, error) => {
      const { code, data, message } = error
      // A code that only 2026-07-28 has; here nobody declares anything with a request.
      if (code === Code.MissingClientCapability) return invalidRequest(message)
      return method === "resources/read" && code === Code.InvalidParams && isObject(data) &&
          typeof data.uri === "string"
        ? new McpError({ code: resourceNotFound, message, data })
        : error
    }
  })
})

/**
 * The revision 2025-11-25, whole.
 *
 * @since 0.1.0
 * @category models
 */
export const revision: Revision = make({ version, shape, acceptsBatches: false })
