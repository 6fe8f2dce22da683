/**
 * What each vendor's OpenAI-compatible endpoint really accepts, as data: one
 * row per vendor, chosen by table and never by a call that fails.
 *
 * @since 0.1.0
 */

/**
 * How a vendor is asked for JSON: with a schema it enforces, with an object it
 * enforces (and the schema in the prompt), or by the prompt alone.
 *
 * @since 0.1.0
 * @category models
 */
export type JsonMode = "schema" | "object" | "prompt"

/**
 * @since 0.1.0
 * @category models
 */
export type Vendor =
  | "openai"
  | "deepseek"
  | "mistral"
  | "qwen"
  | "gemini"
  | "openrouter"
  | "litellm"
  | "portkey"
  | "tokenmix"
  | "generic"

/**
 * What the wire of one endpoint looks like.
 *
 * @since 0.1.0
 * @category models
 */
export interface Capabilities {
  readonly jsonMode: JsonMode
  /** The name of the field that bounds the answer's length. */
  readonly maxTokensField: "max_tokens" | "max_completion_tokens"
  /** Whether a stream tells its usage when asked by `stream_options`. */
  readonly streamUsage: boolean
  /** Fields added to every request. */
  readonly extraBody: { readonly [field: string]: unknown }
  /** Fields taken out of every request, because the vendor refuses a request that has them. */
  readonly dropParams: ReadonlyArray<string>
  /** The header that carries the key, in lower case, and the word before it. */
  readonly auth: { readonly header: string; readonly scheme?: string }
  /** The window of the default model, in tokens: a guide, not a limit that is checked. */
  readonly contextTokens: number
}

/**
 * A vendor's row: its wire, its address, the models asked unless others are named.
 *
 * @since 0.1.0
 * @category models
 */
export interface Row extends Capabilities {
  /** Absent where the operator hosts it. */
  readonly baseUrl?: string
  /** In the order they are asked; the first is the default model. */
  readonly models: readonly [string, ...ReadonlyArray<string>]
}

const bearer = { header: "authorization", scheme: "Bearer" } as const

const plain: Capabilities = {
  jsonMode: "prompt",
  maxTokensField: "max_tokens",
  streamUsage: false,
  extraBody: {},
  dropParams: [],
  auth: bearer,
  contextTokens: 32_768
}

const gatewayModels = ["deepseek-flash", "mistral-small-latest", "qwen-plus"] as const

/**
 * The rows. Model names and windows are those the vendors published by November
 * 2026; thinking is switched off where a vendor has it on by default, since it
 * slows an answer and may use up its length.
 *
 * @since 0.1.0
 * @category models
 */
export const table: { readonly [V in Vendor]: Row } = {
  openai: {
    ...plain,
    jsonMode: "schema",
    maxTokensField: "max_completion_tokens",
    streamUsage: true,
    contextTokens: 128_000,
    baseUrl: "https://api.openai.com/v1",
    models: ["gpt-4o"]
  },
  deepseek: {
    ...plain,
    jsonMode: "object",
    streamUsage: true,
    extraBody: { thinking: { type: "disabled" } },
    contextTokens: 1_000_000,
    baseUrl: "https://api.deepseek.com",
    models: ["deepseek-flash"]
  },
  mistral: {
    ...plain,
    jsonMode: "schema",
    // Mistral answers 422 to every field it does not know.
    dropParams: ["stream_options", "max_completion_tokens", "store"],
    contextTokens: 128_000,
    baseUrl: "https://api.mistral.ai/v1",
    models: ["mistral-small-latest"]
  },
  qwen: {
    ...plain,
    jsonMode: "object",
    streamUsage: true,
    // A thinking model answers 400 to a request that does not stream unless this is off.
    extraBody: { enable_thinking: false },
    contextTokens: 131_072,
    baseUrl: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    models: ["qwen-plus"]
  },
  gemini: {
    ...plain,
    jsonMode: "schema",
    streamUsage: true,
    contextTokens: 1_048_576,
    baseUrl: "https://generativelanguage.googleapis.com/v1beta/openai",
    models: ["gemini-2.5-flash"]
  },
  openrouter: {
    ...plain,
    jsonMode: "schema",
    streamUsage: true,
    // Without it a request may go to an upstream that ignores `response_format`.
    extraBody: { provider: { require_parameters: true } },
    contextTokens: 128_000,
    baseUrl: "https://openrouter.ai/api/v1",
    models: ["deepseek/deepseek-chat", "mistralai/mistral-small", "qwen/qwen-plus"]
  },
  litellm: { ...plain, jsonMode: "object", streamUsage: true, models: gatewayModels },
  portkey: {
    ...plain,
    jsonMode: "object",
    streamUsage: true,
    auth: { header: "x-portkey-api-key" },
    baseUrl: "https://api.portkey.ai/v1",
    models: gatewayModels
  },
  tokenmix: { ...plain, jsonMode: "object", baseUrl: "https://api.tokenmix.ai/v1", models: gatewayModels },
  generic: { ...plain, models: gatewayModels }
}

/**
 * Every vendor of the table.
 *
 * @since 0.1.0
 * @category models
 */
export const vendors: ReadonlyArray<Vendor> = [
  "openai",
  "deepseek",
  "mistral",
  "qwen",
  "gemini",
  "openrouter",
  "litellm",
  "portkey",
  "tokenmix",
  "generic"
]

const hosts: ReadonlyArray<readonly [suffix: string, Vendor]> = [
  ["api.openai.com", "openai"],
  ["api.deepseek.com", "deepseek"],
  ["api.mistral.ai", "mistral"],
  ["aliyuncs.com", "qwen"],
  ["generativelanguage.googleapis.com", "gemini"],
  ["openrouter.ai", "openrouter"],
  ["portkey.ai", "portkey"],
  ["tokenmix.ai", "tokenmix"]
]

/**
 * The vendor behind a base URL, by its host; `generic` when the host is not
 * known or the text is no URL.
 *
 * @since 0.1.0
 * @category combinators
 */
export const vendorOf = (baseUrl: string): Vendor => {
  if (!URL.canParse(baseUrl)) return "generic"
  const host = new URL(baseUrl).hostname
  return hosts.find(([suffix]) => host === suffix || host.endsWith(`.${suffix}`))?.[1] ?? "generic"
}

/** What models of a family can do wherever they are served; the name need only hold the word. */
const families: ReadonlyArray<readonly [name: RegExp, JsonMode]> = [
  [/deepseek/iu, "object"],
  [/qwen|qwq/iu, "object"],
  [/claude/iu, "prompt"]
]

const strength: { readonly [M in JsonMode]: number } = { prompt: 0, object: 1, schema: 2 }

const gateways: ReadonlySet<Vendor> = new Set<Vendor>(["openrouter", "litellm", "portkey", "tokenmix", "generic"])

/**
 * What one model can do at a vendor. A gateway passes a request on, so the way
 * of asking for JSON is the weaker of the gateway's and the model family's; a
 * vendor's own models have the vendor's row.
 *
 * @since 0.1.0
 * @category combinators
 */
export const forModel = (vendor: Vendor, model: string): Capabilities => {
  const row = table[vendor]
  const family = gateways.has(vendor) ? families.find(([name]) => name.test(model))?.[1] : undefined
  return family === undefined || strength[family] >= strength[row.jsonMode] ? row : { ...row, jsonMode: family }
}
