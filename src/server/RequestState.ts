/**
 * What a call knows, sealed into the `requestState` that the client brings back
 * with the answers.
 *
 * Source: MCP 2026-07-28, multi round-trip requests, integrity of `requestState`.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import { createHash } from "node:crypto"
import type { Memo } from "../ask/Asking.js"
import type { Principal } from "../auth/Principal.js"
import type { Sealer } from "../auth/Sealer.js"
import { isObject, type Json } from "../protocol/JsonRpc.js"
import type { McpError } from "../protocol/McpError.js"
import { invalidParams } from "../protocol/McpError.js"

/**
 * How long an answer may take, in milliseconds, unless the server says otherwise:
 * ten minutes.
 *
 * @since 0.1.0
 * @category configuration
 */
export const defaultTimeToLive = 600_000

/**
 * The one request that a state belongs to.
 *
 * @since 0.1.0
 * @category models
 */
export interface Bound {
  readonly caller: Principal
  /** For example `tools/call`. */
  readonly method: string
  /** The name of the tool or prompt, or the URI of the resource. */
  readonly target: string
  /** As parsed from JSON. The order of keys does not matter. */
  readonly arguments: unknown
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Milliseconds from `now` to when the state expires; only sealing reads it. */
  readonly timeToLive?: number | undefined
}

const purpose = "requestState"

const refused: Either.Either<never, McpError> = Either.left(
  invalidParams("The requestState is not valid for this request, or has expired; send the request again without it")
)

/** JSON with sorted keys: one text for all ways to write a value. */
const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  // A number too large for JSON was parsed as infinity, which JSON would write as `null`.
  if (typeof value === "number") return String(value)
  if (!isObject(value)) return JSON.stringify(value) ?? "null"
  const members = Object.keys(value).sort().flatMap((key) =>
    value[key] === undefined ? [] : [`${JSON.stringify(key)}:${canonical(value[key])}`]
  )
  return `{${members.join(",")}}`
}

const binding = ({ arguments: given, caller, method, target }: Bound): ReadonlyArray<string> => [
  caller.id,
  caller.tenant,
  method,
  target,
  createHash("sha256").update(canonical(given)).digest("base64url")
]

/**
 * Seals a memo for one request of one caller. The same state can be shown again
 * until it expires: what must happen once needs a guard of its own.
 *
 * @since 0.1.0
 * @category encoding
 */
export const seal = (sealer: Sealer, memo: Memo, bound: Bound): string =>
  sealer.seal(
    purpose,
    JSON.stringify({
      // JSON has no infinity.
      expires: Math.min(bound.now + (bound.timeToLive ?? defaultTimeToLive), Number.MAX_SAFE_INTEGER),
      memo
    }),
    binding(bound)
  )

const isAnswers = (value: unknown): value is Memo["answers"] => isObject(value) && Object.values(value).every(isObject)

const isKeys = (value: unknown): value is Memo["open"] =>
  Array.isArray(value) && value.every((key) => typeof key === "string")

const parse = (text: string): Json | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const read = (text: string, now: number): Memo | undefined => {
  const state = parse(text)
  if (state === undefined || typeof state.expires !== "number" || now >= state.expires) return undefined
  const memo = state.memo
  if (!isObject(memo)) return undefined
  const { answers, open, steps } = memo
  return isAnswers(answers) && isObject(steps) && isKeys(open) ? { answers, steps, open } : undefined
}

/**
 * Opens a state that `seal` made for this same request. Fails with one and the
 * same `invalidParams` whatever is wrong with it. Never throws.
 *
 * @since 0.1.0
 * @category decoding
 */
export const open = (sealer: Sealer, token: string, bound: Bound): Either.Either<Memo, McpError> => {
  const text = sealer.open(purpose, token, binding(bound))
  const memo = text === undefined ? undefined : read(text, bound.now)
  return memo === undefined ? refused : Either.right(memo)
}
