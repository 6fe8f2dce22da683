/**
 * Reads a JSON Schema off an instruction that lists its fields, without a model:
 * "name, price (number), released (date), in stock (yes/no)".
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import type { JsonSchema } from "../protocol/JsonSchema.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface SchemaDraft {
  /** An object schema without other properties. */
  readonly schema: JsonSchema
  /** The share of fields whose type was written and understood, 0 to 1; the others are text. */
  readonly typed: number
}

/**
 * How to write an instruction that can be read, as a sentence.
 *
 * @since 0.1.0
 * @category constants
 */
export const advice =
  "List the fields with their types, for example: name, price (number), released (date), in stock (yes/no), " +
  "tags (list of strings)"

const maxFields = 50

const scalars: ReadonlyArray<readonly [pattern: RegExp, schema: JsonSchema]> = [
  [/^(?:integer|int|whole number|count|year)s?$/u, { type: "integer" }],
  [/^(?:number|numeric|decimal|float|double|amount|percentage|percent|price)s?$/u, { type: "number" }],
  [/^(?:yes ?\/ ?no|yes or no|true ?\/ ?false|true or false|boolean|bool|flag)s?$/u, { type: "boolean" }],
  [/^(?:date-?time|date and time|timestamp)s?$/u, { type: "string", format: "date-time" }],
  [/^dates?$/u, { type: "string", format: "date" }],
  [/^times?$/u, { type: "string", format: "time" }],
  [/^(?:e-?mail|e-?mail address|e-?mail addresse)s?$/u, { type: "string", format: "email" }],
  [/^(?:url|uri|link)s?$/u, { type: "string", format: "uri" }],
  [/^(?:text|string|word|name|title|sentence)s?$/u, { type: "string" }]
]

const scalar = (hint: string): JsonSchema | undefined => scalars.find(([pattern]) => pattern.test(hint))?.[1]

