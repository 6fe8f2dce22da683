/**
 * What a whole reply comes to: an answer, or the error that says what to do next.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type * as Chat from "../../llm/Chat.js"
import * as LlmError from "../../llm/LlmError.js"
import * as JsonBounds from "../../protocol/JsonBounds.js"
import * as ChatCompletions from "./ChatCompletions.js"
import type { Dialect } from "./Dialect.js"
import type { Reply } from "./HttpCall.js"
import * as HttpCall from "./HttpCall.js"
import * as HttpFailure from "./HttpFailure.js"
import * as VendorError from "./VendorError.js"

/** Some gateways keep a connection awake with comment lines before the JSON. */
const leadingComments = /^(?:\s*:[^\n]*\n)+/u

/** Bounds on what is parsed: no answer nests as deeply, and a text is bounded by its bytes. */
const bounds: JsonBounds.Bounds = { maxDepth: 128, maxNodes: 1_000_000, maxStringLength: HttpCall.maxBodyBytes }

/**
 * The JSON value of a body or an event, or what it is instead.
 *
 * @since 0.1.0
 * @category combinators
 */
export const parse = (text: string): Either.Either<unknown, "no JSON" | "JSON that nests too deeply"> => {
  if (JsonBounds.check(text, bounds) !== undefined) return Either.left("JSON that nests too deeply")
  try {
    return Either.right(JSON.parse(text))
  } catch {
    return Either.left("no JSON")
  }
}

const bodyOf = (reply: Reply): ReturnType<typeof parse> =>
  parse(leadingComments.test(reply.text) ? reply.text.replace(leadingComments, "") : reply.text)

/**
 * The answer in a reply that is JSON, or its error. An error in the body counts
 * at any status, and is looked for before the answer.
 *
 * @since 0.1.0
 * @category combinators
 */
export const completion = (
  dialect: Dialect,
  provider: string,
  reply: Reply,
  now: number
): Either.Either<ChatCompletions.Completion, LlmError.LlmError> => {
  if (reply.status >= 300) return Either.left(failure(dialect, provider, reply, now))
  const body = bodyOf(reply)
  const error = Either.isRight(body) ? dialect.errorOf(body.right, false) : undefined
  if (error !== undefined) return Either.left(failed(provider, reply.status, error, reply.headers, now))
  if (reply.status === guardrail) {
    return Either.left(guarded(provider, Either.isRight(body) ? dialect.decode(body.right) : undefined))
  }
  if (Either.isLeft(body)) {
    return Either.left(
      HttpFailure.malformed(
        provider,
        reply.text.trim() === "" ? "the answer has no body" : `the answer is ${body.left}`
      )
    )
  }
  return Either.mapBoth(dialect.decode(body.right), {
    onLeft: (fault) => faulty(provider, fault),
    onRight: (answer) => ({ ...answer, usage: priced(answer.usage, reply.headers) })
  })
}

/**
 * The error of a reply whose status is none of success.
 *
 * @since 0.1.0
 * @category combinators
 */
export const failure = (
  dialect: Pick<Dialect, "errorOf">,
  provider: string,
  reply: Reply,
  now: number
): LlmError.LlmError => {
  const early = refusal(provider, reply.status)
  if (early !== undefined) return early
  const body = bodyOf(reply)
  const error = dialect.errorOf(Either.isRight(body) ? body.right : reply.text, true)
  return failed(provider, reply.status, error, reply.headers, now)
}

/** LiteLLM tells the cost of a whole answer in a header. */
const priced = (usage: Chat.Usage, headers: Reply["headers"]): Chat.Usage => {
  const told = headers["x-litellm-response-cost"]
  const usd = usage.reportedUsd === undefined && told !== undefined ? ChatCompletions.usdOf(Number(told)) : undefined
  return usd === undefined ? usage : { ...usage, reportedUsd: usd }
}

/** Portkey's status of an answer that failed the operator's guardrail. */
const guardrail = 246

const guarded = (
  provider: string,
  read: Either.Either<ChatCompletions.Completion, ChatCompletions.Fault> | undefined
): LlmError.LlmError =>
  faulty(provider, {
    reason: "Degraded",
    flaw: "guardrail",
    description: "the answer failed the gateway's guardrail",
    ...(read === undefined
      ? {}
      : Either.isRight(read)
      ? { partial: read.right.text, usage: read.right.usage }
      : { partial: read.left.partial, usage: read.left.usage })
  }, guardrail)

const redirected = (provider: string, status: number): LlmError.LlmError =>
  new LlmError.LlmError({
    reason: "ModelUnavailable",
    provider,
    description: "the address answers with a redirect, which is not followed; set the base URL to where it leads",
    status
  })

/**
 * The error of a status that needs no body to judge, or `undefined`: a redirect,
 * and an answer that failed the operator's guardrail.
 *
 * @since 0.1.0
 * @category combinators
 */
export const refusal = (provider: string, status: number): LlmError.LlmError | undefined =>
  status >= 300 && status < 400
    ? redirected(provider, status)
    : status === guardrail
    ? guarded(provider, undefined)
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
 * The error of a readable answer that is no use, with what there was of it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const faulty = (provider: string, fault: ChatCompletions.Fault, status?: number): LlmError.LlmError =>
  new LlmError.LlmError({
    reason: fault.reason,
    provider,
    description: fault.description,
    ...(status === undefined ? {} : { status }),
    ...(fault.flaw === undefined ? {} : { flaw: fault.flaw }),
    ...(fault.partial === undefined ? {} : { partial: Redacted.make(fault.partial) }),
    ...(fault.usage === undefined || Object.keys(fault.usage).length === 0 ? {} : { usage: fault.usage })
  })

/**
 * The provenance of an answer that one attempt gave; times are in milliseconds.
 *
 * @since 0.1.0
 * @category constructors
 */
export const provenance = (
  provider: string,
  model: string,
  usage: Chat.Usage,
  elapsedMs: number,
  firstTokenMs?: number
): Chat.Provenance => ({
  provider,
  model,
  usage,
  attempts: [{
    provider,
    model,
    outcome: "answered",
    elapsedMs: Math.max(0, elapsedMs),
    ...(firstTokenMs === undefined ? {} : { firstTokenMs: Math.max(0, firstTokenMs) })
  }]
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
