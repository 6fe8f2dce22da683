/**
 * What a hostile client may send over HTTP besides JSON, and exactly what comes
 * back: the statuses of all answers until the connection is closed, and the
 * JSON-RPC code of the last.
 */
import { gzipSync } from "node:zlib"
import type { Era, Headers } from "./hostileHttp.js"
import { call, request } from "./hostileHttp.js"

type Bytes = (which: Era) => string | Buffer
export type Case = readonly [what: string, bytes: Bytes, statuses: ReadonlyArray<number>, code?: number]

const invalid = -32600

/** With these headers beside, or in the place of, the usual ones. */
const having = (headers: Headers): Bytes => (which) => request(which, { headers })
const first = (line: string): Bytes => (which) => request(which, { first: line })

/** The message in chunks as they are written here. */
const chunked = (write: (body: string) => string, headers: Headers = {}): Bytes => (which) => {
  const head = request(which, {
    body: "",
    headers: { "content-length": undefined, "transfer-encoding": "chunked", ...headers }
  })
  return head + write(JSON.stringify(call(which, "hello")))
}
const hex = (body: string): string => body.length.toString(16)
const whole = (body: string): string => `${hex(body)}\r\n${body}\r\n0\r\n\r\n`

/** The request with something put in the place of the first line end behind the first line. */
const spoiled = (pattern: RegExp, text: string): Bytes => (which) => request(which).replace(pattern, text)

/** A second request in the body of the first, for whoever counts otherwise. */
const smuggled = "GET /admin HTTP/1.1\r\nhost: localhost\r\n\r\n"

const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024))

