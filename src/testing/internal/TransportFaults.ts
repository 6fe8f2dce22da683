/**
 * Faults of the connection: silence, slowness, broken and lying bytes.
 *
 * @since 0.1.0
 */
import { gzipSync } from "node:zlib"
import type { Wire } from "./ProviderAnswer.js"
import type { Fault, Faults } from "./ProviderFault.js"
import { answer, both, bytes, head, repeated, same } from "./ProviderFault.js"
import { delayed, hang, raw, reset, status, text } from "./ProviderReply.js"

const whole = (wire: Wire): string => JSON.stringify(wire.body(answer))
const json = { "content-type": "application/json" }

const fault = (
  expect: Fault["expect"],
  replies: Pick<Fault, "replies" | "anthropic">,
  about: string
): Fault => ({ ...replies, asks: "text", expect, about })

/** A response written by hand, with a length that may be a lie. */
const written = (
  wire: Wire,
  length: (content: string) => number,
  headers: { readonly [name: string]: string } = {}
) => {
  const content = whole(wire)
  return head({ ...json, ...headers, "content-length": String(length(content)) }) + content
}

const length = (content: string): number => content.length

const silences: Faults = {
  "hang": fault("TimedOut", same(hang()), "accepts the request and never answers"),
  "hang-after-headers": fault("TimedOut", same(hang("headers")), "sends headers and then nothing"),
  "hang-in-body": fault("TimedOut", same(hang("half")), "stops in the middle of the body"),
  "headers-late": fault("TimedOut", same(delayed(5000, text(answer))), "thinks five seconds before its headers"),
  "headers-slow": fault(
    "TimedOut",
    both((wire) => raw(bytes(written(wire, length)), { gapMs: 1000 })),
    "sends its headers one byte a second"
  ),
  "body-slow": fault(
    "TimedOut",
    both((wire) =>
      raw(
        function*() {
          yield head({ ...json, "content-length": String(whole(wire).length) })
          yield* bytes(whole(wire))()
        },
        { gapMs: 1000 }
      )
    ),
    "sends its body one byte a second"
  ),
  "hang-once": {
    ...same(hang(), text(answer)),
    asks: "text",
    expect: "TimedOut",
    then: "answer",
    about: "never answers the first request"
  }
}

const breaks: Faults = {
  "reset": fault("Transient", same(reset()), "breaks the connection when the request has come"),
  "reset-once": {
    ...same(reset(), text(answer)),
    asks: "text",
    expect: "Transient",
    then: "answer",
    about: "breaks the first connection"
  },
  "reset-in-headers": fault(
    "Transient",
    same(raw(["HTTP/1.1 200 OK\r\ncontent-ty"], { end: "reset" })),
    "breaks the connection in the middle of the headers"
  ),
  "reset-after-headers": fault("Transient", same(reset("headers")), "breaks the connection after the headers"),
  "reset-in-body": fault("Transient", same(reset("half")), "breaks the connection in the middle of the body"),
  "reset-after-body": fault(
    "answer",
    both((wire) => raw([written(wire, length, { connection: "keep-alive" })], { end: "reset" })),
    "breaks a connection that it said it would keep, after a whole answer"
  ),
  "half-close": fault(
    "Transient",
    both((wire) => raw([written(wire, (content) => content.length + 100)], { end: "half" })),
    "closes its side in the middle of the body and goes on reading"
  ),
  "close-before-headers": fault("Transient", same(raw([])), "closes the connection without a word"),
  "content-length-too-long": fault(
    "Transient",
    both((wire) => raw([written(wire, (content) => content.length + 1)])),
    "promises a byte more than it sends"
  ),
  "content-length-too-short": fault(
    "Malformed",
    both((wire) => raw([written(wire, (content) => content.length - 10)])),
    "promises ten bytes less than it sends"
  ),
  "chunked-unfinished": fault(
    "Transient",
    both((wire) => {
      const content = whole(wire)
      return raw([
        `${head({ ...json, "transfer-encoding": "chunked" })}${content.length.toString(16)}\r\n${content}\r\n`
      ])
    }),
    "leaves out the last chunk, so that nobody knows whether that was all"
  ),
  "chunked-wrong": fault(
    "Malformed",
    both((wire) => raw([`${head({ ...json, "transfer-encoding": "chunked" })}zz\r\n${whole(wire)}`])),
    "says in no number how long a chunk is"
  ),
  "not-http": fault(
    "Malformed",
    same(raw(["220 mail.example.com ESMTP\r\n"])),
    "speaks another protocol"
  )
}

const forms: Faults = {
  "http-1.0": fault(
    "answer",
    both((wire) => raw([head(json, "HTTP/1.0 200 OK") + whole(wire)])),
    "ends the body by closing the connection, as old servers do"
  ),
  "connection-close": fault(
    "answer",
    both((wire) => status(200, wire.body(answer), { connection: "close" })),
    "closes the connection after each answer"
  ),
  "body-in-pieces": fault(
    "answer",
    both((wire) =>
      raw(() => [head({ ...json, "content-length": String(whole(wire).length) }), ...bytes(whole(wire))()])
    ),
    "sends its body byte by byte, but fast"
  ),
  "gzip-corrupt": fault(
    "Malformed",
    both((wire) => {
      const packed = gzipSync(whole(wire))
      packed.fill(0, 12, 40)
      return raw([head({ ...json, "content-encoding": "gzip", "content-length": String(packed.length) }), packed])
    }),
    "compresses unasked, and spoils it"
  ),
  "gzip-bomb": fault(
    "Malformed",
    same(raw(function*() {
      // Members of one gzip file follow each other, so that little has to be packed to unpack to much.
      const packed = gzipSync(Buffer.alloc(1024 * 1024, 32))
      yield head({ ...json, "content-encoding": "gzip", "content-length": String(packed.length * 64) })
      for (let member = 0; member < 64; member++) yield packed
    })),
    "compresses 64 MiB of blanks to 64 KiB"
  ),
  "br-corrupt": fault(
    "Malformed",
    same(
      raw([head({ ...json, "content-encoding": "br", "content-length": "4" }), Uint8Array.of(0xff, 0xff, 0xff, 0xff)])
    ),
    "claims a compression that it does not do"
  ),
  "charset-utf-16": fault(
    "Malformed",
    both((wire) =>
      raw([
        head({ "content-type": "application/json; charset=utf-16le" }),
        Buffer.from(`\uFEFF${whole(wire)}`, "utf16le")
      ])
    ),
    "writes in UTF-16"
  ),
  "charset-latin-1": fault(
    "Malformed",
    both((wire) =>
      raw([
        head({ "content-type": "application/json; charset=iso-8859-1" }),
        Buffer.from(JSON.stringify(wire.body("Côte d'Émeraude")), "latin1")
      ])
    ),
    "writes in Latin-1"
  ),
  "body-50-mb": fault(
    "Malformed",
    same(raw(repeated(" ".repeat(64 * 1024), 800, [head(json)], ["{}"]))),
    "sends fifty megabytes of blanks before its answer"
  ),
  "body-endless": fault(
    "Malformed",
    same(raw(repeated(" ".repeat(64 * 1024), undefined, [head(json)]))),
    "sends blanks for ever"
  ),
  "body-declared-large": fault(
    "Malformed",
    same(raw([head({ ...json, "content-length": "50000000" })], { end: "hang" })),
    "announces fifty megabytes"
  )
}

/**
 * @since 0.1.0
 * @category faults
 */
export const faults: Faults = { ...silences, ...breaks, ...forms }
