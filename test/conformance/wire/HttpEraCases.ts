/**
 * The table of README §15.1 as requests and what they must be answered.
 *
 * @since 0.1.0
 */
import type { Headers } from "./WireHttp.js"
import type { Json } from "./Words.js"
import { claim, echo, handshakes, initialize, Key, meta, modern, notice, plain } from "./Words.js"

export interface Expected {
  readonly status: number
  /** Of the error; absent where there is none. */
  readonly code?: number
  /** The id that an error repeats. */
  readonly id?: unknown
  readonly data?: Json
}

export interface Case {
  readonly row: number
  readonly what: string
  readonly verb?: string
  readonly message?: unknown
  /** `mcp-protocol-version`; `null` sends none where the message would bring one. */
  readonly version?: string | null
  readonly headers?: Headers
  readonly expected: Expected
  /** The answer to the same request when it names a session of 2025-11-25; the same unless given. */
  readonly inSession?: Expected
  /** When it names a session that nobody has; the same as without one unless given. */
  readonly inNone?: Expected
}

const refused = (status: number, code: number, id?: unknown, data?: Json): Expected => ({
  status,
  code,
  ...(id === undefined ? {} : { id }),
  ...(data === undefined ? {} : { data })
})

const fine: Expected = { status: 200 }
const heard: Expected = { status: 202 }
const noSession = (id?: unknown): Expected => refused(404, -32600, id)
const ping = plain("ping", {}, "p")
const response = { jsonrpc: "2.0", id: "srv-1", result: {} }
const unserved = (requested: string) => ({ supported: [modern], requested })
/** A request whose claim is a version of its own, and the header that agrees. */
const claiming = (version: unknown, more: Json = {}) =>
  plain("tools/list", { _meta: meta({ [Key.version]: version, ...more }) }, 7)

const verbs: ReadonlyArray<Case> = [
  { row: 1, what: "GET without a session", verb: "GET" },
  { row: 1, what: "DELETE", verb: "DELETE" },
  ...["PUT", "PATCH", "HEAD", "OPTIONS"].map((verb) => ({ row: 2, what: verb, verb }))
].map((one) => ({ ...one, expected: { status: 405 } }))

const unread: ReadonlyArray<Case> = [
  ...["text/plain", "application/jsonp", undefined].map((type) => ({
    row: 3,
    what: `the media type ${type}`,
    message: echo("x"),
    headers: { "content-type": type },
    expected: { status: 415 }
  })),
  ...["", "{", "undefined", "{\"jsonrpc\":\"2.0\",}", "\u0000"].map((text) => ({
    row: 4,
    what: `the body ${JSON.stringify(text)}`,
    message: text,
    expected: refused(400, -32700)
  }))
]

const arrays: ReadonlyArray<Case> = [
  { row: 5, what: "an array with a claim in it", message: [ping, echo("x")], expected: refused(400, -32600) },
  { row: 5, what: "the same under its version", version: modern, message: [echo("x")], expected: refused(400, -32600) },
  ...[[], [1], [null], [[]], [ping, {}], [plain("ping", {}, null)]].map((message) => ({
    row: 6,
    what: `the array ${JSON.stringify(message)}`,
    message,
    expected: refused(400, -32600)
  })),
  ...[undefined, "2025-03-26"].map((version): Case => ({
    row: 7,
    what: `an array under ${version}`,
    message: [ping],
    ...(version === undefined ? {} : { version }),
    expected: fine,
    inSession: refused(400, -32600),
    inNone: noSession()
  })),
  ...["2025-06-18", "2025-11-25", modern].map((version) => ({
    row: 7,
    what: `an array under ${version}`,
    version,
    message: [ping],
    expected: refused(400, -32600)
  }))
]

const odd: ReadonlyArray<Case> = [
  ...[undefined, ...handshakes].map((version): Case => ({
    row: 8,
    what: `a response under ${version}`,
    message: response,
    ...(version === undefined ? {} : { version }),
    expected: heard,
    inNone: noSession()
  })),
  ...[modern, "v999.0.0"].map((version) => ({
    row: 8,
    what: `a response under ${version}`,
    version,
    message: response,
    expected: refused(400, -32600)
  })),
  { row: 9, what: "an id of null", message: plain("ping", {}, null), expected: refused(400, -32600) },
  { row: 9, what: "no method", message: { jsonrpc: "2.0", id: 4 }, expected: refused(400, -32600, 4) },
  { row: 9, what: "no jsonrpc", message: { id: "x", method: "ping" }, expected: refused(400, -32600, "x") },
  { row: 9, what: "params in an array", message: plain("ping", [], 0), expected: refused(400, -32600, 0) },
  { row: 9, what: "a string", message: "\"ping\"", expected: refused(400, -32600) }
]

