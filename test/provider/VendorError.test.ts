import { assert, describe, it } from "@effect/vitest"
import * as RetryAfter from "causeway-mcp/provider/internal/RetryAfter"
import * as VendorError from "causeway-mcp/provider/internal/VendorError"

const now = Date.parse("2026-11-22T09:00:00Z")

const classify = (status: number, body?: unknown, headers: { readonly [name: string]: string } = {}) =>
  VendorError.classify({ status, error: VendorError.fromBody(body, status >= 400), headers, now })

const openAi = (message: string, code: string | null, type = "invalid_request_error", param: string | null = null) => ({
  error: { message, type, param, code }
})

const cases: ReadonlyArray<
  readonly [what: string, reason: string, status: number, body?: unknown, headers?: { readonly [name: string]: string }]
> = [
  ["a 429 with nothing else", "RateLimited", 429],
  [
    "OpenAI's used-up quota, which is a 429",
    "QuotaExhausted",
    429,
    openAi("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
    { "retry-after": "1" }
  ],
  ["Gemini's minute limit, worded like a used-up quota", "RateLimited", 429, [{
    error: {
      code: 429,
      message: "You exceeded your current quota",
      status: "RESOURCE_EXHAUSTED",
      details: [{ "@type": "RetryInfo", retryDelay: "52s" }]
    }
  }]],
  ["a wait longer than an hour", "QuotaExhausted", 429, undefined, { "retry-after": "999999" }],
  ["a wait longer than an hour for credit", "QuotaExhausted", 402, undefined, { "retry-after": "7200" }],
  ["Anthropic's limit of spending, a 429 without a time", "QuotaExhausted", 429, {
    type: "error",
    error: { type: "rate_limit_error", message: "x", details: { error_code: "enforced_spend_limit_reached" } }
  }],
  ["Anthropic's limit of one's own, a 400", "QuotaExhausted", 400, {
    type: "error",
    error: { type: "invalid_request_error", message: "You have reached your specified API usage limits." }
  }],
  ["DeepSeek's empty balance", "QuotaExhausted", 402, openAi("Insufficient Balance", "invalid_request_error")],
  [
    "OpenRouter's in-flight budget, a 402 that says when",
    "RateLimited",
    402,
    { error: { code: 402, message: "wait" } },
    { "retry-after": "3" }
  ],
  ["Anthropic's credit balance, a 400", "QuotaExhausted", 400, {
    type: "error",
    error: { type: "invalid_request_error", message: "Your credit balance is too low" }
  }],
  ["Qwen's arrears", "QuotaExhausted", 400, openAi("Access denied", "Arrearage")],
  ["Portkey's budget", "QuotaExhausted", 412],
  ["LiteLLM's budget with a string code", "QuotaExhausted", 400, {
    error: { message: "Budget has been exceeded!", type: "budget_exceeded", code: "400" }
  }],
  ["Qwen's burst guard", "RateLimited", 429, openAi("Request rate increased too quickly", "limit_burst_rate")],
  ["Qwen's throttling at 400", "RateLimited", 400, {
    code: "Throttling.RateQuota",
    message: "Requests rate limit exceeded",
    request_id: "1"
  }],
  ["a 429 with an HTML body", "RateLimited", 429, "<html>slow down</html>"],
  ["a 500", "Transient", 500, { error: "boom" }],
  ["a 503 that talks of rate limits", "Transient", 503, { error: { message: "rate limit of upstream" } }],
  ["a 529", "Transient", 529, { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }],
  ["a 408", "Transient", 408],
  [
    "a country that is not served",
    "ModelUnavailable",
    403,
    openAi("Country not supported", "unsupported_country_region_territory")
  ],
  ["Gemini's region, a 400", "ModelUnavailable", 400, [{
    error: { code: 400, message: "User location is not supported for the API use.", status: "FAILED_PRECONDITION" }
  }]],
  ["a 401", "AuthRejected", 401, openAi("Incorrect API key provided", "invalid_api_key")],
  ["Gemini's bad key, a 400", "AuthRejected", 400, [{
    error: { code: 400, message: "API key not valid. Please pass a valid API key.", status: "INVALID_ARGUMENT" }
  }]],
  ["a plain 403", "AuthRejected", 403, { message: "Forbidden" }],
  ["OpenRouter's moderation, a 403", "ContentBlocked", 403, {
    error: {
      code: 403,
      message: "Your chosen model requires moderation",
      metadata: { reasons: ["violence"], flagged_input: "x" }
    }
  }],
  ["a model that is not there", "ModelUnavailable", 404, openAi("The model `x` does not exist", "model_not_found")],
  ["a model that is gone", "ModelUnavailable", 410, "gone"],
  ["Mistral's unknown model, a 400", "ModelUnavailable", 400, {
    object: "error",
    message: "Invalid model: x",
    type: "invalid_model",
    param: null,
    code: "1500"
  }],
  [
    "OpenAI's context length",
    "ContextTooLong",
    400,
    openAi("This model's maximum context length is 8192 tokens", "context_length_exceeded")
  ],
  ["a context length by its wording alone", "ContextTooLong", 400, {
    error: { message: "prompt is too long: 210000 tokens > 200000 maximum" }
  }],
  ["Gemini's context length", "ContextTooLong", 400, [{
    error: {
      code: 400,
      message: "The input token count (1200000) exceeds the maximum number of tokens allowed",
      status: "INVALID_ARGUMENT"
    }
  }]],
  ["a 413", "ContextTooLong", 413],
  ["OpenAI's content policy", "ContentBlocked", 400, openAi("rejected", "content_policy_violation")],
  [
    "Qwen's inspection",
    "ContentBlocked",
    400,
    openAi("Input data may contain inappropriate content.", "data_inspection_failed")
  ],
  ["Portkey's guardrail", "ContentBlocked", 446, { error: { message: "denied" } }],
  ["Mistral's unknown field, whose message is an object", "RequestRejected", 422, {
    object: "error",
    message: { detail: [{ type: "extra_forbidden", loc: ["body", "store"], msg: "Extra inputs are not permitted" }] },
    type: "invalid_request_error",
    code: null
  }],
  [
    "DeepSeek's refusal of a schema",
    "RequestRejected",
    400,
    openAi("This response_format type is unavailable now", "invalid_request_error")
  ],
  ["an error in the body of a 200, with a number", "Transient", 200, { error: { code: 502, message: "upstream" } }],
  ["an error in the body of a 200, with a string", "RateLimited", 200, {
    error: { code: "429", message: "slow", type: "None" }
  }],
  ["an error in the body of a 200, with no code", "Transient", 200, { error: "something" }],
  ["an error list in the body of a 200", "AuthRejected", 200, [{ error: { code: 401, message: "no" } }]],
  ["a cause that is JSON in a string", "ContextTooLong", 400, {
    error: {
      code: 400,
      message: "Provider returned error",
      metadata: { raw: JSON.stringify(openAi("too long", "context_length_exceeded")), provider_name: "x" }
    }
  }]
]

describe("VendorError.classify", () => {
  for (const [what, reason, status, body, headers] of cases) {
    it(`takes ${what} for ${reason}`, () => {
      assert.strictEqual(classify(status, body, headers).reason, reason)
    })
  }

  it("does not find an error in an answer", () => {
    assert.isUndefined(VendorError.fromBody({ choices: [], error: null, message: "hi" }, false))
    assert.isUndefined(VendorError.fromBody([], false))
    assert.isUndefined(VendorError.fromBody("text", false))
  })

  it("shows the status and a plain code, never the vendor's words or anything like a key", () => {
    assert.strictEqual(
      classify(422, openAi("secret words", "extra_forbidden", "x", "store")).description,
      "the provider rejected the request for its field store (422, extra_forbidden)"
    )
    const echoed = classify(400, openAi("your key sk-12345 is odd", "sk-12345", "sk-12345", "sk-12345")).description
    assert.strictEqual(echoed, "the provider rejected the request (400)")
  })

  it("survives hostile shapes", () => {
    for (
      const body of [null, 5, [[]], { error: {} }, { error: [] }, { errors: [null] }, { detail: {} }, {
        error: { details: 5, metadata: { raw: "{" } }
      }]
    ) {
      assert.strictEqual(classify(400, body).reason, "RequestRejected", JSON.stringify(body))
    }
  })

  it("reads a long message in linear time", () => {
    const startedAt = performance.now()
    classify(400, { error: { message: "model ".repeat(1_000_000) } })
    assert.isBelow(performance.now() - startedAt, 1000)
  })
})

describe("RetryAfter.find", () => {
  const header = (headers: { readonly [name: string]: string }) => RetryAfter.find({ headers, now })

  const forms: ReadonlyArray<
    readonly [what: string, expected: number | undefined, headers: { readonly [name: string]: string }]
  > = [
    ["whole seconds", 2000, { "retry-after": "2" }],
    ["a fraction", 500, { "retry-after": "0.5" }],
    ["zero", 0, { "retry-after": "0" }],
    ["a date to come", 30_000, { "retry-after": "Sun, 22 Nov 2026 09:00:30 GMT" }],
    ["a date that has passed", 0, { "retry-after": "Sun, 22 Nov 2026 08:00:00 GMT" }],
    ["a negative number", undefined, { "retry-after": "-5" }],
    ["no number", undefined, { "retry-after": "abc" }],
    ["NaN", undefined, { "retry-after": "NaN" }],
    ["a repeated header", 1000, { "retry-after": "1, 7" }],
    ["milliseconds", 1500, { "retry-after-ms": "1500" }],
    ["Azure's milliseconds", 800, { "x-ms-retry-after-ms": "800" }],
    ["both, which disagree", 1500, { "retry-after-ms": "1500", "retry-after": "9" }],
    ["OpenAI's reset of the limit that is used up", 360_000, {
      "x-ratelimit-remaining-requests": "0",
      "x-ratelimit-reset-requests": "6m0s",
      "x-ratelimit-remaining-tokens": "12",
      "x-ratelimit-reset-tokens": "1h"
    }]
  ]
  for (const [what, expected, headers] of forms) {
    it(`reads ${what}`, () => {
      assert.strictEqual(header(headers), expected)
    })
  }

  const wordings: ReadonlyArray<readonly [text: string, expected: number | undefined]> = [
    ["Please try again in 20ms.", 20],
    ["Please try again in 1.5s. Visit the site", 1500],
    ["Please retry in 52.4s", 52_400],
    ["try again in 6m0s", 360_000],
    ["Try again in 2 minutes", 120_000],
    ["retry after 30 seconds", 30_000],
    ["try later", undefined]
  ]
  for (const [text, expected] of wordings) {
    it(`reads "${text}"`, () => {
      assert.strictEqual(RetryAfter.find({ headers: {}, message: text, now }), expected)
    })
  }

  const resets: ReadonlyArray<
    readonly [what: string, headers: { readonly [name: string]: string }, expected: number | undefined]
  > = [
    ["OpenAI's", { "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s" }, 360_000],
    ["OpenAI's that is not used up", {
      "x-ratelimit-remaining-tokens": "5",
      "x-ratelimit-reset-tokens": "6m0s"
    }, undefined],
    ["Anthropic's", {
      "anthropic-ratelimit-requests-remaining": "0",
      "anthropic-ratelimit-requests-reset": "2026-11-22T09:00:30Z",
      "anthropic-ratelimit-output-tokens-remaining": "0",
      "anthropic-ratelimit-output-tokens-reset": "2026-11-22T09:01:00Z"
    }, 60_000],
    ["Mistral's", { "x-ratelimitbysize-remaining-minute": "0", "ratelimitbysize-reset": "12" }, 12_000],
    ["one that cannot be read", { "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "soon" }, undefined]
  ]
  for (const [what, headers, expected] of resets) {
    it(`reads when a limit refills, ${what}`, () => {
      assert.strictEqual(RetryAfter.find({ headers, now }), expected)
    })
  }

  it("reads the durations of Go and nothing else", () => {
    assert.deepStrictEqual(
      ["52s", "1h2m3s", "20ms", "1.5s", "", "5", "s", "1d", "3m20ms"].map(RetryAfter.duration),
      [52_000, 3_723_000, 20, 1500, undefined, undefined, undefined, undefined, 180_020]
    )
  })
})
