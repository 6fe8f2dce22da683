/**
 * The newest handshake revision, and what all handshake revisions share: plain
 * results, the server named once, no questions inside an answer.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Struct from "effect/Struct"
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

const needsNewer =
  `This needs more input than the client's protocol version can be asked for; use a client that speaks MCP ${Newer.version}.`

const needsNewerResult = JSON.stringify({ content: [{ type: "text", text: needsNewer }], isError: true })

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
  own: Pick<Revision, "version" | "shape" | "acceptsBatches"> & Partial<Pick<Revision, "reading">>
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
    "completion/complete"
  ]),
  reading: {
    callTool: Params.callTool,
    readResource: Params.readResource,
    getPrompt: Params.getPrompt,
    complete: Params.complete
  },
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
    inputRequired: (method) =>
      method === "tools/call" ? Either.right(needsNewerResult) : Either.left(invalidRequest(needsNewer)),
    error: (method, error) =>
      method === "resources/read" && error.code === Code.InvalidParams && isObject(error.data) &&
        typeof error.data.uri === "string"
        ? new McpError({ code: resourceNotFound, message: error.message, data: error.data })
        : error
  })
})

/**
 * The revision 2025-11-25, whole.
 *
 * @since 0.1.0
 * @category models
 */
export const revision: Revision = make({ version, shape, acceptsBatches: false })
