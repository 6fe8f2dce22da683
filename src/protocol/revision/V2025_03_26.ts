/**
 * The first handshake revision served: 2025-06-18 less titles, structured
 * results, links and `_meta` inside things, and with batches.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Struct from "effect/Struct"
import type { Annotations, ContentBlock, ResourceContents } from "../McpSchema.js"
import * as Params from "../Params.js"
import type { Revision, Shape } from "../Revision.js"
import * as Newer from "./V2025_06_18.js"
import { make } from "./V2025_11_25.js"

/**
 * Its name on the wire.
 *
 * @since 0.1.0
 * @category models
 */
export const version = "2025-03-26"

/** Annotations had no date yet. */
const undated = <A extends { readonly annotations?: Annotations }>(self: A): A =>
  self.annotations === undefined ? self : { ...self, annotations: Struct.omit(self.annotations, "lastModified") }

const contents = (self: ResourceContents): ResourceContents => Struct.omit(Newer.shape.contents(self), "_meta")

const content = (self: ContentBlock): ContentBlock => {
  const block = undated(Newer.shape.content(self))
  switch (block.type) {
    case "resource_link": {
      const label = block.title ?? block.name
      const annotated = block.annotations === undefined ? {} : { annotations: block.annotations }
      return { type: "text", text: `${label}: ${block.uri}`, ...annotated }
    }
    case "resource":
      return Struct.omit({ ...block, resource: contents(block.resource) }, "_meta")
    default: {
      const { _meta: _, ...rest } = block
      return rest
    }
  }
}

/**
 * A link is told in words, and results have no structured part.
 *
 * @since 0.1.0
 * @category models
 */
export const shape: Shape = {
  implementation: (self) => Struct.omit(Newer.shape.implementation(self), "title"),
  tool: (self) => Struct.omit(Newer.shape.tool(self), "title", "outputSchema", "_meta"),
  resource: (self) => Struct.omit(undated(Newer.shape.resource(self)), "title", "_meta"),
  template: (self) => Struct.omit(undated(Newer.shape.template(self)), "title", "_meta"),
  prompt: (self) => {
    const prompt = Struct.omit(Newer.shape.prompt(self), "title", "_meta")
    return prompt.arguments === undefined
      ? prompt
      : { ...prompt, arguments: prompt.arguments.map((argument) => Struct.omit(argument, "title")) }
  },
  contents,
  content,
  structured: () => false
}

/**
 * The user could not be asked yet.
 *
 * @since 0.1.0
 * @category guards
 */
export const question: NonNullable<Revision["question"]> = (method, params, declared) =>
  method === "elicitation/create"
    ? Either.left("This needs to ask the user, which the client's protocol version has no way for.")
    : Newer.question(method, params, declared)

/**
 * The revision 2025-03-26, whole.
 *
 * @since 0.1.0
 * @category models
 */
export const revision: Revision = make({
  version,
  shape,
  question,
  acceptsBatches: true,
  reading: { ...Newer.revision.reading, complete: Params.completeAlone }
})
