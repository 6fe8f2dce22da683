/**
 * Faults that a status or a header tells: limits, breakdowns, redirects, and
 * successes that are none.
 *
 * @since 0.1.0
 */
import { performance } from "node:perf_hooks"
import type { Fault, Faults } from "./ProviderFault.js"
import { answer, both, chatOnly, head, messagesOnly, same } from "./ProviderFault.js"
import type { Reply } from "./ProviderReply.js"
import { depending, raw, status } from "./ProviderReply.js"

const healthy = (wire: Parameters<Parameters<typeof both>[0]>[0]): Reply => status(200, wire.body(answer))

const limited = (headers: { readonly [name: string]: string | ReadonlyArray<string> }) =>
  both((wire) => status(429, wire.error("rate_limit_error", "Slow down."), headers))

const rate = (
  headers: { readonly [name: string]: string | ReadonlyArray<string> },
  about: string,
  retryAfterMs: number | "none"
): Fault => ({ ...limited(headers), asks: "text", expect: "RateLimited", retryAfterMs, about })

const inSeconds = (seconds: number): string =>
  new Date(performance.timeOrigin + performance.now() + seconds * 1000).toUTCString()

const limits: Faults = {
  "429-retry-after-seconds": rate({ "retry-after": "1" }, "asks for one second", 1000),
  "429-retry-after-zero": rate({ "retry-after": "0" }, "asks for no wait at all", 0),
  "429-retry-after-fraction": rate({ "retry-after": "0.5" }, "asks for half a second", 500),
  "429-retry-after-date": {
    ...both((wire) =>
      depending(() => status(429, wire.error("rate_limit_error", ""), { "retry-after": inSeconds(30) }))
    ),
    asks: "text",
    expect: "RateLimited",
    about: "names the moment to come back, half a minute ahead"
  },
  "429-retry-after-date-past": rate({ "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT" }, "names a moment long past", 0),
  "429-retry-after-word": rate({ "retry-after": "abc" }, "says when to come back in no form there is", "none"),
  "429-retry-after-negative": rate({ "retry-after": "-5" }, "asks for less than no wait", "none"),
  "429-retry-after-days": {
    ...limited({ "retry-after": "999999" }),
    asks: "text",
    expect: "QuotaExhausted",
    about: "asks for eleven days, which is no rate limit"
  },
  "429-retry-after-twice": rate({ "retry-after": ["3", "9"] }, "says twice when to come back", 3000),
  "429": rate({}, "does not say when to come back", "none"),
  "429-retry-after-ms": rate({ "retry-after-ms": "250" }, "asks for a quarter of a second in milliseconds", 250),
  "429-retry-after-both": rate(
    { "retry-after-ms": "250", "retry-after": "9" },
    "asks for two different times, the finer of which counts",
    250
  ),
  "429-then-shorter": {
    ...both((wire) =>
      ["9", "1"].map((seconds) => status(429, wire.error("rate_limit_error", ""), { "retry-after": seconds }))
    ),
    asks: "text",
    expect: "RateLimited",
    retryAfterMs: 9000,
    about: "asks for nine seconds, then for one, which must not shorten the wait"
  },
  "429-then-longer": {
    ...both((wire) =>
      ["1", "9"].map((seconds) => status(429, wire.error("rate_limit_error", ""), { "retry-after": seconds }))
    ),
    asks: "text",
    expect: "RateLimited",
    retryAfterMs: 1000,
    about: "asks for one second, then for nine, which lengthens the wait"
  },
  "429-once": {
    ...both((wire) => [status(429, wire.error("rate_limit_error", ""), { "retry-after": "0" }), healthy(wire)]),
    asks: "text",
    expect: "RateLimited",
    then: "answer",
    about: "is over its limit once"
  },
  "429-insufficient-quota": {
    ...chatOnly(status(429, {
      error: { message: "You exceeded your current quota.", type: "insufficient_quota", code: "insufficient_quota" }
    })),
    asks: "text",
    expect: "QuotaExhausted",
    about: "words a used-up account as a rate limit, as OpenAI does"
  },
  "429-spend-limit": {
    ...same(status(429, {
      type: "error",
      error: {
        type: "rate_limit_error",
        message: "This organization has reached its monthly limit.",
        details: { error_code: "enforced_spend_limit_reached" }
      },
      request_id: "req_1"
    })),
    asks: "text",
    expect: "QuotaExhausted",
    about: "words a used-up spend limit as a rate limit, as Anthropic does, with a code in its details"
  },
  "429-gemini-retry-delay": {
    ...chatOnly(status(429, [{
      error: {
        code: 429,
        message: "You exceeded your current quota. Please retry in 52.4s.",
        status: "RESOURCE_EXHAUSTED",
        details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "52s" }]
      }
    }])),
    asks: "text",
    expect: "RateLimited",
    retryAfterMs: 52_000,
    about: "puts the error in a list and the wait in its details, as Gemini does"
  },
  "429-qwen-burst": {
    ...chatOnly(status(429, {
      error: { code: "limit_burst_rate", message: "Request rate increased too quickly.", type: "limit_burst_rate" },
      request_id: "1"
    })),
    asks: "text",
    expect: "RateLimited",
    about: "finds that requests grew too fast, as Qwen does"
  },
  "429-html": {
    ...same(status(429, "<html><h1>Too Many Requests</h1></html>", { "content-type": "text/html" })),
    asks: "text",
    expect: "RateLimited",
    about: "says so in HTML, as a proxy in between does"
  },
  "remaining-zero": {
    ...both((wire) =>
      status(200, wire.body(answer), {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-remaining-tokens": "0",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-tokens-remaining": "0"
      })
    ),
    asks: "text",
    expect: "answer",
    about: "answers, and says that this was the last request for now"
  }
}