/** The type that a hint names; `undefined` when it names none. */
const typeOf = (hint: string): JsonSchema | undefined => {
  const known = scalar(hint)
  if (known !== undefined) return known
  const list = /^(?:an? )?(?:list|array)(?: of (.+))?$/u.exec(hint)
  if (list !== null) {
    const items = list[1] === undefined ? { type: "string" } : typeOf(list[1])
    return items === undefined ? undefined : { type: "array", items }
  }
  const choice = /^(?:one of:? |either )(.+)$/u.exec(hint)
  const options = (choice?.[1] ?? hint).split(choice === null ? /\s*[|/]\s*/u : /\s*(?:[|/,]| or )\s*(?:or )?/u)
    .map((option) => option.replace(/^["'“‘]|["'”’]$/gu, "").trim())
    .filter((option) => option !== "")
  return options.length >= 2 && options.length <= 50 && options.every((option) => option.length <= 60)
    ? { type: "string", enum: [...new Set(options)] }
    : undefined
}

interface Field {
  readonly name: string
  readonly schema: JsonSchema
  readonly isTyped: boolean
  readonly isOptional: boolean
}

const fieldOf = (item: string): Field | undefined => {
  const parts = /^([^():]+?)\s*(?:\(([^()]*)\)|:\s*(.+)|\s+as (?:an? )?(.+))?$/u.exec(item)
  const label = parts?.[1]?.replace(/^(?:(?:the|a|an|its|their|his|her|each)\s+)+/iu, "").trim().replace(
    /^["'`]|["'`]$/gu,
    ""
  )
  if (label === undefined || label.length > 60 || !/^\p{L}[\p{L}\p{N} _-]*$/u.test(label)) return undefined
  const words = label.split(/[\s-]+/u)
  if (words.length > 4) return undefined
  const written = (parts?.[2] ?? parts?.[3] ?? parts?.[4])?.trim()
  const isOptional = written !== undefined && /\boptional\b/iu.test(written)
  const hint = written?.replace(/,?\s*\boptional\b,?\s*/iu, "").trim()
  const schema = hint === undefined || hint === "" ? undefined : typeOf(hint) ?? typeOf(hint.toLowerCase())
  return {
    name: words.join("_").toLowerCase(),
    schema: schema ?? { type: "string", ...(hint === undefined || hint === "" ? {} : { description: hint }) },
    isTyped: schema !== undefined,
    isOptional
  }
}

/** Cuts at commas, semicolons, line ends and "and", except within parentheses. */
const itemsOf = (text: string): ReadonlyArray<string> => {
  const items: Array<string> = []
  let depth = 0
  let start = 0
  const close = (end: number): void => {
    const item = text.slice(start, end).trim()
      .replace(/^(?:[-*•]|\d{1,2}[.)])\s+/u, "").replace(/^(?:and|or)\s+/iu, "").replace(/[.!]+$/u, "").trim()
    if (item !== "") items.push(item)
  }
  for (let at = 0; at < text.length; at++) {
    const unit = text.charAt(at)
    if (unit === "(") depth++
    else if (unit === ")") depth = Math.max(0, depth - 1)
    else if (depth > 0) continue
    else if (unit === "," || unit === ";" || unit === "\n") {
      close(at)
      start = at + 1
    } else if (unit === " " && text.startsWith(" and ", at)) {
      close(at)
      start = at + 5
    }
  }
  close(text.length)
  return items
}

const verb =
  /^(?:please )?(?:can you |could you )?(?:extract|get|find|return|give(?: me)?|list|produce|make|create|generate|output|collect|capture|read|pull|write|build|define|i (?:need|want))\b\s*/iu
const vessel =
  /^(?:(?:an?|the) )?(?:valid )?(?:json )?(?:schema|object|record|output|value|structure|data)?\s*(?:with|of|for|containing|including|having|that (?:has|holds|contains))?\s*(?:(?:the|these|following) )*(?:fields?|properties|keys|values)?\s*:?\s*/iu
const tail =
  /\s+(?:from|out of|found in|given in|in) (?:the|this|that|each) (?:text|document|article|page|passage|following|note|message)\b.*$/iu

/** What stands before the list: a sentence that ends in a colon, a verb of asking, "… with the fields". */
const listOf = (instruction: string): string => {
  const text = instruction.trim().replace(/[ \t]+/gu, " ")
  const colon = text.indexOf(":")
  if (colon !== -1) {
    const before = text.slice(0, colon)
    const hint = itemsOf(text.slice(colon + 1))[0] ?? ""
    const isHint = typeOf(hint.toLowerCase()) !== undefined && !/[(]/u.test(hint)
    if (!/[,(]/u.test(before) && !isHint) return text.slice(colon + 1).replace(tail, "")
  }
  const bare = text.replace(tail, "").replace(verb, "").replace(vessel, "")
  const within = /^[^,(;\n]{0,80}? (?:with|containing|including|having) (?:the |these )?(?:fields |properties )?/iu
    .exec(bare)
  return within === null ? bare : bare.slice(within[0].length)
}

/**
 * The schema an instruction lists; `None` when it lists none: not one field with
 * a type, nor two fields of four words or fewer, or something between them that
 * is no field. All fields are required unless marked `(optional)`. The same
 * instruction gives the same schema.
 *
 * @since 0.1.0
 * @category constructors
 */
export const derive = (instruction: string): Option.Option<SchemaDraft> => {
  const items = itemsOf(listOf(instruction))
  if (items.length === 0 || items.length > maxFields) return Option.none()
  const fields: Array<Field> = []
  for (const item of items) {
    const field = fieldOf(item)
    if (field === undefined || fields.some((other) => other.name === field.name)) return Option.none()
    fields.push(field)
  }
  const typed = fields.filter((field) => field.isTyped).length
  if (fields.length < 2 && typed === 0) return Option.none()
  const required = fields.filter((field) => !field.isOptional).map((field) => field.name)
  return Option.some({
    schema: {
      type: "object",
      properties: Object.fromEntries(fields.map((field) => [field.name, field.schema])),
      ...(required.length === 0 ? {} : { required }),
      additionalProperties: false
    },
    typed: typed / fields.length
  })
}
