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
 * What the wire of one endpoint looks like, and what is known of the model there.
 *
 * @since 0.1.0
 * @category models
 */
export interface Capabilities {
  readonly jsonMode: JsonMode
  /** The name of the field that bounds the answer's length. */
  readonly maxTokensField: "max_tokens" | "max_completion_tokens"
  /** Whether a stream has to be asked for its usage, by `stream_options`. */
  readonly streamUsage: boolean
  /**
   * Whether `[DONE]` ends a stream also where no finish reason came. Only for
   * endpoints that leave finish reasons out: elsewhere it is how a gateway ends
   * a stream that its upstream broke off.
   */
  readonly endsWithDone: boolean
  /** Fields added to every request. */
  readonly extraBody: { readonly [field: string]: unknown }
  /** Headers added to every request; those of a model's options go before them. */
  readonly headers: { readonly [name: string]: string }
  /** Fields taken out of every request, because the vendor refuses a request that has them. */
  readonly dropParams: ReadonlyArray<string>
  /** Fields that have another name at this vendor, by their usual names. */
  readonly renameParams: { readonly [field: string]: string }
  /** The header that carries the key, in lower case, and the word before it. */
  readonly auth: { readonly header: string; readonly scheme?: string }
  /** The model's window, in tokens, where it is known. */
  readonly contextTokens?: number | undefined
  /** The model's longest answer, in tokens, where it is known. */
  readonly maxOutputTokens?: number | undefined
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
  endsWithDone: false,
  extraBody: {},
  headers: {},
  dropParams: [],
  renameParams: {},
  auth: bearer
}

const gatewayModels = ["deepseek-flash", "mistral-small-latest", "qwen-plus"] as const

/**
 * The rows. Model names and windows are those the vendors published by November
 * 2026, and are of the default model; `forModel` knows those of others. Thinking
 * is switched off where a vendor has it on by default, since it slows an answer
 * and may use up its length.
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
    maxOutputTokens: 16_384,
    baseUrl: "https://api.openai.com/v1",
    models: ["gpt-4o"]
  },
  deepseek: {
    ...plain,
    jsonMode: "object",
    streamUsage: true,
    extraBody: { thinking: { type: "disabled" } },
    // Its interface has no such field.
    dropParams: ["seed"],
    contextTokens: 1_000_000,
    baseUrl: "https://api.deepseek.com",
    models: ["deepseek-flash"]
  },
  mistral: {
    ...plain,
    jsonMode: "schema",
    // Mistral answers 422 to every field it does not know.
    dropParams: ["stream_options", "max_completion_tokens", "store"],
    renameParams: { seed: "random_seed" },
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
    endsWithDone: true,
    // Gemini answers 400 to every field it does not know.
    dropParams: ["seed"],
    contextTokens: 1_048_576,
    maxOutputTokens: 65_536,
    baseUrl: "https://generativelanguage.googleapis.com/v1beta/openai",
    models: ["gemini-2.5-flash"]
  },
  openrouter: {
    ...plain,
    jsonMode: "schema",
    // Usage comes unasked. Without `require_parameters` a request may go to an upstream that ignores `response_format`.
    extraBody: { provider: { require_parameters: true } },
    baseUrl: "https://openrouter.ai/api/v1",
    models: ["deepseek/deepseek-chat", "mistralai/mistral-small", "qwen/qwen-plus"]
  },
  litellm: {
    ...plain,
    jsonMode: "object",
    streamUsage: true,
    // Its tries would multiply with ours.
    headers: { "x-litellm-num-retries": "0" },
    models: gatewayModels
  },
  portkey: {
    ...plain,
    jsonMode: "object",
    streamUsage: true,
    auth: { header: "x-portkey-api-key" },
    baseUrl: "https://api.portkey.ai/v1",
    models: gatewayModels
  },
  tokenmix: {
    ...plain,
    jsonMode: "object",
    endsWithDone: true,
    baseUrl: "https://api.tokenmix.ai/v1",
    models: gatewayModels
  },
  generic: { ...plain, endsWithDone: true, models: gatewayModels }
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

/** What is known of the models of a family; the name need only match. The first that matches counts. */
interface Family {
  readonly name: RegExp
  /** What it can do wherever it is served. */
  readonly jsonMode?: JsonMode
  readonly contextTokens?: number
  readonly maxOutputTokens?: number
  /** What the vendor itself, or a gateway to it, refuses of it. */
  readonly dropParams?: ReadonlyArray<string>
  readonly maxTokensField?: Capabilities["maxTokensField"]
  /** What it is sent besides at its own vendor. */
  readonly extraBody?: { readonly [field: string]: unknown }
  /** What it is not sent at its own vendor. */
  readonly withoutBody?: ReadonlyArray<string>
}