const breakdown = (code: number, about: string): Fault => ({
  ...both((wire) => status(code, wire.error(code === 529 ? "overloaded_error" : "api_error", "It failed."))),
  asks: "text",
  expect: "Transient",
  about
})

const breakdowns: Faults = {
  "500-once": {
    ...both((wire) => [status(500, wire.error("api_error", "It failed.")), healthy(wire)]),
    asks: "text",
    expect: "Transient",
    then: "answer",
    about: "fails once"
  },
  "500": breakdown(500, "fails always"),
  "500-do-not-retry": {
    ...both((wire) => status(500, wire.error("api_error", "It failed."), { "x-should-retry": "false" })),
    asks: "text",
    expect: "Transient",
    about: "fails, and says not to try again"
  },
  "502-html": {
    ...same(status(502, "<html><h1>Bad Gateway</h1></html>", { "content-type": "text/html" })),
    asks: "text",
    expect: "Transient",
    about: "fails with a page of the gateway before it"
  },
  "503-retry-after": {
    ...both((wire) => status(503, wire.error("api_error", "Overloaded."), { "retry-after": "2" })),
    asks: "text",
    expect: "Transient",
    retryAfterMs: 2000,
    about: "is down and says for how long"
  },
  "504": breakdown(504, "ran out of time behind its gateway"),
  "529": breakdown(529, "is overloaded, as Anthropic puts it"),
  "408": breakdown(408, "waited too long for the request"),
  "425": breakdown(425, "would rather not take the request so early"),
  "409": breakdown(409, "is busy with something else"),
  ...Object.fromEntries(
    ([[520, "broke"], [521, "is down"], [522, "could not be reached"], [523, "was not found"], [
      524,
      "took too long"
    ]] as const)
      .map(([code, what]) => [String(code), {
        ...same(status(code, `<html>error code: ${code}</html>`, { "content-type": "text/html" })),
        asks: "text",
        expect: "Transient",
        about: `tells by its delivery network that the origin ${what}`
      }])
  )
}

const redirects: Faults = Object.fromEntries(
  [301, 302, 303, 307, 308].map((code) => [String(code), {
    ...same(status(code, undefined, { location: "http://127.0.0.1:1/elsewhere" })),
    asks: "text",
    expect: "ModelUnavailable",
    about: "sends on to another address, which must not be followed with the key"
  }])
)

const oddSuccesses: Faults = {
  "200-error-body": {
    ...chatOnly(status(200, { error: { code: 502, message: "Provider returned error" } })),
    asks: "text",
    expect: "Transient",
    about: "reports a failure of its upstream under a 200, as OpenRouter does"
  },
  "200-error-array": {
    ...chatOnly(status(200, [{ error: { code: "429", message: "Resource has been exhausted" } }])),
    asks: "text",
    expect: "RateLimited",
    about: "reports a rate limit in a list under a 200"
  },
  "200-error-overloaded": {
    ...messagesOnly(status(200, { type: "error", error: { type: "overloaded_error", message: "Overloaded" } })),
    asks: "text",
    expect: "Transient",
    about: "reports that it is overloaded under a 200"
  },
  "204": { ...same(status(204)), asks: "text", expect: "Malformed", about: "answers with nothing" },
  "206": {
    ...both((wire) => status(206, wire.body(answer))),
    asks: "text",
    expect: "answer",
    about: "calls a whole answer a part"
  },
  "246": {
    ...chatOnly(status(246, { choices: [{ message: { content: answer }, finish_reason: "stop" }] })),
    asks: "text",
    expect: "Degraded",
    flaw: "guardrail",
    about: "answers although a guardrail failed, as Portkey does"
  },
  "103-early-hints": {
    ...both((wire) => {
      const content = JSON.stringify(wire.body(answer))
      return raw([
        "HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n",
        head({ "content-type": "application/json", "content-length": String(content.length) }) + content
      ], { gapMs: 10 })
    }),
    asks: "text",
    expect: "answer",
    about: "sends a provisional response first"
  },
  "header-64-kb": {
    ...both((wire) => status(200, wire.body(answer), { "x-large": "x".repeat(64 * 1024) })),
    asks: "text",
    expect: "Malformed",
    about: "sends a header larger than any client takes"
  },
  "content-length-twice": {
    ...both((wire) => {
      const content = JSON.stringify(wire.body(answer))
      const lines = `content-length: ${content.length}\r\ncontent-length: ${content.length + 1}\r\n\r\n`
      return raw([head({ "content-type": "application/json" }).slice(0, -2) + lines + content])
    }),
    asks: "text",
    expect: "Transient",
    about: "says twice how long the body is, and not the same, so that it looks cut off"
  }
}

/**
 * @since 0.1.0
 * @category faults
 */
export const faults: Faults = { ...limits, ...breakdowns, ...redirects, ...oddSuccesses }
