/**
 * What each family of Claude takes and can do, by the model's name.
 *
 * @since 0.1.0
 */

/**
 * How a model is held to JSON: by a schema it enforces, by a tool it has to
 * call, or by words.
 *
 * @since 0.1.0
 * @category models
 */
export type JsonMode = "schema" | "tool" | "prompt"

/**
 * @since 0.1.0
 * @category models
 */
export interface Contract {
  readonly json: JsonMode
  /** Whether it can be made to call a tool: what is done where a schema is too much for it. */
  readonly takesForcedTool: boolean
  /** Which of temperature and top-p it takes: both, one of them, or none. */
  readonly sampling: "both" | "one" | "none"
  /** What keeps it from thinking before it answers, or makes it think little; fields of the request. */
  readonly withoutThinking: { readonly [field: string]: unknown }
  readonly contextTokens: number | undefined
  readonly maxOutputTokens: number | undefined
}

interface Name {
  readonly family: string
  /** Major and minor as one number: 4.5 is 405. */
  readonly version: number
}

/** `claude-opus-4-5-20251101`, also behind a vendor's prefix; the minor is never a date. */
const newer = /claude-([a-z]+)-(\d{1,2})(?:[.-](\d{1,2}))?(?!\d)/iu

/** `claude-3-5-sonnet-20241022`. */
const older = /claude-(\d)(?:[.-](\d))?-([a-z]+)/iu

const nameOf = (model: string): Name | undefined => {
  const late = newer.exec(model)
  if (late !== null) {
    return { family: late[1]?.toLowerCase() ?? "", version: Number(late[2]) * 100 + Number(late[3] ?? 0) }
  }
  const early = older.exec(model)
  return early === null
    ? undefined
    : { family: early[3]?.toLowerCase() ?? "", version: Number(early[1]) * 100 + Number(early[2] ?? 0) }
}

/** The newest words are the safest guess for a Claude whose name tells no version. */
const newest: Contract = {
  json: "schema",
  takesForcedTool: false,
  sampling: "none",
  withoutThinking: {},
  contextTokens: undefined,
  maxOutputTokens: undefined
}

/** Others speak this wire too, in its oldest words. */
const foreign: Contract = { ...newest, json: "tool", takesForcedTool: true, sampling: "both" }

const off = { thinking: { type: "disabled" } }
const little = { output_config: { effort: "low" } }

/** Fable and Mythos think always. */
const isAlwaysThinking = (family: string): boolean => family === "fable" || family === "mythos"

const withoutThinking = ({ family, version }: Name): Contract["withoutThinking"] => {
  if (isAlwaysThinking(family)) return little
  if (version < 500) return {}
  if (family === "opus") return version >= 505 ? little : off
  if (family === "sonnet") return version >= 505 ? { thinking: { type: "between_tools" } } : off
  return family === "haiku" && version >= 505 ? off : {}
}

const maxOutputTokens = ({ family, version }: Name): number => {
  if (version < 305) return 4096
  if (version < 307) return 8192
  if (family === "opus" && version < 405) return 32_000
  return version < 406 ? 64_000 : 128_000
}

/**
 * What a model takes and can do, as Anthropic published it by November 2026. A
 * model that is none of Anthropic's is asked in the oldest words of the wire.
 *
 * @since 0.1.0
 * @category constructors
 */
export const contractOf = (model: string): Contract => {
  const name = nameOf(model)
  if (name === undefined) return /claude/iu.test(model) ? newest : foreign
  const { family, version } = name
  const isAlways = isAlwaysThinking(family)
  const refusesForcedTool =
    version >= (family === "fable" || family === "mythos" ? 501 : family === "haiku" ? Infinity : 505)
  const takesNoSampling = isAlways || version >= (family === "opus" ? 407 : 500)
  return {
    json: isAlways || version >= 405 ? "schema" : "tool",
    takesForcedTool: !refusesForcedTool,
    sampling: takesNoSampling ? "none" : version >= (family === "opus" ? 401 : 405) ? "one" : "both",
    withoutThinking: withoutThinking(name),
    contextTokens: isAlways || version >= (family === "haiku" ? 500 : 406) ? 1_000_000 : 200_000,
    maxOutputTokens: isAlways ? 128_000 : maxOutputTokens(name)
  }
}
