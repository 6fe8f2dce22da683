/**
 * Answers that were written as JSON: how they are kept, read again and told of.
 *
 * @since 0.1.0
 */
import type { ContentBlock, ToolResult } from "../../protocol/McpSchema.js"
import * as ToolCodec from "../../tool/ToolCodec.js"
import type { Cited } from "../Observer.js"
import type { Answered } from "./Visit.js"

/**
 * The envelope of evidence, as JSON that was parsed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Envelope {
  data: unknown
  confidence: number
  sources: ReadonlyArray<Cited & { readonly cached: boolean; readonly [name: string]: unknown }>
  degraded?: { readonly reason: string; readonly missing: ReadonlyArray<string> }
}

/**
 * Parses evidence that `ToolCodec` wrote.
 *
 * @since 0.1.0
 * @category decoding
 */
export const envelope = (json: string): Envelope => JSON.parse(json) as Envelope

const isRecord = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null

/**
 * Parses evidence that was kept; `undefined` when something else was.
 *
 * @since 0.1.0
 * @category decoding
 */
export const keptEnvelope = (json: string | undefined): Envelope | undefined => {
  if (json === undefined) return undefined
  try {
    const found: unknown = JSON.parse(json)
    return isRecord(found) && typeof found.confidence === "number" && Array.isArray(found.sources)
      ? found as unknown as Envelope
      : undefined
  } catch {
    return undefined
  }
}

/**
 * Says what is missing, beside what was said before.
 *
 * @since 0.1.0
 * @category combinators
 */
export const degrade = (self: Envelope, reason: string, missing: ReadonlyArray<string> = []): void => {
  const before = self.degraded
  self.degraded = before === undefined ? { reason, missing } : {
    reason: `${before.reason}; ${reason}`,
    missing: [...new Set([...before.missing, ...missing])]
  }
}

/**
 * The answer of an envelope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const answered = (self: Envelope, isCached: boolean, value?: unknown): Answered => ({
  _tag: "Answered",
  result: ToolCodec.fromJson(JSON.stringify(self)),
  value,
  confidence: self.confidence,
  sources: self.sources,
  isDegraded: self.degraded !== undefined,
  isCached
})

/**
 * A result as text to be kept.
 *
 * @since 0.1.0
 * @category encoding
 */
export const keep = ({ _meta, content, isError, structuredJson }: ToolResult): string => {
  const [only, ...others] = content
  const isText = others.length === 0 && only?.type === "text" && only.text === structuredJson
  return JSON.stringify({
    ...(isText ? {} : { content }),
    ...(structuredJson === undefined ? {} : { structured: structuredJson }),
    ...(isError ? { isError } : {}),
    ...(_meta === undefined ? {} : { _meta })
  })
}

/**
 * Reads what `keep` wrote; `undefined` when somebody else wrote it.
 *
 * @since 0.1.0
 * @category decoding
 */
export const read = (text: string): ToolResult | undefined => {
  let kept: unknown
  try {
    kept = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(kept)) return undefined
  const { _meta, content, isError, structured } = kept as {
    readonly content?: ReadonlyArray<ContentBlock>
    readonly structured?: string
    readonly isError?: boolean
    readonly _meta?: { readonly [key: string]: unknown }
  }
  if (content !== undefined && !Array.isArray(content)) return undefined
  if (structured !== undefined && typeof structured !== "string") return undefined
  const base: ToolResult = structured === undefined
    ? { _tag: "Complete", content: content ?? [], isError: isError === true }
    : ToolCodec.fromJson(structured, content, isError === true)
  return _meta === undefined ? base : { ...base, _meta }
}
