/**
 * Reads the error bodies that OpenAI-compatible endpoints send, in all their
 * shapes, and decides what kind of failure each is.
 *
 * @since 0.1.0
 */
import type { Reason } from "../../llm/LlmError.js"
import * as RetryAfter from "./RetryAfter.js"

/**
 * What an error body says, whatever its shape. Texts are cut, and none of them
 * may be shown: they are the vendor's.
 *
 * @since 0.1.0
 * @category models
 */
export interface VendorError {
  /** Codes and types, in lower case. */
  readonly codes: ReadonlyArray<string>
  readonly message: string
  readonly param: string | undefined
  /** The HTTP status that the body names, when it names one. */
  readonly status: number | undefined
  readonly retryDelay: string | undefined
  readonly isModeration: boolean
}

/**
 * The decision on a failed call.
 *
 * @since 0.1.0
 * @category models
 */
export interface Verdict {
  readonly reason: Reason
  readonly description: string
  readonly retryAfterMs: number | undefined
}

const maxText = 4096

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const textOf = (value: unknown): string =>
  typeof value === "string" ? value.slice(0, maxText) : typeof value === "number" ? String(value) : ""

/** A message may itself be an object or a list, as in a validation error of 422. */
const messageOf = (value: unknown): string => {
  if (Array.isArray(value)) return value.slice(0, 10).map(messageOf).filter((text) => text !== "").join("; ")
  if (!isFields(value)) return textOf(value)
  return [value.message, value.msg, value.detail, value.type].map(textOf).filter((text) => text !== "").join("; ")
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const statusIn = (value: unknown): number | undefined => {
  const status = typeof value === "number" ? value : typeof value === "string" && /^\d{3}$/u.test(value) ? +value : NaN
  return status >= 400 && status <= 599 ? status : undefined
}

/**
 * The error in a parsed body, or `undefined` when it holds none. An object with
 * `error`, an `object: "error"`, a list of either, and an `errors` list are
 * errors at any status; `message` and `detail` alone only when `isFailure`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromBody = (body: unknown, isFailure: boolean): VendorError | undefined => {
  const root = Array.isArray(body) ? body[0] : body
  if (typeof root === "string") return isFailure ? build(root, {}) : undefined
  if (!isFields(root)) return undefined
  if (root.error !== undefined && root.error !== null && root.error !== false) return build(root.error, root)
  if (Array.isArray(root.errors) && root.errors.length > 0) return build(root.errors[0], root)
  if (root.object === "error" || root.type === "error") return build(root, root)
  return isFailure && (root.message !== undefined || root.detail !== undefined) ? build(root, root) : undefined
}

const build = (error: unknown, around: Fields): VendorError => {
  const fields = isFields(error) ? error : {}
  const metadata = isFields(fields.metadata) ? fields.metadata : {}
  const raw = textOf(metadata.raw)
  const inner = raw === "" ? undefined : fromBody(parse(raw), true)
  const detail = isFields(fields.details) ? fields.details.error_code : undefined
  const codes = [
    fields.code,
    detail,
    fields.type,
    fields.status,
    around.code,
    isFields(around.error) ? undefined : around.type
  ]
    .map((value) => textOf(value).toLowerCase())
    .filter((code) => code !== "" && code !== "error" && code !== "none" && code !== "null")
  const details = Array.isArray(fields.details) ? fields.details.filter(isFields) : []
  const message = [
    isFields(error) ? messageOf(fields.message) : messageOf(error),
    messageOf(fields.detail ?? around.detail),
    isFields(error) ? "" : messageOf(around.message),
    inner?.message ?? raw,
    ...details.map((detail) => textOf(detail.reason))
  ].filter((text) => text !== "").join(" | ").slice(0, maxText)
  const delay = details.map((detail) => textOf(detail.retryDelay)).find((text) => text !== "")
  return {
    codes: [...new Set([...codes, ...(inner?.codes ?? [])])],
    message,
    param: typeof fields.param === "string" ? fields.param : undefined,
    status: statusIn(fields.code) ?? statusIn(fields.status) ?? statusIn(around.code) ?? statusIn(around.status),
    retryDelay: delay ?? inner?.retryDelay,
    isModeration: Array.isArray(metadata.reasons) || metadata.flagged_input !== undefined ||
      inner?.isModeration === true
  }
}

/** Words of an identifier alone: no digits, so that no key can pass for one. */
const isShowable = (code: string): boolean => code.length <= 48 && /^[a-z]+(?:[_.-][a-z]+)*$/iu.test(code)

const hour = 3_600_000

const quotaCode =
  /insufficient_quota|insufficient_balance|billing|arrearage|enforced_spend_limit|budget_exceeded|payment_required|insufficient_credits|freetieronly/u
const quotaText =
  /credit balance is too low|insufficient balance|insufficient credits|not enough credits|spend(?:ing)? limit|reached your specified (?:api |workspace )?usage limits?|budget has been exceeded|account is in arrears|overdue payment/u
const rateCode =
  /rate_?limit|limit_burst_rate|throttling|too_many_requests|resource_exhausted|requests_limit|allocationquota|ratequota/u
const regionText =
  /unsupported_country|(?:not (?:supported|available|allowed)|unsupported) (?:in|for) (?:your|this) (?:country|region|location|territory)|location is not supported/u
const authText =
  /api[ _-]?key not valid|api_key_invalid|invalid[ _]api[ _-]?key|incorrect api key|invalid_authentication/u
const modelCode = /model_not_found|model_not_exist|invalid_model|modelnotfound|model_decommissioned|deprecated_model/u
const modelText =
  /model\b.{0,80}\b(?:does not exist|not found|not available|is not supported|decommissioned|deprecated|no longer)|(?:invalid|unknown|no such) model|does not have access to model|no endpoints found/u
const contextCode = /context_length_exceeded|context_window|string_above_max_length|request_too_large/u
const contextText =
  /maximum context length|context (?:length|window)|prompt is too long|too many (?:input )?tokens|reduce the length|input (?:length|is too long)|exceeds the maximum number of tokens|input token count/u
const contentCode =
  /content_policy|content_filter|data_inspection_failed|datainspectionfailed|moderation|responsibleaipolicy|safety/u
const contentText =
  /content (?:management |filtering )?policy|inappropriate content|flagged (?:as|by|for)|moderation|blocked by safety/u

/**
 * Decides what kind of failure a call was, from its status, headers and body.
 * Quota is tested before rate limits, codes before wording; the description
 * names the status and, where it is a plain word, the vendor's code.
 *
 * @since 0.1.0
 * @category combinators
 */
export const classify = (options: {
  readonly status: number
  readonly error: VendorError | undefined
  readonly headers: { readonly [name: string]: string | undefined }
  readonly now: number
}): Verdict => {
  const { error } = options
  // An error in a body that came with 200 carries its own status, or none.
  const status = options.status >= 400 ? options.status : error?.status ?? 0
  const codes = error?.codes.join(" ") ?? ""
  const message = error?.message.toLowerCase() ?? ""
  const retryAfterMs = RetryAfter.find({
    headers: options.headers,
    delay: error?.retryDelay,
    message: error?.message,
    now: options.now
  })
  const shown = [String(options.status), ...(error?.codes ?? []).filter(isShowable).slice(0, 1)].join(", ")
  const as = (reason: Reason, sentence: string, wait: number | undefined = undefined): Verdict => ({
    reason,
    description: `${sentence} (${shown})`,
    retryAfterMs: wait
  })
  const says = (code: RegExp, text: RegExp): boolean => code.test(codes) || text.test(codes) || text.test(message)

  const isQuota = status === 412 || (status === 402 && retryAfterMs === undefined) || quotaCode.test(codes) ||
    ((status < 500) && quotaText.test(message)) ||
    // Gemini words its per-minute limit like a used-up quota, but says when to come back.
    (status === 429 && retryAfterMs === undefined && message.includes("exceeded your current quota")) ||
    ((status === 429 || status === 402) && retryAfterMs !== undefined && retryAfterMs > hour)
  if (isQuota) return as("QuotaExhausted", "the account has no quota or credit left")
  if (
    status === 429 || status === 402 || (status < 500 && rateCode.test(codes)) ||
    (codes === "" && status < 500 && /rate limit|too many requests/u.test(message))
  ) {
    return as("RateLimited", "the provider asks for fewer requests", retryAfterMs)
  }
  if (status >= 500 || status === 408 || status === 409 || status === 425) {
    return as("Transient", "the provider failed", retryAfterMs)
  }
  if (says(regionText, regionText)) return as("ModelUnavailable", "the model is not offered in this server's region")
  if (status === 401 || status === 407 || (status < 500 && status !== 403 && authText.test(`${codes} ${message}`))) {
    return as("AuthRejected", "the provider did not accept the key")
  }
  if (status === 403) {
    if (error?.isModeration === true || says(contentCode, contentText)) return blocked(as)
    if (says(modelCode, modelText)) return unavailable(as)
    return as("AuthRejected", "the key may not do this")
  }
  if (status === 404 || status === 410 || modelCode.test(codes)) return unavailable(as)
  if (status === 413 || says(contextCode, contextText)) {
    return as("ContextTooLong", "the request is too long for the model")
  }
  if (status === 446 || says(contentCode, contentText)) return blocked(as)
  if (modelText.test(message)) return unavailable(as)
  if (status >= 400) {
    const param = error?.param !== undefined && isShowable(error.param) ? ` for its field ${error.param}` : ""
    return as("RequestRejected", `the provider rejected the request${param}`)
  }
  return as("Transient", "the provider reported an error in place of an answer", retryAfterMs)
}

type As = (reason: Reason, sentence: string) => Verdict

const blocked = (as: As): Verdict => as("ContentBlocked", "the provider's content rules forbid the request")

const unavailable = (as: As): Verdict => as("ModelUnavailable", "the provider has no such model or address")
