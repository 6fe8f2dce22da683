/**
 * Reads one field of a schema from texts, by its label, by what a sentence says
 * of it, or not at all.
 *
 * @since 0.1.0
 */
import * as Tokenizer from "../../document/Tokenizer.js"
import type { JsonSchema } from "../../protocol/JsonSchema.js"
import { resolve } from "./FieldSchema.js"
import * as FieldText from "./FieldText.js"
import * as Literals from "./Literals.js"
import * as Sentences from "./Sentences.js"

/**
 * A field to read.
 *
 * @since 0.1.0
 * @category models
 */
export interface Field {
  readonly path: string
  readonly schema: JsonSchema
  readonly type: string | undefined
  readonly nullable: boolean
  readonly labels: ReadonlyArray<FieldText.Label>
  /** The labels of the other fields: where one begins, the value of this one ends. */
  readonly others: ReadonlyArray<FieldText.Label>
}

type Sources = ReadonlyArray<FieldText.Source>

/**
 * What the first of the items that gives anything gives.
 *
 * @since 0.1.0
 * @category combinators
 */
export const first = <A, B>(items: ReadonlyArray<A>, find: (item: A) => B | undefined): B | undefined => {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}

const behindLabels = <B>(field: Field, sources: Sources, find: (found: FieldText.Labelled) => B | undefined) =>
  first(sources, (source) => first(field.labels, (label) => first(FieldText.labelled(source, label), find)))

const byMentions = <B>(field: Field, sources: Sources, find: (found: FieldText.Mention) => B | undefined) =>
  first(sources, (source) => first(field.labels, (label) => first(FieldText.mentions(source, label.mentioned), find)))

/**
 * The value of a field, or `undefined` when the texts do not state it. Sources
 * are read in order, labels in all of them before mentions.
 *
 * @since 0.1.0
 * @category combinators
 */
export const read = (field: Field, sources: Sources): unknown => {
  const { schema } = field
  if ("const" in schema) return schema.const
  if (Array.isArray(schema.enum)) return readEnum(field, schema.enum.slice(0, 100), sources)
  switch (field.type) {
    case "string":
      return readString(field, sources)
    case "number":
    case "integer":
      return readNumber(field, sources)
    case "boolean":
      return readBoolean(field, sources)
    case "array":
      return readArray(field, sources)
    default:
      return undefined
  }
}

const typeWords = new Set([
  "string",
  "number",
  "integer",
  "boolean",
  "array",
  "object",
  "null",
  "text",
  "float",
  "date"
])

const fits = (schema: JsonSchema, text: string): boolean =>
  text.length > 0 && !typeWords.has(text.toLowerCase()) &&
  (typeof schema.minLength !== "number" || text.length >= schema.minLength) &&
  (typeof schema.maxLength !== "number" || text.length <= schema.maxLength)

