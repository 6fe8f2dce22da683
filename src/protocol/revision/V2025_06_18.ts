/**
 * The handshake revision before icons: 2025-11-25 less what it lacked.
 *
 * @since 0.1.0
 */
import * as Struct from "effect/Struct"
import type { ContentBlock } from "../McpSchema.js"
import type { Revision, Shape } from "../Revision.js"
import * as Newer from "./V2025_11_25.js"

/**
 * Its name on the wire.
 *
 * @since 0.1.0
 * @category models
 */
export const version = "2025-06-18"

/**
 * No icons anywhere, and a program is a name, a version and a title.
 *
 * @since 0.1.0
 * @category models
 */
export const shape: Shape = {
  ...Newer.shape,
  implementation: (self) => Struct.omit(Newer.shape.implementation(self), "icons", "description", "websiteUrl"),
  tool: (self) => Struct.omit(Newer.shape.tool(self), "icons"),
  resource: (self) => Struct.omit(Newer.shape.resource(self), "icons"),
  template: (self) => Struct.omit(Newer.shape.template(self), "icons"),
  prompt: (self) => Struct.omit(Newer.shape.prompt(self), "icons"),
  content: (self): ContentBlock => {
    const block = Newer.shape.content(self)
    return block.type === "resource_link" ? Struct.omit(block, "icons") : block
  }
}

/**
 * The revision 2025-06-18, whole.
 *
 * @since 0.1.0
 * @category models
 */
export const revision: Revision = Newer.make({ version, shape, acceptsBatches: false })
