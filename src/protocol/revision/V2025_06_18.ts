/**
 * The handshake revision before icons: 2025-11-25 less what it lacked.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Struct from "effect/Struct"
import { isObject, type Json } from "../JsonRpc.js"
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

const isTitled = (choice: unknown): choice is { readonly const: string; readonly title: string } =>
  isObject(choice) && typeof choice.const === "string" && typeof choice.title === "string"

/** A choice had its titles beside it: `enumNames`. */
const fieldOf = (field: unknown): unknown => {
  if (!isObject(field) || !Array.isArray(field.oneOf) || !field.oneOf.every(isTitled)) return field
  const { oneOf, ...rest } = field
  return { ...rest, enum: oneOf.map((choice) => choice.const), enumNames: oneOf.map(({ title }) => title) }
}

/** A form as it was; `undefined` when it has a field that there was not. */
const formOf = (params: Json): Json | undefined => {
  const schema = params.requestedSchema
  if (!isObject(schema) || !isObject(schema.properties)) return params
  const fields = Object.entries(schema.properties)
  if (fields.some(([, field]) => isObject(field) && field.type === "array")) return undefined
  const properties = Object.fromEntries(fields.map(([name, field]) => [name, fieldOf(field)]))
  return { ...params, requestedSchema: { ...schema, properties } }
}

/**
 * Forms alone, without defaults told apart: a link could not be asked for yet,
 * nor a sample with tools.
 *
 * @since 0.1.0
 * @category guards
 */
export const question: NonNullable<Revision["question"]> = (method, params, declared) => {
  if (method === "elicitation/create" && params.mode === "url") {
    return Either.left("This needs the user to open a link, which the client's protocol version has no way to ask for.")
  }
  if (method === "sampling/createMessage" && (params.tools !== undefined || params.toolChoice !== undefined)) {
    return Either.left("This needs a model that calls tools, which the client's protocol version cannot be asked for.")
  }
  const asked = method === "elicitation/create" ? formOf(params) : params
  if (asked === undefined) {
    return Either.left(
      "This needs the user to choose several of several, which the client's protocol version cannot ask."
    )
  }
  // It knew no modes: a declaration is an empty object, and forms are all there is.
  return Either.map(Newer.question(method, asked, declared), Struct.omit("mode"))
}

/**
 * The revision 2025-06-18, whole.
 *
 * @since 0.1.0
 * @category models
 */
export const revision: Revision = Newer.make({ version, shape, question, acceptsBatches: false })
