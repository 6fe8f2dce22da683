/**
 * Faults of answers that hold vectors.
 *
 * @since 0.1.0
 */
import { gzipSync } from "node:zlib"
import type { Fault, Faults } from "./ProviderFault.js"
import { body, bytes, head } from "./ProviderFault.js"
import type { Recorded, Reply } from "./ProviderReply.js"
import { depending, raw, status } from "./ProviderReply.js"
import type { Item } from "./ProviderVectors.js"
import * as ProviderVectors from "./ProviderVectors.js"

const fault = (expect: Fault["expect"], about: string, reply: (request: Recorded) => Reply): Fault => ({
  replies: [depending(reply)],
  asks: "text",
  expect,
  about
})

/** An answer whose list of vectors was changed. */
const changed = (
  expect: Fault["expect"],
  about: string,
  change: (items: ReadonlyArray<Item>) => unknown
): Fault =>
  fault(
    expect,
    about,
    ({ body: asked }) => status(200, ProviderVectors.around(asked, change(ProviderVectors.items(asked))))
  )

/** An answer whose first vector was changed. */
const spoiled = (about: string, change: (numbers: ReadonlyArray<unknown>) => unknown): Fault =>
  changed(
    "Degraded",
    about,
    (items) =>
      items.map((item, at) =>
        at === 0 && Array.isArray(item.embedding) ? { ...item, embedding: change(item.embedding) } : item
      )
  )

const whole = ({ body }: Recorded): string => JSON.stringify(ProviderVectors.body(body))
const json = { "content-type": "application/json" }

/**
 * @since 0.1.0
 * @category faults
 */
export const faults: Faults = {
  "vectors-swapped": changed(
    "answer",
    "gives its vectors in another order than the texts",
    (items) => [...items].reverse()
  ),
  "vectors-without-index": changed(
    "answer",
    "does not say which text a vector is of",
    (items) => items.map(({ embedding, object }) => ({ embedding, object }))
  ),
  "vectors-index-zero-left-out": changed(
    "answer",
    "leaves out an index of 0, as Gemini does",
    (items) => items.map(({ index, ...item }) => (index === 0 ? item : { index, ...item }))
  ),
  "vectors-index-twice": changed(
    "Degraded",
    "gives two vectors for one text and none for another",
    (items) => items.map((item) => ({ ...item, index: 1 }))
  ),
  "vectors-index-beyond": changed(
    "Degraded",
    "counts its texts from one",
    (items) => items.map((item, at) => ({ ...item, index: at + 1 }))
  ),
  "vectors-index-text": changed(
    "Degraded",
    "writes its indices as texts",
    (items) => items.map((item, at) => ({ ...item, index: String(at) }))
  ),
  "vectors-some-index": changed(
    "Degraded",
    "says of some vectors alone which texts they are of",
    (items) =>
      items.map(({ embedding, index, object }, at) => at < 2 ? { embedding, object } : { embedding, index, object })
  ),
  "vectors-missing": changed("Degraded", "gives a vector less than there are texts", (items) => items.slice(1)),
  "vectors-too-many": changed("Degraded", "gives a vector more than there are texts", (items) => [
    ...items,
    { ...items[0], index: items.length }
  ]),
  "vectors-none": changed("Degraded", "gives no vector at all", () => []),
  "vectors-no-list": changed("Degraded", "leaves out the list of vectors", () => null),
  "vectors-short": spoiled("gives a vector that is too short", (numbers) => numbers.slice(1)),
  "vectors-long": spoiled("gives a vector that is too long", (numbers) => [...numbers, 0.5]),
  "vectors-null": spoiled("writes null for what is no number", (numbers) => [null, ...numbers.slice(1)]),
  "vectors-text": spoiled("writes its numbers as texts", (numbers) => numbers.map(String)),
  "vectors-zero": spoiled("gives a vector of zeros", (numbers) => numbers.map(() => 0)),
  "vectors-packed": spoiled(
    "packs a vector as base64, which was not asked for",
    (numbers) => Buffer.from(Float32Array.from(numbers, Number).buffer).toString("base64")
  ),
  "vectors-infinite": fault(
    "Degraded",
    "writes a number that is too large to be one",
    (request) => body(whole(request).replace(/"embedding":\[[^,]+/u, "\"embedding\":[1e999"))
  ),
  "vectors-truncated": fault(
    "Malformed",
    "ends in the middle of its JSON, and says that this was all",
    (request) => body(whole(request).slice(0, -40))
  ),
  "vectors-page": fault(
    "Malformed",
    "answers with a page for a browser",
    () => body("<!doctype html><title>Sign in</title>", "text/html")
  ),
  "vectors-error-in-200": fault(
    "RateLimited",
    "reports an error with a status of success",
    () => body({ error: { message: "Slow down.", type: "rate_limit_error", code: "rate_limit_exceeded" } })
  ),
  "vectors-nested": fault(
    "Malformed",
    "nests brackets ten thousand deep",
    () => body(`{"data":${"[".repeat(10_000)}${"]".repeat(10_000)}}`)
  ),
  "vectors-gzip": fault("Malformed", "compresses its answer unasked", (request) => {
    const packed = gzipSync(whole(request))
    return raw([head({ ...json, "content-encoding": "gzip", "content-length": String(packed.length) }), packed])
  }),
  "vectors-in-pieces": fault(
    "answer",
    "sends its answer byte by byte, but fast",
    (request) =>
      raw(() => [head({ ...json, "content-length": String(whole(request).length) }), ...bytes(whole(request))()])
  ),
  "vectors-drip": fault("TimedOut", "sends its answer one byte a second", (request) =>
    raw(function*() {
      yield head({ ...json, "content-length": String(whole(request).length) })
      yield* bytes(whole(request))()
    }, { gapMs: 1000 }))
}