/** A name behind `is`, `named` or `called`: words that begin with a capital or a digit. */
const properName =
  /^\s{1,3}(?:is|was|named|called|name is)\s{1,3}(?:["“]([^"”\n]{1,200})["”]|([\p{Lu}\p{N}][^\s,;:!?]{0,40}(?:\s(?:(?:of|the|and|&)\s)?[\p{Lu}\p{N}][^\s,;:!?]{0,40}){0,6}))/u
const quoted = /^\s{1,3}["“]([^"”\n]{1,200})["”]/u
const email = /(?<![\w.+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}/gu
const address = /https?:\/\/[^\s<>"')\]]{1,500}/gu

const readString = (field: Field, sources: Sources): string | undefined => {
  const { schema } = field
  if (schema.format === "date" || schema.format === "date-time") return readDate(field, sources)
  if (schema.format === "email") return readOnly(field, sources, email)
  if (schema.format === "uri" || schema.format === "url") return readOnly(field, sources, address)
  const accept = (text: string | undefined): string | undefined => {
    const trimmed = text?.trim()
    return trimmed !== undefined && fits(schema, trimmed) ? trimmed : undefined
  }
  const isDate = FieldText.words(field.path).some((word) => word.toLowerCase() === "date")
  return behindLabels(field, sources, (found) => accept(FieldText.value(found, field.others))) ??
    byMentions(field, sources, ({ after }) => {
      const name = properName.exec(after)
      return accept(name?.[1] ?? name?.[2]?.replace(/\.$/u, "") ?? quoted.exec(after)?.[1])
    }) ??
    (isDate ? byMentions(field, sources, ({ after }) => accept(Literals.dates(after)[0]?.written)) : undefined)
}

/** The one value of a shape that the texts hold, or the one behind the label. */
const readOnly = (field: Field, sources: Sources, shape: RegExp): string | undefined => {
  const tidy = (text: string): string => text.replace(/[.,;:!?]{1,3}$/u, "")
  const within = (text: string): string | undefined => {
    const match = text.match(shape)?.[0]
    return match === undefined ? undefined : tidy(match)
  }
  const near = behindLabels(field, sources, (found) => within(found.rest))
  if (near !== undefined) return near
  const all = new Set(sources.flatMap((source) => source.text.match(shape) ?? []).map(tidy))
  return all.size === 1 ? [...all][0] : undefined
}

const dateWords = new Set(["date", "at", "on", "time", "day"])

const readDate = (field: Field, sources: Sources): string | undefined => {
  const isInstant = field.schema.format === "date-time"
  const take = (text: string): string | undefined => {
    const token = Literals.dates(text).find((token) => !isInstant || token.isInstant)
    return token === undefined ? undefined : isInstant ? token.written : token.day
  }
  const words = FieldText.words(field.path.split(".").at(-1) ?? "").filter((word) => !dateWords.has(word.toLowerCase()))
  const loose = words.length === 0 ? [] : [FieldText.phrase(words)]
  return behindLabels(field, sources, (found) => take(found.rest)) ??
    byMentions(field, sources, (found) => take(found.after)) ??
    first(
      sources,
      (source) => first(loose, (name) => first(FieldText.mentions(source, name), (found) => take(found.after)))
    )
}

const percentWords = /percent|pct|rate|share|margin|growth|change|yield|ratio|percentage/iu

const readNumber = (field: Field, sources: Sources): number | undefined => {
  const description = typeof field.schema.description === "string" ? field.schema.description.slice(0, 500) : ""
  const wantsPercent = percentWords.test(`${field.path} ${description}`)
  const wantsYear = /year/iu.test(`${field.path} ${description}`)
  const choose = (text: string, allowYears: boolean): number | undefined => {
    const fitting = Literals.numbers(text).flatMap((token) => {
      if (token.isYearLike && !allowYears && !wantsYear) return []
      const value = inBounds(field.schema, token)
      return value === undefined ? [] : [{ value, isPercent: token.share !== undefined }]
    })
    return (fitting.find((token) => token.isPercent === wantsPercent) ?? fitting[0])?.value
  }
  const untilOthers = (text: string): string =>
    field.others.reduce((cut, other) => {
      const at = cut.search(other.mentioned)
      return at === -1 ? cut : cut.slice(0, at)
    }, text)
  const labelled = behindLabels(field, sources, (found) => {
    const text = FieldText.value(found, field.others)
    return text === undefined ? undefined : choose(text.slice(0, 80), true)
  })
  if (labelled !== undefined) return labelled
  const near = byMentions(field, sources, ({ after, before }) => {
    const last = Literals.numbers(before).at(-1)
    const adjacent = last !== undefined && !last.isYearLike && before.slice(last.end).trim() === ""
      ? inBounds(field.schema, last)
      : undefined
    return adjacent ?? choose(untilOthers(after), false)
  })
  return near ?? byDescription(description, sources, choose)
}

/** The value of a number token that the schema admits; a percentage counts as a share where the most is 1. */
const inBounds = (schema: JsonSchema, token: Literals.NumberToken): number | undefined => {
  const maximum = typeof schema.maximum === "number" ? schema.maximum : schema.exclusiveMaximum
  const value = token.share !== undefined && typeof maximum === "number" && maximum <= 1 ? token.share : token.value
  const ok = (schema.type !== "integer" || Number.isInteger(value)) &&
    (typeof schema.minimum !== "number" || value >= schema.minimum) &&
    (typeof schema.maximum !== "number" || value <= schema.maximum) &&
    (typeof schema.exclusiveMinimum !== "number" || value > schema.exclusiveMinimum) &&
    (typeof schema.exclusiveMaximum !== "number" || value < schema.exclusiveMaximum)
  return ok ? value : undefined
}

/** A sentence that holds most words of the description and one number alone. */
const byDescription = (
  description: string,
  sources: Sources,
  choose: (text: string, allowYears: boolean) => number | undefined
): number | undefined => {
  const wanted = Tokenizer.terms(description).filter((term) => !/\p{N}/u.test(term))
  if (wanted.length < 2) return undefined
  const values = new Set<number>()
  for (const source of sources) {
    for (const sentence of Sentences.split(source.statements)) {
      const numbers = Literals.numbers(sentence).filter((token) => !token.isYearLike)
      if (numbers.length !== 1) continue
      const terms = new Set(Tokenizer.tokens(sentence))
      if (wanted.filter((term) => terms.has(term)).length < Math.max(2, wanted.length * 0.6)) continue
      const value = choose(sentence, false)
      if (value !== undefined) values.add(value)
    }
  }
  return values.size === 1 ? [...values][0] : undefined
}

const readBoolean = (field: Field, sources: Sources): boolean | undefined =>
  behindLabels(field, sources, (found) => Literals.boolean(found.rest)) ??
    byMentions(field, sources, ({ after, before }) => {
      if (/\b(?:whether|if)\b[^,;]{0,60}$/iu.test(before)) return undefined
      if (/\b(?:not|never|no|without|isn['’]t|aren['’]t|wasn['’]t|hasn['’]t)\s{1,3}(?:a |an |yet )?$/iu.test(before)) {
        return false
      }
      const stated = /\b(?:is|are|was|were|has|have|had|now)\s{1,3}(?:a |an |now |fully |still )?$/iu.test(before)
      if (stated) return true
      const word = /^\s{1,3}(?:is|was)\s{1,3}(\w{2,5})\b/iu.exec(after)?.[1]
      return word === undefined ? undefined : Literals.boolean(word)
    })

const negated = /\b(?:not|no|never|neither|nor|isn['’]t|wasn['’]t|rather than|instead of)\s{1,3}(?:a |an |the )?$/iu

/** The members of an enumeration that a text mentions, in order of appearance. */
const mentioned = (members: ReadonlyArray<unknown>, text: string): ReadonlyArray<unknown> => {
  const found: Array<readonly [at: number, member: unknown]> = []
  for (const member of members) {
    if (typeof member === "number") {
      const token = Literals.numbers(text).find((token) => token.value === member)
      if (token !== undefined) found.push([token.start, member])
      continue
    }
    if (typeof member !== "string") continue
    const parts = FieldText.words(member)
    if (parts.length === 0) continue
    for (const match of text.matchAll(FieldText.phrase(parts))) {
      if (negated.test(text.slice(Math.max(0, match.index - 24), match.index))) continue
      found.push([match.index, member])
      break
    }
  }
  return found.sort((a, b) => a[0] - b[0]).map(([, member]) => member)
}

const readEnum = (field: Field, members: ReadonlyArray<unknown>, sources: Sources): unknown => {
  const single = (found: ReadonlyArray<unknown>): unknown => found.length === 1 ? found[0] : undefined
  return behindLabels(field, sources, (found) => {
    const text = FieldText.value(found, field.others)
    if (text === undefined) return undefined
    const begins = members.find((member) =>
      FieldText.words(String(member)).length > 0 && text.search(FieldText.phrase(FieldText.words(String(member)))) === 0
    )
    return members.find((member) => String(member).toLowerCase() === text.toLowerCase()) ?? begins ??
      single(mentioned(members, text))
  }) ??
    byMentions(field, sources, ({ after }) => single(mentioned(members, after))) ??
    // Two members in one text are a choice, and a choice is not ours to make.
    first(sources, (source) => single(mentioned(members, source.statements)))
}

const readArray = (field: Field, sources: Sources): ReadonlyArray<unknown> | undefined => {
  const item = resolve(field.schema.items, field.schema).schema
  const members = Array.isArray(item.enum) ? item.enum.slice(0, 100) : undefined
  const fitting = (values: ReadonlyArray<unknown>): ReadonlyArray<unknown> | undefined => {
    const kept = field.schema.uniqueItems === true ? [...new Set(values)] : values
    const least = typeof field.schema.minItems === "number" ? field.schema.minItems : 1
    const most = typeof field.schema.maxItems === "number" ? field.schema.maxItems : Infinity
    return kept.length >= Math.max(1, least) && kept.length <= most ? kept : undefined
  }
  const convert = (text: string): ReadonlyArray<unknown> => {
    if (members !== undefined) return mentioned(members, text).slice(0, 1)
    if (item.type === "string") return fits(item, text) ? [text] : []
    if (item.type !== "number" && item.type !== "integer") return []
    const numbers = Literals.numbers(text)
    const only = numbers.length === 1 ? numbers[0] : undefined
    const value = only === undefined ? undefined : inBounds(item, only)
    return value === undefined ? [] : [value]
  }
  const listed = behindLabels(field, sources, (found) => fitting(FieldText.items(found, field.others).flatMap(convert)))
  if (listed !== undefined || members === undefined) return listed
  return first(sources, (source) => {
    const found = mentioned(members, source.statements)
    // A text that names every member is most likely the list of choices.
    return found.length === members.length && members.length > 2 ? undefined : fitting(found)
  })
}
