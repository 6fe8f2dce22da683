/**
 * The words of the wire tests: messages of both eras, and how to look into what
 * came back.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"

export interface Json {
  readonly [key: string]: unknown
}

export const modern = "2026-07-28"

export const handshakes = ["2025-11-25", "2025-06-18", "2025-03-26"] as const

const prefix = "io.modelcontextprotocol/"

export const Key = {
  version: `${prefix}protocolVersion`,
  capabilities: `${prefix}clientCapabilities`,
  clientInfo: `${prefix}clientInfo`,
  logLevel: `${prefix}logLevel`,
  subscriptionId: `${prefix}subscriptionId`,
  tasks: `${prefix}tasks`
} as const

/** What stands at a path inside of parsed JSON; `undefined` where there is nothing. */
export const at = (value: unknown, ...path: ReadonlyArray<string | number>): unknown =>
  path.reduce<unknown>(
    (found, key) =>
      typeof found === "object" && found !== null && Object.hasOwn(found, key) ? Reflect.get(found, key) : undefined,
    value
  )

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const itemsAt = (value: unknown, ...path: ReadonlyArray<string | number>): ReadonlyArray<unknown> => {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

export const codeOf = (message: unknown): unknown => at(message, "error", "code")

export const messageOf = (message: unknown): string => String(at(message, "error", "message"))

/** The first text of a tool's answer. */
export const textOf = (message: unknown): unknown => at(message, "result", "content", 0, "text")

/** A message without a claim; an id that is `undefined` makes it a notification. */
export const plain = (method: unknown, params?: unknown, id: unknown = 1): Json => ({
  jsonrpc: "2.0",
  ...(id === undefined ? {} : { id }),
  method,
  ...(params === undefined ? {} : { params })
})

export const notice = (method: string, params?: unknown): Json => ({
  jsonrpc: "2.0",
  method,
  ...(params === undefined ? {} : { params })
})

export const meta = (more: Json = {}): Json => ({ [Key.version]: modern, [Key.capabilities]: {}, ...more })

/** A request of 2026-07-28; what `params` holds under `_meta` is added to what is required there. */
export const claim = (method: string, params: Json = {}, id: unknown = 1): Json =>
  plain(method, { ...params, _meta: meta(isObject(params._meta) ? params._meta : {}) }, id)

export const call = (name: string, args: Json = {}, more: Json = {}, id: unknown = 1): Json =>
  claim("tools/call", { name, arguments: args, ...more }, id)

/** A call of a handshake revision. */
export const oldCall = (name: string, args: Json = {}, more: Json = {}, id: unknown = 1): Json =>
  plain("tools/call", { name, arguments: args, ...more }, id)

export const echo = (text: string, id: unknown = 1): Json => call("echo", { text }, {}, id)

/** `_meta` of a client that can be asked by forms. */
export const asked = { _meta: { [Key.capabilities]: { elicitation: {} } } }

/** `_meta` of a client that knows tasks, and can be asked. */
export const tasked = { _meta: { [Key.capabilities]: { elicitation: {}, extensions: { [Key.tasks]: {} } } } }

export const initialize = (protocolVersion: unknown, capabilities: unknown = {}, id: unknown = "opening"): Json =>
  plain("initialize", { protocolVersion, capabilities, clientInfo: { name: "wire", version: "1" } }, id)

export const cancelled = (requestId: unknown): Json => notice("notifications/cancelled", { requestId })

export const listen = (notifications: unknown, id: unknown = "s", more: Json = {}): Json =>
  claim("subscriptions/listen", { notifications, ...more }, id)

/** What a user fills in. */
export const filled = (name: unknown): Json => ({ action: "accept", content: { name } })

/** Asserts an error: its code, and the id that it repeats. */
export const isError = (message: unknown, code: number, id?: unknown): void => {
  assert.strictEqual(codeOf(message), code, JSON.stringify(message))
  assert.strictEqual(at(message, "jsonrpc"), "2.0")
  assert.strictEqual(at(message, "result"), undefined)
  assert.isString(at(message, "error", "message"))
  assert.deepStrictEqual(at(message, "id") ?? undefined, id, JSON.stringify(message))
}

/** Asserts that nothing of 2026-07-28 stands in an answer to an older client. */
export const isOld = (message: unknown): void => {
  const text = JSON.stringify(message)
  for (const word of ["resultType", "ttlMs", "cacheScope", "inputRequests", "requestState", prefix]) {
    assert.notInclude(text, word)
  }
}

const soonMillis = 5000
/** So often it is looked at once per turn of the event loop, before it is at once per millisecond. */
const turns = 20

/** Waits for a condition, by the machine's time; dies when it takes more than five seconds. */
export const until = (isSo: () => boolean, what: string | (() => string) = "the condition"): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    const end = performance.now() + soonMillis
    let isOver = false
    let looks = 0
    const look = (): void => {
      if (isOver) return
      if (isSo()) return resume(Effect.void)
      if (performance.now() > end) {
        return resume(Effect.dieMessage(`waited in vain for ${typeof what === "string" ? what : what()}`))
      }
      if (looks++ < turns) setImmediate(look)
      else setTimeout(look, 1)
    }
    look()
    return Effect.sync(() => {
      isOver = true
    })
  })
