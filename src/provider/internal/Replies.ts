/**
 * What a whole reply of a Chat Completions endpoint comes to: an answer, or the
 * error that says what to do next.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Chat from "../../llm/Chat.js"
import * as LlmError from "../../llm/LlmError.js"
import * as ChatCompletions from "./ChatCompletions.js"
import type { Reply } from "./HttpCall.js"
import * as HttpCall from "./HttpCall.js"
import * as VendorError from "./VendorError.js"

/** Some gateways keep a connection awake with comment lines before the JSON. */
const leadingComments = /^(?:\s*:[^\n]*\n)+/u

const parse = (text: string): Either.Either<unknown, void> =>
  Either.try({ try: (): unknown => JSON.parse(text.replace(leadingComments, "")), catch: () => undefined })

/**
 * The answer in a reply, or its error. An error in the body counts at any
 * status, and is looked for before the answer.
 *
 * @since 0.1.0
 * @category combinators
 */
export const completion = (
  provider: string,
  reply: Reply,
  now: number
): Either.Either<ChatCompletions.Completion, LlmError.LlmError> => {
  const early = refusal(provider, reply.status)
  if (early !== undefined) return Either.left(early)
  const body = parse(reply.text)
  const isFailure = reply.status >= 400
  const error = Either.isRight(body)
    ? VendorError.fromBody(body.right, isFailure)
    : isFailure
    ? VendorError.fromBody(reply.text, true)
    : undefined
  if (isFailure || error !== undefined) {
    return Either.left(failed(provider, reply.status, error, reply.headers, now))
  }
  if (Either.isLeft(body)) {
    return Either.left(
      HttpCall.malformed(provider, reply.text.trim() === "" ? "the answer has no body" : "the answer is not JSON")
    )
  }
  return Either.mapLeft(ChatCompletions.decode(body.right), (fault) => faulty(provider, fault))
}

/**
 * The error of a status that needs no body to judge, or `undefined`: a redirect,
 * and Portkey's 246, which is an answer that failed the operator's guardrail.
 *
 * @since 0.1.0
 * @category combinators
 */
export const refusal = (provider: string, status: number): LlmError.LlmError | undefined =>
  status >= 300 && status < 400
    ? new LlmError.LlmError({
      reason: "ModelUnavailable",
      provider,
      description: "the address answers with a redirect, which is not followed; set the base URL to where it leads",
      status
    })
    : status === 246
    ? new LlmError.LlmError({
      reason: "Degraded",
      provider,
      description: "the answer failed the gateway's guardrail",
      status
    })
    : undefined

/**
 * The error of a reply that is one.
 *
 * @since 0.1.0
 * @category combinators
 */
export const failed = (
  provider: string,
  status: number,
  error: VendorError.VendorError | undefined,
  headers: Reply["headers"],
  now: number
): LlmError.LlmError => {
  const verdict = VendorError.classify({ status, error, headers, now })
  return new LlmError.LlmError({
    reason: verdict.reason,
    provider,
    description: verdict.description,
    status,
    ...(verdict.retryAfterMs === undefined ? {} : { retryAfterMs: verdict.retryAfterMs })
  })
}

/**
 * The error of a readable answer that is no use.
 *
 * @since 0.1.0
 * @category combinators
 */
export const faulty = (provider: string, fault: ChatCompletions.Fault): LlmError.LlmError =>
  new LlmError.LlmError({ reason: fault.reason, provider, description: fault.description })

/**
 * The provenance of an answer that one attempt gave.
 *
 * @since 0.1.0
 * @category constructors
 */
export const provenance = (
  provider: string,
  model: string,
  usage: Chat.Usage,
  elapsedMs: number
): Chat.Provenance => ({
  provider,
  model,
  usage,
  attempts: [{ provider, model, outcome: "answered", elapsedMs: Math.max(0, elapsedMs) }]
})

/**
 * Whether a reply to a ping shows a provider that can be asked: any status but
 * a refused key and a server error, since not every vendor lists its models.
 *
 * @since 0.1.0
 * @category combinators
 */
export const alive = (provider: string, reply: Reply): Effect.Effect<void, LlmError.LlmError> =>
  reply.status === 401 || reply.status === 403
    ? new LlmError.LlmError({
      reason: "AuthRejected",
      provider,
      description: `the provider did not accept the key (${reply.status})`,
      status: reply.status
    })
    : reply.status >= 500
    ? new LlmError.LlmError({
      reason: "Transient",
      provider,
      description: `the provider failed (${reply.status})`,
      status: reply.status
    })
    : Effect.void
