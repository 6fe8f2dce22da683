// @ts-check
/**
 * A form for the arguments of a tool, by its JSON Schema: fields for what is
 * simple, JSON for what is not, and JSON for all of it whenever one likes.
 */
import { h, isRecord, wordsOf } from "./dom.js"

/** @typedef {Readonly<Record<string, unknown>>} Schema */
/**
 * A part of the form; `read` gives `undefined` when it was left empty, and throws
 * what is wrong in words.
 *
 * @typedef {{ readonly element: HTMLElement, readonly isEmpty: () => boolean, readonly read: () => unknown, readonly write: (value: unknown) => void }} Field
 */

const mostDepth = 3
const mostFields = 60

let ids = 0

/**
 * A schema with what it refers to and what it is joined of in one.
 *
 * @param {unknown} schema
 * @param {Schema} root
 * @param {number} [depth]
 * @returns {Schema}
 */
const resolved = (schema, root, depth = 0) => {
  if (!isRecord(schema) || depth > 8) return {}
  const { $ref, allOf, ...own } = schema
  /** @type {Schema} */
  let whole = own
  const path = typeof $ref === "string" ? /^#\/(\$defs|definitions)\/(.+)$/u.exec($ref) : null
  if (path !== null) {
    const group = root[path[1] ?? ""]
    const name = (path[2] ?? "").replaceAll("~1", "/").replaceAll("~0", "~")
    if (isRecord(group) && Object.hasOwn(group, name)) whole = { ...resolved(group[name], root, depth + 1), ...whole }
  }
  if (Array.isArray(allOf)) for (const part of allOf) whole = { ...resolved(part, root, depth + 1), ...whole }
  return whole
}

/** @param {Schema} schema */
const example = (schema) => Array.isArray(schema.examples) ? schema.examples[0] : schema.default

/** @param {unknown} value */
const asText = (value) => typeof value === "string" ? value : JSON.stringify(value, undefined, 2) ?? ""

/** @param {string} text */
const parse = (text) => {
  try {
    return /** @type {unknown} */ (JSON.parse(text))
  } catch (error) {
    throw new Error(`is not JSON: ${wordsOf(error)}`, { cause: error })
  }
}

/**
 * @param {{ value: string }} input
 * @param {(text: string) => unknown} decode
 * @param {(value: unknown) => string} [encode]
 */
const texts = (input, decode, encode = asText) => ({
  read: () => (input.value.trim() === "" ? undefined : decode(input.value)),
  /** @param {unknown} value */
  write: (value) => {
    input.value = value === undefined ? "" : encode(value)
  }
})

/** @param {string} text */
const lines = (text) => text.split("\n").map((line) => line.trim()).filter((line) => line !== "")

/** @param {unknown} value */
const fromLines = (value) => Array.isArray(value) ? value.join("\n") : asText(value)

/** @param {Schema} schema @param {Schema} root */
const isText = (schema, root) => resolved(schema, root).type === "string"

/** Whether it is a text or a list of them, whichever the caller likes. @param {Schema} schema @param {Schema} root */
const isOneOrMany = ({ anyOf }, root) =>
  Array.isArray(anyOf) && anyOf.length === 2 && anyOf.some((part) => isText(part, root)) &&
  anyOf.some((part) => {
    const { items, type } = resolved(part, root)
    return type === "array" && isRecord(items) && isText(items, root)
  })

/** @param {Schema} schema */
const hint = (schema) => {
  const shown = example(schema)
  if (shown === undefined) return undefined
  const text = typeof shown === "string" ? shown : JSON.stringify(shown)
  return text === undefined || text.length > 120 ? undefined : text
}

