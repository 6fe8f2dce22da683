// @ts-check
/* global fetch, URL, AbortSignal */
/**
 * Asks the server: for its state, and to run a tool.
 */
import { isRecord } from "./dom.js"

/**
 * @typedef {{ readonly [name: string]: unknown }} JsonObject
 * @typedef {{ readonly name: string, readonly title?: string, readonly description?: string, readonly inputSchema?: unknown, readonly outputSchema?: unknown, readonly annotations?: JsonObject }} Tool
 * @typedef {{ readonly tool: string, readonly safety: string, readonly scopes: ReadonlyArray<string>, readonly requires: ReadonlyArray<string>, readonly uses?: ReadonlyArray<string>, readonly steps: ReadonlyArray<{ readonly name: string, readonly says: string, readonly from: string }>, readonly warnings: ReadonlyArray<string> }} Plan
 * @typedef {{ readonly tool: string, readonly without: ReadonlyArray<string> }} Lacking
 * @typedef {{ readonly name: string, readonly kind: string, readonly status: "up" | "down", readonly since: string, readonly latencyMs: number, readonly description?: string }} Source
 * @typedef {{ readonly id: string, readonly provider: string, readonly model: string, readonly breaker: string, readonly restsForMs?: number, readonly because?: string, readonly inFlight: number, readonly headroom: number, readonly latencyMs?: number, readonly successRate: number }} Model
 * @typedef {{ readonly calls: number, readonly failures: number, readonly p50: number | null, readonly p99: number | null }} Total
 * @typedef {{ readonly until: number, readonly stepMillis: number, readonly calls: ReadonlyArray<number>, readonly failures: ReadonlyArray<number>, readonly p50: ReadonlyArray<number | null>, readonly p99: ReadonlyArray<number | null> }} Points
 * @typedef {{ readonly number: number, readonly at: number, readonly tool: string, readonly isKnown: boolean, readonly outcome: string, readonly code?: string, readonly millis: number, readonly confidence?: number, readonly isDegraded: boolean, readonly isCached: boolean, readonly isTask: boolean, readonly caller: string, readonly requestId: string, readonly steps: ReadonlyArray<string> }} Entry
 * @typedef {{ readonly command: string, readonly args: ReadonlyArray<string>, readonly env?: { readonly [name: string]: string } }} Command
 * @typedef {object} State
 * @property {string} now
 * @property {{ readonly name: string, readonly version: string, readonly title?: string, readonly description?: string }} server
 * @property {{ readonly state: string, readonly since: string }} [lifecycle]
 * @property {{ readonly level: number, readonly loopDelayMs: number, readonly heapRatio: number }} [pressure]
 * @property {{ readonly id: string, readonly mayCall: boolean, readonly callScopes: ReadonlyArray<string> }} caller
 * @property {{ readonly endpoint: string, readonly command?: Command, readonly hasKeys: boolean }} client
 * @property {{ readonly version: string, readonly list?: ReadonlyArray<Tool>, readonly plans?: ReadonlyArray<Plan> }} tools
 * @property {{ readonly status: string, readonly sources: ReadonlyArray<Source> }} health
 * @property {ReadonlyArray<Lacking>} unavailable
 * @property {ReadonlyArray<Lacking>} degraded
 * @property {ReadonlyArray<Model>} models
 * @property {{ readonly total: Total, readonly tools: ReadonlyArray<Total & { readonly tool: string }>, readonly tool?: string, readonly points?: Points, readonly recent: ReadonlyArray<Entry> }} [calls]
 */

/** In the memory of this tab alone. */
let credential = ""

/** @param {string} text @returns {boolean} whether it can be a key */
export const useKey = (text) => {
  const key = text.trim()
  if (!/^[\x21-\x7e]+$/u.test(key)) return false
  credential = key
  return true
}

export const hasKey = () => credential !== ""

/** @returns {Record<string, string>} */
const authorization = () => credential === "" ? {} : { authorization: `Bearer ${credential}` }

/** @param {string} path */
const place = (path) => new URL(path, import.meta.url)

const stateTimeout = 15_000
/** The server ends a call itself; this is for a server that is gone. */
const callTimeout = 330_000

/**
 * @param {Response} response
 * @returns {Promise<string>}
 */
const complaint = async (response) => {
  try {
    const body = await response.json()
    if (isRecord(body) && typeof body.error === "string") return body.error
  } catch {
    // Something in between answered in words of its own.
  }
  return `the server answered ${response.status}`
}

/**
 * What came of asking: the value, or why there is none. `away` when nobody
 * answered at all.
 *
 * @template A
 * @typedef {{ readonly is: "ok", readonly value: A } | { readonly is: "refused", readonly status: number, readonly message: string } | { readonly is: "away" }} Answer
 */

/**
 * @param {URL} url
 * @param {RequestInit} init
 * @param {number} millis
 * @returns {Promise<Answer<unknown>>}
 */
const ask = async (url, init, millis) => {
  try {
    const response = await fetch(url, {
      ...init,
      headers: { ...init.headers, ...authorization() },
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(millis)
    })
    if (!response.ok) return { is: "refused", status: response.status, message: await complaint(response) }
    return { is: "ok", value: await response.json() }
  } catch {
    return { is: "away" }
  }
}

/**
 * @param {string} known the version of the tools that are shown
 * @param {string} tool whose calls are drawn; of all when empty
 * @returns {Promise<Answer<State>>}
 */
export const load = async (known, tool) => {
  const url = place("state")
  if (known !== "") url.searchParams.set("known", known)
  if (tool !== "") url.searchParams.set("tool", tool)
  const answer = await ask(url, {}, stateTimeout)
  return answer.is === "ok" ? { is: "ok", value: /** @type {State} */ (answer.value) } : answer
}

/**
 * @param {string} name
 * @param {unknown} given
 * @returns {Promise<Answer<JsonObject>>}
 */
export const call = async (name, given) => {
  const answer = await ask(place("call"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name, arguments: given })
  }, callTimeout)
  if (answer.is !== "ok") return answer
  return isRecord(answer.value)
    ? { is: "ok", value: answer.value }
    : { is: "refused", status: 502, message: "the answer is not one of this server" }
}
