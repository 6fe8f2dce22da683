/**
 * Texts and bytes that no client should send, and those at the edge of what may
 * be sent.
 *
 * @since 0.1.0
 */
import { oldCall, plain } from "./Words.js"

export const line = (message: unknown): Buffer => Buffer.from(JSON.stringify(message))

/** The message with a byte put in place of the one marked by `?`. */
const spoiled = (bytes: ReadonlyArray<number>): Buffer => {
  const text = line(oldCall("echo", { text: "?" }))
  const at = text.indexOf("?")
  return Buffer.concat([text.subarray(0, at), Buffer.from(bytes), text.subarray(at + 1)])
}

export const unparsable: ReadonlyArray<readonly [what: string, bytes: string | Buffer]> = [
  ["a lone byte 0xff", spoiled([0xff])],
  ["a lone continuation byte", spoiled([0x80])],
  ["a sequence that is cut", spoiled([0xe2, 0x82])],
  ["an overlong NUL", spoiled([0xc0, 0x80])],
  ["an overlong slash", spoiled([0xe0, 0x80, 0xaf])],
  ["a surrogate in UTF-8", spoiled([0xed, 0xa0, 0x80])],
  ["a code point beyond Unicode", spoiled([0xf4, 0x90, 0x80, 0x80])],
  ["0xff in a key", Buffer.concat([Buffer.from("{\"\xff", "latin1"), Buffer.from("\":1}")])],
  ["a byte order mark", Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), line(plain("ping"))])],
  ["UTF-16", Buffer.from(`\ufeff${JSON.stringify(plain("ping"))}`, "utf16le").subarray(0, -1)],
  ["a raw NUL in a string", spoiled([0x00])],
  ["a raw tab in a string", spoiled([0x09])],
  ["a NUL behind the message", Buffer.concat([line(plain("ping")), Buffer.from([0])])],
  ["two messages", `${JSON.stringify(plain("ping"))}${JSON.stringify(plain("ping"))}`],
  ["a comment", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"/**/}"],
  ["a trailing comma", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",}"],
  ["NaN", "{\"jsonrpc\":\"2.0\",\"id\":NaN,\"method\":\"ping\"}"],
  ["a hexadecimal number", "{\"jsonrpc\":\"2.0\",\"id\":0x10,\"method\":\"ping\"}"],
  ["a leading zero", "{\"jsonrpc\":\"2.0\",\"id\":01,\"method\":\"ping\"}"],
  ["single quotes", "{'jsonrpc':'2.0'}"]
]

export const nested = (levels: number, inner = "1"): string => `${"[".repeat(levels)}${inner}${"]".repeat(levels)}`
export const withParams = (json: string): string => `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${json}}}`

export const oversized: ReadonlyArray<readonly [what: string, text: string]> = [
  ["200 levels of arrays", withParams(nested(200))],
  ["200 levels of objects", withParams(`${"{\"a\":".repeat(200)}1${"}".repeat(200)}`)],
  ["100,000 open brackets", "[".repeat(100_000)],
  ["200,000 numbers", withParams(`[${"1,".repeat(199_999)}1]`)],
  ["200,000 keys", withParams(`{${Array.from({ length: 120_000 }, (_, key) => `"${key.toString(36)}":1`).join(",")}}`)],
  ["200,000 empty arrays", withParams(`[${"[],".repeat(199_999)}[]]`)]
]

/** JSON that stands for an id, and the id that an error may repeat. */
export const ids: ReadonlyArray<readonly [json: string, isGood: boolean, id?: unknown]> = [
  ["0", true, 0],
  ["-1", true, -1],
  ["1.0", true, 1],
  ["1e3", true, 1000],
  ["9007199254740991", true, 9007199254740991],
  ["-9007199254740991", true, -9007199254740991],
  ["\"\"", true, ""],
  ["\"\\u0000\\ud800\"", true, "\u0000\ud800"],
  ["\"<script>\\u2028\\\"\"", true, "<script>\u2028\""],
  ["9007199254740992", false],
  ["9007199254740993", false],
  ["1e999", false],
  ["-1e999", false],
  ["1.5", false],
  ["1e-999", true, 0],
  ["null", false],
  ["true", false],
  ["{}", false],
  ["[]", false],
  ["[1]", false],
  [`"${"x".repeat(100_000)}"`, false]
]