/** @param {Schema} schema @param {string} id @param {Schema} root @returns {Pick<Field, "read" | "write"> & { readonly input: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement, readonly note?: string }} */
const inputOf = (schema, id, root) => {
  const { enum: members, items, type } = schema
  const common = { id, "aria-describedby": `${id}-about`, placeholder: hint(schema) }
  if (Array.isArray(members) && members.length <= 100 || type === "boolean") {
    const values = type === "boolean" ? [true, false] : /** @type {ReadonlyArray<unknown>} */ (members)
    const input = h("select", common, h("option", { value: "" }, "–"))
    values.forEach((value, index) => input.append(h("option", { value: index }, asText(value))))
    return {
      input,
      read: () => (input.value === "" ? undefined : values[Number(input.value)]),
      write: (value) => {
        const index = values.indexOf(value)
        input.value = index < 0 ? "" : String(index)
      }
    }
  }
  if (type === "number" || type === "integer") {
    const { maximum, minimum } = schema
    const input = h("input", {
      ...common,
      type: "number",
      step: type === "integer" ? 1 : "any",
      min: typeof minimum === "number" ? minimum : undefined,
      max: typeof maximum === "number" ? maximum : undefined
    })
    const field = texts(input, Number)
    return {
      input,
      ...field,
      read: () => {
        // A browser shows what is no number and gives an empty text for it.
        if (input.validity.badInput) throw new Error("is not a number")
        return field.read()
      }
    }
  }
  if (type === "string") {
    const { maxLength } = schema
    const isLong = typeof maxLength === "number" && maxLength > 200 && schema.format === undefined
    const input = isLong ? h("textarea", { ...common, rows: 3 }) : h("input", { ...common, type: "text" })
    return { input, ...texts(input, (text) => text) }
  }
  if (type === "array" && isRecord(items) && isText(items, root)) {
    const input = h("textarea", { ...common, placeholder: hint(resolved(items, root)), rows: 3 })
    return { input, ...texts(input, lines, fromLines), note: "one a line" }
  }
  if (isOneOrMany(schema, root)) {
    const input = h("textarea", { ...common, rows: 1 })
    const decode = (/** @type {string} */ text) => {
      const found = lines(text)
      return found.length === 1 ? found[0] : found
    }
    return { input, ...texts(input, decode, fromLines), note: "one, or one a line" }
  }
  const input = h("textarea", { ...common, rows: 4, class: "code", spellcheck: "false" })
  return { input, ...texts(input, parse, (value) => JSON.stringify(value, undefined, 2) ?? ""), note: "JSON" }
}

/** @param {string} name @param {Schema} schema @param {boolean} isRequired @param {Schema} root @param {number} depth @returns {Field} */
const fieldOf = (name, schema, isRequired, root, depth) => {
  const about = typeof schema.description === "string" ? schema.description : ""
  if (schema.type === "object" && isRecord(schema.properties) && depth < mostDepth) {
    const group = groupOf(schema, root, depth + 1, isRequired)
    return {
      ...group,
      element: h(
        "details",
        { class: "group", open: isRequired },
        h("summary", {}, h("span", { class: "field-name" }, name), about !== "" && h("span", { class: "quiet" }, ` ${about}`)),
        group.element
      )
    }
  }
  const id = `field-${++ids}`
  const { input, note, read, write } = inputOf(schema, id, root)
  return {
    element: h(
      "div",
      { class: "field" },
      h(
        "label",
        { for: id },
        h("span", { class: "field-name" }, name),
        isRequired && h("span", { class: "needed" }, " needed"),
        note !== undefined && h("span", { class: "quiet" }, ` ${note}`)
      ),
      input,
      h("p", { id: `${id}-about`, class: "quiet about" }, about)
    ),
    isEmpty: () => input.value.trim() === "" && !input.validity.badInput,
    read: () => {
      try {
        const value = read()
        if (value === undefined && isRequired) throw new Error("is needed")
        input.removeAttribute("aria-invalid")
        return value
      } catch (error) {
        input.setAttribute("aria-invalid", "true")
        input.focus()
        throw new Error(`${name} ${wordsOf(error)}`, { cause: error })
      }
    },
    write
  }
}

