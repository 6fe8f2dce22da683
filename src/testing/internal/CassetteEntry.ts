/**
 * One exchange as a line of a cassette: what was asked, what came, and nothing
 * that is secret.
 *
 * @since 0.1.0
 */
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

const Headers = Schema.Record({ key: Schema.String, value: Schema.String })

/**
 * A piece of a body, as text where it is UTF-8 by itself. `afterMs` counts from
 * the request.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Piece = Schema.Struct({
  text: Schema.optionalWith(Schema.String, { exact: true }),
  base64: Schema.optionalWith(Schema.String, { exact: true }),
  afterMs: Schema.optionalWith(Schema.NonNegative, { exact: true })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Piece extends Schema.Schema.Type<typeof Piece> {}

/**
 * A line of a cassette. `number` is the place of the request among all; `end`
 * says whether the body was complete, broke, or was left by its reader.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Entry = Schema.Struct({
  number: Schema.Int,
  request: Schema.Struct({
    method: Schema.String,
    /** With the query, without the host. */
    path: Schema.String,
    headers: Headers,
    /** `null` where the body was a stream or a form, which are not compared. */
    body: Schema.NullOr(Schema.String)
  }),
  response: Schema.optionalWith(
    Schema.Struct({
      status: Schema.Int,
      headers: Headers,
      afterMs: Schema.optionalWith(Schema.NonNegative, { exact: true }),
      pieces: Schema.Array(Piece),
      end: Schema.Literal("complete", "broken", "left"),
      code: Schema.optionalWith(Schema.String, { exact: true })
    }),
    { exact: true }
  ),
  failure: Schema.optionalWith(
    Schema.Struct({
      reason: Schema.Literal("Transport", "Encode", "InvalidUrl"),
      code: Schema.optionalWith(Schema.String, { exact: true })
    }),
    { exact: true }
  )
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Entry extends Schema.Schema.Type<typeof Entry> {}

/**
 * What stands where a secret stood.
 *
 * @since 0.1.0
 * @category constants
 */
export const scrubbed = "[scrubbed]"

/** Names of headers and of query parameters whose values are secret. */
const secretName =
  /authorization$|^(?:set-)?cookie$|(?:^|[-_])(?:api)?(?:key|token|secret|password|signature)(?:$|[-_])/iu

/** Tracing changes with every run and tells nothing. */
const noise: ReadonlySet<string> = new Set(["traceparent", "tracestate", "b3"])

/** What a header's value is worth hiding elsewhere for; shorter ones would hide too much. */
const minFound = 8

/**
 * Takes secrets out of texts and bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Scrubber {
  readonly text: (text: string) => string
  /** As `text`; the same bytes when there is nothing to hide. */
  readonly bytes: (bytes: Uint8Array) => Uint8Array
  readonly headers: (headers: { readonly [name: string]: string | undefined }) => { readonly [name: string]: string }
  readonly path: (url: URL) => string
}

/** A text as it is, as it stands in JSON, and as it stands in a URL. */
const forms = (secret: string): ReadonlyArray<string> => [
  secret,
  JSON.stringify(secret).slice(1, -1),
  encodeURIComponent(secret)
]

/**
 * Makes a scrubber of these secrets and of those in a request's own headers.
 *
 * @since 0.1.0
 * @category constructors
 */
export const scrubber = (
  secrets: ReadonlyArray<Redacted.Redacted>,
  headers: { readonly [name: string]: string | undefined }
): Scrubber => {
  const found = Object.entries(headers).flatMap(([name, value]) =>
    value !== undefined && secretName.test(name) ? [value, ...value.split(/[\s;,=]+/u)] : []
  ).filter((value) => value.length >= minFound)
  // The longest first, so that none is cut by another that it holds.
  const hidden = [...new Set([...secrets.map(Redacted.value), ...found].filter((value) => value !== "").flatMap(forms))]
    .sort((a, b) => b.length - a.length)
  const replace = (text: string, of: ReadonlyArray<string>): string =>
    of.reduce((rest, secret) => rest.replaceAll(secret, scrubbed), text)
  // One character for each byte: what is no UTF-8 survives, and a secret is found in it all the same.
  const inBytes = hidden.map((secret) => Buffer.from(secret, "utf8").toString("latin1"))
  return {
    text: (text) => replace(text, hidden),
    bytes: (bytes) => {
      const before = Buffer.from(bytes).toString("latin1")
      const after = replace(before, inBytes)
      return after === before ? bytes : new Uint8Array(Buffer.from(after, "latin1"))
    },
    headers: (headers) =>
      Object.fromEntries(
        Object.entries(headers).flatMap(([name, value]) =>
          value === undefined || noise.has(name)
            ? []
            : [[name, secretName.test(name) ? scrubbed : replace(value, hidden)]]
        )
      ),
    path: (url) => {
      const query = new URLSearchParams([...url.searchParams].map(([name, value]): [string, string] => [
        name,
        secretName.test(name) ? scrubbed : replace(value, hidden)
      ]))
      query.sort()
      return replace(url.pathname, hidden) + (query.size === 0 ? "" : `?${query.toString()}`)
    }
  }
}