export const framing: ReadonlyArray<Case> = [
  ["a length beside chunks", chunked(whole, { "content-length": "4" }), [400], invalid],
  [
    "chunks beside a length, in the other order",
    (which) =>
      request(which, {
        body: `0\r\n\r\n${smuggled}`,
        headers: { "content-length": "5", "transfer-encoding": "chunked" }
      }),
    [400],
    invalid
  ],
  ["two lengths that differ", (which) => request(which, { headers: { "content-length": ["5", "6"] } }), [400], invalid],
  ["two lengths that agree", (which) => request(which, { headers: { "content-length": ["5", "5"] } }), [400], invalid],
  ["a list of lengths", having({ "content-length": "5, 5" }), [400], invalid],
  ["a length with a sign", having({ "content-length": "+5" }), [400], invalid],
  ["a length below nothing", having({ "content-length": "-1" }), [400], invalid],
  ["a length in base sixteen", having({ "content-length": "0x10" }), [400], invalid],
  ["a length with an exponent", having({ "content-length": "1e2" }), [400], invalid],
  ["a length beyond 64 bits", having({ "content-length": "18446744073709551617" }), [400], invalid],
  ["an empty length", having({ "content-length": "" }), [400], invalid],
  ["a length of 1 GiB", having({ "content-length": String(2 ** 30) }), [413], invalid],
  ["an encoding that is no encoding", having({ "transfer-encoding": "identity" }), [400], invalid],
  [
    "chunks that are not the last encoding",
    chunked(whole, { "transfer-encoding": "chunked, identity" }),
    [400],
    invalid
  ],
  ["an encoding that resembles chunks", chunked(whole, { "transfer-encoding": "xchunked" }), [400], invalid],
  [
    "chunks in a line of their own, twice",
    chunked(whole, { "transfer-encoding": ["chunked", "chunked"] }),
    [400],
    invalid
  ],
  [
    "chunks and an encoding in two lines",
    chunked(whole, { "transfer-encoding": ["chunked", "identity"] }),
    [400],
    invalid
  ],
  ["a blank before the colon", spoiled(/\r\naccept:/u, "\r\naccept :"), [400], invalid],
  ["a header over two lines", spoiled(/\r\naccept: /u, "\r\naccept:\r\n "), [400], invalid],
  ["an encoding over two lines", chunked(whole, { "transfer-encoding": "\r\n chunked" }), [400], invalid],
  ["a bare line feed between headers", spoiled(/\r\naccept/u, "\naccept"), [400], invalid],
  ["a bare carriage return between headers", spoiled(/\r\naccept/u, "\raccept"), [400], invalid],
  ["line feeds alone", (which) => request(which).replaceAll("\r\n", "\n"), [400], invalid],
  ["a NUL in a header", having({ "x-odd": "a\0b" }), [400], invalid],
  ["a control character in a header", having({ "x-odd": "a\x07b" }), [400], invalid],
  ["a name of a header with a blank", having({ "x odd": "a" }), [400], invalid],
  ["a header without a name", having({ "": "a" }), [400], invalid],
  ["chunks", chunked(whole), [200]],
  ["a chunk with an extension", chunked((body) => `${hex(body)};a=b\r\n${body}\r\n0\r\n\r\n`), [200]],
  [
    "a chunk with an extension of 64 KiB",
    chunked((body) => `${hex(body)};${"a".repeat(64 * 1024)}\r\n${body}\r\n0\r\n\r\n`),
    [413],
    invalid
  ],
  ["a chunk whose size has a sign", chunked((body) => `+${whole(body)}`), [400], invalid],
  ["a chunk whose size is none", chunked((body) => `z\r\n${body}\r\n0\r\n\r\n`), [400], invalid],
  ["a chunk whose size has a prefix", chunked((body) => `0x${whole(body)}`), [400], invalid],
  ["a chunk whose size is beyond 64 bits", chunked((body) => `1${"0".repeat(16)}\r\n${body}`), [400], invalid],
  ["a chunk longer than its size", chunked((body) => `1\r\n${body}\r\n0\r\n\r\n`), [400], invalid],
  [
    "a chunk size that ends with a bare line feed",
    chunked((body) => `${hex(body)}\n${body}\r\n0\r\n\r\n`),
    [400],
    invalid
  ],
  ["a chunk that ends with a bare line feed", chunked((body) => `${hex(body)}\r\n${body}\n0\r\n\r\n`), [400], invalid],
  [
    "headers behind the last chunk",
    chunked((body) => `${hex(body)}\r\n${body}\r\n0\r\nhost: evil.example\r\nmcp-name: other\r\n\r\n`),
    [200]
  ],
  // An answer to what is no request could be taken for that of the request before: there is none then.
  [
    "bytes behind the body",
    (which) => `${request(which, { headers: { connection: "keep-alive" } })}garbage\r\n\r\n`,
    []
  ],
  ["a body longer than its length", (which) => request(which, { headers: { "content-length": "10" } }), []]
]