/** @param {Schema} schema @param {Schema} root @param {number} depth @param {boolean} isRequired @returns {Field} */
const groupOf = (schema, root, depth, isRequired) => {
  const required = Array.isArray(schema.required) ? schema.required : []
  const properties = isRecord(schema.properties) ? schema.properties : {}
  const fields = Object.entries(properties).slice(0, mostFields).map(([name, part]) =>
    /** @type {const} */ ([name, fieldOf(name, resolved(part, root), required.includes(name), root, depth)])
  )
  const isEmpty = () => fields.every(([, field]) => field.isEmpty())
  return {
    element: h("div", { class: "fields" }, ...fields.map(([, { element }]) => element)),
    isEmpty,
    read: () => {
      // What is needed inside is needed only where the whole is given.
      if (!isRequired && isEmpty()) return undefined
      const found = fields.flatMap(([name, field]) => {
        const value = field.read()
        return value === undefined ? [] : [[name, value]]
      })
      // Not by assignment: a field may be called __proto__.
      return Object.fromEntries(found)
    },
    write: (value) => {
      for (const [name, field] of fields) {
        field.write(isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined)
      }
    }
  }
}

/**
 * The examples that a schema gives for what is needed.
 *
 * @param {Schema} schema
 * @param {Schema} root
 * @returns {unknown}
 */
const exampleOf = (schema, root) => {
  const own = example(schema)
  if (own !== undefined || !isRecord(schema.properties)) return own
  const required = Array.isArray(schema.required) ? schema.required : []
  return Object.fromEntries(Object.entries(schema.properties).flatMap(([name, part]) => {
    const value = required.includes(name) ? exampleOf(resolved(part, root), root) : undefined
    return value === undefined ? [] : [[name, value]]
  }))
}

/**
 * @param {unknown} inputSchema
 * @returns {{ readonly element: HTMLElement, readonly read: () => unknown }} `read` throws what is wrong, in words
 */
export const make = (inputSchema) => {
  const root = isRecord(inputSchema) ? inputSchema : {}
  const schema = resolved(root, root)
  const fields = groupOf(schema, root, 0, true)
  const hasFields = isRecord(schema.properties) && Object.keys(schema.properties).length > 0
  const isOpen = schema.additionalProperties !== false
  const raw = h("textarea", { id: `field-${++ids}`, rows: 10, class: "code", spellcheck: "false" })
  const rawField = h("div", { class: "field", hidden: true }, h("label", { for: raw.id }, "Arguments as JSON"), raw)
  let isRaw = false

  /** @returns {unknown} */
  const readRaw = () => {
    const value = raw.value.trim() === "" ? {} : parseRaw(raw.value)
    if (!isRecord(value)) throw new Error("the arguments are no JSON object")
    return value
  }
  /** @param {string} text */
  const parseRaw = (text) => {
    try {
      return parse(text)
    } catch (error) {
      raw.focus()
      throw new Error(`what stands there ${wordsOf(error)}`, { cause: error })
    }
  }

  /** @param {unknown} value */
  const write = (value) => {
    raw.value = JSON.stringify(value, undefined, 2) ?? "{}"
    fields.write(value)
  }
  const trouble = h("p", { class: "bad", role: "alert" })

  const toggle = h("button", {
    type: "button",
    "aria-pressed": "false",
    click: () => {
      try {
        write(isRaw ? readRaw() : fields.read())
        trouble.textContent = ""
      } catch (error) {
        // From fields that are half filled in one may go on in JSON; the other way something would be lost.
        if (isRaw) {
          trouble.textContent = wordsOf(error)
          return
        }
      }
      setRaw(!isRaw)
    }
  }, "As JSON")
  /** @param {boolean} value */
  const setRaw = (value) => {
    isRaw = value
    fields.element.hidden = value
    rawField.hidden = !value
    toggle.setAttribute("aria-pressed", String(value))
  }

  const shown = exampleOf(schema, root)
  const hasExample = isRecord(shown) && Object.keys(shown).length > 0
  const bar = h(
    "div",
    { class: "row" },
    toggle,
    hasExample && h("button", { type: "button", click: () => write(shown) }, "Fill in the example")
  )
  if (!hasFields && isOpen) setRaw(true)
  return {
    element: h(
      "div",
      {},
      !hasFields && !isOpen && h("p", { class: "quiet" }, "It takes no arguments."),
      fields.element,
      rawField,
      bar,
      trouble
    ),
    read: () => {
      trouble.textContent = ""
      return isRaw ? readRaw() : fields.read()
    }
  }
}