/** OpenAI's reasoning models answer 400 to these fields, and to `max_tokens`. */
const reasoning = {
  dropParams: ["temperature", "top_p", "stop"],
  maxTokensField: "max_completion_tokens"
} as const

const families: ReadonlyArray<Family> = [
  { name: /gpt-5[\w.]*-chat/iu, contextTokens: 128_000, maxOutputTokens: 16_384 },
  { name: /gpt-5/iu, contextTokens: 400_000, maxOutputTokens: 128_000, ...reasoning },
  { name: /(?:^|\/)o[134](?:-|$)/iu, contextTokens: 200_000, maxOutputTokens: 100_000, ...reasoning },
  { name: /gpt-4\.1/iu, contextTokens: 1_047_576, maxOutputTokens: 32_768 },
  { name: /gpt-4o/iu, contextTokens: 128_000, maxOutputTokens: 16_384 },
  // The name alone says that it thinks.
  { name: /deepseek.*reasoner/iu, jsonMode: "object", withoutBody: ["thinking"] },
  { name: /deepseek-(?:flash|pro)/iu, jsonMode: "object", contextTokens: 1_000_000 },
  { name: /deepseek/iu, jsonMode: "object" },
  // These cannot but think, and refuse to be told not to.
  { name: /qwq|qwen.*thinking/iu, jsonMode: "object", withoutBody: ["enable_thinking"] },
  { name: /qwen-plus/iu, jsonMode: "object", contextTokens: 131_072 },
  { name: /qwen/iu, jsonMode: "object" },
  // The newer models of Anthropic have a temperature of their own and refuse any other.
  {
    name: /claude-(?:opus-(?:4[.-][7-9]|[5-9])|(?:sonnet|haiku)-[5-9]|fable|mythos)/iu,
    jsonMode: "prompt",
    contextTokens: 1_000_000,
    maxOutputTokens: 128_000,
    dropParams: ["temperature", "top_p"]
  },
  { name: /claude/iu, jsonMode: "prompt", contextTokens: 200_000 },
  // Thinking is taken off the answer's length; of the 2.5 models all but the largest can do without.
  {
    name: /gemini-2\.5-flash/iu,
    contextTokens: 1_048_576,
    maxOutputTokens: 65_536,
    extraBody: { reasoning_effort: "none" }
  },
  { name: /gemini-2\.5/iu, contextTokens: 1_048_576, maxOutputTokens: 65_536 },
  { name: /mistral-(?:small|medium|large)/iu, contextTokens: 128_000 }
]

const strength: { readonly [M in JsonMode]: number } = { prompt: 0, object: 1, schema: 2 }

const gateways: ReadonlySet<Vendor> = new Set<Vendor>(["openrouter", "litellm", "portkey", "tokenmix", "generic"])

/**
 * What one model can do at a vendor. A gateway passes a request on, so the way
 * of asking for JSON is the weaker of the gateway's and the model family's, and
 * what a family refuses is left out there too; a vendor's own models have the
 * vendor's way of JSON. The window and the longest answer are the family's; of a
 * model that is not known they are absent.
 *
 * @since 0.1.0
 * @category combinators
 */
export const forModel = (vendor: Vendor, model: string): Capabilities => {
  const row = table[vendor]
  const family = families.find(({ name }) => name.test(model))
  if (family === undefined) {
    return row.models.includes(model) ? row : { ...row, contextTokens: undefined, maxOutputTokens: undefined }
  }
  const isGateway = gateways.has(vendor)
  const isWeaker = isGateway && family.jsonMode !== undefined && strength[family.jsonMode] < strength[row.jsonMode]
  const without = isGateway ? [] : family.withoutBody ?? []
  return {
    ...row,
    jsonMode: isWeaker ? family.jsonMode ?? row.jsonMode : row.jsonMode,
    dropParams: [...row.dropParams, ...(family.dropParams ?? [])],
    // OpenRouter knows the one name only, and maps it by itself.
    maxTokensField: vendor === "openrouter" ? row.maxTokensField : family.maxTokensField ?? row.maxTokensField,
    extraBody: {
      ...Object.fromEntries(Object.entries(row.extraBody).filter(([field]) => !without.includes(field))),
      ...(isGateway ? {} : family.extraBody)
    },
    contextTokens: family.contextTokens,
    maxOutputTokens: family.maxOutputTokens
  }
}