export const lines: ReadonlyArray<Case> = [
  ["an address as a whole, of this host", first("POST http://localhost/mcp HTTP/1.1"), [404]],
  ["an address as a whole, of another host", first("POST http://evil.example/mcp HTTP/1.1"), [404]],
  ["an address that begins with two slashes", first("POST //mcp HTTP/1.1"), [404]],
  ["a path around a corner", first("POST /x/../mcp HTTP/1.1"), [404]],
  ["a path in other letters", first("POST /%6dcp HTTP/1.1"), [404]],
  ["a path with a NUL in it", first("POST /mcp%00 HTTP/1.1"), [404]],
  ["a path with a semicolon", first("POST /mcp;x=1 HTTP/1.1"), [404]],
  ["an asterisk for an address", first("OPTIONS * HTTP/1.1"), [404]],
  ["no address", first("POST  HTTP/1.1"), [400], invalid],
  ["an address of 100 KB", first(`POST /mcp?${"x".repeat(100_000)} HTTP/1.1`), [431], invalid],
  ["a tunnel", () => "CONNECT localhost:443 HTTP/1.1\r\nhost: localhost\r\n\r\n", []],
  ["the verb TRACE", first("TRACE /mcp HTTP/1.1"), [405], invalid],
  ["the verb PROPFIND", first("PROPFIND /mcp HTTP/1.1"), [405], invalid],
  ["a verb in small letters", first("post /mcp HTTP/1.1"), [400], invalid],
  ["a verb nobody knows", first("FETCH /mcp HTTP/1.1"), [400], invalid],
  ["HTTP/0.9", () => "GET /mcp\r\n\r\n", [400], invalid],
  ["HTTP/1.0", first("POST /mcp HTTP/1.0"), [200]],
  [
    "HTTP/1.0 without a host",
    (which) => request(which, { first: "POST /mcp HTTP/1.0", headers: { host: undefined } }),
    [
      200
    ]
  ],
  ["HTTP/1.2", first("POST /mcp HTTP/1.2"), [400], invalid],
  ["HTTP/2 without being asked", () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400], invalid],
  ["the first bytes of TLS", () => Buffer.from("16030100c8010000c403035f", "hex"), [400], invalid],
  ["a wish for a web socket", having({ upgrade: "websocket", connection: "upgrade, close" }), [200]],
  ["a wish for HTTP/2", having({ upgrade: "h2c", connection: "upgrade, close", "http2-settings": "AAMAAABk" }), [200]],
  ["an expectation nobody can meet", having({ expect: "a miracle" }), [417], invalid],
  [
    "a body that waits to be asked for, and is too long",
    (which) => request(which, { body: "", headers: { expect: "100-continue", "content-length": "2000000" } }),
    [413],
    invalid
  ],
  [
    "ten thousand headers",
    (which) =>
      request(which, { headers: Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`x-${n}`, "1"])) }),
    [
      431
    ],
    invalid
  ]
]

export const content: ReadonlyArray<Case> = [
  [
    "50 MiB of nothing in gzip",
    (which) =>
      Buffer.concat([
        Buffer.from(request(which, {
          body: "",
          headers: { "content-encoding": "gzip", "content-length": String(bomb.length) }
        })),
        bomb
      ]),
    [415],
    invalid
  ],
  ...["gzip", "x-gzip", "deflate", "br", "zstd", "gzip, identity", "identity, gzip", "unheard-of"].map((
    encoding
  ): Case => [
    `the encoding ${encoding}`,
    having({ "content-encoding": encoding }),
    [415],
    invalid
  ]),
  ["two media types", having({ "content-type": ["text/plain", "application/json"] }), [415], invalid],
  ["a body of nothing", (which) => request(which, { body: "" }), [400], -32700],
  ["a body of one bracket", (which) => request(which, { body: "[" }), [400], -32700],
  [
    "a name that stands twice",
    (which) => request(which, { body: JSON.stringify(call(which, "hello")).replace(`"id":1`, `"id":1,"id":2`) }),
    [400],
    invalid
  ],
  [
    "a name that stands twice, once with an escape",
    (which) =>
      request(which, { body: JSON.stringify(call(which, "hello")).replace(`"name"`, `"n\\u0061me":"x","name"`) }),
    [
      400
    ],
    invalid
  ]
]

export const hosts: ReadonlyArray<Case> = [
  ...[
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.nip.io",
    "evil.example#localhost",
    "localhost:x",
    "[::1",
    "0"
  ]
    .map((host): Case => [`the host ${host}`, having({ host }), [403], invalid]),
  ...[
    "null",
    "https://evil.example",
    "http://localhost.evil.example",
    "http://[::1",
    "file://",
    "http://localhost:1, x"
  ]
    .map((origin): Case => [`the origin ${origin}`, having({ origin }), [403], invalid]),
  [
    "two origins, the first of them ours",
    having({ origin: ["http://localhost", "http://evil.example"] }),
    [403],
    invalid
  ],
  ["two hosts, the first of them ours", having({ host: ["localhost", "evil.example"] }), [400], invalid],
  ["two hosts that agree", having({ host: ["localhost", "localhost"] }), [400], invalid],
  ["an empty host", having({ host: "" }), [400], invalid],
  ["no host", having({ host: undefined }), [400], invalid]
]
