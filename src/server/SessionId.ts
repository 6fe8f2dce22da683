/**
 * The session id of an older client, which holds its whole handshake, so that no
 * instance has to remember it.
 *
 * Source: MCP 2025-11-25, Streamable HTTP, session management.
 *
 * @since 0.1.0
 */
import { randomBytes } from "node:crypto"
import type { Principal } from "../auth/Principal.js"
import type { Sealer } from "../auth/Sealer.js"
import type { Handshake } from "../protocol/Dispatcher.js"
import { isObject } from "../protocol/JsonRpc.js"
import type { ClientCapabilities, Implementation } from "../protocol/McpSchema.js"

/**
 * How long a session lasts, in milliseconds: 24 hours.
 *
 * @since 0.1.0
 * @category configuration
 */
export const timeToLive = 24 * 60 * 60 * 1000

const purpose = "sessionId"
const nonceBytes = 16
const maxCapabilityBytes = 4 * 1024
const maxNameLength = 100

/** What this server can ask of a client, with what it has to declare for it. */
const known: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
  ["elicitation", ["form", "url"]],
  ["sampling", ["tools", "context"]],
  ["roots", []]
]

/** The capabilities as they are; of very many, those that are asked for, without their settings. */
const kept = (declared: ClientCapabilities): ClientCapabilities => {
  if (Buffer.byteLength(JSON.stringify(declared)) <= maxCapabilityBytes) return declared
  return Object.fromEntries(known.flatMap(([name, members]) => {
    const settings = declared[name]
    if (!isObject(settings)) return []
    const named = members.filter((member) => Object.hasOwn(settings, member))
    return [[name, Object.fromEntries(named.map((member) => [member, {}]))] as const]
  }))
}

const binding = ({ id, tenant }: Principal): ReadonlyArray<string> => [id, tenant]

/**
 * Makes the id of a new session, never the same twice: visible ASCII, less than
 * 8 KiB. Capabilities of more than 4 KiB are cut down to those a server can ask
 * for, the client's name and version to 100 characters each.
 *
 * @since 0.1.0
 * @category encoding
 */
export const seal = (sealer: Sealer, handshake: Handshake, caller: Principal, now: number): string => {
  const { clientCapabilities, clientInfo, version } = handshake
  const client = clientInfo === undefined ? undefined : {
    name: clientInfo.name.slice(0, maxNameLength),
    version: clientInfo.version.slice(0, maxNameLength)
  }
  const nonce = randomBytes(nonceBytes).toString("base64url")
  return sealer.seal(
    purpose,
    JSON.stringify({ expires: now + timeToLive, nonce, version, capabilities: kept(clientCapabilities), client }),
    binding(caller)
  )
}

const isClient = (value: unknown): value is Implementation =>
  isObject(value) && typeof value.name === "string" && typeof value.version === "string"

const read = (text: string, now: number): Handshake | undefined => {
  const session: unknown = JSON.parse(text)
  if (!isObject(session)) return undefined
  const { capabilities, client, expires, version } = session
  if (typeof expires !== "number" || now >= expires) return undefined
  if (typeof version !== "string" || !isObject(capabilities)) return undefined
  return { version, clientCapabilities: capabilities, clientInfo: isClient(client) ? client : undefined }
}

/**
 * The handshake of a session; `undefined` when the id is none, has expired after
 * 24 hours, or is another caller's. Never throws.
 *
 * @since 0.1.0
 * @category decoding
 */
export const open = (sealer: Sealer, id: string, caller: Principal, now: number): Handshake | undefined => {
  const text = sealer.open(purpose, id, binding(caller))
  if (text === undefined) return undefined
  try {
    return read(text, now)
  } catch {
    return undefined
  }
}