const broken: ReadonlyArray<Case> = [
  ["a version that is a number", { [Key.version]: 20260728 }],
  ["a version that is null", { [Key.version]: null }],
  ["capabilities that are missing", { [Key.capabilities]: undefined }],
  ["capabilities in an array", { [Key.capabilities]: [] }],
  ["a client without a version", { [Key.clientInfo]: { name: "c" } }],
  ["an unknown log level", { [Key.logLevel]: "loud" }],
  ["a progress token that is an object", { progressToken: {} }]
].map(([what, more]) => ({
  row: 10,
  what: String(what),
  message: plain("tools/list", { _meta: meta(more as Json) }, 0),
  version: modern,
  headers: { "mcp-method": "tools/list" },
  expected: refused(400, -32602, 0)
}))

const claims: ReadonlyArray<Case> = [
  {
    row: 11,
    what: "a header of a handshake version",
    version: "2025-11-25",
    message: echo("x", "a"),
    expected: refused(400, -32020, "a")
  },
  {
    row: 11,
    what: "a claim of a handshake version",
    version: modern,
    message: claiming("2025-11-25"),
    expected: refused(400, -32020, 7)
  },
  { row: 11, what: "an unknown header", version: "2030-01-01", message: echo("x"), expected: refused(400, -32020, 1) },
  {
    row: 11,
    what: "an unknown claim",
    version: modern,
    message: claiming("2030-01-01"),
    expected: refused(400, -32020, 7)
  },
  { row: 11, what: "two that are unknown", version: "a", message: claiming("b"), expected: refused(400, -32020, 7) },
  ...["2025-11-25", "2025-03-26", "2030-01-01", ""].flatMap((version) =>
    [version, null].map((header) => ({
      row: 12,
      what: `a claim of ${JSON.stringify(version)} ${
        header === null ? "without the header" : "that the header repeats"
      }`,
      version: header,
      message: claiming(version),
      expected: refused(400, -32022, 7, unserved(version))
    }))
  ),
  { row: 13, what: "no header", version: null, message: echo("x", ""), expected: refused(400, -32020, "") },
  { row: 14, what: "a whole request", message: echo("x"), expected: fine },
  ...["initialize", "ping", "logging/setLevel", "resources/subscribe", "tasks/list", "no/such"].map((method) => ({
    row: 14,
    what: `${method} with a claim`,
    message: claim(
      method,
      { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "1" } },
      3
    ),
    expected: refused(404, -32601, 3)
  }))
]

const claimless: ReadonlyArray<Case> = [
  ...[modern, "2030-01-01", "v999.0.0"].flatMap((version): ReadonlyArray<Case> => [
    {
      row: 15,
      what: `initialize under ${version}`,
      version,
      message: initialize("2025-11-25", {}, 5),
      expected: refused(400, -32020, 5)
    },
    {
      row: 17,
      what: `tools/list under ${version}`,
      version,
      message: plain("tools/list", {}, 5),
      expected: refused(400, -32602, 5)
    }
  ]),
  {
    row: 17,
    what: "other keys in _meta",
    version: modern,
    message: plain("tools/list", { _meta: { progressToken: 1, [Key.clientInfo]: {} } }),
    expected: refused(400, -32602, 1)
  },
  ...[undefined, ...handshakes, "2024-11-05", "1.0"].map((version): Case => ({
    row: 16,
    what: `initialize under ${version}`,
    ...(version === undefined ? {} : { version }),
    message: initialize("2025-11-25"),
    expected: fine
  })),
  ...["2024-11-05", "1.0", ""].map((version): Case => ({
    row: 18,
    what: `tools/list under ${JSON.stringify(version)}`,
    version,
    message: plain("tools/list", {}, 2),
    expected: refused(400, -32022, 2, { supported: [modern, ...handshakes], requested: version })
  })),
  ...[undefined, ...handshakes].flatMap((version): ReadonlyArray<Case> => {
    const under = version === undefined ? {} : { version }
    return [
      {
        row: 19,
        what: `tools/list under ${version}`,
        ...under,
        message: plain("tools/list"),
        expected: fine,
        inNone: noSession(1)
      },
      {
        row: 19,
        what: `server/discover under ${version}`,
        ...under,
        message: plain("server/discover", {}, 9),
        expected: refused(200, -32601, 9),
        inNone: noSession(9)
      }
    ]
  }),
  {
    row: 20,
    what: "a claim under another header",
    version: "2025-11-25",
    message: notice("x", { _meta: meta() }),
    expected: refused(400, -32020)
  },
  {
    row: 20,
    what: "a claim without a header",
    version: null,
    message: notice("x", { _meta: meta() }),
    expected: heard
  },
  {
    row: 20,
    what: "a modern header alone",
    version: modern,
    message: notice("notifications/initialized"),
    expected: heard
  },
  ...[undefined, ...handshakes].map((version): Case => ({
    row: 21,
    what: `a notification under ${version}`,
    ...(version === undefined ? {} : { version }),
    message: notice("notifications/initialized"),
    expected: heard,
    inNone: noSession()
  }))
]

/** Each row at least once. */
export const cases: ReadonlyArray<Case> = [...verbs, ...unread, ...arrays, ...odd, ...broken, ...claims, ...claimless]
