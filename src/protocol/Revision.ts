/**
 * What a revision of the protocol must offer: the methods it knows, how it reads
 * their parameters, and how it writes the answers.
 *
 * @since 0.1.0
 */
import type * as Either from "effect/Either"
import type { Json } from "./JsonRpc.js"
import type { McpError } from "./McpError.js"
import type * as Mcp from "./McpSchema.js"
import type * as McpTask from "./McpTask.js"
import type { Decode } from "./Params.js"

/**
 * How a revision reads the parameters it shares with the others.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reading {
  readonly callTool: Decode<Mcp.CallTool>
  readonly readResource: Decode<Mcp.ReadResource>
  readonly getPrompt: Decode<Mcp.GetPrompt>
  readonly complete: Decode<Mcp.Complete>
}

/**
 * How a revision shows each thing: what it has no place for is left out.
 *
 * @since 0.1.0
 * @category models
 */
export interface Shape {
  readonly implementation: (self: Mcp.Implementation) => Mcp.Implementation
  readonly tool: (self: Mcp.ToolDescription) => Mcp.ToolDescription
  readonly resource: (self: Mcp.Resource) => Mcp.Resource
  readonly template: (self: Mcp.ResourceTemplate) => Mcp.ResourceTemplate
  readonly prompt: (self: Mcp.Prompt) => Mcp.Prompt
  readonly contents: (self: Mcp.ResourceContents) => Mcp.ResourceContents
  readonly content: (self: Mcp.ContentBlock) => Mcp.ContentBlock
  /** Whether `structuredContent` may be this JSON. */
  readonly structured: (json: string) => boolean
}

/**
 * What stands around the fields of a result.
 *
 * @since 0.1.0
 * @category models
 */
export interface Frame {
  /** The end of a result, from after its last field to the closing brace. */
  readonly end: (meta?: Json) => string
  /** The fields that say how long a result may be kept, with a leading comma; or nothing. */
  readonly cache: (hint: Mcp.CacheHint) => string
}

/**
 * What a server says of itself when it is asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Introduction {
  readonly capabilities: Json
  readonly instructions: string | undefined
  readonly cache: Mcp.CacheHint
}

/**
 * Writes results as JSON text. A page of a list is written once and kept as
 * long as the page object lives, so pages must not change.
 *
 * @since 0.1.0
 * @category models
 */
export interface Results {
  readonly toolPage: (page: Mcp.ToolPage) => string
  readonly toolResult: (result: Mcp.ToolResult) => string
  readonly resourcePage: (page: Mcp.ResourcePage) => string
  readonly templatePage: (page: Mcp.ResourceTemplatePage) => string
  readonly readResult: (result: Mcp.ReadResult) => string
  readonly promptPage: (page: Mcp.PromptPage) => string
  readonly promptResult: (result: Mcp.PromptResult) => string
  readonly completion: (completion: Mcp.Completion) => string
}

/**
 * Writes everything that a server of one name answers.
 *
 * @since 0.1.0
 * @category models
 */
export interface Writing extends Results {
  /** The answer to `server/discover` or to `initialize`. */
  readonly introduction: (introduction: Introduction) => string
  /**
   * Questions back to the client inside the result, or why this client cannot be
   * asked. A revision without it asks by requests of its own: see `Revision.question`.
   */
  readonly inputRequired?: (
    asked: Mcp.InputRequired,
    capabilities: Mcp.ClientCapabilities
  ) => Either.Either<string, McpError>
  /** How tasks are written, where there are any. */
  readonly task?: {
    /** The answer to a call that became a task. */
    readonly created: (state: McpTask.State) => string
    /** The answer to a question for a task's state. */
    readonly state: (state: McpTask.State) => string
    /** The fields of a task alone, without braces. */
    readonly fields: (state: McpTask.State) => string
    /** The answer that a request about a task was heard. */
    readonly heard: string
  }
  /** The last answer of a subscription, where there are any. */
  readonly listened?: (id: Mcp.RequestId) => string
  /** A handler's error under the code that this revision has for it. */
  readonly error: (method: string, error: McpError) => McpError
}

/**
 * One revision, as a value.
 *
 * @since 0.1.0
 * @category models
 */
export interface Revision {
  readonly version: string
  /** Whether every request stands alone: no handshake, no session. */
  readonly isStateless: boolean
  /** Whether several messages may come as one array. */
  readonly acceptsBatches: boolean
  /** The requests it knows and this library can serve, apart from `initialize`. */
  readonly methods: ReadonlySet<string>
  /**
   * The parameters of a question as a request of the server's own, or a sentence
   * why this client cannot be asked. Absent where questions stand in results.
   */
  readonly question?: (
    method: string,
    params: Json,
    capabilities: Mcp.ClientCapabilities
  ) => Either.Either<Json, string>
  readonly reading: Reading
  readonly shape: Shape
  readonly writing: (server: Mcp.Implementation) => Writing
}

/** Writes a page once. */
const once = <Page extends object>(write: (page: Page) => string): (page: Page) => string => {
  const known = new WeakMap<Page, string>()
  return (page) => {
    const text = known.get(page)
    if (text !== undefined) return text
    const written = write(page)
    known.set(page, written)
    return written
  }
}

/** The most values that an answer to `completion/complete` may have. */
const maxCompletions = 100

/**
 * The results that all revisions share, in the shape and frame of one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const results = (shape: Shape, frame: Frame): Results => {
  const page = (
    field: string,
    items: ReadonlyArray<object>,
    { cache, nextCursor }: { readonly nextCursor?: string; readonly cache: Mcp.CacheHint }
  ): string => {
    const next = nextCursor === undefined ? "" : `,"nextCursor":${JSON.stringify(nextCursor)}`
    return `{"${field}":${JSON.stringify(items)}${next}${frame.cache(cache)}${frame.end()}`
  }
  return {
    toolPage: once((self) => page("tools", self.tools.map((tool) => shape.tool(tool)), self)),
    toolResult: (self) => {
      const content = JSON.stringify(self.content.map((block) => shape.content(block)))
      const structured = self.structuredJson !== undefined && shape.structured(self.structuredJson)
        ? `,"structuredContent":${self.structuredJson}`
        : ""
      return `{"content":${content}${structured}${self.isError ? ",\"isError\":true" : ""}${frame.end(self._meta)}`
    },
    resourcePage: once((self) => page("resources", self.resources.map((resource) => shape.resource(resource)), self)),
    templatePage: once((self) =>
      page("resourceTemplates", self.resourceTemplates.map((template) => shape.template(template)), self)
    ),
    readResult: (self) => {
      const contents = JSON.stringify(self.contents.map((contents) => shape.contents(contents)))
      return `{"contents":${contents}${frame.cache(self.cache)}${frame.end()}`
    },
    promptPage: once((self) => page("prompts", self.prompts.map((prompt) => shape.prompt(prompt)), self)),
    promptResult: (self) => {
      const messages = JSON.stringify(
        self.messages.map(({ content, role }) => ({ role, content: shape.content(content) }))
      )
      const description = self.description === undefined ? "" : `,"description":${JSON.stringify(self.description)}`
      return `{"messages":${messages}${description}${frame.end()}`
    },
    completion: (self) => {
      const hasMore = self.values.length > maxCompletions ? true : self.hasMore
      const completion = JSON.stringify({ values: self.values.slice(0, maxCompletions), total: self.total, hasMore })
      return `{"completion":${completion}${frame.end()}`
    }
  }
}
