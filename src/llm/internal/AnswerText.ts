/**
 * What of an answer there is to read: a bounded part of it, its texts, and its
 * prose without code.
 *
 * @since 0.1.0
 */
import type * as Chat from "../Chat.js"

/** Of a longer text only the beginning and the end are read, so much of each. */
const half = 32 * 1024

/**
 * The text itself, or the first and the last 32 KiB of a longer one.
 *
 * @since 0.1.0
 * @category combinators
 */
export const part = (text: string): string =>
  text.length <= 2 * half ? text : `${text.slice(0, half)}\n${text.slice(-half)}`

/**
 * @since 0.1.0
 * @category guards
 */
export const isObject = (answer: Chat.TextAnswer | Chat.ObjectAnswer): answer is Chat.ObjectAnswer => "value" in answer

/**
 * Whether an answer has no sign that can be seen, or no value.
 *
 * @since 0.1.0
 * @category guards
 */
export const isEmpty = (answer: Chat.TextAnswer | Chat.ObjectAnswer): boolean => {
  const said = isObject(answer) ? answer.value : answer.text
  return said === undefined || (typeof said === "string" && !/[^\s\p{C}\p{Z}]/u.test(said))
}

const maxNodes = 10_000

/**
 * The texts in a JSON value, names left out: those of its first 10,000 members,
 * breadth first, and no more than are read of a text.
 *
 * @since 0.1.0
 * @category combinators
 */
export const texts = (value: unknown): ReadonlyArray<string> => {
  const found: Array<string> = []
  const queue: Array<unknown> = [value]
  let length = 0
  for (let at = 0; at < queue.length && at < maxNodes && length < 2 * half; at++) {
    const node = queue[at]
    if (typeof node === "string") {
      found.push(part(node))
      length += node.length
    } else if (typeof node === "object" && node !== null) {
      for (const member of Object.values(node)) {
        if (queue.length >= maxNodes) break
        queue.push(member)
      }
    }
  }
  return found
}

/**
 * Whether a JSON value has a number other than 0, among its first 10,000 members.
 *
 * @since 0.1.0
 * @category guards
 */
export const hasFigure = (value: unknown): boolean => {
  const queue: Array<unknown> = [value]
  for (let at = 0; at < queue.length && at < maxNodes; at++) {
    const node = queue[at]
    if (typeof node === "number" && node !== 0) return true
    if (typeof node !== "object" || node === null) continue
    for (const member of Object.values(node)) {
      if (queue.length >= maxNodes) break
      queue.push(member)
    }
  }
  return false
}

/**
 * The prose of a text: without fenced and inline code, lines that look like
 * code, and addresses. Nothing of a text that is JSON as a whole.
 *
 * @since 0.1.0
 * @category combinators
 */
export const prose = (text: string): string => {
  const whole = part(text).trim()
  if (isJson(whole)) return ""
  const lines: Array<string> = []
  let isFenced = false
  let wasCode = false
  for (const line of whole.split("\n")) {
    if (/^\s{0,8}(?:```|~~~)/u.test(line)) {
      isFenced = !isFenced
      wasCode = false
    } else if (!isFenced) {
      wasCode = isCode(line) || (wasCode && /^(?:\t| {2})/u.test(line))
      if (!wasCode) lines.push(line.replace(/`[^`]*`/gu, " ").replace(/https?:\/\/[^\s)\]]+/gu, " "))
    }
  }
  return lines.join("\n")
}

const isJson = (text: string): boolean => {
  const first = text.charAt(0)
  const last = text.charAt(text.length - 1)
  return (first === "{" && last === "}") || (first === "[" && last === "]" && text.includes("\""))
}

const codeSigns = new Set("{}()<>=;\\&$_".split(""))

/** Prose has a bracket now and then, code is full of them, and right behind a word: that counts twice. */
const isCode = (line: string): boolean => {
  let signs = 0
  let letters = 0
  let before = " "
  for (const sign of line) {
    if (sign === "(" && /\w/u.test(before)) signs += 2
    else if (codeSigns.has(sign)) signs++
    else if (sign !== " " && sign !== "\t") letters++
    before = sign
  }
  return signs >= 2 && signs >= 0.12 * (signs + letters)
}