/** The same value with the keys of its objects in order. */
const ordered = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(ordered)
    : typeof value === "object" && value !== null
    ? Object.fromEntries(
      Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([key, inner]) => [key, ordered(inner)])
    )
    : value

/**
 * The body of a request in a form that equal requests share: JSON with its keys
 * in order, any other text as it is; `null` for a stream or a form.
 *
 * @since 0.1.0
 * @category combinators
 */
export const bodyOf = (request: HttpClientRequest.HttpClientRequest): string | null => {
  const { body } = request
  switch (body._tag) {
    case "Empty":
      return ""
    case "Uint8Array":
      return canonical(new TextDecoder().decode(body.body))
    case "Raw":
      return typeof body.body === "string" ? canonical(body.body) : null
    default:
      return null
  }
}

const canonical = (text: string): string => {
  try {
    return JSON.stringify(ordered(JSON.parse(text)))
  } catch {
    return text
  }
}

/**
 * What a recorded reply is found by: method, path and body.
 *
 * @since 0.1.0
 * @category combinators
 */
export const keyOf = (request: Pick<Entry["request"], "method" | "path" | "body">): string =>
  `${request.method} ${request.path}\n${request.body ?? ""}`

const isText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const piece = (bytes: Uint8Array, afterMs: number | undefined): Piece => {
  const at = afterMs === undefined ? {} : { afterMs }
  try {
    return { text: isText.decode(bytes), ...at }
  } catch {
    return { base64: Buffer.from(bytes).toString("base64"), ...at }
  }
}

/**
 * The pieces of a body with no secret in them, and whether there was one. A
 * secret that spans pieces joins them all into one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const piecesOf = (
  parts: ReadonlyArray<{ readonly bytes: Uint8Array; readonly afterMs: number | undefined }>,
  scrub: Scrubber
): { readonly pieces: ReadonlyArray<Piece>; readonly isScrubbed: boolean } => {
  const clean = parts.map(({ afterMs, bytes }) => ({ bytes: scrub.bytes(bytes), afterMs }))
  const isScrubbed = clean.some((part, index) => part.bytes !== parts[index]?.bytes)
  const whole = Buffer.concat(clean.map((part) => part.bytes))
  const cleaner = scrub.bytes(whole)
  return cleaner === whole
    ? { pieces: clean.map((part) => piece(part.bytes, part.afterMs)), isScrubbed }
    : { pieces: [piece(cleaner, clean.at(-1)?.afterMs)], isScrubbed: true }
}

/**
 * The bytes of a piece.
 *
 * @since 0.1.0
 * @category combinators
 */
export const bytesOf = (piece: Piece): Uint8Array =>
  piece.base64 === undefined
    ? new TextEncoder().encode(piece.text ?? "")
    : new Uint8Array(Buffer.from(piece.base64, "base64"))

/**
 * The code of a network error, which hides behind one or two causes.
 *
 * @since 0.1.0
 * @category combinators
 */
export const codeOf = (error: unknown, depth = 0): string | undefined => {
  if (!(error instanceof Error) || depth > 4) return undefined
  const code = "code" in error && typeof error.code === "string" && /^[A-Z][A-Z0-9_]{1,60}$/u.test(error.code)
    ? error.code
    : undefined
  return code ?? codeOf(error.cause, depth + 1)
}
