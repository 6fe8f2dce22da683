/**
 * What MCP talks about, neutral to any revision: tools, resources, prompts,
 * their requests and their results.
 *
 * @since 0.1.0
 */
import type { JsonSchema } from "./JsonSchema.js"

/**
 * @since 0.1.0
 * @category models
 */
export type RequestId = string | number

/**
 * A picture beside a name; `src` is an https or data URI.
 *
 * @since 0.1.0
 * @category models
 */
export interface Icon {
  readonly src: string
  readonly mimeType?: string
  readonly sizes?: ReadonlyArray<string>
  readonly theme?: "light" | "dark"
}

/**
 * A program that speaks MCP.
 *
 * @since 0.1.0
 * @category models
 */
export interface Implementation {
  readonly name: string
  readonly version: string
  readonly title?: string
  readonly description?: string
  readonly websiteUrl?: string
  readonly icons?: ReadonlyArray<Icon>
}

/**
 * What a client can be asked for, as it declares it: open objects.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientCapabilities {
  readonly [capability: string]: unknown
}

/**
 * How long, and by whom, a list or a read may be kept. `public` means that any
 * intermediary may serve it to anyone.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheHint {
  readonly ttlMs: number
  readonly scope: "public" | "private"
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Annotations {
  readonly audience?: ReadonlyArray<"user" | "assistant">
  readonly priority?: number
  readonly lastModified?: string
}

interface Block {
  readonly annotations?: Annotations
  readonly _meta?: { readonly [key: string]: unknown }
}

/**
 * One piece of content, in the shape that all revisions share on the wire.
 *
 * @since 0.1.0
 * @category models
 */
export type ContentBlock =
  | Block & { readonly type: "text"; readonly text: string }
  | Block & { readonly type: "image"; readonly data: string; readonly mimeType: string }
  | Block & { readonly type: "audio"; readonly data: string; readonly mimeType: string }
  | Block & { readonly type: "resource_link" } & Resource
  | Block & { readonly type: "resource"; readonly resource: ResourceContents }

/**
 * Hints about a tool; a client must not trust them.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolAnnotations {
  readonly title?: string
  readonly readOnlyHint?: boolean
  readonly destructiveHint?: boolean
  readonly idempotentHint?: boolean
  readonly openWorldHint?: boolean
}

/**
 * A tool as a list shows it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolDescription {
  readonly name: string
  readonly title?: string
  readonly description: string
  readonly icons?: ReadonlyArray<Icon>
  readonly inputSchema: JsonSchema
  readonly outputSchema?: JsonSchema
  readonly annotations?: ToolAnnotations
  readonly _meta?: { readonly [key: string]: unknown }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ToolPage {
  readonly tools: ReadonlyArray<ToolDescription>
  readonly nextCursor?: string
  readonly cache: CacheHint
}

/**
 * Questions to the user or the client, by keys of the server's choosing, which
 * must be answered before the call can be: revision 2026-07-28, MRTR.
 *
 * @since 0.1.0
 * @category models
 */
export interface InputRequired {
  readonly _tag: "InputRequired"
  readonly inputRequests?: { readonly [key: string]: { readonly method: string; readonly params: unknown } }
  readonly requestState?: string
}

/**
 * Answers to an earlier `InputRequired`: untrusted, echoed by the client.
 *
 * @since 0.1.0
 * @category models
 */
export interface InputResponses {
  readonly inputResponses?: { readonly [key: string]: unknown }
  readonly requestState?: string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface CallTool extends InputResponses {
  readonly name: string
  readonly arguments: { readonly [key: string]: unknown }
}

/**
 * What a tool answered. `structuredJson` is `structuredContent` already
 * serialised, so that it is written to the wire once.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolResult {
  readonly _tag: "Complete"
  readonly content: ReadonlyArray<ContentBlock>
  readonly structuredJson?: string
  readonly isError: boolean
  readonly _meta?: { readonly [key: string]: unknown }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Resource {
  readonly uri: string
  readonly name: string
  readonly title?: string
  readonly description?: string
  readonly mimeType?: string
  readonly annotations?: Annotations
  readonly size?: number
  readonly icons?: ReadonlyArray<Icon>
  readonly _meta?: { readonly [key: string]: unknown }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ResourceTemplate extends Omit<Resource, "uri" | "size"> {
  readonly uriTemplate: string
}

/**
 * Text, or bytes in base64.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResourceContents {
  readonly uri: string
  readonly mimeType?: string
  readonly text?: string
  readonly blob?: string
  readonly _meta?: { readonly [key: string]: unknown }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ResourcePage {
  readonly resources: ReadonlyArray<Resource>
  readonly nextCursor?: string
  readonly cache: CacheHint
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ResourceTemplatePage {
  readonly resourceTemplates: ReadonlyArray<ResourceTemplate>
  readonly nextCursor?: string
  readonly cache: CacheHint
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ReadResource extends InputResponses {
  readonly uri: string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ReadResult {
  readonly _tag: "Complete"
  readonly contents: ReadonlyArray<ResourceContents>
  readonly cache: CacheHint
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Prompt {
  readonly name: string
  readonly title?: string
  readonly description?: string
  readonly arguments?: ReadonlyArray<{
    readonly name: string
    readonly title?: string
    readonly description?: string
    readonly required?: boolean
  }>
  readonly icons?: ReadonlyArray<Icon>
  readonly _meta?: { readonly [key: string]: unknown }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface PromptPage {
  readonly prompts: ReadonlyArray<Prompt>
  readonly nextCursor?: string
  readonly cache: CacheHint
}

/**
 * @since 0.1.0
 * @category models
 */
export interface GetPrompt extends InputResponses {
  readonly name: string
  readonly arguments: { readonly [key: string]: string }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface PromptResult {
  readonly _tag: "Complete"
  readonly description?: string
  readonly messages: ReadonlyArray<{ readonly role: "user" | "assistant"; readonly content: ContentBlock }>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Complete {
  readonly ref:
    | { readonly type: "ref/prompt"; readonly name: string }
    | { readonly type: "ref/resource"; readonly uri: string }
  readonly argument: { readonly name: string; readonly value: string }
  readonly context: { readonly [argument: string]: string }
}

/**
 * At most 100 values, the most relevant first.
 *
 * @since 0.1.0
 * @category models
 */
export interface Completion {
  readonly values: ReadonlyArray<string>
  readonly total?: number
  readonly hasMore?: boolean
}

/**
 * How far a call has come. `progress` grows with each update.
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  readonly progress: number
  readonly total?: number
  readonly message?: string
}
