/**
 * Requests that HTTP statuses are about: README §4, §5 and §13.
 *
 * @since 0.1.0
 */
import type { Headers } from "./WireHttp.js"
import type { Json } from "./Words.js"
import { asked, call, claim, Key, listen, meta, modern, plain } from "./Words.js"

export const removed = [
  "initialize",
  "ping",
  "logging/setLevel",
  "resources/subscribe",
  "resources/unsubscribe",
  "tasks/result",
  "tasks/list",
  "roots/list",
  "sampling/createMessage",
  "elicitation/create",
  "notifications/cancelled",
  "notifications/initialized"
]

export const strange = [
  "",
  "tools",
  "tools/",
  "tools/list/",
  "Tools/list",

  "toString",
  "__proto__",
  "constructor"
]

/** In-band errors of handlers that were reached: 200 by §4.1. */
export const inBand: ReadonlyArray<readonly [what: string, message: Json, code: number]> = [
  ["an unknown tool", call("none"), -32602],
  ["arguments that are no object", claim("tools/call", { name: "echo", arguments: [] }), -32602],
  ["an unknown prompt", claim("prompts/get", { name: "none" }), -32602],
  ["a missing argument of a prompt", claim("prompts/get", { name: "greeting" }), -32602],
  ["a resource that is not there", claim("resources/read", { uri: "wire://none" }), -32602],
  ["a bad cursor", claim("tools/list", { cursor: "x" }), -32602],
  ["a forged state", call("ask_name", {}, { ...asked, requestState: "x" }), -32602],
  ["a reference to nothing", claim("completion/complete", { ref: {}, argument: { name: "a", value: "" } }), -32602],
  ["a subscription without notifications", listen(undefined), -32602]
]

export const refusedHosts: ReadonlyArray<readonly [what: string, headers: Headers, status: number]> = [
  ["a foreign Host alone", { host: "mcp.example.com" }, 403],
  ["a foreign Host that resembles ours", { host: "localhost.example.com" }, 403],
  ["a foreign Origin alone", { origin: "https://example.com" }, 403],
  ["Origin: null", { origin: "null" }, 403],
  ["an empty Origin", { origin: "" }, 403],
  ["an Origin that begins like ours", { origin: "http://localhost.example.com" }, 403],
  ["an Origin behind user info", { origin: "http://localhost@example.com" }, 403],
  ["both foreign", { host: "example.com", origin: "https://example.com" }, 403],
  ["a Host that is ours, an Origin that is not", { host: "localhost", origin: "http://192.0.2.1" }, 403]
]

export const types: ReadonlyArray<readonly [type: string | undefined, isTaken: boolean]> = [
  ["application/json", true],
  ["Application/JSON", true],
  ["application/json; charset=utf-8", true],
  ["application/json;charset=\"UTF-8\"", true],
  [undefined, false],
  ["", false],
  ["text/plain", false],
  ["text/plain;application/json", false],
  ["text/json", false],
  ["application/jsonp", false],
  ["application/json-rpc", false],
  ["application/json, text/plain", false],
  ["application/json; charset=latin1", false],
  ["application/json; charset=utf-16", false],
  ["application/x-www-form-urlencoded", false],
  ["multipart/form-data; boundary=application/json", false]
]

export const accepts: ReadonlyArray<readonly [accept: string | undefined, status: number, type: string]> = [
  [undefined, 200, "application/json"],
  ["*/*", 200, "application/json"],
  ["application/json", 200, "application/json"],
  ["application/*", 200, "application/json"],
  ["application/json, text/event-stream", 200, "application/json"],
  ["APPLICATION/JSON, Text/Event-Stream", 200, "application/json"],
  ["text/event-stream", 200, "text/event-stream"],
  ["text/event-stream, application/json;q=0", 200, "text/event-stream"],
  ["text/html", 406, "application/json"],
  ["image/*, text/html;q=0.9", 406, "application/json"],
  ["application/json;q=0", 406, "application/json"]
]

const stale = meta({ [Key.version]: "2030-01-01" })
const form = { "content-type": "text/plain" }

/** Requests that fail in several ways: the first in the order of §5 wins. */
export const orders: ReadonlyArray<
  readonly [what: string, message: unknown, headers: Headers, status: number, code?: number]
> = [
  ["Host before all", "{", { ...form, host: "example.com", accept: "text/html" }, 403],
  ["Origin before the media type and the body", "{", { ...form, origin: "null" }, 403],
  ["the media type before JSON", "{", form, 415],
  ["JSON before headers", "{", { "mcp-protocol-version": "junk" }, 400, -32700],
  ["shape before headers", { jsonrpc: "1.0", id: 1, method: "x" }, { "mcp-protocol-version": modern }, 400, -32600],
  ["an array before what is in it", [claim("no/such")], { "mcp-protocol-version": "2030-01-01" }, 400, -32600],
  [
    "the envelope before the header",
    plain("x", { _meta: { [Key.version]: 1 } }),
    { "mcp-protocol-version": "1" },
    400,
    -32602
  ],
  ["the envelope before the version", plain("x", { _meta: { [Key.version]: "2030-01-01" } }), {}, 400, -32602],
  [
    "a mismatch before an unknown version",
    plain("x", { _meta: stale }),
    { "mcp-protocol-version": modern },
    400,
    -32020
  ],
  ["an unknown version before missing headers", plain("x", { _meta: stale }), { "mcp-method": undefined }, 400, -32022],
  ["headers before an unknown method", claim("no/such"), { "mcp-method": "tools/list" }, 400, -32020],
  ["an unknown method before its params", claim("no/such", { name: 5, cursor: 5 }), {}, 404, -32601],
  ["a name in the header before params", claim("tools/call", { name: 5 }), { "mcp-name": "5" }, 400, -32020],
  ["an unknown tool before its headers", call("none", { region: "eu" }), { "mcp-param-region": "us" }, 200, -32602],
  ["params before their headers", claim("tools/call", { name: "mirrored", arguments: [] }), {}, 200, -32602],
  ["headers before the input schema", call("mirrored", { region: "eu", amount: "many" }), {}, 400, -32020],
  ["the input schema before the client's capabilities", call("ask_name", { topic: 5 }), {}, 200]
]
