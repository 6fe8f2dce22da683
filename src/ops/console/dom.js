// @ts-check
/* global document, URL */
/**
 * Makes elements. What comes from elsewhere only ever becomes text.
 */

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {{ readonly [name: string]: string | number | boolean | undefined | ((event: Event) => void) }} Attributes */

/**
 * @param {Element} element
 * @param {Attributes} attributes
 */
const dress = (element, attributes) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    if (typeof value === "function") element.addEventListener(name, value)
    else element.setAttribute(name, value === true ? "" : String(value))
  }
}

/** @type {(element: Element, children: ReadonlyArray<Child>) => void} */
const fill = (element, children) => {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue
    element.append(typeof child === "number" ? String(child) : child)
  }
}

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Attributes} [attributes]
 * @param {ReadonlyArray<Child>} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export const h = (name, attributes = {}, ...children) => {
  const element = document.createElement(name)
  dress(element, attributes)
  fill(element, children)
  return element
}

/**
 * @param {string} name
 * @param {Attributes} [attributes]
 * @param {ReadonlyArray<Child>} children
 */
export const svg = (name, attributes = {}, ...children) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name)
  dress(element, attributes)
  fill(element, children)
  return element
}

/** @param {string} id */
export const byId = (id) => {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no element ${id}`)
  return found
}

/** @type {(element: Element, ...children: ReadonlyArray<Child>) => void} */
export const put = (element, ...children) => {
  element.replaceChildren()
  fill(element, children)
}

/** @type {WeakMap<Element, string>} */
const shown = new WeakMap()

/**
 * Draws only what has changed, so that nothing that is selected or read jumps.
 *
 * @param {Element} element
 * @param {unknown} value
 * @param {() => ReadonlyArray<Child>} draw
 */
export const putIfNew = (element, value, draw) => {
  const text = JSON.stringify(value) ?? ""
  if (shown.get(element) === text) return
  shown.set(element, text)
  put(element, ...draw())
}

/**
 * Fills a choice and keeps what was chosen, as far as it is there still.
 *
 * @param {Element} element
 * @param {ReadonlyArray<readonly [value: string, label: string]>} options
 */
export const choices = (element, options) => {
  const select = /** @type {HTMLSelectElement} */ (element)
  const { value } = select
  putIfNew(select, options, () => options.map(([value, label]) => h("option", { value }, label)))
  if (options.some(([known]) => known === value)) select.value = value
}

/**
 * A link when it leads to a web page, text otherwise: an address may be anybody's.
 *
 * @param {string} uri
 */
export const link = (uri) =>
  URL.canParse(uri) && /^https?:$/u.test(new URL(uri).protocol)
    ? h("a", { href: uri, target: "_blank", rel: "noopener noreferrer" }, uri)
    : h("span", { class: "code" }, uri)

/** @param {string} text @param {string} [kind] */
export const pill = (text, kind = "") => h("span", { class: `pill ${kind}` }, text)

/** @param {unknown} value @returns {value is Readonly<Record<string, unknown>>} */
export const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value)

/** @param {number | null | undefined} millis */
export const duration = (millis) => {
  if (millis === null || millis === undefined) return "–"
  if (millis < 10) return `${Math.round(millis * 10) / 10} ms`
  if (millis < 1000) return `${Math.round(millis)} ms`
  return millis < 60_000 ? `${(millis / 1000).toFixed(millis < 10_000 ? 2 : 1)} s` : `${Math.round(millis / 60_000)} min`
}

/** @param {number} share */
export const percent = (share) => {
  const value = share * 100
  return `${value === 0 || value >= 10 ? Math.round(value) : value < 0.1 ? "<0.1" : value.toFixed(1)} %`
}

/** @param {string | number} moment */
export const timeOf = (moment) => new Date(moment).toLocaleTimeString(undefined, { hour12: false })

/** @param {string} moment @param {string} now */
export const ago = (moment, now) => {
  const seconds = Math.max(0, Math.round((Date.parse(now) - Date.parse(moment)) / 1000))
  if (seconds < 90) return `${seconds} s`
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`
}

/** @param {unknown} error */
export const wordsOf = (error) => error instanceof Error ? error.message : String(error)
