/**
 * Faults of a provider that will not have the request: keys, credit, windows,
 * content rules, models, parameters.
 *
 * @since 0.1.0
 */
import type { Fault, Faults } from "./ProviderFault.js"
import { both, chatOnly, same } from "./ProviderFault.js"
import { status } from "./ProviderReply.js"

const refused = (
  expect: Fault["expect"],
  code: number,
  error: unknown,
  about: string,
  headers?: { readonly [name: string]: string }
): Fault => ({ ...chatOnly(status(code, error, headers)), asks: "text", expect, about })

const refusedByBoth = (
  expect: Fault["expect"],
  code: number,
  type: string,
  message: string,
  about: string
): Fault => ({ ...both((wire) => status(code, wire.error(type, message))), asks: "text", expect, about })

/**
 * @since 0.1.0
 * @category faults
 */
export const faults: Faults = {
  "400-bad-key": refused("AuthRejected", 400, [{
    error: { code: 400, message: "API key not valid. Please pass a valid API key.", status: "INVALID_ARGUMENT" }
  }], "calls a wrong key a wrong request, as Gemini does"),
  "400-context-openai": refused("ContextTooLong", 400, {
    error: {
      message: "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
      type: "invalid_request_error",
      param: "messages",
      code: "context_length_exceeded"
    }
  }, "finds the request too long, by a code"),
  "400-context-mistral": refused("ContextTooLong", 400, {
    object: "error",
    message: "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
    type: "invalid_request_error",
    code: null
  }, "finds the request too long, in words at the top level"),
  "400-context-gemini": refused("ContextTooLong", 400, [{
    error: {
      code: 400,
      message: "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
      status: "INVALID_ARGUMENT"
    }
  }], "finds the request too long, in a list"),
  "400-context-qwen": refused("ContextTooLong", 400, {
    error: {
      code: "invalid_parameter_error",
      message: "Range of input length should be [1, 129024]: input length is too long",
      type: "invalid_request_error"
    }
  }, "finds the request too long, by its range"),
  "400-context-anthropic": refusedByBoth(
    "ContextTooLong",
    400,
    "invalid_request_error",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "finds the request too long, as Anthropic does"
  ),
  "400-context-and-output": refusedByBoth(
    "ContextTooLong",
    400,
    "invalid_request_error",
    "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000, decrease input length or `max_tokens` and try again",
    "finds that the request and the longest answer do not fit together"
  ),
  "400-content-policy": refused("ContentBlocked", 400, {
    error: { message: "Your request was rejected.", type: "invalid_request_error", code: "content_policy_violation" }
  }, "forbids the request by its content rules"),
  "400-content-filtering": refusedByBoth(
    "ContentBlocked",
    400,
    "invalid_request_error",
    "Output blocked by content filtering policy",
    "forbids the answer by its content rules, as Anthropic does"
  ),
  "400-data-inspection": refused("ContentBlocked", 400, {
    error: { code: "data_inspection_failed", message: "Input data may contain inappropriate content.", type: "x" }
  }, "forbids the request by its content rules, as Qwen does"),
  "400-response-format": refused("RequestRejected", 400, {
    error: {
      message: "This response_format type is unavailable now",
      type: "invalid_request_error",
      param: "response_format",
      code: "invalid_request_error"
    }
  }, "does not know how JSON was asked for, as DeepSeek does"),
  "400-sampling": refusedByBoth(
    "RequestRejected",
    400,
    "invalid_request_error",
    "`temperature` is deprecated for this model.",
    "does not take a temperature, as newer models of Anthropic do"
  ),
  "400-credit-balance": refusedByBoth(
    "QuotaExhausted",
    400,
    "invalid_request_error",
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
    "calls an empty account a wrong request, as Anthropic does"
  ),
  "400-spend-limit": refusedByBoth(
    "QuotaExhausted",
    400,
    "invalid_request_error",
    "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
    "calls a spend limit of one's own a wrong request, as Anthropic does"
  ),
  "401": refusedByBoth("AuthRejected", 401, "authentication_error", "invalid x-api-key", "does not know the key"),
  "402": refusedByBoth("QuotaExhausted", 402, "billing_error", "Insufficient Balance", "wants money"),
  "402-retry-after": refused(
    "RateLimited",
    402,
    { error: { code: 402, message: "Too many requests in flight for this budget." } },
    "wants money that requests under way hold, as OpenRouter does",
    { "retry-after": "3" }
  ),
  "403": refusedByBoth(
    "AuthRejected",
    403,
    "permission_error",
    "Your API key does not have permission to use the specified resource.",
    "lets the key do less than this"
  ),
  "403-moderation": refused("ContentBlocked", 403, {
    error: {
      code: 403,
      message: "The chosen model requires moderation and your input was flagged.",
      metadata: { reasons: ["violence"], flagged_input: "…" }
    }
  }, "forbids the request by a moderation before the model, as OpenRouter does"),
  "403-region": refused("ModelUnavailable", 403, {
    error: { code: "unsupported_country_region_territory", message: "Country, region, or territory not supported" }
  }, "is not offered where the server stands"),
  "404-model": refusedByBoth(
    "ModelUnavailable",
    404,
    "not_found_error",
    "model: claude-0 does not exist",
    "has no such model"
  ),
  "404-path": {
    ...same(status(404, "<html>404 Not Found</html>", { "content-type": "text/html" })),
    asks: "text",
    expect: "ModelUnavailable",
    about: "has no such address"
  },
  "410": refused("ModelUnavailable", 410, {
    error: { message: "The model has been decommissioned.", code: "model_decommissioned" }
  }, "has retired the model"),
  "412": refused(
    "QuotaExhausted",
    412,
    { error: { message: "Budget exceeded" } },
    "has a spent budget, as Portkey puts it"
  ),
  "413": refusedByBoth(
    "ContextTooLong",
    413,
    "request_too_large",
    "Request exceeds the maximum size",
    "takes no request that large"
  ),
  "415": refusedByBoth("RequestRejected", 415, "invalid_request_error", "Unsupported media type", "wants no JSON"),
  "422-extra-forbidden": refused("RequestRejected", 422, {
    object: "error",
    message: { detail: [{ type: "extra_forbidden", loc: ["body", "store"], msg: "Extra inputs are not permitted" }] },
    type: "invalid_request_error",
    param: null,
    code: null
  }, "refuses a field it does not know, with an object for a message, as Mistral does"),
  "446": refused(
    "ContentBlocked",
    446,
    { error: { message: "Guardrail checks failed" } },
    "denies by a guardrail, as Portkey does"
  )
}
