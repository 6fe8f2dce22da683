/**
 * Names calls by what makes them equal: the tool, whose answer it is, and the
 * arguments.
 *
 * @since 0.1.0
 */
import { createHash } from "node:crypto"
import type { Principal } from "../auth/Principal.js"

/**
 * JSON in which equal values are equal texts: the members of objects stand in the
 * order of their names. Own members alone count, also one named `__proto__`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const canonical = (value: unknown): string => {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null"
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`)
  return `{${members.join(",")}}`
}

/** By the UTF-16 units: in UTF-8 all halves of a pair would be one. */
const digest = (text: string): string => createHash("sha256").update(text, "utf16le").digest("base64url")

/** A digest, where a text is longer than one. */
const short = (text: string): string => text.length <= 64 ? text : `#${digest(text)}`

/**
 * What tells arguments from others: their canonical JSON, or its SHA-256 when it
 * is long.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fingerprint = (given: unknown): string => short(canonical(given ?? {}))

/**
 * What tells versions of a tool apart, by what they take and give.
 *
 * @since 0.1.0
 * @category constructors
 */
export const version = (schemas: ReadonlyArray<unknown>): string => digest(canonical(schemas)).slice(0, 12)

/** With its length, so that no text can pass for two. */
const framed = (text: string): string => `${text.length}:${text}`

const callers = new WeakMap<Principal, string>()

/**
 * The caller with the tenant, as one text that no other caller has.
 *
 * @since 0.1.0
 * @category constructors
 */
export const caller = (principal: Principal): string => {
  const known = callers.get(principal)
  if (known !== undefined) return known
  const made = `${framed(principal.tenant)}|${framed(principal.id)}`
  callers.set(principal, made)
  return made
}

const holders = new WeakMap<Principal, string>()

/** The caller with what the credential allows: what one of two shows need not be for the other. */
const holder = (principal: Principal): string => {
  const known = holders.get(principal)
  if (known !== undefined) return known
  const made = `${caller(principal)}|${short([...principal.scopes].sort().map(framed).join(""))}`
  holders.set(principal, made)
  return made
}

/**
 * What the keys of all kept answers of a tool begin with, or of those that belong
 * to one tenant: for `ResultCache.forget`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const prefix = (tool: string, tenant?: string): string =>
  tenant === undefined ? `${tool}|` : `${tool}|${framed(tenant)}|`

/**
 * The key of an answer that belongs to one caller with one set of scopes; or to
 * everybody, when it is public.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ofAnswer = (
  tool: string,
  isPublic: boolean,
  principal: Principal,
  given: unknown
): string => `${prefix(tool)}${isPublic ? "*" : holder(principal)}|${fingerprint(given)}`

/**
 * The key of what a caller sent under a key of its own.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ofSending = (tool: string, principal: Principal, key: string): string =>
  `${prefix(tool)}${caller(principal)}|${short(key)}`
